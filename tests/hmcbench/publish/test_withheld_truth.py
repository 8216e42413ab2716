"""Boards whose truth is not published keep the intervals and comparisons that need it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.leaderboard.compare import compare_models
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.intervals import FILE, SCHEMA, Intervals, digest
from hmcbench.leaderboard.statistics import DRAWS
from hmcbench.metrics.builtin import SPECS
from hmcbench.publish.publish import publish
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import JSON, NPZ, Record, read_all

Fabricate = Callable[..., Record]
INFO = {"suite": {"name": "smoke", "reference": "a"}, "published": [], "cells": []}
MODELS = {"a": 0.9, "b": 0.6, "c": 0.3}


@pytest.fixture(
    params=["one split, two seeds", "five folds", "a shifted side", "shifts", "shifts, five folds"]
)
def runs(fabricate: Fabricate, shift: Fabricate, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Three models of data that may not be passed on, with truth as a run leaves it."""
    for name, accuracy in MODELS.items():
        for i in range(5 if "five folds" in request.param else 2):
            more: dict[str, Any] = {"dataset": {"share_targets": False}, "seed": i}
            more["sizes"] = {"validation": 20, "test": 60}
            if "five folds" in request.param:
                more |= {"seed": 0, "fold": i, "prefix": f"fold{i}-", "split": {"kind": "kfold"}}
            if request.param == "a shifted side":
                more["sizes"]["shifted"] = 40
            record = fabricate(name, accuracy, **more)
            if "shifts" in request.param:
                shift(record, accuracy, seen={"noise": range(0, 60, 2)})
    (tmp_path / "runs" / "smoke" / "suite.json").write_text(json.dumps(INFO))
    return tmp_path / "runs"


@pytest.fixture
def results(runs: Path, tmp_path: Path) -> Path:
    publish(runs, tmp_path / "results")
    return tmp_path / "results"


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_published_board_says_what_the_run_said(runs: Path, results: Path) -> None:
    (ours,), (public,) = boards_of(runs / "smoke"), boards_of(results / "smoke")
    assert all(r.predictions().truth is None for r in read_all(results))
    cells = [cell for row in ours.rows for cell in row.cells.values()]
    assert any(cell.low is not None and cell.mean is not None and cell.low < cell.mean for cell in cells)
    assert len(ours.differences) == 6 and all(row.low is not None for row in ours.differences)
    assert any(cell.best for cell in cells)
    left, right = asdict(ours), asdict(public)
    notes = set(right.pop("notes")) - set(left.pop("notes"))
    assert left == right
    (note,) = notes
    assert "intervals over samples were kept when the truth was at hand (20" in note


def test_any_two_models_are_compared_as_before(runs: Path, results: Path) -> None:
    said = []
    for folder in (runs / "smoke", results / "smoke"):
        compared = compare_models(
            read_all(folder / "records"), "c", "b", SPECS, info=INFO, intervals=Intervals.read(folder)
        )
        said.append(compared.boards[0])
    assert [asdict(m) for m in said[0].metrics] == [asdict(m) for m in said[1].metrics]
    assert said[0].metrics[0].difference.p is not None and said[0].metrics[0].verdict == "b is better than c"
    assert said[1].method.startswith(f"paired bootstrap, {DRAWS:,} draws")
    assert "kept from when the truth was at hand" in said[1].method


def test_a_metric_that_records_lack_has_no_kept_interval(runs: Path, tmp_path: Path) -> None:
    """It had one with the truth at hand, and lost it when the results were published again without."""
    for path in runs.rglob(JSON):
        data = json.loads(path.read_text())
        for values in data["metrics"].values():
            values.pop("risk_at_90", None)
        path.write_text(json.dumps(data))
    publish(runs, tmp_path / "out")
    before = content(tmp_path / "out")
    assert b"risk_at_90" not in before[f"smoke/{FILE}"]
    publish(tmp_path / "out", tmp_path / "out")
    assert content(tmp_path / "out") == before


def test_publishing_again_changes_nothing(results: Path, runs: Path) -> None:
    before = content(results)
    publish(results, results)
    assert content(results) == before
    publish(runs, results)
    assert content(results) == before


def test_intervals_go_with_records_to_another_folder(results: Path, tmp_path: Path) -> None:
    publish(results, tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "smoke" / FILE).read_bytes() == (results / "smoke" / FILE).read_bytes()


def test_neither_truth_nor_draws_are_kept(results: Path) -> None:
    """A draw is a sum over samples with known weights: a thousand would be the truth again."""

    def longest(value: Any) -> int:
        inside = list(value.values() if isinstance(value, dict) else value)
        deeper = [longest(part) for part in inside if isinstance(part, (dict, list))]
        return max([len(inside) if isinstance(value, list) else 0, *deeper])

    data = json.loads((results / "smoke" / FILE).read_text(encoding="utf-8"))
    assert (data["draws"], data["level"]) == (DRAWS, 0.95)
    assert longest(data) <= 3


@pytest.mark.parametrize("name", [JSON, NPZ])
def test_a_row_whose_record_has_changed_loses_its_intervals(results: Path, name: str) -> None:
    path = next(r.path for r in read_all(results) if r.data["model"]["label"] == "b") / name
    if name == JSON:
        path.write_text(
            path.read_text(encoding="utf-8").replace('"fit_s": 1', '"fit_s": 2'), encoding="utf-8"
        )
    else:
        stored = Predictions.load(path)
        replace(stored, scores=stored.scores[::-1]).save(path)
    (board,) = boards_of(results / "smoke")
    rows = {row.model: row for row in board.rows}
    assert rows["a"].cells["exact_match"].low is not None
    assert any("b: no interval over samples" in n and "kept are of other records" in n for n in board.notes)
    assert {row.model for row in board.differences if row.low is not None} == {"c"}
    publish(results, results)
    kept = {row["model"]: row for _, row in Intervals.read(results / "smoke").entries()}
    assert set(kept) == {"a", "c"} and set(kept["c"]["differences"]) == {"a"}


def test_a_record_that_is_gone_takes_its_row_along(results: Path) -> None:
    record = next(r for r in read_all(results) if r.data["model"]["label"] == "c")
    for path in record.path.iterdir():
        path.unlink()
    record.path.rmdir()
    publish(results, results)
    assert {row["model"] for _, row in Intervals.read(results / "smoke").entries()} <= {"a", "b"}


def test_truth_that_is_published_needs_nothing_kept(fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("a")
    publish(tmp_path / "runs", tmp_path / "results")
    assert not (tmp_path / "results" / "smoke" / FILE).exists()


def test_the_date_stays_where_the_numbers_do(results: Path, runs: Path) -> None:
    path = results / "smoke" / FILE
    data = json.loads(path.read_text(encoding="utf-8"))
    data["boards"][0]["rows"][0]["made"] = "2001-01-01"
    data["boards"][0]["rows"][1]["made"] = "2001-01-01"
    name = next(iter(data["boards"][0]["rows"][1]["columns"]))
    data["boards"][0]["rows"][1]["columns"][name]["low"] -= 0.01
    path.write_text(json.dumps(data), encoding="utf-8")
    publish(runs, results)
    dates = [row["made"] for _, row in Intervals.read(results / "smoke").entries()]
    assert dates[0] == "2001-01-01" and "2001-01-01" not in dates[1:]


def test_intervals_stay_where_records_change_while_they_are_copied(
    runs: Path, results: Path, tmp_path: Path
) -> None:
    """Without predictions, and then marked as without truth, they are other files."""
    second, third = tmp_path / "second", tmp_path / "third"
    publish(results, second, predictions=())
    assert not list(second.rglob(NPZ)) and (second / "smoke" / FILE).is_file()
    for path in second.rglob(JSON):
        path.write_text(path.read_text().replace('"share_targets": false', '"share_targets": true'))
    text = (second / "smoke" / FILE).read_text()
    for record in read_all(second):
        old = json.loads(text)["boards"][0]["rows"]
        text = text.replace(
            next(r["records"][record.key] for r in old if record.key in r["records"]), digest(record)
        )
    (second / "smoke" / FILE).write_text(text)
    publish(second, third, truth=False)
    assert not any(record.share_targets for record in read_all(third))
    (before,), (after,) = boards_of(results / "smoke"), boards_of(third / "smoke")
    for row, same in zip(before.rows, after.rows, strict=True):
        assert row.cells["hf1_samples"].low is not None
        assert row.cells["hf1_samples"] == same.cells["hf1_samples"]


@pytest.mark.parametrize("damaged", [True, False])
def test_kept_intervals_that_cannot_be_kept_stop_it_before_anything_is_written(
    runs: Path, results: Path, tmp_path: Path, damaged: bool
) -> None:
    """A damaged file left a folder half-written; one of another version was removed without a word."""
    path = results / "smoke" / FILE
    path.write_text("{" if damaged else path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 3'))
    before = content(results)
    for source, target in ((runs, results), (results, results), (results, tmp_path / "elsewhere")):
        with pytest.raises(BadInput, match="cannot be read" if damaged else "of another version"):
            publish(source, target)
    assert content(results) == before and not list(tmp_path.glob("elsewhere/*/*"))


def test_rows_published_one_after_the_other_were_never_compared(runs: Path, tmp_path: Path) -> None:
    """The comparison said that they have no common sample, and the board nothing."""
    target = tmp_path / "results"
    for others in (("b", "c"), ("a", "c"), ("a", "b")):
        part = tmp_path / f"without-{'-'.join(others)}"
        shutil.copytree(runs, part)
        for record in read_all(part):
            if record.label in others:
                shutil.rmtree(record.path)
        publish(part, target)
    (board,) = boards_of(target / "smoke")
    (note,) = [note for note in board.notes if "never compared" in note]
    assert all(pair in note for pair in ("a and b", "a and c", "b and c", "--data NAME=PATH"))
    assert all(row.cells["hf1_samples"].low is not None for row in board.rows)
    records, kept = read_all(target / "smoke" / "records"), Intervals.read(target / "smoke")
    (alone,) = compare_models(records, "a", "b", SPECS, info=INFO, intervals=kept).boards
    assert "published without truth, one after the other" in alone.metrics[0].verdict
    assert alone.method.startswith("nothing: the interval of each was kept without that of the other")
    publish(runs, target)
    assert not any("never compared" in note for note in boards_of(target / "smoke")[0].notes)
