"""A model of images, trained on real and on procedural fractographs in as many steps as on real ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench import Inputs, Labelled, ModelSpec, Run, Scores
from hmcbench.data.borrowed import ImageModel, image_model, image_model_spec
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, NotApplicable
from hmcbench.files import write_atomic
from hmcbench.interfaces import Value
from hmcbench_sem.eds import Blank
from hmcbench_sem.procedural.classes import drawable
from hmcbench_sem.procedural.drawing import Mixture, draw, size_of

FILE, INNER = "model.json", "inner"  # what wraps the inner model, and the folder of its own files
EPOCH_SHARE = "epoch_share"  # parameter of networks: the share of the training samples in an epoch


class ProceduralModel:
    """A model of images that also gets procedural fractographs to train on; validation stays real.

    Every procedural image has the labels of a real training sample whose classes can all be drawn. They make
    up a share of the training set, and of every epoch on average. An epoch is as long as one on the real
    samples alone, so that the number of steps, the learning rates and the validations are the same, whatever
    the share. A model without epochs is fitted on the whole set, in which real samples are repeated where
    they are few.

    Args:
        model: its reference, without parameters.
        share: of procedural images, 0 to below 1.
        drawn: about so many different ones at least (:meth:`Mixture.of`).
        side: of the longest side of a drawn picture, pixels; real ones may be larger.
        looks: see :func:`hmcbench_sem.procedural.classes.drawable`.
        params: of the model; others have its defaults.
    """

    def __init__(
        self,
        *,
        model: str = "forest",
        share: float = 0.5,
        drawn: int = 400,
        side: int = 256,
        looks: str = "",
        **params: Value,
    ) -> None:
        self.model, self.share, self.drawn, self.side, self.looks = model, share, drawn, side, looks
        self.params = params
        self._facts: dict[str, Value] = {}

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Draw, and fit the model on real and procedural images.

        Raises:
            BadInput, NotApplicable: the model does not exist or cannot label such images; no class of the
                task, or no training sample, can be drawn.
        """
        mixture = Mixture.of(len(train), self.share, self.drawn)
        self._repeats = mixture.repeats
        changed = at_equal_steps(image_model_spec(self.model), self.params, mixture.epoch_share, run.profile)
        self._fitted = {**self.params, **changed}
        self._inner: ImageModel = image_model(self.model, run.profile, run.task, params=self._fitted)
        together = self._with_procedural(train, run)
        views = self._views(valid.ids, valid.views["image"])
        checked = Labelled(views.ids, views.views, valid.targets, valid.groups)
        self._inner.model.fit(together, checked, run)

    def refit(self, train: Labelled, run: Run) -> None:
        """Fit again on all real samples, with as many copies of them, and procedural ones."""
        together = self._with_procedural(train, run)
        if hasattr(self._inner.model, "refit"):
            self._inner.model.refit(together, run)
            return
        none = slice(0)
        views = {name: rows.take(none) for name, rows in together.views.items()}
        self._inner = image_model(self.model, run.profile, run.task, params=self._fitted)
        self._inner.model.fit(together, Labelled([], views, together.targets[none]), run)

    def _with_procedural(self, train: Labelled, run: Run) -> Labelled:
        """The copies of the real samples, and behind them the procedural ones."""
        n, targets = len(train), train.dense_targets
        added = self._procedural(train, run)
        ids = [f"{name} {k + 1}" if k else name for k in range(self._repeats) for name in train.ids]
        rows = np.concatenate([np.tile(np.arange(n), self._repeats), n + np.arange(len(added))])
        real, drawn = (self._views(part.ids, part.views["image"]).views for part in (train, added))
        views = {name: Rows(np.concatenate([real[name], drawn[name]]), rows) for name in real}
        groups = None if train.groups is None else [*(list(train.groups) * self._repeats), *added.ids]
        together = np.concatenate([targets, added.targets])[rows]
        return Labelled([*ids, *added.ids], views, targets=together, groups=groups)

    def _procedural(self, train: Labelled, run: Run) -> Labelled:
        """The procedural samples, with the view ``image``; none where their share is 0."""
        hierarchy, n, targets = run.task.hierarchy, len(train), train.dense_targets
        assert hierarchy is not None
        count = Mixture.filled(n, self.share, self._repeats)[0]
        self._facts |= {"procedural_images": count, "real_images": n, "copies_of_real": self._repeats}
        if not count:
            return Labelled([], {"image": []}, targets[:0])
        images = train.views["image"]
        size = size_of(images, self.side)
        looks = drawable(hierarchy, self.looks)
        pictures, labels = draw(hierarchy, targets, looks, count, size, run.seed)
        used = np.flatnonzero(labels.any(axis=0)).tolist()
        self._facts["procedural_classes"] = ", ".join(hierarchy.classes[i] for i in used)
        self._facts["procedural_size"] = f"{size[1]} x {size[0]}"
        return Labelled([f"procedural-{k + 1:05d}" for k in range(count)], {"image": pictures}, labels)

    def _views(self, ids: Sequence[str], images: Sequence[Any]) -> Inputs:
        """What the inner model reads."""
        if len(ids):
            return self._inner.inputs(ids, images)
        inputs = self._inner.inputs(["none"], [Blank(64)])
        return Inputs([], {name: rows.take(slice(0)) for name, rows in inputs.views.items()})

    def predict(self, inputs: Inputs) -> Scores:
        """Scores of the inner model."""
        scores: Scores = self._inner.model.predict(self._views(inputs.ids, inputs.views["image"]))
        return scores

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
        content = {"inner_version": self._inner.spec.version, "facts": self._facts}
        write_atomic(folder / FILE, json.dumps(content) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``; raises BadInput for files that are damaged or of another inner model."""
        self._inner = image_model(self.model, run.profile, run.task, to_load=True, params=self.params)
        spec = self._inner.spec
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            version, self._facts = content["inner_version"], dict(content["facts"])
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
        self._inner.model.load(folder / INNER, run)

    def describe(self) -> Mapping[str, Value]:
        """Those of the inner model, its version, and how many images were drawn for which classes."""
        inner: dict[str, Value] = dict(getattr(self._inner.model, "describe", dict)())
        return {**inner, **self._facts, "inner_version": self._inner.spec.version}


def at_equal_steps(
    spec: ModelSpec, params: Mapping[str, Value], epoch_share: float, profile: str
) -> dict[str, Value]:
    """Parameters of a model for a training set of which the real samples are ``epoch_share``.

    A network of hmcbench gets shorter epochs: as many of them, and of steps, as on the real samples alone. A
    model that only counts passes (:attr:`hmcbench.Param.passes`) makes fewer: as many steps, as nearly as
    whole passes allow.
    """
    values = {name: param.default for name, param in spec.params.items()}
    values |= {**spec.profiles.get(profile, {}), **params}
    if EPOCH_SHARE in spec.params:
        return {EPOCH_SHARE: _number(values[EPOCH_SHARE]) * epoch_share}
    passes = [name for name, param in spec.params.items() if param.passes]
    return {name: max(1, round(_number(values[name]) * epoch_share)) for name in passes}


def _number(value: Value) -> float:
    assert isinstance(value, (int, float))
    return value
