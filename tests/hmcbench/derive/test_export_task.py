"""A suite as files: what is in them, what must not be, and the way back."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.derive.export_task import export_task
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite, parse_suite
from hmcbench.records.record import read_all
from hmcbench.registry.registry import default_registry

Cli = Callable[..., Any]


def table(path: Path) -> dict[str, list[str]]:
    """id -> cells of a CSV file; the header under ``id``."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row[0]: row[1:] for row in csv.reader(file)}


def test_inputs_labels_and_hierarchy_are_those_of_the_data(cli: Cli, tmp_path: Path) -> None:
    from hmcbench_toy.data import tree

    ended = cli("export-task", "smoke", "--dataset", "toy-tree", "--to", tmp_path / "task", "--seeds", "2")
    assert ended.status == 0, ended.err
    assert "the view answers is left out: it holds the truth" in ended.out
    data, root = tree(), tmp_path / "task" / "toy-tree"
    assert Hierarchy.from_csv(root / "hierarchy.csv") == data.task.hierarchy
    values = dict(zip(data.ids, data.views["table"], strict=True))
    seen: set[str] = set()
    for side in ("train", "validation", "test"):
        cells = table(root / "fold-0" / side / "table.csv")
        assert cells.pop("id") == [f"table{i}" for i in range(8)]
        for name, row in cells.items():
            assert np.array_equal(np.array(row, dtype=np.float32), values[name])
            assert list(map(float, row)) == values[name].astype(float).tolist()
        seen |= set(cells)
        assert (root / "fold-0" / side / "labels.csv").exists() == (side != "test")
    assert seen == set(data.ids)
    labels = table(root / "fold-0" / "train" / "labels.csv")
    assert labels.pop("id") == ["labels"]
    rows = {name: i for i, name in enumerate(data.ids)}
    assert data.task.hierarchy is not None
    for name, (label,) in labels.items():
        assert label == "|".join(data.task.hierarchy.decode(data.targets[rows[name]]))
    assert sorted(p.name for p in (root / "fold-0").glob("seed-*")) == ["seed-0", "seed-1"]
    facts = json.loads((tmp_path / "task" / "task.json").read_text())
    assert facts["datasets"][0]["fingerprint"] == data.fingerprint


def test_the_working_directory_is_no_place(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dot has no name to put a temporary folder beside: a traceback."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for place in (".", "../work", str(work)):
        ended = cli("export-task", "smoke", "--to", place)
        assert ended.status == 2 and "is the working directory. Allowed: a new folder" in ended.err
    (tmp_path / "other").mkdir()
    (tmp_path / "there").mkdir()
    ended = cli("export-task", "smoke", "--dataset", "toy-tree", "--to", "../other/../there")
    assert ended.status == 0, ended.err
    assert "--predictions there" in (tmp_path / "there" / "README.md").read_text()


def test_the_example_can_be_brought_and_other_data_are_refused(cli: Cli, tmp_path: Path) -> None:
    args = ("export-task", "smoke", "--dataset", "toy-tree", "--folds", "2")
    assert cli(*args, "--to", tmp_path / "task").status == 0
    for example in (tmp_path / "task").rglob("example.csv"):
        shutil.copyfile(example, example.with_name("predictions.csv"))
    bring = ("bring", tmp_path / "runs", "--suite", "smoke", "--predictions", tmp_path / "task")
    ended = cli(*bring, "--name", "mean", "--dataset", "toy-tree", "--folds", "2")
    assert ended.status == 0, ended.err
    records = read_all(tmp_path / "runs")
    assert [r.fold for r in records] == [0, 1]
    ended = cli("bring", tmp_path / "new", *bring[2:], "--name", "mean", "--dataset", "toy-tree")
    assert ended.status == 2
    assert "was exported from another split of toy-tree, fold 0" in ended.err
    (tmp_path / "task" / "toy-tree" / "fold-1" / "seed-0" / "predictions.csv").unlink()
    ended = cli(*bring, "--name", "half", "--dataset", "toy-tree", "--folds", "2")
    assert "fold-1 has no seed-*/predictions.csv" in ended.err


def test_a_dataset_without_records_is_planned_where_it_is_named(cli: Cli, tmp_path: Path) -> None:
    assert cli("export-task", "smoke", "--to", tmp_path / "task").status == 0
    for example in (tmp_path / "task").rglob("example.csv"):
        shutil.copyfile(example, example.with_name("predictions.csv"))
    out = tmp_path / "runs"
    ended = cli(
        "run", "--suite", "smoke", "--dataset", "toy-tree", "--model", "prior", "--out", out, "--quiet"
    )
    assert ended.status == 0, ended.err
    bring = ("bring", out, "--suite", "smoke", "--predictions", tmp_path / "task", "--name", "mean")
    ended = cli(*bring)
    assert ended.status == 2
    assert "has predictions for toy-dag, of which there is no record" in ended.err
    assert cli(*bring, "--dataset", "toy-dag").status == 0
    assert cli(*bring, "--dataset", "toy-tree").status == 0
    assert sorted(r.dataset for r in read_all(out) if r.brought) == ["toy-dag", "toy-tree"]


def test_nothing_is_overwritten(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, says in (("full", "is not empty"), ("file", "file")):
        ended = cli("export-task", "smoke", "--to", tmp_path / name)
        assert ended.status == 2
        assert says in ended.err
    assert (tmp_path / "full" / "mine.txt").read_text() == "x"
    assert cli("export-task", "smoke", "--dataset", "toy-dag", "--to", tmp_path / "empty").status == 0
    assert cli("export-task", "smok", "--to", tmp_path / "x").status == 2
    assert cli("export-task", "smoke", "--to", tmp_path / "x", "--dataset", "toy-tre").status == 2
    assert cli("export-task", "smoke").status == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "full"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Grey pictures in folders named after their classes."""
    for leaf, name in enumerate(("metal/fatigue", "metal/dimples", "oxide/plates")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.full((32, 40), 20 * leaf + i, dtype=np.uint8)
            pixels[:, i] = 255
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{i}.png")
    return tmp_path / "pictures"


@pytest.mark.parametrize("images", ["copy", "list"])
def test_pictures_do_not_give_their_labels_away(
    cli: Cli, tmp_path: Path, pictures: Path, images: str
) -> None:
    args = ("--data", f"sem-failure={pictures}", "--splits", "1")
    ended = cli("export-task", "sem-failure", *args, "--to", tmp_path / "task", "--images", images)
    assert ended.status == 0, ended.err
    (root,) = (p.parent for p in (tmp_path / "task").rglob("hierarchy.csv"))
    listed = table(root / "fold-0" / "test" / "image.csv")
    assert listed.pop("id") == ["file"]
    assert list(listed) == sorted(listed)
    for name, (file,) in listed.items():
        text = name if images == "list" else name + file
        assert not any(word in text for word in ("metal", "oxide", "fatigue", "dimples", "plates"))
        assert (root / "fold-0" / "test" / file).is_file()
    if images == "copy":
        assert len(list((root / "images").iterdir())) == 24
        pixels = {p.read_bytes() for p in pictures.rglob("*.png")}
        assert {p.read_bytes() for p in (root / "images").iterdir()} == pixels
    said = root / "fold-0" / "seed-0" / "predictions.csv"
    with said.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "labels"], *([name, "metal"] for name in listed)])
    ended = cli(
        "bring",
        tmp_path / "runs",
        "--suite",
        "sem-failure",
        *args,
        "--name",
        "all metal",
        "--predictions",
        tmp_path / "task",
    )
    assert ended.status == 0, ended.err
    (record,) = read_all(tmp_path / "runs")
    assert all(name.startswith(("metal/", "oxide/")) for name in record.predictions().ids)


def test_a_table_of_ones_own_with_gaps_and_names(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="the plugin for tables reads with it")
    lines = [
        f"{'' if i % 9 == 0 else i},{['cast', 'rolled'][i % 2]},{'ab'[i % 2]},g{i // 4}" for i in range(80)
    ]
    (tmp_path / "t.csv").write_text("x,process,label,heat\n" + "\n".join(lines) + "\n")
    args = ("suite", "new", tmp_path / "mine.toml", "--table", tmp_path / "t.csv", "--labels", "label")
    ended = cli(*args, "--group", "heat")
    assert ended.status == 0, ended.err
    ended = cli("export-task", tmp_path / "mine.toml", "--to", tmp_path / "task")
    assert ended.status == 0, ended.err
    (folder,) = (p.parent for p in (tmp_path / "task").rglob("fold-0/train"))
    cells = table(folder / "train" / "table.csv")
    assert cells.pop("id") == ["x", "process"]
    assert {row[1] for row in cells.values()} == {"cast", "rolled"}
    assert any(row[0] == "" for row in cells.values())
    assert table(folder / "train" / "labels.csv")["id"] == ["labels", "group"]


def test_a_regression_has_targets(tmp_path: Path) -> None:
    registry = default_registry()
    lines = export_task(load_suite(registry, "nims-steel"), registry, Choices(splits=1), tmp_path / "task")
    assert len(lines) == 1
    (targets,) = (tmp_path / "task").rglob("fold-0/train/targets.csv")
    head = table(targets)["id"]
    example = table(next((tmp_path / "task").rglob("seed-0/example.csv")))
    assert example["id"] == [name for name in head if name != "group"]
    assert not list((tmp_path / "task").rglob("labels.csv"))
    assert not list((tmp_path / "task").rglob("hierarchy.csv"))


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hmcbench.derive import export_task as module
    from hmcbench.errors import BadInput

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_example", full)
    suite = parse_suite('[suite]\nname="m"\nversion=1\ndatasets=["toy-tree"]\nprimary="hf1_samples"\n'
                        '[profiles.quick]\nmodels=["prior"]\n', "m.toml")  # fmt: skip
    with pytest.raises(BadInput, match="No space left"):
        export_task(suite, default_registry(), Choices(), tmp_path / "task")
    assert list(tmp_path.iterdir()) == []
