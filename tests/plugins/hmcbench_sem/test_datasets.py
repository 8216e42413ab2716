"""The synthetic default, labels of the paper, and real datasets, read as they are."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hmcbench_sem.datasets import images, sem_failure
from hmcbench_sem.lint import lint_failure, lint_images

Shared = Callable[[str], Path]
Gallery = Callable[..., Path]


@pytest.mark.slow
def test_xsdd(shared: Shared) -> None:
    report = lint_images(path=str(shared("xsdd")))
    assert report.facts["samples"] == "1360 usable"
    assert report.facts["classes"] == "3 + 7, a tree"
    assert report.facts["pixel-identical"] == "9 sets, 18 images"
    assert report.facts["data bars"] == "0 of 1360 images"
    assert {(problem.kind, problem.fatal) for problem in report.problems} == {
        ("duplicate", False),
        ("near-duplicate", False),
    }
    data = images(path=str(shared("xsdd")))
    assert (data.task.paths, data.task.depth, len(data.ids)) == ("single", "full", 1360)
    assert data.duplicates is not None
    assert len(set(data.duplicates)) == 1351


def test_neu_det_as_it_is_and_multi_label(shared: Shared, tmp_path: Path) -> None:
    source = shared("neu_det")
    assert images(path=str(source)).task.paths == "single"
    with (source / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    group = {row["level2"]: row["level1"] for row in rows}
    (tmp_path / "images").symlink_to(source / "images")
    with (tmp_path / "index.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "labels"])
        for row in rows:
            labels = row["box_labels"].split(";")
            writer.writerow([row["file"], "|".join(f"{group[label]}/{label}" for label in labels)])
    data = sem_failure(path=str(tmp_path))
    assert (data.task.paths, data.task.depth, len(data.ids)) == ("multiple", "full", 930)
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.level_sizes.tolist() == [4, 6]
    leaves = data.targets[:, data.task.hierarchy.leaves].sum(axis=1)
    assert int((leaves > 1).sum()) == 123


def test_fracture_sem_tiny_with_leaves_at_two_depths(shared: Shared, tmp_path: Path) -> None:
    source = shared("fracture_sem_tiny")
    (tmp_path / "images").symlink_to(source / "images")
    text = (source / "index.csv").read_text()
    (tmp_path / "index.csv").write_text(text.replace(",ductile,ductile_dimple", ",ductile,"))
    data = images(path=str(tmp_path))
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.classes == (
        "brittle",
        "ductile",
        "brittle/intergranular",
        "brittle/transgranular",
    )
    assert not data.task.hierarchy.even
    assert data.task.paths == "single"
    assert data.notes == []


def test_synthetic_default() -> None:
    data = sem_failure(size=32, seed=1)
    assert data.synthetic
    assert (data.task.paths, data.task.depth) == ("single", "full")
    assert data.split is not None
    assert {side: data.split.count(side) for side in set(data.split)} == {
        "train": 1771,
        "test": 1500,
        "shifted": 1500,
    }
    assert "synthetic" in data.notes[0]
    assert data.views["image"][0].load().shape == (32, 32)
    assert sem_failure(size=32, composite=0.5, shifted=False).task.paths == "multiple"
    report = lint_failure(size=32)
    assert report.facts["classes"] == "2 + 6, a tree"
    assert report.problems == []


def test_labels_of_the_paper_keep_its_hierarchy(gallery: Gallery) -> None:
    names = ("mechanical/fatigue", "thermal/thermal-cycling")
    known = gallery({f"{name}/{k}.png": 10 * i + k for i, name in enumerate(names) for k in range(3)})
    data = sem_failure(path=str(known))
    assert data.task.hierarchy is not None
    assert (data.task.hierarchy.n, data.synthetic) == (8, False)
    assert "striations" in data.task.hierarchy.descriptions["mechanical/fatigue"]
    own = images(path=str(known)).task.hierarchy
    assert own is not None
    assert own.n == 4
