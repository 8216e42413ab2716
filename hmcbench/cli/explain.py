"""``hmcbench explain``: where a trained network looks, as pictures, and how far to trust them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.predict import announce, load, tell
from hmcbench.errors import BadInput
from hmcbench.records.record import slug
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.apply.saliency import Explanation


@click.command("explain")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    default="explanations",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write to.",
)
@click.option("--level", "levels", multiple=True, type=int, metavar="K", help="Only this level (1: the top).")
@click.option("--fast", is_flag=True, help="Draw the maps without measuring their faithfulness.")
@click.option("--device", default="auto", metavar="auto|cpu|cuda:0", show_default=True)
def explain_command(
    run: Path, images: tuple[Path, ...], output: Path, levels: tuple[int, ...], fast: bool, device: str
) -> int:
    """Show what speaks for the predicted classes in IMAGES (files or folders): Grad-CAM, a panel per level.

    RUN is a record of a network: see hmcbench predict. Writes a PNG per image, explanations.json, and
    faithfulness.png: how fast the probability falls while the marked pixels are removed, and rises
    while they are restored, beside maps drawn at random. The last line printed says how similar the
    maps stay when the network's weights are replaced by random ones: near 1 they explain nothing.

    \b
    Example:
      hmcbench explain runs/sem-failure/records/sem-failure--timm-resnet10t new_images --output maps
    """
    from hmcbench.apply.predict_files import list_files, predict_files
    from hmcbench.apply.saliency import Explainer
    from hmcbench.apply.saliency_figure import faithfulness_figure, overlay_figure
    from hmcbench.report.figures.style import save, styled

    files, found = list_files(images)
    trained = load(run, device)
    explainer = Explainer(trained, levels, faithful=not fast)
    announce(trained)
    names = dict(zip(explainer.hierarchy.classes, explainer.hierarchy.names, strict=True))
    label = trained.record.label
    done: list[dict[str, Any]] = []
    measured: list[Explanation] = []
    bad = 0
    for block in predict_files(trained, default_registry(), files):
        bad += tell(block.problems, found)
        for one in explainer.explain(block):
            _make(output)
            with styled():
                made = overlay_figure(one, names, f"{Path(one.path).name}, {label}")
            drawn = save(made, output / _file_name(one.path, done))
            done.append(_plain(one, drawn.name))
            measured.append(_without_pixels(one))
            click.echo(f"figure  {drawn}")
    if not done:
        raise BadInput("none of the files could be read as an image")
    with styled():
        curves = faithfulness_figure(measured, f"{label}, mean over images: {len(done)}")
    if curves is not None:
        click.echo(f"figure  {save(curves, output / 'faithfulness.png')}")
    _report(output, done)
    return 1 if bad else 0


def _make(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{output} cannot be made ({error.strerror})", hint="--output names another folder"
        ) from None


def _file_name(path: str, done: Sequence[dict[str, Any]]) -> str:
    """``stem.png``, with a number where two files have one stem."""
    stem = slug(Path(path).stem)
    taken = {entry["figure"] for entry in done} | {"faithfulness.png"}
    numbers = (f"{stem}-{i}.png" for i in range(2, len(taken) + 3))
    return next(name for name in (f"{stem}.png", *numbers) if name not in taken)


def _plain(one: Explanation, drawn: str) -> dict[str, Any]:
    """What ``explanations.json`` says of an image."""
    levels = []
    for seen in one.levels:
        entry: dict[str, Any] = {"level": seen.level, "class": seen.name, "probability": seen.probability}
        if seen.map is not None:
            entry |= {
                "deletion": seen.map.deletion_area,
                "insertion": seen.map.insertion_area,
                "deletion_random": fmean(c.deletion_area for c in seen.random),
                "insertion_random": fmean(c.insertion_area for c in seen.random),
                "similarity_random_weights": seen.similarity,
            }
        levels.append(entry)
    return {
        "path": one.path,
        "figure": drawn,
        "raw": list(one.raw),
        "coherent": list(one.coherent),
        "levels": levels,
    }


def _without_pixels(one: Explanation) -> Explanation:
    """The curves alone: thousands of images would fill the memory."""
    from dataclasses import replace

    return replace(one, picture=one.picture[:0], levels=[replace(s, saliency=None) for s in one.levels])


def _report(output: Path, done: Sequence[dict[str, Any]]) -> None:
    from hmcbench.files import write_atomic

    path = output / "explanations.json"
    write_atomic(path, json.dumps(done, indent=1, ensure_ascii=False) + "\n")
    click.echo(f"report  {path}")
    levels = [level for entry in done for level in entry["levels"]]
    similar = [level["similarity_random_weights"] for level in levels if "similarity_random_weights" in level]
    if similar:
        click.echo(f"similarity to the maps of random weights: {fmean(similar):.2f} (rank correlation)")
