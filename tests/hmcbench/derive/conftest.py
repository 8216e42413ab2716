"""A run of the toy suite, and predictions of its test samples in files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hmcbench.records.record import Record, read_all

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("p.csv", head, rows)`` writes a CSV file to the folder of the test, and returns its path."""

    def table(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
        return path

    return table


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with the models prior and random on all datasets of ``smoke``. Read only."""
    import hmcbench

    out = tmp_path_factory.mktemp("toy") / "runs"
    hmcbench.run("smoke", models=["prior", "random"], out=out, in_process=True, progress=False)
    return out


def record_of(runs: Path, dataset: str, label: str) -> Record:
    """The one record of a row on a dataset."""
    (record,) = [r for r in read_all(runs) if (r.dataset, r.label) == (dataset, label)]
    return record
