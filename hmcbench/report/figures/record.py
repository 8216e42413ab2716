"""All figures of one record, into a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from hmcbench.data.loading import load_dataset
from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.interfaces import Dataset
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import HISTORY, Record
from hmcbench.registry.registry import Registry
from hmcbench.report.figures import confusion, curves, label_maps, mistakes
from hmcbench.report.figures.reliability import reliability
from hmcbench.report.figures.style import plain, save, styled
from hmcbench.report.figures.thumbnails import write_thumbnails

MOST_MISTAKES = 12
MOST_MAPS = 4
MOST_LEVELS = 6  # that are drawn
NamedFigure = tuple[str, Figure]


def draw_record(
    record: Record,
    folder: Path,
    registry: Registry,
    data: Mapping[str, str],
    side: str = "test",
    *,
    pictures: bool = True,
) -> tuple[list[Path], list[str]]:
    """Draw everything that is defined for a record.

    Args:
        record: of a cell that ended well.
        folder: for the PNG files; created if it is missing.
        registry: for the dataset, which pictures of mistakes need.
        data: dataset name -> path, as for ``hmcbench run --data``.
        side: the partition to show, a side of the stored predictions.
        pictures: also show the most confident mistakes, and keep small images for the page where the samples
            are pixels; this needs the data.

    Returns:
        The files written, and a line for every figure that could not be drawn.

    Raises:
        BadInput: predictions that are missing or damaged, or have no such side.
    """
    notes: list[str] = []
    chosen = predictions_of_side(record, side)
    with styled():
        drawn = [*_history(record, notes), *_decided(record, chosen, side, notes)]
        picture = None
        if pictures and chosen.truth is not None and chosen.maps is not None:
            picture = _pictures(record, chosen, registry, data, notes)
            drawn.append((label_maps.SHEET, _map_sheet(record, chosen, side, picture)))
        elif pictures and chosen.truth is not None and chosen.task.kind == "hmc":
            drawn += _mistakes(record, chosen, side, registry, data, notes)
    folder.mkdir(parents=True, exist_ok=True)
    written = [save(fig, folder / f"{name}.png") for name, fig in drawn]
    if picture is not None:
        written += write_thumbnails(chosen.ids, picture, folder)
    return written, notes


def record_figures(record: Record, side: str = "test") -> dict[str, Figure]:
    """Name -> figure of everything that needs no data; raises BadInput as :func:`draw_record` does."""
    with styled():
        return dict([*_history(record, []), *_decided(record, predictions_of_side(record, side), side, [])])


def predictions_of_side(record: Record, side: str) -> Predictions:
    """The stored predictions of one partition; raises BadInput where there is none."""
    predictions = record.predictions()
    sides = list(dict.fromkeys(predictions.side))
    if side not in sides:
        raise BadInput(f"{record.path.name} has no side {side!r}", allowed=", ".join(sides))
    return predictions.of_side(side)


def heading(record: Record, content: str, side: str = "") -> str:
    """``timm:resnet10t on sem-failure (synthetic), fold 0, seed 0: what (test)``."""
    made_up = " (synthetic)" if record.data["dataset"].get("synthetic") else ""
    where = f", fold {record.fold}, seed {record.seed}"
    of_side = f" ({side})" if side else ""
    return plain(f"{record.label} on {record.dataset_reference}{made_up}{where}\n{content}{of_side}")


def _history(record: Record, notes: list[str]) -> Iterator[NamedFigure]:
    path = record.path / HISTORY
    if path.is_file():
        try:
            history = curves.read_history(path)
        except BadInput as error:  # all else can be drawn
            notes.append(str(error).rstrip("."))
            return
        fig = curves.curves(history, heading(record, "training curves"))
        if fig is not None:
            yield "training-curves", fig


def _decided(record: Record, chosen: Predictions, side: str, notes: list[str]) -> Iterator[NamedFigure]:
    """Figures that compare decisions or predicted targets with the truth."""
    task = chosen.task
    if chosen.truth is None:
        notes.append("the truth of these data may not be redistributed: only training curves are drawn")
        return
    if task.kind == "regression":
        title = heading(record, "predicted and true", side)
        yield "parity", mistakes.parity(chosen.truth, chosen.scores, task.targets, title)
        return
    evaluation = Evaluation.of_predictions(chosen, record.thresholds)
    last, deeper = min(evaluation.levels, MOST_LEVELS), evaluation.levels - MOST_LEVELS
    for k in range(1, last + 1):
        more = f"; {deeper} deeper levels are not drawn" if k == last and deeper > 0 else ""
        if task.paths == "single":
            kind = "raw decisions" if evaluation.pairs is None else "pixels, coherent decisions"
            title = heading(record, f"level {k}, {kind}{more}", side)
            yield f"confusion-level{k}", confusion.confusion(evaluation, k, title)
        else:
            title = heading(record, f"level {k}, closed decisions{more}", side)
            yield f"classes-level{k}", confusion.class_outcomes(evaluation, k, title)
    if evaluation.has_scores:
        yield "reliability", reliability(evaluation, heading(record, "reliability", side))


def _mistakes(
    record: Record,
    chosen: Predictions,
    side: str,
    registry: Registry,
    data: Mapping[str, str],
    notes: list[str],
) -> Iterator[NamedFigure]:
    evaluation = Evaluation.of_predictions(chosen, record.thresholds)
    if not evaluation.has_scores:
        notes.append("only sets are stored: no mistake is more confident than another")
        return
    mistaken = mistakes.confident_mistakes(evaluation, MOST_MISTAKES)
    if not mistaken:
        notes.append("no mistake to show")
        return
    try:
        dataset = load_again(record, registry, data)
    except HmcbenchError as error:
        notes.append(f"no pictures of mistakes: {error}")
        return
    if "image" not in dataset.views:
        return
    rows = {name: i for i, name in enumerate(dataset.ids)}
    mistaken = [mistake for mistake in mistaken if chosen.ids[mistake.row] in rows]
    if not mistaken:  # samples of other data (``far``)
        notes.append(f"no pictures of mistakes: these samples are not in {record.dataset_reference}")
        return
    images = dataset.views["image"]

    def picture(row: int) -> np.ndarray:
        pixels: np.ndarray = images[rows[chosen.ids[row]]].load(min_side=256)
        return pixels

    title = heading(record, "most confident mistakes", side)
    yield "mistakes", mistakes.mistake_sheet(mistaken, chosen.ids, picture, title)


def _map_sheet(
    record: Record, chosen: Predictions, side: str, picture: Callable[[int], np.ndarray | None]
) -> Figure:
    """The images with the most wrong pixels."""
    evaluation = Evaluation.of_predictions(chosen, record.thresholds)
    assert evaluation.pairs is not None
    rows = label_maps.worst_images(evaluation.pairs, evaluation, MOST_MAPS)
    title = heading(record, "images with the most wrong pixels", side)
    return label_maps.map_sheet(evaluation, rows, chosen.ids, picture, title)


def _pictures(
    record: Record, chosen: Predictions, registry: Registry, data: Mapping[str, str], notes: list[str]
) -> Callable[[int], np.ndarray | None]:
    """Position -> image, None where the data are not at hand, which is noted."""
    images: dict[str, Any] = {}
    try:
        dataset = load_again(record, registry, data)
        images = dict(zip(dataset.ids, dataset.views.get("image", ()), strict=False))
    except HmcbenchError as error:
        notes.append(f"label maps without their images: {error}")

    def picture(row: int) -> np.ndarray | None:
        image = images.get(chosen.ids[row])
        return None if image is None else np.asarray(image.load())

    return picture


def load_again(record: Record, registry: Registry, data: Mapping[str, str]) -> Dataset:
    """The dataset of a record; raises BadInput where it is missing or has changed."""
    stored = record.data["dataset"]
    spec = registry.get("datasets", stored["name"])
    extra = {spec.path_param: data[spec.name]} if spec.path_param and spec.name in data else {}
    hint = f"--data {spec.name}=PATH names the folder of the run" if spec.path_param else ""
    _, params = registry.resolve("datasets", stored["reference"], record.profile, **extra)
    dataset = load_dataset(registry, spec, params)
    if dataset.fingerprint != stored["fingerprint"]:
        raise BadInput(f"these are not the data of the run ({stored['fingerprint'][:10]})", hint=hint)
    return dataset
