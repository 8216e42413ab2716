"""Comparison of models over several datasets: ranks, Friedman's test, critical differences.

Sources: Demsar, JMLR 7 (2006); Friedman (1937); Nemenyi (1963). The tests are scipy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmcbench.leaderboard.board import Board, Style
from hmcbench.leaderboard.render.text import NOTHING, number
from hmcbench.leaderboard.summary import VARIED, pairwise_wins

ALPHA, DRAWS = 0.05, 9_999
FEW = 5  # with fewer datasets the tests have little power, and Nemenyi's distance is rough


@dataclass(frozen=True)
class Across:
    """Models with a ranked row on every one of D >= 2 datasets, best mean rank first.

    Attributes:
        suite, profile, metric: what was compared.
        datasets: D names, without what all of them begin with (``hmc-classic:``).
        models: M >= 2 labels.
        ranks: their mean ranks, 1 is best; ties share.
        wins: (M,) share of datasets won, mean over opponents, ties half.
        p: of Friedman's test, by permutation; None for two models.
        distance: Nemenyi's critical difference of mean ranks at 0.05; None for two models.
        groups: [first, last] positions of models that do not differ significantly, longest runs only.
        left_out: models that lack a ranked row on some dataset.
        values: D rows of the metric, for ``models`` and then ``left_out``; None without a ranked row.
        style: of the metric, see :class:`hmcbench.leaderboard.board.Column`.
        rules: model, decision rule that its board shows it under, and the datasets where it does.
    """

    suite: str
    profile: str
    metric: str
    datasets: Sequence[str]
    models: Sequence[str]
    ranks: Sequence[float]
    wins: Sequence[float]
    p: float | None
    distance: float | None
    groups: Sequence[tuple[int, int]]
    left_out: Sequence[str]
    values: Sequence[Sequence[float | None]] = ()
    style: Style = "score"
    rules: Sequence[tuple[str, str, Sequence[str]]] = ()


def friedman_p(table: np.ndarray) -> float:
    """p of Friedman's test of (D, M) values, M >= 3, by permutation within datasets (valid for few, too).

    All permutations if there are at most 9,999 (then p is exact), else 9,999 drawn with a fixed
    seed. 1 where all ranks are tied.
    """
    from scipy.stats import permutation_test, rankdata

    ranks = rankdata(table, axis=1)

    def spread(*columns: np.ndarray, axis: int) -> np.ndarray:
        """Increases with Friedman's statistic, as ties do not change under permutation."""
        means = np.stack([column.mean(axis=axis) for column in columns])
        total: np.ndarray = ((means - means.mean(axis=0)) ** 2).sum(axis=0)
        return total

    result = permutation_test(
        tuple(ranks.T),
        spread,
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=DRAWS,
        random_state=np.random.default_rng(0),
    )
    return float(result.pvalue)


def critical_difference(models: int, datasets: int, alpha: float = ALPHA) -> float:
    """Nemenyi: mean ranks that differ by at least this differ at ``alpha``, all pairs together.

    >>> round(critical_difference(4, 14), 2)  # Demsar (2006), section 3.2.2: 1.25
    1.25
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, models, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * datasets)))


def mean_ranks(table: np.ndarray, better: str) -> np.ndarray:
    """(D, M) values -> (M,), 1 is best; ties share the mean of their ranks."""
    from scipy.stats import rankdata

    ranks: np.ndarray = rankdata(table if better == "lower" else -table, axis=1).mean(axis=0)
    return ranks


def across(boards: Sequence[Board]) -> list[Across]:
    """One comparison per suite version, profile and ranking metric with several datasets.

    ``hmc-classic:spo_GO`` and ``hmc-classic:seq_GO`` are two datasets, and so are two folders of ``images``;
    what options in brackets make of one is not another. Of the boards of one dataset, only the first with a
    ranked row counts. Boards under unknown classes, training shares or wrong labels count only where a suite
    has no others.

    Records do not say where a folder lies: only the fingerprint tells it from another, and options may change
    that. So one folder before and after a correction is two datasets, and of ``images[crop_bottom=60]`` and
    ``images`` only the first counts, even if they are two folders.
    """
    groups: dict[tuple[str, ...], list[Board]] = {}
    for board in boards:
        groups.setdefault((board.suite, board.version, board.profile, board.primary), []).append(board)
    chosen = map(_one_per_dataset, groups.values())
    comparisons = (_across(_names(group), group) for group in chosen)
    return [comparison for comparison in comparisons if comparison is not None]


def _one_per_dataset(boards: Sequence[Board]) -> list[Board]:
    """The boards that count.

    One without a ranked row, which cells that never ran may make, stands for its dataset only where no other
    does.
    """
    alike = [board for board in boards if not board.traits.keys() & VARIED] or boards
    ranked = {_name(board) for board in alike if _has_ranks(board)}
    out: list[Board] = []
    for board in alike:
        stands_for_it = _has_ranks(board) or _name(board) not in ranked
        if stands_for_it and not any(_of_one_dataset(board, other) for other in out):
            out.append(board)
    return out


def _has_ranks(board: Board) -> bool:
    return any(row.rank is not None for row in board.rows)


def _of_one_dataset(board: Board, other: Board) -> bool:
    """Whether two boards are of one dataset: of one name, and not known to be of other data.

    Where options differ, the fingerprint says nothing: they may change it.
    """
    prints = {board.fingerprint, other.fingerprint} - {""}
    return _name(board) == _name(other) and (board.data != other.data or len(prints) < 2)


def _name(board: Board) -> str:
    """Of its dataset, without options."""
    return board.data.partition("[")[0]


def _names(boards: Sequence[Board]) -> list[str]:
    """Names of datasets without options; those of one name have the beginning of their fingerprint too."""
    names = list(map(_name, boards))
    return [
        f"{name} {board.fingerprint[:8]}" if names.count(name) > 1 else name
        for name, board in zip(names, boards, strict=True)
    ]


def _across(datasets: Sequence[str], boards: Sequence[Board]) -> Across | None:
    column = next((c for c in boards[0].columns if c.id == boards[0].primary), None)
    if len(boards) < 2 or column is None or not column.better:
        return None
    better = column.better
    values = [
        {row.model: row.cells[b.primary].mean for row in b.rows if row.rank is not None} for b in boards
    ]
    known = list(dict.fromkeys(model for means in values for model in means))
    models = [model for model in known if all(means.get(model) is not None for means in values)]
    if len(models) < 2:
        return None
    table = np.array([[means[model] for model in models] for means in values], dtype=float)
    ranks = mean_ranks(table, better)
    order = np.argsort(ranks, kind="stable")
    wins = pairwise_wins(table, better)
    rates = [float(np.delete(wins[i], i).mean()) for i in order]
    tested = len(models) > 2
    distance = critical_difference(len(models), len(boards)) if tested else None
    sorted_ranks = [float(ranks[i]) for i in order]
    return Across(
        boards[0].suite,
        boards[0].profile,
        boards[0].primary,
        names := _short(datasets),
        [models[i] for i in order],
        sorted_ranks,
        rates,
        friedman_p(table) if tested else None,
        distance,
        cliques(sorted_ranks, distance) if distance is not None else [],
        left_out := [model for model in known if model not in models],
        [[means.get(model) for model in [*(models[i] for i in order), *left_out]] for means in values],
        column.style,
        _rules(names, boards),
    )


def _rules(datasets: Sequence[str], boards: Sequence[Board]) -> list[tuple[str, str, list[str]]]:
    """Model, decision rule and datasets, of the ranked rows that are shown under one."""
    places: dict[tuple[str, str], list[str]] = {}
    for dataset, board in zip(datasets, boards, strict=True):
        for row in board.rows:
            if row.rule and row.rank is not None:
                places.setdefault((row.model, row.rule), []).append(dataset)
    return [(model, rule, names) for (model, rule), names in sorted(places.items())]


def _short(datasets: Sequence[str]) -> list[str]:
    """``hmc-classic:spo_GO`` is ``spo_GO`` where all are of ``hmc-classic``."""
    parts = [name.partition(":") for name in datasets]
    same = len({dataset for dataset, _, _ in parts}) == 1 and all(rest for _, _, rest in parts)
    return [rest if same else name for name, (_, _, rest) in zip(datasets, parts, strict=True)]


def cliques(ranks: Sequence[float], distance: float) -> list[tuple[int, int]]:
    """Longest runs of sorted mean ranks that lie closer than ``distance``, as [first, last].

    >>> cliques([1.0, 2.0, 3.0, 5.0], 2.5)
    [(0, 2), (2, 3)]
    """
    runs: list[tuple[int, int]] = []
    for i in range(len(ranks)):
        last = max(j for j in range(i, len(ranks)) if ranks[j] - ranks[i] < distance)
        if last > i and (not runs or last > runs[-1][1]):
            runs.append((i, last))
    return runs


# --------------------------------------------------------------------------- words


HEAD = ("#", "model", "mean rank", "datasets won")


def heading(result: Across) -> str:
    suite = f"{result.suite}, profile {result.profile}"
    return f"Across {len(result.datasets)} datasets: {suite}, {result.metric}"


def lines(result: Across) -> list[list[str]]:
    return [
        [str(i + 1), model, f"{rank:.2f}", f"{100 * win:.0f} %"]
        for i, (model, rank, win) in enumerate(zip(result.models, result.ranks, result.wins, strict=True))
    ]


def values_heading(result: Across) -> str:
    return f"{result.metric} on every dataset"


def values_head(result: Across) -> list[str]:
    return ["dataset", *result.models, *result.left_out]


def values_lines(result: Across) -> list[list[str]]:
    """A line per dataset, under :func:`values_head`."""
    return [
        [dataset, *(NOTHING if value is None else number(value, result.style) for value in values)]
        for dataset, values in zip(result.datasets, result.values, strict=True)
    ]


def words(result: Across) -> list[str]:
    """The conclusions, in sentences."""
    out = []
    if result.left_out:
        out.append(f"Not ranked, because they lack a dataset: {', '.join(result.left_out)}.")
    if result.rules:
        ruled = "; ".join(
            f"{model} under {rule} on {', '.join(names)}" for model, rule, names in result.rules
        )
        out.append(f"Some rows are under the decision rule that is best on validation: {ruled}.")
    if result.p is None or result.distance is None:
        return [*out, "Two models: nothing to test over ranks; compare them on each dataset."]
    out.append(f"Friedman's test (by permutation): p {_p(result.p)}.")
    count = len(result.datasets)
    caution = f" With {count} datasets that is a rough guide." if count < FEW else ""
    if result.p >= ALPHA:
        return [*out, f"So the ranks could be chance: no model is told apart from any other.{caution}"]
    text = f"Mean ranks that differ by {result.distance:.2f} or more differ at 0.05"
    out.append(f"{text} (Nemenyi, all pairs together).{caution}")
    if not result.groups:
        return [*out, "All models are told apart."]
    named = "; ".join(", ".join(result.models[a : b + 1]) for a, b in result.groups)
    return [*out, f"Not told apart: {named}."]


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
