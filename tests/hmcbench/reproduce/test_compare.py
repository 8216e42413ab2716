"""Verdicts, and a whole table run again on toy data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from hmcbench.reproduce.compare import of_dataset
from hmcbench.testing.helpers import installed_plugin

PLUGIN = """
from hmcbench import DatasetSpec, hookimpl

@hookimpl
def hmcbench_datasets():
    return [DatasetSpec(name="measured", version="1", summary="", factory="tabled:measured",
                        task="regression", views=("table",), params={})]

def measured():
    from hmcbench.testing.helpers import tiny_dataset
    data = tiny_dataset(80, "regression", noise=1.0)
    data.synthetic = False
    return data
"""
SUITE = """
[suite]
name = "alloys"
version = 1
datasets = ["measured"]
primary = "r2"

[protocol]
kind = "holdout"
test = 0.3
validation = 0.2

[profiles.quick]
models = ["ridge"]
threads = 1
"""
TABLE = """
[table]
name = "paper-1"
title = "A table"
source = "Somebody (2020), table 1"
suite = "{suite}"
metrics = ["target_r2[strength]", "target_r2[hardness]"]
headers = ["strength", "hardness"]

[protocol]
kind = "holdout"
test = 0.3
validation = 0.2
repeats = 4

[[row]]
label = "poor"
model = "ridge"
values = [0.1, 0.2]

[[row]]
label = "wild"
model = "knn[n_neighbors=3]"
values = [2.0, nan]

[[row]]
label = "unknown"
model = "no-such-model"
values = [0.5, 0.5]

[[row]]
label = "other task"
model = "naive-bayes"
values = [0.5, 0.5]

[[figure]]
number = "8"
kind = "relative-error"
rows = ["poor", "wild"]
title = "Relative error"
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "suite.toml").write_text(SUITE)
    path = tmp_path / "table.toml"
    path.write_text(TABLE.format(suite=tmp_path / "suite.toml"))
    return path


def test_a_table_is_run_again_and_written_in_every_form(
    cli: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    (tmp_path / "plugin").mkdir()
    with installed_plugin(tmp_path / "plugin", "tabled", PLUGIN):
        args = ("reproduce", table, "--out", tmp_path / "runs", "--output", tmp_path / "here.json")
        first = cli(*args)
        assert first.status == 0, first.err
        assert "8 cells, 8 to run" in first.err
        again = cli(*args)
        assert "8 cells, 0 to run" in again.err
    data = json.loads((tmp_path / "here.json").read_text())
    rows = {row["label"]: row for row in data["rows"]}
    assert {label: row["verdict"] for label, row in rows.items()} == {
        "poor": "better",
        "wild": "not reproduced",
        "unknown": "not testable",
        "other task": "not testable",
    }
    assert "unknown model 'no-such-model'" in rows["unknown"]["reason"]
    assert "does hmc, the dataset is regression" in rows["other task"]["reason"]
    assert rows["wild"]["values"][1]["published"] is None
    folder = tmp_path / "runs" / "alloys" / "tables"
    text = (folder / "paper-1.md").read_text()
    assert "Rows: 1 better, 1 not reproduced, 2 not testable." in text
    assert (folder / "paper-1-figure-8.png").read_bytes().startswith(b"\x89PNG")
    check_interval(rows["poor"], tmp_path / "runs" / "alloys" / "records")


def check_interval(row: dict[str, Any], folder: Path) -> None:
    """Recomputed by hand: where a fifth split lies, 95 % for both values of the row."""
    records = [json.loads(p.read_text()) for p in folder.glob("measured--ridge--*/record.json")]
    values = np.array([r["metrics"]["test"]["target_r2[strength]"] for r in records])
    assert len(values) == row["runs"] == 4
    reach = t.ppf((1 + 0.95**0.5) / 2, 3) * values.std(ddof=1) * (1 + 1 / 4) ** 0.5
    ours = row["values"][0]
    assert ours["mean"] == pytest.approx(values.mean())
    assert (ours["low"], ours["high"]) == pytest.approx(
        (values.mean() - reach, min(1, values.mean() + reach))
    )


def test_synthetic_data_prove_nothing(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    (tmp_path / "plugin").mkdir()
    made_up = PLUGIN.replace("data.synthetic = False", "data.synthetic = True")
    with installed_plugin(tmp_path / "plugin", "tabled", made_up):
        ended = cli("reproduce", table, "--row", "poor", "--splits", "2", "--out", tmp_path / "runs")
    assert ended.status == 0, ended.err
    assert "not testable: the data are synthetic" in ended.out


def test_data_that_nobody_can_have(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    text = table.read_text().replace('source = "S', 'not_public = "they are secret"\nsource = "S')
    table.write_text(text)  # and the dataset is not even known
    ended = cli("reproduce", table, "--out", tmp_path / "runs")
    assert ended.status == 0, ended.err
    assert "not testable: they are secret" in ended.out
    assert "Rows: 4 not testable." in ended.out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("reproduce", "99"), "unknown published table '99'"),
        (("reproduce", "TABLE", "--row", "por"), "did you mean 'poor'"),
        (("reproduce", "TABLE", "--output", "x.txt"), "ends in .md or .json"),
        (("reproduce", "TABLE"), "unknown dataset 'measured'"),
        (("reproduce", "TABLE", "--splits", "-1"), "--splits"),
    ],
)
def test_bad_input_is_one_line(
    cli: Callable[..., Any], table: Path, args: tuple[str, ...], says: str
) -> None:
    ended = cli(*(str(table) if a == "TABLE" else a for a in args))
    assert ended.status == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1


def test_an_old_record_names_its_data_without_options(fabricate: Callable[..., Any]) -> None:
    record = fabricate("a")
    named = {name: value for name, value in record.data["dataset"].items() if name != "reference"}
    old = replace(record, data={**record.data, "dataset": named})
    assert of_dataset([old], "toy") == [old]
    assert of_dataset([old], "toy[x=1]") == []
