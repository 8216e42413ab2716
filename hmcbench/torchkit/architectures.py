"""Whether timm knows an architecture: asked while a run is planned, so that a slip costs no waiting."""

from __future__ import annotations

import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path

from hmcbench.errors import BadInput, close_matches

_REGISTERED = re.compile(r"^@register_model\s+def (\w+)\(", re.MULTILINE)


def check(*, architecture: str = "", backbone: str = "", **_others: object) -> None:
    """The ``check`` of model specs that name a timm network in one of these two parameters.

    Known names are found in timm's source: importing it, and torch with it, costs seconds. A name that
    is not there (timm has aliases too) is timm's own to refuse.

    Raises:
        BadInput: timm does not know it; names those that are spelt alike.
    """
    name = architecture or backbone
    if name.partition(".")[0] not in _registered():  # what follows the dot are pretrained weights
        refuse_unknown(name)


def refuse_unknown(name: str) -> None:
    """Ask timm itself; raises BadInput for a name that it does not know."""
    timm = importlib.import_module("timm")
    if not timm.is_model(name):
        guess = close_matches(name, timm.list_models())
        raise BadInput(
            f"unknown timm architecture {name!r}" + (f"; {guess}" if guess else ""),
            allowed="a name that timm.list_models() gives",
        )


@cache
def _registered() -> frozenset[str]:
    spec = importlib.util.find_spec("timm")
    places = spec.submodule_search_locations if spec is not None else None
    files = [file for place in places or () for file in Path(place, "models").glob("*.py")]
    return frozenset(n for file in files for n in _REGISTERED.findall(file.read_text(encoding="utf-8")))
