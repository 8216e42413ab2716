"""``hmcbench predict``: classes and probabilities of new images."""

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
from hmcbench.cli.run import check_device
from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.apply.back_off import BackOff
    from hmcbench.apply.predict_files import Block
    from hmcbench.errors import Problem
    from hmcbench.hierarchy.hierarchy import Hierarchy
    from hmcbench.records.weights import Trained


@click.command("predict")
@click.argument("run", type=PATH)
@click.argument("images", nargs=-1, required=True, type=PATH)
@click.option("--output", type=FILE, help="Write to this file instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line instead of CSV.")
@click.option(
    "--back-off",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="ALPHA",
    help="Answer only as deep as keeps the share of wrong answers at ALPHA.",
)
@device_option
@max_pixels_option
def predict_command(
    run: Path,
    images: tuple[Path, ...],
    output: Path | None,
    as_json: bool,
    back_off: float | None,
    device: str,
    max_pixels: int | None,
) -> int:
    """Predict IMAGES (files, or folders with everything below them) with the model of RUN.

    RUN is a record folder, the start of its name, a folder that holds one record, or a row of a
    suite's folder as the leaderboard names it. A row per image: the decisions, raw and coherent
    (classes joined by |), and the probability of every class. Images that cannot be read are named
    on standard error; exit status 1, or 2 if none can.

    With --back-off, two more columns: the deepest class whose confidence keeps the promise, or "refer",
    and that confidence. The run must have a calibration side ([protocol] calibration = 0.1).

    \b
    Example:
      hmcbench predict runs/sem-failure/HFFNet-2d new_images > classes.csv
      hmcbench predict runs/sem-failure/records/sem-failure--timm-resnet10t new_images > classes.csv
      hmcbench predict runs/my-suite/forest new_images --back-off .05 > classes.csv
    """
    from hmcbench.apply.back_off import BackOff
    from hmcbench.apply.predict_files import list_files, predict_files

    check_output(output)
    files, from_folders = list_files(images)
    trained = load_model(run, device)
    report_model(trained)
    climb = None if back_off is None else BackOff.of_record(trained.record, back_off)
    if climb is not None:
        click.echo(f"back-off: confidence at least {climb.theta:.3f} ({climb.samples} samples)", err=True)
    predicted = unreadable = 0
    with _opened(output) as stream:
        for block in predict_files(trained, default_registry(), files, max_pixels):
            unreadable += report_problems(block.problems, from_folders)
            _write(stream, trained, block, climb, as_json, first=not predicted)
            predicted += len(block.paths)
        if not predicted:
            raise BadInput("none of the files could be read as an image")
    click.echo(f"{predicted} images predicted, {unreadable} could not be read", err=True)
    return 1 if unreadable else 0


def load_model(run: Path, device: str) -> Trained:
    """The model of a run, on the named device."""
    from hmcbench.execute.resources import choose_device
    from hmcbench.records.weights import find_record, load_trained

    check_device(device)
    registry = default_registry()
    record = find_record(run)
    spec = registry.get("models", record.data["model"]["name"])
    return load_trained(record.path, choose_device(device, spec.accelerated), registry)


def report_model(trained: Trained) -> None:
    """Name the model on standard error; raises BadInput where it was not trained on images."""
    from hmcbench.apply.predict_files import Reader

    record = trained.record
    changes = ", ".join(f"{k}={v}" for k, v in Reader(trained, default_registry()).changes().items())
    reading = f"; images are read as in the run: {changes}" if changes else ""
    click.echo(f"model {record.label} of {record.path.name}{reading}", err=True)


def report_problems(problems: Iterable[Problem], from_folders: set[str]) -> int:
    """Name the unreadable files, and count them. Files of other types in a folder are ignored."""
    unreadable = [p for p in problems if not (p.kind == "extension" and p.where in from_folders)]
    for problem in unreadable:
        click.echo(f"unreadable  {problem.where}: {problem.what}", err=True)
    return len(unreadable)


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
    hierarchy = trained.task.hierarchy
    assert hierarchy is not None, "regression has no reader"
    rows = _rows(hierarchy, block, climb)
    if as_json:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    writer = csv.writer(stream, lineterminator="\n")
    if first and block.paths:
        more = () if climb is None else ("back_off", "confidence")
        writer.writerow(["path", "raw", "coherent", *more, *hierarchy.classes])
    for row in rows:
        decisions = ["|".join(row[kind]) for kind in ("raw", "coherent")]
        more = () if climb is None else (row["back_off"], f"{row['confidence']:.6f}")
        probabilities = (f"{p:.6f}" for p in row["probabilities"].values())
        writer.writerow([row["path"], *decisions, *more, *probabilities])


def _rows(hierarchy: Hierarchy, block: Block, climb: BackOff | None) -> Iterator[dict[str, Any]]:
    answers = [] if climb is None or not block.paths else climb.answers(block.scores)
    for i, (path, raw, coherent, scores) in enumerate(
        zip(block.paths, block.raw, block.coherent, block.scores.values, strict=True)
    ):
        yield {
            "path": path,
            "raw": list(hierarchy.decode(raw)),
            "coherent": list(hierarchy.decode(coherent)),
            **(dict(zip(("back_off", "confidence"), answers[i], strict=True)) if answers else {}),
            "probabilities": dict(zip(hierarchy.classes, scores.tolist(), strict=True)),
        }
