"""``hmcbench bring``: predictions of another program, or of persons, as rows of a board."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.common import FILE, pairs
from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.derive.brought import Files, Stated
    from hmcbench.derive.places import Place


@click.command("bring")
@click.argument("runs", type=click.Path(path_type=Path))
@click.option("--suite", default="", metavar="NAME|FILE", help="The suite whose boards get the rows.")
@click.option("--name", default="", metavar="LABEL", help="What the row is called.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Of the test samples: a CSV file, or a folder that export-task wrote, with your files in it.",
)
@click.option("--validation", type=FILE, help="Of the validation samples: thresholds are fitted on them.")
@click.option("--rater", "raters", multiple=True, metavar="NAME=FILE", help="A person's answers; repeatable.")
@click.option("--dataset", default="", metavar="NAME", help="Of the suite, where it has several.")
@click.option("--fold", type=click.IntRange(min=0), metavar="K", help="Of a file; 0 by default.")
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Of a file; 0 by default.")
@click.option("--profile", default="", metavar="NAME", help="Of the board.")
@click.option("--data", multiple=True, metavar="NAME=PATH", help="The data, where no record has the truth.")
@click.option("--folds", type=click.IntRange(min=2), metavar="K", help="As for the run.")
@click.option("--splits", type=click.IntRange(1, 1000), metavar="N", help="As for the run.")
@click.option("--threshold", type=float, metavar="T", help="Your own, without --validation; else 0.5.")
@click.option(
    "--seconds", multiple=True, metavar="S|fit=S|predict=S", help="What a cell took, as you state it."
)
@click.option("--hardware", default="", metavar="TEXT", help="On what; costs compare within one text.")
@click.option("--note", default="", metavar="TEXT", help="Where they come from: program, settings, paper.")
@click.option("--deterministic", is_flag=True, help="Another run would give the same predictions.")
@click.option("--replace", "replacing", is_flag=True, help="Put them in the place of those with the name.")
def bring_command(runs: Path, suite: str, **options: Any) -> None:
    """Add predictions made elsewhere to the boards of a suite, as a row marked "brought".

    FILE has the header id,labels (sets, joined by |), id,<class>,... (scores from 0 to 1) or id,<target>,....
    A column "seconds" gives the time of every sample, a column "rater" makes a row for each person. All ids
    must be those of the split; anything wrong is one line, and nothing is written.

    \b
    Example:
      hmcbench export-task smoke --to task
      hmcbench bring runs --suite smoke --name "Clus 2.11" --predictions task --seconds fit=12
      hmcbench bring runs --suite sem-failure --rater Ann=ann.csv --rater Ben=ben.csv
    """
    from hmcbench.derive.brought import make_records, older
    from hmcbench.derive.new_records import write_records
    from hmcbench.leaderboard.agreement import agreement_lines
    from hmcbench.leaderboard.files import boards_of, write_boards
    from hmcbench.records.record import read_all
    from hmcbench.records.row_names import with_labels
    from hmcbench.records.suite_file import read_info, save_info

    raters = {name: Path(path) for name, path in pairs("--rater", options["raters"], "NAME=FILE").items()}
    stated = _stated(options, raters)
    folder, name = _folder(runs, suite)
    records = read_all(folder / "records") if (folder / "records").is_dir() else []
    plan, places = _places(folder, name, records, options)
    registry = default_registry()
    new = [
        record
        for files in _files(places, options)
        for record in make_records(files, stated, registry, raters)
    ]
    replaced = older(with_labels(records, read_info(folder)), new, options["replacing"], folder)
    if plan is not None and read_info(folder) is None:
        (folder / "records").mkdir(parents=True, exist_ok=True)
        save_info(plan.info(), folder, ())
    for record in write_records(folder / "records", new, replaced):
        click.echo(f"record       {record.path}")
    boards = boards_of(folder)
    for path in write_boards(folder, boards):
        click.echo(f"leaderboard  {path}")
    for line in agreement_lines(boards):
        click.echo(line)


def _stated(options: dict[str, Any], raters: dict[str, Path]) -> Stated:
    """What the options say of the predictions."""
    from hmcbench.derive.brought import Stated

    if bool(raters) == (options["predictions"] is not None):
        what = "--predictions and --rater together" if raters else "no predictions are named"
        raise BadInput(what, allowed="--predictions FILE|DIR, or --rater NAME=FILE for every person")
    threshold = options["threshold"]
    if threshold is not None and not 0 <= threshold <= 1:
        raise BadInput(f"--threshold {threshold} cannot be used", allowed="a number from 0 to 1")
    return Stated(
        options["name"].strip(),
        _seconds(options["seconds"]),
        options["hardware"].strip(),
        options["note"].strip(),
        options["deterministic"],
        threshold,
    )


def _seconds(values: Sequence[str]) -> dict[str, float]:
    """``("12", "fit=10")`` -> ``{"total": 12.0, "fit": 10.0}``."""
    from hmcbench.derive.brought import COSTS

    named = pairs("--seconds", [v if "=" in v else f"total={v}" for v in values], "S, fit=S or predict=S")
    seconds: dict[str, float] = {}
    for name, text in named.items():
        try:
            seconds[name] = float(text)
        except ValueError:
            seconds[name] = math.nan
        if name not in COSTS or not 0 <= seconds[name] < math.inf:
            raise BadInput(f"--seconds {name}={text}", allowed="S, fit=S, predict=S: seconds, 0 or more")
    return seconds


def _folder(runs: Path, suite: str) -> tuple[Path, str]:
    """The folder of the suite, and the name or file of the suite."""
    from hmcbench.plan.suite import load_suite
    from hmcbench.records.record import suite_folder
    from hmcbench.records.suite_file import suite_name

    if (runs / "records").is_dir():
        return runs, suite or suite_name(runs)
    if not suite:
        raise BadInput("--suite is missing", allowed="--suite NAME|FILE.toml", hint="hmcbench list suites")
    if suite.endswith(".toml") or "/" in suite:
        return runs / suite_folder(load_suite(default_registry(), suite).name), suite
    return runs / suite_folder(suite), suite


def _places(folder: Path, suite: str, records: Sequence[Any], options: dict[str, Any]) -> Any:
    """A plan for ``suite.json`` (None where there are records), and the splits of the suite."""
    from hmcbench.derive.places import find_places
    from hmcbench.plan.choices import Choices
    from hmcbench.plan.suite import load_suite

    registry = default_registry()
    choices = Choices(
        profile=options["profile"],
        data=pairs("--data", options["data"], "NAME=PATH"),
        datasets=(options["dataset"],) if options["dataset"] else (),
        folds=options["folds"] or 0,
        splits=options["splits"] or 0,
        free_protocol=True,
    )
    return find_places(folder, records, lambda: load_suite(registry, suite), registry, choices)


def _files(places: Sequence[Place], options: dict[str, Any]) -> list[Files]:
    """The files of every split and seed."""
    from hmcbench.derive.brought import Files, files_in
    from hmcbench.derive.places import NO_RECORD, splits_of

    path: Path | None = options["predictions"]
    single = [f"--{name}" for name in ("validation", "fold", "seed") if options[name] is not None]
    if path is not None and path.is_dir():
        if single:
            raise BadInput(f"{single[0]} with the folder {path}", allowed="the folders say so: fold-0/seed-0")
        return files_in(path, places, only=bool(options["dataset"]))
    datasets = sorted({place.dataset for place in places})
    if len(datasets) > 1:
        raise BadInput(
            f"the suite has {len(datasets)} datasets", allowed=f"--dataset {' or '.join(datasets[:12])}"
        )
    folds = {place.fold: place for place in places}
    fold = options["fold"] if options["fold"] is not None else min(folds)
    if fold not in folds:
        count, allowed = splits_of(folds), f"one of {', '.join(map(str, folds))}"
        hint = f"the suite has {count} splits; {NO_RECORD}" if fold < count else ""
        raise BadInput(f"--fold {fold}", allowed=allowed, hint=hint)
    return [Files(folds[fold], options["seed"] or 0, path or Path(), options["validation"])]
