"""``hmcbench card``: one model on one screen."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from hmcbench.cli.common import FILE, check_output
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.records.suite_file import suite_folders
from hmcbench.registry.registry import default_registry


@click.command("card")
@click.argument("runs", type=click.Path(path_type=Path))
@click.argument("model")
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option("--format", "kind", type=click.Choice(["md", "html"]), default="md", show_default=True)
@click.option("--output", type=FILE, help="Write to this file instead.")
@plugin_option
def card_command(runs: Path, model: str, suite: str, kind: str, output: Path | None) -> None:
    """Describe MODEL from the records in RUNS: quality, classes, confusions, when to refer, costs, sources.

    What was not measured is named, with what would measure it. The name is one that the leaderboard shows.

    \b
    Example:
      hmcbench card runs/sem-failure HFFNet-2d
      hmcbench card runs forest --suite my-suite --format html --output forest.html
    """
    from hmcbench.files import write_atomic
    from hmcbench.leaderboard.grouping import named_records
    from hmcbench.records.record import read_all
    from hmcbench.records.row_names import chosen_row, labels_named, model_reference
    from hmcbench.records.suite_file import read_info
    from hmcbench.report.card import cards, to_html, to_markdown

    check_output(output)
    registry, model_cards = default_registry(), []
    known = []
    for folder in suite_folders(runs, suite):
        records, info = read_all(folder / "records"), read_info(folder)
        rows = [(r.label, model_reference(r)) for r in named_records(records, info) if r.ok]
        known.append(rows)
        if labels_named(model, rows):
            model_cards += cards(records, info, model, registry)
    if not model_cards:
        chosen_row(model, chain(*known), f" in {runs}")
    text = to_html(model_cards) if kind == "html" else to_markdown(model_cards)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomic(output, text)
        click.echo(f"card  {output}")
