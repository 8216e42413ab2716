"""docs/python.md and examples/python.ipynb, executed in order."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hmcbench.registry.named import SWITCH

pytest.importorskip("pandas", reason="data frames need pandas")

ROOT = Path(__file__).parents[1]


def page_blocks() -> list[str]:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def notebook_cells() -> list[str]:
    cells = json.loads((ROOT / "examples" / "python.ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("blocks", [page_blocks, notebook_cells])
def test_every_line_runs(blocks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SWITCH, "builtin")
    page = ModuleType("page_of_python")  # classes of a notebook belong to a module, too
    monkeypatch.setitem(sys.modules, page.__name__, page)
    for block in blocks():
        exec(compile(block, "python.md", "exec"), page.__dict__)  # noqa: S102 (our own page)
    frame = page.__dict__["frame"]
    assert frame.loc[0, "model"] in ("ExtraTreesClassifier", "logistic-regression")
    assert set(frame["status"]) == {"ok"}
    assert page.__dict__["values"]["level1_accuracy"] == 1.0
    assert len(page.__dict__["predictions"]) == 40


def test_the_notebook_is_the_page() -> None:
    assert [cell.strip() for cell in notebook_cells()] == [block.strip() for block in page_blocks()]
    cells = json.loads((ROOT / "examples" / "python.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells), "kept without output"
