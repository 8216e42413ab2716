"""Friedman's test and critical differences, against published numbers and by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from hmcbench.leaderboard import across as acr
from hmcbench.leaderboard import boards as boards_module
from hmcbench.leaderboard.across import across, cliques, critical_difference, friedman_p, mean_ranks, words
from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.block import with_columns
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.diagram import diagram
from hmcbench.leaderboard.render.latex import to_latex
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.records.record import Record
from hmcbench.report.figures.boards import board_figures, draw_boards
from hmcbench.report.page import page_of

# Demsar, JMLR 7 (2006), table 6: AUC of four learners on 14 datasets
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],  # printed as equal, ranked as 2 and 3
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_the_worked_example_of_demsar() -> None:
    assert mean_ranks(DEMSAR, "higher").round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    ranks = mean_ranks(DEMSAR, "higher")
    chi2 = 12 * 14 / (4 * 5) * ((ranks**2).sum() - 4 * 5**2 / 4)
    assert chi2 == pytest.approx(9.28, abs=0.01)  # as printed


@pytest.mark.parametrize("seed", range(3))
def test_with_many_data_sets_it_is_the_chi_square_of_scipy(seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 9, (60, 4)) + np.array([0, 0, 0, 1])
    assert friedman_p(table) == pytest.approx(friedmanchisquare(*table.T).pvalue, abs=0.01)


@pytest.mark.parametrize(("count", "models"), [(2, 3), (3, 3), (5, 3), (3, 4)])
def test_with_few_it_is_exact(count: int, models: int) -> None:
    """The same order everywhere: one of the orders that all share, among all there are."""
    table = np.tile(np.arange(float(models)), (count, 1))
    assert friedman_p(table) == pytest.approx(factorial(models) ** (1 - count), rel=0.4, abs=1e-4)


@pytest.mark.parametrize(
    ("models", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (10, 3.164)]
)
def test_critical_values_of_nemenyi(models: int, q: float) -> None:
    """Demsar, table 5 (a)."""
    factor = np.sqrt(models * (models + 1) / (6 * 7))
    assert critical_difference(models, 7) / factor == pytest.approx(q, abs=0.001)


def test_p_is_uniform_where_nothing_is_to_be_found() -> None:
    rng = np.random.default_rng(0)
    p_values = np.array([friedman_p(rng.normal(size=(4, 3))) for _ in range(200)])
    assert (p_values <= 0.05).mean() < 0.09  # exact and discrete: at most 0.05, here by chance a little more
    assert 0.4 < p_values.mean() < 0.7


def test_the_ends_of_friedman() -> None:
    assert friedman_p(np.ones((4, 3))) == 1.0
    assert mean_ranks(np.array([[1.0, 2.0]]), "lower").tolist() == [1, 2]


@pytest.mark.parametrize(
    ("ranks", "distance", "expected"),
    [([1, 2, 3], 0.5, []), ([1, 2, 3], 5, [(0, 2)]), ([1, 1.5, 2.5, 3], 1.2, [(0, 1), (1, 2), (2, 3)])],
)
def test_cliques(ranks: list[float], distance: float, expected: list[tuple[int, int]]) -> None:
    assert cliques(ranks, distance) == expected


# --------------------------------------------------------------------------- from boards


@pytest.fixture
def many(fabricate: Callable[..., Record]) -> list[Record]:
    """Three models on six datasets; a fourth on one of them alone."""
    out = []
    for i in range(6):
        data = {"name": f"set-{i}", "fingerprint": f"{i}" * 64}
        for model, accuracy in (("good", 0.95), ("middle", 0.7), ("bad", 0.4)):
            out.append(fabricate(model, accuracy - 0.01 * i, dataset=data, sizes={"test": 60}))
    out.append(
        fabricate("alone", 0.9, dataset={"name": "set-0", "fingerprint": "0" * 64}, sizes={"test": 60})
    )
    return out


def test_several_data_sets_of_one_suite(many: list[Record]) -> None:
    boards = build(many)
    (comparison,) = across(boards)
    assert list(comparison.models) == ["good", "middle", "bad"] and list(comparison.ranks) == [1, 2, 3]
    assert list(comparison.wins) == [1, 0.5, 0] and list(comparison.left_out) == ["alone"]
    assert comparison.datasets == [f"set-{i}" for i in range(6)]
    labels = [*comparison.models, "alone"]
    by_model = {name: [row[i] for row in comparison.values] for i, name in enumerate(labels)}
    board = {row.model: row.cells["hf1_samples"].mean for row in boards[0].rows}
    assert {name: values[0] for name, values in by_model.items()} == board
    assert by_model["alone"][1:] == [None] * 5
    assert comparison.p is not None and comparison.p < 0.001
    assert comparison.distance == pytest.approx(critical_difference(3, 6))
    said = " ".join(words(comparison))
    assert "p < 0.001" in said
    assert "Not told apart: good, middle; middle, bad." in said
    text = to_markdown(boards)
    assert "## Across 6 datasets: smoke, profile quick, hf1_samples" in text and "mean rank" in text
    assert text.index("Across 6 datasets") < text.index("## smoke 1: set-0")
    lines = [re.sub(" +", " ", line) for line in text.splitlines()]
    assert "| dataset | good | middle | bad | alone |" in lines
    assert any(re.fullmatch(r"\| set-5 \| 0\.\d{3} \| 0\.\d{3} \| 0\.\d{3} \| - \|", line) for line in lines)
    assert "Across 6 datasets" in to_latex(boards) and '"across": [\n  {' in to_json(boards)


def test_the_comparison_is_computed_once_for_all_formats(
    many: list[Record], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = []

    def counted(boards: list[Board]) -> list[acr.Across]:
        calls.append(len(boards))
        return across(boards)

    monkeypatch.setattr(boards_module, "across", counted)
    boards = build(many)
    assert calls == []
    for make in (to_markdown, to_latex, to_json, page_of):
        assert "set-5" in make(boards)
    assert {path.name for path in draw_boards(boards, tmp_path)} == set(board_figures(boards))
    assert calls == [6]


def test_what_is_no_comparison_over_data_sets(many: list[Record]) -> None:
    assert across(build(many[:3])) == []  # one dataset
    assert across(build([many[0], many[4]])) == []  # no common model
    (two,) = across(build([r for r in many[:6] if r.data["model"]["label"] != "bad"]))
    assert two.p is None and "Two models: nothing to test" in " ".join(words(two)) and diagram(two) == ""
    for column in ("exact_match", "fit_s"):  # without the primary metric there is nothing to rank by
        assert across(with_columns(build(many), [column])) == []
    (few,) = across(build(many[:6]))
    assert "rough guide" in " ".join(words(few))


def of_sets(fabricate: Callable[..., Record], *references: str, **more: Any) -> list[Record]:
    """Two models on each of these references, which have other data each."""
    return [
        fabricate(
            model,
            accuracy,
            dataset={"name": reference.partition(":")[0].partition("[")[0], "reference": reference}
            | {"fingerprint": f"{i}" * 64},
            **more,
        )
        for i, reference in enumerate(references)
        for model, accuracy in (("a", 0.9), ("b", 0.6))
    ]


def test_sets_of_one_dataset_are_data_sets(fabricate: Callable[..., Record]) -> None:
    """``hmc-classic:spo_GO`` and ``hmc-classic:seq_GO`` were taken for one."""
    boards = build(of_sets(fabricate, "classic:x", "classic:y[roots=true]", "classic:z"))
    assert across(boards)[0].datasets == ["x", "y", "z"]
    boards = build(of_sets(fabricate, "classic:x", "other:y"))
    assert across(boards)[0].datasets == ["classic:x", "other:y"]


def test_rows_under_a_decision_rule_are_named(fabricate: Callable[..., Record]) -> None:
    boards = build(of_sets(fabricate, "classic:x", "classic:y", "classic:z"))
    for i in (0, 2):
        boards[i].rows[0].rule = "isotonic"
    (comparison,) = across(boards)
    assert comparison.rules == [("a", "isotonic", ["x", "z"])]
    assert "best on validation: a under isotonic on x, z." in " ".join(words(comparison))
    assert "decision rule" not in " ".join(words(replace(comparison, rules=[])))


def test_options_make_no_data_set_of_their_own(fabricate: Callable[..., Record]) -> None:
    assert across(build(of_sets(fabricate, "alloys", "alloys[split_by=system]"))) == []


def test_two_folders_of_one_reader_are_two_data_sets(fabricate: Callable[..., Record]) -> None:
    """Of X-SDD and Ti-6Al-4V, both read as ``images``, one was left out."""
    boards = build(of_sets(fabricate, "images", "images", "sem-failure[seed=1]"))
    (comparison,) = across(boards)
    assert comparison.datasets == ["images 00000000", "images 11111111", "sem-failure"]
    assert across([boards[0], boards[0]]) == []


def of_share(share: float) -> dict[str, Any]:
    """The split of a record at a share of the training samples."""
    return {"train_share": [share], "fingerprint": f"{share:0>64}"}


def missing(datasets: str, **varied: Any) -> list[dict[str, Any]]:
    """Cells of ``suite.json`` without a record."""
    return [
        {"key": f"{name} {model}", "dataset": name, "reference": name, "model": model, "varied": varied}
        for name in datasets
        for model in "ab"
    ]


def test_cells_that_never_ran_are_no_data_set(fabricate: Callable[..., Record]) -> None:
    """An interrupted suite over training shares had no comparison: each dataset counted twice."""
    never_run = missing("xy", train_share=[0.1])
    for split in ({}, of_share(0.5)):
        boards = build(of_sets(fabricate, "x", "y", split=split), None, never_run)
        assert [board.data + board.fingerprint[:1] for board in boards] == ["x0", "y1", "x", "y"]
        (comparison,) = across(boards)
        assert comparison.datasets == ["x", "y"] and list(comparison.models) == ["a", "b"]
        assert across(boards[::-1])[0].datasets == ["y", "x"]


def test_what_failed_stands_for_its_data_set_only_where_nothing_else_does(
    fabricate: Callable[..., Record],
) -> None:
    """Also where it comes first, and where its data are known, as those of cells that failed in training."""
    failed = of_sets(fabricate, "images", status="failed", cause="crash")
    whole = of_sets(fabricate, "more", "images", "steel")
    boards = build([*failed, *whole[2:]])
    assert [[row.rank for row in board.rows] for board in boards] == [[None, None], [1, 2], [1, 2]]
    assert across(boards)[0].datasets == ["images", "steel"]
    assert across(build([*failed, *whole[4:]])) == []  # no model is ranked on both


def test_boards_of_different_shares_are_not_compared(fabricate: Callable[..., Record]) -> None:
    few = of_sets(fabricate, "x", "y", split=of_share(0.1))
    whole = of_sets(fabricate, "x", "y")
    assert across(build([*few, *whole])) == across(build(whole)) != []
    assert across(build([*few, *whole[2:]], None, missing("x"))) == []  # of x there is a tenth alone
    assert across(build(few))[0].datasets == ["x", "y"]  # the suite has no others


def test_data_sets_are_in_the_order_of_the_suite(fabricate: Callable[..., Record]) -> None:
    records = of_sets(fabricate, "classic:x", "more", "classic:y[roots=true]", "classic:z")
    listed = {"suite": {"name": "smoke", "datasets": ["classic:z", "classic:y", "classic:x"]}}
    boards = build(records, listed)
    assert [board.data for board in boards] == ["classic:z", "classic:y[roots=true]", "classic:x", "more"]


def test_the_same_everywhere_is_not_told_apart(fabricate: Callable[..., Record]) -> None:
    records = [
        fabricate(m, 0.8, dataset={"name": f"set-{i}", "fingerprint": f"{i}" * 64}, sizes={"test": 40})
        for m in "abc"
        for i in range(5)
    ]
    (comparison,) = across(build(records))
    assert comparison.p == 1 and "could be chance" in " ".join(words(comparison))


def test_the_diagram(many: list[Record]) -> None:
    (comparison,) = across(build(many))
    drawn = diagram(comparison)
    assert drawn.startswith("<svg ") and drawn.count('stroke-width="5"') == 2
    assert all(
        f">{model}  {rank:.2f}<" in drawn
        for model, rank in zip(comparison.models, comparison.ranks, strict=True)
    )
    assert "xmlns" in diagram(comparison, alone=True) and 'fill="white"' in diagram(comparison, alone=True)


def test_labels_of_the_diagram_are_text(many: list[Record]) -> None:
    (comparison,) = across(build(many))
    evil = acr.Across(**{**vars(comparison), "models": ["<script>" * 20, "a", "b"]})
    drawn = diagram(evil)
    assert "<script" not in drawn and "...  1.00" in drawn
    assert set(re.findall(r"<(\w+)", drawn)) == {"svg", "title", "path", "text"}
