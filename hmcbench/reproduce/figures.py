"""The figures of a published table, drawn from the records of its rows (PNG)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hmcbench.records.record import HISTORY, Record
from hmcbench.reproduce.tables import Figure, PublishedTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(
    table: PublishedTable, records: Mapping[str, Sequence[Record]], folder: Path, dataset: str = ""
) -> list[Path]:
    """One PNG per figure that has data.

    Args:
        table: the table with its figures.
        records: row label -> its records that did not fail.
        folder: the folder to write to.
        dataset: their dataset, as the table heads it; for the names of the files.

    Returns:
        The files written.
    """
    paths = []
    for figure in table.figures:
        first = {label: _first(records[label]) for label in figure.rows if records.get(label)}
        series = {"relative-error": relative_errors, "history": histories}[figure.kind](figure, first)
        if series:
            path = folder / f"{'-'.join(filter(None, (table.name, 'figure', figure.number, dataset)))}.png"
            _draw(figure, series, path)
            paths.append(path)
    return paths


def _first(records: Sequence[Record]) -> Record:
    """The record of the first split: the paper shows one too."""
    return min(records, key=lambda record: record.fold_seed)


TITLES = {"train_loss": "training samples", "valid_loss": "validation samples"}
"""PublishedColumn of a history -> title of its panel."""

Series = dict[str, dict[str, np.ndarray]]
"""Panel -> row label -> y (x counts)."""


def relative_errors(_figure: Figure, records: Mapping[str, Record]) -> Series:
    """(prediction - truth) / truth in per cent for every test sample, one panel per target."""
    out: Series = {}
    for label, record in records.items():
        test = record.predictions().of_side("test")
        if test.truth is None or test.task.kind != "regression":
            continue
        truth = np.asarray(test.truth, dtype=float)
        errors = 100 * (np.asarray(test.scores, dtype=float) - truth) / np.where(truth == 0, np.nan, truth)
        for target, column in zip(test.task.targets, errors.T, strict=True):
            out.setdefault(f"{target}: relative error (%)", {})[label] = column
    return out


def histories(figure: Figure, records: Mapping[str, Record]) -> Series:
    """The columns of every row's training history that the figure names, one panel each."""
    out: Series = {}
    for label, record in records.items():
        path = record.path / HISTORY
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
        for column in figure.columns:
            values = [float(line[column]) for line in lines if line.get(column)]
            if values:
                out.setdefault(column, {})[label] = np.array(values)
    return out


def _draw(figure: Figure, series: Series, path: Path) -> None:
    from hmcbench.report.figures import style

    wide = figure.kind == "relative-error"  # a hundred samples need the whole width
    columns = 1 if wide or len(series) == 1 else 2
    rows = -(-len(series) // columns)
    size = (10.0, 2.0 * rows + 1.0) if wide else (6.4 * columns, 3.0 * rows + 0.4)
    marks: dict[str, Any] = {"linewidth": 0.5, "markersize": 3} if wide else {"linewidth": 0.9}
    path.parent.mkdir(parents=True, exist_ok=True)
    with style.styled():
        drawing, axes = style.figure(*size, rows, columns)
        for ax, (title, lines) in zip(axes.flat, series.items(), strict=False):
            for i, (label, values) in enumerate(lines.items()):
                marks["color"] = style.OKABE_ITO[i % len(style.OKABE_ITO)]
                marks["marker"] = style.MARKERS[i % len(style.MARKERS)] if wide else None
                ax.plot(np.arange(1, len(values) + 1), values, label=style.plain(label), **marks)
            _finish(ax, title, history=not wide)
        for ax in list(axes.flat)[len(series) :]:
            ax.set_visible(False)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower center", ncols=max(1, len(labels)))
        drawing.suptitle(style.plain(figure.title))
    style.save(drawing, path)


def _finish(ax: Axes, title: str, *, history: bool) -> None:
    ax.set_title(TITLES.get(title, title))
    if history:
        ax.set(xlabel="epoch", ylabel="loss", yscale="log")
    else:
        ax.axhline(0, color="#999999", linewidth=0.6)
        ax.set(xlabel="test sample", xmargin=0.01)
