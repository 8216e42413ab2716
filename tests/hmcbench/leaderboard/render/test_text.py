"""How boards print numbers."""

from __future__ import annotations

import pytest

from hmcbench.leaderboard.render.text import number, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0000512, "5.12e-05"),
        (12.34, "12.3"),
        (999.4, "999"),
        (999.5, "1,000"),
        (999.99, "1,000"),
        (1000.4, "1,000"),
        (23512134.0, "23,512,134"),
    ],
)
def test_numbers_have_three_digits_and_whole_ones_from_a_thousand_on(value: float, text: str) -> None:
    assert number(value, "number") == text and number(-value, "number") == f"-{text}"
    assert signed(value, "number") == number(value, "number drop") == f"+{text}"
    assert signed(-value, "number") == f"-{text}"
