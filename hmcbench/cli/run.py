"""``hmcbench run``: plan the cells, run them, write the leaderboard."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli import INTERRUPTED
from hmcbench.cli.common import (
    FOLDER,
    PATH,
    device_option,
    max_pixels_option,
    pairs,
    rerun_option,
    timeout_option,
)
from hmcbench.cli.own_data import COLUMNS, SOURCES, check_source, options_of
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.errors import BadInput

if TYPE_CHECKING:
    from hmcbench.execute.runner import RunOutcome
    from hmcbench.plan.cells import Cell, Plan

PASSED = (
    *("suite", "table", "images", "datasets", "models", "init_from", "drop_leaks", "threads"),
    *("profile", "seeds", "splits", "folds", "primary", "shifts"),
)
EXECUTORS = ("local", "ray", "slurm")
MOST_LISTED = 20  # records whose paths are printed at the end
COUNT = click.IntRange(0, 1000)  # seeds or splits: a typing error must not plan a million cells
JOBS = click.IntRange(1, 256)
PER_GPU = click.IntRange(1, 64)
THREADS = click.IntRange(0, 256)


@click.command("run")
@click.option("--suite", metavar="NAME|FILE.toml", help="The suite to run.")
@options_of(SOURCES, COLUMNS)
@click.option("--data", multiple=True, metavar="NAME=PATH", help="Use your own files for the dataset NAME.")
@click.option("--dataset", "datasets", multiple=True, metavar="PATTERN", help="Only these datasets.")
@click.option(
    "--model", "models", multiple=True, metavar="PATTERN", help="Only these models, or others (or A,B)."
)
@plugin_option
@click.option("--profile", default="", metavar="NAME", help="quick, standard, paper; default: the first.")
@click.option("--seeds", default=0, type=COUNT, metavar="N", help="Seeds 0..N-1; 0: as the profile says.")
@click.option("--splits", default=0, type=COUNT, metavar="N", help="Random splits; 0: as the suite says.")
@click.option("--folds", default=0, type=COUNT, metavar="K", help="Cross-validation; 0: as the suite says.")
@click.option("--primary", default="", metavar="ID", help="The metric that ranks; default: the suite's.")
@click.option("--columns", default="", metavar="ID,ID", help="The metrics of the leaderboard.")
@click.option(
    "--shifts",
    multiple=True,
    metavar="none|all|NAME",
    help="Predict the test samples under shifts too (hmcbench list shifts).",
)
@device_option
@click.option(
    "--threads", default=0, type=THREADS, metavar="N", help="Of a cell; 0: the profile's, on free cores."
)
@click.option("--jobs", default=1, type=JOBS, show_default=True, help="Cells at the same time on a CPU.")
@click.option("--per-gpu", default=1, type=PER_GPU, show_default=True, help="Cells that share a GPU.")
@click.option(
    "--executor",
    type=click.Choice(EXECUTORS),
    default="local",
    show_default=True,
    help="Where cells run; slurm: --dry-run prints a script for sbatch.",
)
@click.option(
    "--budget", default="", metavar="TIME", help="Limit of the run, such as 30m; cheap cells first."
)
@timeout_option
@rerun_option
@click.option("--skip-bad", is_flag=True, help="Leave out unusable files; the record says which.")
@click.option("--drop-leaks", is_flag=True, help="Drop training copies of test samples (predefined splits).")
@click.option("--crop-bottom", default="", metavar="auto|PX", help="Cut the data bar off images.")
@max_pixels_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME.PARAM=VALUE",
    help="Change a parameter of a model or dataset.",
)
@click.option("--no-weights", is_flag=True, help="Keep no trained models (predict and explain need them).")
@click.option(
    "--init-from",
    type=PATH,
    metavar="RUN",
    help="Start from the trained model of this record: with classes added since, or for another taxonomy.",
)
@click.option("--out", default="runs", type=FOLDER, show_default=True)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end and nothing else.")
def run_command(**options: Any) -> int:
    """Run every dataset x model pairing of a suite and write its leaderboard.

    For data of your own a suite is made on the spot; hmcbench suite new writes it to a file.
    Cells that have a record are not run again: after an interruption, type the same command again.
    Small data of your own (--data) are tested in 5 folds where the suite has one random split.

    \b
    Example:
      hmcbench run --suite sem-failure
      hmcbench run --table alloys.csv --labels level1,level2 --drop id --group heat
      hmcbench run --images my_images
      hmcbench run --suite sem-failure --data sem-failure=my_images --model 'timm:*' --seeds 3
      hmcbench run --suite sem-failure --data sem-failure=my_images --folds 10
      hmcbench run --suite sem-failure --shifts all
      hmcbench run --suite sem-failure --set hffnet-2d.depth=4 --dry-run
      hmcbench run --suite sem-failure --model forest --model mine.py:MyModel[width=32]
      hmcbench run --suite sem-failure --model sklearn:sklearn.ensemble.ExtraTreesClassifier
    """
    from hmcbench.cli import live
    from hmcbench.execute import runner
    from hmcbench.execute.durations import parse_budget
    from hmcbench.execute.free_cores import on_free_cores

    budget = parse_budget(options["budget"]) if options["budget"] else 0.0
    check_device(options["device"])
    check_exclusive(options)
    plan = make_plan(options)
    out: Path = options["out"]
    before = runner.existing(plan, out)
    records = before.records.values()
    todo = runner.pending(plan, before.records, options["rerun"])
    if options["executor"] == "slurm":
        click.echo(slurm_script(todo, options), nl=False)
        return 0
    silent = options["as_json"] or options["quiet"]
    if not silent:
        live.show_plan(plan, todo, before.records, out, options["rerun"])
        live.show_budget(todo, records, budget, options["jobs"])
    if options["dry_run"]:
        if options["as_json"]:
            click.echo(json.dumps([dict(c.record) | {"key": c.key, "fold": c.fold} for c in todo], indent=1))
        return 0
    if options["executor"] == "local" and not options["threads"]:
        cells, note = on_free_cores(
            plan.cells, todo, runner.together(options["device"], options["jobs"], todo, options["per_gpu"])
        )
        plan = replace(plan, cells=cells)
        if note and not silent:
            click.echo(f"note: {note}\n")
    view = live.Silent() if silent else live.view(todo, options["jobs"], records, budget)
    with view, output_to_stderr(silent):
        outcome = runner.execute(
            plan,
            out,
            **{name: options[name] for name in ("device", "jobs", "per_gpu", "rerun", "executor")},
            budget=budget,
            observer=view,
            on_interrupt=live.say_interrupted,
            before=before,
        )
    return finish(plan, outcome, options)


def output_to_stderr(redirect: bool) -> AbstractContextManager[object]:
    """Send the output of libraries to standard error (Ray reports a dead node on standard output)."""
    return contextlib.redirect_stdout(sys.stderr) if redirect else contextlib.nullcontext()


def check_exclusive(options: dict[str, Any]) -> None:
    """Raise BadInput for options that exclude each other, before any data is read."""
    if options["quiet"] and options["as_json"]:
        raise BadInput("--quiet and --json cannot be given together")
    if options["executor"] == "slurm" and not options["dry_run"]:
        raise BadInput(
            "--executor slurm without --dry-run: hmcbench submits no job itself",
            hint="--executor slurm --dry-run > job.sh, then sbatch job.sh",
        )
    if options["executor"] != "local" and options["device"].startswith("cuda"):
        raise BadInput(
            f"--device {options['device']} with --executor {options['executor']}",
            allowed="auto or cpu: the cluster assigns the GPUs",
        )


def slurm_script(todo: Sequence[Cell], options: dict[str, Any]) -> str:
    """A batch script that runs the cells on a Ray cluster started by SLURM."""
    from hmcbench.cli import slurm

    return slurm.script(
        slurm.arguments_of(options, run_command.params),
        cells=len(todo),
        threads=max((c.threads for c in todo), default=1),
        limit_s=max((c.time_limit for c in todo), default=0.0),
        gpu=options["device"] == "auto" and any(c.accelerated for c in todo),
    )


def make_plan(options: dict[str, Any]) -> Plan:
    """Read the suite and the data, and pair them."""
    from hmcbench.api import make_plan as plan_of
    from hmcbench.leaderboard.columns import split_ids

    return plan_of(
        columns=check_source(options),
        data=pairs("--data", options["data"], "NAME=PATH"),
        settings=pairs("--set", options["settings"], "model.param=value"),
        dataset_params={
            name: options[name] for name in ("skip_bad", "crop_bottom", "max_pixels") if options[name]
        },
        shown=split_ids(options["columns"]),
        time_limit=options["timeout"],
        keep_weights=not options["no_weights"],
        **{name: options[name] for name in PASSED},
    )


def check_device(device: str) -> None:
    """See :func:`hmcbench.execute.resources.check_device`."""
    from hmcbench.execute import resources

    resources.check_device(device)


def finish(plan: Plan, outcome: RunOutcome, options: dict[str, Any]) -> int:
    """Write and show the leaderboard; the exit status. Cells that a budget left out are no failure."""
    from hmcbench.cli import live
    from hmcbench.cli.board import show_boards
    from hmcbench.leaderboard.files import boards_of, write_boards

    quiet, as_json = options["quiet"], options["as_json"]
    if outcome.interrupted:  # first of all: the board of thousands of cells takes a while
        missing = len(plan.cells) - len(outcome.done)
        click.echo(f"hmcbench: {missing} cells left: the same command continues", err=True)
    written: list[Path] = []
    if outcome.done:
        boards = boards_of(outcome.folder, outcome.done)
        written = write_boards(outcome.folder, boards)
        if not (quiet or as_json):
            show_boards(boards)
    if as_json:
        rows = [dict(r.data) | {"path": str(r.path)} for r in outcome.done]
        left_out = [cell.key for cell in outcome.left_out]
        result = {"records": rows, "leaderboard": [str(p) for p in written], "left_out": left_out}
        click.echo(json.dumps(result, indent=1))
    elif not quiet:
        click.echo(f"records      {len(outcome.done)} in {outcome.folder / 'records'}")
        for record in outcome.done if len(outcome.done) <= MOST_LISTED else ():
            click.echo(f"record       {record.path}")
        for path in written:
            click.echo(f"leaderboard  {path}")
        for cell in outcome.left_out:
            click.echo(f"left out     {live.cell_text(cell)}")
        if outcome.left_out:
            click.echo(
                f"{len(outcome.left_out)} cells did not fit into the budget of {options['budget']}:"
                " the same command continues with them"
            )
        show_failed(outcome)
    if outcome.interrupted:
        return INTERRUPTED
    return 1 if outcome.failed else 0


def show_failed(outcome: RunOutcome) -> None:
    """The records of failed cells, and how to run these again."""
    from hmcbench.cli.live import RERUN

    for record in outcome.failed:
        click.echo(f"failed       {record.cause}: {record.path.name}")
    if outcome.failed:
        click.echo(f"{len(outcome.failed)} of {len(outcome.done)} cells failed (see their log.txt); {RERUN}")
