"""``--data sem-failure=PATH``: the user's own images, from a folder tree or a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CLASSES = ("metal/fatigue", "metal/dimples", "oxide/plates")


def picture(seed: int, leaf: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:24, 0:30]
    wave = 60 * np.sin((x if leaf == 0 else x - y if leaf == 1 else x + y) * 0.9 + rng.uniform(0, 6))
    return Image.fromarray((128 + wave + rng.normal(0, 12, x.shape)).clip(0, 255).astype(np.uint8))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """36 images in folders named after their classes."""
    root = tmp_path / "images"
    for leaf, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for i in range(12):
            picture(100 * leaf + i, leaf).save(root / name / f"{i}.png")
    return root


def run(cli: Callable[..., Any], root: Path, *more: str) -> Any:
    args = ("run", "--suite", "sem-failure", "--data", f"sem-failure={root}", "--model", "prior", "--json")
    return cli(*args, "--splits", 1, "--out", root.parent / "runs", *more)


def the_record(ended: Any) -> Any:
    assert ended.status == 0, ended.err
    (record,) = json.loads(ended.out)["records"]
    return record


def test_a_folder_tree_is_enough(cli: Callable[..., Any], tree: Path) -> None:
    record = the_record(run(cli, tree))
    assert record["dataset"]["classes"] == 5
    assert record["dataset"]["samples"] == 36
    assert not record["dataset"]["synthetic"]
    text = cli("leaderboard", tree.parent / "runs").out
    assert "Which model names the failure mechanism" in text
    assert record["dataset"]["given"] and "Published, on" not in text  # the paper's rows are of other images
    assert str(tree) not in json.dumps({k: v for k, v in record["dataset"].items() if k != "notes"})


def test_the_forest_learns_them(cli: Callable[..., Any], tree: Path) -> None:
    pytest.importorskip("skimage", reason="the texture featurizer needs the extra vision")
    args = ("run", "--suite", "sem-failure", "--data", f"sem-failure={tree}", "--model", "forest[]", "--json")
    more = ("--splits", 1, "--set", "forest.trees=40")
    record = the_record(cli(*args, "--out", tree.parent / "runs", *more))
    assert record["metrics"]["test"]["level2_accuracy"] > 0.6


def test_few_images_are_cross_validated_and_said_to_be_few(cli: Callable[..., Any], tree: Path) -> None:
    """With one split, 4 of 36 images would be the test partition."""
    args = ("run", "--suite", "sem-failure", "--data", f"sem-failure={tree}", "--model", "prior", "--dry-run")
    out = cli(*args).out
    assert "5 to run" in out
    assert "small data: tested in 5 folds; one split would test 4 (--splits 1 keeps one)" in out
    assert "too few test samples for a claim: 36; the 95 % interval of a share near one half is" in out

    def counts(*more: Any) -> list[int]:
        return [c["split"]["counts"]["test"] for c in json.loads(cli(*args, "--json", *more).out)]

    assert sum(counts()) == 36 and sum(counts("--folds", 3)) == 36
    assert counts("--folds", 3) == [12] * 3 and counts("--splits", 2) == [4, 4]
    assert counts("--splits", 1) == [4]
    few = cli(*args, "--splits", 1).out
    assert "small data" not in few and "too few test samples for a claim: 4; " in few
    assert "--folds 5 tests every sample once" in few
    ended = cli(*args, "--folds", 40)
    assert ended.status == 2 and "36 samples in 36 units cannot be divided into 40 parts" in ended.err


def test_bad_files_stop_a_run_unless_they_are_skipped(cli: Callable[..., Any], tree: Path) -> None:
    (tree / CLASSES[0] / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    (tree / CLASSES[1] / "empty.jpg").write_bytes(b"")
    ended = run(cli, tree)
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert "hmcbench data lint" in ended.err
    assert not (tree.parent / "runs").exists()

    lint = cli("data", "lint", tree)
    assert lint.status == 2
    assert "torn.png" in lint.out
    assert "empty.jpg" in lint.out
    kinds = {p["where"]: p for p in json.loads(cli("data", "lint", tree, "--json").out)["problems"]}
    assert any("torn.png" in where and p["fatal"] for where, p in kinds.items())

    record = the_record(run(cli, tree, "--skip-bad"))
    assert record["dataset"]["samples"] == 36
    assert "torn.png" in " ".join(record["dataset"]["notes"])
    assert "torn.png" in (tree.parent / "runs" / "sem-failure" / "leaderboard.md").read_text()


def test_a_table_with_groups_and_several_paths(cli: Callable[..., Any], tree: Path) -> None:
    lines = ["file,labels,group"]
    for leaf, name in enumerate(CLASSES):
        for i in range(12):
            both = f"{name}|{CLASSES[2]}" if leaf != 2 and i % 4 == 0 else name
            lines.append(f"{name}/{i}.png,{both},specimen{leaf}-{i // 2}")
    (tree / "index.csv").write_text("\n".join(lines) + "\n")
    record = the_record(run(cli, tree))
    assert record["dataset"]["paths"] == "multiple"
    assert "threshold" in record["decision"]["rule"] or record["decision"]["thresholds"] is not None
    with np.load(Path(record["path"]) / "predictions.npz") as data:
        sides: dict[str, set[str]] = {}
        for group, side in zip(data["groups"], data["side"], strict=True):
            sides.setdefault(str(group), set()).add(str(side))
    assert all(len(s) == 1 for s in sides.values())


def test_leaks_of_a_predefined_split_are_told_and_dropped(cli: Callable[..., Any], tree: Path) -> None:
    lines = ["file,level1,level2,split"]
    for name in CLASSES:
        group, leaf = name.split("/")
        for i in range(12):
            side = "test" if i < 3 else "train"
            lines.append(f"{name}/{i}.png,{group},{leaf},{side}")
    copy = tree / CLASSES[0] / "5.png"
    copy.write_bytes((tree / CLASSES[0] / "0.png").read_bytes())
    (tree / "index.csv").write_text("\n".join(lines) + "\n")
    kept = the_record(run(cli, tree))
    assert any("cop" in note or "identical" in note for note in kept["split"]["notes"])
    dropped = the_record(run(cli, tree, "--drop-leaks"))
    train = [r["split"]["counts"]["train"] + r["split"]["counts"]["validation"] for r in (kept, dropped)]
    assert train[1] == train[0] - 1
    assert kept["key"] != dropped["key"]


def test_a_data_bar_is_listed_and_cut(cli: Callable[..., Any], tmp_path: Path) -> None:
    from PIL import ImageDraw

    root = tmp_path / "images"
    for leaf, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for i in range(4):
            canvas = Image.new("L", (1024, 828), 0)
            canvas.paste(picture(10 * leaf + i, leaf).resize((1024, 768)), (0, 0))
            text = f"15.0kV  x1,500  WD 10mm  LAB {leaf}  10um"
            ImageDraw.Draw(canvas).text((20, 782), text, fill=255, font_size=28)
            canvas.save(root / name / f"{i}.png")
    lint = json.loads(cli("data", "lint", root, "--json").out)
    assert sum("bar" in p["what"] for p in lint["problems"]) == 12
    cut = json.loads(cli("data", "lint", root, "--crop-bottom", "auto", "--json").out)
    assert not any("bar" in p["what"] for p in cut["problems"])
    record = the_record(run(cli, root, "--crop-bottom", "auto"))
    assert "cut" in " ".join(record["dataset"]["notes"]) or "crop" in " ".join(record["dataset"]["notes"])


def test_the_name_of_a_suite_stands_for_its_only_data_set(cli: Callable[..., Any], tree: Path) -> None:
    def planned(name: str) -> list[str]:
        args = (
            "run",
            "--suite",
            "x-sdd",
            "--data",
            f"{name}={tree}",
            "--model",
            "prior",
            "--dry-run",
            "--json",
        )
        ended = cli(*args)
        assert ended.status == 0, ended.err
        return [cell["key"] for cell in json.loads(ended.out)]

    assert planned("x-sdd") == planned("images")
    assert cli("run", "--suite", "x-sdd", "--data", f"sem-failure={tree}", "--dry-run").status == 2
