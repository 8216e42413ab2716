"""``hmcbench export-model``: a trained model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from hmcbench.cli.common import FILE, PATH, check_output
from hmcbench.cli.plugin_option import plugin_option


@click.command("export-model")
@click.argument("run", type=PATH)
@click.option("--to", "path", required=True, type=FILE, metavar="FILE.onnx", help="The file to write.")
@plugin_option
def export_model_command(run: Path, path: Path) -> int:
    """Write the model of RUN as an ONNX file, and a JSON file beside it that says what is in it.

    RUN is as for hmcbench predict: a network on images (timm, the HFF family), a classical model, a method of
    the field, or one with its own write_onnx; docs/use.md lists them.
    The file holds the normalisation of pixels or the preparation of columns, and gives the score of every
    class; the JSON file has the classes, their parents, the thresholds and the rule of coherent decisions.
    Where onnxruntime is installed, both score random samples, and no file is left where they differ by more
    than 1e-4.

    \b
    Example:
      hmcbench export-model runs/sem-failure/HFFNet-2d --to model.onnx
    """
    from hmcbench.apply.export import export_model
    from hmcbench.cli.predict import load_model

    check_output(path)
    exported = export_model(load_model(run, "cpu"), path)
    click.echo(f"model        {exported.model}")
    click.echo(f"description  {exported.description}")
    if exported.difference is None:
        click.echo("not compared with the model: onnxruntime is not installed", err=True)
    else:
        click.echo(f"largest difference to the model on random samples: {exported.difference:.1e}")
    return 0
