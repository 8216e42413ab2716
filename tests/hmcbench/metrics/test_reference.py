"""Every metric against a slow version with Python sets, on random trees and DAGs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.ids import find_spec

RANKINGS = {  # test_rankings.py, test_lca_sets.py and test_selection.py have slow versions of these
    "hierarchical_aurc",
    "risk_at_90",
    *("auprc_micro", "auprc_macro", "auprc_weighted", "auprc_pooled_clus", "auroc_macro", "fmax", "smin"),
    *("lrap", "coverage_error", "ranking_loss", "precision_at_1", "precision_at_3", "precision_at_5"),
    *("ndcg_at_5", "lca_p", "lca_r", "lca_f1"),
}
PROBABILITIES = ("_ece", "_brier", "_log_loss", "_aurc")
OTHER_NAMES = {"fpa": "exact_match_raw", "tice": "incoherent_rate"}


def is_ranking(name: str) -> bool:
    return name.removesuffix("_raw") in RANKINGS or name.endswith("_auprc_micro")


def is_decided(name: str) -> bool:
    return find_spec(SPECS, name).decided


@given(data=st.data())
def test_scores(data: st.DataObject, problems: Any, slow: Callable[..., dict[str, float]]) -> None:
    problem = data.draw(problems())
    evaluation = problem.evaluation()
    values = compute(SPECS, evaluation)
    assert not values.failures
    expected = slow(problem, problem.sets(evaluation.raw), problem.scores)
    raw = {n.replace("_raw", ""): v for n, v in values.items() if "_raw" in n or not is_decided(n)}
    for name, of in OTHER_NAMES.items():
        assert raw.pop(name, None) == (values[of] if evaluation.task.paths == "single" else None)
    assert {n: v for n, v in raw.items() if not is_ranking(n)} == pytest.approx(expected, abs=1e-12)


@given(data=st.data())
def test_plain_ids_score_the_coherent_decision(
    data: st.DataObject,
    problems: Any,
    slow: Callable[..., dict[str, float]],
    slow_coherent: Callable[..., Any],
) -> None:
    problem = data.draw(problems())
    expected = slow(problem, slow_coherent(problem), problem.scores)
    values = compute(SPECS, problem.evaluation())
    decided = {name: value for name, value in values.items() if is_decided(name) and not is_ranking(name)}
    plain = {name: value for name, value in decided.items() if "_raw" not in name}
    assert plain == pytest.approx({n: v for n, v in expected.items() if is_decided(n)}, abs=1e-12)


@given(data=st.data(), sparse=st.booleans())
def test_sets(
    data: st.DataObject, sparse: bool, problems: Any, slow: Callable[..., dict[str, float]]
) -> None:
    problem = data.draw(problems())
    raw = problem.scores >= 0.75
    kind = csr_matrix if sparse else lambda m: m
    evaluation = Evaluation.of_sets(problem.hierarchy, kind(problem.truth), kind(raw))
    values = compute(SPECS, evaluation)
    assert not values.failures
    expected = slow(problem, problem.sets(raw), None)
    single_only = ("tree_path_distance", "mistake_severity")
    known = {name: value for name, value in values.items() if not is_ranking(name)}
    assert known == pytest.approx({k: v for k, v in expected.items() if k not in single_only}, abs=1e-12)


@given(data=st.data(), size=st.integers(1, 4))
def test_blocks_give_what_all_scores_at_once_give(data: st.DataObject, size: int, problems: Any) -> None:
    problem = data.draw(problems())
    whole = compute(SPECS, problem.evaluation())
    blocks = [problem.scores[i : i + size] for i in range(0, len(problem.scores), size)]
    values = compute(SPECS, Evaluation.of_blocks(problem.task, csr_matrix(problem.truth), blocks))
    assert not values.failures
    need_all = {k for k in whole if (is_ranking(k) and "lca" not in k) or k.endswith(PROBABILITIES)}
    assert values == pytest.approx({k: v for k, v in whole.items() if k not in need_all}, abs=1e-12)
    assert set(values.left_out) >= need_all
