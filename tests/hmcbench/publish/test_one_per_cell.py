"""A cell is published once, and what ended well is not lost to what failed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.leaderboard.files import boards_of
from hmcbench.publish import publish as publish_module
from hmcbench.publish.publish import publish
from hmcbench.records.record import JSON, Record, read_all
from hmcbench.verify.tree import verify_results

Fabricate = Callable[..., Record]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def renamed(fabricate: Fabricate, runs: Path, results: Path) -> Path:
    """The folder of a published record that somebody has renamed."""
    record = fabricate("a", 0.9)
    fabricate("b", 0.7)
    publish(runs, results)
    folder = results / "smoke" / "records"
    return (folder / record.path.name).rename(folder / "my best run")


def test_a_record_under_another_name_is_replaced_and_that_is_said(
    renamed: Path, runs: Path, results: Path
) -> None:
    (new,) = (record.path.name for record in read_all(runs) if record.label == "a")
    lines: list[str] = []
    publish(runs, results, on_choice=lines.append)
    assert lines == [f"replaced     in {renamed.parent}: my best run by {new}, of the same cell"]
    before = tree(results)
    assert {path.name for path in renamed.parent.iterdir()} == {r.path.name for r in read_all(runs)}
    publish(runs, results, on_choice=lines.append)
    assert tree(results) == before and len(lines) == 1


def test_the_command_says_it_in_one_line(
    renamed: Path, cli: Callable[..., Any], runs: Path, results: Path
) -> None:
    other = next(path for path in renamed.parent.iterdir() if path != renamed)
    (renamed.parent / "deep").mkdir()
    other.rename(renamed.parent / "deep" / other.name)  # found there by boards, too
    out = cli("publish", runs, "--to", results, "--no-figures").out
    (line,) = (line for line in out.splitlines() if line.startswith("replaced"))
    assert line.startswith(f"replaced     in {renamed.parent}: ")
    assert line.endswith(" and 1 more, of the same cells")
    assert len(read_all(results)) == 2


@pytest.mark.parametrize("again", ["runs", "results"])
def test_a_publish_that_is_ended_before_the_old_record_goes_loses_nothing(
    renamed: Path, runs: Path, results: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    def stop(_second: Path, _kept: Path) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(publish_module, "remove_second", stop)
        publish(runs, results)
    assert len(read_all(results)) == 3
    assert all(len(record.predictions()) == 230 for record in read_all(results))
    publish({"runs": runs, "results": results}[again], results)
    assert {record.key for record in read_all(results)} == {record.key for record in read_all(runs)}
    assert len(read_all(results)) == 2
    assert verify_results([results / "smoke"], index=results).clean


def test_of_records_that_were_published_twice_the_newest_stays(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    fabricate("a", 0.9)
    publish(runs, results)
    (first,) = read_all(results)
    copy = first.path.with_name("a copy")
    shutil.copytree(first.path, copy)
    newer = {**first.data, "created": "2027-01-01T00:00:00+00:00"}
    (copy / JSON).write_text(json.dumps(newer))
    lines: list[str] = []
    publish(results, results, on_choice=lines.append)
    assert [path.name for path in first.path.parent.iterdir()] == ["a copy"]
    assert lines == [f"replaced     in {copy.parent}: {first.path.name} by a copy, of the same cell"]
    assert verify_results([results / "smoke"], index=results).clean


def test_of_runs_with_the_same_cell_the_newest_is_published(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    for name, year in (("a", "2028"), ("b", "2027")):
        place = runs / name / "smoke" / "records"
        fabricate("net", folder=place, key="a" * 64, created=f"{year}-01-01T00:00:00+00:00")
    publish(runs, results)
    (record,) = read_all(results)
    assert record.created.startswith("2028")


# --------------------------------------------------------------------------- a good record is not lost


def made_again(fabricate: Fabricate, place: Path, *names: str, **changes: Any) -> Path:
    """Runs in ``place`` in which these models failed, after all others."""
    for name in names:
        failed = {"status": "failed", "cause": "out of memory", "created": "2027-01-01T00:00:00+00:00"}
        fabricate(name, folder=place / "smoke" / "records", **failed, **changes)
    return place


def test_a_good_record_is_kept_where_the_new_one_failed(
    fabricate: Fabricate, runs: Path, results: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    good = {name: fabricate(name, 0.9) for name in "ab"}
    fabricate("c", status="failed", cause="crash")
    publish(runs, results)
    before = tree(results)
    again = made_again(fabricate, tmp_path / "again", "a", "c")
    new = fabricate("d", 0.8, folder=again / "smoke" / "records")
    place = results / "smoke" / "records"
    out = cli("publish", again, "--to", results, "--no-figures").out
    (line,) = (line for line in out.splitlines() if line.startswith("kept"))
    assert line == f"kept         {good['a'].path.name} in {place}, as the new one failed"
    after = {record.label: record for record in read_all(results)}
    assert {name: record.ok for name, record in after.items()} == {
        "a": True,
        "b": True,
        "c": False,
        "d": True,
    }
    assert after["c"].cause == "out of memory" and after["d"].path.name == new.path.name
    kept = f"smoke/records/{good['a'].path.name}/{JSON}"
    assert tree(results)[kept] == before[kept]
    assert verify_results([results / "smoke"], index=results).clean
    statuses = {row.model: row.status for row in boards_of(again / "smoke")[0].rows}
    assert statuses == {"a": "failed", "c": "failed", "d": "ok"}, "the board of the runs follows the runs"
    lines: list[str] = []
    publish(made_again(fabricate, again, "b"), results, on_choice=lines.append)
    assert lines == [f"kept         {good['a'].path.name} and 1 more in {place}, as the new ones failed"]


def test_a_failed_record_gives_way_to_a_good_one(
    fabricate: Fabricate, runs: Path, results: Path, tmp_path: Path
) -> None:
    again = made_again(fabricate, tmp_path / "again", "a")
    fabricate("b", 0.9, folder=again / "smoke" / "records")
    publish(again, results)
    fabricate("a", 0.9)
    lines: list[str] = []
    publish(runs, results, on_choice=lines.append)
    assert [record.ok for record in read_all(results)] == [True, True] and not lines


def test_the_intervals_of_a_record_that_is_kept_stay(
    fabricate: Fabricate, runs: Path, results: Path, tmp_path: Path
) -> None:
    for name in "ab":
        fabricate(name, 0.9, dataset={"share_targets": False})
    publish(runs, results)

    def of_a() -> Any:
        (board,) = json.loads((results / "smoke" / "intervals.json").read_text())["boards"]
        return next(row for row in board["rows"] if row["model"] == "a")

    before = of_a()
    again = made_again(fabricate, tmp_path / "again", "a", dataset={"share_targets": False})
    fabricate("b", 0.9, folder=again / "smoke" / "records", dataset={"share_targets": False})
    publish(again, results)
    assert of_a() == before and "hf1_samples" in before["columns"]
    assert verify_results([results / "smoke"], index=results).clean


def test_of_records_of_one_cell_one_that_ended_well_stays(
    fabricate: Fabricate, runs: Path, results: Path, tmp_path: Path
) -> None:
    """In the runs, as on two machines; and in the folder, as by a merge of two branches."""
    fabricate("a", 0.9)
    made_again(fabricate, runs / "other", "a")
    publish(runs, results)
    (record,) = read_all(results)
    assert record.ok
    (failed,) = read_all(made_again(fabricate, tmp_path / "again", "a"))
    shutil.copytree(failed.path, record.path.with_name("merged"))
    lines: list[str] = []
    publish(results, results, on_choice=lines.append)
    assert [record.ok for record in read_all(results)] == [True]
    assert lines == [f"replaced     in {record.path.parent}: merged by {record.path.name}, of the same cell"]
