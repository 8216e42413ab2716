"""Write docs/reference/ from the code: the command line, suites, metrics, hooks, helpers for tests.

``python docs/make_reference.py`` writes; ``--check`` fails if a page is out of date.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import click

from hmcbench import interfaces
from hmcbench.cli import COMMANDS, cli
from hmcbench.interfaces import hookspecs
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry, load_object, parse_reference
from hmcbench.testing import checks, helpers

FOLDER = Path(__file__).parent / "reference"
RESULTS = Path(__file__).parent.parent / "results"
NOTE = "<!-- made by docs/make_reference.py; edit the code instead -->\n\n"


def command_line() -> str:
    """Every command's ``--help``."""
    context = click.Context(cli, info_name="hmcbench", terminal_width=100, max_content_width=100)
    parts = [NOTE, "# Command line\n\n```text\n", cli.get_help(context), "\n```\n"]
    parts.append(
        "\nExit status: 0 all cells fine, 1 some cell failed, 2 bad usage or input, 130 interrupted.\n"
    )
    for name in COMMANDS:
        parts += section(context, name, cli.get_command(context, name))
    return "".join(parts)


def section(parent: click.Context, name: str, command: click.Command | None) -> list[str]:
    """The help of a command and of its subcommands."""
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    parts = [f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            parts += section(context, sub, command.get_command(context, sub))
    return parts


def suites() -> str:
    """Every suite: its question, its data, and the boards that are published."""
    registry = default_registry()
    parts = [
        NOTE,
        "# Suites\n\n`hmcbench show suite NAME` lists models, protocol and columns.\n",
        "Boards of `results/` are in the repository, each in a folder of its name.\n",
    ]
    for spec in registry.specs("suites"):
        suite = load_suite(registry, spec.name)
        names = dict.fromkeys(parse_reference(reference).name for reference in suite.datasets)
        datasets: list[interfaces.DatasetSpec] = [registry.get("datasets", name) for name in names]
        lines = [f"- data: `{data.name}`, {data.summary}{_given(data)}" for data in datasets]
        lines.append(f"- ranked by `{suite.primary}`; profiles {', '.join(suite.profiles)}")
        lines.append(f"- published: {_published(spec.name)}")
        parts.append(f"\n## `{spec.name}`\n\n{suite.summary[0].upper()}{suite.summary[1:]}.\n\n")
        parts.append(f"*{suite.question}*\n\n" if suite.question else "")
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def _given(data: interfaces.DatasetSpec) -> str:
    return f" (`--data {data.name}=PATH`)" if data.path_param else ""


def _published(suite: str) -> str:
    """What there is in ``results/``."""
    path = RESULTS / suite / "leaderboard.json"
    if not path.is_file():
        return "nothing"
    boards = json.loads(path.read_text(encoding="utf-8"))["boards"]
    rows = {row["model"] for board in boards for row in board["rows"]}
    count = f"{len(boards)} boards" if len(boards) > 1 else "a board"
    synthetic = " of synthetic data" if all(board["synthetic"] for board in boards) else ""
    return f"`results/{suite}`, {count}{synthetic}, {len(rows)} row{'s' * (len(rows) > 1)}"


def metrics() -> str:
    """Every metric's definition, as its docstring gives it."""
    parts = [NOTE, "# Metrics\n\n`ID` reads coherent decisions, `ID_raw` the raw ones.\n"]
    for spec in default_registry().specs("metrics"):
        text = inspect.cleandoc(load_object(spec.factory).__doc__ or spec.summary)
        parts.append(f"\n## `{spec.name}`\n\n{spec.summary}\n\n```text\n{text}\n```\n")
    return "".join(parts)


def rules() -> str:
    """Every decision rule's definition."""
    parts = [NOTE, "# Decision rules\n\n[Decisions and rules](../decisions.md) says how they are used.\n"]
    for spec in default_registry().specs("rules"):
        text = inspect.cleandoc(load_object(spec.factory).__doc__ or spec.summary)
        parts.append(f"\n## `{spec.name}`\n\n{spec.summary} ({spec.citation})\n\n```text\n{text}\n```\n")
    return "".join(parts)


def contract() -> str:
    """The hooks and the specs."""
    parts = [NOTE, "# Hooks and specs\n\n## Hooks\n\n```python\n", inspect.getsource(hookspecs), "```\n"]
    parts += ["\n## Specs and what factories make\n\n```python\n", inspect.getsource(interfaces), "```\n"]
    return "".join(parts)


def testing() -> str:
    """The functions for the tests of a plugin."""
    parts = [NOTE, "# Testing a plugin\n"]
    for module in (checks, helpers):
        parts.append(f"\n## `{module.__name__}`\n\n```text\n{inspect.cleandoc(module.__doc__ or '')}\n```\n")
        for name, item in sorted(vars(module).items()):
            if inspect.isfunction(item) and item.__module__ == module.__name__ and not name.startswith("_"):
                text = inspect.cleandoc(item.__doc__ or "")
                parts.append(f"\n### `{name}`\n\n```text\n{name}{inspect.signature(item)}\n\n{text}\n```\n")
    return "".join(parts)


def main() -> int:
    pages = {
        FOLDER / "cli.md": command_line(),
        FOLDER / "suites.md": suites(),
        FOLDER / "metrics.md": metrics(),
        FOLDER / "rules.md": rules(),
        FOLDER / "contract.md": contract(),
        FOLDER / "testing.md": testing(),
    }
    outdated = [path for path, text in pages.items() if not path.is_file() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        if outdated:
            names = ", ".join(path.name for path in outdated)
            print(f"out of date: {names}; run python docs/make_reference.py", file=sys.stderr)
        return int(bool(outdated))
    FOLDER.mkdir(exist_ok=True)
    for path in outdated:
        path.write_text(pages[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
