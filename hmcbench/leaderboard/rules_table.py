"""Rows under decision rules: the best rule of every row, chosen on validation, and the table model x rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.board import Board, BoardCell, Column, RuleRow, RulesTable
from hmcbench.leaderboard.columns import metric_id, metric_spec, stored_ids
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.render.text import clean, title_text, value_text
from hmcbench.metrics.ids import MetricId, stem
from hmcbench.records.record import Record

TABLES = 3
"""A board shows this many metrics by rule: the first of its columns that the rules change."""

OF_TRUTH = ("class_support",)
"""Metrics that read neither scores nor decisions."""

BOTH = "train and validation"  # what some models are fitted on; validation then chooses nothing


def under_best_rule(row: RowRecords, primary: str, specs: Sequence[MetricSpec]) -> RowRecords:
    """The row with the values and predictions of the rule that is best on validation; itself where none is.

    Rules compete with the row without any by the mean of the primary metric over cells, ties included; a row
    that was fitted on validation samples too stays as it is.
    """
    if any(record.part("model").get("fitted_on") == BOTH for record in row.ok):
        return row
    plain = _mean(record.metrics("validation").get(primary) for record in row.ok)
    spec = metric_spec(specs, primary)
    if plain is None or spec is None or not spec.better:
        return row
    sign = -1.0 if spec.better == "lower" else 1.0
    values = {rule: _value(row, rule, "validation", primary) for rule in rules_of(row)}
    known = {rule: sign * value for rule, value in values.items() if value is not None}
    best = max(known, key=lambda rule: known[rule], default="")
    if not best or known[best] <= sign * plain:
        return row
    kept = _kept(row, best, specs)
    return replace(row, ok=[_under(record, best, kept) for record in row.ok], rule=best)


def rules_of(row: RowRecords) -> list[str]:
    """The rules that all records of a row that ended well were scored under, in the order of the first."""
    if not row.ok:
        return []
    shared = set.intersection(*(set(_blocks(record)) for record in row.ok))
    return [rule for rule in _blocks(row.ok[0]) if rule in shared]


def rules_tables(
    rows: Sequence[RowRecords], chosen: Mapping[str, str], names: Sequence[str]
) -> list[RulesTable]:
    """A table per metric, of the first ``names`` that some rule has a value for.

    Args:
        rows: of the board, without rules.
        chosen: label of a row -> its rule; none where it has none.
        names: ids of the board's columns.
    """
    of_row = {row.label: rules_of(row) for row in rows if rules_of(row)}
    rules = list(dict.fromkeys(rule for listed in of_row.values() for rule in listed))
    tables = []
    for name in names:
        lines = [
            RuleRow(
                clean(row.label),
                _mean(record.metrics("test").get(name) for record in row.ok),
                [_value(row, rule, "test", name) if rule in of_row[row.label] else None for rule in rules],
                chosen.get(row.label, ""),
            )
            for row in rows
            if row.label in of_row
        ]
        if any(value is not None for line in lines for value in line.values):
            tables.append(RulesTable(name, rules, lines))
    return tables[:TABLES]


def _blocks(record: Record) -> dict[str, Mapping[str, Any]]:
    return {rule: block for rule, block in record.part("rules").items() if "metrics" in block}


def _value(row: RowRecords, rule: str, side: str, name: str) -> float | None:
    """Mean over records of a metric under a rule."""
    return _mean(_blocks(record)[rule]["metrics"].get(side, {}).get(name) for record in row.ok)


def _mean(values: Iterable[Any]) -> float | None:
    """None where a value is missing."""
    known = list(values)
    if not known or any(value is None for value in known):
        return None
    return float(sum(known) / len(known))


def _under(record: Record, rule: str, kept: Collection[str]) -> Record:
    """The record with the values under a rule, and predictions that it is applied to.

    What the rule has no value for stays if the rule does not change it; ``kept``: :func:`_kept`.
    """
    block = record.part("rules")[rule]
    repairs = block["makes"] == "scores"
    metrics = {
        side: {name: v for name, v in record.metrics(side).items() if stem(name) in kept} | values
        for side, values in block["metrics"].items()
    }
    decision = dict(record.part("decision"))
    if repairs:
        decision["thresholds"] = block.get("thresholds")
    applied = {"rule": rule, "version": block["version"], "params": block["params"]}
    return replace(
        record, data={**record.data, "metrics": metrics, "decision": decision, "applied_rule": applied}
    )


def _kept(row: RowRecords, rule: str, specs: Sequence[MetricSpec]) -> set[str]:
    """The ids, without members, of values that a rule does not change.

    A rule on scores changes all but what reads the truth alone. A rule on sets changes what reads decisions,
    other than the model's own (``_raw``). Of a metric that is not installed nothing is known.
    """
    repairs = row.ok[0].part("rules")[rule]["makes"] == "scores"
    first_of = {stem(name): name for name in stored_ids(row.ok)}  # there may be thousands of members
    ids = {metric: metric_id(specs, name) for metric, name in first_of.items()}
    return {metric for metric, parts in ids.items() if parts is not None and _unchanged(parts, repairs)}


def _unchanged(parts: MetricId, repairs: bool) -> bool:
    if repairs:
        return parts.spec.name in OF_TRUTH
    return parts.raw or not parts.spec.decided


# --------------------------------------------------------------------------- text


def heading(board: Board, table: RulesTable) -> str:
    """``hf1_samples by decision rule``, with the arrow of its column."""
    return f"{title_text(_column(board, table))} by decision rule"


def head(table: RulesTable) -> list[str]:
    return ["model", "no rule", *table.rules, "best on validation"]


def lines(board: Board, table: RulesTable) -> list[list[str]]:
    """The cells of a table as text, in the order of the board's rows."""
    column = _column(board, table)
    order = {row.model: i for i, row in reversed(list(enumerate(board.rows)))}
    out = []
    for row in sorted(table.rows, key=lambda row: order.get(row.model, len(order))):
        values = [value_text(BoardCell(value), column) for value in (row.plain, *row.values)]
        out.append([row.model, *values, row.chosen or "no rule"])
    return out


def _column(board: Board, table: RulesTable) -> Column:
    return next(column for column in board.columns if column.id == table.metric)
