"""``hmcbench compare``: what the records say about two models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmcbench.records.suite_file import suite_folders
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.leaderboard.compare import Compared


@click.command("compare")
@click.argument("runs", type=click.Path(path_type=Path))
@click.argument("model_a")
@click.argument("model_b")
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option("--metric", "metrics", multiple=True, metavar="ID", help="Only this metric; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def compare_command(
    runs: Path, model_a: str, model_b: str, suite: str, metrics: Sequence[str], as_json: bool
) -> int:
    """Say what can and cannot be concluded about MODEL_A and MODEL_B from the records in RUNS.

    Models are named as the leaderboard names them; the bare name of a model does where only one row has it.
    Quality is compared only on the same data, split
    and profile, sample by sample; costs only on the same hardware.

    Exit status: 0 compared, 1 not comparable (the reasons are printed).

    \b
    Example:
      hmcbench compare runs hffnet-2d forest
    """
    from hmcbench.leaderboard.compare import compare_models
    from hmcbench.leaderboard.draws import DrawCache
    from hmcbench.leaderboard.grouping import named_records
    from hmcbench.leaderboard.intervals import Intervals
    from hmcbench.leaderboard.render.compared import compared_text
    from hmcbench.records.record import Record, read_all
    from hmcbench.records.row_names import chosen_row, labels_named, model_reference
    from hmcbench.records.suite_file import read_info

    specs = default_registry().specs("metrics")
    folders = suite_folders(runs, suite)
    suites: list[tuple[Path, list[Record]]] = [(p, read_all(p / "records")) for p in folders]
    rows_of = {
        folder: [(r.label, model_reference(r)) for r in named_records(records, read_info(folder))]
        for folder, records in suites
    }
    places = {name: [p for p in folders if labels_named(name, rows_of[p])] for name in (model_a, model_b)}
    for name in (model_a, model_b):
        if not places[name]:
            chosen_row(name, chain(*rows_of.values()), f" in {runs}")
    results: list[Compared] = []
    for folder, records in suites:
        if all(folder in places[name] for name in (model_a, model_b)):
            results.append(
                compare_models(
                    records,
                    model_a,
                    model_b,
                    specs,
                    info=read_info(folder),
                    names=metrics,
                    intervals=Intervals.read(folder),
                    cache=DrawCache.open(),
                )
            )
    if as_json:
        click.echo(json.dumps([asdict(compared) for compared in results], indent=1, ensure_ascii=False))
    else:
        suites_of = {name: [p.name for p in folders_of] for name, folders_of in places.items()}
        click.echo(compared_text(results, suites_of))
    return 0 if any(compared.boards for compared in results) else 1
