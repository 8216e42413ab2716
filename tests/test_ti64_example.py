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

prepare: Callable[..., None] = runpy.run_path(str(EXAMPLE / "prepare.py"))["main"]


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


def test_a_fault_of_the_command_is_one_line(source: Path, tmp_path: Path) -> None:
    def ended(*arguments: object) -> str:
        command = [sys.executable, *map(str, (EXAMPLE / "prepare.py", *arguments))]
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert completed.returncode == 1
        return str(completed.stderr)

    assert ended(source).startswith("Cut 19 micrographs")
    nowhere = ended(tmp_path / "nowhere", tmp_path / "patches")
    assert nowhere.startswith("prepare.py: [Errno 2] No such file") and nowhere.count("\n") == 1
    assert not (tmp_path / "patches").exists()
    said = ended(source, tmp_path / "patches", "cleavage")
    assert said == "prepare.py: 'cleavage' is no class of the masks. Allowed: ductile, background, brittle\n"


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
