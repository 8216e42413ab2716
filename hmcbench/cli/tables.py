"""``hmcbench data fetch`` (original files) and ``hmcbench data featurize`` (tables of features)."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click

from hmcbench.cli.common import FILE, check_output
from hmcbench.errors import BadInput, HmcbenchError, Unavailable
from hmcbench.registry.registry import default_registry, load_object, parse_reference

MIRROR = "HMCBENCH_MIRROR"


@click.command("fetch")
@click.argument("name")
@click.option("--mirror", default="", envvar=MIRROR, metavar="URL", help=f"Fetch from here (or {MIRROR}).")
def fetch_command(name: str, mirror: str) -> None:
    """Fetch the original files of the dataset NAME into the cache folder, and check them.

    \b
    Example:
      hmcbench data fetch nims-steel
      hmcbench data fetch hmc-classic:cellcycle_FUN
    """
    if mirror and not mirror.startswith(("http://", "https://")):
        raise BadInput(f"--mirror {mirror}", allowed="an address that starts with http:// or https://")
    registry = default_registry()
    reference = parse_reference(name)
    spec, _ = registry.resolve("datasets", reference)  # refuses an unknown variant
    if reference.params:
        raise BadInput(f"data fetch {name}: parameters do not count", allowed="NAME or NAME:VARIANT")
    if not spec.fetch:
        names = ", ".join(s.name for s in registry.specs("datasets") if s.fetch)
        raise BadInput(f"dataset {spec.name} cannot be fetched", allowed=names)
    variant = {spec.variant: reference.variant} if reference.variant else {}
    click.echo(f"{spec.name}: {_loaded(spec.fetch, spec.extra or 'materials')(mirror, **variant)}")


@click.command("featurize")
@click.argument("featurizer")
@click.option("--from", "source", required=True, metavar="FILE.csv", help="The table to read.")
@click.option("--column", default="Formula", show_default=True, help="The column of formulas.")
@click.option("--out", required=True, type=FILE, metavar="F.csv", help="The table to write, row by row.")
@click.option("--elements", default="", metavar="TABLE.csv", help="Element properties of your own.")
def featurize_command(featurizer: str, source: str, column: str, out: Path, elements: str) -> None:
    """Compute features of a table; unusable rows are reported and left empty.

    \b
    Example:
      hmcbench data featurize descriptors --from alloys.csv --column Formula --out features.csv
    """
    from hmcbench.files import write_atomic

    registry = default_registry()
    own = {"elements": elements} if elements else {}
    spec, params = registry.resolve("featurizers", parse_reference(featurizer), "", **own)
    if not spec.tabulate:
        names = ", ".join(s.name for s in registry.specs("featurizers") if s.tabulate)
        raise BadInput(f"featurizer {spec.name} reads no table", allowed=names)
    check_output(out)
    columns, values, problems = _loaded(spec.tabulate, spec.extra)(Path(source), column, **params)
    write_atomic(out, _csv(columns, values))
    for problem in problems:
        label = "left empty" if problem.fatal else "note      "
        click.echo(f"{label}  {problem.where}: {problem.what}", err=True)
    empty = sum(problem.fatal for problem in problems)
    click.echo(f"{out}: {len(values)} rows, {len(columns)} columns, {empty} left empty")


def _loaded(path: str, extra: str) -> Any:
    """The function behind an import path; Unavailable where its library is not installed."""
    try:
        return load_object(path)
    except HmcbenchError:
        raise
    except ModuleNotFoundError as error:
        raise Unavailable(f"this needs {error.name}", hint=f"pip install 'hmcbench[{extra}]'") from None


def _csv(columns: Any, values: Any) -> str:
    """Numbers in full precision; a row that is all nan has empty cells."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in values:
        numbers = [repr(float(v)) for v in row]
        writer.writerow(numbers if any(n != "nan" for n in numbers) else [""] * len(numbers))
    return stream.getvalue()
