"""The texts around the table of a board: facts, the choice on validation, win rates, Pareto front."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from hmcbench.leaderboard.board import Board, Column, Row, Win
from hmcbench.leaderboard.grouping import RowRecords, numbers
from hmcbench.leaderboard.render.text import clean, number
from hmcbench.metrics.ids import RAW, stem
from hmcbench.records.record import FoldSeed, Record
from hmcbench.records.shifts import FAILED, shift_blocks

FAILED_SHOWN = 5
"""A board names this many metrics and rules that failed."""
LABELS_SHOWN = 3
"""A note names this many shifts or rules that a metric failed under."""

# --------------------------------------------------------------------------- facts and warnings


def board_facts(records: Sequence[Record], primary: str) -> list[tuple[str, str]]:
    """(name, value) lines: data, task, split, cells."""
    known = next((r for r in records if r.ok), records[0])
    dataset = known.data["dataset"]
    kind = "synthetic" if dataset.get("synthetic") else ""
    samples = f"{dataset['samples']:,} samples" if dataset.get("samples") else ""
    print_ = f"fingerprint {str(dataset.get('fingerprint') or 'unknown')[:12]}"
    lines = [("data", _joined(dataset.get("reference") or dataset.get("name"), kind, samples, print_))]
    if dataset.get("task") == "regression":
        lines.append(("task", f"regression of {_joined(*dataset.get('targets', ()))}"))
    elif dataset.get("classes"):
        classes = f"{dataset['classes']:,} classes on {dataset.get('levels')} levels"
        paths = f"{dataset.get('paths')} label path(s) of {dataset.get('depth')} depth"
        lines.append(("task", _joined(classes, paths)))
    sides = sorted(known.counts.items(), key=lambda item: (_side_rank(item[0]), item[0]))
    counts = ", ".join(f"{name} {count:,}" for name, count in sides)
    refit = "last fit on train and validation" if known.part("split").get("refit") else ""
    lines.append(("split", _joined(division(records), counts, refit)))
    lines += [("varied", text) for text in varied(known.part("split")).values()]
    cells = [r for r in records if r.cause != "not applicable"]
    ended_well, seeds = sum(r.ok for r in cells), sorted({r.seed for r in cells})
    lines.append(("cells", f"{ended_well} of {len(cells)} ended well; seeds {numbers(seeds)}"))
    lines.append(("ranked by", f"{primary}, mean over seeds"))
    notes = dict.fromkeys(note for r in records for p in ("dataset", "split") for note in _notes(r, p))
    lines += [("note", note) for note in notes]
    return [(name, clean(value)) for name, value in lines]


VARIED = ("unknown", "train_share", "label_noise")


def varied(split: Mapping[str, Any]) -> dict[str, str]:
    """What the suite varies from board to board, in words; empty for all samples with right labels."""
    unknown = ", ".join(map(str, split.get("unknown") or ()))
    shares, rates = split.get("train_share") or (), split.get("label_noise") or ()
    to = "a sibling" if split.get("noise_to") == "sibling" else "any class"
    words = {
        "unknown": f"never shown: {unknown}" if unknown else "",
        "train_share": f"{float(shares[0]):.3g} of the training samples" if shares else "",
        "label_noise": f"{float(rates[0]):.3g} of the training labels changed to {to}" if rates else "",
    }
    return {name: text for name, text in words.items() if text}


def division(records: Sequence[Record]) -> str:
    """``predefined split``, ``one random split``, ``10 random splits``, ``5 folds`` or ``fold 0 alone``."""
    known = next((r for r in records if r.ok), records[0])
    kind, folds = known.part("split").get("kind"), sorted({r.fold for r in records})
    if kind == "kfold":
        return f"{len(folds)} folds" if len(folds) > 1 else f"fold {folds[0]} alone"
    if kind == "holdout":
        return f"{len(folds)} random splits" if len(folds) > 1 else "one random split"
    return f"{kind} split" if kind else "unknown split"


def traits(board: Board, records: Sequence[Record]) -> dict[str, str]:
    """What may distinguish a board from others of its suite, in words; see :attr:`Board.traits`."""
    split = next((r for r in records if r.ok), records[0]).part("split")
    shares = {name: split.get(name) for name in ("test", "validation", "calibration")}
    far = split.get("far_unknown")
    return {
        "data": board.data,
        "profile": f"profile {board.profile}",
        "version": f"version {board.version}",
        "division": board.division,
        **varied(split),
        **({"far_unknown": f"far unknowns of {far}"} if far else {}),
        **{name: f"{name} {value:.3g}" for name, value in shares.items() if isinstance(value, float)},
        "drop_leaks": "without leaks" if split.get("drop_leaks") else "",
        "refit": "last fit on train and validation" if split.get("refit") else "",
        "fingerprint": f"data {board.fingerprint[:8] or 'unknown'}",
        "split": f"split {(board.split[0] if board.split else 'unknown')[:8]}",
    }


def _side_rank(side: str) -> int:
    order = ("train", "validation", "calibration", "test")
    return order.index(side) if side in order else len(order)


def _notes(record: Record, part: str) -> list[str]:
    return [str(note) for note in record.part(part).get("notes") or ()]


def _joined(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part)


def hardware_text(record: Record) -> str:
    """``Xeon, 2 cores, 8 GB, no GPU (fingerprint 12ab)``."""
    hardware = record.part("hardware")
    if not hardware.get("fingerprint"):
        return "unknown hardware"
    if hardware.get("stated"):
        return clean(f"{hardware.get('cpu')}, as stated by the author of the row")
    cores = f"{hardware['cores']} core{'s' * (hardware['cores'] != 1)}" if hardware.get("cores") else ""
    memory = f"{hardware['memory_gb']} GB" if hardware.get("memory_gb") else ""
    gpu = hardware.get("gpu") or "no GPU used"
    shared = f"{hardware['at_a_time']} cells at a time" if hardware.get("at_a_time") else ""
    text = _joined(hardware.get("cpu"), cores, memory, gpu, shared)
    return clean(f"{text} (fingerprint {str(hardware['fingerprint'])[:12]})")


def mixtures(records: Sequence[Record]) -> list[str]:
    """Warnings where a board has records of several code revisions or package versions."""
    out = []
    revisions = _counted([str(r.data.get("git") or "none recorded") for r in records])
    if len(revisions) > 1:
        out.append(f"mixed code revisions: {_listed(revisions)}")
    versions = [r.part("versions") for r in records]
    for name in sorted({name for packages in versions for name in packages}):
        counts = _counted([str(packages[name]) for packages in versions if name in packages])
        if len(counts) > 1:
            out.append(f"mixed versions of {name}: {_listed(counts)}")
    return out


class _Failure(NamedTuple):
    """A metric that failed in a record, or a rule.

    Attributes:
        what: ``metric mine`` of all its ids, ``rule map``.
        member: the class or target; empty for all.
        under: ``under shifts blur, noise``; empty for the predictions as they are.
        side: empty for a rule as a whole; that of shifts is ``test``.
    """

    what: str
    member: str
    under: str
    side: str
    why: str


def failed_metrics(records: Sequence[Record]) -> list[str]:
    """A note for every metric and decision rule that failed: why a board or a record has no value of it."""
    failed: dict[tuple[str, str], list[list[_Failure]]] = {}
    for record in records:
        of_record: dict[tuple[str, str], list[_Failure]] = {}
        for failure in _failures(record):
            of_record.setdefault((failure.what, failure.under), []).append(failure)
        for name, failures in of_record.items():
            failed.setdefault(name, []).append(failures)
    notes = []
    for (what, under), of_records in failed.items():
        failures = [failure for failures in of_records for failure in failures]
        reasons = sorted(failures[0].why for failures in of_records)
        ((usual, _count),) = Counter(reasons).most_common(1)
        sides = {failure.side for failure in failures}
        where = "" if sides & {"", "test"} else f"on {', '.join(sorted(sides))}"
        members = _named({failure.member for failure in failures}, records)
        subject = " ".join(filter(None, (what + members, under, "failed", where)))
        notes.append(f"{subject} in {len(of_records)} of {len(records)} cells: {usual}")
    more = len(notes) - FAILED_SHOWN
    return notes[:FAILED_SHOWN] + ([f"further failures: {more}, see the records"] if more > 0 else [])


def _named(members: set[str], records: Sequence[Record]) -> str:
    """The class or target whose value is missing, or how many; empty where all are."""
    if "" in members:
        return ""
    regression = records[0].data["dataset"].get("task") == "regression"
    several = f" ({len(members)} {'targets' if regression else 'classes'})"
    return f"[{next(iter(members))}]" if len(members) == 1 else several


def _failures(record: Record) -> Iterator[_Failure]:
    plain = [
        _failure(name, side, why)
        for side, failures in record.part("metric_failures").items()
        for name, why in failures.items()
    ]
    yield from plain
    under_rules = []
    for rule, block in record.part("rules").items():
        if "failure" in block:
            yield _Failure(f"rule {rule}", "", "", "", block["failure"])
        for side, failures in block.get("metric_failures", {}).items():
            under_rules += [(rule, _failure(name, side, why)) for name, why in failures.items()]
    under_shifts = [
        (label, _failure(name, "test", why))
        for label, block in shift_blocks(record).items()
        for failures in block.get(FAILED, {}).values()
        for name, why in failures.items()
    ]
    without = {(failure.side, failure.what, failure.member) for failure in plain}
    yield from _under("rule", under_rules, without)
    yield from _under("shift", under_shifts, without)


def _under(
    kind: str, failed: Iterable[tuple[str, _Failure]], without: set[tuple[str, str, str]]
) -> Iterator[_Failure]:
    """Failures under rules or shifts, which are then named; none of what fails without them too.

    Args:
        kind: ``rule`` or ``shift``.
        failed: with the labels of these.
        without: what fails without them: side, metric, and class or target (empty for all).
    """
    alone = [
        (label, failure)
        for label, failure in failed
        if not without & {(failure.side, failure.what, member) for member in (failure.member, "")}
    ]
    failures = sorted(alone, key=lambda item: item[0])
    labels: dict[str, dict[str, None]] = {}
    for label, failure in failures:
        labels.setdefault(failure.what, {})[label] = None
    for _label, failure in failures:
        named = list(labels[failure.what])
        which = f"{kind}s {', '.join(named)}" if len(named) > 1 else f"{kind} {named[0]}"
        which = f"{len(named)} {kind}s" if len(named) > LABELS_SHOWN else which
        yield failure._replace(under=f"under {which}")


def _failure(metric: str, side: str, why: str) -> _Failure:
    """``level2_mine_raw`` -> ``level{k}_mine``: what fails does so in all of its ids, as a rule.

    Of ``mine_raw[a]``, the class stands apart: a value that is not allowed may be that of some classes alone.
    """
    name = re.sub(r"level\d+", "level{k}", stem(metric).removesuffix(RAW))
    return _Failure(f"metric {name}", metric.removeprefix(stem(metric))[1:-1], "", side, why)


def one_draw_note(models: Sequence[str], rows: int) -> str:
    """Why nothing is bold where models were trained once.

    Args:
        models: the ranked rows that are one draw of their training.
        rows: the number of ranked rows.
    """
    named = "all models" if len(models) == rows else ", ".join(models)
    return (
        f"one training is one draw, and another seed may change the order: nothing is marked best, and no"
        f" model is told apart from {named}, trained once; --seeds 5, five folds or several splits say more"
    )


def _counted(values: Sequence[str]) -> dict[str, int]:
    return {value: values.count(value) for value in sorted(set(values))}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{value} ({count} cell{'s' * (count > 1)})" for value, count in counts.items())


# --------------------------------------------------------------------------- the choice on validation

Sided = dict[int, list[tuple[float, float]]]  # fold -> (validation, test) of every seed


def chosen(rows: Sequence[RowRecords], primary: str, better: str, style: str = "score") -> str:
    """``timm:resnet10t (validation 0.961): test 0.955, mean of 5 folds; ...``, or nothing.

    The choice is by the mean over folds and seeds on validation. With several folds, it is also made
    in each fold anew, by that fold's validation partition alone: an estimate of the whole procedure,
    choice included [Cawley & Talbot 2010]. A model whose validation scores are of a fit on these samples
    cannot be chosen; of models that were fitted again after the choice, they are of the first fit.

    Args:
        rows: models with all their cells; those that lack a fold of the others are not eligible.
        primary: id of the metric that decides, as in the records of both partitions.
        better: ``higher`` or ``lower``.
        style: of the metric, see :class:`hmcbench.leaderboard.board.Column`.
    """
    blind = [row.label for row in rows if any(_saw_validation(record) for record in row.ok)]
    held = [row for row in rows if row.label not in blind]
    sides_of = {row.label: sides for row in held if (sides := _sides(row.ok, primary))}
    folds = {fold for sides in sides_of.values() for fold in sides}
    sides_of = {label: sides for label, sides in sides_of.items() if set(sides) == folds}
    if len(sides_of) < 2 or better not in ("higher", "lower"):
        return ""
    best = max if better == "higher" else min
    label = best(sorted(sides_of), key=lambda name: _mean(sides_of[name], folds, 0))
    over = f", mean of {len(folds)} folds" if len(folds) > 1 else ""
    valid, test = (_mean(sides_of[label], folds, side) for side in (0, 1))
    again = next(row.ok for row in held if row.label == label)[0].data["model"].get("refit_on")
    text = f"{label} (validation {primary} {number(valid, style)}): test {number(test, style)}{over}"
    if again:
        text += f", fitted again on {again}"
    if len(folds) > 1:
        taken = {
            f: sides_of[best(sorted(sides_of), key=lambda name: _mean(sides_of[name], {f}, 0))] for f in folds
        }
        anew = fmean(_mean(taken[f], {f}, 1) for f in folds)
        text += f"; chosen in each fold anew: test {number(anew, style)}"
    if blind:
        text += f"; not to be chosen, as they were fitted on validation too: {', '.join(blind)}"
    return text


def _saw_validation(record: Record) -> bool:
    return "validation" in str(record.data["model"].get("fitted_on") or "")


def _sides(records: Sequence[Record], primary: str) -> Sided:
    by_fold: Sided = {}
    for record in records:
        values = [record.metrics(side).get(primary) for side in ("validation", "test")]
        numbers = [float(value) for value in values if isinstance(value, (int, float))]
        if len(numbers) == 2:
            by_fold.setdefault(record.fold, []).append((numbers[0], numbers[1]))
    return by_fold


def _mean(sides: Sided, folds: set[int], side: int) -> float:
    """The mean over folds of the mean over seeds."""
    return fmean(fmean(pair[side] for pair in sides[fold]) for fold in folds)


# --------------------------------------------------------------------------- win rates


def win_rates(values: Mapping[str, Mapping[FoldSeed, float]], better: str) -> list[Win]:
    """The win rate of every model, in the order of ``values``.

    The rate is the mean over opponents of the share of common cells in which the model is better;
    a tie counts half. Nothing for fewer than two models, two common cells, or without a direction.

    Args:
        values: model -> the metric of each of its cells.
        better: ``higher`` or ``lower``.
    """
    if len(values) < 2 or better not in ("higher", "lower"):
        return []
    common = set.intersection(*(set(cells) for cells in values.values()))
    cells = sorted(c for c in common if all(math.isfinite(v[c]) for v in values.values()))
    if len(cells) < 2:
        return []
    table = np.array([[cells_of[c] for c in cells] for cells_of in values.values()])
    rates = pairwise_wins(table.T, better)
    return [Win(model, float(np.delete(rates[i], i).mean()), len(cells)) for i, model in enumerate(values)]


def pairwise_wins(table: np.ndarray, better: str) -> np.ndarray:
    """(D, M) values -> (M, M): the share of the D rows in which column i beats column j; ties half.

    >>> pairwise_wins(np.array([[0.9, 0.8], [0.7, 0.7]]), "higher").tolist()
    [[0.5, 0.75], [0.25, 0.5]]
    """
    sign = -1.0 if better == "lower" else 1.0
    difference = sign * (table[:, :, None] - table[:, None, :])
    shares: np.ndarray = ((difference > 0) + 0.5 * (difference == 0)).mean(axis=0)
    return shares


def win_lines(wins: Sequence[Win]) -> list[list[str]]:
    """The cells of the table under :data:`WINS_HEAD`."""
    return [[win.model, f"{100 * win.rate:.0f} %", str(win.cells)] for win in wins]


WINS_HEAD = ("model", "win rate", "cells")
WINS_HEADING = "Win rates: the share of common cells (fold and seed) that a model wins, mean over opponents"


# --------------------------------------------------------------------------- quality against cost

TRADED_COSTS = ("total_s", "fit_s")  # compared with quality: the first that as many rows have as any other


@dataclass(frozen=True)
class Trade:
    """A board's models on one hardware, by the means of a quality and a cost.

    Attributes:
        quality, cost: the two columns.
        mark: of the hardware.
        rows: ranked rows that have both, with (quality, cost), in the order of the board.
        front: positions in ``rows`` of the Pareto front, the cheapest first.
    """

    quality: Column
    cost: Column
    mark: str
    rows: Sequence[tuple[Row, float, float]]
    front: Sequence[int]


def pareto_front(points: Sequence[tuple[float, float]], better: str, cheaper: str) -> list[int]:
    """Positions of the points that no other point dominates (as good in both, better in one).

    Args:
        points: (quality, cost).
        better: ``higher`` or ``lower``, of quality.
        cheaper: the same of cost.

    Returns:
        The cheapest first; equal points are all on the front.

    >>> pareto_front([(0.9, 10), (0.8, 1), (0.7, 5), (0.9, 12)], "higher", "lower")
    [1, 0]
    """
    q, c = (1 if better == "higher" else -1), (1 if cheaper == "higher" else -1)
    signed = [(q * quality, c * cost) for quality, cost in points]
    kept = [
        i
        for i, (a, b) in enumerate(signed)
        if not any(x >= a and y >= b and (x > a or y > b) for x, y in signed)
    ]
    return sorted(kept, key=lambda i: (-signed[i][1], -signed[i][0]))


def trades(board: Board) -> list[Trade]:
    """The primary metric against the cost that most rows have, per hardware.

    Nothing without directions, and for a metric that a constant prediction wins. A row whose cost is that of
    one run is never on the front.
    """
    quality = next((c for c in board.columns if c.id == board.primary), None)
    costs = [c for name in TRADED_COSTS for c in board.cost_columns if c.id == name]
    cost = max(costs, key=lambda column: _rows_with(board, column), default=None)
    if quality is None or cost is None or not quality.better or not cost.better or quality.trivial:
        return []
    out = []
    for mark in board.hardware:
        rows = []
        for row in board.rows:
            cells = row.cells.get(quality.id), row.costs.get(mark, {}).get(cost.id)
            if row.rank is None or any(cell is None or cell.mean is None for cell in cells):
                continue
            a, b = (cell.mean for cell in cells if cell is not None)
            rows.append((row, float(a or 0.0), float(b or 0.0)))
        if len(rows) > 1:
            repeated = [i for i, row in enumerate(rows) if row[0].costs[mark][cost.id].low is not None]
            points = [rows[i][1:] for i in repeated]
            front = pareto_front(points, quality.better, cost.better) if len(points) > 1 else []
            out.append(Trade(quality, cost, mark, rows, [repeated[i] for i in front]))
    return out


def _rows_with(board: Board, cost: Column) -> int:
    """How many ranked rows have a cost, on any hardware."""
    known = (
        any(cost.id in costs and costs[cost.id].mean is not None for costs in row.costs.values())
        for row in board.rows
        if row.rank is not None
    )
    return sum(known)


def pareto_facts(board: Board) -> list[tuple[str, str]]:
    """``("Pareto front", "hf1_samples against whole cell (s): prior, forest, hffnet-2d")``."""
    lines = []
    for trade in (trade for trade in trades(board) if trade.front):
        where = f" on hardware {trade.mark}" if len(board.hardware) > 1 else ""
        names = ", ".join(trade.rows[i][0].model for i in trade.front)
        lines.append(("Pareto front", f"{trade.quality.title} against {trade.cost.title}{where}: {names}"))
    return lines
