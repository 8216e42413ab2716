"""Version 3 beside real micrographs, where they are present: docs/fractographs.md has the whole tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fractographs as measures
import numpy as np
import pytest
from hmcbench_sem.surfaces.looks import LOOKS


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """Eight pictures of every look."""
    return measures.version_3([(look.name,) for look in LOOKS], 8, 0).pixels


@pytest.fixture
def real(shared: Callable[[str], Path]) -> np.ndarray:
    """Every fourth square of both real sets."""
    folder = shared("fracture_sem_ti64").parent
    shared("fracture_sem_tiny")
    return np.concatenate([measures.ti64(folder).pixels[::4], measures.tiny(folder).pixels[::2]])


def test_statistics_lie_inside_the_range_of_real_images(real: np.ndarray, drawn: np.ndarray) -> None:
    synthetic = measures.statistics(drawn.astype(float))
    for name, values in measures.statistics(real.astype(float)).items():
        low, high = np.quantile(values, (0.05, 0.95))
        assert low < np.median(synthetic[name]) < high, name
        inside = np.mean((synthetic[name] > values.min()) & (synthetic[name] < values.max()))
        assert inside > 0.8, name


def test_texture_features_lie_inside_the_range_of_real_images(real: np.ndarray, drawn: np.ndarray) -> None:
    features = measures.texture(real)
    old = measures.version_2(20).pixels
    assert measures.outside(features, measures.texture(drawn)) < 0.1
    assert measures.outside(features, measures.texture(old)) > 0.2  # version 2: noise and foam


@pytest.fixture(scope="module")
def of_alloy() -> measures.Drawn:
    """Dimples, facets and machined surfaces: what ti64 shows."""
    return measures.version_3([("dimples",), ("dimples",), *measures.FACETS], 24, 3)


def test_dimples_of_synthetic_images_are_found_on_real_ones(
    shared: Callable[[str], Path], of_alloy: measures.Drawn
) -> None:
    """Trained on synthetic images alone, few of them; more give what docs/fractographs.md reports."""
    patches = measures.ti64(shared("fracture_sem_ti64").parent)
    patches = measures.Real(*(field[::3] for field in patches))
    score = measures.by_texture(measures.extra_trees(), of_alloy, patches)
    against_the_rest, against_brittle, called_ductile = (
        float(cell) for cell in measures.agreement(score, patches).split("|")[1:4]
    )
    assert against_the_rest > 0.85
    assert against_brittle > 0.9
    assert 0.3 < called_ductile < 0.9


@pytest.mark.torch
def test_a_network_scores_the_real_images_in_their_order() -> None:
    """Bright squares among dark ones, which any network learns."""
    rng = np.random.default_rng(0)
    bright = rng.random(60) < 0.5
    noise = rng.integers(0, 40, (60, 96, 96))
    noise[bright, 24:72, 24:72] += 180
    pixels = noise.astype(np.uint8)
    drawn = measures.Drawn(pixels[:40], bright[:40].astype(float))
    kind = np.where(bright[40:], "ductile", "brittle")
    real = measures.Real(pixels[40:], kind, np.arange(20).astype(str))
    model = "timm:test_resnet[image_size=32,epochs=12,batch_size=8,patience=1000]"
    score = measures.by_network(drawn, real, model)
    assert score[kind == "ductile"].min() > score[kind == "brittle"].max()


def test_dimples_are_harder_to_tell_from_real_ones_than_those_of_version_2(
    shared: Callable[[str], Path], of_alloy: measures.Drawn
) -> None:
    real = measures.ti64(shared("fracture_sem_ti64").parent).of("ductile")
    real = measures.Real(*(field[::4] for field in real))
    old = measures.version_2(48)
    new = of_alloy.pixels[of_alloy.ductile > 0.5]
    assert measures.told_apart(real, new) < measures.told_apart(real, old.pixels[old.ductile > 0])


def test_noise_and_slope_are_measured() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(128, 20, (4, 96, 96))
    smooth = np.stack([128 + 40 * np.sin(np.arange(96) / 15)[:, None] * np.ones(96)] * 4)
    assert measures.noise_over_contrast(noise) == pytest.approx(1, abs=0.1)
    assert measures.noise_over_contrast(smooth).max() < 0.02
    assert measures.spectral_slope(noise) == pytest.approx(0, abs=0.2)
