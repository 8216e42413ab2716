"""Two models, in words: what can be concluded from their records, and what cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard import columns as cols
from hmcbench.leaderboard.board import Board, Difference
from hmcbench.leaderboard.build import Analysis, analyse
from hmcbench.leaderboard.caveats import caveats, costs, method, sizes, wins
from hmcbench.leaderboard.differences import MEASURES, differences
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import RowRecords, groups, newest, place_of, rows
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.render.text import clean
from hmcbench.leaderboard.statistics import LEVEL
from hmcbench.records.record import Record


@dataclass(frozen=True)
class Measured:
    """One metric of both, and the verdict in a sentence."""

    metric: str
    a: float
    b: float
    difference: Difference
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Both models on one board.

    Attributes:
        title: of the board.
        size: samples, seeds, splits, in words.
        metrics: what was measured.
        method: what the intervals and p-values rest on.
        more: sentences on win rates and costs.
        caveats: what this does not say.
    """

    title: str
    size: str
    metrics: Sequence[Measured]
    method: str
    more: Sequence[str] = ()
    caveats: Sequence[str] = ()


@dataclass
class Compared:
    """All boards that hold both, and why others do not count."""

    a: str
    b: str
    boards: list[Comparison] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def compare_models(
    records: Sequence[Record],
    a: str,
    b: str,
    specs: Sequence[MetricSpec],
    *,
    info: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
    intervals: Intervals | None = None,
    cache: DrawCache | None = None,
) -> Compared:
    """Compare two models wherever both were measured on the same.

    Args:
        records: of one suite.
        a, b: labels, as the boards show them.
        specs: the installed metrics.
        info: the suite's ``suite.json``.
        names: metric ids; by default the board's first three scores.
        intervals: what was kept for rows whose truth was not published.
        cache: where draws are kept from one board to the next.

    Raises:
        BadInput: a label or metric that no record has, or twice the same model.
    """
    found = newest(records)
    labels = list(dict.fromkeys(clean(r.label) for r in found))
    for name in (a, b):
        if name not in labels:
            raise unknown("model", name, labels)
    if a == b:
        raise BadInput(f"{a} cannot be compared with itself", allowed="two models of the records")
    out = Compared(a, b)
    there: dict[str, list[list[Record]]] = {a: [], b: []}
    for group in groups(found):
        by_label = {clean(row.label): row for row in rows(group)[0]}
        pair = [by_label[name] for name in (a, b) if name in by_label]
        for row in pair:
            there[clean(row.label)].append(group)
        if len(pair) == 2:
            analysis = analyse(group, info or {}, specs=specs, intervals=intervals, cache=cache)
            _on_board(analysis, (pair[0], pair[1]), specs, names, intervals, out)
    if not out.boards and not out.reasons:
        out.reasons += list(_apart(a, b, there))
    return out


def _on_board(
    analysis: Analysis,
    pair: tuple[RowRecords, RowRecords],
    specs: Sequence[MetricSpec],
    names: Sequence[str],
    intervals: Intervals | None,
    out: Compared,
) -> None:
    board, estimator = analysis.board, analysis.estimator
    chosen = _chosen(names, board, [record for row in analysis.rows for record in (*row.ok, *row.others)])
    lacking = [row for row in pair if estimator is None or not estimator.complete(row)]
    for row in lacking:
        why = "no cell ended well" if not row.ok else "no seed has all folds"
        out.reasons.append(f"{board.title}: {clean(row.label)} has no whole row ({why})")
    if lacking or estimator is None:
        return
    wanted = list(dict.fromkeys([board.primary, *chosen]))
    estimates = analysis.estimates
    if not set(wanted) <= set(estimator.names):
        estimator = Estimator(analysis.rows, wanted, [], specs, intervals)
        estimates = {row.label: estimator.row(row) for row in pair}
    of_pair = [{name: e for name, e in estimates[row.label].items() if name in wanted} for row in pair]
    quality = dict(zip((out.a, out.b), of_pair, strict=True))
    columns = [c for c in cols.quality_columns(chosen, [], specs) if c.better]
    lines = differences(out.b, quality, columns, most=len(columns))
    made = [_measured(line, out, quality, {c.id: c.better for c in columns}) for line in lines]
    out.boards.append(
        Comparison(
            board.title,
            sizes(pair, estimator),
            made,
            method(of_pair, len(lines), estimator),
            [*wins(board, pair, estimator), *costs(board, out.a, out.b)],
            caveats(board, pair, estimator, [m.difference for m in made]),
        )
    )


def _chosen(names: Sequence[str], board: Board, group: Sequence[Record]) -> list[str]:
    if not names:
        own = [c for c in board.columns if cols.SHIFT not in c.id]
        scores = [c.id for c in own if c.style == "score" and c.better]
        return (scores or [c.id for c in own])[:MEASURES]
    known = sorted({name for r in group for name in r.metrics("test")})
    for name in names:
        if known and name not in known:
            raise unknown("metric of these records", name, known)
    return list(dict.fromkeys(names))


def _measured(
    line: Difference, out: Compared, quality: Mapping[str, Any], better: Mapping[str, str]
) -> Measured:
    values = [quality[name][line.metric].mean for name in (out.a, out.b)]
    ahead = line.mean > 0 if better[line.metric] == "higher" else line.mean < 0
    first, second = (out.a, out.b) if ahead else (out.b, out.a)
    if line.p is None:
        text = "nothing can be said: there is neither a common sample nor a second seed"
    elif line.p < 1 - LEVEL:
        text = f"{first} is better than {second}"
    else:
        text = "not told apart"
        if line.low is not None and line.high is not None:
            reach = max(abs(line.low), abs(line.high))
            text += (
                f"; a difference of up to {reach:.3f} would fit these data, so they are not shown to be equal"
            )
    return Measured(line.metric, values[0], values[1], line, text)


_FACTS = {
    "version": "suite version",
    "dataset": "data set",
    "fingerprint": "data fingerprint",
    "profile": "profile",
    "split": "split",
}


def _apart(a: str, b: str, there: Mapping[str, Sequence[Sequence[Record]]]) -> Iterator[str]:
    """Why two models never meet: what differs between their nearest boards."""
    for mine in there[a]:
        for theirs in there[b]:
            left, right = place_of(mine[0]), place_of(theirs[0])
            wrong = [name for name in left if left[name] != right[name]]
            shown = [name for name in _FACTS if name in wrong] or wrong
            if len(shown) > 1 and "split" in shown:
                shown.remove("split")  # it follows from the others
            known = [(_FACTS.get(n, n), left[n][:16] or "unknown", right[n][:16] or "unknown") for n in shown]
            parts = ", ".join(f"{name} {x} against {y}" for name, x, y in known)
            yield f"{a} and {b} were not measured on the same: {parts}"
