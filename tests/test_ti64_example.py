"""examples/ti64: patches with their classes, or with what share of them a class fills; the suite of these."""

from __future__ import annotations

import csv
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.plan.cells import make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry

EXAMPLE = Path(__file__).parents[1] / "examples" / "ti64"
MICROGRAPHS, SIDE = 6, 40

sys.path.insert(0, str(EXAMPLE))  # as python does for a script: one imports the other
prepare: Callable[..., None] = runpy.run_path(str(EXAMPLE / "prepare.py"))["main"]
by_series: Callable[..., None] = runpy.run_path(str(EXAMPLE / "series.py"))["main"]


def write(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")


def index(folder: Path) -> list[list[str]]:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Micrographs of four patches each.

    Patch k of micrograph m has k x (m + 1) rows of brittle pixels (2), then one of background (1); the rest
    is ductile (0).
    """
    folder = tmp_path / "source" / "annotated"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    patches, images = ["file,x,y,w,h,labels_ge15pct"], ["file,mask"]
    for m in range(MICROGRAPHS):
        mask = np.zeros((2 * SIDE, 2 * SIDE), dtype=np.uint8)
        names = [f"annotated/{kind}{m}.png" for kind in ("image", "mask")]
        images.append(",".join(names))
        for k, (y, x) in enumerate(np.ndindex(2, 2)):
            patch, brittle = mask[y * SIDE :, x * SIDE : (x + 1) * SIDE], k * (m + 1)
            patch[:brittle], patch[brittle] = 2, 1
            patch[brittle + 1 : SIDE] = 0
            label = "ductile;brittle" if brittle >= 0.15 * SIDE else "ductile"
            patches.append(f"{names[0]},{x * SIDE},{y * SIDE},{SIDE},{SIDE},{label}")
        picture = random.integers(0, 256, mask.shape, dtype=np.uint8)
        for name, pixels in zip(names, (picture, mask), strict=True):
            Image.fromarray(pixels).save(folder.parent / name)
    write(folder / "patches.csv", patches)
    write(folder / "images.csv", images)
    return folder.parent


def test_the_share_of_a_class_is_counted_in_the_mask(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "patches", "brittle", "background")
    header, *rows = index(tmp_path / "patches")
    assert header == ["file", "target:brittle fraction", "target:background fraction", "group"]
    assert rows[:4] == [
        ["image0-0-0.png", "0.0", "0.025", "image0"],
        ["image0-40-0.png", "0.025", "0.025", "image0"],
        ["image0-0-40.png", "0.05", "0.025", "image0"],
        ["image0-40-40.png", "0.075", "0.025", "image0"],
    ]
    assert [float(row[1]) for row in rows] == [
        k * (m + 1) / SIDE for m in range(MICROGRAPHS) for k in range(4)
    ]
    assert not (tmp_path / "patches" / "hierarchy.csv").exists()
    with (
        Image.open(tmp_path / "patches" / "image0-40-0.png") as patch,
        Image.open(source / "annotated" / "image0.png") as image,
    ):
        assert np.array_equal(np.asarray(patch), np.asarray(image)[:SIDE, SIDE:])


def test_without_a_class_patches_are_labelled_with_theirs(source: Path, tmp_path: Path) -> None:
    (source / "annotated" / "images.csv").unlink()  # masks are not read
    prepare(source, tmp_path / "patches")
    header, *rows = index(tmp_path / "patches")
    assert header == ["file", "labels", "group"]
    assert {row[1] for row in rows} == {"ductile", "ductile|brittle"}
    assert (tmp_path / "patches" / "hierarchy.csv").is_file()


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (["britle"], "'britle' is no class of the masks. Allowed: ductile, background, brittle"),
        (["brittle", "brittle"], "'brittle' is named twice"),
    ],
)
def test_classes_that_cannot_be_counted_are_refused_before_anything_is_written(
    classes: list[str], says: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        prepare(source, tmp_path / "patches", *classes)
    assert not (tmp_path / "patches").exists()


@pytest.mark.parametrize(
    ("file", "change", "classes", "says"),
    [
        ("images", ("annotated/image5.png,annotated/mask5.png\n", ""), "brittle", "names no mask of"),
        ("images", ("file,mask", "file,label"), "brittle", "images.csv has no column 'mask'"),
        ("images", ("annotated/mask5.png", ""), "brittle", "images.csv, line 7: no value of 'mask'"),
        ("images", ("annotated/mask5.png", "annotated/gone.png"), "brittle", "No such file .*gone.png"),
        ("patches", ("file,x,y", "file,left,y"), "", "patches.csv has no column 'x'"),
        ("patches", ("file,x,y", "image,x,y"), "", "patches.csv has no column 'file'"),
        ("patches", (",labels_ge15pct", ",labels"), "", "patches.csv has no column 'labels_ge15pct'"),
        ("patches", ("5.png,40,40,40,40,ductile;brittle", "5.png,40"), "", "line 25: no value of 'y'"),
        ("patches", ("5.png,40,40,40,40", "5.png,40,4o,40,40"), "", "line 25: .* not all whole numbers"),
        ("patches", ("5.png,40,40,40,40", "5.png,40,-4,40,40"), "", "line 25: x or y is negative"),
        ("patches", ("5.png,40,40,40,40", "5.png,40,40,40,0"), "brittle", "line 25: .* h is not positive"),
        ("patches", ("5.png,40,40,40,40", "5.png,40,41,40,40"), "", "line 25: the patch leaves .*5.png"),
        ("patches", ("image5.png,40,40", "image6.png,40,40"), "", "No such file .*image6.png"),
    ],
)
def test_tables_that_do_not_hold_what_is_needed_are_told_before_anything_is_written(
    file: str, change: tuple[str, str], classes: str, says: str, source: Path, tmp_path: Path
) -> None:
    """A micrograph without a mask ended in a KeyError when half of the target had been written."""
    table = source / "annotated" / f"{file}.csv"
    text = table.read_text(encoding="utf-8")
    assert change[0] in text
    table.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        prepare(source, tmp_path / "patches", *filter(None, [classes]))
    assert not (tmp_path / "patches").exists()


def test_a_mask_that_is_smaller_than_its_image_is_told(source: Path, tmp_path: Path) -> None:
    """What is outside would be counted as ductile."""
    Image.new("L", (SIDE, 2 * SIDE)).save(source / "annotated" / "mask0.png")
    with pytest.raises(ValueError, match=r"line 3: the patch leaves .*mask0.png, which is 40 x 80 pixels"):
        prepare(source, tmp_path / "patches", "brittle")
    prepare(source, tmp_path / "patches")  # reads no masks


@pytest.fixture
def specimens(tmp_path: Path) -> Path:
    """A micrograph of each of three specimens."""
    folder = tmp_path / "specimens"
    folder.mkdir()
    rows = ["file,level1_series,level2,level3_specimen"]
    for code in ("B3067", "B6090", "S3067"):
        (folder / f"{code}.jpg").write_bytes(code.encode())
        rows.append(f"{code}.jpg,{code[0]},{code[:3]},{code}")
    write(folder / "specimens.csv", rows)
    return folder


def test_series_share_their_levels(specimens: Path, tmp_path: Path) -> None:
    by_series(specimens, tmp_path / "series")
    assert index(tmp_path / "series" / "B")[1:] == [["B3067.jpg", "30", "3067"], ["B6090.jpg", "60", "6090"]]
    assert index(tmp_path / "series" / "S")[1:] == [["S3067.jpg", "30", "3067"]]
    assert (tmp_path / "series" / "S" / "S3067.jpg").read_bytes() == b"S3067"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("level1_series", "series"), "specimens.csv has no column 'level1_series'"),
        (("S,S30,S3067", "S"), "specimens.csv, line 4: no value of 'level3_specimen'"),
        (("S3067.jpg", "gone.jpg"), "No such file .*gone.jpg"),
    ],
)
def test_a_table_of_specimens_that_lacks_something_is_told_before_anything_is_written(
    change: tuple[str, str], says: str, specimens: Path, tmp_path: Path
) -> None:
    table = specimens / "specimens.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        by_series(specimens, tmp_path / "series")
    assert not (tmp_path / "series").exists()


def ended(*arguments: object, script: str = "prepare.py") -> str:
    """What a command says that fails."""
    command = [sys.executable, *map(str, (EXAMPLE / script, *arguments))]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 1
    return str(completed.stderr)


def test_a_fault_of_the_command_is_one_line(source: Path, tmp_path: Path) -> None:
    assert ended(source).startswith("Cut 19 micrographs")
    nowhere = ended(tmp_path / "nowhere", tmp_path / "patches")
    assert nowhere.startswith("prepare.py: [Errno 2] No such file") and nowhere.count("\n") == 1
    assert not (tmp_path / "patches").exists()
    said = ended(source, tmp_path / "patches", "cleavage")
    assert said == "prepare.py: 'cleavage' is no class of the masks. Allowed: ductile, background, brittle\n"
    table = source / "annotated" / "patches.csv"
    table.write_text("file,x,y,w,h,labels_ge15pct\nannotated/image0.png,0\n", encoding="utf-8")
    assert ended(source, tmp_path / "patches") == f"prepare.py: {table}, line 2: no value of 'y'\n"


def test_a_fault_of_the_command_for_series_is_one_line(specimens: Path, tmp_path: Path) -> None:
    assert ended(specimens, script="series.py").startswith("Sort micrographs")
    nowhere = ended(tmp_path / "nowhere", tmp_path / "series", script="series.py")
    assert nowhere.startswith("series.py: [Errno 2] No such file") and nowhere.count("\n") == 1
    table = specimens / "specimens.csv"
    table.write_bytes(b"\xff" + table.read_bytes())
    told = ended(specimens, tmp_path / "series", script="series.py")
    assert told.startswith(f"series.py: {table} is no table: ") and told.count("\n") == 1


@pytest.mark.torch
def test_all_models_of_the_suite_predict_the_target(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "patches", "brittle")
    registry = default_registry()
    suite = load_suite(registry, str(EXAMPLE / "brittle-fraction.toml"))
    plan = make_plan(suite, registry, Choices(data={suite.name: str(tmp_path / "patches")}))
    rows = list(dict.fromkeys(cell.row for cell in plan.cells))
    assert rows == ["HFFNet-2d", "HFFCNN", "test_resnet", "forest", "svm", "ridge", "prior"]
    assert len(plan.cells) == 5 * len(rows) and not plan.not_applicable
    parts: list[dict[str, Any]] = [cell.record["dataset"] for cell in plan.cells]
    assert {(part["task"], *part["targets"]) for part in parts} == {("regression", "brittle fraction")}
    networks = [cell.model_params for cell in plan.cells if "epochs" in cell.model_params]
    assert {(params["epochs"], params["batch_size"]) for params in networks} == {(20, 16)}
