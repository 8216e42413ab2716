"""The README's commands are real: the tour runs as written, the two lines are what CI runs."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from hmcbench.cli import cli as group

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def test_ci_runs_the_second_line_of_the_readme() -> None:
    second = blocks(README)[1].strip()
    assert second in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_tour_runs_as_written(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tour,) = blocks(README.partition("<!-- tour -->")[2])[:1]
    for line in tour.strip().splitlines():
        program, *args = shlex.split(line)
        assert program == "hmcbench"
        ended = cli(*args)
        assert ended.status == 0, f"{line}: {ended.err}{ended.out}"


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda p: p.name
)
def test_every_command_in_the_documents_exists(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands and flags are parsed, not run; the files that they name need not be there."""
    monkeypatch.setattr("hmcbench.cli.plugin_option.load_named", lambda _names: None)
    for block in blocks(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            starts = [i for i, w in enumerate(words) if w.rpartition("/")[2] == "hmcbench"]
            if not starts or "install" in words[: starts[-1]][-1:]:
                continue
            args = words[starts[-1] + 1 :]
            parse(group, "hmcbench", args)


def parse(
    command: click.Command | None, name: str, args: list[str], parent: click.Context | None = None
) -> None:
    """Fails with click's own error where a command or a flag does not exist."""
    assert command is not None, name
    if isinstance(command, click.Group):
        # with its own settings: a command keeps the help option of the first context that it is parsed in
        context = click.Context(command, parent, name, **command.context_settings)
        child = command.get_command(context, args[0])
        parse(child, args[0], args[1:], context)
    else:
        command.make_context(name, list(args), parent, resilient_parsing=False)


def test_the_board_in_the_readme_is_the_published_one() -> None:
    """Figures in the README come from records that are kept."""
    namespace = runpy.run_path(str(ROOT / "docs" / "make_board.py"))
    assert namespace["text"]() == README
    records = list((ROOT / "results" / "sem-failure" / "records").glob("*/record.json"))
    assert len(records) >= 7


def test_the_page_on_the_order_of_models_is_what_the_records_say() -> None:
    namespace = runpy.run_path(str(ROOT / "docs" / "make_order.py"))
    assert namespace["text"]() == (ROOT / "docs" / "order.md").read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http", "mailto")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
