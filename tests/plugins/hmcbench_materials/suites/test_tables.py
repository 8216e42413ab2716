"""The tables of the MCVN paper: copied right, with models that exist, and their errata computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry
from hmcbench.reproduce.compare import plan_table
from hmcbench.reproduce.tables import find_table, inconsistencies, known_tables

NUMBERS = ("3", "5", "6", "7", "8")


def values(table: str, label: str) -> tuple[float, ...]:
    return next(row.values for row in find_table(default_registry(), table).rows if row.label == label)


def test_the_tables_are_found_by_their_numbers() -> None:
    names = {table.name for table in known_tables(default_registry())}
    assert {f"mcvn-{number}" for number in NUMBERS} <= names


@pytest.mark.parametrize("number", NUMBERS)
def test_every_row_has_a_model_and_every_value_is_possible(number: str) -> None:
    registry = default_registry()
    table = find_table(registry, number)
    assert load_suite(registry, table.suite).name == table.suite
    for row in table.rows:
        try:
            spec, _ = registry.resolve("models", row.model, "quick")
        except BadInput:
            assert row.model.startswith("mcvn"), row.model
            continue
        assert "hmc" in spec.tasks if number == "6" else "regression" in spec.tasks
        assert all(0 < v < 1 for v in row.values if not math.isnan(v))


def test_numbers_that_the_text_repeats() -> None:
    assert values("3", "MCVN") == (0.954, 0.983, 0.954, 0.980)  # section 5.1
    assert values("5", "MCVN") == (0.974, 0.98, 0.943, 0.835)
    assert values("6", "MCVN")[2::3] == (0.917, 0.921, 0.818)  # section 5.2
    assert values("7", "Multimodal Channels") == values("8", "all modules") == values("3", "MCVN")
    assert values("6", "XGBoost, O")[7:9] == (0.57, 0.68)  # section 4.3
    assert sum(map(math.isnan, values("5", "SGD, E"))) == 4


def test_what_does_not_add_up_in_table_6() -> None:
    lines = inconsistencies(find_table(default_registry(), "6"))
    assert [line.partition(":")[0] for line in lines] == ["SVM, E, BMG", "SVM, E&P, RMG", "RF, O, BMG"]
    assert "0.8314" in lines[1]
    notes = " ".join(find_table(default_registry(), "6").notes)
    assert "208" in notes
    assert 208 + 1241 + 510 == 1959 != 6471 // 3


def test_table_6_is_of_random_divisions_alone_each_run_once() -> None:
    table = find_table(default_registry(), "6")
    planned = plan_table(table, default_registry(), Choices(splits=2), table.rows[1:2])
    cells = [(cell.record["dataset"]["reference"], cell.fold, cell.seed) for cell in planned.plan.cells]
    assert cells == [("metallic-glass", 0, 0), ("metallic-glass", 1, 0)]


def test_without_the_srim_data_table_5_says_so(cli: Callable[..., Any], tmp_path: Path) -> None:
    ended = cli("reproduce", "5", "--out", tmp_path)
    assert ended.status == 0, ended.err
    assert "Rows: 20 not testable." in ended.out
    assert "the SRIM data are not public" in ended.out


@pytest.mark.slow  # two cells in processes of their own
def test_two_rows_of_table_3_on_the_real_steels(
    cli: Callable[..., Any], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    data = f"nims-steel={shared('nims_fatigue')}"
    args = ("--row", "Ridge, O", "--splits", 2, "--out", tmp_path)
    ended = cli("reproduce", "3", "--data", data, *args)
    assert ended.status == 0, ended.err
    text = (tmp_path / "nims-steel" / "tables" / "part" / "mcvn-3.md").read_text()
    assert "nims-steel, real, 360 samples" in text
    assert "Rows: 1 " in text
