"""``hmcbench data preview``: samples of a dataset as the pictures that a model gets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.common import FILE, check_picture
from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.data.featurize import ViewPlan
    from hmcbench.interfaces import Dataset

USUAL = 6  # samples drawn where none are named


@click.command("preview")
@click.argument("dataset")
@click.option("--view", default="", help="A view of the dataset, or a featurizer; by default image.")
@click.option("--data", default="", metavar="PATH", help="Your files, as given to run.")
@click.option("--sample", "samples", multiple=True, metavar="ID", help="Draw this sample; six by default.")
@click.option("--out", required=True, type=FILE, help="FILE.png.")
def preview_command(dataset: str, view: str, data: str, samples: tuple[str, ...], out: Path) -> None:
    """Draw samples of DATASET with their labels; and what the pixels stand for, if the featurizer says so.

    \b
    Example:
      hmcbench data preview metallic-glass --view composition_image --out alloys.png
      hmcbench data preview images --data my_images --sample dimple/001.png --out one.png
    """
    check_picture("--out", out)
    from hmcbench.data.featurize import compute_view, plan_view
    from hmcbench.data.loading import plan_dataset
    from hmcbench.registry.registry import create
    from hmcbench.report.figures import preview, style

    registry = default_registry()
    spec = registry.get("datasets", dataset.partition("[")[0])
    if data and not spec.path_param:
        raise BadInput(f"dataset {spec.name} reads no files", hint="leave --data out")
    paths = {spec.path_param: data} if data else {}
    spec, params = registry.resolve("datasets", dataset, "", **paths)
    loaded = plan_dataset(registry, spec, params, dataset)
    view = view or _usual_view(dataset, tuple(loaded.views))
    plan = plan_view(registry, tuple(loaded.views), view, ())
    chosen = _sample_indices(loaded, samples)
    rows = compute_view(plan, loaded)[0]
    _check_pictures(rows, view)
    pictures, note = preview.grey_levels(rows, chosen)
    last = create(plan.steps[-1].spec, plan.steps[-1].params) if plan.steps else None
    captions = [_caption(loaded, plan, i) for i in chosen]
    synthetic = ", synthetic samples" if loaded.synthetic else ""
    with style.styled():
        content = preview.Preview(pictures, captions, getattr(last, "parts", ()), getattr(last, "pixels", ()))
        figure = preview.draw(content, f"{style.plain(f'{dataset}{synthetic}: {view}')}\n{note}")
    style.save(figure, out)
    click.echo(f"figure  {out}: {len(chosen)} of {len(loaded.ids):,} samples{synthetic}")


def _usual_view(dataset: str, views: tuple[str, ...]) -> str:
    if "image" not in views:
        raise BadInput(f"{dataset} has no view image", allowed=f"--view {', '.join(views)}, or a featurizer")
    return "image"


def _sample_indices(dataset: Dataset, samples: tuple[str, ...]) -> list[int]:
    """Indices of the named samples, or of ``USUAL`` evenly spaced ones."""
    if not samples:
        count = len(dataset.ids)
        return [i * count // min(USUAL, count) for i in range(min(USUAL, count))]
    indices = {name: i for i, name in enumerate(dataset.ids)}
    for name in samples:
        if name not in indices:
            raise BadInput(f"--sample {name}: no such sample", allowed=f"such as {dataset.ids[0]}")
    return [indices[name] for name in samples]


def _check_pictures(rows: Any, view: str) -> None:
    import numpy as np

    row = rows[0]
    shape = np.shape(row.load() if hasattr(row, "load") else row)
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        raise BadInput(f"--view {view}: a row of it is no picture (its shape is {shape})")


def _caption(dataset: Dataset, plan: ViewPlan, index: int) -> str:
    """The id of a sample, the named values that its picture is made from, and its labels."""
    from hmcbench.report.figures.preview import named_values

    names = dataset.columns.get(plan.source)
    values = f": {named_values(dataset.views[plan.source][index], names)}" if names else ""
    return f"{dataset.ids[index]}{values}\n{_labels(dataset, index)}"


def _labels(dataset: Dataset, index: int) -> str:
    """The most specific classes of a sample, or the values of its targets."""
    if dataset.task.hierarchy is not None and dataset.task.unit == "pixel":
        return " | ".join(dataset.task.hierarchy.decode(dataset.targets[[index]].present))
    if dataset.task.hierarchy is not None:
        return " | ".join(dataset.task.hierarchy.decode(dataset.targets[[index]]))
    values = dataset.targets[index]
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(dataset.task.targets, values, strict=True))
