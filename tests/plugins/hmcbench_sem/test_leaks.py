"""Leaks that lint points to: near copies across a split, and groups that are not declared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hmcbench_sem.leaks import problems
from hmcbench_sem.lint import lint_images
from hmcbench_sem.reader.entries import Entry
from PIL import Image

from hmcbench.interfaces import DataReport

SCENES, VIEWS = 6, 4


def _view(scene: int, view: int) -> np.ndarray:
    """One of four overlapping views of a scene, (64, 64) uint8."""
    rng = np.random.default_rng(scene)
    coarse = Image.fromarray(rng.normal(size=(14, 14)).astype(np.float32))
    whole = 128 + 40 * np.asarray(coarse.resize((110, 110), Image.Resampling.BICUBIC))
    down, right = divmod(view, 2)
    cut = whole[12 * down : 12 * down + 64, 12 * right : 12 * right + 64]
    return cut.clip(0, 255).astype(np.uint8)


@pytest.fixture
def scenes(tmp_path: Path) -> Callable[..., Path]:
    """``scenes("file,...", row)``: 24 views of 6 scenes of 2 classes, and an index of rows by a format."""

    def make(header: str, row: str, name: str = "{scene}{view}.png") -> Path:
        lines = [header]
        for scene in range(SCENES):
            for view in range(VIEWS):
                values = {"scene": scene, "view": view, "class": "xy"[scene % 2]}
                values["side"] = "test" if view == 3 else "train"
                file = name.format(**values)
                Image.fromarray(_view(scene, view)).save(tmp_path / file)
                lines.append(row.format(file=file, **values))
        (tmp_path / "index.csv").write_text("\n".join(lines))
        return tmp_path

    return make


def _warnings(report: DataReport, kind: str) -> list[str]:
    return [f"{p.where}: {p.what}" for p in report.problems if p.kind == kind]


def test_views_of_one_place_across_a_split(scenes: Callable[..., Path]) -> None:
    report = lint_images(path=str(scenes("file,labels,split", "{file},{class},{side}")))
    warnings = _warnings(report, "near-duplicate")
    assert len(warnings) == SCENES
    assert warnings[0].startswith(
        "00.png: shows the same place (train) as 01.png (train), 02.png (train), 03"
    )
    assert "6 of 6 test images have one among the training images" in report.facts["near-duplicates"]
    sides = [{name.partition(" (")[2] for name in pair.names} for pair in report.pairs[:SCENES]]
    assert sides == [{"train)", "test)"}] * SCENES  # those that leak come first


def test_views_of_one_place_in_one_partition_are_no_leak(scenes: Callable[..., Path]) -> None:
    report = lint_images(path=str(scenes("file,labels,split", "{file},{class},train")))
    assert _warnings(report, "near-duplicate") == []
    assert report.facts["near-duplicates"].endswith("24 images in 6 sets")


def test_without_a_split_all_sets_are_listed_unless_groups_keep_them_together(
    scenes: Callable[..., Path],
) -> None:
    assert (
        len(_warnings(lint_images(path=str(scenes("file,labels", "{file},{class}"))), "near-duplicate")) == 6
    )
    grouped = lint_images(path=str(scenes("file,labels,group", "{file},{class},{scene}")))
    assert (_warnings(grouped, "near-duplicate"), _warnings(grouped, "group"), grouped.pairs) == ([], [], [])


class Pair:
    """A near copy that counts how often it is looked at."""

    looks = 0

    def __init__(self, first: int, correlation: float) -> None:
        self._first, self.second, self.correlation, self.overlap, self.turned = (
            first,
            first + 1,
            correlation,
            1.0,
            False,
        )

    @property
    def first(self) -> int:
        Pair.looks += 1
        return self._first


@pytest.mark.parametrize("split", ["", "train"])
def test_every_set_looks_at_its_own_pairs_alone(split: str) -> None:
    samples: Any = [
        SimpleNamespace(entry=Entry(f"{k}.png", (), "", split="test" if split and k % 3 == 1 else split))
        for k in range(600)
    ]
    pairs: Any = [Pair(first, 0.8 + first / 6000) for k in range(0, 600, 3) for first in (k, k + 1)]
    Pair.looks = 0
    found = problems(samples, pairs)
    assert Pair.looks < 10 * len(pairs)
    assert len(found) == 200
    assert found[1].where == "3.png" and "4.png" in found[1].what and "5.png" in found[1].what
    assert found[-1].what.endswith("100% of the image, correlation 0.90")  # that of the surest of its pairs


@pytest.mark.parametrize("column", ["scene_group", "Specimen", "heat", "sample-id", "micrograph2"])
def test_a_column_that_looks_like_a_group(scenes: Callable[..., Path], column: str) -> None:
    report = lint_images(path=str(scenes(f"file,labels,{column}", "{file},{class},S{scene}")))
    (warning,) = _warnings(report, "group")
    assert f"the column {column.lower()!r} looks like a group and is read as a feature" in warning
    assert "6 values of 4 images, 33 of 33 near-duplicate pairs within one" in warning


def test_a_column_that_looks_like_a_group_and_is_no_feature(scenes: Callable[..., Path]) -> None:
    report = lint_images(path=str(scenes("file,labels,groups", "{file},{class},S{scene}")))
    (warning,) = _warnings(report, "group")
    assert "the column 'groups' looks like a group and is not read" in warning


def test_a_column_of_any_name_that_explains_the_near_copies(scenes: Callable[..., Path]) -> None:
    (warning,) = _warnings(
        lint_images(path=str(scenes("file,labels,abc", "{file},{class},{scene}"))), "group"
    )
    assert "'abc'" in warning


@pytest.mark.parametrize(
    "row",
    ["{file},{class},{scene}{view}", "{file},{class},{class}", "{file},{class},", "{file},{class},{view}"],
)
def test_columns_that_are_no_group(scenes: Callable[..., Path], row: str) -> None:
    report = lint_images(path=str(scenes("file,labels,note", row)))
    assert _warnings(report, "group") == []


@pytest.mark.parametrize(
    "name", ["s{scene}_{view}.png", "s{scene}-r{view}_c0.png", "{class} s{scene} {view}.png"]
)
def test_beginnings_of_file_names(scenes: Callable[..., Path], name: str) -> None:
    (warning,) = _warnings(lint_images(path=str(scenes("file,labels", "{file},{class}", name))), "group")
    assert "file names begin alike" in warning
    assert "(6 values of 4 images" in warning


@pytest.mark.parametrize("name", ["{class}_{scene}{view}.png", "{scene}{view}.png", "p_{scene}{view}.png"])
def test_file_names_that_tell_the_class_alone(scenes: Callable[..., Path], name: str) -> None:
    report = lint_images(path=str(scenes("file,labels", "{file},{class}", name)))
    assert _warnings(report, "group") == []


def test_the_command_draws_the_pairs(scenes: Callable[..., Path], cli: Callable[..., Any]) -> None:
    root = scenes("file,labels,split", "{file},{class},{side}")
    ended = cli("data", "lint", root, "--pairs", root / "alike.png")
    assert f"figure  {root / 'alike.png'}: 24 of 33 pairs" in ended.out
    with Image.open(root / "alike.png") as drawn:
        assert drawn.width > 1000
    listed = json.loads(cli("data", "lint", root, "--json").out)["pairs"]
    assert len(listed) == 33
    assert listed[0][0].endswith(".png (train)")


def test_no_pairs_no_figure(tree: Path, cli: Callable[..., Any]) -> None:
    ended = cli("data", "lint", tree, "--pairs", tree / "alike.png")
    assert "no two images show the same place" in ended.out
    assert not (tree / "alike.png").exists()


def test_thumbnails_are_kept_and_a_damaged_cache_is_no_obstacle(scenes: Callable[..., Path]) -> None:
    from hmcbench.files import cache_dir

    root = scenes("file,labels", "{file},{class}")
    first = lint_images(path=str(root)).facts
    stores = list(cache_dir("thumbnails").glob("*.npz"))
    assert stores
    for store in stores:
        store.write_bytes(b"PK no archive")
    assert lint_images(path=str(root)).facts == first


@pytest.mark.slow
def test_neu_det_holds_overlapping_views(shared: Callable[[str], Path]) -> None:
    report = lint_images(path=str(shared("neu_det")))
    pairs = {tuple(Path(name).stem for name in pair.names) for pair in report.pairs}
    assert {("rolled-in_scale_20", "rolled-in_scale_21"), ("inclusion_7", "inclusion_8")} <= pairs
    folders = [{Path(name).parent.name for name in pair.names} for pair in report.pairs]
    assert all(len(both) == 1 for both in folders)
