"""Checks of models that label every pixel, on ten small images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.execute.cell import seed_everything
from hmcbench.execute.pixels import PixelModel, check_sizes
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset, Run
from hmcbench.plan.describe import is_deterministic
from hmcbench.testing.checks import models
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.state import state_check, unchanged
from hmcbench.testing.helpers import fitted, inputs
from hmcbench.testing.label_maps import tiny_maps

TRAIN, VALID, TEST = range(6), range(6, 8), range(8, 10)


def data(subject: Subject, paths: Any = "single") -> Dataset:
    if paths not in subject.spec.paths:
        raise Skip(f"its spec declares no tasks of this shape: {paths} paths")
    dataset: Dataset = subject.keep(("maps", paths), lambda: tiny_maps(paths=paths))
    return dataset


def fit(subject: Subject, dataset: Dataset, seed: int = 0, valid: Sequence[int] = VALID) -> Any:
    model = subject.make()
    seed_everything(seed)
    return fitted(model, dataset, train=TRAIN, valid=valid, seed=seed)


def clean(subject: Subject) -> Any:
    """The model fitted on single paths with seed 0; fitted once for all checks."""
    return subject.keep("clean", lambda: fit(subject, data(subject)))


def predicted(subject: Subject, model: Any, dataset: Dataset, rows: Sequence[int] = TEST) -> LabelMaps:
    """Maps that the runner accepts: one per image, of its size, from finite probabilities."""
    samples = inputs(dataset, rows)
    maps = PixelModel(model, subject.spec, dataset.task).predict(samples)
    check_sizes(maps, dataset.targets[list(rows)], samples.ids, subject.spec)
    return maps


def single(subject: Subject) -> None:
    predicted(subject, clean(subject), data(subject))


def several(subject: Subject) -> None:
    dataset = data(subject, "multiple")
    predicted(subject, fit(subject, dataset), dataset)


def alone(subject: Subject) -> None:
    dataset, model = data(subject), clean(subject)
    together = predicted(subject, model, dataset, TEST)
    for i, row in enumerate(TEST):
        same = np.array_equal(predicted(subject, model, dataset, [row]).load(0), together.load(i))
        need(same, "an image alone gets another map than beside others")


def other_sizes(subject: Subject) -> None:
    model = clean(subject)
    for size in ((70, 37), (9, 150)):
        other = tiny_maps(1, size)
        predicted(subject, model, other, [0])


def determinism(subject: Subject) -> None:
    dataset = data(subject)
    first, second = (predicted(subject, m, dataset) for m in (clean(subject), fit(subject, dataset)))
    need(first.same(second), "two fits with one seed give different maps")


def deterministic(subject: Subject) -> None:
    if not is_deterministic(subject.spec, subject.params):
        raise Skip("it is not declared deterministic")
    dataset = data(subject)
    first, second = (predicted(subject, m, dataset) for m in (clean(subject), fit(subject, dataset, seed=1)))
    need(first.same(second), "two fits with two seeds give different maps")


def without_validation(subject: Subject) -> None:
    dataset = data(subject)
    predicted(subject, fit(subject, dataset, valid=()), dataset)


def inputs_kept(subject: Subject) -> None:
    dataset = tiny_maps()
    pictures = [picture.load().copy() for picture in dataset.views["image"]]
    maps = [dataset.targets.load(i).copy() for i in range(len(dataset.ids))]
    predicted(subject, fit(subject, dataset), dataset)
    same = all(np.array_equal(a, b.load()) for a, b in zip(pictures, dataset.views["image"], strict=True))
    need(same, "it modified an image")
    need(all(np.array_equal(a, b) for a, b in zip(maps, dataset.targets, strict=True)), "it modified a map")


def kept_weights(subject: Subject) -> None:
    dataset, model = data(subject), clean(subject)
    if not hasattr(model, "save"):
        raise Skip("it keeps no weights")
    with tempfile.TemporaryDirectory() as name:
        model.save(Path(name))
        again = subject.make()
        again.load(Path(name), Run(task=dataset.task))
        first, second = (predicted(subject, m, dataset) for m in (model, again))
        need(first.same(second), "the loaded model predicts other maps")


def state(subject: Subject) -> None:
    with unchanged(threads=1):
        fit(subject, replace(data(subject)))


CHECKS: list[Check] = [
    *(check for check in models.CHECKS if check.run is models.pickles),
    Check("maps, single paths", "metrics need a map per image, of its size", single),
    Check("maps, several paths", "metrics need a map per image, of its size", several),
    Check("every image alone", "a prediction must not depend on other test images", alone),
    Check("other sizes of images", "micrographs of one set have several sizes", other_sizes),
    Check("same seed, same maps", "a number must be repeatable to be trusted", determinism),
    Check("deterministic as declared", "a board would take one training for all of them", deterministic),
    Check("no validation images", "small sets have none to spare", without_validation),
    Check("inputs unchanged", "other cells and metrics read the same arrays", inputs_kept),
    state_check(state),
    Check("weights kept and read", "hmcbench predict and explain need them", kept_weights),
]
