"""Synthetic fractographs against real ones, in numbers: python benchmarks/fractographs.py SHARED [--figure F.png].

SHARED holds ``fracture_sem_ti64`` and ``fracture_sem_tiny``, real micrographs that are not part of this
repository. Real images are cut into squares of 96 pixels; the synthetic ones are drawn at 96 pixels.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hmcbench_classical.texture import Texture
from hmcbench_sem.fractographs.generate import fractographs
from hmcbench_sem.surfaces.looks import LOOKS
from hmcbench_sem.surfaces.microscope import MAIN_LAB
from hmcbench_sem.surfaces.pictures import render
from PIL import Image
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

SIZE = 96  # pixels: the height of a labelled ti64 patch


class Real(NamedTuple):
    """Squares of real micrographs: pixels (n, 96, 96) uint8, class and parent image of each."""

    pixels: np.ndarray
    kind: np.ndarray
    parent: np.ndarray


def ti64(shared: Path) -> Real:
    """The middle square of every labelled patch, with the class that fills most of the patch."""
    folder = shared / "fracture_sem_ti64"
    with (folder / "annotated" / "patches.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    squares = []
    for row in rows:
        x, y, w = (int(row[column]) for column in "xyw")
        left = x + (w - SIZE) // 2
        with Image.open(folder / row["file"]) as image:
            squares.append(np.asarray(image.convert("L").crop((left, y, left + SIZE, y + SIZE))))
    kind, parent = (np.array([row[c] for row in rows]) for c in ("dominant", "file"))
    return Real(np.stack(squares), kind, parent)


def tiny(shared: Path) -> Real:
    """Squares of the 15 images on a grid; the class is in their names."""
    squares, kind, parent = [], [], []
    for path in sorted((shared / "fracture_sem_tiny" / "images").glob("*.png")):
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
        for top in range(0, grey.shape[0] - SIZE + 1, SIZE):
            for left in range(0, grey.shape[1] - SIZE + 1, SIZE):
                squares.append(grey[top : top + SIZE, left : left + SIZE])
                kind.append(path.stem.removeprefix("train_").rpartition("_")[0])
                parent.append(path.name)
    return Real(np.stack(squares), np.array(kind), np.array(parent))


def version_2(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and class of version 2, equally many per class."""
    data = fractographs(size=SIZE, shifted=False)
    leaves = np.array([labels[0] for labels in data.labels])
    chosen = np.concatenate([np.flatnonzero(leaves == leaf)[:count] for leaf in np.unique(leaves)])
    return np.stack([data.images[i].load() for i in chosen]), leaves[chosen]


def version_3(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and look of version 3, equally many per look."""
    names = np.repeat([look.name for look in LOOKS], count)
    grey = [render((77, seed, k), [name], SIZE, MAIN_LAB).grey for k, name in enumerate(names)]
    return np.stack(grey), names


def noise_over_contrast(block: np.ndarray) -> np.ndarray:
    """Noise by the mask of Immerkaer (1996), over the standard deviation of the grey levels; (n,)."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])[None]
    edges = ndimage.convolve(block.astype(np.float32), mask.astype(np.float32))[:, 1:-1, 1:-1]
    noise = np.sqrt(np.pi / 2) / 6 * np.abs(edges).mean(axis=(1, 2))
    return noise / np.maximum(block.std(axis=(1, 2)), 1)


def spectrum(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in cycles per pixel (k,), and the mean power of each image around them, (n, k)."""
    size = block.shape[1]
    window = np.hanning(size)[:, None] * np.hanning(size)
    away = block - block.mean(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(away * window)) ** 2
    ticks = np.fft.fftfreq(size)
    ring = np.rint(np.hypot(ticks[:, None], ticks) * size).astype(int).ravel()
    sums = np.stack([np.bincount(ring, image.ravel()) for image in power])
    kept = slice(2, size // 2)
    return np.arange(size)[kept] / size, (sums / np.bincount(ring))[:, kept]


def spectral_slope(block: np.ndarray) -> np.ndarray:
    """Exponent of the power spectrum between 0.03 and 0.3 cycles per pixel, (n,)."""
    frequency, power = spectrum(block)
    band = (frequency >= 0.03) & (frequency <= 0.3)
    return np.polyfit(np.log(frequency[band]), np.log(power[:, band]).T, 1)[0]


def statistics(block: np.ndarray) -> dict[str, np.ndarray]:
    """Name of a statistic -> its value for each image."""
    away = (block - block.mean(axis=(1, 2), keepdims=True)) / np.maximum(
        block.std(axis=(1, 2), keepdims=True), 1
    )
    return {
        "noise / contrast": noise_over_contrast(block),
        "spectral slope": spectral_slope(block),
        "mean grey": block.mean(axis=(1, 2)) / 255,
        "contrast": block.std(axis=(1, 2)) / 255,
        "skewness": (away**3).mean(axis=(1, 2)),
        "kurtosis": (away**4).mean(axis=(1, 2)) - 3,
    }


def texture(block: np.ndarray) -> np.ndarray:
    return Texture(SIZE).transform(block)


def separated(real: Real, synthetic: np.ndarray) -> float:
    """AUROC of a forest on texture that tells real from synthetic images; folds keep a parent image whole."""
    features = np.concatenate([texture(real.pixels), texture(synthetic)])
    truth = np.repeat([1, 0], [len(real.pixels), len(synthetic)])
    groups = np.r_[np.unique(real.parent, return_inverse=True)[1], 10_000 + np.arange(len(synthetic))]
    forest = RandomForestClassifier(300, min_samples_leaf=2, random_state=0, class_weight="balanced")
    score = cross_val_predict(
        forest, features, truth, groups=groups, cv=GroupKFold(5), method="predict_proba"
    )
    return float(roc_auc_score(truth, score[:, 1]))


def transfer(features: np.ndarray, ductile: np.ndarray, real: Real) -> tuple[float, float, float]:
    """A forest trained on synthetic images alone: AUROC of ductile on real patches against the rest and
    against brittle, and the share of patches that it calls ductile."""
    forest = RandomForestClassifier(500, min_samples_leaf=2, random_state=0, class_weight="balanced")
    score = forest.fit(features, ductile).predict_proba(texture(real.pixels))[:, 1]
    truth, brittle = real.kind == "ductile", real.kind == "brittle"
    kept = truth | brittle
    rest = roc_auc_score(truth, score)
    return float(rest), float(roc_auc_score(truth[kept], score[kept])), float(np.mean(score > 0.5))


def outside(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Share of texture features whose synthetic median lies outside the 5 to 95 % of the real ones."""
    low, high = np.quantile(real, (0.05, 0.95), axis=0)
    middle = np.median(synthetic, axis=0)
    return float(np.mean((middle < low) | (middle > high)))


def lines(shared: Path, count: int = 60) -> Iterable[str]:
    real, other = ti64(shared), tiny(shared)
    old, old_kind = version_2(count * 3)
    new, new_kind = version_3(count)
    ductile_real = Real(*(field[real.kind == "ductile"] for field in real))
    sets = {
        "ti64": real.pixels,
        "tiny": other.pixels,
        "version 2": old,
        "version 3": new,
        "ti64 ductile": ductile_real.pixels,
        "tiny ductile": other.pixels[other.kind == "ductile_dimple"],
        "v2 plastic": old[old_kind == "mechanical/plastic-deformation"],
        "v3 dimples": version_3_of("dimples", 300),
    }
    yield "| statistic (5, 50, 95 %) | " + " | ".join(sets) + " |"
    yield "|---" * (1 + len(sets)) + "|"
    tables = {name: statistics(block.astype(np.float64)) for name, block in sets.items()}
    for name in tables["ti64"]:
        spans = [np.quantile(table[name], (0.05, 0.5, 0.95)) for table in tables.values()]
        yield f"| {name} | " + " | ".join(f"{a:.2f} {b:.2f} {c:.2f}" for a, b, c in spans) + " |"
    real_features = texture(np.concatenate([real.pixels, other.pixels]))
    for name in ("version 2", "version 3"):
        yield f"{name}: {outside(real_features, texture(sets[name])):.3f} of texture medians outside the real range"
    for name in ("v2 plastic", "v3 dimples"):
        yield f"{name} against ti64 ductile: {separated(ductile_real, sets[name]):.3f} AUROC"
    for name, block, ductile in (
        ("version 2", old, old_kind == "mechanical/plastic-deformation"),
        ("version 3", new, new_kind == "dimples"),
    ):
        rest, brittle, share = transfer(texture(block), ductile, real)
        yield f"{name} to ti64: ductile / rest {rest:.3f}, / brittle {brittle:.3f}, called ductile {share:.2f}"


def version_3_of(look: str, count: int, seed: int = 1) -> np.ndarray:
    return np.stack([render((78, seed, k), [look], SIZE, MAIN_LAB).grey for k in range(count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    arguments = parser.parse_args()
    start = time.perf_counter()
    for line in lines(arguments.shared):
        print(line)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
