"""The simulations of the statistics still run, and what their page shows keeps what the docs promise."""

from __future__ import annotations

from pathlib import Path

import pytest
import simulate_statistics

PAGE = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[float]]:
    """The numbers of a section of the page."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[float(cell) for cell in line] for line in lines[2:]]


def test_the_script_makes_the_page() -> None:
    again = simulate_statistics.page(scale=0.0)
    headings = [line for line in again.splitlines() if line.startswith("#")]
    assert headings == [line for line in PAGE.splitlines() if line.startswith("#")]
    assert again.partition("## ")[0].splitlines()[:5] == PAGE.partition("## ")[0].splitlines()[:5]


def test_errors_are_at_most_six_in_a_hundred() -> None:
    errors = table("Family-wise error")
    assert [row[0] for row in errors] == [2, 10, 30, 100, 300]
    assert all(error <= 0.06 for row in errors for error in row[2:])
    claims = table("Best of the board")
    assert all(row[7] <= 0.06 and row[5] - row[6] <= 0.06 for row in claims)


@pytest.mark.parametrize(
    ("heading", "columns"),
    [("Seeds", (2, 4)), ("One seed, five folds", (1,)), ("Groups", (1,)), ("Shares near 1", (2,))],
)
def test_intervals_cover(heading: str, columns: tuple[int, ...]) -> None:
    rows = table(heading)
    assert rows and all(row[column] >= 0.94 for row in rows for column in columns)


def test_a_perfect_copy_rarely_fails_and_noise_is_undecided() -> None:
    copies = {row[0]: row for row in table("Verdicts on published rows") if row[1] == 0}
    assert all(row[3] + row[4] <= 0.055 for row in copies.values())
    assert copies[0.008][2] > 0.9 and copies[0.03][2] == 0
