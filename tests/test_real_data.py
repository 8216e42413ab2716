"""Real images, through the real command line: steel surfaces, several defects in one, a ragged tree.

The data are not part of the repository; see ``shared`` in conftest.py for where they are looked for.
"""

from __future__ import annotations

import csv
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.records.predictions import Predictions

SUITE = """
[suite]
name = "{name}"
version = 1
datasets = ["images"]
primary = "hf1_samples"
columns = ["hf1_samples", "level1_accuracy", "level2_accuracy", "incoherent_rate"]
[protocol]
kind = "holdout"
test = {test}
[profiles.quick]
models = [{models}]
time_limit = 360
threads = 2
"""


def run(cli: Callable[..., Any], folder: Path, data: Path, test: float, *models: str) -> dict[str, Any]:
    """Records by model label; the leaderboard must have been written."""
    listed = ", ".join(f'"{m}"' for m in models)
    (folder / "suite.toml").write_text(SUITE.format(name=folder.name, test=test, models=listed))
    args = ("run", "--suite", folder / "suite.toml", "--data", f"images={data}", "--out", folder / "runs")
    ended = cli(*args, "--splits", 1, "--device", "cpu", "--json")
    assert ended.status == 0, ended.err + ended.out
    printed = json.loads(ended.out)
    assert (folder / "runs" / folder.name / "leaderboard.md").is_file()
    return {r["model"]["label"]: r for r in printed["records"]}


def write_index(folder: Path, source: Path, rows: list[dict[str, str]]) -> Path:
    """An ``index.csv`` of our own beside links to the images."""
    for path in source.iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path, target_is_directory=True)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def read_index(source: Path) -> list[dict[str, str]]:
    return read_rows(source / "index.csv")


def read_rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.torch
def test_hffnet_reads_steel_surfaces(
    cli: Callable[..., Any], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """X-SDD, 3 groups and 7 classes: level-2 accuracy of at least 0.90."""
    model = "hffnet-2d[epochs=8]"  # 13 without a word; the suite x-sdd has 7
    records = run(cli, tmp_path, shared("xsdd"), 0.2, model, "prior")
    hffnet = records[model]
    assert hffnet["status"] == "ok"
    assert hffnet["metrics"]["test"]["level2_accuracy"] >= 0.90
    assert hffnet["metrics"]["test"]["level1_accuracy"] >= 0.90
    assert hffnet["model"]["pretrained"] is False
    prior = records["prior"]["metrics"]["test"]["level2_accuracy"]
    assert hffnet["metrics"]["test"]["level2_accuracy"] > prior + 0.4


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.torch
def test_several_defects_in_one_image(
    cli: Callable[..., Any], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """NEU-DET by its boxes: 123 of 930 images carry more than one class."""
    source = shared("neu_det")
    groups = {r["level2"]: r["level1"] for r in read_index(source)}
    rows = [
        {"file": r["file"], "labels": "|".join(f"{groups[c]}/{c}" for c in r["box_labels"].split(";"))}
        for r in read_index(source)
    ]
    assert sum("|" in r["labels"] for r in rows) == 123
    data = tmp_path / "data"
    data.mkdir()
    records = run(
        cli, tmp_path, write_index(data, source, rows), 0.2, "hffnet-2d[epochs=3]", "forest", "prior"
    )
    for record in records.values():
        assert record["status"] == "ok"
        assert record["dataset"]["paths"] == "multiple"
        assert record["decision"]["thresholds"] is not None
    best = {name: r["metrics"]["test"]["hf1_samples"] for name, r in records.items()}
    assert best["forest"] > best["prior"]
    assert best["forest"] >= 0.85
    assert (
        records["hffnet-2d[epochs=3]"]["metrics"]["test"]["auprc_micro"]
        > (records["prior"]["metrics"]["test"]["auprc_micro"])
    )


@pytest.mark.torch
def test_leaves_at_different_depths(
    cli: Callable[..., Any], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """Fifteen fractographs: ductile, or brittle and then inter- or transgranular. Too few for a score."""
    source = shared("fracture_sem_tiny")
    rows = [{**r, "level2": "" if r["level1"] == "ductile" else r["level2"]} for r in read_index(source)]
    data = tmp_path / "data"
    data.mkdir()
    records = run(
        cli, tmp_path, write_index(data, source, rows), 0.3, "hffnet-2d[epochs=2]", "forest", "prior"
    )
    for record in records.values():
        assert record["status"] == "ok", record["message"]
        assert record["dataset"]["classes"] == 4
        assert record["dataset"]["levels"] == 2


@pytest.mark.slow
def test_patches_of_micrographs_as_the_example_cuts_them(
    cli: Callable[..., Any], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """Ti-6Al-4V: 475 patches, several labels each; patches of one micrograph never part."""
    example = Path(__file__).parents[1] / "examples" / "ti64"
    prepare = runpy.run_path(str(example / "prepare.py"))["main"]
    prepare(shared("fracture_sem_ti64"), tmp_path / "patches")
    args = ["run", "--suite", example / "suite.toml", "--data", f"ti64={tmp_path / 'patches'}", "--json"]
    ended = cli(*args, "--model", "forest", "--model", "prior", "--out", tmp_path / "runs")
    assert ended.status == 0, ended.err
    records = json.loads(ended.out)["records"]
    assert len(records) == 10
    assert {r["dataset"]["samples"] for r in records} == {475}
    assert {r["dataset"]["paths"] for r in records} == {"multiple"}
    mean = {
        name: sum(r["metrics"]["test"]["hf1_samples"] for r in records if r["model"]["name"] == name) / 5
        for name in ("forest", "prior")
    }
    assert mean["forest"] > mean["prior"]
    for fold in {r["split"]["fold"] for r in records}:
        record = next(Path(r["path"]) for r in records if r["split"]["fold"] == fold)
        kept = Predictions.load(record / "predictions.npz")
        parents = {side: set(kept.of_side(side).groups or ()) for side in ("validation", "test")}
        assert not parents["validation"] & parents["test"]


@pytest.mark.slow
def test_how_much_of_a_patch_is_brittle_as_the_example_counts_it(
    cli: Callable[..., Any], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """Ti-6Al-4V: what is counted in a mask is what the table has; a model of texture beats the mean."""
    example, source = Path(__file__).parents[1] / "examples" / "ti64", shared("fracture_sem_ti64")
    runpy.run_path(str(example / "prepare.py"))["main"](source, tmp_path / "patches", "brittle", "ductile")
    rows = read_rows(tmp_path / "patches" / "index.csv")
    for name in ("brittle", "ductile"):
        counted = [float(row[f"target:{name} fraction"]) for row in rows]
        listed = [float(row[f"frac_{name}"]) for row in read_rows(source / "annotated" / "patches.csv")]
        assert counted == pytest.approx(listed, abs=5.1e-5)  # the table has four digits
    args = ["run", "--suite", example / "brittle-fraction.toml", "--data", f"images={tmp_path / 'patches'}"]
    models = ["--model", "svm", "--model", "prior"]
    ended = cli(*args, *models, "--out", tmp_path / "runs", "--json")
    assert ended.status == 0, ended.err
    records = json.loads(ended.out)["records"]
    assert len(records) == 10 and {r["dataset"]["task"] for r in records} == {"regression"}
    tested: list[str] = []
    for record in (r for r in records if r["model"]["name"] == "svm"):
        kept = Predictions.load(Path(record["path"]) / "predictions.npz")
        parents = {side: set(kept.of_side(side).groups or ()) for side in ("validation", "test")}
        assert not parents["validation"] & parents["test"]
        tested += sorted(parents["test"])
    assert len(tested) == len(set(tested)) == 19
    for target in ("brittle fraction", "ductile fraction"):
        assert mean_r2(records, "svm", target) > 0.2 > mean_r2(records, "prior", target)


def mean_r2(records: list[dict[str, Any]], model: str, target: str) -> float:
    """Over the five folds."""
    of_model = [r["metrics"]["test"] for r in records if r["model"]["name"] == model]
    return sum(float(metrics[f"target_r2[{target}]"]) for metrics in of_model) / 5
