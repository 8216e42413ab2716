"""Intervals that were kept for want of truth: refused when stale, recomputed from the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.intervals import FILE
from hmcbench.publish.publish import publish
from hmcbench.records.given_data import DataPaths, Given
from hmcbench.records.record import Record, read_all
from hmcbench.registry.registry import Registry
from hmcbench.verify import Finding, Report
from hmcbench.verify.tree import verify_results


@pytest.fixture
def pair(private: Path, fabricate: Callable[..., Record], tmp_path: Path) -> Path:
    """A second model of the same data, published beside the first."""
    first = read_all(private)[0].data
    fabricate("b", 0.5, folder=tmp_path / "more" / "records", dataset=first["dataset"], split=first["split"])
    publish(tmp_path / "more", private)
    return private


def check(results: Path, registry: Registry, **data: DataPaths) -> Report:
    return verify_results([results / "smoke"], data, results, registry)


def findings(results: Path, registry: Registry, **data: str) -> list[Finding]:
    return [finding for _, finding in check(results, registry, **data).all_findings()]


def given(registry: Registry, path: DataPaths = "here") -> Given:
    return Given(registry, {"private": path})


def changed(results: Path, change: Callable[[Any], None]) -> None:
    """Change the file, and the tables with it, as somebody would who means to deceive."""
    path = results / "smoke" / FILE
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data["boards"][0]["rows"])
    path.write_text(json.dumps(data), encoding="utf-8")
    publish(results, results)


def test_without_data_they_are_not_checkable_here(private: Path, registry: Registry) -> None:
    report = check(private, registry)
    note = f"{FILE}: 1 row is not checkable here: truth or predictions were not published"
    assert report.clean and note in report.suites[0].notes


def test_with_data_they_are_the_same(pair: Path, registry: Registry) -> None:
    publish(pair, pair, given=given(registry))
    report = check(pair, registry, private="here")
    assert report.clean and not report.suites[0].notes


def test_with_data_of_other_records_beside_theirs_they_are_the_same(pair: Path, registry: Registry) -> None:
    """A path that cannot be read with the options of these records refused both commands."""
    paths = ["of others", "here"]
    publish(pair, pair, given=given(registry, paths))
    report = check(pair, registry, private=paths)
    assert report.clean and not report.suites[0].notes
    told = "of others: no such folder; nowhere: no such folder"
    with pytest.raises(BadInput, match=told):
        check(pair, registry, private=["of others", "nowhere"])
    with pytest.raises(BadInput, match=told):
        publish(pair, pair, given=given(registry, ["of others", "nowhere"]))


def test_models_published_apart_are_paired_with_the_data(pair: Path, registry: Registry) -> None:
    (board,) = boards_of(pair / "smoke")
    assert all(row.cells["hf1_samples"].low is not None for row in board.rows)
    assert not any(row.cells["hf1_samples"].best for row in board.rows)  # one was not at hand with the other
    publish(pair, pair, given=given(registry))
    (board,) = boards_of(pair / "smoke")
    assert [row.cells["hf1_samples"].best for row in board.rows] == [True, False]
    assert all(record.predictions().truth is None for record in read_all(pair))


def test_a_changed_end_is_found_with_the_data(private: Path, registry: Registry) -> None:
    def narrower(rows: Any) -> None:
        rows[0]["columns"]["hf1_samples"]["low"] += 0.01

    changed(private, narrower)
    assert check(private, registry).clean
    (finding,) = findings(private, registry, private="here")
    assert (finding.kind, finding.what) == ("differs", "hf1_samples.low")
    assert finding.published == pytest.approx(finding.recomputed + 0.01)


def test_a_changed_p_is_found_with_the_data(pair: Path, registry: Registry) -> None:
    publish(pair, pair, given=given(registry))

    def surer(rows: Any) -> None:
        rows[1]["differences"]["a"]["level2_accuracy"][2] = 0.5

    changed(pair, surer)
    assert check(pair, registry).clean
    listed = findings(pair, registry, private="here")
    assert [(f.kind, f.what) for f in listed] == [("differs", "level2_accuracy[2]")]


def test_a_row_that_is_lacking_is_found_with_the_data(pair: Path, registry: Registry) -> None:
    changed(pair, lambda rows: rows.pop())
    assert check(pair, registry).clean
    (finding,) = findings(pair, registry, private="here")
    assert finding.what == "lacks the row b"


def test_a_damaged_file_is_a_finding_and_no_traceback(private: Path, registry: Registry) -> None:
    (private / "smoke" / FILE).write_text("{", encoding="utf-8")
    assert any(f.kind == "unreadable" and f.where == FILE for f in findings(private, registry))
    with pytest.raises(BadInput, match="publish again with --data"):
        publish(private, private)


def test_a_file_of_other_draws_is_not_used(private: Path, registry: Registry) -> None:
    path = private / "smoke" / FILE
    path.write_text(
        path.read_text(encoding="utf-8").replace('"draws": 1000', '"draws": 999'), encoding="utf-8"
    )
    assert any("another version" in note for note in check(private, registry).suites[0].notes)
    assert boards_of(private / "smoke")[0].rows[0].cells["hf1_samples"].low is None


def test_data_of_others_are_refused_before_anything_is_written(
    private: Path, registry: Registry, datasets: dict[str, Dataset]
) -> None:
    before = {path: path.read_bytes() for path in private.rglob("*") if path.is_file()}
    datasets["other"] = replace(datasets["here"], fingerprint="e" * 64)
    with pytest.raises(BadInput, match="fingerprint of the data given as --data private"):
        publish(private, private, given=given(registry, "other"))
    datasets["renamed"] = replace(datasets["here"], ids=[f"x{i}" for i in range(len(datasets["here"].ids))])
    with pytest.raises(BadInput, match="split"):
        publish(private, private, given=given(registry, "renamed"))
    with pytest.raises(BadInput, match="no record is of this dataset"):
        publish(private, private, given=Given(registry, {"toy": "here"}))
    assert {path: path.read_bytes() for path in private.rglob("*") if path.is_file()} == before
