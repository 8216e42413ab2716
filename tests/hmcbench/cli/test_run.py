"""``hmcbench run``: its output, its exit status, and the commands that read its records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.execute import queue, runner
from hmcbench.records import record
from hmcbench.records.record import Record, read_record, record_folders, records_dir, suite_folder
from hmcbench.testing.helpers import installed_plugin, tiny_suite


def test_run_then_run_again_then_every_other_command(cli: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "runs"
    first = cli("run", "--suite", "smoke", "--out", out)
    assert first.status == 0, first.err
    assert "end    toy-tree x prior" in first.out
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.json"):
        assert (out / "smoke" / name).is_file()
        assert str(out / "smoke" / name) in first.out
    records = sorted((out / "smoke" / "records").iterdir())
    assert len(records) == 9
    assert all(str(r) in first.out for r in records)

    second = cli("run", "--suite", "smoke", "--out", out)
    assert "0 to run" in second.out
    assert "start " not in second.out

    for kind in ("md", "csv", "json"):
        shown = cli("leaderboard", out, "--format", kind)
        assert shown.status == 0
        assert "oracle" in shown.out
    assert "oracle" in cli("leaderboard", out).out
    written = cli("leaderboard", out, "--suite", "smoke", "--output", tmp_path / "b.md")
    assert written.status == 0
    assert (tmp_path / "b.md").read_text() == (out / "smoke" / "leaderboard.md").read_text()
    assert "9 records rescored" in cli("rescore", out).out
    assert cli("publish", out, "--no-figures", "--to", tmp_path / "results").status == 0
    assert (tmp_path / "results" / "smoke" / "README.md").is_file()
    assert "oracle" in cli("leaderboard", tmp_path / "results" / "smoke").out


def test_json_of_a_run_is_one_object(cli: Callable[..., Any], tmp_path: Path) -> None:
    args = ("run", "--suite", "smoke", "--dataset", "toy-dag", "--out", tmp_path, "--json")
    planned = json.loads(cli(*args, "--dry-run").out)
    assert [c["model"]["label"] for c in planned] == ["prior", "random", "oracle"]
    assert not (tmp_path / "smoke").exists()
    result = json.loads(cli(*args).out)
    assert [r["status"] for r in result["records"]] == ["ok"] * 3
    assert all(Path(p).is_file() for p in result["leaderboard"])


SLEEPY = """
from hmcbench import ModelSpec, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="sleepy", factory="sleepy:Sleepy", version="1", summary="", views=("table",))]

class Sleepy:
    def fit(self, train, valid, run):
        import time
        time.sleep(600)
"""


def test_a_failed_cell_gives_status_one_and_stays_on_the_leaderboard(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    """A model of a third-party plugin that never ends, and one that does."""
    with installed_plugin(tmp_path / "site", "sleepy", SLEEPY):
        args = ["run", "--suite", "smoke", "--dataset", "toy-tree", "--out", tmp_path]
        ended = cli(*args, "--model", "prior", "--model", "sleepy", "--timeout", "2")
    assert ended.status == 1
    assert "time-out" in ended.out
    assert "1 of 2 cells failed (see their log.txt); --rerun failed runs them again" in ended.out
    assert "time-out" in (tmp_path / "smoke" / "leaderboard.md").read_text()
    assert cli(*args, "--model", "prior", "--rerun", "failed").status == 0


@pytest.mark.usefixtures("failing_metric")
def test_a_metric_that_fails_is_told_by_the_record_and_the_board(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    args = ["run", "--suite", "smoke", "--dataset", "toy-tree", "--out", tmp_path, "--model", "prior"]
    ended = cli(*args)
    assert ended.status == 0
    assert "metric mine failed in 1 of 1 cells: RuntimeError: no such thing" in " ".join(ended.out.split())
    (failed,) = record.read_all(tmp_path)
    assert failed.part("metric_failures")["test"]["mine"] == "RuntimeError: no such thing"
    assert (tmp_path / "smoke" / "leaderboard.md").read_text().count("RuntimeError: no such thing") == 1


def test_a_plan_of_failed_cells_does_not_call_them_done(cli: Callable[..., Any], tmp_path: Path) -> None:
    args = ["run", "--suite", "smoke", "--dataset", "toy-tree", "--model", "random", "--out", tmp_path]
    assert cli(*args, "--timeout", "0.001").status == 1
    again = cli(*args)
    assert "1 failed" in again.out
    assert "0 to run (1 failed earlier: --rerun failed runs them again)" in again.out
    assert "done" not in again.out


def test_suites_with_names_that_are_no_file_names_have_boards_of_their_own(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    runs, results = tmp_path / "r", tmp_path / "results"
    for name in ("钢铁", "陶瓷"):
        (tmp_path / "suite.toml").write_text(tiny_suite(name, ["prior"]), encoding="utf-8")
        ended = cli("run", "--suite", tmp_path / "suite.toml", "--out", runs, "--device", "cpu")
        assert ended.status == 0 and f"{name} 1" in ended.out
        assert str(records_dir(runs, name)) in ended.out
    for name, other in (("钢铁", "陶瓷"), ("陶瓷", "钢铁")):
        out = cli("leaderboard", runs, "--suite", name, "--format", "md").out
        assert name in out and other not in out
    for source in (runs, results):
        assert cli("publish", source, "--to", results).status == 0
        assert cli("publish", source, "--to", results, "--suite", "钢铁").status == 0
    index = (results / "README.md").read_text(encoding="utf-8")
    assert all(f"[{name} 1]({suite_folder(name)}/README.md)" in index for name in ("钢铁", "陶瓷"))
    assert cli("verify", results).status == 0


def test_json_stays_json_whatever_a_library_prints_meanwhile(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.execute

    def talking(*args: Any, **options: Any) -> Any:
        print("a node died")
        return real(*args, **options)

    monkeypatch.setattr(runner, "execute", talking)
    args = ("run", "--suite", "smoke", "--dataset", "toy-dag", "--model", "prior", "--out", tmp_path)
    ended = cli(*args, "--json")
    assert len(json.loads(ended.out)["records"]) == 1
    assert "a node died" in ended.err
    assert cli(*args, "--quiet").out == ""


def test_a_run_reads_every_record_once(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("run", "--suite", "smoke", "--dataset", "toy-dag", "--out", tmp_path, "--quiet")
    assert cli(*args, "--model", "prior").status == 0
    read: list[Path] = []

    def counted(path: Path) -> Record:
        read.append(path)
        return read_record(path)

    for module in (record, queue):
        monkeypatch.setattr(module, "read_record", counted)
    assert cli(*args, "--model", "prior", "--model", "random").status == 0
    stored = record_folders(tmp_path / "smoke" / "records").values()
    assert len(stored) == 2
    assert sorted(read) == sorted(stored)
