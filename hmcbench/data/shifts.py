"""Shifts of test inputs: which ones a run asks for, and the test samples under one of them.

A shift changes views of the dataset, before any featurizer. All models, folds and trainings see the same
changed inputs: what a shift draws depends on one fixed seed and the sample ids.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hmcbench.data.splits import Split
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, PluginError
from hmcbench.interfaces import Dataset, Image, ShiftInputs, ShiftSpec, Value
from hmcbench.registry.registry import Registry, check_installed, load_object

if TYPE_CHECKING:
    import numpy as np

SEED = 0
"""Of everything that shifts draw."""
MOST_HELD = 256 * 2**20
"""Bytes of decoded images that are held for the next severity."""


@dataclass(frozen=True)
class ShiftChoice:
    """A shift that a run asks for: plain data, part of a cell.

    Attributes:
        label: the shortest reference to it, which records and boards show.
        name, version, unit, views, params: of its spec, resolved.
        severities: rising.
        samples: how many test samples see it at most; None: all.
    """

    label: str
    name: str
    version: str
    unit: str
    views: tuple[str, ...]
    params: Mapping[str, Value]
    severities: tuple[float, ...]
    samples: int | None = None

    def stated(self) -> dict[str, Any]:
        """What a record says of it."""
        stated = {"version": self.version, "unit": self.unit, "severities": list(self.severities)}
        return stated if self.samples is None else {**stated, "samples": self.samples}

    def identity(self) -> list[Any]:
        """What predictions under it depend on, as plain data."""
        return [self.label, self.version, list(self.severities), self.samples]


def shift_choice(
    registry: Registry, reference: str, severities: Sequence[float] = (), samples: int | None = None
) -> ShiftChoice:
    """The shift of a reference.

    Args:
        severities, samples: instead of those of its spec.

    Raises:
        BadInput: an unknown name or parameter, severities that do not rise from above 0, or no samples.
    """
    spec: ShiftSpec
    spec, params = registry.resolve("shifts", reference)
    label = registry.label("shifts", spec, params)
    chosen = tuple(map(float, severities or spec.severities))
    high = math.inf if spec.high is None else spec.high
    rising = all(a < b for a, b in zip((0.0, *chosen), chosen, strict=False))
    if not chosen or not rising or not all(math.isfinite(x) and x <= high for x in chosen):
        most = "" if spec.high is None else f", at most {spec.high:g}"
        raise BadInput(
            f"shift {label}: severities {', '.join(f'{x:g}' for x in chosen) or 'none'}",
            allowed=f"rising numbers above 0{most} ({spec.unit or 'no unit'})",
        )
    count = samples if samples is not None else spec.samples
    if count is not None and count < 1:
        raise BadInput(f"shift {label}: samples {count}", allowed="1 or more test samples that see it")
    views = tuple(spec.views)
    return ShiftChoice(label, spec.name, spec.version, spec.unit, views, dict(params), chosen, count)


def seen_by(dataset: Dataset, split: Split, shift: ShiftChoice) -> np.ndarray:
    """The test samples that are predicted under a shift: rising places among them, int64.

    All, or as many as the shift says: every (n / samples)-th of them in the order of their label sets (of a
    regression: of the tenths of the first target), in random order within one. So every label set has its
    share, up to one sample. Another shift draws other samples, so that a mean over shifts rests on more.
    """
    import numpy as np

    test = split.sides["test"]
    if shift.samples is None or len(test) <= shift.samples:
        return np.arange(len(test))
    drawn = [hashlib.sha256(f"{SEED}\n{shift.label}\n{dataset.ids[i]}".encode()).digest() for i in test]
    order = sorted(
        range(len(test)), key=list(zip(_strata(dataset.targets[test]), drawn, strict=True)).__getitem__
    )
    each = (np.arange(shift.samples) + 0.5) * (len(test) / shift.samples)
    return np.sort(np.array(order)[each.astype(np.int64)])


def _strata(targets: Any) -> list[int]:
    """A number for every sample (n,): of its label set, or of the tenth of its first target."""
    import numpy as np
    from scipy.sparse import issparse

    rows = targets.toarray() if issparse(targets) else np.asarray(targets)
    if rows.dtype.kind == "f":
        places = rows[:, 0].argsort(kind="stable").argsort(kind="stable")
        return [int(place) for place in 10 * places // len(rows)]
    packed = np.packbits(rows.astype(bool), axis=1)
    return [int(number) for number in np.unique(packed, axis=0, return_inverse=True)[1].ravel()]


class HeldImage:
    """An image that is decoded, or drawn, once for all shifts, as long as there is room."""

    def __init__(self, image: Image, room: list[int]) -> None:
        self._image, self._room = image, room
        self._held: dict[int | None, np.ndarray] = {}

    def load(self, min_side: int | None = None) -> np.ndarray:
        """See :meth:`hmcbench.interfaces.Image.load`."""
        pixels = self._held.get(min_side)
        if pixels is None:
            pixels = self._image.load(min_side)
            if pixels.nbytes <= self._room[0]:
                self._room[0] -= pixels.nbytes
                self._held[min_side] = pixels
        return pixels.copy()


def with_held_images(dataset: Dataset, rows: Sequence[int]) -> Dataset:
    """The dataset with images of these rows that are loaded once, up to :data:`MOST_HELD` bytes."""
    room = [MOST_HELD]
    views = dict(dataset.views)
    for name, view in views.items():
        if len(rows) and hasattr(view[rows[0]], "load"):
            changed = [view[i] for i in range(len(view))]
            for i in rows:
                changed[i] = HeldImage(changed[i], room)
            views[name] = changed
    return replace(dataset, views=views)


def shifted_test(
    registry: Registry, dataset: Dataset, split: Split, shift: ShiftChoice, severity: float
) -> tuple[Dataset, frozenset[str]]:
    """The test samples that see a shift (:func:`seen_by`), under it, as a dataset; and the changed views.

    Its fingerprint is one of its own, so that its features are cached apart.

    Raises:
        PluginError: the shift breaks its contract.
    """
    test = split.sides["test"][seen_by(dataset, split, shift)]
    ids = [dataset.ids[i] for i in test]
    changed = frozenset(shift.views) & frozenset(dataset.views)
    views = {name: Rows(view, test)[:] for name, view in dataset.views.items()}
    for name in sorted(changed):
        inputs = ShiftInputs(
            name,
            ids,
            views[name],
            Rows(dataset.views[name], split.sides["train"]),
            tuple(map(str, dataset.columns.get(name, ()))),
            tuple(dataset.kinds.get(name, ())),
            SEED,
        )
        views[name] = shifted_rows(registry.get("shifts", shift.name), shift.params, inputs, severity)
    facts = [dataset.fingerprint, split.fingerprint, shift.identity(), severity, SEED]
    origin = registry.origin("shifts", shift.name)
    fingerprint = hashlib.sha256(json.dumps([*facts, origin]).encode()).hexdigest()
    alone = replace(
        dataset,
        ids=ids,
        views=views,
        targets=dataset.targets[test],
        fingerprint=fingerprint,
        groups=None,
        duplicates=None,
        split=None,
    )
    return alone, changed


def shifted_rows(spec: ShiftSpec, params: Mapping[str, Value], inputs: ShiftInputs, severity: float) -> Any:
    """The rows of one view under a shift.

    Raises:
        PluginError: another number of rows, or an array of another shape or type.
    """
    import numpy as np

    check_installed(spec)
    before = inputs.rows
    rows = load_object(spec.factory)(inputs, severity, **params)
    if not isinstance(before, np.ndarray):
        if len(rows) != len(before):
            raise PluginError(f"shift {spec.name} returned {len(rows)} rows of {len(before)}")
        return list(rows)
    rows = np.asarray(rows)
    if rows.shape != before.shape or rows.dtype.kind != before.dtype.kind:
        raise PluginError(
            f"shift {spec.name} returned {rows.dtype} of shape {rows.shape}",
            allowed=f"{before.dtype} of shape {before.shape}",
        )
    return rows.astype(before.dtype, copy=False)


def filled(rows: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Rows (n, ...) with missing values (NaN) replaced by the mean of their column over training samples."""
    import numpy as np

    missing = np.isnan(rows) if rows.dtype.kind == "f" else np.zeros(rows.shape, dtype=bool)
    if not missing.any():
        return rows
    known = np.isfinite(training)
    total = np.where(known, training, 0.0).sum(axis=0, dtype=np.float64)
    means = total / np.maximum(known.sum(axis=0), 1)
    return np.where(missing, means.astype(rows.dtype), rows)
