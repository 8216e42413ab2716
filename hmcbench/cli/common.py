"""What several commands share: types of arguments, options, NAME=VALUE pairs, durations."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import click

from hmcbench.errors import BadInput
from hmcbench.registry.registry import split_references

NOTEBOOK_WIDTH = 120  # characters, about what a cell shows without wrapping
PATH = click.Path(path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


def in_notebook() -> bool:
    """Whether a Jupyter kernel started this process: colours are shown there, cursor movements are not."""
    return "JPY_PARENT_PID" in os.environ


def references(text: str) -> list[str]:
    """``"a,b[k=1,m=x[n=2]]"`` -> ``["a", "b[k=1,m=x[n=2]]"]``."""
    return split_references(text)


def pairs(option: str, values: Iterable[str], form: str) -> dict[str, str]:
    """``("a=1", "b=2")`` -> ``{"a": "1", "b": "2"}``; raises BadInput that shows the form."""
    lists = pairs_of_several(option, values, form)
    twice = next((key for key, given in lists.items() if len(given) > 1), None)
    if twice is not None:
        raise BadInput(f"{option} {twice} is given twice")
    return {key: value for key, (value,) in lists.items()}


def pairs_of_several(option: str, values: Iterable[str], form: str) -> dict[str, list[str]]:
    """``("a=1", "a=2")`` -> ``{"a": ["1", "2"]}``; raises BadInput that shows the form."""
    out: dict[str, list[str]] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise BadInput(f"{option} {text!r}", allowed=f"{option} {form}")
        out.setdefault(key.strip(), []).append(value.strip())
    return out


def check_output(path: Path | None) -> None:
    """Raise BadInput where the folder of an output file is missing, before any work is done."""
    if path is not None and not path.parent.is_dir():
        raise BadInput(f"no folder {path.parent}", hint="make it first, or name another file")


def check_picture(option: str, path: Path) -> None:
    """The same for a figure, which is always a PNG."""
    if path.suffix != ".png":
        raise BadInput(f"{option} {path}", allowed="a file that ends in .png")
    check_output(path)


def number(_context: click.Context, _option: click.Parameter, value: float) -> float:
    """Callback of an option: refuse ``nan``, which every ``FloatRange`` accepts."""
    if math.isnan(value):
        raise click.BadParameter("nan is not a number")
    return value


device_option = click.option("--device", default="auto", metavar="auto|cpu|cuda:0", show_default=True)
timeout_option = click.option(
    "--timeout",
    default=0.0,
    type=click.FloatRange(0, 1e9),
    callback=number,
    metavar="S",
    help="Seconds per cell; 0: the profile's.",
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    metavar="N",
    help="Allow images of up to N pixels (89 million).",
)
rerun_option = click.option(
    "--rerun",
    type=click.Choice(["missing", "failed", "all"]),
    default="missing",
    show_default=True,
    help="Which cells to run.",
)


def duration(seconds: float) -> str:
    """``75`` -> ``1:15``; hours where there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minutes}:{second:02}"
