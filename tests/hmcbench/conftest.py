"""Fabricated records, as a cell would write them; and a small network, trained once per session."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hmcbench.cli import main
from hmcbench.files import write_atomic
from hmcbench.interfaces import Scores, Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute_sides
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, SCHEMA, Record, begin_record, commit_record, record_json
from hmcbench.records.shifts import FILE, ShiftPoint, in_small_form, shift_metrics, with_metrics
from hmcbench.records.shifts import save as save_shifts
from hmcbench.testing.helpers import installed_plugin, tiny_hierarchy

if TYPE_CHECKING:
    from PIL import Image

Merge = Mapping[str, Any]


def _merged(base: dict[str, Any], changes: Merge) -> dict[str, Any]:
    """Nested dictionaries are merged, anything else replaced."""
    out = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], value) if nested else value
    return out


def make_predictions(
    accuracy: Merge | float,
    seed: int = 0,
    sizes: Merge | None = None,
    prefix: str = "s",
    groups: bool = False,
) -> Predictions:
    """Single-path predictions over the tiny tree; a sample is right for ``accuracy`` of the residues.

    Which samples are hard is the same for all models, so that differences are paired as they are
    in life; ``seed`` changes a few of them.
    """
    hierarchy = tiny_hierarchy()
    sizes = sizes or {"validation": 30, "test": 200}
    ids, side = [], []
    for name, count in sizes.items():
        ids += [f"{name}-{prefix}{i:04d}" for i in range(count)]
        side += [name] * count
    wanted = accuracy if isinstance(accuracy, Mapping) else dict.fromkeys(sizes, accuracy)
    scores = np.full((len(ids), hierarchy.n), 0.05, dtype=np.float32)
    truth = np.zeros(scores.shape, dtype=bool)
    for i, (name, where) in enumerate(zip(ids, side, strict=True)):
        digest = hashlib.sha256(name.encode()).digest()
        true = hierarchy.leaves[digest[0] % 5]
        hardness = (int.from_bytes(digest[1:4], "big") + seed * 300_000) % 2**24 / 2**24
        said = true if hardness < wanted.get(where, 0.9) else hierarchy.leaves[(digest[0] + 2) % 5]
        truth[i] = hierarchy.ancestors[[true]].toarray()[0]
        scores[i, hierarchy.ancestors[[said]].toarray()[0]] = 0.5 + digest[4] / 600
    task = Task(hierarchy=hierarchy)
    return Predictions(ids, side, scores, task, truth, groups=[n[-3:] for n in ids] if groups else None)


def score(predictions: Predictions) -> dict[str, dict[str, float]]:
    """All built-in metrics of every side."""
    return {side: dict(values) for side, values in compute_sides(SPECS, predictions).items()}


def make_data(model: str, seed: int, fold: int, /, **changes: Any) -> dict[str, Any]:
    """The content of a ``record.json`` as the schema has it, with changes merged in."""
    base: dict[str, Any] = {
        "schema": SCHEMA,
        "status": "ok",
        "cause": None,
        "message": "",
        "suite": {"name": "smoke", "version": 1, "primary": "hf1_samples"},
        "dataset": {
            "name": "toy",
            "reference": "toy",
            "fingerprint": "d" * 64,
            "synthetic": False,
            "samples": 830,
            "task": "hmc",
            "paths": "single",
            "depth": "full",
            "classes": 7,
            "levels": 2,
            "notes": [],
            "share_targets": True,
        },
        "split": {
            "kind": "holdout",
            "folds": 5,
            "seed": 0,
            "fold": fold,
            "fingerprint": hashlib.sha256(f"split {fold}".encode()).hexdigest(),
            "counts": {"train": 600, "validation": 30, "test": 200},
            "notes": [],
        },
        "model": {
            **{"label": model, "name": model, "version": "1", "plugin": "toy", "params": {}},
            "deterministic": True,
        },
        "profile": "quick",
        "seed": seed,
        "decision": {"rule": "argmax per level", "thresholds": None},
        "metrics": {},
        "timing": {"fit_s": 10.0 + seed, "latency_p50_ms": 1.5, "total_s": 12.0 + seed, "shared": False},
        "memory": {"peak_rss_mb": 300.0, "peak_private_mb": 120.0, "peak_device_mb": None},
        "hardware": {"fingerprint": "hw1", "cpu": "Abacus", "cores": 2, "memory_gb": 8, "gpu": ""},
        "versions": {"python": "3.11.7", "numpy": "2.0"},
        "git": "abc123",
        "created": "2026-01-02T03:04:05+00:00",
    }
    data = _merged(base, changes)
    if "reference" not in changes.get("dataset", {}):
        data["dataset"]["reference"] = data["dataset"]["name"]
    identity = repr(
        (model, seed, fold, data["dataset"], data["split"], data["profile"], data["model"]["version"])
    )
    data.setdefault("key", hashlib.sha256(identity.encode()).hexdigest())
    return data


@pytest.fixture
def fabricate(tmp_path: Path) -> Callable[..., Record]:
    """``fabricate(model, accuracy, seed=0, fold=0, ...)`` writes a record folder and returns it.

    Keywords: ``predictions`` (else made from ``accuracy``), ``sizes``, ``prefix``, ``groups``,
    ``status`` and ``cause``, ``folder``; anything else is merged into the record's data.
    """

    def make(
        model: str = "model",
        accuracy: Merge | float = 0.9,
        /,
        *,
        seed: int = 0,
        fold: int = 0,
        folder: Path | None = None,
        predictions: Predictions | None = None,
        sizes: Merge | None = None,
        prefix: str = "s",
        groups: bool = False,
        **changes: Any,
    ) -> Record:
        there = folder or tmp_path / "runs" / "smoke" / "records"
        data = make_data(model, seed, fold, **changes)
        part = begin_record(there, data["key"])
        if data["status"] == "ok":
            stored = predictions or make_predictions(accuracy, seed, sizes, prefix, groups)
            stored.save(part / NPZ)
            data["metrics"] = data["metrics"] or score(stored)
        return commit_record(part, there, data)

    return make


@pytest.fixture
def fabricate_numbers(fabricate: Callable[..., Record]) -> Callable[..., Record]:
    """``fabricate_numbers(model, error, targets=("x",), unit=1.0, primary="r2", ...)``: of a regression.

    Targets lie between 0 and ``unit``. Predictions are off by up to ``error`` units, half of them upwards;
    how far each is off is drawn by ``pattern``. ``sides``: of each third of the samples. Other keywords are
    those of ``fabricate``.
    """

    def make(
        model: str,
        error: float,
        *,
        targets: tuple[str, ...] = ("x",),
        unit: float = 1.0,
        primary: str = "r2",
        pattern: int = 0,
        sides: Sequence[str] = ("validation", "test", "test"),
        **more: Any,
    ) -> Record:
        ids = [f"s{i:03}" for i in range(120)]
        of_sample = [sides[3 * i // len(ids)] for i in range(len(ids))]
        shape = len(ids), len(targets)
        truth = unit * np.random.default_rng(99).random(shape)
        share = unit * np.random.default_rng(pattern).random(shape)
        sign = np.where(np.arange(len(ids)) % 2, 1.0, -1.0)[:, None]
        predicted = truth + error * sign * share
        predictions = Predictions(ids, of_sample, predicted, Task("regression", targets=targets), truth)
        dataset = {"task": "regression", "targets": list(targets), "classes": 0, "levels": 0}
        parts = _merged({"dataset": dataset, "suite": {"primary": primary}}, more)
        return fabricate(model, predictions=predictions, **parts)

    return make


@pytest.fixture
def shift() -> Callable[..., Record]:
    """``shift(record, size, names=("noise", "blur"), seen={})``: add predictions under shifts to a record.

    At severity s the scores are mixed with random ones below ``unit``, ``size * s`` parts of them. ``seen``:
    the places of the test samples that see a shift; all by default. ``metrics``: those under shifts.
    """

    def add(
        record: Record,
        size: float,
        names: Sequence[str] = ("noise", "blur"),
        seen: Mapping[str, Sequence[int]] | None = None,
        unit: float = 1.0,
        metrics: Sequence[str] = ("hf1_samples", "level{k}_accuracy"),
    ) -> Record:
        predictions = record.predictions()
        test = predictions.of_side("test")
        random = unit * np.random.default_rng(7).random(test.scores.shape)
        steps = (0.5, 1.0)
        rows = {name: np.array(places) for name, places in (seen or {}).items()}
        everyone = np.arange(len(test))

        def mixed(name: str, part: float) -> Scores:
            values = ((1 - part) * test.scores + part * random).astype(np.float32)
            return Scores(values[rows.get(name, everyone)])

        scores = {ShiftPoint(name, s): mixed(name, size * s) for name in names for s in steps}
        points = in_small_form(scores, rows, predictions.task, record.thresholds)
        values = shift_metrics(SPECS, predictions, points, record.thresholds, list(metrics))
        block = {"version": "1", "unit": "parts", "severities": list(steps), "metrics": [{}, {}]}
        of_some = {name: {"samples": len(places), "before": {}} for name, places in rows.items()}
        part = {
            "seed": 0,
            "sha256": save_shifts(record.path / FILE, points, predictions.task),
            "of": with_metrics({name: {**block, **of_some.get(name, {})} for name in names}, values),
        }
        data = {**record.data, "shifts": part}
        write_atomic(record.path / "record.json", record_json(data))
        return Record(record.path, data)

    return add


CLASSES = ("metal/fatigue", "metal/dimples", "oxide/plates")


def picture(seed: int, leaf: int) -> Image.Image:
    """Waves whose direction depends on the class."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:40, 0:48]
    wave = 60 * np.sin((x if leaf == 0 else x - y if leaf == 1 else x + y) * 0.9 + rng.uniform(0, 6))
    return Image.fromarray((128 + wave + rng.normal(0, 12, x.shape)).clip(0, 255).astype(np.uint8))


@dataclass(frozen=True)
class TrainedRun:
    """The data of a run, its runs folder, and the record of the network."""

    images: Path
    runs: Path
    record: Path
    data: dict[str, Any]


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainedRun]:
    """``run_once(*options)``: train timm:test_resnet on a folder of pictures, without the ``cli`` fixture."""

    def run(*options: str) -> TrainedRun:
        pytest.importorskip("timm", reason="needs the extra vision")
        base = tmp_path_factory.mktemp("trained")
        root = base / "images"
        for leaf, name in enumerate(CLASSES):
            (root / name).mkdir(parents=True)
            for i in range(12):
                picture(100 * leaf + i, leaf).save(root / name / f"{i}.png")
        settings = ("image_size=32", "epochs=6", "batch_size=8", "stem_stride=keep")
        args = ["run", "--suite", "sem-failure", "--data", f"sem-failure={root}", "--out", str(base / "runs")]
        args += ["--model", "timm:test_resnet", "--device", "cpu", "--splits", "1", "--json", *options]
        args += [part for setting in settings for part in ("--set", f"timm.{setting}")]
        out = StringIO()
        with redirect_stdout(out), pytest.raises(SystemExit) as stop:
            main(args)
        assert stop.value.code == 0, out.getvalue()
        (data,) = json.loads(out.getvalue())["records"]
        return TrainedRun(root, base / "runs", Path(data["path"]), data)

    return run


@pytest.fixture(scope="session")
def trained_run(run_once: Callable[..., TrainedRun]) -> TrainedRun:
    """The usual run, with its weights. Read only."""
    return run_once("--crop-bottom", "4")


FAILING = """
from hmcbench import MetricSpec, hookimpl

@hookimpl
def hmcbench_metrics():
    return [MetricSpec(name="mine", factory="failing:mine", version="1", summary="")]

def mine(evaluation):
    raise RuntimeError("no such thing")
"""


@pytest.fixture
def failing_metric(tmp_path: Path) -> Iterator[None]:
    """A plugin whose metric ``mine`` raises is installed."""
    with installed_plugin(tmp_path / "site", "failing", FAILING):
        yield
