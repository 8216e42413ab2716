"""``[protocol] refit``: what the second fit gets, and which fit the predictions are of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.execute import cell as cells
from hmcbench.interfaces import DatasetSpec, ModelSpec, Scores
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.leaderboard.summary import chosen
from hmcbench.plan.cells import Cell, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, Record
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset

SUITE = """
[suite]
name = "again"
version = 1
datasets = ["tiny"]
primary = "hf1_samples"
[protocol]
kind = "holdout"
validation = 0.25
refit = {refit}
[profiles.quick]
models = ["plain", "own", "declares", "joint", "breaks"]
"""
FITS: list[tuple[str, int, int, bool]] = []  # model, training and validation samples, Run.refit


class Plain:
    """Scores every class with the number of training samples, in thousands."""

    name = "plain"

    def fit(self, train: Any, valid: Any, run: Any) -> None:
        FITS.append((self.name, len(train), len(valid), run.refit))
        run.report(1, 1, samples=len(train))
        self.share, self.columns = len(train) / 1000, train.targets.shape[1]

    def predict(self, inputs: Any) -> Scores:
        return Scores(np.full((len(inputs), self.columns), self.share))


class Own(Plain):
    name = "own"

    def refit(self, train: Any, run: Any) -> None:
        FITS.append(("own again", len(train), -1, run.refit))
        assert Path(run.folder).is_dir(), "checkpoints of the second fit"
        self.share = len(train) / 1000

    def describe(self) -> dict[str, Any]:
        return {"fitted_on": "train and validation" if self.share > 0.045 else "train"}


class Declares(Plain):
    name = "declares"

    def describe(self) -> dict[str, Any]:
        return {"fitted_on": "train and validation"}


class Breaks(Plain):
    name = "breaks"

    def refit(self, train: Any, run: Any) -> None:
        raise RuntimeError("no second time")


class Joint(Plain):
    name = "joint"


def fit_many(fits: Any) -> list[None]:
    for fit in fits:
        fit.model.fit(fit.train, fit.valid, fit.run)
    return [None for _ in fits]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    FITS.clear()
    kinds = {kind.name: kind for kind in (Plain, Own, Declares, Joint, Breaks)}
    monkeypatch.setitem(sys.modules, "second_fits", SimpleNamespace(fit_many=fit_many))  # type: ignore[arg-type]
    data = DatasetSpec(name="tiny", version="1", summary="", factory=tiny_dataset, views=("table",))
    models = [
        ModelSpec(
            name=name,
            version="1",
            summary="",
            factory=kind,
            views=("table",),
            fit_many="second_fits:fit_many" if name == "joint" else "",
        )
        for name, kind in kinds.items()
    ]
    plugin = SimpleNamespace(
        __name__="second-fits",
        hmcbench_datasets=hookimpl(lambda: [data]),
        hmcbench_models=hookimpl(lambda: models),
    )
    with temporary_plugin(plugin) as own_registry:
        monkeypatch.setattr(cells, "default_registry", lambda: own_registry)
        yield own_registry


def planned(registry: Registry, *models: str, refit: bool = True, **choices: Any) -> list[Cell]:
    suite = parse_suite(SUITE.format(refit=str(refit).lower()), "s")
    return list(make_plan(suite, registry, Choices(models=models, **choices)).cells)


class Recorder:
    """A reporter that keeps the history and the order of phases."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.rows: list[float] = []
        self.steps = 0

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def __call__(self, step: int, total: int, **values: float) -> None:
        self.rows.append(values["samples"])

    def progress(self, step: int, total: int, **values: float) -> None:
        self.steps += 1

    def write(self) -> None:
        pass


def ran(cells_: list[Cell], tmp_path: Path) -> list[tuple[Any, Recorder, Path]]:
    parts = [tmp_path / str(i) for i in range(len(cells_))]
    for part in parts:
        part.mkdir()
    reports: Any = [Recorder() for _ in cells_]
    results = dict(cells.run_cells(cells_, parts, [str(p) for p in parts], "cpu", reports))
    return [(results[i], reports[i], parts[i]) for i in range(len(cells_))]


@pytest.mark.parametrize("model", ["plain", "own", "joint"])
def test_validation_scores_are_of_the_first_fit_and_test_scores_of_the_second(
    registry: Registry, tmp_path: Path, model: str
) -> None:
    (cell,) = planned(registry, model)
    ((result, report, part),) = ran([cell], tmp_path)
    counts = cell.record["split"]["counts"]
    train, both = counts["train"], counts["train"] + counts["validation"]
    second = ("own again", both, -1, True) if model == "own" else (model, both, 0, True)
    assert [(model, train, counts["validation"], True), second] == FITS
    predictions = Predictions.load(part / NPZ)
    for side, samples in (("validation", train), ("test", both)):
        np.testing.assert_allclose(predictions.of_side(side).scores, samples / 1000, rtol=1e-6)
    assert result["model"]["fitted_on"] == "train"
    assert result["model"]["refit_on"] == "train and validation"
    assert report.rows == [train] and report.phases.count("fit") == 2
    assert result["timing"]["fit_s"] >= result["timing"]["refit_s"] > 0


@pytest.mark.parametrize(
    ("model", "first", "second", "earlier", "refit"),
    [
        ("plain", 1000.0, 100.0, 1100, 100),  # a new model knows of its own fit alone
        ("plain", 1000.0, 0.0, 1000, 0),
        ("own", 1000.0, 1100.0, 1100, 100),
        ("own", 1000.0, 1000.0, 1000, 0),
    ],
)
def test_the_time_before_a_kill_counts_of_both_fits(
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    first: float,
    second: float,
    earlier: int,
    refit: int,
) -> None:
    def describe(fitted: Plain) -> dict[str, float]:
        return {"earlier_fit_s": second if fitted.share > 0.045 else first}

    monkeypatch.setattr({"plain": Plain, "own": Own}[model], "describe", describe, raising=False)
    ((result, _, _),) = ran(planned(registry, model), tmp_path)
    timing = result["timing"]
    assert timing["earlier_fit_s"] == earlier and refit <= timing["refit_s"] < refit + 50
    assert earlier < timing["fit_s"] < timing["total_s"] < earlier + 50
    assert timing["fit_s"] < timing["elapsed_s"] and "earlier_fit_s" not in result["model"]


def test_cells_that_are_fitted_together_are_fitted_again_together(registry: Registry, tmp_path: Path) -> None:
    outcomes = ran(planned(registry, "joint", seeds=2), tmp_path)
    assert [size for _, size, _, _ in FITS] == [FITS[0][1]] * 2 + [FITS[2][1]] * 2
    assert FITS[2][1] > FITS[0][1]
    assert all(result["timing"]["shared"] for result, _, _ in outcomes)


def test_a_model_that_says_it_trained_on_both_is_not_fitted_again(registry: Registry, tmp_path: Path) -> None:
    ((result, _, _),) = ran(planned(registry, "declares"), tmp_path)
    assert len(FITS) == 1
    assert result["model"]["fitted_on"] == "train and validation" and "refit_on" not in result["model"]


def test_an_error_of_the_second_fit_is_that_of_the_cell(registry: Registry, tmp_path: Path) -> None:
    ((result, _, _),) = ran(planned(registry, "breaks"), tmp_path)
    assert isinstance(result, RuntimeError) and str(result) == "no second time"


def test_without_the_protocol_there_is_one_fit_and_the_key_of_old(registry: Registry, tmp_path: Path) -> None:
    (cell,) = planned(registry, "own", refit=False)
    ((result, _, _),) = ran([cell], tmp_path)
    assert [name for name, *_ in FITS] == ["own"] and not FITS[0][3]
    assert "refit" not in cell.record["split"] and "refit_on" not in result["model"]
    (again,) = planned(registry, "own")
    assert again.key != cell.key and again.record["split"]["refit"] is True
    assert again.record["split"]["fingerprint"] == cell.record["split"]["fingerprint"]


def test_only_rows_with_honest_validation_scores_are_chosen(registry: Registry, tmp_path: Path) -> None:
    rows = []
    for i, name in enumerate(("plain", "own", "declares")):
        (cell,) = planned(registry, name)
        (tmp_path / name).mkdir()
        ((result, _, part),) = ran([cell], tmp_path / name)
        metrics = {"validation": {"hf1_samples": 0.5 + 0.1 * i}, "test": {"hf1_samples": 0.5}}
        record = Record(part, {"key": str(i), "status": "ok", **cell.record, **result, "metrics": metrics})
        rows.append(SimpleNamespace(label=name, ok=[record]))
    text = chosen(rows, "hf1_samples", "higher")  # type: ignore[arg-type]
    assert text.startswith("own (validation hf1_samples 0.600): test 0.500, fitted again on train and")
    assert text.endswith("fitted on validation too: declares")


def test_refit_needs_validation_samples() -> None:
    with pytest.raises(BadInput, match="refit = true, validation = 0"):
        parse_suite(SUITE.format(refit="true").replace("validation = 0.25", "validation = 0"), "s")
