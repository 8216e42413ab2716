"""Risk against information: how much a model can say at which share of wrong answers, a line per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.leaderboard.grouping import groups, place_of
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.promise import ALPHA
from hmcbench.metrics.selection import backoff_coverage, backoff_risk, curve
from hmcbench.records.record import Record, slug
from hmcbench.report.figures.names import told_apart
from hmcbench.report.figures.style import OKABE_ITO, figure, plain, save, styled

Line = tuple[np.ndarray, np.ndarray]
MOST_LINES = len(OKABE_ITO)


def risk_lines(records: Sequence[Record]) -> dict[str, tuple[Line, tuple[float, float] | None]]:
    """Model -> coverage and risk, and the point of back-off where samples were put apart for it.

    Of the first fold and seed of every model that have stored predictions; models without stored truth, and
    tasks of which coverage is undefined, are left out.
    """
    first: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.fold_seed):
        if record.ok and record.has_predictions and record.data["dataset"].get("task") == "hmc":
            first.setdefault(record.label, record)
    lines = {}
    for label, record in sorted(first.items()):
        try:
            predictions = record.predictions()
        except BadInput:  # missing or damaged
            continue
        test, apart = (predictions.of_side(side) for side in ("test", "calibration"))
        if test.truth is None or not len(test) or test.only_sets or test.maps is not None:
            continue
        evaluation = Evaluation.of_predictions(test, record.thresholds, apart)
        try:
            lines[label] = curve(evaluation), _back_off(evaluation)
        except NotApplicable:
            continue
    return lines


def draw_risks(records: Sequence[Record], output: Path | None = None) -> list[Path]:
    """A figure for every board with two curves or more, into ``output`` or beside the records."""
    boards = groups([record for record in records if record.ok])
    drawn = [(board[0], lines) for board in boards if len(lines := risk_lines(board)) > 1]
    paths = [_path(first, output) for first, _ in drawn]
    names = told_apart([str(path) for path in paths], [_traits(first) for first, _ in drawn])
    written = []
    for name, (first, lines) in zip(names, drawn, strict=True):
        path = Path(f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        alpha = float(first.part("decision").get("alpha", ALPHA))
        made_up = " (synthetic)" if first.data["dataset"].get("synthetic") else ""
        title = f"{first.suite}: {first.dataset_reference}{made_up}, profile {first.profile}"
        with styled():
            written.append(save(risk_figure(lines, title, alpha), path))
    return written


def _path(record: Record, output: Path | None) -> Path:
    """The figure of its board, without ending."""
    folder = output if output is not None else record.path.parent.parent / "figures"
    split = str(record.part("split").get("fingerprint") or "")[:8]
    return folder / f"risk-{slug(record.dataset_reference)}-{slug(record.profile)}-{split}"


def _traits(record: Record) -> dict[str, str]:
    """All that distinguishes its board from others, such as ``version 2``; nothing of what is unknown."""
    return {name: f"{name} {value}" if value else "" for name, value in place_of(record).items()}


def _back_off(evaluation: Evaluation) -> tuple[float, float] | None:
    if evaluation.task.paths != "single":
        return None
    try:
        return backoff_coverage(evaluation), backoff_risk(evaluation)
    except NotApplicable:
        return None


def risk_figure(
    lines: Mapping[str, tuple[Line, tuple[float, float] | None]], title: str, alpha: float | None = None
) -> Figure:
    """One line per model, those of the least risk at their full coverage first; a dot marks back-off."""
    fig, axes = figure(6.4, 4.0)
    ax = axes[0, 0]
    ordered = sorted(lines.items(), key=lambda item: (-item[1][0][0][-1] + item[1][0][1][-1], item[0]))
    for (label, ((coverage, risk), point)), colour in zip(
        ordered[:MOST_LINES], cycle(OKABE_ITO), strict=False
    ):
        ax.plot(coverage, risk, color=colour, linewidth=1.2, label=plain(label[:60]))
        if point is not None:
            ax.plot(*point, "o", color=colour, markersize=5)
    if alpha is not None and any(point is not None for _, point in lines.values()):
        ax.axhline(alpha, color="black", linestyle="--", linewidth=1, label=f"promised: {alpha:g}")
    ax.set_xlabel("information of the answers (1: the most specific class)")
    ax.set_ylabel("share of wrong answers")
    ax.set_xlim(0, 1.02)
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    more = f"\n{len(lines) - MOST_LINES} further models are not drawn" if len(lines) > MOST_LINES else ""
    ax.set_title(plain(title) + more)
    fig.legend(loc="outside right center", fontsize=7)
    return fig
