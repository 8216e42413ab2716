"""How many views of one place ``data lint`` finds, and how many others it takes for such: real images.

    python benchmarks/near_copies.py

Needs the datasets xsdd, neu_det and fracture_sem_ti64 (HMCBENCH_SHARED names their folder). Prints

- the share of overlapping patches (128 x 96 pixels, cut at random from 19 micrographs) that is found, by the
  share of the area that two have in common, and the pairs found between different micrographs;
- the share of changed copies (resaved, resized, mirrored ...) that is found, of 150 images each;
- the pairs found between images of different classes, where views of one place should not exist.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hmcbench_sem.reader.collection import collect
from hmcbench_sem.reader.images import ImageFile, grey
from hmcbench_sem.reader.near_copies import find_near_copies, thumbnail
from PIL import Image

from hmcbench.testing.helpers import shared_data

PATCH = (96, 128)
PER_MICROGRAPH, CHANGED = 25, 150


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def resized(picture: np.ndarray, factor: float) -> np.ndarray:
    height, width = picture.shape
    return np.asarray(Image.fromarray(picture).resize((round(width * factor), round(height * factor))))


def noisy(picture: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, deviation, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def inner(picture: np.ndarray, share: float) -> np.ndarray:
    top, left = (round(side * (1 - share) / 2) for side in picture.shape)
    return picture[top : picture.shape[0] - top, left : picture.shape[1] - left]


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG of quality 40": lambda picture: jpeg(picture, 40),
    "60 % of the contrast": lambda picture: (picture * 0.6 + 30).astype(np.uint8),
    "gamma 0.6": lambda picture: (255 * (picture / 255.0) ** 0.6).astype(np.uint8),
    "60 % of the size": lambda picture: resized(picture, 0.6),
    "noise of 8 grey levels": lambda picture: noisy(picture, 8),
    "mirrored": lambda picture: picture[:, ::-1],
    "turned by 90 degrees": np.rot90,
    "left 85 %": lambda picture: picture[:, : round(picture.shape[1] * 0.85)],
    "inner 90 % x 90 %": lambda picture: inner(picture, 0.9),
}


def overlapping_patches() -> None:
    rng = np.random.default_rng(0)
    pictures, places = [], []
    for number, path in enumerate(
        sorted((shared_data("fracture_sem_ti64") / "annotated/images").glob("*.png"))
    ):
        whole = np.asarray(Image.open(path).convert("L"))
        for _ in range(PER_MICROGRAPH):
            y, x = (int(rng.integers(0, side - cut)) for side, cut in zip(whole.shape, PATCH, strict=True))
            pictures.append(thumbnail(whole[y : y + PATCH[0], x : x + PATCH[1]], max(PATCH)))
            places.append((number, y, x))
    pairs = {(pair.first, pair.second) for pair in find_near_copies(pictures)}
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for i, first in enumerate(places):
        for j, second in enumerate(places[i + 1 :], start=i + 1):
            rows, columns = (max(0, PATCH[k] - abs(first[k + 1] - second[k + 1])) for k in (0, 1))
            tenth = int(10 * rows * columns / (PATCH[0] * PATCH[1]))
            row = f"{10 * tenth} to {10 * tenth + 10} %" if first[0] == second[0] else "other micrograph"
            counts[row][0] += 1
            counts[row][1] += (i, j) in pairs
    for row in sorted(
        counts, key=lambda name: (name[0] == "o", int(name.split()[0]) if name[0] != "o" else 0)
    ):
        total, hits = counts[row]
        print(f"patches, {row:17} {hits:6} of {total:6} pairs found ({hits / total:.3f})")


def changed_copies(name: str) -> None:
    collection = collect(str(shared_data(name)))
    root, samples = Path(collection.listing.root), collection.samples
    pictures = [grey(ImageFile(f"{root}/{sample.entry.file}").load()) for sample in samples]
    reference = float(np.median([max(picture.shape) for picture in pictures]))
    originals = [thumbnail(picture, reference) for picture in pictures]
    pairs = find_near_copies(originals)
    crossing = sum(samples[pair.first].labels != samples[pair.second].labels for pair in pairs)
    print(f"{name}: {len(samples)} images, {len(pairs)} pairs found, {crossing} of them across classes")
    chosen = np.random.default_rng(0).choice(len(pictures), min(CHANGED, len(pictures)), replace=False)
    for change, function in CHANGES.items():
        copies = [thumbnail(np.ascontiguousarray(function(pictures[i])), reference) for i in chosen]
        near_pairs = {(pair.first, pair.second) for pair in find_near_copies(originals + copies)}
        hits = sum((int(i), len(originals) + k) in near_pairs for k, i in enumerate(chosen))
        print(f"{name}, {change:24} {hits:4} of {len(chosen)} copies found")


if __name__ == "__main__":
    overlapping_patches()
    for data in ("xsdd", "neu_det"):
        changed_copies(data)
