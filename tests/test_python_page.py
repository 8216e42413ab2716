"""docs/python.md and examples/python.ipynb, executed in order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

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


EXPECTED = """
assert frame.loc[0, "model"] in ("ExtraTreesClassifier", "logistic-regression"), frame
assert set(frame["status"]) == {"ok"}, frame
assert values["level1_accuracy"] == 1.0
assert len(predictions) == 40
"""


@pytest.mark.parametrize("from_file", [True, False])
def test_every_line_runs(from_file: bool, tmp_path: Path) -> None:
    """As a script, without a guard of its main module; and as a notebook, whose classes are in no file."""
    code = "\n".join([*(page_blocks() if from_file else notebook_cells()), EXPECTED])
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    completed = subprocess.run(
        [sys.executable, "page.py" if from_file else "-"],
        input=None if from_file else code,
        cwd=tmp_path,
        env={**os.environ, SWITCH: "builtin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert not completed.stderr


def test_the_notebook_is_the_page() -> None:
    assert [cell.strip() for cell in notebook_cells()] == [block.strip() for block in page_blocks()]
    cells = json.loads((ROOT / "examples" / "python.ipynb").read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells), "kept without output"
