"""Records -> boards; no dataset and no state of a run is needed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard import columns as cols
from hmcbench.leaderboard.agreement import agreement_facts
from hmcbench.leaderboard.answer import MOST_NAMED, answer, is_prior
from hmcbench.leaderboard.board import Board, BoardCell, Column, Difference, Row
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.estimates import Estimator, cost_estimates
from hmcbench.leaderboard.grouping import (
    RowRecords,
    groups,
    missing_records,
    newest,
    place_of,
    row_named,
    rows,
    runs_text,
)
from hmcbench.leaderboard.inference import Estimate, best, contrasts, not_told_apart
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.promises import broken_promises
from hmcbench.leaderboard.published import Paper, papers_of, published_rows, stored_beside
from hmcbench.leaderboard.render.text import clean
from hmcbench.leaderboard.robust import BoardRecords, robust_table
from hmcbench.leaderboard.rules_table import rules_tables, under_best_rule
from hmcbench.leaderboard.shift_estimates import ShiftEstimates, shift_estimates
from hmcbench.leaderboard.shifts import shifts_table
from hmcbench.leaderboard.statistics import holm
from hmcbench.leaderboard.summary import (
    board_facts,
    chosen,
    division,
    failed_metrics,
    hardware_text,
    mixtures,
    one_draw_note,
    pareto_facts,
    traits,
    win_rates,
)
from hmcbench.records.record import FoldSeed, Record
from hmcbench.records.row_names import with_labels
from hmcbench.registry.registry import default_registry


@dataclass(frozen=True)
class Analysis:
    """A board, and the records and estimates behind it.

    Attributes:
        board: the table.
        rows: its records by model.
        estimator: of its columns; None where no cell ended well.
        estimates: label -> column id -> estimate, of the rows that have a cell that ended well.
        shifted: their estimates under shifts; None where no cell was predicted under any.
    """

    board: Board
    rows: Sequence[RowRecords]
    estimator: Estimator | None = None
    estimates: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    shifted: ShiftEstimates | None = None


def build(
    records: Iterable[Record],
    suite: Mapping[str, Any] | None = None,
    expected_cells: Iterable[Mapping[str, Any]] | None = None,
    *,
    specs: Sequence[MetricSpec] | None = None,
    intervals: Intervals | None = None,
    cache: DrawCache | None = None,
    primary: str = "",
    columns: Sequence[str] = (),
) -> Boards:
    """A board per suite version, dataset fingerprint, split and profile.

    Args:
        records: of any number of suites; the newest of every key counts.
        suite: ``Suite.info()`` (the content of ``runs/<suite>/suite.json``): columns and published
            rows for the records of that suite. Without it the default columns are shown.
        expected_cells: ``cells`` and ``not_applicable`` of ``suite.json``; those without a
            record become rows "missing".
        specs: metrics, for directions and intervals; those of the installed plugins by default.
        intervals: kept intervals for rows whose truth was not published; none by default.
        cache: of draws; without it all are drawn anew.
        primary: id of the metric that ranks, where the records of a board have it; the suite's by default.
        columns: ids of metrics to have instead of the suite's, where the records have them.
    """
    records = with_labels(records, suite)
    latest = newest(records)
    if expected_cells is not None:
        missing = missing_records(expected_cells, latest, str((suite or {}).get("profile", "")), suite)
        latest += with_labels(missing, suite)
    known = default_registry().specs("metrics") if specs is None else specs
    choices: dict[str, Any] = {"intervals": intervals, "cache": cache, "primary": primary, "columns": columns}
    together = _as_listed(groups(latest), suite or {})
    analyses = [analyse(group, suite or {}, specs=known, **choices) for group in together]
    known_of = [
        BoardRecords(
            a.board, a.rows, group, partial(estimates_of, a, specs=known, intervals=intervals, cache=cache)
        )
        for a, group in zip(analyses, together, strict=True)
    ]
    for i, analysis in enumerate(analyses):
        analysis.board.robust = robust_table(known_of[i], known_of[:i] + known_of[i + 1 :])
    return Boards([analysis.board for analysis in analyses], records)


def _as_listed(together: Sequence[list[Record]], suite: Mapping[str, Any]) -> list[list[Record]]:
    """Groups in the order in which the suite lists its datasets; groups of others stay in theirs, behind."""
    listed = [str(name) for name in (suite.get("suite") or {}).get("datasets") or ()]

    def place(group: list[Record]) -> tuple[str, str, int]:
        facts = place_of(group[0])
        names = facts["reference"], facts["reference"].partition("[")[0]
        at = next((listed.index(name) for name in names if name in listed), len(listed))
        return facts["suite"], facts["version"], at

    return sorted(together, key=place)


def estimates_of(analysis: Analysis, names: Sequence[str], **more: Any) -> dict[str, dict[str, Estimate]]:
    """Label of a row -> metric -> estimate, of metrics that need not be columns; ``more``: of Estimator."""
    ok = [row for row in analysis.rows if row.ok]
    estimator = Estimator(ok, names, [], **more) if ok and names else None
    return {} if estimator is None else {row.label: estimator.row(row) for row in ok}


def analyse(
    records: Sequence[Record],
    suite: Mapping[str, Any],
    *,
    specs: Sequence[MetricSpec],
    intervals: Intervals | None = None,
    cache: DrawCache | None = None,
    primary: str = "",
    columns: Sequence[str] = (),
) -> Analysis:
    """The board of one group of records (:func:`hmcbench.leaderboard.grouping.groups`), and its estimates.

    Args:
        records: at least one.
        suite, specs, intervals, cache, primary, columns: as for :func:`build`.
    """
    data = records[0].data
    info = suite if suite.get("suite", {}).get("name") == data["suite"].get("name") else {}
    ok = [record for record in records if record.ok]
    by_row, notes = rows(records)
    names = cols.wanted_metrics(ok or records, info, primary, columns)
    by_rule, by_row = by_row, [under_best_rule(row, names[0], specs) for row in by_row]
    sides = cols.further_sides(ok)
    split = {r.fold: str(r.part("split").get("fingerprint") or "") for r in (*records, *ok)}
    board = Board(
        suite=clean(data["suite"].get("name")),
        version=clean(data["suite"].get("version")),
        dataset=clean(data["dataset"].get("name")),
        data=clean(data["dataset"].get("reference") or data["dataset"].get("name")),
        fingerprint=clean(next((f for r in records if (f := r.data["dataset"].get("fingerprint"))), "")),
        profile=clean(data["profile"]),
        split=[clean(split[fold]) for fold in sorted(split) if split[fold]],
        synthetic=any(bool(r.data["dataset"].get("synthetic")) for r in records),
        primary=names[0],
        question=clean(info.get("suite", {}).get("question")),
        division=division(records),
        samples=max(int(r.data["dataset"].get("samples") or 0) for r in records),
        facts=board_facts(records, names[0]),
        columns=cols.quality_columns(names, sides, specs),
        cost_columns=cols.cost_columns(ok),
        rules=rules_tables(by_rule, {row.label: row.rule for row in by_row}, names),
    )
    board.traits = traits(board, records)
    estimator = Estimator(by_row, names, sides, specs, intervals, cache) if ok else None
    estimates: dict[str, dict[str, Estimate]] = {}
    shifted: ShiftEstimates | None = None
    if estimator is not None:
        board.reference = row_named(str(info.get("suite", {}).get("reference") or ""), by_row)
        estimates = {row.label: estimator.row(row) for row in by_row if row.ok}
        board.notes += _fill(board, by_row, estimator, estimates)
        shifted = shift_estimates(by_rule, names, specs, estimator.complete, cache, intervals)
        board.shifts = None if shifted is None else shifts_table(shifted)
        if cache is not None:
            cache.tidy()
    board.facts += agreement_facts(by_row)
    board.rows += [row for model in by_row for row in _other_rows(model)]
    board.answer = [clean(text) for text in answer(board, by_row, _above_prior(board, estimates))]
    papers = papers_of(info, board, records)
    if estimator is not None:
        more = partial(Estimator, by_row, sides=[], specs=specs, intervals=intervals, cache=cache)
        _add_stored(board, papers, by_row, more, estimates)
    board.published = published_rows(papers, board, by_row, estimates, specs)
    board.notes += [
        clean(note) for note in (*notes, *mixtures(ok), *failed_metrics(ok), *broken_promises(by_row))
    ]
    return Analysis(board, by_row, estimator, estimates, shifted)


# --------------------------------------------------------------------------- rows


def _fill(
    board: Board,
    by_row: Sequence[RowRecords],
    estimator: Estimator,
    estimates: Mapping[str, Mapping[str, Estimate]],
) -> list[str]:
    """Add the rows that ended well, ranked, marked and costed; return notes."""
    models = [model for model in by_row if model.ok]
    quality = [estimates[model.label] for model in models]
    board_rows = [_ok_row(model, estimator) for model in models]
    ranked = [i for i, row in enumerate(board_rows) if row.status == "ok" and board.primary in quality[i]]
    sign = -1.0 if board.columns[0].better == "lower" else 1.0
    ranked.sort(key=lambda i: (-sign * quality[i][board.primary].mean, board_rows[i].model))
    for rank, i in enumerate(ranked, start=1):
        board_rows[i].rank = rank
    for row, row_estimates in zip(board_rows, quality, strict=True):
        shown = [column for column in board.columns if column.id in row_estimates]
        row.cells = {column.id: _cell(column, row_estimates[column.id]) for column in shown}
    for column in board.columns:
        positions = [i for i in ranked if column.id in quality[i]]
        first = best([quality[i][column.id] for i in positions], column.better)
        if first is not None and not column.trivial:
            board_rows[positions[first]].cells[column.id].best = True
    _mark_as_prior(board, board_rows, quality, ranked)
    near = not_told_apart([quality[i][board.primary] for i in ranked])
    board.not_told_apart = [board_rows[ranked[position]].model for position in near]
    complete, column = [m for m in models if estimator.complete(m)], board.columns[0]
    if choice := chosen(complete, board.primary, column.better, column.style):
        board.facts.append(("chosen on validation", clean(choice)))
    labelled = {board_rows[i].model: quality[i] for i in ranked}
    on_test = [column for column in board.columns if not cols.split_side(column.id)[1]]  # as compare has them
    board.differences = differences(board.reference, labelled, on_test)
    _add_costs(board, models, board_rows)
    board.wins = win_rates(
        {board_rows[i].model: _cells(estimator.complete(models[i]), board.primary) for i in ranked},
        board.columns[0].better,
    )
    unranked = [i for i in range(len(board_rows)) if i not in ranked]
    board.rows = [board_rows[i] for i in (*ranked, *unranked)]
    board.facts += pareto_facts(board)
    notes = [*estimator.notes(), *_never_compared(board, {board_rows[i].model: quality[i] for i in ranked})]
    once = [board_rows[i].model for i in ranked if quality[i][board.primary].one_draw]
    if once:
        notes.append(one_draw_note(once, len(ranked)))
    if board.columns[0].better == "":
        notes.append(f"{board.primary} is no installed metric: ranked as if more were better, not marked")
    return [clean(note) for note in notes]


def _never_compared(board: Board, quality: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    """A note on rows of unknown difference: published without truth, one after the other."""
    by_row = {name: estimates[board.primary] for name, estimates in quality.items()}
    if all(estimate.kept is None for estimate in by_row.values()):
        return []
    pairs = [
        f"{a} and {b}" for a, b in itertools.combinations(by_row, 2) if by_row[a].never_compared(by_row[b])
    ]
    more = f" and {len(pairs) - MOST_NAMED} more pairs" if len(pairs) > MOST_NAMED else ""
    text = (
        f"published one after the other without truth, and never compared: {'; '.join(pairs[:MOST_NAMED])}"
        f"{more}; hmcbench publish with --data NAME=PATH compares them"
    )
    return [text] if pairs else []


def _cells(records: Sequence[Record], metric: str) -> dict[FoldSeed, float]:
    """The metric of every cell on the test partition."""
    values = {record.fold_seed: record.metrics("test").get(metric) for record in records}
    return {cell: float(value) for cell, value in values.items() if isinstance(value, (int, float))}


def _ok_row(model: RowRecords, estimator: Estimator) -> Row:
    used = estimator.complete(model)
    row = Row(clean(model.label), "ok" if used else "partial", keys=[r.key for r in model.ok])
    row.reference, row.rule = clean(model.reference), clean(model.rule)
    row.runs = runs_text(used or model.ok)
    if model.others:
        row.cause = f"{len(model.others)} of {len(model.others) + len(model.ok)} cells failed or missing"
    if not used:
        ok_folds = len({r.fold for r in model.ok})
        row.cause = f"{ok_folds} of {len(estimator.folds)} folds, no seed with all of them"
    facts_of = [r.data["model"] for r in model.ok]
    row.marks += [m for m in ("transductive", "pretrained") if any(f.get(m) for f in facts_of)]
    if any(r.brought for r in model.ok):
        row.marks.append("rater" if all(r.brought.get("kind") == "rater" for r in model.ok) else "brought")
    if any(facts.get("improving_at_end") for facts in facts_of):
        row.marks.append("stopped while improving")
    if any(_shared(r) for r in model.ok):
        row.marks.append("shared timings")
    return row


def _mark_as_prior(
    board: Board,
    board_rows: Sequence[Row],
    quality: Sequence[Mapping[str, Estimate]],
    ranked: Sequence[int],
) -> None:
    """Mark the ranked rows that are not better than the model ``prior`` by the primary metric.

    The 95 % interval of the difference reaches 0; where there is none, the mean decides.
    """
    prior = next((i for i in ranked if is_prior(board_rows[i])), None)
    better = board.primary_column.better
    if prior is None or not better:
        return
    sign, base = -1.0 if better == "lower" else 1.0, quality[prior][board.primary]
    others = [i for i in ranked if i != prior]
    for i, c in zip(others, contrasts([quality[i][board.primary] for i in others], base), strict=True):
        gains = [sign * value for value in (c.difference, c.low, c.high) if value is not None]
        if min(gains) <= 0:
            board_rows[i].marks.append("no better than prior")


def _other_rows(model: RowRecords) -> list[Row]:
    """One row per status and cause of the cells that did not end well."""
    by_cause: dict[tuple[str, str], list[Record]] = {}
    for record in model.others:
        status = "missing" if record.data["status"] == "missing" else "failed"
        by_cause.setdefault((status, record.cause or "unknown cause"), []).append(record)
    out = []
    for (status, cause), same_cause in sorted(by_cause.items()):
        messages = dict.fromkeys(clean(r.message) for r in same_cause)
        row = Row(clean(model.label), "missing" if status == "missing" else "failed", cause=clean(cause))
        row.reference = clean(model.reference)
        row.message = "; ".join(m for m in messages if m)[:300]
        row.runs = "all" if cause == "not applicable" else runs_text(same_cause)
        row.keys = [r.key for r in same_cause if r.key]
        out.append(row)
    return out


def _cell(column: Column, estimate: Estimate) -> BoardCell:
    """Mean and interval."""
    low, high = (estimate.interval() if column.style != "count" else None) or (None, None)
    return BoardCell(estimate.mean, low, high)


def _add_stored(
    board: Board,
    papers: Sequence[Paper],
    by_row: Sequence[RowRecords],
    estimator_of: Callable[..., Estimator],
    estimates: dict[str, dict[str, Estimate]],
) -> None:
    """Add values of stored metrics that are no columns to the rows that stand for published ones.

    Args:
        estimator_of: called with ``names=``, ids of metrics.
        estimates: of the rows by label; the values are added here too.
    """
    for paper in papers:
        beside = stored_beside(paper, board, by_row)
        if beside is None:
            continue
        row, model, names = beside
        estimator = estimator_of(names=names)
        for name, estimate in estimator.row(model).items():
            column = cols.metric_column(name, name, estimator.specs.get(name))
            row.cells[name] = _cell(column, estimate)
            estimates[model.label][name] = estimate


# --------------------------------------------------------------------------- costs


def _shared(record: Record) -> bool:
    return bool(record.part("timing").get("shared"))


def _add_costs(board: Board, models: Sequence[RowRecords], rows: Sequence[Row]) -> None:
    """Add the costs of every row per hardware fingerprint, and mark the best of each."""
    by_hardware: dict[str, list[Record]] = {}
    for model in models:
        for record in model.ok:
            if record.brought and not record.part("timing"):
                continue  # its author states no costs
            fingerprint = str(record.part("hardware").get("fingerprint") or "")
            by_hardware.setdefault(fingerprint, []).append(record)
    names = [column.id for column in board.cost_columns]

    def order(fingerprint: str) -> tuple[bool, int, str]:
        """What was measured here before what authors state, then by the number of cells."""
        records = by_hardware[fingerprint]
        return bool(records[0].part("hardware").get("stated")), -len(records), fingerprint

    for number, fingerprint in enumerate(sorted(by_hardware, key=order)):
        mark = _mark(number)
        board.hardware[mark] = hardware_text(by_hardware[fingerprint][0])
        inside = {id(record) for record in by_hardware[fingerprint]}
        costs = {}
        for i, model in enumerate(models):
            records = [r for r in model.ok if id(r) in inside]
            if records:
                costs[i] = cost_estimates(records, names)
                shown = [column for column in board.cost_columns if column.id in costs[i]]
                rows[i].costs[mark] = {column.id: _cell(column, costs[i][column.id]) for column in shown}
        for column in board.cost_columns:
            timed = [i for i in costs if column.id in costs[i] and not any(_shared(r) for r in models[i].ok)]
            first = best([costs[i][column.id] for i in timed], column.better)
            if first is not None:
                rows[timed[first]].costs[mark][column.id].best = True


def _mark(number: int) -> str:
    """A, B, ..., Z, A1, B1, ..."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


# --------------------------------------------------------------------------- paired differences

MEASURES = 3  # the main metrics of a suite


def main_metrics(columns: Sequence[Column]) -> list[Column]:
    """The first three columns, in their order; errors in units of the data only beside too few scores.

    The first column is always one of them: it ranks.
    """
    by_style = sorted(columns[1:], key=lambda column: column.style != "score")
    taken = {column.id for column in (*columns[:1], *by_style[: MEASURES - 1])}
    return [column for column in columns if column.id in taken]


def differences(
    reference: str, quality: Mapping[str, Mapping[str, Estimate]], columns: Sequence[Column], most: int = 0
) -> list[Difference]:
    """Differences of the main metrics to the reference model; nothing if that has no row.

    Rows share their bootstrap draws, so the difference is resampled on the same samples.
    Where a row is one draw of its training, p is about the trained models alone.
    p-values are Holm-adjusted over all differences of the block.

    Args:
        reference: label of a model of the board.
        quality: label -> column id -> estimate.
        columns: of the board.
        most: compare this many columns, from the first on, instead of the main metrics.
    """
    base = quality.get(reference, {})
    directed = [c for c in columns if c.better and c.id in base]
    wanted = [c.id for c in (directed[:most] if most else main_metrics(directed))]
    of_metric = {name: _differences(name, reference, quality) for name in wanted}
    lines = [of_metric[name][label] for label in quality for name in wanted if label in of_metric[name]]
    known = [i for i, row in enumerate(lines) if row.p is not None]
    for i, p in zip(known, holm([lines[i].p or 0.0 for i in known]), strict=True):
        lines[i].p = float(p)
    return lines


def _above_prior(board: Board, estimates: Mapping[str, Mapping[str, Estimate]]) -> Difference | None:
    """The first row minus the prior, by the primary metric."""
    ranked = [row for row in board.rows if row.rank is not None]
    prior = next((row.model for row in ranked if is_prior(row)), "")
    pair = {prior, ranked[0].model} if ranked else set()
    quality = {clean(label): values for label, values in estimates.items() if clean(label) in pair}
    return next(iter(differences(prior, quality, [board.primary_column], most=1)), None)


def _differences(
    metric: str, reference: str, quality: Mapping[str, Mapping[str, Estimate]]
) -> dict[str, Difference]:
    """Label -> its difference to the reference."""
    labels = [label for label, estimates in quality.items() if label != reference and metric in estimates]
    rows = contrasts([quality[label][metric] for label in labels], quality[reference][metric])
    return {
        label: Difference(label, metric, c.difference, c.low, c.high, c.p)
        for label, c in zip(labels, rows, strict=True)
    }
