"""``hmcbench predict``: classes and scores, or numbers, of new images and new rows of tables."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from hmcbench.cli.common import FILE, PATH, check_output, device_option, max_pixels_option
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.cli.run import check_device
from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.apply.back_off import BackOff
    from hmcbench.apply.predict_files import Block
    from hmcbench.errors import Problem
    from hmcbench.records.weights import Trained


@click.command("predict")
@click.argument("run", type=PATH)
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option("--output", type=FILE, help="Write to this file instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line instead of CSV.")
@click.option(
    "--back-off",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="ALPHA",
    help="Answer only as deep as keeps the share of wrong answers at ALPHA.",
)
@click.option(
    "--maps",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Of a model of pixels: write label maps and overlays here.",
)
@device_option
@max_pixels_option
@plugin_option
def predict_command(
    run: Path,
    files: tuple[Path, ...],
    output: Path | None,
    as_json: bool,
    back_off: float | None,
    maps: Path | None,
    device: str,
    max_pixels: int | None,
) -> int:
    """Predict new samples with the model of RUN: FILES are images or tables, as the model was trained on.

    RUN is a record folder, the start of its name, a folder that holds one record, or a row of a
    suite's folder as the leaderboard names it: of several folds and seeds the first predicts. Folders
    stand for all files below them. Tables (CSV, Excel,
    Parquet, ARFF) need the columns of the training samples, and no labels. A row per image, or per row of a
    table: the decisions, raw and coherent (classes joined by |), the label of every level with its
    confidence, and the score of every class; of a regression the predicted numbers. Images and rows that
    cannot be read are named on standard error; exit status 1, or 2 if none can.

    With --back-off, two more columns: the deepest class whose confidence keeps the promise, or "refer",
    and that confidence. The run must have a calibration side ([protocol] calibration = 0.1).

    Of a model that predicts in several passes (mc_dropout, orientations, members), two more: how uncertain
    the prediction is in all, and what of it is the disagreement of the passes, from 0 to 1. Of a model with
    novelty=energy or neighbours, how unlike the training samples it is: the larger, the more.

    Of a model of pixels, the row of an image is the share of its area that each class has. --maps also
    writes, per image, a label map and the image with the map laid over it, and classes.csv.

    \b
    Example:
      hmcbench predict runs/sem-failure/HFFNet-2d new_images > classes.csv
      hmcbench predict runs/alloys/forest new_alloys.csv > classes.csv
      hmcbench predict runs/my-suite/forest new_images --back-off .05 > classes.csv
      hmcbench predict runs/masks/pixel-forest new_images --maps new_maps > areas.csv
    """
    from hmcbench.apply.back_off import BackOff
    from hmcbench.apply.predict_files import list_files
    from hmcbench.apply.predict_new import predict_new, reads_tables

    check_output(output)
    names, from_folders = list_files(files)
    trained = load_model(run, device)
    if trained.task.unit == "pixel":
        return _predict_pixels(trained, names, from_folders, output, maps, as_json, back_off, max_pixels)
    if maps is not None:
        raise BadInput(f"--maps: {trained.record.label} labels whole samples", allowed="a model of pixels")
    tables = reads_tables(trained, default_registry())
    report_model(trained, tables)
    climb = None if back_off is None else BackOff.of_record(trained.record, back_off)
    if climb is not None:
        click.echo(f"back-off: confidence at least {climb.theta:.3f} ({climb.samples} samples)", err=True)
    predicted = unreadable = 0
    with _opened(output) as stream:
        for block in predict_new(trained, default_registry(), names, max_pixels):
            unreadable += report_problems(block.problems, from_folders)
            _write(stream, trained, block, climb, as_json, first=not predicted)
            predicted += len(block.paths)
        if not predicted:
            raise BadInput(f"none of the files could be read as {'a table' if tables else 'an image'}")
    what = "rows" if tables else "images"
    click.echo(f"{predicted} {what} predicted, {unreadable} could not be read", err=True)
    return 1 if unreadable else 0


def _predict_pixels(
    trained: Trained,
    names: list[str],
    from_folders: set[str],
    output: Path | None,
    maps: Path | None,
    as_json: bool,
    back_off: float | None,
    max_pixels: int | None,
) -> int:
    """Areas of classes as rows, and maps as files."""
    from hmcbench.apply.predict_maps import MapFolder, PredictedMap, predict_maps

    hierarchy = trained.task.hierarchy
    assert hierarchy is not None
    if back_off is not None:
        raise BadInput(
            f"--back-off: {trained.record.label} labels pixels", allowed="a model of whole samples"
        )
    folder = None if maps is None else MapFolder(maps, names, hierarchy)
    report_model(trained, of_pixels=True)
    predicted = unreadable = 0
    with _opened(output) as stream:
        for result in predict_maps(trained, default_registry(), names, max_pixels):
            if not isinstance(result, PredictedMap):
                unreadable += report_problems([result], from_folders)
                continue
            if folder is not None:
                folder.write(result)
            height, width = map(int, result.labels.shape)
            areas = dict(zip(hierarchy.classes, result.areas().tolist(), strict=True))
            row = {"path": result.path, "height": height, "width": width, "areas": areas}
            _write_rows(stream, [row], as_json, first=not predicted)
            predicted += 1
        if not predicted:
            raise BadInput("none of the files could be read as an image")
    hint = "" if maps is not None else "; --maps FOLDER also writes their label maps"
    click.echo(f"{predicted} images predicted, {unreadable} could not be read{hint}", err=True)
    return 1 if unreadable else 0


def load_model(run: Path, device: str) -> Trained:
    """The model of a run, on the named device; of a row with several records that of the first."""
    from hmcbench.execute.resources import choose_device
    from hmcbench.records.weights import find_record, load_trained, spec_of, with_model

    check_device(device)
    registry = default_registry()
    record = with_model(find_record(run, first=True))
    spec = spec_of(record, registry)
    return load_trained(record.path, choose_device(device, spec.accelerated), registry)


def report_model(trained: Trained, tables: bool = False, of_pixels: bool = False) -> None:
    """Name the model on standard error; raises BadInput where it was not trained on images, nor on tables."""
    from hmcbench.apply.predict_files import Reader

    record = trained.record
    changed = {} if tables else Reader(trained, default_registry(), of_pixels=of_pixels).changes()
    changes = ", ".join(f"{k}={v}" for k, v in changed.items())
    reading = f"; images are read as in the run: {changes}" if changes else ""
    click.echo(f"model {record.label} of {record.path.name}{reading}", err=True)


def report_problems(problems: Iterable[Problem], from_folders: set[str]) -> int:
    """Name the unreadable files or rows, and count them. Files of other types in a folder are ignored."""
    unreadable = 0
    for problem in problems:
        if problem.kind == "extension":
            if problem.where in from_folders:
                continue
        elif not problem.fatal:
            click.echo(f"note  {problem.where}: {problem.what}", err=True)
            continue
        click.echo(f"unreadable  {problem.where}: {problem.what}", err=True)
        unreadable += 1
    return unreadable


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears when it is complete."""
    if output is None:
        yield sys.stdout
        return
    from hmcbench.files import replacing

    with replacing(output) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        yield stream


def _write(
    stream: TextIO, trained: Trained, block: Block, climb: BackOff | None, as_json: bool, first: bool
) -> None:
    classes = trained.task.hierarchy is not None
    rows = _class_rows(trained, block, climb) if classes else _number_rows(trained, block)
    _write_rows(stream, rows, as_json, first)


def _write_rows(stream: TextIO, rows: Iterable[dict[str, Any]], as_json: bool, first: bool) -> None:
    if as_json:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    writer = csv.writer(stream, lineterminator="\n")
    for row in rows:
        cells = dict(_cells(row))
        if first:
            writer.writerow(cells)
            first = False
        writer.writerow(cells.values())


UNSURE = ("total_uncertainty", "epistemic_uncertainty")


def _class_rows(trained: Trained, block: Block, climb: BackOff | None) -> Iterator[dict[str, Any]]:
    from hmcbench.apply.uncertainty import uncertainties

    hierarchy = trained.task.hierarchy
    assert hierarchy is not None
    answers = [] if climb is None or not block.paths else climb.answers(block.scores)
    unsure = uncertainties(block.scores, trained.task) if block.paths else None
    for i, (name, scores) in enumerate(zip(_names(block), block.scores.values, strict=True)):
        yield {
            **name,
            "raw": list(hierarchy.decode(block.raw[i])),
            "coherent": list(hierarchy.decode(block.coherent[i])),
            **({"back_off": answers[i][0], "confidence": float(answers[i][1])} if answers else {}),
            **(
                {name: float(values[i]) for name, values in zip(UNSURE, unsure, strict=True)}
                if unsure
                else {}
            ),
            **({} if block.scores.novelty is None else {"novelty": float(block.scores.novelty[i])}),
            "levels": [
                {"label": list(level.labels), "confidence": list(level.confidence)}
                for level in block.levels(hierarchy, i)
            ],
            "ranking scores" if trained.spec.scores == "ranking" else "probabilities": dict(
                zip(hierarchy.classes, scores.tolist(), strict=True)
            ),
        }


def _number_rows(trained: Trained, block: Block) -> Iterator[dict[str, Any]]:
    for name, values in zip(_names(block), block.scores.values, strict=True):
        yield {**name, "targets": dict(zip(trained.task.targets, values.tolist(), strict=True))}


def _names(block: Block) -> list[dict[str, str]]:
    """The file of every sample, and its id in a table."""
    if not block.ids:
        return [{"path": path} for path in block.paths]
    return [{"path": path, "id": id_} for path, id_ in zip(block.paths, block.ids, strict=True)]


def _cells(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The columns of CSV: classes joined by |, a label and its confidence per level, six digits."""
    for name, value in row.items():
        if name == "levels":
            for k, level in enumerate(value, start=1):
                yield f"level{k}", "|".join(level["label"])
                yield f"confidence{k}", "|".join(f"{p:.6f}" for p in level["confidence"])
        elif name == "targets":
            yield from ((target, repr(number)) for target, number in value.items())
        elif isinstance(value, float):
            yield name, f"{value:.6f}"
        elif isinstance(value, int):
            yield name, str(value)
        elif isinstance(value, dict):
            yield from ((label, f"{score:.6f}") for label, score in value.items())
        else:
            yield name, value if isinstance(value, str) else "|".join(value)
