"""``hmcbench data``: lint a data set before a run, fetch it, compute features, draw samples."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from tabulate import tabulate

from hmcbench.cli.common import max_pixels_option
from hmcbench.cli.preview import preview_command
from hmcbench.cli.tables import featurize_command, fetch_command
from hmcbench.registry.registry import default_registry


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
    "--dataset", "--as", default="images", show_default=True, metavar="DATASET", help="Read as this dataset."
)
@click.option("--crop-bottom", default="", metavar="auto|PX", help="Check images without their data bar.")
@max_pixels_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def lint_command(path: str, dataset: str, crop_bottom: str, max_pixels: int | None, as_json: bool) -> int:
    """List every problem of the files at PATH with file and reason; exit status 2 if a run would refuse.

    \b
    Example:
      hmcbench data lint my_images
      hmcbench data lint my_alloys.csv --dataset metallic-glass
    """
    from hmcbench.data.loading import lint_dataset

    extra = {k: v for k, v in (("crop_bottom", crop_bottom), ("max_pixels", max_pixels)) if v}
    report = lint_dataset(default_registry(), dataset, path, **extra)
    fatal = [p for p in report.problems if p.fatal]
    if as_json:
        content = {"source": report.source, "facts": dict(report.facts)}
        click.echo(json.dumps(content | {"problems": [asdict(p) for p in report.problems]}, indent=1))
        return 2 if fatal else 0
    click.echo(tabulate(report.facts.items(), tablefmt="plain", disable_numparse=True))
    for problem in sorted(report.problems, key=lambda p: (not p.fatal, p.order)):
        click.echo(f"{'error  ' if problem.fatal else 'warning'}  {problem.where}: {problem.what}")
    warnings = len(report.problems) - len(fatal)
    click.echo(f"{_count(len(fatal), 'error')}, {_count(warnings, 'warning')}")
    if fatal:
        skippable = all(p.skippable for p in fatal)
        click.echo("a run refuses to start" + ("; with --skip-bad it leaves them out" if skippable else ""))
    return 2 if fatal else 0
