"""The command line as a whole: help, version, errors."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from hmcbench.cli import COMMANDS
from hmcbench.execute import runner


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli: Callable[..., Any], command: str) -> None:
    ended = cli(command, "--help")
    assert ended.status == 0
    groups = {"data": "lint", "plugin": "new", "suite": "new"}  # their commands show the example
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


def test_the_package_is_run_as_a_module() -> None:
    command = [sys.executable, "-m", "hmcbench"]
    ended = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("hmcbench ")
    ended = subprocess.run([*command, "show", "suite", "smoek"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and "did you mean 'smoke'" in ended.stderr


def test_the_version(cli: Callable[..., Any]) -> None:
    assert cli("--version").out.startswith("hmcbench ")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "make room, then type the same command again."),
        (errno.EACCES, "name another folder or file, or ask for the right to use this one."),
        (errno.EROFS, "it is on a read-only disk: name another folder or file."),
    ],
)
def test_an_error_of_the_system_says_what_to_type_next(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refused(*_args: Any, **_options: Any) -> None:
        raise OSError(number, os.strerror(number), "runs/x")

    monkeypatch.setattr(runner, "execute", refused)
    (line,) = cli("run", "--suite", "smoke", "--quiet").err.splitlines()
    assert line == f"hmcbench: {os.strerror(number)} (runs/x). {says}"


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
