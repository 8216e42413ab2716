"""Every command with good input: what it prints, its JSON, its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.cli import COMMANDS
from hmcbench.execute import queue, runner
from hmcbench.records import record
from hmcbench.records.record import Record, read_record, record_folders, records_dir, suite_folder
from hmcbench.registry.registry import KINDS
from hmcbench.testing.helpers import installed_plugin, tiny_suite


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli: Callable[..., Any], command: str) -> None:
    ended = cli(command, "--help")
    assert ended.status == 0
    groups = {"data": "lint", "plugin": "new"}  # commands of commands show theirs one step further down
    text = cli(command, groups[command], "--help").out if command in groups else ended.out
    assert "Example:" in text
    assert f"hmcbench {command}" in text


def test_no_arguments_shows_the_commands(cli: Callable[..., Any]) -> None:
    ended = cli()
    assert ended.status == 0
    assert all(name in ended.out for name in COMMANDS)


def test_a_group_of_commands_alone_shows_its_help(cli: Callable[..., Any]) -> None:
    ended = cli("data")
    assert ended.status == 0
    assert "lint" in ended.out


@pytest.mark.parametrize("name", ["level2_accuracy", "level{k}_accuracy", "level1_accuracy_coherent"])
def test_a_metric_is_shown_by_the_id_that_a_table_has(cli: Callable[..., Any], name: str) -> None:
    assert "level{k}_accuracy" in cli("show", "metric", name).out


def test_the_package_is_run_as_a_module() -> None:
    command = [sys.executable, "-m", "hmcbench"]
    ended = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("hmcbench ")
    ended = subprocess.run([*command, "show", "suite", "smoek"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and "did you mean 'smoke'" in ended.stderr


def test_the_version(cli: Callable[..., Any]) -> None:
    assert cli("--version").out.startswith("hmcbench ")


@pytest.mark.parametrize("kind", ["plugins", *KINDS])
def test_list_as_text_and_as_json(cli: Callable[..., Any], kind: str) -> None:
    rows = json.loads(cli("list", kind, "--json").out)
    text = cli("list", kind).out
    assert rows
    for row in rows:
        assert row.get("name", row.get("plugin")) in text


def test_views_are_listed_in_words(cli: Callable[..., Any]) -> None:
    views = {row["name"]: row["views"] for row in json.loads(cli("list", "models", "--json").out)}
    assert views["forest"] == "table or texture"
    assert views["hffnet-2d"] == "pixels"
    assert views["prior"] == "none"
    assert not [v for v in views.values() if set(v) & set("{}[]=|")]


def test_everything_listed_can_be_shown(cli: Callable[..., Any]) -> None:
    for kind in KINDS:
        for row in json.loads(cli("list", kind, "--json").out):
            ended = cli("show", kind.removesuffix("s"), row["name"])
            assert ended.status == 0, ended.err
            assert row["name"] in ended.out
            json.loads(cli("show", kind.removesuffix("s"), row["name"], "--json").out)


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
    made = json.loads(cli(*args).out)
    assert [r["status"] for r in made["records"]] == ["ok"] * 3
    assert all(Path(p).is_file() for p in made["leaderboard"])


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
    """A model of a stranger's plugin that never ends, beside one that does."""
    with installed_plugin(tmp_path / "site", "sleepy", SLEEPY):
        args = ["run", "--suite", "smoke", "--dataset", "toy-tree", "--out", tmp_path]
        ended = cli(*args, "--model", "prior", "--model", "sleepy", "--timeout", "2")
    assert ended.status == 1
    assert "time-out" in ended.out
    assert "time-out" in (tmp_path / "smoke" / "leaderboard.md").read_text()
    assert cli(*args, "--model", "prior", "--rerun", "failed").status == 0


def test_suites_with_names_that_are_no_file_names_have_boards_of_their_own(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    runs, results = tmp_path / "r", tmp_path / "results"
    for name in ("钢铁", "陶瓷"):
        (tmp_path / "one.toml").write_text(tiny_suite(name, ["prior"]), encoding="utf-8")
        ended = cli("run", "--suite", tmp_path / "one.toml", "--out", runs, "--device", "cpu")
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


@pytest.mark.parametrize(
    "names",
    [("01", "1", "1.0", "1e3"), ("007", "7.50", "+3"), ("inf", "nan", "1_000"), ("-5", "0x10", "1e-2")],
)
def test_names_of_classes_that_are_numbers_stay_as_typed(
    cli: Callable[..., Any], tmp_path: Path, names: tuple[str, ...]
) -> None:
    (tmp_path / "H.csv").write_text("parent,child\n" + "".join(f",{name}\n" for name in names))
    (tmp_path / "T.csv").write_text("id,labels\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names)))
    files = {"hierarchy": "H.csv", "truth": "T.csv", "predictions": "T.csv"}
    args = [part for option, file in files.items() for part in (f"--{option}", tmp_path / file)]
    lines = [line.split() for line in cli("score", *args).out.splitlines()]
    shown = {line[0] for line in lines if line[1:] == ["1.0000"] * 4}
    assert shown == set(names)


def test_score_prints_the_numbers_of_the_fixture(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "H.csv").write_text("parent,child\n,a\n,x\na,b\na,e\nb,c\nb,d\nx,y\ny,z\n")
    (tmp_path / "T.csv").write_text("id,labels\n1,c\n2,d\n3,y\n")
    (tmp_path / "P.csv").write_text("id,labels\n1,d\n2,e\n3,z\n")
    files = (
        "--hierarchy",
        tmp_path / "H.csv",
        "--truth",
        tmp_path / "T.csv",
        "--predictions",
        tmp_path / "P.csv",
    )
    values = json.loads(cli("score", *files, "--json").out)
    text = cli("score", *files).out
    expected = {
        "hp_micro": 0.625,
        "hr_micro": 0.625,
        "hf1_micro": 0.625,
        "hp_samples": 0.6111,
        "hr_samples": 0.6667,
        "hf1_samples": 0.6377,
        "hf1_samples_mean": 0.6222,
    }
    flat = values.get("metrics", values)
    assert {k: round(flat[k], 4) for k in expected} == expected
    for name, value in expected.items():
        assert f"{value:.4f}" in next(line for line in text.splitlines() if line.split()[:1] == [name])


def test_doctor_runs_the_smoke_suite(cli: Callable[..., Any]) -> None:
    ended = cli("doctor")
    assert ended.status == 0, ended.out
    assert "9 cells ran" in ended.out
    checks = json.loads(cli("doctor", "--fast", "--json").out)
    assert checks["ok"]


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


def test_an_error_of_the_system_without_a_file_says_where_it_was_raised(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: Any, **_options: Any) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(runner, "execute", refused)
    ended = cli("run", "--suite", "smoke", "--quiet")
    assert ended.status == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("hmcbench: Invalid argument (") and "test_commands.py, line " in line
