"""The cost of the harness: the fit of a cell beside the same engine called directly.

Twice: alternately in one worker (with and without progress, history and checkpoints); and against new
processes, with longer fits, as a process starts slowly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from hmcbench.testing.helpers import installed_plugin

PAIRS = int(os.environ.get("HMCBENCH_PAIRS", "0"))  # more pairs are more precise, and take longer
ASKED = 1 / 1.02
SLACK = 1.02 / 1.3
"""With few pairs, a cost below 30 % cannot be distinguished from chance."""
CHOICES = "stem_stride=keep,patience=0"
MODEL = f"timm:lcnet_050[{CHOICES},epochs=12]"
RUN = "from hmcbench.cli import main; import sys; main(sys.argv[1:])"
PAIRED = """
import json, tempfile, time
from dataclasses import replace
from pathlib import Path
import hmcbench_timm
from hmcbench import Param, hookimpl

@hookimpl
def hmcbench_models():
    timm = next(spec for spec in hmcbench_timm.hmcbench_models() if spec.name == "timm")
    params = {**timm.params, "log": Param(""), "pairs": Param(4)}
    return [replace(timm, name="paired", factory="paired:Paired", params=params)]

class Paired:
    def __init__(self, log="", pairs=4, **params):
        self.log, self.pairs, self.params = log, pairs, params

    def fit(self, train, valid, run):
        from hmcbench.execute.cell import seed_everything
        from hmcbench.interfaces import Run
        from hmcbench_timm.network import create

        def timed(run):
            self.model = create(**self.params)
            seed_everything(0)
            start = time.perf_counter()
            self.model.fit(train, valid, run)
            return time.perf_counter() - start

        def inside():
            with tempfile.TemporaryDirectory(dir=run.folder) as folder:  # a new one has no checkpoint
                return timed(replace(run, folder=folder))

        def outside():
            return timed(Run(run.task, threads=run.threads))

        outside()  # to warm up
        times = []
        for i in range(self.pairs):
            first, second = (inside, outside) if i % 2 else (outside, inside)
            pair = first(), second()
            times.append(pair if i % 2 else pair[::-1])
        Path(self.log).write_text(json.dumps(times))

    def predict(self, inputs):
        return self.model.predict(inputs)
"""
DIRECT = """
import importlib, sys, time
import hmcbench_timm.network
from hmcbench.data import featurize
from hmcbench.interfaces import Run
from hmcbench.execute.cell import seed_everything
from hmcbench.registry.registry import create, default_registry, parse_reference
from hmcbench.data.splits import make_split, side
from hmcbench.data.protocol import Protocol
from threadpoolctl import threadpool_limits

registry = default_registry()
spec, params = registry.resolve("models", parse_reference(sys.argv[1]), "quick")
data_spec, data_params = registry.resolve("datasets", parse_reference("sem-failure"))
dataset = create(data_spec, data_params)
split = make_split(dataset, Protocol(kind="predefined", test=0.1, validation=0.1, seed=0), 0)
plans = featurize.plan_views(registry, tuple(dataset.views), spec.views, params)
views = {plan.name: featurize.compute_view(plan, dataset, 2)[0] for plan in plans}
for module in spec.requires:  # as a worker does before the clock starts
    importlib.import_module(module)
with threadpool_limits(limits=2):
    run = Run(dataset.task, threads=2)
    seed_everything(0)
    model = create(spec, params)
    start = time.perf_counter()
    model.fit(side(dataset, views, split, "train"), side(dataset, views, split, "validation"), run)
    print(time.perf_counter() - start)
"""


def python(code: str, *args: object) -> str:
    command = [sys.executable, "-c", code, *map(str, args)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def run(model: str, out: Path) -> Any:
    """The record of one cell of that model."""
    args = ("--suite", "sem-failure", "--model", model, "--device", "cpu", "--out", out, "--json")
    (record,) = json.loads(python(RUN, "run", *args))["records"]
    assert record["status"] == "ok", record["message"]
    return record


def compare(ratio: Callable[..., None], peer: str, pairs: list[tuple[float, float]]) -> None:
    """Compares the fastest of all pairs: on some machines one process in three takes a fifth longer."""
    inside, outside = zip(*pairs, strict=True)
    print(f"{peer}: medians {median(inside):.3f} s and {median(outside):.3f} s, pairs {pairs}")
    ratio("the fit of a cell", peer, min(outside), min(inside), ASKED, slack=SLACK)


def test_in_turn_within_one_worker(
    benchmark: Any, tmp_path: Path, monkeypatch: Any, ratio: Callable[..., None]
) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    log = tmp_path / "pairs.json"
    paired = f"paired[architecture=lcnet_050,{CHOICES},epochs=4,log={log},pairs={PAIRS or 4}]"
    with installed_plugin(tmp_path / "plugin", "paired", PAIRED):
        benchmark.pedantic(run, (paired, tmp_path), rounds=1)
    compare(ratio, "the engine alone, in the same worker", json.loads(log.read_text()))


def test_beside_processes_of_their_own(
    benchmark: Any, tmp_path: Path, monkeypatch: Any, ratio: Callable[..., None]
) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    pairs: list[tuple[float, float]] = []

    def pair() -> None:
        fit = run(MODEL, tmp_path / str(len(pairs)))["timing"]["fit_s"]
        pairs.append((fit, float(python(DIRECT, MODEL))))

    benchmark.pedantic(pair, rounds=PAIRS or 2, warmup_rounds=0)
    compare(ratio, "the engine alone, in its own process", pairs)
