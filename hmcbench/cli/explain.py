"""``hmcbench explain``: saliency maps of a trained network, and how faithful they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.common import FOLDER, PATH, device_option, max_pixels_option
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.cli.predict import load_model, report_model, report_problems
from hmcbench.errors import BadInput
from hmcbench.records.record import slug
from hmcbench.registry.registry import default_registry

if TYPE_CHECKING:
    from hmcbench.apply.pointing import PointingMean
    from hmcbench.apply.saliency import Explanation


@click.command("explain")
@click.argument("run", type=PATH)
@click.argument("images", nargs=-1, type=PATH)
@click.option("--output", default="explanations", show_default=True, type=FOLDER, help="The folder to write.")
@click.option("--level", "levels", multiple=True, type=int, metavar="K", help="Only this level (1: the top).")
@click.option("--masks", default="", metavar="FOLDER|DATASET", help="Hold the maps against true masks.")
@click.option("--fast", is_flag=True, help="Draw the maps without measuring their faithfulness.")
@device_option
@max_pixels_option
@plugin_option
def explain_command(
    run: Path,
    images: tuple[Path, ...],
    output: Path,
    levels: tuple[int, ...],
    masks: str,
    fast: bool,
    device: str,
    max_pixels: int | None,
) -> int:
    """Show the evidence for the predicted classes in IMAGES (files or folders): Grad-CAM, a panel per level.

    RUN is a record of a network: see hmcbench predict. Writes a PNG per image, explanations.json, and
    faithfulness.png: how fast the probability falls while the marked pixels are removed, and rises
    while they are restored, compared with random maps. The last line printed says how similar the
    maps are to those of the same network with random weights: near 1 they explain nothing.

    With --masks no images are named: the maps of the predicted classes are held against the pixels of
    these classes, in a folder of the dataset masks or in a dataset of pixels, and it is measured whether maps
    that are more faithful point better. Writes pointing.json.

    \b
    Example:
      hmcbench explain runs/sem-failure/records/sem-failure--timm-resnet10t new_images --output maps
      hmcbench explain runs/sem-failure/records/sem-failure--timm-resnet10t --masks my_masks
    """
    if masks:
        if images:
            raise BadInput("--masks and IMAGES cannot be given together")
        return _against_masks(run, masks, output, device, levels, max_pixels, faithful=not fast)
    if not images:
        raise BadInput("no images", allowed="image files or folders, or --masks FOLDER")
    from hmcbench.apply.predict_files import list_files, predict_files
    from hmcbench.apply.saliency import Explainer
    from hmcbench.apply.saliency_figure import faithfulness_figure, overlay_figure
    from hmcbench.report.figures.style import save, styled

    files, from_folders = list_files(images)
    trained = load_model(run, device)
    explainer = Explainer(trained, levels, faithful=not fast)
    report_model(trained)
    names = dict(zip(explainer.hierarchy.classes, explainer.hierarchy.names, strict=True))
    label = trained.record.label
    entries: list[dict[str, Any]] = []
    measured: list[Explanation] = []
    bad = 0
    for block in predict_files(trained, default_registry(), files, max_pixels):
        bad += report_problems(block.problems, from_folders)
        for explanation in explainer.explain(block):
            _make_folder(output)
            with styled():
                figure = overlay_figure(explanation, names, f"{Path(explanation.path).name}, {label}")
            path = save(figure, output / _file_name(explanation.path, entries))
            entries.append(_entry(explanation, path.name))
            measured.append(_without_pixels(explanation))
            click.echo(f"figure  {path}")
    if not entries:
        raise BadInput("none of the files could be read as an image")
    with styled():
        curves = faithfulness_figure(measured, f"{label}, mean over images: {len(entries)}")
    if curves is not None:
        click.echo(f"figure  {save(curves, output / 'faithfulness.png')}")
    _report(output, entries)
    return 1 if bad else 0


def _against_masks(
    run: Path,
    masks: str,
    output: Path,
    device: str,
    levels: Sequence[int],
    max_pixels: int | None,
    *,
    faithful: bool,
) -> int:
    """Measure, print a table, and write ``pointing.json``."""
    from tabulate import tabulate

    from hmcbench.apply import pointing
    from hmcbench.data.loading import plan_dataset
    from hmcbench.files import write_atomic

    registry = default_registry()
    reference = f"masks[path={masks}]" if Path(masks).is_dir() else masks
    spec, params = registry.resolve("datasets", reference)
    if max_pixels is not None:
        if "max_pixels" not in spec.params:
            raise BadInput(f"--max-pixels: {spec.name} has a fixed limit", allowed="--masks FOLDER")
        params = {**params, "max_pixels": max_pixels}
    dataset = plan_dataset(registry, spec, params, reference)
    trained = load_model(run, device)
    results = pointing.measure(trained, registry, dataset, levels=levels, faithful=faithful)
    if not results:
        raise BadInput("no predicted class is in the masks of its image", allowed="images of the same kind")
    content: dict[str, Any] = {"model": trained.record.label, "masks": reference, "levels": {}}
    for k in sorted({result.level for result in results}):
        chosen, table = [r for r in results if r.level == k], pointing.summary(results, k)
        images = len({r.image for r in chosen})
        click.echo(f"level {k}: {len(chosen)} classes in {images} images")
        measures = pointing.MEASURES if faithful else pointing.MEASURES[:-1]
        lines = [[name, *(_cell(values.get(m)) for m in measures)] for name, values in table.items()]
        click.echo(tabulate(lines, headers=["map", *measures], disable_numparse=True))
        agreed = pointing.agreement(results, k)
        for name, value in agreed.items():
            click.echo(f"rank correlation of faithful and {name} over the maps: {_cell(value)}")
        click.echo("")
        numbers = {name: {m: asdict(v) for m, v in values.items()} for name, values in table.items()}
        content["levels"][str(k)] = {"classes": len(chosen), "images": images, "maps": numbers}
        if agreed:
            content["levels"][str(k)]["agreement"] = {name: asdict(v) for name, v in agreed.items()}
    _make_folder(output)
    write_atomic(output / "pointing.json", json.dumps(content, indent=1, sort_keys=True) + "\n")
    click.echo(f"report  {output / 'pointing.json'}")
    return 0


def _cell(measured: PointingMean | None) -> str:
    return "" if measured is None else f"{measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}]"


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{path} cannot be made ({error.strerror})"
        raise BadInput(message, hint="--output names another folder") from None


def _file_name(path: str, entries: Sequence[dict[str, Any]]) -> str:
    """``stem.png``, with a number where two files have the same stem."""
    stem = slug(Path(path).stem)
    taken = {entry["figure"] for entry in entries} | {"faithfulness.png"}
    numbers = (f"{stem}-{i}.png" for i in range(2, len(taken) + 3))
    return next(name for name in (f"{stem}.png", *numbers) if name not in taken)


def _entry(explanation: Explanation, figure: str) -> dict[str, Any]:
    """The entry of an image in ``explanations.json``."""
    levels = []
    for level in explanation.levels:
        entry: dict[str, Any] = {"level": level.level, "class": level.name, "probability": level.probability}
        if level.map is not None:
            entry |= {
                "deletion": level.map.deletion_area,
                "insertion": level.map.insertion_area,
                "deletion_random": fmean(c.deletion_area for c in level.random),
                "insertion_random": fmean(c.insertion_area for c in level.random),
                "similarity_random_weights": level.similarity,
            }
        levels.append(entry)
    sets = {"raw": list(explanation.raw), "coherent": list(explanation.coherent)}
    return {"path": explanation.path, "figure": figure, **sets, "levels": levels}


def _without_pixels(explanation: Explanation) -> Explanation:
    """The curves alone: thousands of images would fill the memory."""
    levels = [replace(level, saliency=None) for level in explanation.levels]
    return replace(explanation, picture=explanation.picture[:0], levels=levels)


def _report(output: Path, entries: Sequence[dict[str, Any]]) -> None:
    from hmcbench.files import write_atomic

    path = output / "explanations.json"
    write_atomic(path, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    click.echo(f"report  {path}")
    levels = [level for entry in entries for level in entry["levels"]]
    similar = [level["similarity_random_weights"] for level in levels if "similarity_random_weights" in level]
    if similar:
        click.echo(f"similarity to the maps of random weights: {fmean(similar):.2f} (rank correlation)")
