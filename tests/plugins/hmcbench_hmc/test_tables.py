"""The table of the field: copied right, with models that exist, and the cells of the suite."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hmcbench_hmc.classic.sets import SETS

from hmcbench.plan.cells import make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry
from hmcbench.reproduce.compare import plan_table
from hmcbench.reproduce.tables import PublishedTable, find_table, of_datasets

SOURCE = "published_auprc.csv"


@pytest.fixture(scope="module")
def table() -> PublishedTable:
    return find_table(default_registry(), "hmc-classic")


def test_the_numbers_are_those_of_the_paper(table: PublishedTable, shared: Callable[[str], Path]) -> None:
    with (shared("hmc_classic") / SOURCE).open(newline="") as stream:
        lines = {line["dataset"].lower().removesuffix("_others"): line for line in csv.DictReader(stream)}
    assert len(lines) == len(table.datasets) == 20
    rows = {row.label: row for row in table.rows if row.values}
    assert sorted(rows) == sorted(name for name in lines["cellcycle_fun"] if name != "dataset")
    for label, row in rows.items():
        for header, value in zip(table.headers, row.values, strict=True):
            printed = lines[header.lower()][label]
            assert math.isnan(value) if not printed else value == float(printed), (label, header)


def test_every_set_that_there_is_is_a_column_or_has_no_published_number(table: PublishedTable) -> None:
    here = {name.partition(":")[2] for name in table.datasets if name not in table.absent}
    assert set(SETS) - here == {"church_FUN", "pheno_FUN", "pheno_GO"}
    assert here <= set(SETS)
    assert {name.partition(":")[2] for name in table.absent} & set(SETS) == set()


def test_without_data_nothing_is_tested(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    ended = cli("reproduce", "hmc-classic", "--out", tmp_path)
    assert ended.status == 0, ended.err
    assert "Rows: 7 not testable." in ended.out
    assert "--data hmc-classic=PATH, or hmcbench data fetch hmc-classic" in ended.out
    assert "lacks its training file" in ended.out


def test_the_cells_are_those_of_the_suite(table: PublishedTable, shared: Callable[[str], Path]) -> None:
    registry = default_registry()
    data = {"hmc-classic": str(shared("hmc_classic"))}
    reduced = of_datasets(table, ["cellcycle_FUN"])
    planned = plan_table(reduced, registry, Choices(data=data), reduced.rows)
    suite = load_suite(registry, "hmc-classic")
    chosen = Choices(data=data, datasets=reduced.datasets)
    keys = {cell.label: cell.key for cell in make_plan(suite, registry, chosen).cells}
    ours = {cell.label: cell.key for cell in planned.plan.cells}
    assert ours.keys() - keys.keys() == {"hmcn-r", "hmc-lmlp"}  # not in the quick profile
    assert all(ours[label] == keys[label] for label in ours.keys() & keys.keys())


def test_the_table_of_published_budgets_has_the_numbers_of_the_other_one(table: PublishedTable) -> None:
    budgets = find_table(default_registry(), "hmc-published")
    (row,), everywhere = budgets.rows, next(row for row in table.rows if row.label == "C-HMCNN")
    printed = dict(zip(table.datasets, everywhere.values, strict=True))
    assert row.values == tuple(printed[name] for name in budgets.datasets)
    assert set(budgets.datasets) == set(table.datasets) - set(table.absent)
    assert (row.model, budgets.mean_of, budgets.margin) == (everywhere.model, table.mean_of, table.margin)


def test_every_set_has_its_published_width_and_epochs(shared: Callable[[str], Path]) -> None:
    registry = default_registry()
    suite = load_suite(registry, "hmc-published")
    cells = make_plan(suite, registry, Choices(data={"hmc-classic": str(shared("hmc_classic"))})).cells
    params: dict[Any, Any] = {cell.dataset_params["set"]: cell.model_params for cell in cells}
    assert len(params) == 16
    for name, of_set in params.items():
        assert of_set["batch_size"] == 4 and of_set["patience"] == 0, name
        assert of_set["learning_rate"] == (1e-4 if name.endswith(("_FUN", "_GO")) else 1e-5), name
    assert params["spo_FUN"]["hidden"] == (250, 250) and params["spo_FUN"]["epochs"] == 115
    assert params["gasch2_GO"]["hidden"] == (500, 500) and params["gasch2_GO"]["epochs"] == 177


def test_the_list_of_tables_fits_a_terminal(cli: Callable[..., Any]) -> None:
    lines = cli("reproduce").out.splitlines()
    assert max(map(len, lines)) <= 80
    starts = {line.split()[0]: line.index("AU(PRC)") for line in lines if line.startswith("hmc-")}
    assert set(starts) == {"hmc-classic", "hmc-published"} and len(set(starts.values())) == 1
