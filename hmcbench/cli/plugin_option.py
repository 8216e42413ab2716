"""``--plugin``, in a module of its own: ``hmcbench list`` imports neither pathlib nor the other options."""

from __future__ import annotations

import click

from hmcbench.registry.registry import load_named


def _add_plugins(_context: click.Context, _option: click.Parameter, names: tuple[str, ...]) -> None:
    """Callback of --plugin: the registry of this process and its workers load them too."""
    load_named(names)


plugin_option = click.option(
    "--plugin",
    multiple=True,
    expose_value=False,
    callback=_add_plugins,
    metavar="FILE.py|MODULE",
    help="Load a plugin that is not installed.",
)
