"""Spellings of phases: read, or refused; none gets another class in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hmcbench_materials.data.phases import PATHS, phase_set

FCC, BCC, HCP = (f"solid-solution/{lattice}" for lattice in ("FCC", "BCC", "HCP"))
SIGMA, LAVES, B2 = "intermetallic/sigma", "intermetallic/Laves", "intermetallic/ordered/B2"

READ: list[tuple[str, set[str]]] = [
    ("FCC1+FCC2", {FCC}),
    ("BCC1+BCC2", {BCC}),
    ("FCC_1 + BCC-2 + HCP#1", {FCC, BCC, HCP}),
    ("2BCC+FCC", {BCC, FCC}),
    ("FCC+sigma", {FCC, SIGMA}),
    ("FCC+Sigma phase", {FCC, SIGMA}),
    ("FCC+\N{GREEK SMALL LETTER SIGMA}-phase", {FCC, SIGMA}),
    ("FCC+Laves (C14)", {FCC, f"{LAVES}/C14"}),
    ("FCC+C15 Laves", {FCC, f"{LAVES}/C15"}),
    ("Laves-C14+Laves", {LAVES, f"{LAVES}/C14"}),
    ("BCC+laves", {BCC, LAVES}),
    ("BCC+C36", {BCC, LAVES}),
    ("FCC+Im", {FCC, "intermetallic"}),
    ("FCC+intermetallic", {FCC, "intermetallic"}),
    ("bcc", {BCC}),
    ("A2+b2", {BCC, B2}),
    ("FCC+\N{MICRO SIGN}", {FCC, "intermetallic/mu"}),
    ("FCC+L1\N{SUBSCRIPT TWO}", {FCC, "intermetallic/ordered/L12"}),
    ("FCC+L1_2", {FCC, "intermetallic/ordered/L12"}),
    ("BCC/B2", {BCC, B2}),
    ("BCC, B2 and FCC", {BCC, B2, FCC}),
    ("FCC (Cu-rich)+Cr-rich BCC", {FCC, BCC}),
    ("Amorphous", {"amorphous"}),
    ("solid solution", {"solid-solution"}),
    ("FCC+NiTi2+IM(Co+Mo)", {FCC, "intermetallic/compound"}),
    ("MnxPdy", {"intermetallic/compound"}),
    ("FCC+M23C6", {FCC, "other"}),
    ("FCC+Al2O3", {FCC, "other"}),
    ("OTHER", {"other"}),
]


@pytest.mark.parametrize(("cell", "classes"), READ)
def test_spellings_that_are_read(cell: str, classes: set[str]) -> None:
    assert set(phase_set(cell)) == classes
    assert all(tuple(name.split("/")) in {path[: len(name.split("/"))] for path in PATHS} for name in classes)


@pytest.mark.parametrize(
    ("cell", "unknown"),
    [
        *(
            (f"FCC+{name}", name)
            for name in ("Sec.", "?", "unknown", "F CC", "SC", "BCO", "Fcx", "B21", "none")
        ),
        *((f"{name}+BCC", name) for name in ("ordered BCC", "B19", "precipitates", "FCC12")),
    ],
)
def test_what_is_not_known_is_refused(cell: str, unknown: str) -> None:
    with pytest.raises(ValueError, match=r"the phase .* is not known; known are FCC, BCC, HCP") as caught:
        phase_set(cell)
    assert repr(unknown) in str(caught.value)


def test_empty_phases_are_refused() -> None:
    for cell in ("", "FCC+", "+", "FCC++BCC"):
        with pytest.raises(ValueError, match=r"no phase is given|has an empty phase"):
            phase_set(cell)


def test_lint_reads_each_row_or_reports_it(cli: Callable[..., Any], tmp_path: Path) -> None:
    cells = ["FCC1+FCC2", "BCC", "FCC+Sec.", "bcc", "FCC"]
    file = tmp_path / "alloys.csv"
    file.write_text("Alloy,Phases\n" + "\n".join(f"Al0.{i}CoCr,{cell}" for i, cell in enumerate(cells, 1)))
    ended = cli("data", "lint", file, "--dataset", "hea-phases[labels=phases]")
    assert ended.status == 2
    assert "alloys.csv:4: Phases: the phase 'Sec.' is not known" in ended.out
    assert re.search(r"usable rows +4\n", ended.out)


@pytest.mark.parametrize("cell", ["FCC" + " " * 20_000 + "x", "FCC+" * 5_000, "(" * 20_000])
def test_a_cell_of_20_000_characters_is_refused_at_once(cell: str) -> None:
    with pytest.raises(ValueError, match="at most 1,000 are read"):
        phase_set(cell)
