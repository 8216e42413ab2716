"""The featurizer ``pixels``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.pixels import Pixels
from hmcbench_sem.reader.images import ImageFile
from PIL import Image

Picture = Callable[..., np.ndarray]


@pytest.fixture
def files(tmp_path: Path, picture: Picture) -> list[ImageFile]:
    """Grey and colour, of unequal sizes."""
    images = []
    for k, (height, width) in enumerate([(100, 140), (64, 64), (300, 200), (20, 30)]):
        array = picture(k, height, width)
        name = tmp_path / f"{k}.{'jpg' if k == 2 else 'png'}"
        Image.fromarray(np.stack([array, array, array // 2], -1) if k % 2 else array).save(name)
        images.append(ImageFile(str(name)))
    return images


@pytest.mark.parametrize(("channels", "shape"), [(1, (4, 64, 64)), (3, (4, 64, 64, 3))])
def test_shape_and_independence_of_the_block(
    files: list[ImageFile], channels: int, shape: tuple[int, ...]
) -> None:
    pixels = Pixels(size=64, channels=channels)
    whole = pixels.transform(files)
    assert (whole.dtype, whole.shape) == (np.uint8, shape)
    for k in range(4):
        np.testing.assert_array_equal(pixels.transform(files[k : k + 1])[0], whole[k])


def test_right_size_stays_as_it_is_and_grey_fills_three_channels(
    files: list[ImageFile], picture: Picture
) -> None:
    exact = ImageFile(files[1].path)
    np.testing.assert_array_equal(Pixels(64, 3).transform([exact])[0], exact.load())
    plain = Pixels(64, 3).transform(files[:1])[0]
    assert (plain == plain[..., :1]).all()


def test_reduction_does_not_alias(tmp_path: Path) -> None:
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "p.png")
    reduced = Pixels(32).transform([ImageFile(str(tmp_path / "p.png"))])[0]
    assert abs(reduced.astype(int) - 128).max() <= 3
