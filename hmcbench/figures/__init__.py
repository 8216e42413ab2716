"""Figures of a run, from its records alone (the pictures of mistakes need the data too).

Everything is drawn with matplotlib's objects, never through pyplot: no global state, no display,
and nothing of matplotlib is imported before something is drawn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmcbench.figures.record import draw_record

__all__ = ["draw_record"]
_WHERE = {"draw_record": "record"}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"hmcbench.figures.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'hmcbench.figures' has no attribute {name!r}")
