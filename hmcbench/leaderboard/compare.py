"""Compare two models in words: what can be concluded from their records, and what cannot."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hmcbench.errors import BadInput, HmcbenchError, unknown
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard import columns as cols
from hmcbench.leaderboard.board import Board, Column, Difference, Style
from hmcbench.leaderboard.build import MEASURES, Analysis, analyse, differences, main_metrics
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import RowRecords, groups, newest, place_of, rows
from hmcbench.leaderboard.inference import Estimate, contrast
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.learning import crossings, curves
from hmcbench.leaderboard.render.text import clean, number
from hmcbench.leaderboard.statistics import DRAWS, LEVEL
from hmcbench.leaderboard.summary import VARIED, win_rates
from hmcbench.records.record import Record
from hmcbench.records.row_names import chosen_row, with_labels


@dataclass(frozen=True)
class Measured:
    """A metric of both models, and the verdict in a sentence; ``style``: how its values are shown."""

    metric: str
    a: float
    b: float
    difference: Difference
    verdict: str
    style: Style


@dataclass(frozen=True)
class Comparison:
    """Both models on one board.

    Attributes:
        title: of the board.
        size: samples, seeds, splits, in words.
        metrics: the compared metrics.
        method: of the intervals and p-values.
        more: sentences on win rates and costs.
        caveats: what cannot be concluded.
    """

    title: str
    size: str
    metrics: Sequence[Measured]
    method: str
    more: Sequence[str] = ()
    caveats: Sequence[str] = ()


@dataclass
class Compared:
    """All boards with both models, the reasons why others do not count, and what learning curves say."""

    a: str
    b: str
    boards: list[Comparison] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    learning: list[str] = field(default_factory=list)


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
    """Compare two models on every board that has both.

    Args:
        records: of one suite.
        a, b: names of rows, as :func:`hmcbench.records.row_names.chosen_row` reads them.
        specs: the installed metrics.
        info: the suite's ``suite.json``.
        names: metric ids; by default the main metrics of the board.
        intervals: kept intervals for rows whose truth was not published.
        cache: of draws.

    Raises:
        BadInput: a name of no row or of several, a metric that no record has, or the same model twice.
    """
    by_board = [(group, rows(group)[0]) for group in groups(newest(with_labels(records, info)))]
    named = [(clean(row.label), clean(row.reference)) for _, on_board in by_board for row in on_board]
    a, b = (chosen_row(name, named) for name in (a, b))
    if a == b:
        raise BadInput(f"{a} cannot be compared with itself", allowed="two models of the records")
    out = Compared(a, b)
    groups_of: dict[str, list[list[Record]]] = {a: [], b: []}
    boards: list[tuple[Sequence[Record], Analysis]] = []
    for group, on_board in by_board:
        by_label = {clean(row.label): row for row in on_board}
        pair = [by_label[name] for name in (a, b) if name in by_label]
        for row in pair:
            groups_of[clean(row.label)].append(group)
        if len(pair) == 2:
            analysis = analyse(group, info or {}, specs=specs, intervals=intervals, cache=cache)
            under_rules = {clean(row.label): row for row in analysis.rows}
            chosen = under_rules[a], under_rules[b]
            _on_board(analysis, chosen, specs, names, intervals, cache, out)
            boards.append((group, analysis))
    out.learning += [sentence for curve_set in curves(boards) for sentence in crossings(curve_set, a, b)]
    if not out.boards and not out.reasons:
        out.reasons += list(_apart(a, b, groups_of))
    return out


def _on_board(
    analysis: Analysis,
    pair: tuple[RowRecords, RowRecords],
    specs: Sequence[MetricSpec],
    names: Sequence[str],
    intervals: Intervals | None,
    cache: DrawCache | None,
    out: Compared,
) -> None:
    board, estimator = analysis.board, analysis.estimator
    chosen = _chosen(names, board, [record for row in analysis.rows for record in (*row.ok, *row.others)])
    lacking = [row for row in pair if estimator is None or not estimator.complete(row)]
    for row in lacking:
        reason = "no cell ended well" if not row.ok else "no seed has all folds"
        out.reasons.append(f"{_title(board)}: {clean(row.label)} has no whole row ({reason})")
    if lacking or estimator is None:
        return
    wanted = list(dict.fromkeys([board.primary, *chosen]))
    estimates = analysis.estimates
    if not set(wanted) <= set(estimator.names):
        estimator = Estimator(analysis.rows, wanted, [], specs, intervals, cache)
        estimates = {row.label: estimator.row(row) for row in pair}
    of_pair = [{name: e for name, e in estimates[row.label].items() if name in wanted} for row in pair]
    quality = dict(zip((out.a, out.b), of_pair, strict=True))
    columns = cols.quality_columns(chosen, [], specs)
    directed = {c.id: c for c in columns if c.better}
    lines = differences(out.b, quality, list(directed.values()), most=len(directed))
    brought = {clean(row.label) for row in pair if any(r.brought for r in row.ok)}
    measured = [_measured(line, out, quality, directed[line.metric], brought) for line in lines]
    neither = [c.id for c in columns if not c.better and all(c.id in of for of in of_pair)]
    out.boards.append(
        Comparison(
            _title(board),
            sizes(pair, estimator),
            [*measured, *(_without_direction(name, out, quality, specs) for name in neither)],
            method(of_pair, len(lines), estimator),
            [*_no_values(names, quality), *wins(board, pair, estimator), *costs(board, out.a, out.b)],
            caveats(board, pair, estimator, measured),
        )
    )


def _title(board: Board) -> str:
    """Its title with what the suite varies from board to board."""
    return ", ".join([board.title, *(board.traits[name] for name in VARIED if name in board.traits)])


def _chosen(names: Sequence[str], board: Board, group: Sequence[Record]) -> list[str]:
    if not names:
        own = [c for c in board.columns if not cols.split_side(c.id)[1]]
        return [c.id for c in main_metrics([c for c in own if c.better]) or own[:MEASURES]]
    known = sorted({name for r in group for name in r.metrics("test")})
    for name in names:
        if known and name not in known:
            raise unknown("metric of these records", name, known)
    return list(dict.fromkeys(names))


def _measured(
    line: Difference,
    out: Compared,
    quality: Mapping[str, Any],
    column: Column,
    brought: Collection[str],
) -> Measured:
    """The verdict on one metric; ``brought``: the rows whose predictions were made elsewhere."""
    both = {name: quality[name][line.metric] for name in (out.a, out.b)}
    values = [estimate.mean for estimate in both.values()]
    once = [name for name, estimate in both.items() if estimate.one_draw]
    ahead = line.mean > 0 if column.better == "higher" else line.mean < 0
    first, second = (out.a, out.b) if ahead else (out.b, out.a)
    if line.p is None:
        text = f"nothing can be said: {_why_unknown(*both.values())}"
    elif line.p < 1 - LEVEL and once:
        named = {name: name if name in brought else f"the {name} trained here" for name in (first, second)}
        text = f"{named[first]} is ahead of {named[second]}; one training of"
        text += f" {' and of '.join(once)} says nothing of the method"
    elif line.p < 1 - LEVEL:
        text = f"{first} is better than {second}"
    else:
        text = "not told apart"
        if line.low is not None and line.high is not None:
            reach = number(max(abs(line.low), abs(line.high)), column.style)
            text += f"; a difference of up to {reach} would fit these data, so they are not shown to be equal"
    return Measured(line.metric, values[0], values[1], line, text, column.style)


def _why_unknown(a: Estimate, b: Estimate) -> str:
    """Why the difference of two rows has no p."""
    if a.never_compared(b):
        return NEVER_COMPARED
    if a.repeats is not None and b.repeats is not None:
        return "the difference is the same on all splits, which says nothing of another"
    if (a.repeats is None) != (b.repeats is None):
        return "one of the two has no value on some splits"
    if min(len(a.seeds), len(b.seeds)) > 1 and not max(a.seeds.std(), b.seeds.std()) > 0:
        return "all seeds have the same value, which says nothing of other samples"
    return "there is neither a common sample nor a second seed"


def _without_direction(
    metric: str, out: Compared, quality: Mapping[str, Mapping[str, Estimate]], specs: Sequence[MetricSpec]
) -> Measured:
    """Both values of a metric of which neither more nor less is known to be better; nothing is tested."""
    first, second = quality[out.a][metric], quality[out.b][metric]
    between = contrast(first, second)
    line = Difference(out.a, metric, between.difference, between.low, between.high, None)
    text = "it has no direction, so that neither is better"
    column = cols.metric_column(metric, metric, cols.metric_spec(specs, metric))
    if cols.metric_spec(specs, metric) is None:
        text = f"{metric} is not installed, so its direction is not known"
    return Measured(metric, first.mean, second.mean, line, text, column.style)


def _no_values(names: Sequence[str], quality: Mapping[str, Mapping[str, Estimate]]) -> Iterator[str]:
    """A sentence for every metric that was asked for and that a model has no value of."""
    for name in dict.fromkeys(names):
        lacking = [label for label, values in quality.items() if name not in values]
        if lacking:
            yield f"{name}: {' and '.join(lacking)} {'have' if len(lacking) > 1 else 'has'} no value of it"


NEVER_COMPARED = (
    "they were published without truth, one after the other; "
    "hmcbench publish with both and --data NAME=PATH compares them"
)
_FACTS = {
    "version": "suite version",
    "dataset": "dataset",
    "fingerprint": "data fingerprint",
    "profile": "profile",
    "split": "split",
}


def _apart(a: str, b: str, groups_of: Mapping[str, Sequence[Sequence[Record]]]) -> Iterator[str]:
    """Reasons why no board has both models: the facts in which their boards differ."""
    for group_a in groups_of[a]:
        for group_b in groups_of[b]:
            left, right = place_of(group_a[0]), place_of(group_b[0])
            differing = [name for name in left if left[name] != right[name]]
            shown = [name for name in _FACTS if name in differing] or differing
            if len(shown) > 1 and "split" in shown:
                shown.remove("split")  # it follows from the others
            known = [(_FACTS.get(n, n), left[n][:16] or "unknown", right[n][:16] or "unknown") for n in shown]
            parts = ", ".join(f"{name} {x} against {y}" for name, x, y in known)
            yield f"{a} and {b} were not measured on the same: {parts}"


# --------------------------------------------------------------------------- method, costs, caveats

RowPair = tuple[RowRecords, RowRecords]
_COSTS = {"total_s": "time of a whole cell", "fit_s": "time to fit", "latency_p50_ms": "time for one sample"}


def sizes(pair: RowPair, estimator: Estimator) -> str:
    """``193 test samples, the same for both; 1 seed each; 1 split``."""
    seeds = [len({r.seed for r in estimator.complete(row)}) for row in pair]
    each = (
        f"{seeds[0]} seed{'s' * (seeds[0] > 1)} each"
        if seeds[0] == seeds[1]
        else f"{seeds[0]} and {seeds[1]} seeds"
    )
    kind = "random splits" if estimator.repeated else "folds"
    folds = f"{len(estimator.folds)} {kind}" if len(estimator.folds) > 1 else "1 split"
    return f"{_samples(pair, estimator)}; {each}; {folds}"


def _samples(pair: RowPair, estimator: Estimator) -> str:
    seed = min(r.seed for r in estimator.complete(pair[0]))
    cells = [r for r in estimator.complete(pair[0]) if r.seed == seed]
    counts = [int(r.counts.get("test") or 0) for r in cells]
    if estimator.repeated:
        return f"{min(counts):,} test samples in every split, the same for both"
    text = f"{sum(counts):,} test samples, the same for both"
    try:
        groups = {unit for r in cells for unit in r.predictions().of_side("test").units or ()}
    except HmcbenchError:
        groups = set()
    return f"{text}, in {len(groups):,} groups" if groups else text


def method(estimates: Sequence[Mapping[str, Estimate]], tests: int, estimator: Estimator) -> str:
    """The method of intervals and p-values."""
    pairs = [(e, estimates[1][name]) for name, e in estimates[0].items() if name in estimates[1]]
    if not pairs:
        return "nothing: there is no metric that both have a value of"
    first = pairs[0][0]
    if any(a.never_compared(b) for a, b in pairs):
        text = "nothing: the interval of each was kept without that of the other, and the truth is not stored"
    elif all(e.over_samples for pair in pairs for e in pair):
        text = f"paired bootstrap, {DRAWS:,} draws of the same test samples for both"
        text += ", widened for the spread of seeds" if len(first.seeds) > 1 else ""
        text += ", kept from when the truth was at hand" if first.kept is not None else ""
    elif estimator.repeated:
        text = "paired t over the splits, widened for their common training samples (Nadeau and Bengio)"
    elif min(len(e.seeds) for pair in pairs for e in pair) > 1:
        text = "Welch's test over seeds, not paired: no predictions with truth are stored for both"
    else:
        text = "nothing: no predictions with truth are stored for both, and there is one seed"
    holm = f"; p adjusted for {tests} metrics (Holm)" if tests > 1 else ""
    return text + holm


def wins(board: Board, pair: RowPair, estimator: Estimator) -> list[str]:
    """Over several cells, how often the first model is better."""
    column = next((c for c in board.columns if c.id == board.primary), None)
    values = {
        clean(row.label): {
            r.fold_seed: float(r.metrics("test").get(board.primary, "nan")) for r in estimator.complete(row)
        }
        for row in pair
    }
    rates = win_rates(values, column.better if column else "")
    if not rates:
        return []
    first = rates[0]
    share = f"{100 * first.rate:.0f} % of {first.cells} cells"
    return [f"{board.primary}: {first.model} is better in {share} of the same fold and seed"]


def costs(board: Board, a: str, b: str) -> list[str]:
    """Ratios of times within one hardware."""
    rows = {row.model: row for row in board.rows if row.status in ("ok", "partial")}
    if a not in rows or b not in rows:
        return []
    common = [mark for mark in rows[a].costs if mark in rows[b].costs]
    if not common:
        return ["their costs do not compare: they were measured on different hardware"]
    out = []
    for name, title in _COSTS.items():
        cells = [rows[label].costs[common[0]].get(name) for label in (a, b)]
        values = [cell.mean for cell in cells if cell is not None and cell.mean]
        if len(values) == 2:
            both = " against ".join(map(_number, values))
            out.append(f"{title}: {a} takes {_as_long(values[0] / values[1])} {b} ({both})")
    return out


def _as_long(ratio: float) -> str:
    """``as long as``, ``2.5 times as long as``, ``1/3 as long as``."""
    if _number(ratio) == "1":
        return "as long as"
    return f"{_number(ratio)} times as long as" if ratio > 0.5 else f"1/{_number(1 / ratio)} as long as"


def _number(value: float) -> str:
    return number(value, "number")


def caveats(board: Board, pair: RowPair, estimator: Estimator, measured: Sequence[Measured]) -> list[str]:
    """What the comparison does not show, the most important first."""
    out = list(_data(board))
    out += [
        f"{clean(row.label)}: {len(row.others)} of its {len(row.others) + len(row.ok)} cells failed or are "
        "missing; a model that fails on some cells may look better than it is"
        for row in pair
        if row.others
    ]
    drawn = [[r for r in estimator.complete(row) if not r.deterministic] for row in pair]
    if any(len({r.seed for r in records}) == 1 for records in drawn):
        several = len(estimator.folds) > 1
        scope = (
            "training was repeated over the folds alone"
            if several
            else "it tells two trained models apart, not two methods"
        )
        out.append(f"one seed: {scope}; --seeds 5 says more")
    if any(r.brought for row in pair for r in row.ok):
        who = " and ".join(clean(row.label) for row in pair if any(r.brought for r in row.ok))
        out.append(f"{who}: predictions were made elsewhere; how, and on which samples, its author states")
    if len(estimator.folds) == 1:
        out.append("one split: another division of the same data may come out otherwise (folds or --splits)")
    out += _unseen(measured)
    out.append("if the two were picked because of their ranks on this board, p is too small")
    return out


def _unseen(measured: Sequence[Measured]) -> Iterator[str]:
    """Which difference of the first metric is too small for these samples, where no difference is clear."""
    if any(m.difference.p is not None and m.difference.p < 1 - LEVEL for m in measured):
        return
    for m in measured:
        low, high = m.difference.low, m.difference.high
        if low is not None and high is not None:
            reach = number((high - low) / 2, m.style)
            yield f"with so many samples a difference in {m.metric} below about {reach} cannot be seen"
            return


def _data(board: Board) -> list[str]:
    out = []
    if board.synthetic:
        out.append("these samples are synthetic: nothing is said of real ones")
    if board.profile != "paper":
        out.append(f"profile {board.profile}: with a larger budget the order may be another")
    return out
