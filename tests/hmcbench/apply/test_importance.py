"""Importance of columns: found where it was planted, of the model that was scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.apply import importance
from hmcbench.apply.rebuild import refit
from hmcbench.errors import BadInput
from hmcbench.records.record import Record, read_record
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin

PLUGIN = """
from hmcbench import DatasetSpec, Param, hookimpl

@hookimpl
def hmcbench_datasets():
    return [DatasetSpec(name="planted", version="1", summary="", factory="planting:planted",
                        task="regression", views=("table",), params={"shift": Param(0.0, cosmetic=True)})]

def planted(shift):
    import numpy as np
    from dataclasses import replace
    from hmcbench.testing.helpers import tiny_dataset
    data = tiny_dataset(80, "regression")
    table = np.asarray(data.views["table"], dtype=float)
    strength, hardness = 5 * table[:, 2] + table[:, 6], 3 * table[:, 4]
    data = replace(data, targets=np.column_stack([strength, hardness]) + shift)
    return replace(data, fingerprint="%016x" % int(shift))
"""
SUITE = """
[suite]
name = "planted"
version = 1
datasets = ["planted"]
primary = "r2"

[protocol]
test = 0.3
validation = 0.2

[profiles.quick]
models = ["ridge", "forest[n_estimators=20]"]
threads = 1
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    from hmcbench.cli import main

    folder = tmp_path_factory.mktemp("planted")
    (folder / "suite.toml").write_text(SUITE)
    (folder / "plugin").mkdir()
    with installed_plugin(folder / "plugin", "planting", PLUGIN):
        with pytest.raises(SystemExit):
            main(["run", "--suite", str(folder / "suite.toml"), "--out", str(folder), "--json"])
        yield folder / "planted" / "records"


def record(runs: Path, model: str) -> Record:
    return read_record(next(runs.glob(f"planted--{model}*")))


@pytest.mark.parametrize("model", ["ridge", "forest"])
def test_permutation_finds_the_planted_columns(runs: Path, model: str) -> None:
    found = importance.permutation(refit(record(runs, model), default_registry()), repeats=5)
    assert set(found.order()[:2]) == {2, 4}
    assert found.outputs == ("r2",)
    assert found.values[0, 0] == pytest.approx(0, abs=0.05)


@pytest.mark.slow  # shap compiles its masks when first used
def test_shap_values_of_a_linear_model_are_its_terms(runs: Path) -> None:
    pytest.importorskip("shap")
    refitted = refit(record(runs, "ridge"), default_registry())
    found = importance.shap_values(refitted, samples=10)
    assert found.samples is not None
    assert found.samples.shape == (10, 8, 2)
    base = refitted.predict(refitted.train).mean(axis=0)
    slope = np.polyfit(refitted.test[:10, 4], found.samples[:, 4, 1], 1)[0]
    assert slope == pytest.approx(3, rel=0.1)  # ridge shrinks it a little
    additive = base + found.samples.sum(axis=1) - refitted.predict(refitted.test[:10])
    assert np.ptp(additive, axis=0) == pytest.approx(0, abs=1e-6)  # the same base value for every sample


def test_the_command_prints_and_draws(cli: Callable[..., Any], runs: Path, tmp_path: Path) -> None:
    target = tmp_path / "figure.png"
    ended = cli("importance", record(runs, "ridge").path, "--output", target)
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[2].startswith(("table:2", "table:4"))
    assert target.read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part*"))


def test_what_is_not_the_records_model_is_refused(
    cli: Callable[..., Any], runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = record(runs, "ridge")
    model = here.data["model"]
    stronger = {**model["params"], "alpha": 50.0}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"model": {**model, "version": "0"}}, "made by version 0"),
        ({"dataset": {**here.data["dataset"], "fingerprint": "0" * 64}}, "not the data of the record"),
        ({"split": {**here.data["split"], "fingerprint": "0"}}, "split is not that"),
        ({"status": "failed", "cause": "crash"}, "failed"),
        ({"model": {**model, "params": stronger}}, "predicts otherwise"),
    ]
    for change, says in changes:
        with pytest.raises(BadInput, match=says):
            refit(Record(here.path, {**here.data, **change}), default_registry())
    with pytest.raises(BadInput, match="reads no path"):
        refit(here, default_registry(), "somewhere")
    for args, says in (
        ((tmp_path,), "holds no record"),
        ((here.path, "--output", "x.jpg"), "ends in .png"),
        ((here.path, "--method", "magic"), "magic"),
    ):
        ended = cli("importance", *args)
        assert ended.status == 2
        assert says in ended.err
        assert ended.err.count("\n") == 1
    assert json.loads((here.path / "record.json").read_text())["status"] == "ok"
