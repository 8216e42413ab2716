"""Writes docs/reference/: the command line, the metrics and the hooks, from the code itself.

``python docs/make_reference.py`` writes; ``--check`` fails when a page is stale.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import click

from hmcbench import hookspecs, interfaces
from hmcbench.cli import COMMANDS, cli
from hmcbench.registry.registry import default_registry, load_object
from hmcbench.testing import checks
from hmcbench.testing import helpers as testing

FOLDER = Path(__file__).parent / "reference"
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
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    parts = [f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            parts += section(context, sub, command.get_command(context, sub))
    return parts


def metrics() -> str:
    """Every metric's definition, as its docstring gives it."""
    parts = [
        NOTE,
        "# Metrics\n\nDecisions, ids and conventions: every id names its convention. `<id>_coherent` is\n",
    ]
    parts.append("the same metric on coherent decisions.\n")
    for spec in default_registry().specs("metrics"):
        text = inspect.cleandoc(load_object(spec.factory).__doc__ or spec.summary)
        parts.append(f"\n## `{spec.name}`\n\n{spec.summary}\n\n```text\n{text}\n```\n")
    return "".join(parts)


def contract() -> str:
    """The hooks and the specs."""
    parts = [NOTE, "# Hooks and specs\n\n## Hooks\n\n```python\n", inspect.getsource(hookspecs), "```\n"]
    parts += ["\n## Specs and what factories make\n\n```python\n", inspect.getsource(interfaces), "```\n"]
    return "".join(parts)


def helpers() -> str:
    """What the tests of a plugin may use."""
    parts = [NOTE, "# For the tests of a plugin\n"]
    for module in (checks, testing):
        parts.append(f"\n## `{module.__name__}`\n\n```text\n{inspect.cleandoc(module.__doc__ or '')}\n```\n")
        for name, item in sorted(vars(module).items()):
            if inspect.isfunction(item) and item.__module__ == module.__name__ and not name.startswith("_"):
                text = inspect.cleandoc(item.__doc__ or "")
                parts.append(f"\n### `{name}`\n\n```text\n{name}{inspect.signature(item)}\n\n{text}\n```\n")
    return "".join(parts)


def main() -> int:
    pages = {"cli.md": command_line(), "metrics.md": metrics(), "contract.md": contract()}
    pages["testing.md"] = helpers()
    FOLDER.mkdir(exist_ok=True)
    stale = [n for n, text in pages.items() if not (FOLDER / n).is_file() or (FOLDER / n).read_text() != text]
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"stale: {', '.join(stale)}; run python docs/make_reference.py", file=sys.stderr)
        return int(bool(stale))
    for name in stale:
        (FOLDER / name).write_text(pages[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
