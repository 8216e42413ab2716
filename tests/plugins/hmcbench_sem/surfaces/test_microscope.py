"""What the microscope of version 3 makes bright and dark, and what it hides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hmcbench_sem.surfaces.frame import Frame
from hmcbench_sem.surfaces.microscope import (
    MAIN_LAB,
    OTHER_LAB,
    Lab,
    Specimen,
    charge,
    emission,
    expose,
    micrograph,
    visible,
)

FRAME = Frame(64, 64.0, 0.0)
PLAIN = replace(MAIN_LAB, tilt=(0, 0), lean=(0, 0), facing=(0, 0), ramp=(0, 0), backscatter=0.0, charging=0.0)


def surface(height: np.ndarray, heavy: float | np.ndarray = 1.0) -> Specimen:
    ones = np.ones_like(height)
    return Specimen(height, ones, ones * np.asarray(heavy, np.float32), ones)


def test_slopes_are_brighter_than_flats_and_pits_darker():
    slope = np.clip(FRAME.x, 0, 8) * np.float32(1.5)
    signal = emission(
        np.random.default_rng(0), surface(slope), FRAME, replace(PLAIN, pit=(0, 0), edge=(0, 0))
    )
    assert signal[:, 34:38].mean() > 1.2 * signal[:, :28].mean()
    pit = -10 * np.exp(-(FRAME.x**2 + FRAME.y**2) / 30, dtype=np.float32)
    deep = emission(np.random.default_rng(0), surface(pit), FRAME, replace(PLAIN, pit=(1, 1), edge=(0, 0)))
    middle = FRAME.rows // 2
    assert deep[middle - 1 : middle + 1, 31:33].mean() < 0.8 * deep[:5, :5].mean()


def test_a_sharp_edge_is_bright():
    ridge = np.maximum(4 - np.abs(FRAME.x), 0)
    with_edge, without = (
        emission(np.random.default_rng(0), surface(ridge), FRAME, replace(PLAIN, edge=(e, e), pit=(0, 0)))
        for e in (1.0, 0.0)
    )
    gain = (with_edge - without)[10]
    assert gain[31:33].min() > gain[:24].max() + 0.05


def test_backscattered_electrons_tell_oxide_from_metal():
    flat = np.zeros((FRAME.rows, FRAME.size), np.float32)
    heavy = np.where(FRAME.x > 0, 0.6, 1.0)
    metal_and_oxide = surface(flat, heavy)
    contrast = []
    for share in (0.0, 1.0):
        signal = emission(np.random.default_rng(0), metal_and_oxide, FRAME, replace(PLAIN, backscatter=share))
        contrast.append(signal[:, :30].mean() / signal[:, 34:].mean())
    assert 1.0 < contrast[0] < contrast[1]


def test_a_ridge_hides_what_lies_behind_it():
    frame = Frame(64, 64.0, 0.8)
    ridge = (6 * np.exp(-np.square(frame.y / 3))).astype(np.float32)
    row = visible(ridge, frame)
    assert np.all(np.diff(row, axis=0) >= 0)
    assert np.diff(row, axis=0).max() > 3  # rows behind the crest are skipped
    flat = visible(np.zeros_like(ridge), frame)
    assert np.array_equal(flat, np.broadcast_to(np.arange(64.0)[:, None] + frame.margin, (64, 64)))
    assert np.array_equal(visible(ridge, Frame(64, 64.0, 0.0)), flat)


def test_noise_follows_the_dwell_time():
    image = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (64, 64))
    rough = [
        np.diff(
            expose(np.random.default_rng(0), image, FRAME, replace(PLAIN, noise=n)).astype(float), axis=0
        ).std()
        for n in ((0.05, 0.05), (0.3, 0.3))
    ]
    assert rough[1] > 3 * rough[0]


def test_poor_conductors_glow():
    image = np.ones((64, 64), np.float32)
    heavy = np.where(np.arange(64) < 32, 0.6, 1.0) * image
    glow = np.mean([charge(np.random.default_rng(k), image, heavy) for k in range(8)], axis=(0, 1))
    assert glow[:20].mean() > glow[50:].mean() + 0.02


@pytest.mark.parametrize("instrument", [MAIN_LAB, OTHER_LAB])
def test_a_flat_specimen_gives_a_picture(instrument: Lab):
    frame = Frame(32, 10.0, 0.5)
    picture = micrograph(
        np.random.default_rng(0), surface(np.zeros((frame.rows, 32), np.float32)), frame, instrument
    )
    assert picture.grey.shape == picture.row.shape == (32, 32)
    assert picture.grey.dtype == np.uint8
    assert 20 < picture.grey.mean() < 235
