"""Synthetic fractographs beside real ones, in numbers.

``python benchmarks/fractographs.py SHARED [--figure F.png] [--sheet F.png]``

SHARED holds ``fracture_sem_ti64`` and ``fracture_sem_tiny``, real micrographs that are not part of this
repository. Real images are cut into squares of 96 pixels; the synthetic ones are drawn at 96 pixels.
``--figure`` draws spectra, noise and grey levels; ``--sheet`` lays real and synthetic images side by side (it
shows the real images: keep it to yourself).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from hmcbench_classical.texture import Texture
from hmcbench_sem.fractographs.generate import fractographs
from hmcbench_sem.surfaces.looks import LOOKS
from hmcbench_sem.surfaces.microscope import MAIN_LAB
from hmcbench_sem.surfaces.pictures import render
from PIL import Image
from scipy import ndimage
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

import hmcbench

SIZE = 96  # pixels: the height of a labelled ti64 patch
PLASTIC = "mechanical/plastic-deformation"
NETWORK = f"timm:test_resnet[image_size={SIZE},stem_stride=keep,epochs=12,orientations=8]"
FACETS = (("shear-facets",), ("machined",), ("shear-facets", "machined"))  # what ti64 shows beside dimples


class Real(NamedTuple):
    """Squares of real micrographs: pixels (n, 96, 96) uint8, class and parent image of each."""

    pixels: np.ndarray
    kind: np.ndarray
    parent: np.ndarray

    def of(self, *kinds: str) -> Real:
        """The squares of some classes."""
        kept = np.isin(self.kind, kinds)
        return Real(self.pixels[kept], self.kind[kept], self.parent[kept])


class Drawn(NamedTuple):
    """Synthetic squares: pixels (n, 96, 96) uint8, and the share of each that shows dimples."""

    pixels: np.ndarray
    ductile: np.ndarray


def ti64(shared: Path) -> Real:
    """The middle square of every labelled patch, with the class that fills most of the patch."""
    folder = shared / "fracture_sem_ti64"
    with (folder / "annotated" / "patches.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = {name: grey_levels(folder / name) for name in {row["file"] for row in rows}}
    squares = []
    for row in rows:
        x, y, w = (int(row[column]) for column in "xyw")
        left = x + (w - SIZE) // 2
        squares.append(images[row["file"]][y : y + SIZE, left : left + SIZE])
    kind, parent = (np.array([row[column] for row in rows]) for column in ("dominant", "file"))
    return Real(np.stack(squares), kind, parent)


def tiny(shared: Path) -> Real:
    """Squares of the 15 images on a grid; the class is in their names."""
    squares, kind, parent = [], [], []
    for path in sorted((shared / "fracture_sem_tiny" / "images").glob("*.png")):
        grey = grey_levels(path)
        for top in range(0, grey.shape[0] - SIZE + 1, SIZE):
            for left in range(0, grey.shape[1] - SIZE + 1, SIZE):
                squares.append(grey[top : top + SIZE, left : left + SIZE])
                kind.append(path.stem.removeprefix("train_").rpartition("_")[0])
                parent.append(path.name)
    return Real(np.stack(squares), np.array(kind), np.array(parent))


def grey_levels(path: Path) -> np.ndarray:
    """(H, W) uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def version_2(count: int) -> Drawn:
    """``count`` pictures of every class of version 2; plastic deformation is dimples there."""
    data = fractographs(size=SIZE, shifted=False)
    leaves = np.array([labels[0] for labels in data.labels])
    chosen = np.concatenate([np.flatnonzero(leaves == leaf)[:count] for leaf in np.unique(leaves)])
    return Drawn(np.stack([data.images[i].load() for i in chosen]), (leaves[chosen] == PLASTIC).astype(float))


def version_3(scenes: Sequence[tuple[str, ...]], count: int, stream: int) -> Drawn:
    """``count`` pictures of every combination of looks of version 3."""
    grey, ductile = [], []
    for k, looks in enumerate([looks for looks in scenes for _ in range(count)]):
        picture = render((96, stream, k), looks, SIZE, MAIN_LAB)
        grey.append(picture.grey)
        ductile.append(float(picture.masks["dimples"].mean()) if "dimples" in looks else 0.0)
    return Drawn(np.stack(grey), np.array(ductile))


def noise_over_contrast(block: np.ndarray) -> np.ndarray:
    """Noise by the mask of Immerkaer (1996), over the standard deviation of the grey levels; (n,)."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)[None]
    edges = ndimage.convolve(block.astype(np.float32), mask)[:, 1:-1, 1:-1]
    noise = np.sqrt(np.pi / 2) / 6 * np.abs(edges).mean(axis=(1, 2))
    ratio: np.ndarray = noise / np.maximum(block.std(axis=(1, 2)), 1)
    return ratio


def spectrum(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in cycles per pixel (k,), and the mean power of each image around them, (n, k)."""
    size = block.shape[1]
    away = (block - block.mean(axis=(1, 2), keepdims=True)) * np.outer(np.hanning(size), np.hanning(size))
    power = np.abs(np.fft.fft2(away)) ** 2
    ticks = np.fft.fftfreq(size)
    ring = np.rint(np.hypot(ticks[:, None], ticks) * size).astype(int).ravel()
    sums = np.stack([np.bincount(ring, image.ravel()) for image in power])
    kept = slice(2, size // 2)
    return np.arange(size)[kept] / size, (sums / np.bincount(ring))[:, kept]


def spectral_slope(block: np.ndarray) -> np.ndarray:
    """Exponent of the power spectrum between 0.03 and 0.3 cycles per pixel, (n,)."""
    frequency, power = spectrum(block)
    band = (frequency >= 0.03) & (frequency <= 0.3)
    slope: np.ndarray = np.polyfit(np.log(frequency[band]), np.log(power[:, band]).T, 1)[0]
    return slope


def statistics(block: np.ndarray) -> dict[str, np.ndarray]:
    """Name of a statistic -> its value for each image."""
    mean, deviation = block.mean(axis=(1, 2)), np.maximum(block.std(axis=(1, 2)), 1)
    away = (block - mean[:, None, None]) / deviation[:, None, None]
    return {
        "noise / contrast": noise_over_contrast(block),
        "spectral slope": spectral_slope(block),
        "mean grey": mean / 255,
        "contrast": deviation / 255,
        "skewness": (away**3).mean(axis=(1, 2)),
        "excess kurtosis": (away**4).mean(axis=(1, 2)) - 3,
    }


def texture(block: np.ndarray) -> np.ndarray:
    """The 134 texture features of the forest's default view, (n, 134)."""
    return Texture(SIZE).transform(block)


def outside(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Share of the features whose synthetic median lies outside the 5 to 95 % of the real ones."""
    low, high = np.quantile(real, (0.05, 0.95), axis=0)
    middle = np.median(synthetic, axis=0)
    return float(np.mean((middle < low) | (middle > high)))


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(300, min_samples_leaf=2, random_state=0, class_weight="balanced")


def extra_trees() -> ExtraTreesClassifier:
    return ExtraTreesClassifier(300, min_samples_leaf=2, random_state=0, class_weight="balanced")


def told_apart(real: Real, synthetic: np.ndarray) -> float:
    """AUROC of a forest on texture that tells real from synthetic images; folds keep a parent image whole."""
    features = np.concatenate([texture(real.pixels), texture(synthetic)])
    truth = np.repeat([1, 0], [len(real.pixels), len(synthetic)])
    groups = np.r_[np.unique(real.parent, return_inverse=True)[1], 10_000 + np.arange(len(synthetic))]
    folds = GroupKFold(5)
    score = cross_val_predict(forest(), features, truth, groups=groups, cv=folds, method="predict_proba")
    return float(roc_auc_score(truth, score[:, 1]))


def transfer(drawn: Drawn, real: Real) -> str:
    """A forest trained on synthetic images alone, tested on real patches."""
    return agreement(by_texture(forest(), drawn, real), real)


def by_texture(trees: Any, drawn: Drawn, real: Real) -> np.ndarray:
    """Probability of dimples on real patches, (n,), of trees that were fitted to synthetic images alone."""
    fitted = trees.fit(texture(drawn.pixels), drawn.ductile > 0.5)
    probability: np.ndarray = fitted.predict_proba(texture(real.pixels))[:, 1]
    return probability


def by_network(drawn: Drawn, real: Real, model: str = NETWORK) -> np.ndarray:
    """The same of a small CNN; a random tenth of the synthetic images chooses its epoch."""
    held_out = np.random.default_rng(0).random(len(drawn.pixels)) < 0.1
    sides = np.where(held_out, "validation", "train")
    with TemporaryDirectory() as name:
        folder = Path(name) / "images"
        rows = write_images(folder, "synthetic", drawn.pixels, drawn.ductile > 0.5, sides)
        of_real = np.repeat("test", len(real.pixels))
        rows += write_images(folder, "real", real.pixels, real.kind == "ductile", of_real)
        text = "\n".join(["file,level1,split", *rows, ""])
        (folder / "index.csv").write_text(text, encoding="utf-8")
        board = hmcbench.run(images=folder, models=[model], out=Path(name) / "runs", progress=False)
        predictions = board.predictions(board.records[0].label).sort_values("id")
    probability: np.ndarray = predictions["dimples"].to_numpy()
    return probability


def write_images(
    folder: Path, name: str, pixels: np.ndarray, dimpled: np.ndarray, sides: np.ndarray
) -> list[str]:
    """Write images into a folder, in the order of their names; their rows of ``index.csv``."""
    folder.mkdir(exist_ok=True)
    rows = []
    for i, (grey, is_dimpled, side) in enumerate(zip(pixels, dimpled, sides, strict=True)):
        file = f"{name}-{i:05d}.png"
        Image.fromarray(grey).save(folder / file)
        rows.append(f"{file},{'dimples' if is_dimpled else 'other'},{side}")
    return rows


def ceiling(trees: Any, real: Real) -> str:
    """Trees fitted to real patches of other images."""
    folds = GroupKFold(6)
    truth = real.kind == "ductile"
    score = cross_val_predict(
        trees, texture(real.pixels), truth, groups=real.parent, cv=folds, method="predict_proba"
    )
    return agreement(score[:, 1], real)


def agreement(score: np.ndarray, real: Real) -> str:
    """AUROC of ductile against the rest and against brittle, and the share of patches called ductile."""
    truth, brittle = real.kind == "ductile", real.kind == "brittle"
    pair = truth | brittle
    rest, other = roc_auc_score(truth, score), roc_auc_score(truth[pair], score[pair])
    return f"| {rest:.3f} | {other:.3f} | {np.mean(score > 0.5):.2f} |"


def lines(real: Real, other: Real, count: int) -> Iterator[str]:
    """The tables of docs/fractographs.md."""
    old = version_2(count)
    new = version_3([(look.name,) for look in LOOKS], count // 2, 0)
    dimples = version_3([("dimples",)], len(real.of("ductile").pixels), 1).pixels
    yield from ranges(
        {"ti64": real.pixels, "tiny": other.pixels, "version 2": old.pixels, "version 3": new.pixels}
    )
    yield ""
    features = texture(np.concatenate([real.pixels, other.pixels]))
    yield "| | version 2 | version 3 |"
    yield "|---|---|---|"
    shares = [outside(features, texture(drawn.pixels)) for drawn in (old, new)]
    yield f"| texture features with a median outside the real range | {shares[0]:.1%} | {shares[1]:.1%} |"
    apart = [told_apart(real.of("ductile"), images) for images in (old.pixels[old.ductile > 0], dimples)]
    yield f"| AUROC, real ductile patches against synthetic dimples | {apart[0]:.3f} | {apart[1]:.3f} |"
    yield ""
    yield "| trained on | model | ductile against the rest | against brittle | called ductile |"
    yield "|---|---|---|---|---|"
    yield f"| version 2, all classes | random forest {transfer(old, real)}"
    dim = version_3([("dimples",)], 4 * count, 2)
    all_looks = both(dim, new)
    yield f"| version 3, all looks | random forest {transfer(all_looks, real)}"
    trees, network = by_texture(extra_trees(), all_looks, real), by_network(all_looks, real)
    yield f"| | extremely randomised trees {agreement(trees, real)}"
    yield f"| | test_resnet {agreement(network, real)}"
    yield f"| | mean of these two {agreement((trees + network) / 2, real)}"
    mixed = version_3([*FACETS, *(("dimples", *looks) for looks in FACETS[:2])], count, 3)
    of_alloy = transfer(both(dim, mixed), real)
    yield f"| version 3, dimples, facets and machined surfaces | random forest {of_alloy}"
    yield f"| real patches of other images | random forest {ceiling(forest(), real)}"
    yield f"| | extremely randomised trees {ceiling(extra_trees(), real)}"


def both(first: Drawn, second: Drawn) -> Drawn:
    return Drawn(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def ranges(sets: dict[str, np.ndarray]) -> Iterator[str]:
    """A table of the 5, 50 and 95 % quantiles of every statistic."""
    yield "| 5, 50, 95 % of the images | " + " | ".join(sets) + " |"
    yield "|---" * (1 + len(sets)) + "|"
    tables = [statistics(block.astype(np.float64)) for block in sets.values()]
    for name in tables[0]:
        spans = [np.quantile(table[name], (0.05, 0.5, 0.95)) for table in tables]
        yield (
            f"| {name} | " + " | ".join(", ".join(f"{value:.2f}" for value in span) for span in spans) + " |"
        )


def figure(real: Real, other: Real, path: Path) -> None:
    """Spectra, noise and grey levels of real and synthetic images."""
    import matplotlib.pyplot as plt

    sets = {
        "real, ti64": real.pixels,
        "real, tiny": other.pixels,
        "version 2": version_2(60).pixels,
        "version 3": version_3([(look.name,) for look in LOOKS], 24, 0).pixels,
    }
    fig, axes = plt.subplots(1, 4, figsize=(15, 3.4), layout="constrained")
    for (name, block), colour in zip(
        sets.items(), ("black", "dimgrey", "tab:orange", "tab:blue"), strict=True
    ):
        block = block.astype(np.float64)
        frequency, power = spectrum(block)
        share = power / block.var(axis=(1, 2))[:, None]
        low, middle, high = np.quantile(share, (0.25, 0.5, 0.75), axis=0)
        axes[0].loglog(frequency, middle, color=colour, label=name)
        axes[0].fill_between(frequency, low, high, color=colour, alpha=0.12, linewidth=0)
        grey = np.bincount(block.astype(int).ravel() // 8, minlength=32) / block.size
        axes[1].step(np.arange(32) * 8, grey, color=colour, where="mid")
        for axis, values in ((axes[2], noise_over_contrast(block)), (axes[3], spectral_slope(block))):
            axis.plot(np.sort(values), np.linspace(0, 1, len(values)), color=colour)
    axes[0].legend(fontsize=8)
    axes[0].xaxis.set_major_formatter("{x:g}")
    axes[0].set_xticks([0.02, 0.05, 0.1, 0.2, 0.5], minor=False)
    axes[0].minorticks_off()
    axes[0].set(xlabel="cycles per pixel", ylabel="power / variance (median, quartiles)")
    axes[1].set(xlabel="grey level", ylabel="share of pixels")
    axes[2].set(xlabel="noise / contrast", ylabel="share of images below", xlim=(0, 0.9))
    axes[3].set(xlabel="spectral slope", ylabel="share of images below")
    fig.savefig(path, dpi=90)


def sheet(real: Real, other: Real, path: Path) -> None:
    """Rows of real squares, each above a row of the synthetic look that is meant to resemble it."""
    rows = [
        ("real: ti64 ductile", real.of("ductile").pixels[::17]),
        ("real: tiny ductile", other.of("ductile_dimple").pixels[::5]),
        ("synthetic: dimples", version_3([("dimples",)], 14, 4).pixels),
        ("real: ti64 brittle and background", real.of("brittle", "background").pixels[::11]),
        ("synthetic: shear facets", version_3([("shear-facets",)], 14, 4).pixels),
        ("real: tiny intergranular", other.of("intergranular").pixels[::2]),
        ("synthetic: intergranular", version_3([("intergranular",)], 14, 4).pixels),
        ("real: tiny transgranular", other.of("transgranular").pixels[::4]),
        ("synthetic: cleavage", version_3([("cleavage",)], 14, 4).pixels),
    ]
    from PIL import ImageDraw

    cell, head = SIZE + 3, 13
    page = Image.new("L", (14 * cell, len(rows) * (cell + head)), 255)
    for r, (title, block) in enumerate(rows):
        ImageDraw.Draw(page).text((2, r * (cell + head)), title, fill=0)
        for c, square in enumerate(block[:14]):
            page.paste(Image.fromarray(square), (c * cell, r * (cell + head) + head))
    page.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--count", type=int, default=150, help="synthetic images of a class (default 150)")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    real, other = ti64(arguments.shared), tiny(arguments.shared)
    if arguments.figure:
        figure(real, other, arguments.figure)
    if arguments.sheet:
        sheet(real, other, arguments.sheet)
    if not (arguments.figure or arguments.sheet):
        for line in lines(real, other, arguments.count):
            print(line, flush=True)


if __name__ == "__main__":
    main()
