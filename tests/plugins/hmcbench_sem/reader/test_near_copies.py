"""Views of one place: found however they were changed; others are not taken for such."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hmcbench_sem.reader import near_copies
from hmcbench_sem.reader.near_copies import find_near_copies, thumbnail
from PIL import Image

Change = Callable[[np.ndarray], np.ndarray]


def _surface(seed: int, side: int = 300) -> np.ndarray:
    """Round grains of many sizes, uint8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side))
    for size in (12, 25, 60):
        coarse = Image.fromarray(rng.normal(size=(side // size + 2,) * 2).astype(np.float32))
        total += np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
    return (128 + 35 * total).clip(0, 255).astype(np.uint8)


def _jpeg(picture: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream))


def _pairs(pictures: list[np.ndarray]) -> list[near_copies.NearCopy]:
    return find_near_copies([thumbnail(np.ascontiguousarray(picture), 200) for picture in pictures])


OTHERS = [_surface(seed)[:200, :200] for seed in range(1, 9)]
CHANGES: dict[str, Change] = {
    "resaved": _jpeg,
    "darker": lambda picture: (picture * 0.5 + 20).astype(np.uint8),
    "smaller": lambda picture: np.asarray(Image.fromarray(picture).resize((120, 120))),
    "mirrored": lambda picture: picture[:, ::-1],
    "upside down": lambda picture: picture[::-1],
    "turned": np.rot90,
    "turned and mirrored": lambda picture: np.rot90(picture)[::-1],
    "cut": lambda picture: picture[10:190, 15:185],
}


@pytest.mark.parametrize("few", [200, 0], ids=["all pairs", "hashed"])
@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_no_others(
    change: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_copies, "_FEW", few)
    first = _surface(0)[:200, :200]
    (pair,) = _pairs([first, *OTHERS, CHANGES[change](first)])
    assert (pair.first, pair.second) == (0, 9)
    assert pair.turned == (change in ("mirrored", "upside down", "turned", "turned and mirrored"))
    assert pair.correlation > 0.9
    assert pair.overlap > 0.75


@pytest.mark.parametrize("turn", [lambda picture: picture, np.rot90, np.flipud])
@pytest.mark.parametrize(("down", "right"), [(60, 40), (80, 0), (-70, 60), (0, -90)])
def test_overlapping_views(down: int, right: int, turn: Change) -> None:
    whole = _surface(0, 400)
    second = turn(whole[100 + down : 300 + down, 100 + right : 300 + right])
    (pair,) = _pairs([whole[100:300, 100:300], *OTHERS, second])
    assert (pair.first, pair.second) == (0, 9)
    assert pair.overlap == pytest.approx((200 - abs(down)) * (200 - abs(right)) / 40_000, abs=0.06)


def test_neighbours_without_overlap_are_no_pair() -> None:
    whole = _surface(0, 400)
    assert _pairs([whole[:200, :200], whole[:200, 200:], whole[200:, :200], whole[200:, 200:]]) == []


def test_parallel_lines_are_no_place() -> None:
    rng = np.random.default_rng(0)
    lines = [np.repeat(rng.integers(0, 256, (1, 200)), 200, axis=0).astype(np.uint8) for _ in range(3)]
    shifted = np.roll(lines[0], 30, axis=1)
    assert _pairs([*lines, shifted]) == []


def test_pictures_that_hold_nothing() -> None:
    blank = np.full((50, 60), 9, np.uint8)
    tiny = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert _pairs([blank, blank + 1, tiny, np.zeros((200, 3), np.uint8)]) == []


def test_the_number_of_compared_pairs_does_not_grow_with_the_square(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    compared = []
    honest = near_copies._correlation

    def count(*given: object) -> tuple[float, float]:
        compared.append(1)
        return honest(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(near_copies, "_correlation", count)
    find_near_copies([rng.integers(0, 256, (96, 96)).astype(np.uint8) for _ in range(400)])
    assert len(compared) < 400 * 20  # of 79,800 pairs
