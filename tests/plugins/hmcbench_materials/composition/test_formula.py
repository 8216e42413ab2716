"""Formulas: shares and multiples, all published ones, and pymatgen where both mean the same."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hmcbench_materials.composition import periodic_table
from hmcbench_materials.composition.formula import FormulaError, parse_formula
from hypothesis import given
from hypothesis import strategies as st

_SYMBOLS = st.sampled_from(periodic_table.SYMBOLS[:94])
_ATOM = st.tuples(_SYMBOLS, st.integers(1, 40)).map(lambda p: f"{p[0]}{p[1]}")
_GROUP = st.tuples(st.lists(_ATOM, min_size=1, max_size=4), st.integers(2, 9)).map(
    lambda p: f"({''.join(p[0])}){p[1]}"
)
_FORMULA = st.lists(_ATOM | _GROUP, min_size=1, max_size=6).map("".join)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("Zr41.2Ti13.8Cu12.5Ni10Be22.5", {"Zr": 41.2, "Ti": 13.8, "Cu": 12.5, "Ni": 10, "Be": 22.5}),
        ("(Ce0.72Cu0.28)90Al10", {"Ce": 64.8, "Cu": 25.2, "Al": 10}),
        ("(CaCu)70Mg30", {"Ca": 35, "Cu": 35, "Mg": 30}),
        ("(Fe75Cr25)83P17", {"Fe": 62.25, "Cr": 20.75, "P": 17}),
        ("Ca(OH)2", {"Ca": 1, "O": 2, "H": 2}),
        ("Al0.04(CoCrFe)", {"Al": 0.04, "Co": 1, "Cr": 1, "Fe": 1}),
        ("[(Fe0.9Co0.1)72Mo4B24]94Dy6", {"Fe": 60.912, "Co": 6.768, "Mo": 3.76, "B": 22.56, "Dy": 6}),
        ("{[(Fe0.5Co0.5)0.8B0.2]0.5Nb0.5}96Cr4", {"Fe": 19.2, "Co": 19.2, "B": 9.6, "Nb": 48, "Cr": 4}),
        (" Fe56 Co44 ", {"Fe": 56, "Co": 44}),
        ("FeAlFe", {"Fe": 2, "Al": 1}),
        ("Al.5Ti", {"Al": 0.5, "Ti": 1}),
    ],
)
def test_what_a_formula_means(text: str, amounts: dict[str, float]) -> None:
    assert parse_formula(text) == pytest.approx(amounts)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("Al40Cu60T", "unknown-element", "'Al40Cu60T': 'T' is no element"),
        ("Xx5", "unknown-element", "'Xx' is no element"),
        ("", "formula", "holds no element"),
        ("Al0", "formula", "holds no element"),
        ("Al(Cu", "formula", r"'\)' is missing"),
        ("Al)Cu", "formula", r"'\)' closes nothing"),
        ("(Al]", "formula", "'\\]' closes nothing"),
        ("40Al", "formula", "the amount 40 stands behind no element"),
        ("Al-3", "negative", "the amount -3 is negative"),
        ("Al" + "9" * 400, "formula", "too large"),
        ("(" * 5000 + "Al", "formula", "parentheses within each other"),
    ],
)
def test_what_cannot_be_read(text: str, kind: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        parse_formula(text)
    assert caught.value.kind == kind


@given(st.text(alphabet="AlCuFeT()[]{}0123456789. -eE", max_size=30))
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    try:
        amounts = parse_formula(text)
    except FormulaError:
        return
    assert set(amounts) <= set(periodic_table.SYMBOLS)
    assert min(amounts.values()) >= 0 < sum(amounts.values())


@pytest.mark.filterwarnings("ignore")
@given(_FORMULA)
def test_as_pymatgen_reads_it(text: str) -> None:
    """Where the amounts side by side add up to 100 or 1 they are shares, which pymatgen does not know."""
    composition = pytest.importorskip("pymatgen.core").Composition
    outside = sum(amounts_outside(text))
    if abs(outside - 100) < 1 or outside <= 1:
        return
    inner = [sum(amounts_outside(group)) for group in groups(text)]
    if any(abs(total - 100) < 1 or total <= 1 for total in inner):
        return
    wanted = {str(e): float(n) for e, n in composition(text).items()}
    assert parse_formula(text) == pytest.approx(wanted)


def groups(text: str) -> list[str]:
    return [part.split(")")[0] for part in text.split("(")[1:]]


def amounts_outside(text: str) -> list[float]:
    """The amounts that stand beside each other at the top of a formula of the strategy above."""
    for group in groups(text):
        text = text.replace(f"({group})", "Q", 1)
    numbers = "".join(c if c.isdigit() else " " for c in text)
    return [float(n) for n in numbers.split()]


def test_all_published_formulas(shared: Callable[[str], Path]) -> None:
    """6,470 formulas, 195 with parentheses: these add up to 100 (two to 1), as alloys do; one slip."""
    with (shared("amorphous_alloys") / "GFA.csv").open(newline="") as file:
        texts = [row["Alloy"] for row in csv.DictReader(file)]
    failed = []
    totals = []
    for text in texts:
        try:
            amounts = parse_formula(text)
        except FormulaError as error:
            failed.append(str(error))
            continue
        if "(" in text:
            totals.append(sum(amounts.values()))
    assert failed == ["'Al40Cu60T': 'T' is no element (H to Og)"]
    assert len(totals) == 195
    assert sum(abs(t - 100) < 0.5 for t in totals) == 193 and sum(abs(t - 1) < 0.01 for t in totals) == 2
