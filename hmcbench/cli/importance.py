"""``hmcbench importance``: which columns of a table a model relies on."""

from __future__ import annotations

from pathlib import Path

import click

from hmcbench.cli.common import FILE, PATH
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry


@click.command("importance")
@click.argument("run", type=PATH)
@click.option("--data", default="", metavar="PATH", help="Your files, as given to run.")
@click.option(
    "--method",
    type=click.Choice(["permutation", "shap"]),
    default="permutation",
    show_default=True,
    help="Shuffle columns, or SHAP values.",
)
@click.option("--samples", default=60, type=click.IntRange(1), show_default=True, help="Explained by SHAP.")
@click.option("--output", type=FILE, help="FILE.png for the figure.")
@plugin_option
def importance_command(run: Path, data: str, method: str, samples: int, output: Path | None) -> None:
    """Show which columns the model of RUN (a record's folder) relies on.

    The model is fitted again with the record's data, split, parameters and seed, and must give the
    predictions of the record.

    \b
    Example:
      hmcbench importance runs/nims-steel/records/RECORD --data nims_fatigue --method shap
    """
    if output is not None and (output.suffix != ".png" or not output.parent.is_dir()):
        raise BadInput(f"--output {output}", allowed="a file that ends in .png, in an existing folder")
    from tabulate import tabulate

    from hmcbench.apply import importance
    from hmcbench.apply.rebuild import refit
    from hmcbench.records.weights import find_record

    record = find_record(run, first=True)
    refitted = refit(record, default_registry(), data)
    shap = method == "shap"
    result = importance.shap_values(refitted, samples) if shap else importance.permutation(refitted)
    rows = [[result.columns[k], *(f"{v:.4g}" for v in result.values[k])] for k in result.order()[:20]]
    click.echo(tabulate(rows, headers=["column", *result.outputs], tablefmt="simple", disable_numparse=True))
    click.echo(f"\n{result.unit}; {len(result.columns)} columns")
    target = output or Path(f"{method}-{record.path.resolve().name}.png")
    importance.draw(result, target, f"{record.label} on {record.dataset_reference}")
    click.echo(f"figure       {target}")
