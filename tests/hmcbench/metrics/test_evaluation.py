"""Evaluation: what is counted, of dense and sparse decisions; scores that are streamed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, issparse

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Scores, Task
from hmcbench.metrics import evaluation as evaluation_module
from hmcbench.metrics.decisions import Thresholds
from hmcbench.metrics.evaluation import Apart, Evaluation, information_content, scored_part
from hmcbench.metrics.fixtures import confusion_matrices, four_scores, three_samples, two_alloys
from hmcbench.records.predictions import Predictions
from hmcbench.testing.helpers import tiny_dataset


@pytest.fixture
def tree() -> Hierarchy:
    return Hierarchy.from_edges([("", "a"), ("", "x"), ("a", "b"), ("a", "c")])  # columns a x b c


def test_counts_of_the_fixture() -> None:
    e = three_samples()
    assert (e.inter.tolist(), e.n_pred.tolist(), e.n_true.tolist()) == ([2, 1, 2], [3, 2, 3], [3, 3, 2])
    assert e.level_counts.shape == (3, 3, 3)
    assert e.level_counts[:, 2].tolist() == [[0, 1, 1], [0, 0, 1], [0, 1, 0]]
    assert e.class_counts[e.hierarchy.index("b")].tolist() == [1, 1, 2]
    assert len(e) == 3
    assert e.levels == 3


def test_stored_predictions_are_decided_with_the_thresholds_given(tree: Hierarchy) -> None:
    task = Task("hmc", "multiple", "ragged", tree)
    truth = csr_array(np.array([[True, False, True, False], [False, True, False, False]]))
    stored = Predictions(["s", "t"], ["test"] * 2, np.full((2, 4), 0.4, dtype=np.float32), task, truth)
    assert not Evaluation.of_predictions(stored).raw.any()
    assert Evaluation.of_predictions(stored, Thresholds(0.3)).raw.all()
    per_class = Thresholds(np.array([0.3, 0.9, 0.9, 0.9]))
    assert Evaluation.of_predictions(stored, per_class).raw.tolist() == [[True, False, False, False]] * 2
    assert Evaluation.of_predictions(stored).truth.tolist() == truth.toarray().tolist()
    with pytest.raises(BadInput, match="stored without truth"):
        Evaluation.of_predictions(Predictions(stored.ids, stored.side, stored.scores, task))


def test_samples_put_apart_and_far_ones_are_beside_the_others(tree: Hierarchy) -> None:
    task = Task("hmc", "multiple", "ragged", tree)
    scores = np.full((2, 4), 0.4, dtype=np.float32)
    test = Predictions(["s", "t"], ["test"] * 2, scores, task, np.zeros((2, 4), bool), alpha=0.2)
    test = replace(test, unknown=np.array([True, False]))
    apart, far = replace(test, ids=["u", "v"]), test.take(np.array([1]))
    e = Evaluation.of_predictions(test, Thresholds(0.3), apart, far)
    assert (e.apart.ids, e.apart.alpha) == (["s", "t"], 0.2)
    assert np.asarray(e.apart.unknown).tolist() == [True, False]
    assert e.apart.calibration is not None
    assert e.apart.far is not None
    assert e.apart.calibration.apart.ids == ["u", "v"]
    assert e.apart.calibration.raw.all(), "the same thresholds"
    assert len(e.apart.far) == 1
    none = test.take(np.zeros(0, dtype=int))
    for lacking in (None, none):
        e = Evaluation.of_predictions(test, None, lacking, lacking)
        assert (e.apart.calibration, e.apart.far) == (None, None)


def test_decisions_of_the_model_and_of_a_rule_are_taken_as_they_are(tree: Hierarchy) -> None:
    task, truth = Task("hmc", "multiple", "ragged", tree), np.zeros((1, 4), bool)
    scores, decided = np.full((1, 4), 0.9), np.array([[False, False, True, False]])
    e = Evaluation.of(task, truth, scores, decided=csr_array(decided))
    assert e.raw.tolist() == decided.tolist()
    assert e.coherent.tolist() == [[True, False, True, False]]
    ruled = np.array([[False, True, False, False]])
    e = Evaluation.of(task, truth, scores, ruled=ruled)
    assert (e.coherent.tolist(), e.raw.all()) == (ruled.tolist(), True)
    assert e.information is None
    training = np.array([[3, 3], [0, 3], [1, 3], [7, 7]])
    np.testing.assert_array_equal(information_content(training), [0, 2, 1, 0])
    e = Evaluation.of(task, truth, scores, training=training)
    np.testing.assert_array_equal(np.asarray(e.information), [0, 2, 1, 0])


def test_classes_that_are_not_scored_are_taken_out_after_decisions(tree: Hierarchy) -> None:
    task = Task("hmc", "multiple", "ragged", tree, unscored=("a",))
    scores, truth = np.array([[0.1, 0.2, 0.6, 0.3]]), np.array([[True, False, True, False]])
    e = Evaluation.of(task, truth, scores, training=np.array([[3, 3], [0, 3], [1, 3], [7, 7]]))
    reduced, columns = scored_part(task)
    assert reduced.hierarchy is not None
    assert (reduced.hierarchy.classes, columns.tolist()) == (("b", "c", "x"), [2, 3, 1])
    assert e.hierarchy == reduced.hierarchy
    assert (e.truth.tolist(), e.scores.tolist()) == ([[True, False, False]], [[0.6, 0.3, 0.2]])
    assert e.raw.tolist() == e.coherent.tolist() == [[True, False, False]]
    assert np.asarray(e.information).tolist() == [1.0, 0.0, 2.0]
    streamed = Evaluation.of_blocks(task, truth, [scores])
    assert streamed.truth.toarray().tolist() == streamed.coherent.toarray().tolist() == [[True, False, False]]
    whole = Task("hmc", "multiple", "ragged", tree)
    assert scored_part(whole)[0] is whole
    assert scored_part(whole)[1].tolist() == [0, 1, 2, 3]


def test_ties_are_decided_by_the_ids(tree: Hierarchy) -> None:
    task, none = Task("hmc", "multiple", "ragged", tree), np.zeros((2, 4))
    e = Evaluation.of(task, none > 0, none, apart=Apart(["s", "t"]))
    first = [int.from_bytes(hashlib.sha256(name).digest()[:6], "big") / 2**48 for name in (b"s", b"t")]
    assert e.ties.tolist() == first
    assert all(0 <= value < 1 for value in first)
    with pytest.raises(NotApplicable, match="need the ids"):
        _ = Evaluation.of(task, none > 0, none).ties


def test_the_columns_of_a_level(tree: Hierarchy) -> None:
    chain = Hierarchy.from_edges([("a", "b")])
    for hierarchy, columns in ((tree, [slice(0, 2), slice(2, 4)]), (chain, [slice(0, 1), slice(1, 2)])):
        none = np.zeros((1, hierarchy.n), bool)
        assert [Evaluation.of_sets(hierarchy, none, none).level_columns(k) for k in (1, 2)] == columns


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_sparse_sets_give_the_same_counts(kind: Any) -> None:
    dense = three_samples()
    truth, said = kind(dense.truth), kind(dense.raw)
    for pair in ((truth, said), (truth, dense.raw), (dense.truth, said)):
        e = Evaluation.of_sets(dense.hierarchy, *pair)
        assert e.sparse
        assert issparse(e.closed)
        assert issparse(e.matched)
        np.testing.assert_array_equal(e.level_counts, dense.level_counts)
        np.testing.assert_array_equal(e.class_counts, dense.class_counts)
        np.testing.assert_array_equal(e.deepest(e.truth), dense.deepest(dense.truth))


def test_stored_zeros_and_duplicates_do_not_count(tree: Hierarchy) -> None:
    data = np.array([True, True, False])
    said = csr_array((data, np.array([0, 0, 1]), np.array([0, 3])), shape=(1, 4))
    e = Evaluation.of_sets(tree, csr_array((1, 4), dtype=bool), said)
    assert e.n_pred.tolist() == [1]


def test_deepest(tree: Hierarchy) -> None:
    e = four_scores()
    sets = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
    assert e.deepest(sets).tolist() == e.deepest(csr_array(sets)).tolist() == [2, 1, -1]


def test_both_sides_of_sets_are_closed(tree: Hierarchy) -> None:
    e = Evaluation.of_sets(tree, np.array([[0, 0, 1, 0]]), np.array([[0, 0, 0, 1]]))
    assert e.truth.tolist() == [[True, False, True, False]]
    assert e.raw.tolist() == [[False, False, False, True]]
    assert e.closed.tolist() == [[True, False, False, True]]


def test_single_paths_are_decided_by_argmax_and_repaired() -> None:
    e = confusion_matrices()
    assert (e.raw.sum(axis=1) == 2).all()
    assert e.closed is e.coherent
    assert (e.closed.sum(axis=1) == 2).all()
    said = e.with_raw()
    assert said is e.with_raw()
    assert said.raw is e.raw
    assert said.coherent is e.coherent
    assert (said.closed.sum(axis=1) == 3).sum() == 4
    assert said.scores is e.scores


def test_thresholds_reach_the_decisions(tree: Hierarchy) -> None:
    task = Task("hmc", "multiple", "ragged", tree)
    truth, scores = np.zeros((1, 4), bool), np.array([[0.3, 0.4, 0.6, 0.1]])
    assert Evaluation.of(task, truth, scores).raw.tolist() == [[False, False, True, False]]
    for given in (Thresholds(0.35), Thresholds(np.array([0.9, 0.3, 0.2, 0.9]))):
        assert Evaluation.of(task, truth, scores, thresholds=given).raw.tolist() == [
            [False, True, True, False]
        ]


def test_violations_ignore_rounding(tree: Hierarchy) -> None:
    scores = np.array([[0.5, 0.1, 0.5 + 5e-7, 0.51], [0.9, 0, 0.1, 0.1]])
    e = Evaluation.of(Task("hmc", "multiple", "ragged", tree), np.zeros((2, 4), bool), scores)
    assert e.violations.tolist() == [1, 0]
    scores = np.array([[0.0, 0.0, 1e-6, 0.0], [0.0, 0.0, np.nextafter(1e-6, 1), 0.0]])  # as much, and more
    e = Evaluation.of(Task("hmc", "multiple", "ragged", tree), np.zeros((2, 4), bool), scores)
    assert e.violations.tolist() == [0, 1]


def test_violations_are_counted_in_blocks_that_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    hierarchy = Hierarchy.from_edges([(f"p{i // 2}", f"c{i}") for i in range(40)])
    scores = np.random.default_rng(0).random((3_000, hierarchy.n))
    task, truth = Task("hmc", "multiple", "ragged", hierarchy), np.zeros(scores.shape, bool)
    parents, children = hierarchy.edge_index.T
    expected = (scores[:, children] > scores[:, parents] + 1e-6).sum(axis=1)
    np.testing.assert_array_equal(Evaluation.of(task, truth, scores).violations, expected)
    monkeypatch.setattr(evaluation_module, "_CELLS", 3_999)
    evaluation = Evaluation.of(task, truth, scores)
    tracemalloc.start()
    in_blocks = evaluation.violations
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(in_blocks, expected)
    assert peak < 300_000  # all at once: three megabytes


@pytest.mark.parametrize("kind", ["tree", "ragged", "multiple", "dag"])
def test_truth_may_be_sparse_in_the_usual_case(kind: Any) -> None:
    data = tiny_dataset(kind=kind)
    scores = np.random.default_rng(0).random(data.targets.shape)
    dense = Evaluation.of(data.task, data.targets, scores)
    sparse = Evaluation.of(data.task, csr_matrix(data.targets), scores)
    np.testing.assert_array_equal(dense.level_counts, sparse.level_counts)


@pytest.mark.parametrize("shapes", [((2, 4), (3, 4)), ((2, 4), (2, 3)), ((2, 3), (2, 3)), ((4,), (4,))])
def test_shapes_that_differ_are_bad_input(tree: Hierarchy, shapes: Any) -> None:
    truth, other = (np.zeros(shape) for shape in shapes)
    task = Task("hmc", "multiple", "ragged", tree)
    for build in (
        lambda: Evaluation.of(task, truth > 0, other),
        lambda: Evaluation.of_sets(tree, truth > 0, other > 0),
        lambda: Evaluation.of_regression(Task("regression", targets=tuple("abcd")), truth, other),
    ):
        with pytest.raises(BadInput, match="cannot be compared"):
            build()


def test_what_is_not_there_is_not_applicable() -> None:
    sets = three_samples()
    assert not sets.has_scores
    assert four_scores().has_scores
    for name in ("scores", "coherent", "violations"):
        with pytest.raises(NotApplicable):
            getattr(sets, name)
    with pytest.raises(NotApplicable):
        sets.with_raw()
    with pytest.raises(NotApplicable):
        _ = two_alloys().hierarchy


def test_regression_keeps_numbers() -> None:
    task = Task("regression", targets=("t",))
    e = Evaluation.of(task, np.array([[1], [2]]), np.array([[1.5], [2.5]]))
    assert e.truth.dtype == e.scores.dtype == np.float64
    assert len(e) == 2


# --------------------------------------------------------------------------- streaming


def test_blocks_may_have_stop_outputs_and_any_size() -> None:
    data = tiny_dataset(kind="ragged", samples=20)
    rng = np.random.default_rng(1)
    scores = rng.random(data.targets.shape).astype(np.float32)
    assert data.task.hierarchy is not None
    stop = rng.random((20, data.task.hierarchy.depth)).astype(np.float32)
    whole = Evaluation.of(data.task, data.targets, scores, stop)
    cuts = [slice(0, 7), slice(7, 8), slice(8, 20)]
    e = Evaluation.of_blocks(data.task, data.targets, (Scores(scores[c], stop[c]) for c in cuts))
    for name in ("raw", "closed", "coherent"):
        assert issparse(getattr(e, name))
        np.testing.assert_array_equal(getattr(e, name).toarray(), getattr(whole, name))
    np.testing.assert_array_equal(e.violations, whole.violations)
    with pytest.raises(NotApplicable):
        _ = e.scores


def test_no_block_is_an_evaluation_of_no_sample() -> None:
    data = tiny_dataset(kind="multiple", samples=5)
    e = Evaluation.of_blocks(data.task, data.targets[:0], [])
    assert (len(e), len(e.violations), e.raw.shape) == (0, 0, (0, data.targets.shape[1]))


def test_blocks_that_are_too_few_are_bad_input() -> None:
    data = tiny_dataset(kind="multiple", samples=5)
    with pytest.raises(BadInput, match="cannot be compared"):
        Evaluation.of_blocks(data.task, data.targets, [np.zeros((4, data.targets.shape[1]))])


STREAM = """
import numpy as np
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.computing import compute
from hmcbench.metrics.builtin import SPECS

N, C, BLOCK = 10_000, 50_000, 250
rng = np.random.default_rng(0)
# a DAG like the Gene Ontology: two parents, 14 levels, 50 ancestors to a class
parents = (np.arange(C)[:, None] * rng.random((C, 2)) * 0.5).astype(int)
edges = {(f"c{p}", f"c{i}") for i, row in enumerate(parents.tolist()) for p in row if p < i}
hierarchy = Hierarchy.from_edges(sorted(edges))
assert hierarchy.n == C
ends = rng.integers(0, C, (N, 3))
truth = hierarchy.encode([[f"c{i}" for i in row] for row in ends.tolist()])


def blocks():
    for start in range(0, N, BLOCK):
        scores = rng.random((BLOCK, C), dtype=np.float32) * np.float32(0.5)
        for row, found in enumerate(ends[start : start + BLOCK]):
            scores[row, [hierarchy.index(f"c{i}") for i in found]] = 0.9
        yield scores


task = Task("hmc", "multiple", "ragged", hierarchy)
found = compute(SPECS, Evaluation.of_blocks(task, truth, blocks()))
assert not found.failures, found.failures
assert found["hf1_micro"] == found["hf1_samples"] == found["exact_match"] == found["hf1_macro"] == 1.0
assert found["hf1_micro_raw"] == 1.0
assert 0.3 < found["violation_rate"] < 0.7
assert found["incoherent_rate"] > 0.99
assert "auprc_micro" in found.left_out
status = open("/proc/self/status").read()  # getrusage would count the memory of the process that forked
print(hierarchy.depth, int(status.split("VmHWM:")[1].split()[0]) / 2**20)
"""


@pytest.mark.slow
def test_fifty_thousand_classes_stream_within_two_gibibytes() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", STREAM], capture_output=True, text=True, timeout=300, check=False
    )
    assert completed.returncode == 0, completed.stderr
    depth, gibibytes = map(float, completed.stdout.split())
    assert depth == 14
    assert gibibytes < 2
