"""Every argument and option of every command, with good and bad input; a new one fails until it is tried.

The tables beside this file hold one entry per ``COMMAND OPTION``:

- ``given``: what lies in the folder first (fixtures of conftest.py), ``before``: a command typed first;
- ``good``: a line that works; ``shows`` and ``hides``: patterns that its output has and has not;
  ``writes``: the files that it changes, and a pattern each (nothing else may change);
- ``bad``: a line that is refused, ``says``: what its one line of error says;
- ``needs``: a library without which the entry is passed over.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
import pytest

from hmcbench.cli import cli as group

TABLES = {path.stem: tomllib.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.toml"))}
ENTRIES = {name: entry for table in TABLES.values() for name, entry in table.items()}
FIELDS = {"given", "before", "good", "shows", "hides", "writes", "status", "bad", "says", "needs"}


def commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below (and with) this one, and the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            child = command.get_command(click.Context(command), name)
            assert child is not None
            yield from commands(child, *path, name)


COMMANDS = dict(commands(group))


def names() -> Iterator[str]:
    """``run --suite``, ``compare MODEL_A``: every spelling of every parameter."""
    for path, command in COMMANDS.items():
        for param in command.params:
            arguments = [str(param.name).upper()] if isinstance(param, click.Argument) else []
            for name in arguments or (*param.opts, *param.secondary_opts):
                yield " ".join((*path, name))


def test_none_is_forgotten() -> None:
    assert sorted(names()) == sorted(ENTRIES)
    assert len(ENTRIES) == sum(map(len, TABLES.values())), "an entry stands in two tables"


def test_every_entry_has_both_and_an_effect() -> None:
    for name, entry in ENTRIES.items():
        assert set(entry) <= FIELDS, name
        assert entry["says"] and entry["bad"], name
        assert entry.get("shows") or entry.get("hides") or entry.get("writes"), f"{name}: no effect"
        *path, flag = name.split()
        for line in (entry["good"], entry["bad"]):
            assert shlex.split(line)[: len(path)] == path, f"{name}: {line}"
            if flag.startswith("-"):
                assert flag in [word.partition("=")[0] for word in shlex.split(line)], f"{name}: {line}"


def _cases(side: str) -> list[Any]:
    marks = {"torch": [pytest.mark.torch]}
    cases = []
    for name, entry in ENTRIES.items():
        needs = entry.get("needs", "")
        cases.append(pytest.param(entry, id=f"{name} {side}", marks=marks.get(needs, [])))
    return cases


@pytest.fixture
def ready(
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[[dict[str, Any]], Callable[[str], Any]]:
    """Put what an entry needs into an empty folder; what types a line there."""

    def prepare(entry: dict[str, Any]) -> Callable[[str], Any]:
        if "needs" in entry:
            pytest.importorskip(entry["needs"])
        monkeypatch.chdir(tmp_path)
        fixtures = {name: request.getfixturevalue(name) for name in entry.get("given", [])}

        def typed(line: str) -> Any:
            return cli(
                *(word.replace("{mirror}", fixtures.get("mirror") or "") for word in shlex.split(line))
            )

        if "before" in entry:
            assert typed(entry["before"]).status == 0
        return typed

    return prepare


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("entry", _cases("good"))
def test_good(entry: dict[str, Any], ready: Callable[..., Any], tmp_path: Path) -> None:
    typed = ready(entry)
    before = files(tmp_path)
    ended = typed(entry["good"])
    assert ended.status == entry.get("status", 0), ended
    output = ended.out + ended.err
    assert re.search(entry.get("shows", ""), output), output
    assert not ("hides" in entry and re.search(entry["hides"], output)), output
    after = files(tmp_path)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    for pattern, content in entry.get("writes", {}).items():
        matched = sorted(name for name in changed if fnmatchcase(name, pattern))
        assert matched, (pattern, sorted(changed))
        written = [after[name].decode("latin-1") for name in matched if name in after]
        assert any(re.search(content, text) for text in written), pattern
        changed -= set(matched)
    assert not changed


@pytest.mark.parametrize("entry", _cases("bad"))
def test_bad(entry: dict[str, Any], ready: Callable[..., Any], tmp_path: Path) -> None:
    typed = ready(entry)
    before = files(tmp_path), sorted(tmp_path.rglob("*"))
    refused(typed(entry["bad"]), entry["says"])
    assert (files(tmp_path), sorted(tmp_path.rglob("*"))) == before


def refused(ended: Any, says: str) -> None:
    """Exit status 2 and one line."""
    assert ended.status == 2, ended
    assert not ended.out
    assert re.fullmatch(r"hmcbench: [^\n]+\n", ended.err), ended.err
    assert "Traceback" not in ended.err
    assert says in ended.err


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_and_what_is_no_option(cli: Callable[..., Any], path: tuple[str, ...]) -> None:
    for flag in ("-h", "--help"):
        ended = cli(*path, flag)
        assert ended.status == 0 and ended.out.startswith(f"Usage: {' '.join(('hmcbench', *path))}")
    refused(cli(*path, "--help=3"), "--help")
    refused(cli(*path, "--hepl"), "--h")
    if isinstance(COMMANDS[path], click.Group):
        refused(cli(*path, "no-such-command"), "no-such-command")
