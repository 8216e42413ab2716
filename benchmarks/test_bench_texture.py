"""Texture features of images against scikit-image's local binary patterns alone, in the same run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hmcbench_classical.texture import SCALES, Texture
from ratios import fastest

IMAGES = 64


def local_binary_patterns(images: np.ndarray) -> None:
    """Of scikit-image, at full, half and quarter resolution: one part of four of the texture features."""
    from skimage.feature import local_binary_pattern

    for image in images:
        for scale in range(SCALES):
            local_binary_pattern(image[:: 2**scale, :: 2**scale], 8, 1, "uniform")


@pytest.mark.filterwarnings("ignore")
def test_all_features_take_less_time_than_one_kind_of_scikit_image(
    benchmark: Any, ratio: Callable[..., None]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 128, 128), dtype=np.uint8)
    texture = Texture()
    local_binary_patterns(images[:2]), texture.transform(images[:2])  # imports and first use
    theirs = fastest(lambda: local_binary_patterns(images), 3)
    ours = fastest(lambda: texture.transform(images), 5)
    benchmark(texture.transform, images)
    ratio(f"texture features of {IMAGES} images", "local binary patterns of scikit-image", theirs, ours, 1)
