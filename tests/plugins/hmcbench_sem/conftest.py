"""Small picture folders for the tests of the readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Picture = Callable[..., np.ndarray]
Gallery = Callable[..., Path]


@pytest.fixture
def picture() -> Picture:
    """``picture(seed, height, width)``: a grey picture of smooth blobs, (H, W) uint8."""

    def make(seed: int = 0, height: int = 32, width: int = 40) -> np.ndarray:
        coarse = np.random.default_rng(seed).integers(40, 216, (max(2, height // 8), max(2, width // 8)))
        grown = Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(grown)

    return make


@pytest.fixture
def gallery(tmp_path: Path, picture: Picture) -> Gallery:
    """``gallery({"a/1.png": 1, ...}, "index text")``: a data folder of pictures by seed."""

    def make(files: Mapping[str, int], index: str = "", hierarchy: str = "") -> Path:
        root = tmp_path / "data"
        for name, seed in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(seed)).save(path)
        root.mkdir(exist_ok=True)
        for name, text in (("index.csv", index), ("hierarchy.csv", hierarchy)):
            if text:
                (root / name).write_text(text, encoding="utf-8")
        return root

    return make


@pytest.fixture
def tree(gallery: Gallery) -> Path:
    """Two classes of four pictures each, as folders ``a`` and ``b``."""
    return gallery({f"{name}/{k}.png": 10 * i + k for i, name in enumerate("ab") for k in range(4)})


@pytest.fixture
def indexed(gallery: Gallery) -> Callable[..., Path]:
    """``indexed(rows, header)``: an index of eight good pictures of two classes, then the given rows."""

    def make(rows: str = "", header: str = "file,level1,level2", hierarchy: str = "") -> Path:
        cells = {"file": "{k}.png", "level1": "m", "level2": "{name}", "labels": "{name}"}
        pattern = ",".join(cells.get(column, "") for column in header.split(","))
        good = [pattern.format(k=k, name="x" if k < 4 else "y") for k in range(8)]
        return gallery({f"{k}.png": k for k in range(8)}, "\n".join([header, *good, rows, ""]), hierarchy)

    return make
