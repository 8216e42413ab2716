"""Hand-made image features."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench.interfaces import Dataset
from hmcbench.registry.registry import Registry, create
from hmcbench.testing.helpers import fitted, inputs, temporary_plugin, tiny_dataset

FEATURIZERS = ("texture", "grey_histogram")


@pytest.fixture(scope="module")
def registry() -> Any:
    with temporary_plugin() as loaded:
        yield loaded


def featurizer(registry: Registry, name: str) -> Any:
    return create(*registry.resolve("featurizers", name))


def pictures(n: int = 12, size: int = 128, seed: int = 0) -> np.ndarray:
    """Noise, stripes, blobs in turn, uint8 (n, size, size)."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (n, size, size)).astype(float)
    rows = np.arange(size)
    stripes = 128 + 100 * np.sin(rows / 3)[:, None] + np.zeros(size)
    noise[1::3] = 0.2 * noise[1::3] + 0.8 * stripes
    smooth = noise[2::3].reshape(-1, size // 8, 8, size // 8, 8).mean(axis=(2, 4))
    noise[2::3] = smooth.repeat(8, axis=1).repeat(8, axis=2)
    return noise.clip(0, 255).astype(np.uint8)


def test_listing_it_imports_nothing_heavy() -> None:
    program = (
        "import sys, hmcbench_classical as c; c.hmcbench_models(); c.hmcbench_featurizers();"
        "sys.exit(any(m in sys.modules for m in ('numpy', 'sklearn', 'skimage')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --------------------------------------------------------------------------- featurizers


@pytest.mark.parametrize("name", FEATURIZERS)
def test_features_have_a_fixed_shape_and_no_memory_of_other_images(registry: Registry, name: str) -> None:
    step, images = featurizer(registry, name), pictures()
    whole = step.transform(images)
    assert whole.dtype == np.float32
    assert whole.shape == (12, {"texture": 134, "grey_histogram": 64}[name])
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(step.transform(images[5:6]), whole[5:6])
    np.testing.assert_array_equal(step.transform(list(images[::-1])), whole[::-1])
    np.testing.assert_array_equal(featurizer(registry, name).transform(images), whole)


@pytest.mark.parametrize("name", FEATURIZERS)
@pytest.mark.parametrize("size", [16, 17, 50, 128])
def test_flat_and_small_images_are_no_trouble(registry: Registry, name: str, size: int) -> None:
    images = np.zeros((3, size, size), dtype=np.uint8)
    images[1], images[2, 0, 0] = 255, 1
    features = featurizer(registry, name).transform(images)
    assert np.isfinite(features).all()


def test_the_histogram_is_the_share_of_each_grey_level(registry: Registry) -> None:
    image = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(1, 32, 32)
    image[0, 0, :4] = 255
    features = featurizer(registry, "grey_histogram").transform(image)
    assert features.sum() == pytest.approx(1)
    assert features[0, 0] == pytest.approx(12 / 1024)
    assert features[0, -1] == pytest.approx(20 / 1024)
    np.testing.assert_allclose(features[0, 1:-1], 1 / 64)


def test_texture_tells_textures_apart_and_ignores_brightness(registry: Registry) -> None:
    step, images = featurizer(registry, "texture"), pictures()
    features = step.transform(images)
    noise, stripes, blobs = (features[k::3] for k in range(3))
    for texture, other in ((noise, stripes), (stripes, blobs), (noise, blobs)):
        within = max(np.ptp(texture, axis=0).mean(), np.ptp(other, axis=0).mean())
        assert np.abs(texture.mean(0) - other.mean(0)).mean() > 2 * within
    darker = step.transform(images // 2)
    np.testing.assert_allclose(darker[:, 10:], features[:, 10:], atol=0.1, rtol=0.05)


def test_binary_patterns_agree_with_scikit_image_on_its_own_terms() -> None:
    from hmcbench_classical.texture import binary_patterns
    from skimage import feature

    # at a distance of 1 the four straight neighbours are not interpolated: blocks make all eight so
    image = pictures(3)[2]
    pattern: Any = feature.local_binary_pattern
    codes = pattern(image, 8, 1, "uniform")[1:-1, 1:-1]
    expected = np.bincount(codes.astype(int).ravel(), minlength=10) / codes.size
    features = binary_patterns(image[None].astype(np.float32))[0]
    np.testing.assert_allclose(features, expected, atol=0.05)


def test_oriented_gradients_find_a_direction_and_turn_with_it() -> None:
    from hmcbench_classical.texture import oriented_gradients

    stripes = pictures(2)[1].astype(np.float32)
    noise = pictures(1)[0].astype(np.float32)
    along, across, none = oriented_gradients(np.stack([stripes, stripes.T, noise]))
    np.testing.assert_allclose(along[:16], across[:16], atol=0.05)
    assert along[8] > 0.25  # the peak; 1/8 would be no direction at all
    assert none[8] < 0.15


def test_what_is_not_grey_pixels_is_refused(registry: Registry) -> None:
    for name in FEATURIZERS:
        with pytest.raises(TypeError, match="expected uint8"):
            featurizer(registry, name).transform(np.zeros((2, 32, 32, 3), dtype=np.uint8))


def test_texture_beats_grey_levels_where_brightness_says_nothing(registry: Registry) -> None:
    images = pictures(60, 64)
    ranks = images.reshape(60, -1).argsort(axis=1, kind="stable").argsort(axis=1)
    equal = (ranks // 16).astype(np.uint8).reshape(60, 64, 64)  # all histograms are the same now
    labels = tiny_dataset(60)
    hierarchy = labels.task.hierarchy
    assert hierarchy is not None
    leaves = [hierarchy.classes[k] for k in hierarchy.leaves]
    targets = hierarchy.encode([[leaves[i % 3]] for i in range(60)])
    views = {name: featurizer(registry, name).transform(equal) for name in FEATURIZERS}
    dataset: Dataset = replace(labels, views=views, targets=targets)

    def accuracy(view: str) -> float:
        forest = create(*registry.resolve("models", f"forest[inputs={view},n_estimators=10]"))
        model = fitted(forest, dataset, train=range(30), valid=[0])
        scores = model.predict(inputs(dataset, range(30, 60))).values[:, hierarchy.leaves]
        return float((scores.argmax(1) == np.arange(30, 60) % 3).mean())

    assert accuracy("texture") == 1
    assert accuracy("grey_histogram") < 0.7
