"""What other plugins offer, by name: their image reader, their datasets and their models.

Plugins do not import each other. A model that wraps another one, or a dataset of images, asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any

import numpy as np

from hmcbench.data.featurize import plan_views, transformer
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, NotApplicable, Problem
from hmcbench.interfaces import Inputs, ModelSpec, Task, Value
from hmcbench.registry.registry import create, default_registry, load_object, unmet_needs

# what plugins may use
__all__ = ["ImageModel", "check_image_model", "image_model", "image_model_spec", "read_images"]

IMAGES = "images"
"""The dataset whose reader reads image files."""

BLOCK = 256
"""Images whose features are computed at once."""


def read_images(paths: Sequence[str], **params: Any) -> list[Any | Problem]:
    """Rows of a view ``image`` (:class:`hmcbench.interfaces.Image`) for image files, in their order.

    A file that cannot be read gives a :class:`hmcbench.errors.Problem` instead.

    Args:
        params: of the reader, such as ``crop_bottom`` and ``max_pixels``.
    """
    spec = default_registry().get("datasets", IMAGES)
    rows: list[Any | Problem] = load_object(spec.reader)(list(paths), **params)
    return rows


@dataclass(frozen=True, eq=False)
class ImageModel:
    """A model of whole images, and what makes its views of them.

    Attributes:
        spec: with the parameters resolved.
        model: new, not fitted.
        views: view -> function of rows of the view ``image``.
    """

    spec: ModelSpec
    model: Any
    views: Mapping[str, Callable[[Any], Any]]

    def inputs(self, ids: Sequence[str], rows: Sequence[Any]) -> Inputs:
        """What the model reads of images, block by block: features of many at once would fill the memory."""
        blocks = [rows[k : k + BLOCK] for k in range(0, len(rows), BLOCK)] or [rows]
        return Inputs(
            ids, {name: Rows(_joined([make(block) for block in blocks])) for name, make in self.views.items()}
        )


def _joined(blocks: Sequence[Any]) -> Any:
    """A view of all blocks: an array where each is one, else a list."""
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate(blocks) if isinstance(blocks[0], np.ndarray) else [*chain.from_iterable(blocks)]


NO_PARAMS: Mapping[str, Value] = MappingProxyType({})


def image_model(
    reference: str,
    profile: str,
    task: Task,
    *,
    to_load: bool = False,
    params: Mapping[str, Value] = NO_PARAMS,
) -> ImageModel:
    """A model by its reference, such as ``timm:resnet10t[epochs=6]``.

    Args:
        to_load: whether it will load what it has saved: published weights are then not fetched.
        params: replace those of the reference.

    Raises:
        BadInput: no such model or parameter, or a model that does not label whole images of the task.
        NotApplicable: it cannot read images.
    """
    registry = default_registry()
    spec, resolved = registry.resolve("models", reference, profile, **params)
    if spec.unit != "sample" or task.kind not in spec.tasks or task.paths not in spec.paths:
        raise _labels_no_images(reference)
    if to_load and "pretrained" in spec.params:
        resolved = {**resolved, "pretrained": False}
    needs = unmet_needs(spec)
    if needs:
        raise BadInput(f"{reference} {needs}")
    if spec.scores != "probability":
        raise BadInput(f"the scores of {reference} are no probabilities", allowed="a model of probabilities")
    plans = plan_views(registry, ("image",), spec.views, resolved)
    return ImageModel(spec, create(spec, resolved), {plan.name: transformer(plan) for plan in plans})


def image_model_spec(reference: str) -> ModelSpec:
    """The spec of a model of whole images and classes, for one that wraps it; creates nothing.

    Raises:
        BadInput: no such model, or one that labels no images, as it reads tables for example.
    """
    registry = default_registry()
    spec, params = registry.resolve("models", reference)
    if spec.unit != "sample" or "hmc" not in spec.tasks:
        raise _labels_no_images(reference)
    if not unmet_needs(spec):
        try:
            plan_views(registry, ("image",), spec.views, params)
        except NotApplicable as error:
            raise BadInput(
                f"{reference} cannot be trained on images alone: {error}",
                allowed="a model of images, such as forest or timm:resnet10t",
                hint="hmcbench list models shows what each one reads",
            ) from None
    model: ModelSpec = spec
    return model


def check_image_model(reference: str, params: Mapping[str, Value] = NO_PARAMS, profile: str = "") -> None:
    """Have a model check its parameters before a run (:attr:`hmcbench.ModelSpec.check`).

    Args:
        reference: as of :func:`image_model_spec`.
        params: replace those of the reference; others than the model's are left out.
        profile: whose values count for what the reference does not set.

    Raises:
        BadInput: as the model says.
    """
    registry, spec = default_registry(), image_model_spec(reference)
    if spec.check:
        own = {name: value for name, value in params.items() if name in spec.params}
        registry.call("models", spec, spec.check, registry.resolve("models", reference, profile, **own)[1])


def _labels_no_images(reference: str) -> BadInput:
    return BadInput(f"{reference} does not label whole images", allowed="a model of image suites")
