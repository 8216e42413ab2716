"""The key of a composition image tells the truth: a pixel is the statistic of the property it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hmcbench_materials.composition.descriptors import STATISTICS
from hmcbench_materials.composition.element_properties import PROPERTIES
from hmcbench_materials.composition.image import BLOCK, LAYOUT, CompositionImage
from PIL import Image


def test_the_key_names_what_stands_there() -> None:
    names = [f"{statistic}:{name}" for statistic in STATISTICS for name in PROPERTIES]
    row = np.arange(1.0, 1 + len(names))
    featurizer = CompositionImage()
    image = featurizer.transform(row[None])[0]
    assert (len(featurizer.parts), len(featurizer.parts[0])) == (8, 7)
    for i, parts in enumerate(featurizer.parts):
        for j, name in enumerate(parts):
            for a, pixels in enumerate(featurizer.pixels):
                for b, statistic in enumerate(pixels):
                    expected = row[names.index(f"{statistic}:{name}")] if statistic else 0.0
                    assert image[3 * i + a, 3 * j + b] == expected


def test_a_figure_like_the_papers(cli: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "f.png"
    ended = cli("data", "preview", "metallic-glass", "--view", "composition_image", "--out", out)
    assert ended.status == 0 and "6 of 240 samples, synthetic samples" in ended.out, ended
    with Image.open(out) as picture:
        assert picture.width > 2 * picture.height * 0.9


def test_every_pixel_is_where_the_authors_put_it() -> None:
    row = np.arange(406, dtype=float)[None] + 1
    image = CompositionImage().transform(row)[0]
    assert image.shape == (24, 21)
    for i, names in enumerate(LAYOUT):
        for j, name in enumerate(names):
            for a, block in enumerate(BLOCK):
                for b, statistic in enumerate(block):
                    wanted = STATISTICS.index(statistic) * 58 + PROPERTIES.index(name) + 1 if statistic else 0
                    assert image[3 * i + a, 3 * j + b] == wanted
    assert {n for names in LAYOUT for n in names} == set(PROPERTIES) - {"hhi_p", "hhi_r"}
    assert (image == 0).sum() == 2 * 56
