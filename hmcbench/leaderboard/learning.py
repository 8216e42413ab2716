"""Learning curves: one metric of every model over training shares, or over rates of wrong labels.

Every point is a board of its own (``[protocol] train_share`` or ``label_noise``), on the same test samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from hmcbench.leaderboard.board import BoardCell, Style
from hmcbench.leaderboard.build import Analysis
from hmcbench.leaderboard.grouping import place_of
from hmcbench.leaderboard.inference import contrast
from hmcbench.leaderboard.render.text import clean, estimate_text
from hmcbench.leaderboard.statistics import LEVEL
from hmcbench.records.record import Record

Axis = Literal["train_share", "label_noise"]
AXES: tuple[Axis, ...] = ("train_share", "label_noise")
WHOLE: Mapping[Axis, float] = {"train_share": 1.0, "label_noise": 0.0}
"""What a board without the setting has."""


@dataclass(frozen=True)
class Point:
    """One board of a curve.

    Attributes:
        x: the share of training samples, or of wrong labels.
        samples: training samples, mean over folds.
        cells: model -> value with its interval.
        analysis: the board and its estimates.
    """

    x: float
    samples: float
    cells: Mapping[str, BoardCell]
    analysis: Analysis


@dataclass(frozen=True)
class LearningCurves:
    """The boards that differ in one setting only.

    Attributes:
        title: of the data, without the setting.
        metric: id; ``better`` is its direction, ``style`` how its values are shown.
        points: by rising x, at least two.
    """

    title: str
    axis: Axis
    metric: str
    better: str
    points: Sequence[Point]
    style: Style = "score"

    @property
    def models(self) -> list[str]:
        """Those with two points or more, the best at the last point first."""
        counted = {m: sum(m in p.cells for p in self.points) for p in self.points for m in p.cells}
        sign = -1.0 if self.better == "lower" else 1.0

        def last(model: str) -> float:
            return next(sign * (p.cells[model].mean or 0.0) for p in self.points[::-1] if model in p.cells)

        return sorted((m for m, n in counted.items() if n > 1), key=lambda m: (-last(m), m))


def curves(boards: Iterable[tuple[Sequence[Record], Analysis]], metric: str = "") -> list[LearningCurves]:
    """All curves that these boards make.

    Args:
        boards: the records and the analysis of every board of a suite.
        metric: id of a column of the boards; the one that ranks by default.
    """
    boards = [(records, analysis) for records, analysis in boards if analysis.estimator is not None]
    curve_sets = []
    for axis in AXES:
        alike: dict[tuple[str, ...], list[tuple[Sequence[Record], Analysis]]] = {}
        for records, analysis in boards:
            alike.setdefault(_rest(records, axis), []).append((records, analysis))
        for group in alike.values():
            points = sorted((_point(axis, *board, metric) for board in group), key=lambda p: p.x)
            if len({point.x for point in points}) > 1:
                first = points[0].analysis.board
                column = next((c for c in first.columns if c.id == (metric or first.primary)), None)
                better = column.better if column is not None else "higher"
                title = f"{first.suite} {first.version}: {first.data}, profile {first.profile}"
                style = column.style if column is not None else "score"
                curve_sets.append(LearningCurves(title, axis, metric or first.primary, better, points, style))
    return curve_sets


def _rest(records: Sequence[Record], axis: Axis) -> tuple[str, ...]:
    """All in which the boards of one curve agree; noise of either kind begins at none."""
    place = place_of(next(record for record in records if record.ok))
    own = {axis, "split", "noise_to"} if axis == "label_noise" else {axis, "split"}
    return tuple(value for name, value in place.items() if name not in own)


def _point(axis: Axis, records: Sequence[Record], analysis: Analysis, metric: str) -> Point:
    ok = [record for record in records if record.ok]
    values = ok[0].part("split").get(axis) or [WHOLE[axis]]
    samples = [record.counts.get("train", 0) for record in ok]
    name = metric or analysis.board.primary
    cells = {
        row.model: row.cells[name]
        for row in analysis.board.rows
        if row.status == "ok" and name in row.cells and row.cells[name].mean is not None
    }
    return Point(float(values[0]), sum(samples) / len(samples), cells, analysis)


# --------------------------------------------------------------------------- what curves say


def samples_until(curves: LearningCurves, model: str, value: float) -> tuple[float, float, float]:
    """Training samples until a metric reaches a value, and the 95 % interval of that number.

    Linear over the logarithm of the number of samples, between two neighbouring points; the interval is read
    from the ends of the intervals of the metric. inf: not reached; the number of samples of the first point
    where it is reached there already.
    """
    known = [p for p in curves.points if model in p.cells]
    sign = -1.0 if curves.better == "lower" else 1.0
    target = sign * value

    def until(part: str) -> float:
        ys = [getattr(p.cells[model], part) for p in known]
        ys = [p.cells[model].mean if y is None else y for p, y in zip(known, ys, strict=True)]
        before: tuple[float, float] | None = None
        for point, y in zip(known, ys, strict=True):
            x, y = math.log(max(point.samples, 1)), sign * y
            if y >= target:
                if before is None or y == before[1]:
                    return point.samples
                x0, y0 = before
                return math.exp(x0 + (x - x0) * (target - y0) / (y - y0))
            before = x, y
        return math.inf

    ends = ("high", "low") if sign > 0 else ("low", "high")
    return until("mean"), until(ends[0]), until(ends[1])


def crossings(curves: LearningCurves, a: str, b: str) -> list[str]:
    """Where the order of two models changes along curves, in sentences."""
    signs = []
    for point in curves.points:
        if a in point.cells and b in point.cells:
            of_label = {clean(label): of_row for label, of_row in point.analysis.estimates.items()}
            of = [of_label[model][curves.metric] for model in (a, b)]
            compared = contrast(*of)
            sign = -1.0 if curves.better == "lower" else 1.0
            difference = sign * (of[0].mean - of[1].mean)
            signs.append((point, difference, compared.p is not None and compared.p < 1 - LEVEL))
    signs = [sign_of for sign_of in signs if sign_of[1]]  # equal values are ahead of nothing
    if len(signs) < 2:
        return []
    sentences = []
    for (p, d, clear), (q, e, clearer) in pairwise(signs):
        if d * e < 0:
            first, second = (a, b) if d > 0 else (b, a)
            where = f"{first} is ahead at {_where(curves, p)}, {second} at {_where(curves, q)}"
            told = "both differences are clear" if clear and clearer else _unclear(clear, clearer)
            sentences.append(f"{curves.metric}: {where}; {told}.")
    if not sentences:
        ahead = a if sum(d for _, d, _ in signs) >= 0 else b
        places = f"from {_where(curves, signs[0][0])} to {_where(curves, signs[-1][0])}"
        sentences.append(f"{curves.metric}: the curves do not cross; {ahead} is ahead {places}.")
    return sentences


def _unclear(first: bool, second: bool) -> str:
    if first or second:
        return f"only the {'first' if first else 'second'} difference is clear"
    return "neither difference is clear, so that the crossing may be chance"


def _where(curves: LearningCurves, point: Point) -> str:
    if curves.axis == "label_noise":
        return f"{100 * point.x:.3g} % wrong labels"
    return f"{point.samples:,.0f} training samples"


def table(curves: LearningCurves, reach: float | None = None) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: a row per model, a column per point with intervals, and the samples until ``reach``."""
    if curves.axis == "train_share":
        heads = ["model", *(f"{point.samples:,.0f} samples" for point in curves.points)]
    else:
        heads = ["model", *(f"{100 * point.x:.3g} % wrong labels" for point in curves.points)]
    wanted = reach is not None and curves.axis == "train_share"
    heads += [f"samples until {reach:g}"] if wanted else []
    rows = []
    for model in curves.models:
        row = [model, *(estimate_text(point.cells.get(model), curves.style) for point in curves.points)]
        if wanted and reach is not None:
            row.append(_until(curves, *samples_until(curves, model, reach)))
        rows.append(row)
    return heads, rows


def _until(curves: LearningCurves, mean: float, low: float, high: float) -> str:
    most, least = curves.points[-1].samples, curves.points[0].samples

    def number(n: float) -> str:
        return f"> {most:,.0f}" if math.isinf(n) else f"<= {least:,.0f}" if n <= least else f"{n:,.0f}"

    return f"{number(mean)} [{number(low)}, {number(high)}]"
