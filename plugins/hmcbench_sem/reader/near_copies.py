"""Finds pictures that show the same place: resaved, resized, turned, mirrored, or overlapping views.

Two ways to find candidates, in both of which random projections hash descriptions, so that only
pictures with equal keys are compared and the time grows with the number of pictures, not of pairs:

- Whole pictures are described by low frequencies that no turn changes.
- Parts are described by the windows around the most prominent spots, turned to a standard
  orientation. Several spots must agree on one turn and shift.

A candidate counts if the two pictures correlate where they overlap, and not just as well at another
shift (as parallel lines do).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import fft, ndimage

SIDE = 96  # pixels of the longer side of what is compared
SPOTS = 32  # of one picture
_FINE, _COARSE = 1.2, 4.0  # standard deviations of the band-pass, in pixels
_NOISE = 1.0  # grey levels; a picture of less contrast is not stretched further
_ROUND = 0.06  # least roundness of a spot; 0.25 is round, 0 a line
_REACH, _CELLS = 10, 7  # pixels from a spot to the edge of its window, which becomes _CELLS x _CELLS numbers
_SQUARE, _WAVES = 48, 8  # side of whole pictures, and frequencies per axis that describe them
_TABLES, _MORE_BITS = 12, 3  # hash tables; bits of a key beyond those that number the descriptions
_BUCKET = 20  # more descriptions under one key are an ordinary texture
_FEW = 200  # of so few descriptions, all pairs are compared
_ALIKE, _ALIKE_WAVES = 0.75, 0.95  # cosine between two windows, and between two whole pictures' waves
_VOTES, _STEP = 3, 4  # spots that must agree on a shift, within so many pixels
_OVERLAP = 0.2  # of the smaller picture's area, at least
_CORRELATION, _WHOLE = 0.8, 0.9  # least correlation of an overlap, and of whole pictures
_AWAY, _DROP = 5, 0.3  # pixels to another shift, and how much lower the correlation there must be


@dataclass(frozen=True, slots=True)
class NearCopy:
    """Two pictures that show the same place.

    Attributes:
        first, second: their numbers.
        correlation: of the band-passed grey levels where they overlap.
        overlap: share of the smaller picture's area.
        turned: whether one is rotated by quarters or mirrored.
    """

    first: int
    second: int
    correlation: float
    overlap: float
    turned: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A pair of pictures, the turn (see :func:`_turned`) of the first, and its shift down and right."""

    first: int
    second: int
    turn: int
    down: int
    right: int


@dataclass(frozen=True, slots=True)
class _Spots:
    """Of every spot: its picture, its place (y, x), its window as numbers, the turn applied to that."""

    picture: np.ndarray
    place: np.ndarray
    window: np.ndarray
    turn: np.ndarray


def thumbnail(grey: np.ndarray, reference: float) -> np.ndarray:
    """A picture (H, W) uint8 made small.

    Args:
        grey: the picture.
        reference: the longer side that becomes ``SIDE``, the same for all pictures of a dataset; what
            would become more than twice as large is made smaller.
    """
    height, width = grey.shape
    scale = min(SIDE / reference, 2 * SIDE / max(height, width))
    return _resized(grey, max(1, round(width * scale)), max(1, round(height * scale)))


def find_near_copies(thumbnails: Sequence[np.ndarray]) -> list[NearCopy]:
    """Every pair of pictures that show the same place, the most alike first."""
    best: dict[tuple[int, int], NearCopy] = {}
    for pair in [*_whole_copies(thumbnails), *_overlaps(thumbnails)]:
        key = (pair.first, pair.second)
        if key not in best or pair.correlation > best[key].correlation:
            best[key] = pair
    return sorted(best.values(), key=lambda pair: (-pair.correlation, pair.first, pair.second))


def _resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def _band(picture: np.ndarray) -> np.ndarray:
    """Band-passed, and with the same contrast everywhere, so that no single bright line decides."""
    values = picture.astype(np.float32)
    band = ndimage.gaussian_filter(values, _FINE) - ndimage.gaussian_filter(values, _COARSE)
    power = ndimage.gaussian_filter(band**2, 2 * _COARSE)
    floor = max(float(power.mean()), _NOISE**2) / 4
    even: np.ndarray = (band / np.sqrt(power + floor)).astype(np.float32)
    return even


# --------------------------------------------------------------------------- turns


def _turned(picture: np.ndarray, turn: int) -> np.ndarray:
    """Mirrored left-right (1), top-bottom (2), then transposed (4); arrays (..., H, W)."""
    picture = picture[..., ::-1] if turn & 1 else picture
    picture = picture[..., ::-1, :] if turn & 2 else picture
    return picture.swapaxes(-1, -2) if turn & 4 else picture


def _moved(place: np.ndarray, size: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Where places (n, 2) of pictures of these sizes (n, 2) lie once the pictures are turned."""
    y = np.where(turn & 2, size[:, 0] - 1 - place[:, 0], place[:, 0])
    x = np.where(turn & 1, size[:, 1] - 1 - place[:, 1], place[:, 1])
    return np.where((turn & 4).astype(bool)[:, None], np.column_stack([x, y]), np.column_stack([y, x]))


def _between(first: int, second: int) -> int:
    """The turn that, followed by ``second``, does what ``first`` does."""
    probe = np.arange(4).reshape(2, 2)
    wanted = _turned(probe, first)
    return next(t for t in range(8) if np.array_equal(_turned(_turned(probe, t), second), wanted))


_BETWEEN = np.array([[_between(first, second) for second in range(8)] for first in range(8)])


# --------------------------------------------------------------------------- whole pictures


def _whole_copies(thumbnails: Sequence[np.ndarray]) -> list[NearCopy]:
    """Pairs of whole pictures that are alike in one of the eight turns."""
    squares = np.stack([_resized(picture, _SQUARE, _SQUARE) for picture in thumbnails])
    waves = _waves(squares)
    first, second = _likely_pairs(waves, np.arange(len(squares)), _ALIKE_WAVES)
    band = lru_cache(4096)(lambda i: _band(squares[i]))
    copies = []
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        values = [_correlation(_turned(band(i), turn), band(j), 0, 0)[0] for turn in range(8)]
        if max(values) >= _WHOLE:
            copies.append(NearCopy(i, j, max(values), 1.0, values[0] < max(values)))
    return copies


def _waves(squares: np.ndarray) -> np.ndarray:
    """Strengths of the low frequencies (n, _WAVES ** 2), the same however a picture is turned."""
    low = np.abs(fft.dctn(squares.astype(np.float32), axes=(1, 2))[:, :_WAVES, :_WAVES])
    low[:, 0, 0] = 0  # the mean
    both = np.stack([low, low.swapaxes(1, 2)])
    kept = np.where(np.tri(_WAVES, dtype=bool), both.max(axis=0), both.min(axis=0)).reshape(len(squares), -1)
    waves: np.ndarray = np.sqrt(kept)
    return waves


# --------------------------------------------------------------------------- overlapping views


def _overlaps(thumbnails: Sequence[np.ndarray]) -> list[NearCopy]:
    """Pairs of pictures of which a part is alike."""
    spots = _all_spots(thumbnails)
    band = lru_cache(4096)(lambda i: _band(thumbnails[i]))
    candidates = _candidates(spots, [picture.shape for picture in thumbnails])
    checked = (_checked(band(each.first), band(each.second), each) for each in candidates)
    return [pair for pair in checked if pair is not None]


def _all_spots(thumbnails: Sequence[np.ndarray]) -> _Spots:
    parts = [_spots(_band(picture)) for picture in thumbnails]
    picture = np.repeat(np.arange(len(parts)), [len(place) for place, _ in parts])
    place, window = (np.concatenate(each) for each in zip(*parts, strict=True))
    turn = _standard_turn(window)
    for value in range(8):
        window[turn == value] = _turned(window[turn == value], value)
    numbers = window.reshape(len(window), _CELLS * _CELLS)
    numbers = numbers - numbers.mean(axis=1, keepdims=True)
    return _Spots(picture, place, numbers / (np.linalg.norm(numbers, axis=1, keepdims=True) + 1e-9), turn)


def _spots(band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 2) of the most prominent dark and bright spots, and their windows."""
    size = 2 * _REACH + 1
    if min(band.shape) <= size:
        return np.zeros((0, 2), int), np.zeros((0, _CELLS, _CELLS), np.float32)
    strength = np.abs(band)
    peaks = (strength == ndimage.maximum_filter(strength, 5)) & (_roundness(band) > _ROUND)
    place = np.argwhere(peaks[_REACH:-_REACH, _REACH:-_REACH])
    strengths = strength[place[:, 0] + _REACH, place[:, 1] + _REACH]
    most = SPOTS * max(1, band.size // SIDE**2)
    place = place[np.argsort(-strengths, kind="stable")[:most]]
    views = np.lib.stride_tricks.sliding_window_view(band, (size, size))[place[:, 0], place[:, 1]]
    cell = size // _CELLS
    return place + _REACH, views.reshape(-1, _CELLS, cell, _CELLS, cell).mean(axis=(2, 4))


def _roundness(band: np.ndarray) -> np.ndarray:
    """Of the structure around each pixel: 0 on a straight line, 0.25 where all directions are alike."""
    down, right = np.gradient(band)
    yy, xx, yx = (ndimage.gaussian_filter(a, _COARSE) for a in (down * down, right * right, down * right))
    roundness: np.ndarray = (yy * xx - yx * yx) / ((yy + xx) ** 2 + 1e-12)
    return roundness


def _standard_turn(windows: np.ndarray) -> np.ndarray:
    """The turn that puts the most contrast of each window to the right, then to the bottom."""
    axis = np.arange(_CELLS) - _CELLS // 2
    contrast = np.abs(windows)  # the same for dark and bright
    down = (contrast * axis[:, None]).sum(axis=(1, 2))
    right = (contrast * axis).sum(axis=(1, 2))
    turn: np.ndarray = (np.abs(down) > np.abs(right)) * 4 + (down < 0) * 2 + (right < 0)
    return turn


def _candidates(spots: _Spots, shapes: Sequence[tuple[int, ...]]) -> list[_Candidate]:
    """Pairs of pictures of which several spots agree on a turn and a shift."""
    left, right = _likely_pairs(spots.window, spots.picture, _ALIKE)
    turn = _BETWEEN[spots.turn[left], spots.turn[right]]
    moved = _moved(spots.place[left], np.array(shapes)[spots.picture[left]], turn)
    shift = np.round((spots.place[right] - moved) / _STEP).astype(int)
    votes = np.column_stack([spots.picture[left], spots.picture[right], turn, shift])
    votes, counts = np.unique(votes, axis=0, return_counts=True)
    return _agreed(dict(zip(map(tuple, votes.tolist()), counts.tolist(), strict=True)))


def _agreed(votes: dict[tuple[int, ...], int]) -> list[_Candidate]:
    """Of each pair of pictures and turn the shift with most votes, its neighbours' included; if enough."""
    best: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    for first, second, turn, down, right in votes:
        near = [(down + a, right + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        total = sum(votes.get((first, second, turn, *place), 0) for place in near)
        key = (first, second, turn)
        best[key] = max(best.get(key, (0, 0, 0)), (total, down, right))
    return [
        _Candidate(*key, down * _STEP, right * _STEP)
        for key, (total, down, right) in best.items()
        if total >= _VOTES
    ]


# --------------------------------------------------------------------------- hashing


def _likely_pairs(vectors: np.ndarray, picture: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i < j) of descriptions of different pictures that share a key and are alike.

    Args:
        vectors: (n, d).
        picture: (n,), never falling: which picture each is of.
        least: cosine of the angle between them.
    """
    count, size = vectors.shape
    length = np.linalg.norm(vectors, axis=1) + 1e-9
    if count <= _FEW:
        i, j = np.triu_indices(count, 1)
        keep = (vectors @ vectors.T)[i, j] > least * length[i] * length[j]
        keep &= picture[i] != picture[j]
        return i[keep], j[keep]
    centred = vectors - vectors.mean(axis=0)
    bits = max(10, count.bit_length() + _MORE_BITS)
    planes = np.random.default_rng(0).normal(size=(_TABLES, size, bits)).astype(np.float32)
    codes = []
    for table in planes:
        i, j = _same_key(((centred @ table) > 0) @ (1 << np.arange(bits, dtype=np.int64)))
        keep = picture[i] != picture[j]
        i, j = i[keep], j[keep]
        alike = np.einsum("ij,ij->i", vectors[i], vectors[j]) > least * length[i] * length[j]
        codes.append(i[alike].astype(np.int64) * count + j[alike])
    both = np.unique(np.concatenate(codes))
    return both // count, both % count


def _same_key(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (i < j) of places that hold one key, of keys that are not too frequent."""
    order = np.argsort(keys, kind="stable")
    _, place, counts = np.unique(keys[order], return_inverse=True, return_counts=True)
    order = order[counts[place] <= _BUCKET]
    keys = keys[order]
    first, second = [order[:0]], [order[:0]]
    for step in range(1, _BUCKET):
        same = np.flatnonzero(keys[step:] == keys[:-step])
        first.append(order[same])
        second.append(order[same + step])
    return np.concatenate(first), np.concatenate(second)


# --------------------------------------------------------------------------- the check


def _checked(first: np.ndarray, second: np.ndarray, candidate: _Candidate) -> NearCopy | None:
    """The pair at the best shift near this one; None where it correlates little, or elsewhere as well."""
    first, turned = _turned(first, candidate.turn), candidate.turn != 0
    value, share, down, right = 0.0, 0.0, candidate.down, candidate.right
    for step in (2, 1, 1):
        near = [(down + y, right + x) for y in (-step, 0, step) for x in (-step, 0, step)]
        (value, share), (down, right) = max((_correlation(first, second, *shift), shift) for shift in near)
        if value < _CORRELATION / 4:
            return None
    away = [(y, x) for y in (-_AWAY, 0, _AWAY) for x in (-_AWAY, 0, _AWAY) if (y, x) != (0, 0)]
    other = max(_correlation(first, second, down + y, right + x)[0] for y, x in away)
    if value < _CORRELATION or value - other < _DROP:  # along a line, the shift is unknown
        return None
    return NearCopy(candidate.first, candidate.second, value, share, turned)


def _correlation(first: np.ndarray, second: np.ndarray, down: int, right: int) -> tuple[float, float]:
    """Of the overlap when the first is moved down and right; and its share of the smaller picture."""
    top, left = max(down, 0), max(right, 0)
    bottom = min(second.shape[0], first.shape[0] + down)
    end = min(second.shape[1], first.shape[1] + right)
    share = max(bottom - top, 0) * max(end - left, 0) / min(first.size, second.size)
    if share < _OVERLAP:
        return 0.0, 0.0
    x = first[top - down : bottom - down, left - right : end - right].ravel()
    y = second[top:bottom, left:end].ravel()
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return (float(x @ y) / scale if scale > 1e-6 else 0.0), share
