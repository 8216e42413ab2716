"""Folders of images with masks, made in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hmcbench.testing.label_maps import tiny_maps

Folder = Callable[..., Path]
CLASSES = "value,path,objects\n0,a/x,\n1,a/y,\n2,b,yes\n255,ignore,\n"


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
