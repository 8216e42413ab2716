"""Images of a cell with truth, prediction and mistakes of every level, as small PNG pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps, ignored
from hmcbench.leaderboard.render.text import clean
from hmcbench.records.predictions import Predictions
from hmcbench.report.figures.label_maps import NOTHING, UNLABELLED, WRONG, colours
from hmcbench.report.figures.thumbnails import MOST_IMAGES, THUMBNAILS, chosen_rows, step_of, thumbnail_name

MOST_LEVELS = 6
MOST_THUMBNAIL = 400_000  # bytes of one image; larger ones were not written by hmcbench
STRIPE = 3  # pixels of a stripe of the hatching
SOURCE = "data:image/png;base64,"


def overlays(predictions: Predictions, folder: Path, most: int = MOST_IMAGES) -> list[dict[str, Any]]:
    """Images of a partition whose pixels have labels.

    Args:
        predictions: of one partition, with truth and label maps.
        folder: of the record's figures, with small images where they were written.
        most: images.

    Returns:
        Per image its name, ``image`` (a ``data:`` URL, empty without one) and ``levels``: per level
        ``truth``, ``predicted`` and ``wrong`` as ``data:`` URLs, the ``share`` of labelled pixels that are
        wrong (None without any), and the ``legend``, pairs of a class and its colour. Where a class is
        predicted on pixels whose path ended before, that is a mistake.
    """
    truth, guess, hierarchy = predictions.truth, predictions.maps, predictions.task.hierarchy
    assert guess is not None and hierarchy is not None
    shown = []
    for row in chosen_rows(predictions.ids, most):
        pair = truth.load(row), guess.load(row)
        levels = range(1, min(hierarchy.depth, MOST_LEVELS) + 1)
        shown.append(
            {
                "name": clean(predictions.ids[row]),
                "image": _thumbnail(folder / THUMBNAILS / thumbnail_name(predictions.ids[row])),
                "levels": [_level(truth, guess, *pair, hierarchy, k) for k in levels],
            }
        )
    return shown


def _level(
    truth: LabelMaps, guess: LabelMaps, true: np.ndarray, said: np.ndarray, hierarchy: Hierarchy, k: int
) -> dict[str, Any]:
    step = step_of(true.shape)
    columns = hierarchy.level_classes(k)
    wrong = _wrong(truth, guess, true, said, columns)
    labelled = int((true != ignored(true.dtype)).sum())
    present = np.zeros(hierarchy.n, dtype=bool)
    for maps, pixels in ((truth, true), (guess, said)):
        numbers = np.unique(pixels)
        present |= maps.legend[numbers[numbers < len(maps.legend)]].any(axis=0)
    palette = colours(hierarchy.n)
    return {
        "level": k,
        "truth": _coloured(truth, true[::step, ::step], hierarchy, columns),
        "predicted": _coloured(guess, said[::step, ::step], hierarchy, columns),
        "wrong": _hatched(wrong[::step, ::step]),
        "share": round(float(wrong.sum() / labelled), 4) if labelled else None,
        "legend": [[clean(hierarchy.names[c]), to_hex(palette[c])] for c in columns if present[c]],
    }


def _wrong(
    truth: LabelMaps, guess: LabelMaps, true: np.ndarray, said: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """boolean (H, W): labelled pixels with other classes of a level."""
    pairs = truth.legend[:, None, columns] != guess.legend[None, :, columns]
    table = np.zeros((len(truth.legend) + 1, len(guess.legend) + 1), dtype=bool)  # last: not labelled
    table[:-1, :-1] = pairs.any(axis=2)
    result: np.ndarray = table[np.minimum(true, len(truth.legend)), np.minimum(said, len(guess.legend))]
    return result


def _coloured(maps: LabelMaps, pixels: np.ndarray, hierarchy: Hierarchy, columns: np.ndarray) -> str:
    """A map in the colours of a level's classes; of several classes in a pixel the mean of their colours."""
    sets = maps.legend[:, columns].astype(float)
    held = sets.sum(axis=1, keepdims=True)
    mixed = sets @ np.array(colours(hierarchy.n))[columns] / np.maximum(held, 1)
    table = np.where(held > 0, mixed, np.array(to_rgb(NOTHING)))
    table = np.rint(255 * np.vstack([table, to_rgb(UNLABELLED)])).astype(np.uint8)
    numbers = np.minimum(pixels, len(maps.legend))
    if len(table) > 256:
        return _png(Image.fromarray(table[numbers]))
    image = Image.fromarray(numbers.astype(np.uint8), "P")
    image.putpalette(table.tobytes())
    return _png(image)


def _hatched(wrong: np.ndarray) -> str:
    """Stripes of black and the colour of mistakes where pixels are wrong; the rest is transparent.

    Stripes differ from every class also for a reader who does not see the colours.
    """
    height, width = wrong.shape
    stripe = (np.add.outer(np.arange(height), np.arange(width)) // STRIPE) % 2
    image = Image.fromarray(np.where(wrong, 1 + stripe, 0).astype(np.uint8), "P")
    dyes = [(255, 255, 255), (0, 0, 0), tuple(round(255 * part) for part in to_rgb(WRONG))]
    image.putpalette([part for dye in dyes for part in dye])
    return _png(image, transparency=0)


def _png(image: Image.Image, **options: Any) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True, **options)
    return SOURCE + base64.b64encode(content.getvalue()).decode()


def _thumbnail(path: Path) -> str:
    """A small image as a ``data:`` URL; empty where there is none, or none that hmcbench wrote."""
    try:
        content = path.read_bytes() if path.stat().st_size <= MOST_THUMBNAIL else b""
    except OSError:
        return ""
    return SOURCE + base64.b64encode(content).decode() if content.startswith(b"\x89PNG\r\n") else ""


def with_shared_sources(images: Sequence[Mapping[str, Any]], sources: dict[str, int]) -> list[dict[str, Any]]:
    """The same with numbers in the place of ``data:`` URLs; rows of a board share images and truth.

    Args:
        images: of :func:`overlays`.
        sources: URL -> its number; new ones are added.
    """

    def number(source: str) -> int | None:
        return sources.setdefault(source, len(sources)) if source else None

    parts = ("truth", "predicted", "wrong")
    return [
        {
            **image,
            "image": number(image["image"]),
            "levels": [level | {part: number(level[part]) for part in parts} for level in image["levels"]],
        }
        for image in images
    ]
