"""Classes that no metric counts, decisions of a model itself, and training frequencies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from hmcbench.errors import PluginError
from hmcbench.execute.predict import check_scores, training_counts
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import ModelSpec, Scores, Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.decisions import Thresholds, fit_threshold
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.testing.helpers import tiny_dataset

DAG = Hierarchy.from_edges(
    [("", "root"), ("", "other"), ("root", "a"), ("root", "b"), ("a", "c"), ("b", "c"), ("other", "d")]
)
RNG = np.random.default_rng(0)
TRUTH = DAG.close(RNG.random((40, DAG.n)) < 0.3)
SCORES = RNG.random((40, DAG.n)).astype(np.float32)


def task(*unscored: str) -> Task:
    return Task("hmc", "multiple", "ragged", DAG, unscored=unscored)


def test_metrics_are_those_of_the_hierarchy_without_the_classes() -> None:
    limits = Thresholds(0.4)
    reduced = Hierarchy.from_edges([("", "a"), ("", "b"), ("", "d"), ("a", "c"), ("b", "c")])
    columns = [DAG.index(name) for name in reduced.classes]
    small = Task("hmc", "multiple", "ragged", reduced)
    expected = compute(SPECS, Evaluation.of(small, TRUTH[:, columns], SCORES[:, columns], None, limits))
    whole = Evaluation.of(task("root", "other"), TRUTH, SCORES, None, limits)
    assert compute(SPECS, whole) == expected
    counted = compute(SPECS, Evaluation.of(task(), TRUTH, SCORES, None, limits))
    assert counted["hf1_micro"] != expected["hf1_micro"]


def test_a_class_inside_hands_its_children_to_its_parents() -> None:
    edges = {("", "root"), ("", "other"), ("root", "b"), ("root", "c"), ("b", "c"), ("other", "d")}
    assert set(DAG.without(["a"]).edges) == edges


def test_the_threshold_does_not_count_them() -> None:
    scores = np.array([[0.9, 0.2], [0.8, 0.6], [0.3, 0.1]])
    h = Hierarchy.from_edges([("", "a"), ("a", "b")])
    truth = np.array([[1, 0], [1, 1], [1, 0]], dtype=bool)
    assert fit_threshold(scores, truth, h, unscored=("a",)).values == pytest.approx(0.4)
    assert fit_threshold(scores, truth, h).values == pytest.approx(0.25)


def test_they_are_stored(tmp_path: Path) -> None:
    decided = RNG.random((40, DAG.n)) < 0.5
    counts = np.arange(2 * DAG.n).reshape(DAG.n, 2)
    ids = [f"s{i}" for i in range(40)]
    first = Predictions(
        ids, ["test"] * 40, SCORES, task("root"), csr_array(TRUTH), decisions=decided, training=counts
    )
    first.save(tmp_path / "p.npz")
    again = Predictions.load(tmp_path / "p.npz")
    assert again.task.unscored == ("root",)
    assert np.array_equal(again.decisions.toarray(), decided) and np.array_equal(again.training, counts)
    part = again.take(np.array([3, 1]))
    assert np.array_equal(part.decisions.toarray(), decided[[3, 1]])
    e = Evaluation.of_predictions(part).with_raw()
    columns = [DAG.index(name) for name in e.hierarchy.classes]
    np.testing.assert_array_equal(e.raw, decided[[3, 1]][:, columns])


def test_decisions_of_the_model_replace_the_rule() -> None:
    decided = np.zeros_like(TRUTH)
    decided[:, DAG.index("c")] = True
    e = Evaluation.of(task(), TRUTH, SCORES, decided=decided)
    np.testing.assert_array_equal(e.raw, decided)
    np.testing.assert_array_equal(e.coherent, DAG.close(decided))
    by_rule = Evaluation.of(task(), TRUTH, SCORES)
    values, others = (compute(SPECS, x, ["auprc_micro", "hf1_micro"]) for x in (e, by_rule))
    assert values["auprc_micro"] == others["auprc_micro"] and values["hf1_micro"] != others["hf1_micro"]


def spec(**changes: str) -> ModelSpec:
    return ModelSpec(name="m", version="1", summary="m", factory="m:m", **changes)  # type: ignore[arg-type]


def test_decisions_must_be_booleans_of_the_shape_of_the_scores() -> None:
    with pytest.raises(PluginError, match="decisions of shape"):
        check_scores(Scores(SCORES, decisions=TRUTH[:, :2]), 40, task(), spec())
    with pytest.raises(PluginError, match="int64"):
        check_scores(Scores(SCORES, decisions=TRUTH.astype(np.int64)), 40, task(), spec())


def test_scores_that_rank_may_have_any_range() -> None:
    margins = 50 * (SCORES - 0.5)
    with pytest.raises(PluginError, match="outside"):
        check_scores(Scores(margins), 40, task(), spec())
    ranked = check_scores(Scores(margins), 40, task(), spec(scores="ranking"))
    np.testing.assert_array_equal(ranked.values, margins)


@pytest.mark.parametrize("sparse", [False, True])
def test_training_counts_are_of_classes_and_of_all_their_parents(sparse: bool) -> None:
    dataset = replace(tiny_dataset(40, "dag"), task=task(), targets=csr_array(TRUTH) if sparse else TRUTH)
    train = np.arange(5, 30)
    counts = training_counts(dataset, train)
    assert counts is not None
    for i, name in enumerate(DAG.classes):
        parents = [DAG.index(p) for p in DAG.parents(name)]
        both = TRUTH[train][:, parents].all(axis=1).sum()
        assert counts[i].tolist() == [TRUTH[train, i].sum(), both], name
