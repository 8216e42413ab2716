"""Filters of several widths and a forest: trainable segmentation as in Weka [Arganda-Carreras 2017]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.ensemble import ExtraTreesClassifier

from hmcbench import Inputs, Labelled, Run, Scores
from hmcbench.errors import BadInput
from hmcbench.interfaces import Value
from hmcbench.sklearnkit import kept
from hmcbench_masks.models.images import BAND, Legend, full_size, grey, labelled_images, normalised, reduced
from hmcbench_masks.models.widths import widths_of


def filters(level: np.ndarray, widths: tuple[float, ...]) -> np.ndarray:
    """Features of every pixel of a normalised image, float32 (H, W, 1 + 6 n).

    The grey level, and for every width s of a Gaussian filter: the smoothed grey level, the length of its
    gradient, both eigenvalues of its Hessian (times s and s^2), the local standard deviation, and the
    smoothed length of the gradient of width 1, a measure of roughness.
    """
    rough = ndimage.gaussian_gradient_magnitude(level, 1.0)
    planes = [level]
    for s in widths:
        smooth = ndimage.gaussian_filter(level, s)
        square = ndimage.gaussian_filter(level * level, s)
        down, right = np.gradient(smooth)
        dd, dr = np.gradient(down)
        _, rr = np.gradient(right)
        middle, half = (dd + rr) / 2, np.sqrt(((dd - rr) / 2) ** 2 + dr**2)
        planes += [smooth, s * np.hypot(down, right), s * s * (middle + half), s * s * (middle - half)]
        planes += [np.sqrt(np.maximum(square - smooth**2, 0)), ndimage.gaussian_filter(rough, s)]
    return np.stack(planes, axis=2).astype(np.float32)


def _in_bands(pixels: np.ndarray, widths: tuple[float, ...]) -> Iterator[tuple[slice, np.ndarray]]:
    """:func:`filters` of an image uint8 (H, W), band by band: its rows, and the features of their pixels.

    The features are those of the whole image, whose planes would take gigabytes for a large one.
    """
    reach = round(4 * max(widths)) + 6  # of the widest filter, and of the gradients that it smooths
    step = max(16, BAND // pixels.shape[1])
    level = normalised(pixels)
    for top in range(0, len(level), step):
        low, rows = max(0, top - reach), slice(top, min(top + step, len(level)))
        yield rows, filters(level[low : top + step + reach], widths)[top - low : rows.stop - low]


class PixelForest:
    """Extremely randomised trees on :func:`filters`, one class per set of classes.

    Args:
        trees: their number.
        leaf: samples that a leaf has at least.
        samples: pixels per training image, drawn so that its sets of classes count alike.
        reduce: images are reduced by this factor; scores are brought back to full size.
        widths: of the filters, in pixels of the reduced image, joined by ``;``.

    Raises:
        BadInput: widths that are no such numbers.
    """

    def __init__(
        self,
        *,
        trees: int = 100,
        leaf: int = 5,
        samples: int = 2000,
        reduce: int = 2,
        widths: str = "1;2;4;8;16",
    ) -> None:
        self.trees, self.leaf, self.samples, self.reduce = trees, leaf, samples, reduce
        self.widths = widths_of(widths)

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Draw pixels of every image, filter, grow the trees."""
        rng = np.random.default_rng(run.seed)
        self._legend = Legend.of(train, run.task)
        features, labels, weights = [], [], []
        for step, (pixels, numbers) in enumerate(labelled_images(train, self.reduce), start=1):
            chosen, weight = self._draw(numbers.ravel(), rng)
            features.append(self._features(pixels, chosen))
            labels.append(numbers.ravel()[chosen])
            weights.append(weight)
            run.report(step, len(train) + 1)
        self._forest = ExtraTreesClassifier(
            self.trees, min_samples_leaf=self.leaf, n_jobs=run.threads, random_state=run.seed
        )
        self._forest.fit(np.concatenate(features), np.concatenate(labels), np.concatenate(weights))
        run.report(len(train) + 1, len(train) + 1)

    def _features(self, pixels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Those of the pixels at these positions of an image, float32 (n, 1 + 6 widths)."""
        features = np.empty((len(chosen), 1 + 6 * len(self.widths)), dtype=np.float32)
        width = pixels.shape[1]
        for rows, planes in _in_bands(pixels, self.widths) if len(chosen) else ():
            here = (chosen >= rows.start * width) & (chosen < rows.stop * width)
            features[here] = planes.reshape(-1, planes.shape[2])[chosen[here] - rows.start * width]
        return features

    def save(self, folder: Path) -> None:
        """Writes ``estimators.skops``; raises BadInput for a forest that is too large to be kept."""
        kept.save({"forest": self._forest, "sets": self._legend.sets}, folder)

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for a file that is damaged, not trusted or of other classes."""
        content, hierarchy = kept.load(folder), run.task.hierarchy
        try:
            self._forest, sets = content["forest"], np.asarray(content["sets"], dtype=np.float32)
            features = int(self._forest.n_features_in_)
            known = bool(sets.ndim == 2 and (self._forest.classes_ < len(sets)).all())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"{folder / kept.FILE} cannot be read ({error})", allowed=kept.ALLOWED) from None
        if hierarchy is None or not known or sets.shape[1] != hierarchy.n:
            raise BadInput(f"{folder / kept.FILE} is of other classes", allowed=kept.ALLOWED)
        if features != 1 + 6 * len(self.widths):
            raise BadInput(f"{folder / kept.FILE} is of other filters", allowed=kept.ALLOWED)
        self._legend = Legend(sets, run.task)
        self._forest.n_jobs = run.threads

    def _draw(self, numbers: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Positions of pixels, and weights that give every set its share of the image again."""
        sets = np.unique(numbers[numbers >= 0])
        chosen, weights = [], []
        for number in sets:
            places = np.flatnonzero(numbers == number)
            n = min(len(places), max(1, self.samples // len(sets)))
            chosen.append(rng.choice(places, n, replace=False))
            weights.append(np.full(n, len(places) / n / numbers.size))
        if not chosen:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(chosen), np.concatenate(weights)

    def predict(self, inputs: Inputs) -> Iterator[Iterator[Scores]]:
        """Bands of rows, per image."""
        return (self._bands(grey(row)) for row in inputs.views["image"])

    def _bands(self, pixels: np.ndarray) -> Iterator[Scores]:
        shares = self._shares(reduced(pixels, self.reduce))
        return (Scores(*self._legend.scores(band)) for band in full_size(shares, pixels.shape, self.reduce))

    def _shares(self, pixels: np.ndarray) -> np.ndarray:
        """float32 (h, w, M), the share of the trees' votes for every set of classes."""
        shares = np.zeros((*pixels.shape, len(self._legend.sets)), dtype=np.float32)
        for rows, planes in _in_bands(pixels, self.widths):
            votes = self._forest.predict_proba(planes.reshape(-1, planes.shape[2])).astype(np.float32)
            shares[rows][..., self._forest.classes_] = votes.reshape(*planes.shape[:2], -1)
        return shares

    def describe(self) -> Mapping[str, Value]:
        """Nodes of all trees as parameters."""
        return {"parameters": int(sum(tree.tree_.node_count for tree in self._forest.estimators_))}
