"""Published without predictions: intervals and differences stay, nothing is recomputed in silence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.metrics.rules.scoring import find_rules
from hmcbench.publish.publish import publish
from hmcbench.records.record import JSON, NPZ, NotPublished, Record, read_all
from hmcbench.records.rescore import rescore
from hmcbench.registry.registry import default_registry
from hmcbench.verify.tree import verify_results

Fabricate = Callable[..., Record]


@pytest.fixture
def published(fabricate: Fabricate, tmp_path: Path) -> tuple[Path, Path]:
    for name, accuracy in (("kept", 0.9), ("left", 0.6)):
        for seed in (0, 1):
            fabricate(name, accuracy, seed=seed)
    runs, results = tmp_path / "runs", tmp_path / "results"
    publish(runs, results, figures=True, predictions=["kept"])
    return runs, results


def test_a_digest_stands_where_the_predictions_stood(published: tuple[Path, Path]) -> None:
    runs, results = published
    before = {r.key: r for r in read_all(runs)}
    for record in read_all(results):
        content = (before[record.key].path / NPZ).read_bytes()
        if record.label == "kept":
            assert (record.path / NPZ).read_bytes() == content and "predictions" not in record.data
            continue
        assert not (record.path / NPZ).exists()
        digest = hashlib.sha256(content).hexdigest()
        assert record.part("predictions") == {"left_out": True, "sha256": digest, "bytes": len(content)}
        with pytest.raises(NotPublished, match="were not published"):
            record.predictions()


def test_intervals_and_differences_are_those_of_the_runs(published: tuple[Path, Path]) -> None:
    runs, results = published
    own, board = boards_of(runs / "smoke"), boards_of(results / "smoke")
    (mine,), (theirs,) = own, board
    assert [row.model for row in mine.rows] == ["kept", "left"]
    for row, other in zip(mine.rows, theirs.rows, strict=True):
        assert row.model == other.model
        for column, cell in row.cells.items():
            assert cell == other.cells[column]


def test_intervals_of_rows_under_a_rule_are_those_of_the_runs(fabricate: Fabricate, tmp_path: Path) -> None:
    """They were of the row without its rule, around its own value."""
    records = [fabricate(name, accuracy) for name, accuracy in (("a", 0.7), ("b", 0.5))]
    rescore(tmp_path / "runs", rules=find_rules(default_registry(), ["map"]))
    for record in records:
        data = json.loads((record.path / JSON).read_text())
        data["rules"]["map"]["metrics"]["validation"]["hf1_samples"] = 1.0  # so that it is the best one
        (record.path / JSON).write_text(json.dumps(data))
    publish(tmp_path / "runs", tmp_path / "results", predictions=())
    (mine,), (theirs,) = (boards_of(tmp_path / name / "smoke") for name in ("runs", "results"))
    assert [row.shown for row in theirs.rows] == ["a · map", "b · map"]
    assert [row.cells for row in mine.rows] == [row.cells for row in theirs.rows]
    kept = Intervals.read(tmp_path / "results" / "smoke")
    published = read_all(tmp_path / "results")
    assert kept.of(published[:1], "map") and not kept.of(published[:1], "") and kept.of(published[:1])


def test_verify_says_what_it_could_not_recompute(published: tuple[Path, Path]) -> None:
    _, results = published
    report = verify_results([results / "smoke"])
    (suite,) = report.suites
    assert report.clean and suite.records == 4 and len(suite.verified) == 2
    assert [len(names) for names in suite.unchecked.values()] == [2]
    assert list(suite.unchecked) == ["their predictions were not published"]
    (left,) = (r for r in read_all(results) if r.label == "left" and r.seed == 0)
    data = json.loads((left.path / JSON).read_text())
    data["metrics"]["test"]["hf1_samples"] += 0.01
    (left.path / JSON).write_text(json.dumps(data))
    assert not verify_results([results / "smoke"]).clean


def test_published_again_nothing_changes(published: tuple[Path, Path]) -> None:
    runs, results = published
    before = {p: p.read_bytes() for p in results.rglob("*") if p.is_file()}
    publish(results, results)
    assert {p: p.read_bytes() for p in results.rglob("*") if p.is_file()} == before
    publish(results, runs.parent / "third")
    assert [r.part("predictions") for r in read_all(runs.parent / "third")] == [
        r.part("predictions") for r in read_all(results)
    ]


def test_rescore_skips_them_by_name(published: tuple[Path, Path]) -> None:
    _, results = published
    result = rescore(results / "smoke" / "records")
    assert result.records == 2 and len(result.skipped) == 2
    assert "were not published" in result.skipped[0][1]


def test_a_pattern_that_fits_nothing_writes_nothing(fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("a", 0.9)
    with pytest.raises(BadInput, match="bogus"):
        publish(tmp_path / "runs", tmp_path / "results", predictions=["bogus*"])
    assert not (tmp_path / "results").exists()


def test_the_option_of_the_command(cli: Callable[..., Any], fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("a", 0.9)
    fabricate("b", 0.5)
    out = tmp_path / "out"
    ended = cli("publish", tmp_path / "runs", "--to", out, "--no-figures", "--predictions", "a")
    assert ended.status == 0
    assert {r.label: r.has_predictions for r in read_all(out)} == {"a": True, "b": False}


def test_the_first_row_may_be_without_predictions(fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("first", 0.9)
    fabricate("second", 0.5)
    publish(tmp_path / "runs", tmp_path / "results", figures=True, predictions=["second"])
    (board,) = boards_of(tmp_path / "results" / "smoke")
    assert [row.model for row in board.rows] == ["first", "second"]


def test_no_row_keeps_them_by_the_word_none(
    published: tuple[Path, Path], cli: Callable[..., Any], tmp_path: Path
) -> None:
    ended = cli("publish", published[0], "--to", tmp_path / "other", "--no-figures", "--predictions", "none")
    assert ended.status == 0, ended.err
    records = read_all(tmp_path / "other")
    assert len(records) == 4 and all(record.part("predictions")["left_out"] for record in records)
    both = cli("publish", published[0], "--to", tmp_path / "x", "--predictions", "none", "--predictions", "a")
    assert both.status == 2 and "Allowed: none alone, or rows" in both.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("named", ["Net", "net[x=1]", "net", "N*"])
def test_a_row_is_named_as_the_board_names_it(fabricate: Fabricate, tmp_path: Path, named: str) -> None:
    """Brackets of a name are no character class, and the board has short labels."""
    folder = fabricate("net[x=1]", model={"name": "net"}).path.parent.parent
    fabricate("other")
    labels = {"quick": {"net[x=1]": "Net"}}
    (folder / "suite.json").write_text(json.dumps({"suite": {"name": "smoke"}, "labels": labels}))
    publish(tmp_path / "runs", tmp_path / "out", predictions=[named])
    assert {r.label: r.has_predictions for r in read_all(tmp_path / "out")} == {
        "net[x=1]": True,
        "other": False,
    }
