"""The names that plugins may import stand in ``public_names.txt``: to add or remove one is a decision.

A name that goes, or comes, is changed there as well and gets a fragment in ``changelog.d``.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hmcbench

ROOT = Path(__file__).parents[1]
NAMES = (Path(__file__).parent / "public_names.txt").read_text(encoding="utf-8").split()
MODULES = sorted({name.rpartition(".")[0] for name in NAMES})
PARTS = {
    "metrics": ("base",),
    "torchkit": ("expansion", "heads", "layout", "model", "pretrained", "recipes", "weights"),
}
"""The public modules of packages whose ``__init__`` imports nothing."""


def names_in(module: str) -> set[str]:
    """What a module offers: its ``__all__``, else what it defines and does not begin with an underscore."""
    loaded = importlib.import_module(module)
    if hasattr(loaded, "__all__"):
        return set(loaded.__all__)
    tree = ast.parse(Path(loaded.__file__ or "").read_text(encoding="utf-8"))
    return {name for node in tree.body for name in defined(node) if not name.startswith("_")}


def defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in targets:
        yield from (part.id for part in ast.walk(target or ast.Pass()) if isinstance(part, ast.Name))


@pytest.mark.parametrize("module", MODULES)
def test_a_public_module_offers_the_names_that_are_listed(module: str) -> None:
    if ".torchkit." in module:
        pytest.importorskip("timm", reason="needs the extra vision")
    assert sorted(f"{module}.{name}" for name in names_in(module)) == [
        name for name in NAMES if name.rpartition(".")[0] == module
    ]


def test_the_root_offers_the_names_that_are_listed() -> None:
    assert all(hasattr(hmcbench, name) for name in hmcbench.__all__)


def test_the_modules_are_those_that_the_architecture_calls_public() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"<!-- public -->\n```\n(.*?)\n```", text, re.DOTALL)
    _, *packages = line.replace("\n", " ").split(", ")
    modules = [f"{name}.{part}" for name in packages for part in PARTS.get(name, ("",))]
    assert sorted(["hmcbench", *(f"hmcbench.{name}".rstrip(".") for name in modules)]) == MODULES


def test_the_plugins_of_hmcbench_use_listed_names_only() -> None:
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and re.match(r"hmcbench(\.|$)", node.module or ""):
                used = {f"{node.module}.{alias.name}" for alias in node.names}
                assert used <= {*NAMES, *MODULES}, path.relative_to(ROOT)
