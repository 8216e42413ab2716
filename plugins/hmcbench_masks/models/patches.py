"""A model of whole images, slid over a micrograph: every patch is an image, its middle gets the scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench import Inputs, Labelled, Run, Scores, Task
from hmcbench.data.borrowed import ImageModel, image_model
from hmcbench.errors import BadInput, NotApplicable
from hmcbench.files import write_atomic
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Value
from hmcbench_masks.models.images import BAND, grey, labelled_images, maps_of
from hmcbench_masks.models.settings import check_in_profile, check_stride, reference_of

FILE, INNER = "model.json", "inner"  # what wraps the inner model, and the folder of its own files
LEAST = 0.5  # share of a patch that must be labelled


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of an image, as an image."""

    pixels: np.ndarray

    def load(self, min_side: int | None = None) -> np.ndarray:
        """uint8 (side, side)."""
        return self.pixels


class Patches:
    """Any image classifier as a model of pixels.

    Its training images are patches with the set of classes of most of their labelled pixels. In prediction
    the scores of patches on a grid are brought to full size, bilinear.

    Args:
        model: its reference, without parameters.
        settings: its parameters, as ``epochs=6;image_size=64``.
        side: of a patch, in pixels.
        stride: between patches.
    """

    def __init__(self, *, model: str, settings: str = "", side: int = 96, stride: int = 48) -> None:
        check_stride(side, stride)
        self.model, self.settings = model, settings
        self.reference = reference_of(model, settings)
        self.side, self.stride = side, stride

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Cut patches, fit the model on them.

        Raises:
            BadInput, NotApplicable: the model does not exist, refuses its settings in this profile or cannot
                label such patches.
        """
        self._inner: ImageModel = image_model(self.reference, run.profile, run.task)
        check_in_profile(self.model, self.settings, run.profile)
        task = replace(run.task, unit="sample")
        parts = [self._cut(samples, task) for samples in (train, valid)]
        if not len(parts[0]):
            raise NotApplicable(f"no patch of {self.side} pixels is labelled")
        self._inner.model.fit(*parts, replace(run, task=task))

    def _cut(self, samples: Labelled, task: Task) -> Labelled:
        """Patches of all images with their labels."""
        patches: list[Patch] = []
        labels: list[int] = []
        groups: list[str] = []
        if len(samples):
            for name, (pixels, numbers) in zip(samples.ids, labelled_images(samples), strict=True):
                for top, left in self._corners(*pixels.shape):
                    square = np.s_[top : top + self.side, left : left + self.side]
                    known = numbers[square][numbers[square] >= 0]
                    if len(known) >= LEAST * numbers[square].size:
                        patches.append(Patch(pixels[square]))
                        labels.append(int(np.bincount(known).argmax()))
                        groups.append(name)
        legend = maps_of(samples).legend if isinstance(samples.targets, LabelMaps) else np.zeros((1, 1), bool)
        targets = legend[labels] if labels else legend[:0]
        inputs = self._views([f"{g}-{i}" for i, g in enumerate(groups)], patches)
        return Labelled(inputs.ids, inputs.views, targets=targets, groups=groups)

    def _views(self, ids: Sequence[str], patches: Sequence[Patch]) -> Inputs:
        if patches:
            return self._inner.inputs(ids, patches)
        inputs = self._inner.inputs(["none"], [Patch(np.zeros((self.side, self.side), np.uint8))])
        return Inputs([], {name: rows.take(slice(0)) for name, rows in inputs.views.items()})

    def _corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Of the patches of an image; a smaller image is one patch."""
        rows, columns = (range(0, max(1, size - self.side + 1), self.stride) for size in (height, width))
        return [(top, left) for top in rows for left in columns]

    def save(self, folder: Path) -> None:
        """Writes ``model.json``, and the files of the inner model to ``inner/``.

        Raises:
            NotApplicable: the inner model keeps nothing.
        """
        model = self._inner.model
        if not hasattr(model, "save") or not hasattr(model, "load"):
            raise NotApplicable(f"{self._inner.spec.name} saves no weights")
        (folder / INNER).mkdir()
        model.save(folder / INNER)
        write_atomic(folder / FILE, json.dumps({"inner_version": self._inner.spec.version}) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for files that are damaged or of another inner model."""
        self._inner = image_model(self.reference, run.profile, run.task, to_load=True)
        spec = self._inner.spec
        try:
            version = json.loads((folder / FILE).read_text(encoding="utf-8"))["inner_version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"{folder / FILE} cannot be read ({error})", allowed="as hmcbench run wrote it"
            ) from None
        if version != spec.version:
            raise BadInput(
                f"{folder} was made by version {version} of {spec.name}",
                allowed=f"version {spec.version}, which is installed",
                hint="run the cell again",
            )
        model: Any = self._inner.model
        model.load(folder / INNER, replace(run, task=replace(run.task, unit="sample")))

    def predict(self, inputs: Inputs) -> Iterator[Iterator[Scores]]:
        """Bands of rows, per image."""
        return (self._bands(grey(row)) for row in inputs.views["image"])

    def _bands(self, pixels: np.ndarray) -> Iterator[Scores]:
        """Scores of grid points, the middles of patches of the reflected image, then of all pixels."""
        height, width = pixels.shape
        before = self.side // 2
        points = [np.arange(0, size + self.stride, self.stride) for size in (height, width)]
        above, beside = (
            int(axis[-1]) + self.side - size for axis, size in zip(points, (height, width), strict=True)
        )
        padded = np.pad(pixels, ((before, above), (before, beside)), mode="symmetric")
        grid = np.stack([self._row(padded, int(top), points[1]) for top in points[0]])
        step = max(1, BAND // width // self.stride)
        for first in range(0, -(-height // self.stride), step):
            part = grid[first : first + step + 1]
            full = _between(part, self.stride)[
                : min(step * self.stride, height - first * self.stride), :width
            ]
            values = full[..., : self._columns]
            yield Scores(values, full[..., self._columns :] if full.shape[2] > self._columns else None)

    def _row(self, padded: np.ndarray, top: int, lefts: np.ndarray) -> np.ndarray:
        """float32 (n, C) or (n, C + L): the scores, and those of ``stop``, of one row of patches."""
        patches = [Patch(padded[top : top + self.side, left : left + self.side]) for left in lefts.tolist()]
        scores = self._inner.model.predict(self._inner.inputs([str(i) for i in range(len(patches))], patches))
        self._columns = scores.values.shape[1]
        parts = [scores.values] if scores.stop is None else [scores.values, scores.stop]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def describe(self) -> Mapping[str, Value]:
        """Those of the inner model, and its version."""
        inner: dict[str, Value] = dict(getattr(self._inner.model, "describe", dict)())
        return {**inner, "inner_version": self._inner.spec.version}


def _between(grid: np.ndarray, stride: int) -> np.ndarray:
    """Bilinear interpolation of grid points: (n, m, K) -> ((n - 1) stride, (m - 1) stride, K)."""
    share = (np.arange(stride) / stride).astype(np.float32)

    def along(values: np.ndarray) -> np.ndarray:
        """Between neighbours of the first axis."""
        low, high = values[:-1, None], values[1:, None]
        weight = share.reshape(1, -1, *[1] * (values.ndim - 1))
        mixed: np.ndarray = low * (1 - weight) + high * weight
        return mixed.reshape(-1, *values.shape[1:])

    return along(along(grid).swapaxes(0, 1)).swapaxes(0, 1)
