"""``hmcbench data``: lint a dataset before a run, fetch it, compute features, draw samples."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from hmcbench.cli.common import FILE, check_picture, max_pixels_option
from hmcbench.cli.own_data import COLUMNS, column_params, options_of
from hmcbench.cli.preview import preview_command
from hmcbench.cli.tables import featurize_command, fetch_command
from hmcbench.errors import BadInput
from hmcbench.registry.registry import Registry, default_registry

if TYPE_CHECKING:
    from hmcbench.interfaces import DataReport, PicturePair


@click.group("data")
def data_command() -> None:
    """Check data before a run, fetch them, compute features, draw samples."""


data_command.add_command(fetch_command)
data_command.add_command(featurize_command)
data_command.add_command(preview_command)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@data_command.command("lint")
@click.argument("path")
@click.option(
    "--dataset",
    "--as",
    default="",
    metavar="DATASET",
    help="Read as this; default: what the name and columns of a file tell, else images.",
)
@options_of(COLUMNS)
@click.option("--crop-bottom", default="", metavar="auto|PX", help="Check images without their data bar.")
@max_pixels_option
@click.option("--pairs", type=FILE, metavar="FILE.png", help="Draw the images that show the same place.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def lint_command(
    path: str,
    dataset: str,
    crop_bottom: str,
    max_pixels: int | None,
    pairs: Path | None,
    as_json: bool,
    **columns: Any,
) -> int:
    """List every problem of the files at PATH with file and reason; exit status 2 if a run would refuse.

    \b
    Example:
      hmcbench data lint my_images --pairs alike.png
      hmcbench data lint alloys.csv --labels level1,level2
      hmcbench data lint my_alloys.csv --dataset metallic-glass
    """
    from hmcbench.data.loading import dataset_of_file

    if pairs is not None:
        check_picture("--pairs", pairs)
    extra: dict[str, Any] = {k: v for k, v in (("crop_bottom", crop_bottom), ("max_pixels", max_pixels)) if v}
    extra |= column_params(columns)
    chosen = bool(dataset or column_params(columns))
    registry = default_registry()
    guess = "" if dataset or extra or pairs is not None else dataset_of_file(registry, Path(path))
    dataset = dataset or guess or ("table" if column_params(columns) else "images")
    report = _lint(registry, dataset, path, chosen, extra)
    if guess not in ("", "images"):
        more = "labels" in registry.get("datasets", guess).params
        labels = "; --labels COLUMN checks its classes too" if more else ""
        click.echo(f"note: {path} is read as the dataset {guess}{labels}", err=True)
    figure = _draw(report.pairs, pairs) if pairs is not None else ""
    fatal = [p for p in report.problems if p.fatal]
    if as_json:
        content: dict[str, Any] = {"source": report.source, "facts": dict(report.facts)}
        content["problems"] = [asdict(p) for p in report.problems]
        content["pairs"] = [[*pair.names, pair.caption] for pair in report.pairs]
        click.echo(json.dumps(content, indent=1))
        return 2 if fatal else 0
    click.echo(tabulate(report.facts.items(), tablefmt="plain", disable_numparse=True))
    for problem in sorted(report.problems, key=lambda p: (not p.fatal, p.order)):
        click.echo(f"{'error  ' if problem.fatal else 'warning'}  {problem.where}: {problem.what}")
    if figure:
        click.echo(figure)
    warnings = len(report.problems) - len(fatal)
    click.echo(f"{_count(len(fatal), 'error')}, {_count(warnings, 'warning')}")
    if fatal:
        skippable = all(p.skippable for p in fatal)
        click.echo("a run refuses to start" + ("; with --skip-bad it leaves them out" if skippable else ""))
    return 2 if fatal else 0


def _lint(registry: Registry, dataset: str, path: str, chosen: bool, params: Mapping[str, Any]) -> DataReport:
    """The report; where the user did not choose the dataset of a file, an error says how to."""
    from hmcbench.data.loading import lint_dataset

    try:
        report: DataReport = lint_dataset(registry, dataset, path, **params)
    except BadInput as error:
        if chosen or error.hint or not Path(path).is_file():
            raise
        hint = f"hmcbench data lint {shlex.quote(path)} --dataset NAME reads it as another dataset"
        raise BadInput(error.what, allowed=error.allowed, hint=hint) from None
    return report


def _draw(pairs: Sequence[PicturePair], path: Path) -> str:
    """Draw the first pairs into ``path``; the line that reports it."""
    if not pairs:
        return "no two images show the same place: no figure"
    from hmcbench.report.figures import pairs as figure
    from hmcbench.report.figures import style

    with style.styled():
        style.save(figure.draw(pairs), path)
    return f"figure  {path}: {min(len(pairs), figure.MOST)} of {_count(len(pairs), 'pair')}"
