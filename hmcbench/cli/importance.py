"""``hmcbench importance``: which columns a model of tables leans on."""

from __future__ import annotations

from pathlib import Path

import click

from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry


@click.command("importance")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", default="", metavar="PATH", help="The data that the run was given with --data.")
@click.option(
    "--method",
    type=click.Choice(["permutation", "shap"]),
    default="permutation",
    show_default=True,
    help="Shuffle columns, or SHAP values.",
)
@click.option("--samples", default=60, type=click.IntRange(1), show_default=True, help="Explained by SHAP.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="FILE.png for the figure.")
def importance_command(run: Path, data: str, method: str, samples: int, output: Path | None) -> None:
    """Show which columns the model of RUN (a record's folder) leans on.

    The model is fitted again with the record's data, split, parameters and seed, and must predict
    what the record says.

    \b
    Example:
      hmcbench importance runs/nims-steel/records/RECORD --data nims_fatigue --method shap
    """
    if output is not None and (output.suffix != ".png" or not output.parent.is_dir()):
        raise BadInput(f"--output {output}", allowed="a file that ends in .png, in a folder that is there")
    from tabulate import tabulate

    from hmcbench.apply import importance
    from hmcbench.apply.rebuild import refit
    from hmcbench.records.weights import find_record

    record = find_record(run)
    refitted = refit(record, default_registry(), data)
    if method == "shap":
        found = importance.shap_values(refitted, samples)
    else:
        found = importance.permutation(refitted)
    rows = [[found.columns[k], *(f"{v:.4g}" for v in found.values[k])] for k in found.order()[:20]]
    click.echo(tabulate(rows, headers=["column", *found.outputs], tablefmt="simple", disable_numparse=True))
    click.echo(f"\n{found.unit}; {len(found.columns)} columns")
    target = output or Path(f"{method}-{record.path.resolve().name}.png")
    importance.draw(found, target, f"{record.label} on {record.dataset}")
    click.echo(f"figure       {target}")
