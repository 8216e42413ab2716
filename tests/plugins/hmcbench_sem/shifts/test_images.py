"""Shifts of images, each against what its severity says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hmcbench_sem.shifts import base, beam, files, scan
from scipy import ndimage

from hmcbench import ShiftInputs
from hmcbench.registry.registry import default_registry, load_object

SIZE = 128
SPECS = [spec for spec in default_registry().specs("shifts") if spec.views == ("image",)]


class Picture:
    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def load(self, min_side: int | None = None) -> np.ndarray:
        return self.pixels.copy()


def surface(size: int = SIZE) -> np.ndarray:
    """Smooth random relief, uint8."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((size, size)), size / 40)
    return np.clip(128 + 45 * noise / noise.std(), 0, 255).astype(np.uint8)


def shifted(shift: Any, severity: float, pixels: np.ndarray, name: str = "a", **params: Any) -> np.ndarray:
    (image,) = shift(ShiftInputs("image", [name], [Picture(pixels)]), severity, **params)
    loaded: np.ndarray = image.load()
    return loaded


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("shape", [(128, 128), (40, 64), (64, 40, 3), (1, 1), (3, 2, 3)])
def test_every_shape_is_kept(spec: Any, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    params = {name: param.default for name, param in spec.params.items()}
    for severity in (0.0, spec.severities[0], spec.severities[-1]):
        changed = shifted(load_object(spec.factory), severity, pixels, **params)
        assert (changed.shape, changed.dtype) == (shape, np.uint8)
        assert severity or np.array_equal(changed, pixels)


def test_there_are_eleven_with_five_steps_each() -> None:
    assert [len(spec.severities) for spec in SPECS] == [5] * 11


def test_shot_noise_has_its_deviation_at_mid_grey_and_more_in_the_light() -> None:
    for grey, factor in ((128, 1.0), (32, 0.5)):
        flat = np.full((SIZE, SIZE), grey, dtype=np.uint8)
        noise = shifted(beam.shot_noise, 4.0, flat).astype(float) - grey
        assert noise.std() == pytest.approx(0.04 * 255 * factor, rel=0.05)
    assert not np.array_equal(shifted(beam.shot_noise, 4.0, flat), shifted(beam.shot_noise, 4.0, flat, "b"))


def test_defocus_is_a_gaussian_blur_of_its_deviation() -> None:
    for size in (128, 256):
        pixels = surface(size)
        expected = ndimage.gaussian_filter(pixels.astype(float), 1.5 * size / 128, mode="mirror", truncate=6)
        inside = (slice(10, -10), slice(10, -10))
        assert np.abs(shifted(beam.defocus, 1.5, pixels) - expected)[inside].max() < 2


def test_astigmatism_blurs_a_point_into_a_line() -> None:
    point = np.zeros((SIZE, SIZE), dtype=np.uint8)
    point[60:68, 60:68] = 255
    blurred = shifted(beam.astigmatism, 4.0, point).astype(float)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(y.ravel(), x.ravel(), aweights=blurred.ravel())))
    assert spread[1] > 4 and spread[0] == pytest.approx(np.sqrt(63 / 12), abs=0.4)


def test_charging_changes_rows_by_no_more_than_it_says() -> None:
    flat = np.full((SIZE, SIZE), 128, dtype=np.uint8)
    change = shifted(beam.charging, 10.0, flat).astype(float) - 128
    assert 10 < np.abs(change).max() < 2.5 * 25.5
    assert np.abs(change).max(axis=1).min() < 1, "rows between the streaks stay"


def test_contrast_is_lost_and_brightness_changes() -> None:
    pixels = surface()
    changed = shifted(beam.contrast, 40.0, pixels).astype(float)
    assert changed.std() == pytest.approx(0.6 * pixels.std(), rel=0.02)
    assert abs(changed.mean() - pixels.mean()) == pytest.approx(0.2 * 255, rel=0.02)


def test_jitter_moves_whole_lines() -> None:
    ramp = np.tile(np.arange(SIZE, dtype=np.uint8), (SIZE, 1))
    moved = shifted(scan.jitter, 2.0, ramp).astype(float) - ramp
    inside = moved[:, 10:-10]
    assert (np.ptp(inside, axis=1) <= 1).all()
    assert inside.mean(axis=1).std() == pytest.approx(2.0, rel=0.2)


def test_drift_reaches_its_length_in_the_last_line() -> None:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    moved = [shifted(scan.drift, 8.0, (grid + 40).astype(np.uint8)).astype(float) for grid in (y, x)]
    grids = [after - 40 - before for after, before in zip(moved, (y, x), strict=True)]
    first, last = (np.hypot(*(grid[row, 40:-40].mean() for grid in grids)) for row in (0, 110))
    assert first < 0.5 and last == pytest.approx(8 * 110 / 127, abs=1)


def test_magnification_with_and_without_the_pixel_size() -> None:
    pixels = surface()
    larger = shifted(scan.magnification, 100.0, pixels)
    known = shifted(scan.magnification, 100.0, pixels, pixel_size="known")
    middle = slice(32, 96)
    zoomed = ndimage.zoom(pixels[middle, middle].astype(float), 2, order=1)
    assert np.corrcoef(larger.ravel(), zoomed.ravel())[0, 1] > 0.98
    assert np.array_equal(known[33:95, 33:95], pixels[33:95, 33:95]), "the field in its own scale"
    assert not np.array_equal(known[:20], pixels[:20])


def test_tilt_foreshortens_by_the_cosine() -> None:
    y = np.mgrid[0:SIZE, 0:SIZE][0]
    tilted = shifted(scan.tilt, 60.0, y.astype(np.uint8)).astype(float)
    assert np.diff(tilted[50:78, 64]) == pytest.approx(2.0, abs=1)


def test_jpeg_is_of_its_quality_and_a_bar_covers_its_rows() -> None:
    pixels = surface()
    mild, strong = (np.abs(shifted(files.jpeg, s, pixels).astype(float) - pixels).mean() for s in (10, 90))
    assert 0 < mild < strong
    barred = shifted(files.data_bar, 10.0, pixels)
    assert np.array_equal(barred[:-13], pixels[:-13])
    assert set(np.unique(barred[-13:])) == {0, 235}


def test_places_outside_are_mirrored() -> None:
    grey = np.arange(5, dtype=np.float32)[None, :].repeat(2, axis=0)
    rows, columns = base.places(grey)
    assert base.resampled(grey, rows, columns + 3)[0].tolist() == [3, 4, 3, 2, 1]
    assert base.resampled(grey, rows, columns - 2)[0].tolist() == [2, 1, 0, 1, 2]
    assert base.resampled(grey[:, :1], rows, columns[:, :1] + 7)[0].tolist() == [0]
