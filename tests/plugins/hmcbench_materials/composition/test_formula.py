"""Formulas: shares and multiples, all published ones, and pymatgen where both mean the same."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hmcbench_materials.composition import periodic_table
from hmcbench_materials.composition.formula import FormulaError, parse_formula, read_formula
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
        ("Al\N{SUBSCRIPT ZERO}.\N{SUBSCRIPT FIVE}Ti", {"Al": 0.5, "Ti": 1}),
        ("Fe56Co44 at.%", {"Fe": 56, "Co": 44}),
        ("Fe56Co44 (at%)", {"Fe": 56, "Co": 44}),
        ("Fe56Co44, mol%", {"Fe": 56, "Co": 44}),
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
        ("(Al" + "9" * 200 + "Cu)" + "9" * 200, "formula", "too large"),
        ("C o50", "formula", "'o50' cannot be read"),
        ("Fe\N{ARABIC-INDIC DIGIT FIVE}", "formula", "cannot be read"),
        ("(" * 900 + "Al", "formula", "parentheses within each other"),
    ],
)
def test_what_cannot_be_read(text: str, kind: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        parse_formula(text)
    assert caught.value.kind == kind


MOLES = [  # mean atomic number, and what the amounts are
    ("(Li2S)75(P2S5)25", 11.0, {"Li": 37.5, "S": 50, "P": 12.5}),
    ("(Na2O)15(CaO)10(SiO2)75", 10.2759, {"Na": 10.345, "Ca": 3.448, "Si": 25.862, "O": 60.345}),
    ("(Al2O3)50(SiO2)50", 10.0, {"Al": 25, "Si": 12.5, "O": 62.5}),
    ("(GeTe)85(AgSbTe2)15", 44.2174, {"Ge": 36.957, "Ag": 6.522, "Sb": 6.522, "Te": 50}),
    ("(ZrO2)97(Y2O3)3", 18.7516, {"Zr": 31.699, "Y": 1.961, "O": 66.340}),
    ("(Bi2Te3)0.95Cu0.05", 64.0313, {"Bi": 39.583, "Te": 59.375, "Cu": 1.042}),
    ("(Fe3Al)60(TiC)40", 20.5625, {"Fe": 56.25, "Al": 18.75, "Ti": 12.5, "C": 12.5}),
    ("[(Li2S)75(P2S5)25]90(LiI)10", 11.8947, {"Li": 38.158, "S": 47.368, "P": 11.842, "I": 2.632}),
    ("((As2S3))40((GeS2))60", 22.1053, {"As": 21.053, "S": 63.158, "Ge": 15.789}),
]


@pytest.mark.parametrize(("text", "mean_number", "percent"), MOLES)
def test_amounts_behind_compounds_are_moles(text: str, mean_number: float, percent: dict[str, float]) -> None:
    amounts = parse_formula(text)
    total = sum(amounts.values())
    assert {e: 100 * n / total for e, n in amounts.items()} == pytest.approx(percent, abs=1e-3)
    numbers = (n * (1 + periodic_table.COLUMN[e]) for e, n in amounts.items())
    assert sum(numbers) / total == pytest.approx(mean_number, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("La62Al14(Cu5Ag1)12(Ni1Co1)12", {"La": 62, "Al": 14, "Cu": 10, "Ag": 2, "Ni": 6, "Co": 6}),
        ("(Fe2Co)80B20", {"Fe": 160 / 3, "Co": 80 / 3, "B": 20}),
        ("Al6(CoCrFeNi2)94", {"Al": 6, "Co": 18.8, "Cr": 18.8, "Fe": 18.8, "Ni": 37.6}),
        ("(Fe0.9Co0.1)0.7B0.3", {"Fe": 0.63, "Co": 0.07, "B": 0.3}),
    ],
)
def test_amounts_behind_groups_of_an_alloy_are_shares(text: str, amounts: dict[str, float]) -> None:
    assert parse_formula(text) == pytest.approx(amounts)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("(Li2S)75(P2S5)25", "as moles: Li 37.5 S 50 P 12.5 %; as shares it would be Li 50 S 42.9 P 7.14 %"),
        ("(CaCu)70Mg30", "as shares: Ca 35 Cu 35 Mg 30 %; as moles it would be Ca 41.2 Cu 41.2 Mg 17.6 %"),
        ("(Fe2Co)80B20", "read as shares: Fe 53.3 Co 26.7 B 20 %"),
        ("Ti6Al4V", "if Ti-6Al-4V in weight per cent is meant, write Ti86.2Al10.2V3.6"),
        ("Fe18Cr8Ni", "if Fe-18Cr-8Ni in weight per cent is meant, write Fe73.3Cr19.2Ni7.54"),
        ("Ti5Al2.5Sn", "if Ti-5Al-2.5Sn in weight per cent is meant"),
        ("Ni20Cr", "if Ni-20Cr in weight per cent is meant, write Ni78Cr22"),
    ],
)
def test_where_two_readings_differ_a_note_says_which_was_taken(text: str, note: str) -> None:
    (given,) = read_formula(text).notes
    assert note in given


@pytest.mark.parametrize(
    "text",
    [
        *("(Ce0.72Cu0.28)90Al10", "(Fe75Cr25)83P17", "Ca(OH)2", "(GeTe)85(PbTe)15", "Al0.04(CoCrFe)"),
        *("Ni3Al", "Cu5Zr", "Nd2Fe14B", "Hf0.5Nb0.5Ta0.5Ti1.5Zr", "Al0.5CoCrFeNi", "Fe2O3", "Ti3AlC2"),
    ],
)
def test_no_note_where_there_is_one_reading(text: str) -> None:
    assert not read_formula(text).notes


_WEIGHTS = "amounts before elements, behind hyphens, are the notation of weight per cent"
NOTATIONS = [
    ("Fe-18Cr-8Ni", f"{_WEIGHTS}; as atoms that is Fe73.3Cr19.2Ni7.54"),
    ("Ti-6Al-4V", f"{_WEIGHTS}; as atoms that is Ti86.2Al10.2V3.6"),
    ("Cu-50Zr", _WEIGHTS),
    ("Ti\N{EN DASH}6Al\N{EN DASH}4V", _WEIGHTS),
    ("Ni - 20 Cr", _WEIGHTS),
    ("18Cr-8Ni", f"{_WEIGHTS}; write amounts of atoms"),
    ("Ti-60Al-50V", f"{_WEIGHTS}; write amounts of atoms"),
    ("Fe-0.2C-Mo", f"{_WEIGHTS}; write amounts of atoms"),
    ("Ti-6Al-4V ELI", "hyphens are not read"),
    ("70Li2S-30P2S5", "hyphens are not read"),
    ("Fe-Cr-Ni", "elements joined by hyphens have no amounts"),
    ("Fe50-Co50", "hyphens join the elements; write Fe50Co50"),
    ("Fe 5 6Co44", "'5 6' holds a blank inside a number"),
    ("Al0. 5Co", "'0. 5' holds a blank inside a number"),
    ("Fe50 .5Co", "'50 .5' holds a blank inside a number"),
    ("(FeCo)9 0B10", "'9 0' holds a blank inside a number"),
    ("Al1.2.3Co", "'1.2.3' is no number: it has two points"),
    ("Al1..5Co", "'1..5' is no number: it has two points"),
    ("Al1.Co", "'1.' is no number: nothing follows its point"),
    ("AlCo1.", "'1.' is no number: nothing follows its point"),
    ("Al_0.5Co", "'_' marks a subscript"),
    ("Al$_{0.5}$Co", "'$' marks a subscript"),
    ("Fe1_0Co90", "'_' marks a subscript"),
    ("Fe5e-1Co", "'5e-1' is an exponent"),
    ("Fe1E2Co", "'1E2' is an exponent"),
    ("Fe10^2Co", "'^' is an exponent"),
    ("Fe\N{SUPERSCRIPT TWO}Co", "is an exponent"),
    ("Fe(bal)Cr18", "'bal' is no amount; write the balance as a number"),
    ("FeBal.Cr18", "'Bal' is no amount"),
    ("Cr18Fe balance", "'balance' is no amount"),
    ("Fe82Cr18 wt.%", "'wt.%' is weight per cent, which is not read"),
    ("Fe82Cr18 (wt%)", "'wt%' is weight per cent"),
    ("Ti-6Al-4V (wt.%)", "'wt.%' is weight per cent"),
    ("Fe82Cr18 mass%", "'mass%' is weight per cent"),
    ("Fe 82 at.% Cr 18 at.%", "'at.%' is read at the end of a formula only"),
    ("Fe50%Co50%", "'%' is not read"),
    ("CuSO4\N{MIDDLE DOT}5H2O", "joins two compounds"),
    ("CuSO4.5H2O", "'.5H2O' joins two compounds"),
    ("AlxCoCrFeNi", "'Alx' holds a variable"),
    ("Fe1-xCox", "'1-x' holds a variable"),
]


@pytest.mark.parametrize(("text", "message"), NOTATIONS)
def test_another_notation_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    assert message in str(caught.value)
    assert caught.value.kind == "notation"


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


@pytest.mark.parametrize("text", ["Fe55.s" + " " * 20_000, "Fe" + "1" * 20_000, "(" * 20_000, "Fe, " * 5_000])
def test_a_formula_of_20_000_characters_is_refused_at_once(text: str) -> None:
    with pytest.raises(FormulaError, match="at most 1,000 are read"):
        parse_formula(text)


def test_time_grows_no_faster_than_the_square_of_the_length() -> None:
    """The search for ``at.%`` at the end took the third power of a row of blanks."""
    assert parse_formula("Fe50" + " " * 900 + "Ni50" + " " * 40) == {"Fe": 50.0, "Ni": 50.0}
    assert parse_formula("Fe50Ni50" + " ," * 400 + " at. %") == {"Fe": 50.0, "Ni": 50.0}
