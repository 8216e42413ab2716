"""The hand-worked numbers: the three-sample fixture and the paper's confusion matrices."""

from __future__ import annotations

import numpy as np
import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.fixtures import LEVEL_1, LEVEL_2, confusion_matrices, three_samples, two_alloys


def test_three_samples() -> None:
    values = compute(SPECS, three_samples())
    assert not values.failures
    expected = {
        "hp_micro": 5 / 8,
        "hr_micro": 5 / 8,
        "hf1_micro": 5 / 8,
        "hp_samples": 0.6111,
        "hr_samples": 0.6667,
        "hf1_samples": 0.6377,
        "hf1_samples_mean": 0.6222,
        "level1_accuracy": 1.0,
        "level2_accuracy": 2 / 3,
        "level3_accuracy": 0.0,
        "exact_match": 0.0,
        "empty_pairs": 0.0,
        "class_support[a]": 2.0,
        "tree_path_distance": 2.0,
        "mistake_severity": 4 / 3,
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=5e-5)


def test_confusion_matrices_of_the_paper() -> None:
    assert LEVEL_1.sum() == LEVEL_2.sum() == 193
    e = confusion_matrices()
    values = compute(SPECS, e)
    assert round(values["level1_argmax_accuracy"], 4) == round(values["level1_accuracy_raw"], 4) == 0.9793
    assert round(values["level2_argmax_accuracy"], 4) == round(values["level2_accuracy_raw"], 4) == 0.9275
    assert values["incoherent_rate"] == values["tice"] == 4 / 193
    assert round(values["hr_micro_raw"], 4) == 0.9637  # closing adds the right branch to the four
    assert values["level1_accuracy"] == 1  # block-diagonal: level 2 implies level 1
    raw = e.raw
    for level, matrix in ((slice(0, 2), LEVEL_1), (slice(2, 8), LEVEL_2)):
        counted = e.truth[:, level].T.astype(int) @ raw[:, level].astype(int)
        assert (counted == matrix).all()


def test_three_levels_where_a_sample_is_right_in_every_other_way() -> None:
    """Each of ten samples has one wrong argmax at most, and closing it adds a wrong branch.

    Level 1 counts 4 of 10 by the closure, 7 by argmax, 9 by the likeliest path.
    """
    hierarchy = Hierarchy.from_paths([("a", "a1", "a11"), ("a", "a2", "a21"), ("b", "b1", "b11")])
    columns = {name: hierarchy.index(name) for name in hierarchy.classes}
    a, a1, a11, b, b1, b11 = (columns[name] for name in ("a", "a/a1", "a/a1/a11", "b", "b/b1", "b/b1/b11"))
    truth = hierarchy.encode([["a/a1/a11"]] * 10).toarray()
    scores = np.full((10, hierarchy.n), 0.05)
    scores[:, [a, a1, a11]] = 0.9
    scores[4:7, [a1, b1]] = 0.4, 0.55  # right at levels 1 and 3
    scores[7:9, [a, b]] = 0.4, 0.55  # right at levels 2 and 3
    scores[9, [a, b]] = scores[9, [a1, b1]] = scores[9, [a11, b11]] = 0.1, 0.9  # wrong everywhere
    e = Evaluation.of(Task("hmc", "single", "full", hierarchy), truth, scores)
    values = compute(SPECS, e)
    assert (values["level1_accuracy_raw"], values["level1_argmax_accuracy"], values["level1_accuracy"]) == (
        0.4,
        0.7,
        0.9,
    )
    assert (values["exact_match_raw"], values["fpa"], values["exact_match"]) == (0.4, 0.4, 0.9)
    assert (values["incoherent_rate"], values["tice"]) == (0.5, 0.5)
    assert (values["tree_path_distance"], values["tree_path_distance_raw"]) == (0.6, 0.6)


def test_one_label_per_level_without_closing_makes_precision_equal_recall() -> None:
    """.9534 of both, from the figures; the paper's .9587 and .9690 follow from neither convention."""
    e = confusion_matrices()
    flat = Hierarchy.from_edges([("", name) for name in e.hierarchy.classes])
    columns = [e.hierarchy.index(name) for name in flat.classes]
    values = compute(SPECS, Evaluation.of_sets(flat, e.truth[:, columns], e.raw[:, columns]))
    for name in ("hp_samples", "hr_samples", "hp_micro", "hr_micro"):
        assert round(values[name], 4) == 0.9534


def test_empty_sets() -> None:
    """Truth {a b}, {}, {}, {a}; predicted {}, {a}, {}, {a}."""
    hierarchy = Hierarchy.from_edges([("a", "b")])
    truth = np.array([[1, 1], [0, 0], [0, 0], [1, 0]], dtype=bool)
    said = np.array([[0, 0], [1, 0], [0, 0], [1, 0]], dtype=bool)
    values = compute(SPECS, Evaluation.of_sets(hierarchy, truth, said))
    expected = {
        "hp_samples": (0 + 0 + 1) / 3,
        "hr_samples": (0 + 1) / 2,
        "hp_micro": 1 / 2,
        "hr_micro": 1 / 3,
        "hf1_samples_mean": 1 / 3,
        "exact_match": 2 / 4,
        "level1_accuracy": 1 / 3,
        "level2_accuracy": 0.0,
        "empty_pairs": 1,
        "empty_predictions": 1,
        "empty_truths": 1,
        "level2_precision_macro": 0.0,
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("samples", [0, 3])
def test_nothing_at_all(samples: int) -> None:
    hierarchy = Hierarchy.from_edges([("a", "b")])
    task = Task("hmc", "multiple", "ragged", hierarchy)
    values = compute(SPECS, Evaluation.of(task, np.zeros((samples, 2), bool), np.zeros((samples, 2))))
    assert not values.failures
    exact = values.pop("exact_match"), values.pop("exact_match_raw")
    assert exact == ((1, 1) if samples else (0, 0))
    assert values.pop("lrap") == (1 if samples else 0)  # as scikit-learn has it
    assert {v for name, v in values.items() if not name.startswith("empty_pairs")} == {0}
    assert set(values.left_out) >= {"auprc_micro", "auprc_macro", "auprc_weighted"}


def test_a_missing_class_is_the_virtual_root() -> None:
    """Ragged, single path: nothing predicted for a, nothing true for b."""
    hierarchy = Hierarchy.from_edges([("a", "b")])
    truth, said = np.array([[True, False], [False, False]]), np.array([[False, False], [True, True]])
    values = compute(SPECS, Evaluation.of_sets(hierarchy, truth, said, "single"))
    assert values["tree_path_distance"] == (1 + 2) / 2
    assert values["mistake_severity"] == 2  # the virtual root is as high as there are levels


def test_stop_is_no_class() -> None:
    """Ragged with stop outputs: an argmax at stop is an error only where there is a true class."""
    hierarchy = Hierarchy.from_edges([("", "a"), ("a", "b"), ("", "c")])
    truth = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)  # columns a c b
    scores = np.array([[0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.2, 0.8, 0.9]], dtype=np.float32)
    stop = np.array([[0, 0.8], [0, 0.8], [0, 0.1]], dtype=np.float32)
    e = Evaluation.of(Task("hmc", "single", "ragged", hierarchy), truth, scores, stop)
    values = compute(SPECS, e)
    assert values["level1_argmax_accuracy"] == 1
    assert values["level2_argmax_accuracy"] == 0
    assert values["level2_accuracy"] == 0
    assert values["incoherent_rate"] == 1 / 3  # b below c


def test_probabilities_by_hand() -> None:
    """Five samples at one level: confidences 1, .95, .95, .6, .5; right, wrong, right, right, wrong."""
    hierarchy = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c")])
    truth = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    top = np.array([1.0, 0.95, 0.95, 0.6, 0.5])
    scores = np.stack([top, 1 - top, [0.0, 0.3, 0.3, 0.3, 0.3]], axis=1)
    values = compute(SPECS, Evaluation.of(Task("hmc", "single", "ragged", hierarchy), truth, scores))
    # bins: [14/15, 1] holds three, 2.9 - 2; .6 is the lower edge of bin 9, .4; .5 lies in bin 7, .5
    assert values["level1_ece"] == pytest.approx((0.9 + 0.4 + 0.5) / 5)
    assert values["level1_aurc"] == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert values["level1_brier"] == pytest.approx((0 + 2 * 0.9025 + 2 * 0.0025 + 2 * 0.16 + 2 * 0.25) / 5)
    assert values["level2_log_loss"] == pytest.approx(-np.log(1e-7))  # only the first has a class there
    assert values["level2_ece"] == 1  # its probability is 0, and it is the only class of the level


def test_levels_without_a_true_class_have_no_calibration() -> None:
    hierarchy = Hierarchy.from_edges([("", "a"), ("a", "b")])
    truth, scores = np.array([[True, False]]), np.array([[0.9, 0.2]])
    values = compute(SPECS, Evaluation.of(Task("hmc", "single", "ragged", hierarchy), truth, scores))
    names = {f"level2_{name}" for name in ("ece", "brier", "log_loss", "aurc")}
    assert {values.left_out[name] for name in names} == {"undefined here"}


def test_constant_targets_are_counted_and_left_out() -> None:
    values = compute(SPECS, two_alloys())
    assert values["r2_undefined"] == 1
    assert values["r2"] == values["target_r2[strength]"]
    assert values.left_out == {"target_r2[hardness]": "undefined here"}


def test_targets_of_zero_have_no_relative_error() -> None:
    task = Task("regression", targets=("t", "u"))
    truth, said = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[1.0, 1.0], [3.0, 0.0]])
    values = compute(SPECS, Evaluation.of_regression(task, truth, said))
    assert values["mape"] == values["target_mape[t]"] == values["max_relative_error"] == 0.5
    assert {"target_mape[u]", "target_max_relative_error[u]"} <= set(values.left_out)


def test_a_target_that_is_constant_but_for_rounding_has_no_r2() -> None:
    task = Task("regression", targets=("t", "u"))
    truth = np.array([[0.3, 1.0], [0.1 + 0.2, 2.0], [0.3, 4.0]])
    assert len(set(truth[:, 0])) == 2
    values = compute(SPECS, Evaluation.of_regression(task, truth, truth + 0.1))
    assert values["r2_undefined"] == 1 and values["r2"] == values["target_r2[u]"]
    assert values.left_out["target_r2[t]"] == "undefined here"
