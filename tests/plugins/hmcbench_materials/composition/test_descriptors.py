"""Descriptors and composition images against the authors' tables, and against XenonPy itself."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmcbench_materials.composition.descriptors import STATISTICS, Descriptors, statistics
from hmcbench_materials.composition.element_properties import PROPERTIES
from hmcbench_materials.composition.elements import ElementTable, read_elements
from hmcbench_materials.composition.formula import amounts_array, parse_formula
from hmcbench_materials.composition.periodic_table import COLUMN
from hmcbench_materials.data.steel import NIMS_ELEMENTS

from hmcbench.errors import BadInput


@pytest.fixture
def table(shared: Callable[[str], Path]) -> ElementTable:
    return read_elements(shared("xenonpy_elements") / "elements_completed_84x58.csv")


def published(path: Path) -> tuple[list[str], np.ndarray]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    missing = ("", "nan", "#NUM!")
    return header, np.array([[np.nan if c in missing else float(c) for c in row] for row in rows])


def random_amounts(rng: np.random.Generator, rows: int, covered: np.ndarray, total: float) -> np.ndarray:
    """Two to seven of the covered elements, amounts that sum to ``total``."""
    amounts = np.zeros((rows, 118))
    for row in amounts:
        chosen = rng.choice(np.flatnonzero(covered), rng.integers(2, 8), replace=False)
        row[chosen] = rng.dirichlet(np.ones(len(chosen))) * total
    return amounts


def test_equal_to_the_authors_tables(shared: Callable[[str], Path], table: ElementTable) -> None:
    folder = shared("xenonpy_elements") / "oracle_mcvn"
    with (folder / "BMG-RMG-CRA__original_data.csv").open(newline="") as file:
        glasses = amounts_array([parse_formula(row["Formula"]) for row in csv.DictReader(file)])
    with (folder / "NIMS__NIMS_Fatigue.csv").open(newline="") as file:
        steels = [{e: float(row[e]) for e in NIMS_ELEMENTS} for row in csv.DictReader(file)]
    for name, amounts in (("BMG-RMG-CRA", glasses), ("NIMS", amounts_array(steels))):
        header, wanted = published(folder / f"{name}__original_images.csv")
        assert header == [f"{s}:{p}" for s in STATISTICS for p in PROPERTIES]
        described = statistics(amounts, table.values, exact=True)
        np.testing.assert_allclose(described, wanted, rtol=1e-6, atol=1e-8, err_msg=name)


def test_the_geometric_mean_overflows_only_where_that_is_asked_for(table: ElementTable) -> None:
    amounts = random_amounts(np.random.default_rng(0), 200, table.covered, 1.0)
    shares = statistics(amounts, table.values)
    percents = statistics(100 * amounts, table.values)
    exact = statistics(100 * amounts, table.values, exact=True)
    column = [PROPERTIES.index("hhi_p") + 3 * len(PROPERTIES)]
    np.testing.assert_allclose(percents[:, column], shares[:, column], rtol=1e-9)
    assert np.isinf(exact[:, column]).mean() > 0.5
    np.testing.assert_allclose(statistics(amounts, table.values, exact=True), shares, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_equal_to_xenonpy(table: ElementTable) -> None:
    """Amounts of parts of 1 and of per cent, 1,000 random compositions each."""
    backend = pytest.importorskip("hmcbench_materials.composition.xenonpy_backend")
    rng = np.random.default_rng(1)
    for total in (1.0, 100.0):
        amounts = random_amounts(rng, 1000, table.covered, total)
        wanted = backend.xenonpy_statistics(amounts, table)
        described = statistics(amounts, table.values, exact=True)
        scale = np.maximum(np.abs(wanted), 1.0)
        same = (
            (described == wanted)
            | (np.abs(described - wanted) <= 1e-9 * scale)
            | (np.isnan(described) & np.isnan(wanted))
        )
        # a harmonic mean of values of both signs divides by a difference that may nearly vanish
        assert same.mean() > 0.99999 and same[:, : 4 * 58].all() and same[:, 5 * 58 :].all()


def test_rows_do_not_depend_on_each_other(table: ElementTable) -> None:
    amounts = random_amounts(np.random.default_rng(2), 50, table.covered, 100.0)
    whole = statistics(amounts, table.values)
    alone = np.vstack([statistics(row[None], table.values) for row in amounts])
    assert np.array_equal(whole, alone, equal_nan=True)


def test_what_has_no_descriptors_is_an_error(shared: Callable[[str], Path]) -> None:
    path = str(shared("xenonpy_elements") / "elements_completed_84x58.csv")
    featurizer = Descriptors(elements=path)
    amounts = np.zeros((1, 118))
    with pytest.raises(BadInput, match="holds no element"):
        featurizer.transform(amounts)
    amounts[0, COLUMN["He"]] = 1
    with pytest.raises(BadInput, match="does not cover He"):
        featurizer.transform(amounts)
    amounts[0] = 0
    amounts[0, [COLUMN["Fe"], COLUMN["O"]]] = 40, 60
    assert np.isfinite(featurizer.transform(amounts)).all()
    assert not np.isfinite(Descriptors(elements=path, finite=False).transform(amounts)).all()
    assert len(featurizer.columns) == 406
