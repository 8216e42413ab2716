"""A part of what ``benchmarks/soak.py`` tries: many cells in one run, and many records in one folder."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import soak

from hmcbench.testing.helpers import tiny_suite


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "soak.toml").write_text(tiny_suite("soak", ["random"]), "utf-8")
    return tmp_path


@pytest.mark.alone
@pytest.mark.slow
def test_a_run_of_many_cells_stays_level_and_answers(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = {"MOST_BYTES": 100_000.0, "MOST_FILES": 12, "MOST_BESIDE_S": 3.0, "ANSWER_S": 20.0}
    for name, bound in bounds.items():  # the script has the strict ones: so few cells show no smaller slope
        monkeypatch.setattr(soak, name, bound)
    assert soak.soaked(place, soak.PlanSize.of(60))
    assert soak.interrupted(place, soak.PlanSize.of(2000), 2, random.Random(0))


@pytest.mark.alone
@pytest.mark.slow
def test_a_folder_of_many_records_is_listed_resumed_and_shown(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak.handled(place, 500)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        *("listed", "resumed, with the board", "shown", "shown again")
    ]


def test_a_slope_is_bytes_for_each_cell() -> None:
    watched = soak.MemoryCourse([(n, 1000 + 300 * n, 9) for n in range(100)])
    assert watched.slope(100) == pytest.approx(300)
    assert watched.files(100) == (9, 9)
