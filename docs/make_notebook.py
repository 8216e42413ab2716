"""Writes examples/python.ipynb from docs/python.md: ``python docs/make_notebook.py``."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    cells = []
    for i, part in enumerate(re.split(r"^```python\n(.*?)^```\n", page, flags=re.DOTALL | re.MULTILINE)):
        lines = part.strip().splitlines(keepends=True)
        if not lines:
            continue
        cell = {
            "cell_type": "code" if i % 2 else "markdown",
            "id": f"cell-{i}",
            "metadata": {},
            "source": lines,
        }
        cells.append(cell | ({"execution_count": None, "outputs": []} if i % 2 else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    (ROOT / "examples" / "python.ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
