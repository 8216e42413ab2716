"""Explanations against truth: does a saliency map lie on what it is said to show?

For images with label maps, the map of every predicted class that an image has is held against the pixels of
that class. Two controls get the same treatment: a blob in the middle of the image, and the map of the same
network with random weights. Whether maps that are more faithful to the network also point better is a rank
correlation over maps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image
from scipy.stats import rankdata

from hmcbench.apply.predict_files import Block, check_constants, predict_views
from hmcbench.apply.saliency import Explainer
from hmcbench.data import featurize
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset
from hmcbench.records.weights import Trained
from hmcbench.registry.registry import Registry

MAPS = ("network", "random weights", "centre")
"""The map that is tested, and its two controls."""
MEASURES = ("pointing", "energy", "iou", "faithful")
WIDEST = 0.9  # share of an image; a class that covers more is hit by any map
THRESHOLDS = np.linspace(0.05, 0.95, 19)
DRAWS, SEED = 1000, 20_260_101
BLOCK = 16  # images that are predicted together


@dataclass(frozen=True, eq=False)
class Found:
    """How maps lie on the pixels of one class in one image.

    Attributes:
        area: share of the image that the class covers: what a map without knowledge gets as energy.
        pointing: per map of :data:`MAPS`: 1 where its largest value lies on the class.
        energy: share of its sum that lies on the class.
        iou: float (3, 19), its overlap with the class at every threshold.
        faithful: per map, area under the curve of insertion minus that of deletion, -1 to 1; NaN where it was
            not measured.
    """

    image: str
    level: int
    name: str
    area: float
    pointing: np.ndarray
    energy: np.ndarray
    iou: np.ndarray
    faithful: np.ndarray = field(default_factory=lambda: np.full(len(MAPS), np.nan))


@dataclass(frozen=True)
class PointingMean:
    """A mean over images, with a 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def measure(
    trained: Trained,
    registry: Registry,
    dataset: Dataset,
    *,
    levels: Sequence[int] = (),
    faithful: bool = True,
) -> list[Found]:
    """Hold the maps of a trained network against the label maps of a dataset.

    Images of the test partition count where the dataset has one, else all. Left out are classes that the
    network or the dataset does not have, and those that cover more than :data:`WIDEST` of an image.

    Args:
        levels: of the classes whose maps count; all if empty.
        faithful: whether to measure deletion and insertion of every map too.

    Raises:
        BadInput: no label maps, no view ``image``, no class in common, an unknown level, features that would
            be computed with other constants than in the run, or a model that has no maps.
    """
    if not isinstance(dataset.targets, LabelMaps) or "image" not in dataset.views:
        raise BadInput("--masks needs images with label maps", allowed="a dataset of pixels, or a folder")
    explainer, theirs = Explainer(trained, levels, faithful=faithful), dataset.task.hierarchy
    assert theirs is not None
    shared = set(explainer.hierarchy.classes) & set(theirs.classes)
    if not shared:
        raise BadInput(
            f"the classes of the masks ({', '.join(theirs.classes[:4])}, ...) are none of the network",
            allowed=", ".join(explainer.hierarchy.classes[:8]),
        )
    own_test = dataset.split is not None and "test" in dataset.split
    rows = [i for i in range(len(dataset.ids)) if not own_test or (dataset.split or ())[i] == "test"]
    out: list[Found] = []
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        block = _predicted(trained, registry, dataset, part)
        for i, row in enumerate(part):
            out += _of_image(
                explainer, block, i, dataset.ids[row], _masks(dataset.targets, theirs, row), shared
            )
    return out


def _predicted(trained: Trained, registry: Registry, dataset: Dataset, rows: Sequence[int]) -> Block:
    pictures = [dataset.views["image"][i] for i in rows]
    plans = featurize.plan_views(registry, ("image",), trained.spec.views, trained.params)
    check_constants(trained, plans)
    views = {plan.name: featurize.transformer(plan)(pictures) for plan in plans}
    names = [dataset.ids[i] for i in rows]
    return predict_views(trained, names, names, views, [], rows=pictures)


def _masks(maps: LabelMaps, hierarchy: Hierarchy, row: int) -> Mapping[str, np.ndarray]:
    """Class -> boolean (H, W), of the classes that an image has."""
    pixels = maps.load(row)
    held = np.zeros((int(np.iinfo(pixels.dtype).max) + 1, hierarchy.n), dtype=bool)
    held[: len(maps.legend)] = maps.legend
    masks = {name: held[pixels, c] for c, name in enumerate(hierarchy.classes)}
    return {name: mask for name, mask in masks.items() if mask.any()}


def _of_image(
    explainer: Explainer, block: Block, i: int, image: str, masks: Mapping[str, np.ndarray], shared: set[str]
) -> list[Found]:
    out = []
    for k in explainer.levels:
        columns = explainer.hierarchy.level_classes(k)
        for column in columns[block.coherent[i][columns]].tolist():
            name = explainer.hierarchy.classes[column]
            if name not in masks or name not in shared:
                continue
            maps = explainer.maps_of(block, i, k, column)
            mask = fitted_mask(masks[name], maps[0].shape)
            if not 0 < mask.mean() <= WIDEST:
                continue
            maps = [*maps, centre(maps[0].shape)]
            held = found(image, k, name, mask, maps)
            if explainer.faithful:
                areas = explainer.faithfulness(block, i, column, maps)
                held = replace(held, faithful=np.array([a.insertion_area - a.deletion_area for a in areas]))
            out.append(held)
    return out


def fitted_mask(mask: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A mask as the network sees its image: stretched to (H, W); a pixel counts that is covered by half."""
    picture = Image.fromarray(mask.astype(np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BOX)) >= 0.5


def centre(shape: Sequence[int]) -> np.ndarray:
    """A Gaussian blob in the middle, a quarter of the sides wide: it knows nothing of the image."""
    down, right = (((np.arange(n) - (n - 1) / 2) / (n / 4)) ** 2 for n in shape)
    blob: np.ndarray = np.exp(-0.5 * (down[:, None] + right[None]))
    return blob


def found(image: str, level: int, name: str, mask: np.ndarray, maps: Sequence[np.ndarray]) -> Found:
    """The three measures of maps >= 0, (H, W) each, against one mask.

    The largest value counts in part where several pixels share it. A map without any evidence points nowhere.

    >>> mask = np.array([[True, False], [False, False]])
    >>> f = found("i", 1, "a", mask, [np.array([[0.8, 0.2], [0.0, 0.0]]), np.ones((2, 2))])
    >>> f.pointing.tolist(), f.energy.tolist(), f.iou.max(axis=1).tolist()
    ([1.0, 0.25], [0.8, 0.25], [1.0, 0.25])
    """
    pointing, energy, iou = [], [], []
    for heat in maps:
        top, total = float(heat.max()), float(heat.sum())
        pointing.append(float(mask[heat == top].mean()) if top > 0 else 0.0)
        energy.append(float(heat[mask].sum()) / total if total > 0 else 0.0)
        marked = heat[None] >= THRESHOLDS[:, None, None] * max(top, 1e-12)
        iou.append((marked & mask).sum(axis=(1, 2)) / np.maximum((marked | mask).sum(axis=(1, 2)), 1))
    return Found(image, level, name, float(mask.mean()), np.array(pointing), np.array(energy), np.array(iou))


def summary(results: Sequence[Found], level: int) -> dict[str, dict[str, PointingMean]]:
    """Map -> measure -> mean over the images of a level; and the share of the image that a class covers,
    which a map without knowledge gets as energy, as that of the map ``chance``.

    Images are drawn with replacement, with all their classes. ``iou`` is at the threshold with the largest
    mean, of each map its own, chosen on all images.
    """
    chosen = [f for f in results if f.level == level]
    if not chosen:
        return {}
    weights = _draws(chosen)

    def mean(values: Any) -> PointingMean:
        numbers = np.array(values, dtype=float)
        draws = (weights @ numbers) / np.maximum(weights.sum(axis=1), 1)
        low, high = np.quantile(draws, [0.025, 0.975])
        return PointingMean(float(numbers.mean()), float(low), float(high))

    out: dict[str, dict[str, PointingMean]] = {}
    for m, name in enumerate(MAPS):
        best = int(np.mean([f.iou[m] for f in chosen], axis=0).argmax())
        out[name] = {
            "pointing": mean([f.pointing[m] for f in chosen]),
            "energy": mean([f.energy[m] for f in chosen]),
            "iou": mean([f.iou[m][best] for f in chosen]),
        }
        if np.isfinite([f.faithful[m] for f in chosen]).all():
            out[name]["faithful"] = mean([f.faithful[m] for f in chosen])
    return {**out, "chance": {"energy": mean([f.area for f in chosen])}}


def agreement(results: Sequence[Found], level: int) -> dict[str, PointingMean]:
    """Do maps of the network that are more faithful point better? Rank correlations (Spearman) over the maps
    of a level, -1 to 1: of ``faithful`` with ``pointing``, and with ``energy`` above the share of the image
    that the class covers. Intervals draw images. Empty where nothing was measured, or all maps are alike.
    """
    chosen = [f for f in results if f.level == level and np.isfinite(f.faithful[0])]
    if not chosen:
        return {}
    faithful = np.array([f.faithful[0] for f in chosen])
    others = {
        "pointing": np.array([f.pointing[0] for f in chosen]),
        "energy": np.array([f.energy[0] - f.area for f in chosen]),
    }
    rows = [np.repeat(np.arange(len(chosen)), counts) for counts in _draws(chosen)]
    out = {}
    for name, values in others.items():
        drawn = [correlation for r in rows if np.isfinite(correlation := _spearman(faithful[r], values[r]))]
        if np.isfinite(value := _spearman(faithful, values)):
            out[name] = PointingMean(value, *np.quantile(drawn, [0.025, 0.975]).tolist())
    return out


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    """NaN where one of both is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def _draws(chosen: Sequence[Found]) -> np.ndarray:
    """int (DRAWS, n): how often each of n maps counts where images are drawn with replacement."""
    names = sorted({f.image for f in chosen})
    members = np.array([names.index(f.image) for f in chosen], dtype=np.int64)
    rng = np.random.default_rng([SEED, len(names)])
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / max(1, len(names))), size=DRAWS)
    weights: np.ndarray = drawn[:, members]
    return weights
