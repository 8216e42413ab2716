"""A table of several datasets: run, judged, drawn, published and verified, on toy data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from hmcbench.records.record import read_all
from hmcbench.testing.helpers import installed_plugin

PLUGIN = """
from pathlib import Path
from hmcbench import DatasetSpec, Param, hookimpl

@hookimpl
def hmcbench_datasets():
    params = {"site": Param("a", "where", choices=("a", "b", "c", "made")),
              "path": Param("", "", cosmetic=True)}
    return [DatasetSpec(name="mines", version="1", summary="", factory="mining:mines", task="hmc",
                        views=("table",), params=params, variant="site", path_param="path",
                        at_hand="mining:at_hand")]

def at_hand(site, path=""):
    return site != "c"

def mines(site, path=""):
    from hmcbench.testing.helpers import tiny_dataset
    data = tiny_dataset(80, noise=1.0 if site == "a" else 2.0)
    data.synthetic = site == "made"
    return data
"""
SUITE = """
[suite]
name = "pits"
version = 1
datasets = ["mines:a", "mines:b", "mines:c"]
primary = "hf1_samples"

[protocol]
kind = "holdout"
test = 0.3
validation = 0.2

[profiles.quick]
models = ["prior"]
threads = 1
"""
TABLE = """
[table]
name = "pits-1"
title = "Pits"
source = "Somebody (2020), table 1"
suite = "{suite}"
metrics = ["hf1_samples"]
mean_of = 10
margin = 0.5
datasets = ["mines", "mines:b", "mines:c", "mines:d"]
headers = ["A", "B", "C", "D"]

[absent]
"mines:d" = "it fell in"

[[row]]
label = "prior"
model = "prior"
values = [0.99, 0.01, 0.5, 0.5]

[[row]]
label = "forest"
model = "forest[n_estimators=3]"
values = [0.5, nan, 0.5, 0.5]

[[row]]
label = "forest, exact"
model = "forest[n_estimators=3]"
metric = "exact_match"
against = "forest"

[[row]]
label = "unknown"
model = "no-such-model"
values = [0.5, 0.5, 0.5, 0.5]

[[figure]]
number = "1"
kind = "history"
rows = ["forest"]
columns = ["train_loss"]
title = "Loss"
"""


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "suite.toml").write_text(SUITE)
    path = tmp_path / "table.toml"
    path.write_text(TABLE.format(suite=tmp_path / "suite.toml"))
    (tmp_path / "plugin").mkdir()
    with installed_plugin(tmp_path / "plugin", "mining", PLUGIN):
        yield path


def read(folder: Path, part: str = "") -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    data = json.loads((folder / "pits" / "tables" / part / "pits-1.json").read_text())
    return data, {row["label"]: row for row in data["rows"]}


def test_a_table_of_several_datasets(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    runs, results = tmp_path / "runs", tmp_path / "results"
    args = ("reproduce", table, "--out", runs, "--seeds", "2")
    ended = cli(*args)
    assert ended.status == 0, ended.err
    assert "8 cells, 8 to run" in ended.err
    assert "0 to run" in cli(*args).err
    data, rows = read(runs)
    assert data["datasets"] == ["mines:a", "mines:b", "mines:c", "mines:d"]  # as records name them
    assert [value["verdict"] for value in rows["prior"]["values"]] == [
        "not reproduced",
        "better",
        "not testable",
        "not testable",
    ]
    assert rows["prior"]["verdict"] == "not reproduced"
    assert rows["prior"]["values"][0]["low"] == rows["prior"]["values"][0]["mean"]  # deterministic
    assert "unknown model" in rows["unknown"]["reason"]
    check_interval(rows, runs)
    check_text(runs / "pits" / "tables" / "pits-1.md")
    assert cli("publish", runs, "--to", results, "--no-figures").status == 0
    assert cli("verify", results).status == 0
    check_verify(cli, results)


def check_interval(rows: dict[str, dict[str, Any]], runs: Path) -> None:
    """Recomputed by hand: where the mean of ten further trainings lies; one value of a row is testable."""
    for label, metric in (("forest", "hf1_samples"), ("forest, exact", "exact_match")):
        records = [r for r in read_all(runs) if r.label.startswith("forest")]
        of_set = [r for r in records if r.data["dataset"]["reference"] == "mines:a"]
        seeds = np.array([r.data["metrics"]["test"][metric] for r in of_set])
        reach = t.ppf((1 + 0.95) / 2, 1) * seeds.std(ddof=1) * (1 / 2 + 1 / 10) ** 0.5
        ours = rows[label]["values"][0]
        assert len(seeds) == 2 and reach > 0
        assert ours["mean"] == pytest.approx(seeds.mean())
        ends = (seeds.mean() - reach, min(1, seeds.mean() + reach))
        assert (ours["low"], ours["high"]) == pytest.approx(ends)
        assert rows[label]["values"][1]["published"] is None
        assert rows[label]["values"][1]["mean"] is not None
        assert rows[label]["runs"] == 4


def check_text(path: Path) -> None:
    text = path.read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    firsts = [line.split("|")[1].strip() for line in lines]
    assert firsts[0] == "" and firsts[2:] == ["our model", "metric", "A", "B", "C", "D", "verdict"]
    assert "not testable: C: its data are not here (--data mines=PATH)" in text
    assert "not testable: D: it fell in" in text
    assert "- unknown: unknown model 'no-such-model'" in text
    assert "a mean over trainings on this split" in text


def check_verify(cli: Callable[..., Any], results: Path) -> None:
    """A number of another dataset, a wrong one in the text, and a lost record are found."""
    path = results / "pits" / "tables" / "pits-1.json"
    good = path.read_text()
    data = json.loads(good)
    values = data["rows"][1]["values"]
    values[0]["mean"], values[1]["mean"] = values[1]["mean"], values[0]["mean"]
    path.write_text(json.dumps(data))
    ended = cli("verify", results)
    assert ended.status == 1
    assert "forest mines:a hf1_samples mean" in ended.out + ended.err
    path.write_text(good)
    text = path.with_suffix(".md")
    shown = f"{json.loads(good)['rows'][1]['values'][1]['mean']:.3f}"
    text.write_text(text.read_text().replace(shown, "0.987"))
    assert "forest: 0.987 is no number of pits-1.json" in cli("verify", results).out


def test_chosen_datasets_and_rows(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    ended = cli("reproduce", table, "--dataset", "B", "--row", "prior", "--out", tmp_path / "runs")
    assert ended.status == 0, ended.err
    assert "1 cells, 1 to run" in ended.err
    data, rows = read(tmp_path / "runs", "part")
    assert (data["headers"], list(rows)) == (["B"], ["prior"])


def test_a_part_does_not_replace_the_whole(cli: Callable[..., Any], table: Path, tmp_path: Path) -> None:
    """A measured table was lost to one of its rows, or to one without data."""
    runs, results = tmp_path / "runs", tmp_path / "results"
    assert cli("reproduce", table, "--out", runs).status == 0
    whole = {path.name: path.read_bytes() for path in (runs / "pits" / "tables").iterdir()}
    assert cli("reproduce", table, "--out", runs, "--dataset", "B", "--row", "prior").status == 0
    tables = runs / "pits" / "tables"
    assert {path.name: path.read_bytes() for path in tables.iterdir() if path.is_file()} == whole
    ended = cli("reproduce", table, "--out", runs, "--dataset", "C", "--dataset", "D")
    assert "nothing was measured, so " in ended.err and "pits-1.md stays as it is" in ended.err
    assert read(runs, "part")[0]["headers"] == ["B"]
    assert cli("publish", runs, "--to", results, "--no-figures").status == 0
    assert cli("verify", results).status == 0
    part = results / "pits" / "tables" / "part" / "pits-1.json"
    data = json.loads(part.read_text())
    data["rows"][0]["values"][0]["mean"] += 0.1
    part.write_text(json.dumps(data))
    assert "tables/part/pits-1.json" in cli("verify", results).out


@pytest.mark.parametrize("chosen", [("C",), ("D",), ("C", "D")])
def test_without_any_data_nothing_runs(
    cli: Callable[..., Any], table: Path, tmp_path: Path, chosen: tuple[str, ...]
) -> None:
    options = [part for name in chosen for part in ("--dataset", name)]
    ended = cli("reproduce", table, *options, "--out", tmp_path / "runs")
    assert ended.status == 0, ended.err
    assert "Rows: 4 not testable." in ended.out
    assert "prior, forest, forest, exact, unknown: no data" in ended.out
    assert not (tmp_path / "runs" / "pits" / "records").exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(("--data", "mine=x"), "did you mean 'mines'"), (("--profile", "paper"), "profile of suite pits")],
)
def test_a_wrong_name_is_told_without_any_data_too(
    cli: Callable[..., Any], table: Path, tmp_path: Path, wrong: tuple[str, ...], says: str
) -> None:
    """The table said "no data" instead."""
    runs = tmp_path / "runs"
    ended = cli("reproduce", table, "--out", runs, "--dataset", "mines:d", *wrong)
    assert ended.status == 2 and says in ended.err
    assert not runs.exists()


def test_one_training_decides_nothing_and_synthetic_data_prove_nothing(
    cli: Callable[..., Any], table: Path, tmp_path: Path
) -> None:
    chosen = ("--row", "forest", "--dataset", "A", "--out", tmp_path / "runs")
    assert cli("reproduce", table, *chosen).status == 0
    assert read(tmp_path / "runs", "part")[1]["forest"]["verdict"] == "undecided"
    table.write_text(table.read_text().replace('["mines",', '["mines:made",'))
    assert cli("reproduce", table, *chosen).status == 0
    row = read(tmp_path / "runs", "part")[1]["forest"]
    assert (row["verdict"], row["reason"]) == ("not testable", "the data are synthetic")
