"""What other plugins offer, by name: their image reader, their datasets and their models.

Plugins do not import each other. A model that wraps another one, or a dataset of images, asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hmcbench.data.featurize import plan_views, transformer
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput, Problem
from hmcbench.interfaces import Inputs, ModelSpec, Task
from hmcbench.registry.registry import create, default_registry, load_object, unmet_needs

__all__ = ["ImageModel", "image_model", "read_images"]  # what plugins may use

IMAGES = "images"
"""The dataset whose reader reads image files."""


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
        """What the model reads of images."""
        return Inputs(ids, {name: Rows(make(rows)) for name, make in self.views.items()})


def image_model(reference: str, profile: str, task: Task, *, to_load: bool = False) -> ImageModel:
    """A model by its reference, such as ``timm:resnet10t[epochs=6]``.

    Args:
        to_load: whether it will load what it has saved: published weights are then not fetched.

    Raises:
        BadInput: no such model or parameter, or a model that does not label whole images of the task.
        NotApplicable: it cannot read images.
    """
    registry = default_registry()
    spec, params = registry.resolve("models", reference, profile)
    if spec.unit != "sample" or task.kind not in spec.tasks or task.paths not in spec.paths:
        raise BadInput(f"{reference} does not label whole images", allowed="a model of image suites")
    if to_load and "pretrained" in spec.params:
        params = {**params, "pretrained": False}
    needs = unmet_needs(spec)
    if needs:
        raise BadInput(f"{reference} {needs}")
    if spec.scores != "probability":
        raise BadInput(f"the scores of {reference} are no probabilities", allowed="a model of probabilities")
    plans = plan_views(registry, ("image",), spec.views, params)
    return ImageModel(spec, create(spec, params), {plan.name: transformer(plan) for plan in plans})
