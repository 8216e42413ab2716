"""Folders of images with masks or polygons, made in a temporary folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.testing.label_maps import tiny_maps

Folder = Callable[..., Path]
CLASSES = "value,path,objects\n0,a/x,\n1,a/y,\n2,b,yes\n255,ignore,\n"
SQUARE = [(2, 2), (9, 2), (9, 9), (2, 9)]
RIGHT = [(6, 2), (15, 2), (15, 9), (6, 9)]
RING = np.ravel(SQUARE).tolist()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """``folder(images, size)``: images, masks and ``classes.csv``, readable by the dataset ``masks``."""

    def make(images: int = 4, size: tuple[int, int] = (24, 32), name: str = "data") -> Path:
        root, dataset = tmp_path / name, tiny_maps(images, size)
        for part in ("images", "masks"):
            (root / part).mkdir(parents=True)
        for i, picture in enumerate(dataset.views["image"]):
            Image.fromarray(picture.load()).save(root / "images" / f"m{i}.png")
            Image.fromarray(dataset.targets.load(i)).save(root / "masks" / f"m{i}.png")
        (root / "classes.csv").write_text(CLASSES)
        return root

    return make


def rewrite(file: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace a picture by a changed one."""
    pixels = np.array(Image.open(file))
    Image.fromarray(change(pixels)).save(file)


def image(root: Path, name: str) -> None:
    """An image of 20 x 30 pixels in the folder ``images``."""
    (root / "images").mkdir(exist_ok=True, parents=True)
    pixels = np.random.default_rng(len(name)).integers(0, 255, (20, 30)).astype(np.uint8)
    Image.fromarray(pixels).save(root / "images" / name)


def coco(root: Path, **changes: Any) -> Path:
    """Two images whose polygons are in one file; ``changes`` replace its lists."""
    for name in ("p.png", "qq.png"):
        image(root, name)
    content = {
        "images": [
            {"id": i, "file_name": n, "height": 20, "width": 30} for i, n in enumerate(("p.png", "qq.png"))
        ],
        "categories": [{"id": 1, "name": "pore", "supercategory": "defect"}, {"id": 2, "name": "crack"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [np.ravel(SQUARE).tolist()]},
            {"id": 2, "image_id": 0, "category_id": 2, "segmentation": [np.ravel(RIGHT).tolist()]},
            {"id": 3, "image_id": 1, "category_id": 2, "segmentation": [np.ravel(SQUARE).tolist()]},
        ],
        **changes,
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root
