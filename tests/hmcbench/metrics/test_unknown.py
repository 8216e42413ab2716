"""Unknown samples: against plain counting, and by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, pooled_counts
from hmcbench.metrics.evaluation import Apart, Evaluation
from hmcbench.metrics.fixtures import confusion_matrices, selected, with_unknown
from hmcbench.metrics.ids import find_spec

OWN = [spec for spec in SPECS if str(spec.factory).startswith("hmcbench.metrics.unknown:")]


def marked(problem: Any, unknown: np.ndarray, rows: Any = slice(None)) -> Evaluation:
    e = problem.evaluation()
    apart = Apart(calibration=e, alpha=0.5, unknown=unknown[rows])
    return Evaluation.of(problem.task, problem.truth[rows], problem.scores[rows], apart=apart)


@given(data=st.data(), seed=st.integers(0, 2**32))
def test_values_are_those_of_plain_counting(data: st.DataObject, seed: int, problems: Any) -> None:
    problem = data.draw(problems(("tree",), ("single",), least=1))
    rng = np.random.default_rng(seed)
    unknown = rng.random(len(problem.scores)) < 0.4
    e = marked(problem, unknown)
    values = compute(OWN, e)
    assert not values.failures
    if unknown.all() or not unknown.any():
        assert "known and unknown samples" in values.left_out["unknown_auroc"]
        return
    suspected = (1 - e.likeliest.chosen).tolist()
    ones = [s for s, u in zip(suspected, unknown, strict=True) if u]
    others = [s for s, u in zip(suspected, unknown, strict=True) if not u]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in ones for b in others]
    assert values["unknown_auroc"] == pytest.approx(sum(wins) / len(wins))
    limits = [t for t in ones if sum(s >= t for s in ones) / len(ones) >= 0.95 - 1e-12]
    assert values["unknown_fpr95"] == sum(s >= max(limits) for s in others) / len(others)
    ended = [max(row.tolist()) for row in e.likeliest.path]
    wrong = [c >= 0 and not e.truth[i, c] and e.likeliest.chosen[i] > 0.9 for i, c in enumerate(ended)]
    named = sum(w for w, u in zip(wrong, unknown, strict=True) if u) / len(ones)
    assert values["unknown_named"] == pytest.approx(named)


def test_novelty_is_suspected_before_confidence() -> None:
    """By hand: novelty 5 and 1 of the unknown, 2, 3 and 4 of the known: three of six pairs."""
    plain = with_unknown()
    novelty = np.array([2.0, 5.0, 3.0, 1.0, 4.0])
    assert plain.apart.unknown is not None and np.flatnonzero(plain.apart.unknown).tolist() == [1, 3]
    far = Evaluation.of(plain.task, plain.truth, plain.scores, apart=Apart(novelty=novelty + 10))
    apart = replace(plain.apart, novelty=novelty, far=far)
    e = Evaluation.of(plain.task, plain.truth, plain.scores, apart=apart)
    values = compute(OWN, e)
    assert values["unknown_auroc"] == pytest.approx(3 / 6)
    assert values["unknown_fpr95"] == 1.0  # all known ones reach 1
    assert (values["far_auroc"], values["far_fpr95"]) == (1.0, 0.0)
    assert values["far_named"] == float((plain.likeliest.chosen > 0.9).mean()), "of the confidence"
    pooled = pooled_counts(find_spec(SPECS, "unknown_auroc"), e, "unknown_auroc")
    assert pooled is not None and pooled[1](pooled[0].sum(axis=0)) == pytest.approx(3 / 6)


@given(data=st.data(), cut=st.integers(1, 5))
def test_far_unknowns_are_counted_plainly(data: st.DataObject, cut: int, problems: Any) -> None:
    problem = data.draw(problems(("tree",), ("single",), least=2))
    cut = min(cut, len(problem.scores) - 1)
    far = Evaluation.of(problem.task, problem.truth[:cut], problem.scores[:cut])
    e = Evaluation.of(problem.task, problem.truth[cut:], problem.scores[cut:], apart=Apart(far=far))
    values = compute(OWN, e)
    assert not values.failures
    ones, others = ((1 - part.likeliest.chosen).tolist() for part in (far, e))
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in ones for b in others]
    assert values["far_auroc"] == pytest.approx(sum(wins) / len(wins))
    limits = [t for t in ones if sum(s >= t for s in ones) / len(ones) >= 0.95 - 1e-12]
    assert values["far_fpr95"] == pytest.approx(sum(s >= max(limits) for s in others) / len(others))
    assert values["far_named"] == pytest.approx(sum(1 - s > 0.9 for s in ones) / len(ones))
    assert "far_unknown" in compute(OWN, problem.evaluation()).left_out["far_auroc"]


@given(data=st.data(), seed=st.integers(0, 2**32))
def test_weights_are_repetitions(data: st.DataObject, seed: int, problems: Any) -> None:
    problem = data.draw(problems(("tree",), ("single",), least=3))
    rng = np.random.default_rng(seed)
    unknown = np.arange(len(problem.scores)) % 3 == 0
    weights = rng.integers(0, 4, (3, len(unknown)))
    counts = pooled_counts(find_spec(SPECS, "unknown_auroc"), marked(problem, unknown))
    assert counts is not None
    for row, value in zip(weights, counts[1](weights @ counts[0]), strict=True):
        repeated = marked(problem, unknown, np.repeat(np.arange(len(row)), row))
        expected = compute(OWN, repeated).get("unknown_auroc", math.nan)
        assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_by_hand() -> None:
    values = compute(OWN, with_unknown())
    assert values["unknown_auroc"] == 0.75
    assert values["unknown_fpr95"] == pytest.approx(1 / 3)
    assert (values["unknown_parent_accuracy"], values["unknown_named"]) == (0.5, 0.0)


def test_a_sure_wrong_name_is_counted() -> None:
    e = confusion_matrices()
    unknown = np.arange(len(e)) < 100
    truth = np.array(e.truth)
    truth[unknown] = False  # classes of the top level: nothing above them is true
    values = compute(OWN, Evaluation.of(e.task, truth, e.scores, apart=Apart(unknown=unknown)))
    assert values["unknown_named"] == pytest.approx(np.mean(e.likeliest.chosen[:100] > 0.9))
    assert "calibration" in values.left_out["unknown_parent_accuracy"]


def test_without_unknown_samples_they_are_left_out() -> None:
    values = compute(OWN, selected())
    assert not values
    assert 'unknown = ["CLASS"]' in values.left_out["unknown_fpr95"]
