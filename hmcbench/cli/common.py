"""What several commands share: parsing of NAME=VALUE and the progress of a run in words."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import click

from hmcbench.errors import BadInput

NOTEBOOK_WIDTH = 120  # characters, about what a cell shows without wrapping


def in_notebook() -> bool:
    """Whether a Jupyter kernel started this process: colours are shown there, cursor movements are not."""
    return "JPY_PARENT_PID" in os.environ


def pairs(option: str, values: Iterable[str], form: str) -> dict[str, str]:
    """``("a=1", "b=2")`` -> ``{"a": "1", "b": "2"}``; raises BadInput that shows the form."""
    out: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise BadInput(f"{option} {text!r}", allowed=f"{option} {form}")
        if key.strip() in out:
            raise BadInput(f"{option} {key.strip()} is given twice")
        out[key.strip()] = value.strip()
    return out


def check_output(path: Path | None) -> None:
    """Raise BadInput where the folder of a file to be written is not there: before any work is done."""
    if path is not None and not path.parent.is_dir():
        raise BadInput(f"no folder {path.parent}", hint="make it first, or name another file")


def number(_context: click.Context, _option: click.Parameter, value: float) -> float:
    """Callback of an option: refuse ``nan``, which every range lets through."""
    if math.isnan(value):
        raise click.BadParameter("nan is not a number")
    return value


def duration(seconds: float) -> str:
    """``75`` -> ``1:15``; hours where there are any."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
