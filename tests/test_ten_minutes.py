"""docs/ten-minutes.md: its files, its commands in their order, and the numbers that it works out by hand."""

from __future__ import annotations

import csv
import itertools
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "ten-minutes.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([HTP]\.csv)`[^\n]*\n\n```csv\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)).splitlines()


def write_files(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def values(out: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) +(\d\.\d{4})$", out, re.MULTILINE))


def test_the_worked_example(cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(FILES) == ["H.csv", "P.csv", "T.csv"]
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    at_half, lower = (cli(*shlex.split(line)[1:]) for line in COMMANDS[:2])
    assert (at_half.status, lower.status) == (0, 0), at_half.err + lower.err
    shown = values(at_half.out)
    printed = dict(re.findall(r"^\| `(\w+)` \| (\d\.\d{4}) \|", TEXT, re.MULTILINE))
    assert len(printed) == 5
    assert {name: shown[name] for name in printed} == printed
    assert (shown["auprc_micro"], shown["auprc_pooled_clus"]) == ("0.9583", "0.9653")
    assert values(lower.out)["exact_match"] == "1.0000"
    assert values(lower.out)["incoherent_rate"] == "0.5000"  # one of two raw decisions is not closed


def test_the_area_by_hand_is_that_of_scikit_learn() -> None:
    rows = list(csv.reader(FILES["P.csv"].splitlines()))
    scores = np.array([row[1:] for row in rows[1:]], dtype=float)
    truth = np.array([[1, 1, 0, 1, 1], [1, 0, 1, 0, 0]])
    assert rows[0][1:] == ["metabolism", "energy", "amino acids", "transport", "ions"]
    assert average_precision_score(truth, scores, average="micro") == pytest.approx((5 + 6 / 8) / 6)


@pytest.mark.slow  # four cells, one of them a network
@pytest.mark.torch
def test_the_run(cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="c-hmcnn needs torch")
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 5 and all(line.startswith("hmcbench ") for line in COMMANDS)
    for line in COMMANDS[2:]:
        ended = cli(*shlex.split(line)[1:])
        assert ended.status == 0, ended.err
    board = (tmp_path / "board.md").read_text(encoding="utf-8")
    measured = rows(board, "auprc_micro ↑ ")
    for model, cells in rows(TEXT, "auprc_micro |").items():
        assert abs(float(cells[0].split()[0]) - float(measured[model][0].split()[0])) < 0.02, model
    assert list(measured)[2:] == ["pct-forest", "prior"]
    rules = re.search(r"### exact_match.*?\n\n(.*?)\n\n", board, re.DOTALL)
    assert rules is not None and "expected-hf1" in rules[1] and "map" in rules[1]


def rows(text: str, head: str) -> dict[str, list[str]]:
    """Model, without its rule -> further cells, of the table whose first line has ``head``."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|") and head in line)
    out = {}
    for line in itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :]):
        cells = [cell.strip().replace("\\", "") for cell in line.split("|")[1:-1]]
        cells = cells[1:] if cells[0].isdigit() else cells
        out[cells[0].partition(" · ")[0]] = cells[1:]
    return out
