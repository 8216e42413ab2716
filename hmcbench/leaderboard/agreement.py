"""How far several raters agree: Cohen's kappa of every pair and Fleiss' kappa of all, with intervals.

Raters are rows whose predictions persons made (:mod:`hmcbench.derive.brought`). Where every sample has one
path, the categories of a level are its classes and *none*; with several paths every class is a question with
the answers yes and no, and kappa is the mean over the classes that some rater named. Truth is not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from hmcbench.errors import HmcbenchError
from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.render.text import clean
from hmcbench.leaderboard.statistics import Bootstrap, percentiles
from hmcbench.metrics import decisions
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record

FACT = "agreement of raters"
MOST_PAIRS = 6  # pairs in a line; of more, the smallest and the largest value
KappaSums = tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class Agreement:
    """One kappa.

    Attributes:
        level: of the classes; 0 for all classes of several paths.
        raters: two for Cohen's kappa, all for Fleiss'.
        kappa: nan where chance alone would agree always.
        low, high: ends of the 95 % interval, a bootstrap over samples (or groups); nan where undefined.
    """

    level: int
    raters: tuple[str, ...]
    kappa: float
    low: float
    high: float


def agreements(rows: Sequence[RowRecords]) -> tuple[list[Agreement], int]:
    """The agreement of the raters of a board, and the number of samples.

    Args:
        rows: of one board; those of raters are chosen, by their first seed, on the test samples of the folds
            that all of them have.

    Returns:
        Per level Fleiss' kappa (three raters or more), then Cohen's of every pair; nothing for fewer than two
        raters, or where their predictions cannot be read.
    """
    records = {row.label: _first_seed(row.ok) for row in rows if row.ok and _by_rater(row.ok)}
    if len(records) < 2:
        return [], 0
    folds = sorted(set.intersection(*({r.fold for r in own} for own in records.values())))
    try:
        sides = [
            [next(r for r in own if r.fold == fold).predictions().of_side("test") for fold in folds]
            for own in records.values()
        ]
    except HmcbenchError:
        return [], 0
    if not folds or any(part.task.kind != "hmc" for part in sides[0]):
        return [], 0
    thresholds = [[r.thresholds for r in own if r.fold in folds] for own in records.values()]
    sets = np.stack(
        [_sets(own, sides[0], limits) for own, limits in zip(sides, thresholds, strict=True)], axis=1
    )
    units = [unit for part in sides[0] for unit in part.units or ()]
    bootstrap = Bootstrap(len(sets), units or None)
    names, kappas = list(records), list[Agreement]()
    for level, answers in _questions(sets, sides[0][0]):
        chosen = [tuple(range(len(names)))] if len(names) > 2 else []
        chosen += list(combinations(range(len(names)), 2))
        stats = [fleiss(answers[:, who]) if len(who) > 2 else cohen(answers[:, who]) for who in chosen]
        for who, (table, reduce), drawn in zip(chosen, stats, bootstrap.values(stats), strict=True):
            kappa = float(reduce(table.sum(axis=0)))
            known = np.isfinite(drawn).any() and math.isfinite(kappa)
            low, high = percentiles(drawn) if known else (math.nan, math.nan)
            kappas.append(Agreement(level, tuple(clean(names[i]) for i in who), kappa, low, high))
    return kappas, len(sets)


def _by_rater(records: Sequence[Record]) -> bool:
    return all(record.brought.get("kind") == "rater" for record in records)


def _first_seed(records: Sequence[Record]) -> list[Record]:
    """The records of the smallest seed, by fold."""
    seed = min(record.seed for record in records)
    return sorted((r for r in records if r.seed == seed), key=lambda r: r.fold)


def _sets(own: Sequence[Predictions], first: Sequence[Predictions], limits: Sequence[Any]) -> np.ndarray:
    """Closed boolean (N, C) of all folds, samples in the order of the first rater."""
    parts = []
    for predictions, order, thresholds in zip(own, first, limits, strict=True):
        where = {name: i for i, name in enumerate(predictions.ids)}
        rows = predictions.take(np.array([where[name] for name in order.ids], dtype=np.int64))
        decided = (
            rows.scores.astype(bool)
            if rows.only_sets
            else decisions.coherent(rows.scores, rows.stop, rows.task, thresholds)
        )
        parts.append(decided)
    return np.concatenate(parts)


def _questions(sets: np.ndarray, like: Predictions) -> Iterable[tuple[int, np.ndarray]]:
    """(level, answers) with answers as boolean (N, R, Q, K): rater, question, category.

    Args:
        sets: closed boolean (N, R, C).
    """
    hierarchy = decisions.hierarchy_of(like.task)
    if like.task.paths == "multiple":
        used = sets.any(axis=(0, 1))
        yield 0, np.stack([sets[:, :, used], ~sets[:, :, used]], axis=3)
        return
    for k in range(1, hierarchy.depth + 1):
        of_level = sets[:, :, hierarchy.level_classes(k)]
        none = ~of_level.any(axis=2, keepdims=True)
        yield k, np.concatenate([of_level, none], axis=2)[:, :, None, :]


# --------------------------------------------------------------------------- kappa as sums over samples


def cohen(answers: np.ndarray) -> KappaSums:
    """Cohen's kappa of two raters [Cohen 1960], as sums over samples.

    ``kappa = (p_o - p_e) / (1 - p_e)``: the share of samples with the same category, and the share that
    their marginal frequencies give by chance; the mean over questions.

    Args:
        answers: boolean (N, 2, Q, K), one category of every question by every rater.

    Returns:
        ``(stats, reduce)``: float (N, Q + 2 Q K + 1), and a function of sums over samples.

    >>> said = np.eye(2, dtype=bool)[[[0, 0], [0, 1], [1, 1], [1, 1]]][:, :, None]
    >>> stats, reduce = cohen(said)
    >>> float(reduce(stats.sum(axis=0)))
    0.5
    """
    n, _, questions, categories = answers.shape
    same = (answers[:, 0] & answers[:, 1]).any(axis=2)
    marginals = answers.reshape(n, -1)
    stats = np.concatenate([same, marginals, np.ones((n, 1))], axis=1, dtype=np.float64)

    def reduce(sums: np.ndarray) -> np.ndarray:
        total = sums[..., -1:]
        observed = sums[..., :questions] / total
        shape = (*sums.shape[:-1], 2, questions, categories)
        shares = sums[..., questions:-1].reshape(shape) / total[..., None, None]
        expected = (shares[..., 0, :, :] * shares[..., 1, :, :]).sum(axis=-1)
        return _mean_kappa(observed, expected)

    return stats, reduce


def fleiss(answers: np.ndarray) -> KappaSums:
    """Fleiss' kappa of R raters [Fleiss 1971], as sums over samples.

    The observed share is the mean over samples of the share of pairs of raters that agree, the expected one
    the sum of squares of the categories' shares of all answers; the mean over questions.

    Args:
        answers: boolean (N, R, Q, K).

    Returns:
        ``(stats, reduce)`` as :func:`cohen`.
    """
    n, raters, questions, categories = answers.shape
    counts = answers.sum(axis=1, dtype=np.float64)  # (N, Q, K)
    pairs = (counts * (counts - 1)).sum(axis=2) / (raters * (raters - 1))
    stats = np.concatenate([pairs, counts.reshape(n, -1), np.ones((n, 1))], axis=1)

    def reduce(sums: np.ndarray) -> np.ndarray:
        total = sums[..., -1:]
        observed = sums[..., :questions] / total
        shares = sums[..., questions:-1].reshape(*sums.shape[:-1], questions, categories)
        expected = ((shares / (raters * total[..., None])) ** 2).sum(axis=-1)
        return _mean_kappa(observed, expected)

    return stats, reduce


def _mean_kappa(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The mean over the last axis; questions that chance answers alike are left out, nan without others."""
    known = expected < 1 - 1e-12
    kappa = np.where(known, (observed - expected) / np.where(known, 1 - expected, 1.0), 0.0)
    count = known.sum(axis=-1)
    mean: np.ndarray = np.where(count > 0, kappa.sum(axis=-1) / np.maximum(count, 1), np.nan)
    return mean


# --------------------------------------------------------------------------- words


def agreement_facts(rows: Sequence[RowRecords]) -> list[tuple[str, str]]:
    """(name, value) lines of a board, one per level; nothing without two raters."""
    kappas, samples = agreements(rows)
    facts = []
    for level in dict.fromkeys(a.level for a in kappas):
        own = [a for a in kappas if a.level == level]
        where = f"level {level}" if level else "mean over classes"
        parts = [f"Fleiss' kappa of {len(a.raters)} raters {_text(a)}" for a in own if len(a.raters) > 2]
        parts.append(f"Cohen's kappa {_pairs([a for a in own if len(a.raters) == 2])}")
        facts.append((FACT, f"{where}, {samples:,} samples: {'; '.join(parts)}"))
    return facts


def _pairs(kappas: Sequence[Agreement]) -> str:
    if len(kappas) <= MOST_PAIRS:
        return ", ".join(f"of {' and '.join(a.raters)} {_text(a)}" for a in kappas)
    known = sorted((a for a in kappas if math.isfinite(a.kappa)), key=lambda a: a.kappa)
    if not known:
        return "undefined"
    ends = " to ".join(f"{_text(a)} ({' and '.join(a.raters)})" for a in (known[0], known[-1]))
    return f"of {len(kappas)} pairs {ends}"


def _text(agreement: Agreement) -> str:
    if not math.isfinite(agreement.kappa):
        return "undefined"
    interval = f" [{agreement.low:.3f}, {agreement.high:.3f}]" if math.isfinite(agreement.low) else ""
    return f"{agreement.kappa:.3f}{interval}"


def agreement_lines(boards: Iterable[Board]) -> list[str]:
    """The facts of boards, for a terminal."""
    return [f"{name}: {value}" for board in boards for name, value in board.facts if name == FACT]
