from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = "before\n<!-- smoke -->\n<!-- /smoke -->\nafter\n"


@pytest.fixture
def runs(fabricate: Callable[..., Any], tmp_path: Path) -> Path:
    for name, accuracy in (("a", 0.9), ("b", 0.6)):
        fabricate(name, accuracy)
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    return tmp_path / "runs"


def test_rescore_keeps_what_stood_of_damaged_predictions(cli: Callable[..., Any], runs: Path) -> None:
    assert cli("rescore", runs).status == 0
    torn = next((runs / "smoke" / "records").glob("toy--a--*"))
    (torn / "predictions.npz").write_bytes(b"PK torn")
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    ended = cli("rescore", runs)
    assert ended.status == 1 and f"1 damaged and kept ({torn.name}: " in ended.out
    assert "kept         the leaderboards of" in ended.out
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


def test_latex(cli: Callable[..., Any], runs: Path, tmp_path: Path) -> None:
    out = cli("leaderboard", runs, "--format", "latex").out
    assert out.startswith("% needs \\usepackage{booktabs}") and "\\toprule" in out
    assert cli("leaderboard", runs, "--format", "latex", "--output", tmp_path / "t.tex").status == 0
    assert (tmp_path / "t.tex").read_text(encoding="utf-8") == out


def test_into_a_page(cli: Callable[..., Any], runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    args = ("leaderboard", runs, "--columns", "hf1_samples, total_s", "--into", page, "--marker", "smoke")
    ended = cli(*args)
    assert ended.status == 0 and str(page) in ended.out
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- smoke -->\n\n**smoke 1") and text.endswith(
        "\n\n<!-- /smoke -->\nafter\n"
    )
    assert "exact_match" not in text and "whole cell (s)" in text
    assert cli(*args).out.startswith("unchanged")


def test_columns_of_every_format(cli: Callable[..., Any], runs: Path) -> None:
    args = ("leaderboard", runs, "--columns", "exact_match")
    assert "hf1_samples ↑" not in cli(*args, "--format", "md").out
    assert "hf1_samples" not in cli(*args, "--format", "csv").out
    board = json.loads(cli(*args, "--format", "json").out)["boards"][0]
    assert [c["id"] for c in board["columns"]] == ["exact_match"] and board["cost_columns"] == []


def test_a_board_shows_any_stored_metric_and_ranks_by_it(cli: Callable[..., Any], runs: Path) -> None:
    """Neither the levels nor the class is among the columns of these records' suite."""
    ids = "level{k}_argmax_accuracy,class_f1[b],hr_micro"
    text = cli("leaderboard", runs, "--columns", ids, "--primary", "class_f1[a]", "--format", "json").out
    board = json.loads(text)["boards"][0]
    levels = ["level1_argmax_accuracy", "level2_argmax_accuracy"]
    assert [c["id"] for c in board["columns"]] == [*levels, "class_f1[b]", "hr_micro"]
    assert board["primary"] == "class_f1[a]" and board["rows"][0]["cells"]["hr_micro"]["low"] is not None


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--columns", "level9_accuracy"], "'level1_accuracy'"),
        (["--columns", "class_f1[zz]"], "Allowed: class_f1["),
        (["--primary", "hf1_samplse"], "Allowed: hf1_samples, hf1_samples_"),
        (["--primary", "fit_s"], "unknown metric 'fit_s'"),
        (["--marker", "smoke"], "--marker smoke without --into"),
        (["--into", "PAGE"], "without --marker"),
        (["--into", "PAGE", "--marker", "smoke", "--output", "x.md"], "cannot be given together"),
        (["--into", "PAGE", "--marker", "smoke", "--format", "csv"], "--into writes Markdown, not csv"),
        (["--into", "PAGE", "--marker", "smok"], "has no line <!-- smok -->"),
        (["--into", "PAGE", "--marker", "a b"], "letters, digits"),
        (["--into", "none.md", "--marker", "smoke"], "none.md cannot be read"),
        (["--into", ".", "--marker", "smoke"], "--into"),
        (["--columns", "hf1"], "unknown column 'hf1'"),
        (["--columns", "hf1_micro_coherent"], "'hf1_micro', which reads the coherent decision"),
        (["--format", "tex"], "latex"),
        (["--suite", "smok"], "did you mean 'smoke'"),
    ],
)
def test_bad_input(cli: Callable[..., Any], runs: Path, tmp_path: Path, args: list[str], says: str) -> None:
    page = tmp_path / "page.md"
    ended = cli("leaderboard", runs, *(page if a == "PAGE" else a for a in args))
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1 and says in ended.err, ended.err
    assert page.read_text(encoding="utf-8") == PAGE
