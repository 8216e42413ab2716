"""Ensembles of fabricated records: their predictions, selection, costs, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.derive.ensembles import Wanted, make_ensembles, mean_of, select
from hmcbench.derive.new_records import write_records
from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.leaderboard.files import boards_of
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, compute_sides
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rules.scoring import find_rules
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, Record, read_all
from hmcbench.records.rescore import rescore
from hmcbench.records.score_bits import rounded
from hmcbench.records.weights import with_model
from hmcbench.registry.registry import default_registry

Fabricate = Callable[..., Record]


def ensembles(record: Record, *rows: str, **more: Any) -> list[Record]:
    folder = record.path.parent
    new = make_ensembles(None, read_all(folder), Wanted(rows, **more), default_registry())
    return write_records(folder, new)


def test_the_mean_of_two_rows_has_a_record_per_seed(fabricate: Fabricate) -> None:
    first = [fabricate("a", 0.7, seed=seed) for seed in (0, 1)]
    second = [fabricate("b", 0.8, seed=seed) for seed in (0, 1)]
    records = ensembles(first[0], "a", "b")
    assert [(record.label, record.seed) for record in records] == [
        ("ensemble-of[rows=a+b]", s) for s in (0, 1)
    ]
    for a, b, record in zip(first, second, records, strict=True):
        mean = (a.predictions().scores + b.predictions().scores) / 2
        np.testing.assert_allclose(record.predictions().scores, mean, atol=1e-7)
        test = record.predictions().of_side("test")
        expected = compute(SPECS, Evaluation.of_predictions(test), ["hf1_samples", "auprc_micro"])
        assert {name: record.metrics("test")[name] for name in expected} == expected
        assert [member["key"] for member in record.data["model"]["members"]] == [a.key, b.key]
    (board,) = boards_of(first[0].path.parents[1])
    assert {row.model for row in board.rows} == {"a", "b", "ensemble-of[rows=a+b]"}


def test_a_version_of_a_model_is_a_row_of_its_own(fabricate: Fabricate) -> None:
    """The name on the board was unknown here, and the name of the model averaged both versions."""
    first = fabricate("a", 0.7, model={"version": "1"})
    fabricate("a", 0.9, model={"version": "2"})
    other = fabricate("b", 0.8)
    (record,) = ensembles(first, "a v1", "b")
    assert record.label == "ensemble-of[rows=a v1+b]"
    assert [member["key"] for member in record.data["model"]["members"]] == [first.key, other.key]
    with pytest.raises(BadInput, match=r"a stands for 2 rows.*one of a v1, a v2"):
        ensembles(first, "a", "b")


def test_rows_that_were_fitted_on_validation_leave_nothing_to_select_on(fabricate: Fabricate) -> None:
    first = fabricate("a", 0.7, model={"fitted_on": "train and validation"})
    with pytest.raises(BadInput, match="fitted on validation samples too"):
        ensembles(first, best=3)


def test_costs_are_those_of_all_members(fabricate: Fabricate) -> None:
    first = fabricate("a", timing={"throughput_per_s": 30.0, "predict_s": 1.0})
    fabricate("b", timing={"throughput_per_s": 60.0}, memory={"peak_private_mb": 500.0})
    (record,) = ensembles(first, "a", "b")
    timing = record.part("timing")
    assert (timing["fit_s"], timing["latency_p50_ms"], timing["throughput_per_s"]) == (20.0, 3.0, 20.0)
    assert "predict_s" not in timing  # b has none
    assert record.part("memory")["peak_private_mb"] == 500.0
    fabricate("c", hardware={"fingerprint": "hw2"})
    (mixed,) = ensembles(first, "a", "c")
    assert mixed.part("timing") == mixed.part("hardware") == {}


def test_seeds_are_averaged_with_rows_of_one_weight(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.6, seed=seed) for seed in range(3)] + [fabricate("b", 0.8)]
    (record,) = ensembles(records[0], "a", "b", over_seeds=True, name="duo")
    assert (record.label, record.seed) == ("duo", 0)
    weights = [member["weight"] for member in record.data["model"]["members"]]
    assert sorted(weights) == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2], abs=1e-6)
    scores = (
        np.mean([r.predictions().scores for r in records[:3]], axis=0) / 2
        + records[3].predictions().scores / 2
    )
    np.testing.assert_allclose(record.predictions().scores, scores, atol=1e-6)


def test_rules_of_the_members_are_those_of_the_ensemble(fabricate: Fabricate) -> None:
    first, second = fabricate("a", 0.7), fabricate("b", 0.8)
    rescore(first.path, rules=find_rules(default_registry(), ["map", "isotonic"]))
    rescore(second.path, rules=find_rules(default_registry(), ["map"]))
    (record,) = ensembles(first, "a", "b")
    assert record.part("rules").keys() == {"map"}


def test_an_ensemble_is_no_member_unless_it_is_named(fabricate: Fabricate) -> None:
    first = fabricate("a", 0.6)
    fabricate("b", 0.8)
    ensembles(first, "a", "b")
    (best,) = ensembles(first, best=3)
    assert {member["label"] for member in best.data["model"]["members"]} <= {"a", "b"}
    (named,) = ensembles(first, "a", "ensemble-of[rows=a+b]")
    assert len(named.data["model"]["members"]) == 2


def problem(noises: Sequence[float]) -> list[Predictions]:
    """A regression on three validation and two test samples, off by these numbers."""
    truth = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    task, sides = Task(kind="regression", targets=("y",)), ["validation"] * 3 + ["test"] * 2
    return [Predictions(list("abcde"), sides, truth + noise, task, truth) for noise in noises]


def test_the_selection_is_greedy_with_replacement() -> None:
    # -1 alone is the best; with 2 it is off by .5, and with a second -1 by nothing
    weights = select(problem([2.0, -1.0, 5.0]), "rmse", 5, default_registry())
    assert weights.tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert select(problem([2.0, -1.0]), "rmse", 1, default_registry()).tolist() == [0, 1]
    # nothing is gained by more members: the smallest ensemble
    assert select(problem([1.0, 1.0]), "rmse", 5, default_registry()).tolist() == [1, 0]


def test_the_selection_never_sees_the_test_samples() -> None:
    first, second = problem([0.5, 0.25])
    worse = replace(second, scores=second.scores + np.array([[0], [0], [0], [100], [100]]))
    assert select([first, worse], "rmse", 3, default_registry()).tolist() == [0, 1]


def test_a_row_that_was_fitted_on_validation_is_not_selected(fabricate: Fabricate) -> None:
    first = fabricate("a", 0.6)
    fabricate("b", 0.9, model={"fitted_on": "train and validation"})
    (record,) = ensembles(first, best=3)
    assert [member["label"] for member in record.data["model"]["members"]] == ["a"]
    (mean,) = ensembles(first, "a", "b")
    assert mean.data["model"]["fitted_on"] == "train and validation"


def test_samples_in_another_order_are_matched_by_id(fabricate: Fabricate) -> None:
    first, second = fabricate("a", 0.6), fabricate("b", 0.8)
    (expected,) = ensembles(first, "a", "b")
    predictions = second.predictions()
    predictions.take(np.arange(len(predictions))[::-1]).save(second.path / NPZ)
    (record,) = ensembles(first, "a", "b")
    assert (record.predictions().scores == expected.predictions().scores).all()


def test_stop_outputs_are_averaged_where_all_have_them() -> None:
    first, second = problem([0.0, 1.0])
    with_stop = [replace(p, stop=np.full((5, 1), value)) for p, value in ((first, 0.2), (second, 0.4))]
    mean = mean_of(with_stop, [0.5, 0.5])
    assert mean.stop is not None
    np.testing.assert_allclose(mean.stop, 0.3)
    assert mean_of([with_stop[0], second], [0.5, 0.5]).stop is None


def test_what_has_no_mean_is_refused(fabricate: Fabricate) -> None:
    first = fabricate("a")
    with pytest.raises(BadInput, match="nobody"):
        ensembles(first, "a", "nobody")
    fabricate("other", prefix="t")
    with pytest.raises(BadInput, match="predicts other samples"):
        ensembles(first, "a", "other")
    fabricate("elsewhere", dataset={"fingerprint": "e" * 64})
    with pytest.raises(BadInput, match="no dataset, fold and seed has a record of each of a, elsewhere"):
        ensembles(first, "a", "elsewhere")
    blind = fabricate("blind")
    replace(blind.predictions(), truth=None).save(blind.path / NPZ)
    with pytest.raises(BadInput, match="stored without truth"):
        ensembles(first, "a", "blind")
    ranking = fabricate("ranking")
    replace(ranking.predictions(), scores=9 * ranking.predictions().scores).save(ranking.path / NPZ)
    with pytest.raises(BadInput, match="the scores of ranking only rank"):
        ensembles(first, "a", "ranking")


def test_scores_in_16_bits_are_rounded_before_anything_is_computed(fabricate: Fabricate) -> None:
    """Metrics came from the unrounded mean, and verify found others in the stored file."""
    records = [fabricate(name, accuracy) for name, accuracy in (("a", 0.7), ("b", 0.8))]
    for record, shift in zip(records, (0.0, 3e-4), strict=True):
        stored = record.predictions()
        replace(stored, scores=rounded(stored.scores * (1 - shift), 16), bits=16).save(record.path / NPZ)
    (mean,) = ensembles(records[0], "a", "b")
    assert mean.predictions().bits == 16
    again = compute_sides(SPECS, mean.predictions(), mean.thresholds)
    assert {side: dict(v) for side, v in again.items()} == mean.data["metrics"]
    one, other = (record.predictions() for record in records)
    assert mean_of([one, replace(other, bits=32)], [0.5, 0.5]).bits == 32


def test_a_metric_without_a_value_is_not_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where less is better, it was better than every number."""

    def without_large(specs: Any, evaluation: Evaluation, names: Any) -> dict[str, float]:
        values = compute(specs, evaluation, names)
        return {name: value for name, value in values.items() if value < 10}

    monkeypatch.setattr("hmcbench.derive.ensembles.compute", without_large)
    assert select(problem([20.0, 0.5]), "rmse", 2, default_registry()).tolist() == [0, 1]
    with pytest.raises(BadInput, match="rmse has no value"):
        select(problem([20.0, 30.0]), "rmse", 2, default_registry())


def test_nothing_to_select_on(fabricate: Fabricate) -> None:
    first = fabricate("a", sizes={"test": 20})
    fabricate("b", sizes={"test": 20})
    with pytest.raises(BadInput, match="no validation predictions"):
        ensembles(first, best=2)


def test_the_command(cli: Callable[..., Any], fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("a", 0.7)
    fabricate("b", 0.8)
    ended = cli("ensemble", tmp_path / "runs", "--rows", "a,b", "--name", "both")
    assert ended.status == 0
    assert "both" in (tmp_path / "runs" / "smoke" / "leaderboard.md").read_text()
    for wrong in (("--rows", "a"), (), ("--over-seeds",)):
        ended = cli("ensemble", tmp_path / "runs", *wrong)
        assert ended.status == 2
        assert "an ensemble needs two members" in ended.err


def test_a_name_that_another_row_has_is_refused(fabricate: Fabricate) -> None:
    """The next ensemble would have taken both for one row."""
    records = [fabricate(model, accuracy) for model, accuracy in (("a", 0.9), ("b", 0.6), ("c", 0.3))]
    with pytest.raises(BadInput, match="another row is called a already"):
        make_ensembles(None, records, Wanted(("b", "c"), name="a"), default_registry())
    (duo,) = make_ensembles(None, records, Wanted(("a", "b"), name="duo"), default_registry())
    stored = [*records, replace(records[0], data=duo.data)]
    with pytest.raises(BadInput, match="another row is called duo already"):
        make_ensembles(None, stored, Wanted(("a", "c"), name="duo"), default_registry())
    (again,) = make_ensembles(None, stored, Wanted(("a", "b"), name="duo"), default_registry())
    assert again.data["key"] == duo.data["key"]
    second = replace(stored[-1], data={**duo.data, "seed": 1, "key": "e" * 64})
    with pytest.raises(BadInput, match="another row is called duo already"):
        make_ensembles(None, [*stored, second], Wanted(("a", "b"), True, name="duo"), default_registry())
    with pytest.raises(BadInput, match="no trained model") as error:
        with_model(stored[-1])
    assert "its members: a, b" in str(error.value)
