"""Simulations of the statistics of boards, with the functions that boards use; writes docs/statistics.md.

nice python benchmarks/simulate_statistics.py docs/statistics.md

Every simulation draws many boards from a known truth, and counts how often a claim is wrong or an
interval misses. All generators are seeded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from tabulate import tabulate

from hmcbench.leaderboard.inference import (
    Basis,
    Estimate,
    best,
    contrasts,
    not_told_apart,
    prediction_interval,
)
from hmcbench.leaderboard.statistics import Bootstrap, holm
from hmcbench.leaderboard.verdicts import (
    BETTER,
    NOT,
    REPRODUCED,
    UNDECIDED,
    joint_level,
    row_verdict,
    value_verdict,
)

SAMPLES = 400
OUTCOMES = (REPRODUCED, BETTER, NOT, UNDECIDED)


def share(sums: np.ndarray) -> np.ndarray:
    quotient: np.ndarray = sums[..., 0] / sums[..., 1]
    return quotient


def estimates_of(
    values: np.ndarray,
    bootstrap: Bootstrap,
    *,
    weights: np.ndarray | None = None,
    deterministic: bool = False,
    of_share: bool = False,
) -> list[Estimate]:
    """Rows of a board from the values of every sample, (R, S, N): weighted means over samples."""
    rows, _, samples = values.shape
    below = np.ones(samples) if weights is None else weights
    table = (values.mean(axis=1) * below).T  # (N, R)
    draws = (bootstrap.weights.astype(np.float32) @ table.astype(np.float32)).astype(float)
    draws = (draws / (bootstrap.weights.astype(float) @ below)[:, None]).T
    means = (values * below).sum(axis=2) / below.sum()
    basis = Basis(len(np.unique(bootstrap.unit)), samples, int(of_share))
    return [
        Estimate(
            means[r],
            draws[r],
            cells=means[r][:, None],
            basis=basis,
            deterministic=deterministic,
            bounds=(0.0, 1.0) if of_share else (None, None),
        )
        for r in range(rows)
    ]


def right(rng: np.random.Generator, rows: int, accuracy: float, samples: int = SAMPLES) -> np.ndarray:
    """(R, N) 0 or 1: rows of one accuracy on samples of different difficulty."""
    chance = rng.beta(4 * accuracy, 4 * (1 - accuracy), samples)
    return (rng.random((rows, samples)) < chance).astype(float)


# --------------------------------------------------------------------------- family-wise error


def family_wise(
    rows: int, boards: int, accuracy: float = 0.85, samples: int = SAMPLES
) -> tuple[float, float]:
    """Equal rows, three metrics: how often a difference to the reference, or to the first, is claimed."""
    rng = np.random.default_rng([1, rows, samples])
    bootstrap = Bootstrap(samples)
    against, apart = 0, 0
    for _ in range(boards):
        correct = right(rng, rows, accuracy, samples)
        partly = np.maximum(correct, 0.5 * right(rng, rows, accuracy, samples))
        sizes = rng.integers(1, 4, samples).astype(float)
        metrics = [
            estimates_of(correct[:, None], bootstrap, deterministic=True, of_share=True),
            estimates_of(partly[:, None], bootstrap, deterministic=True),
            estimates_of(correct[:, None], bootstrap, weights=sizes, deterministic=True),
        ]
        p = [c.p for metric in metrics for c in contrasts(metric[1:], metric[0])]
        against += bool((holm([value if value is not None else 1.0 for value in p]) < 0.05).any())
        ranked = sorted(metrics[0], key=lambda estimate: -estimate.mean)
        apart += len(not_told_apart(ranked)) < rows - 1
    return against / boards, apart / boards


# --------------------------------------------------------------------------- seeds, folds, groups


def of_seeds(rng: np.random.Generator, seeds: int, ratio: float, samples: int) -> np.ndarray:
    """(1, S, N) values around 0; seeds spread ``ratio`` times as much as the mean of samples does."""
    sample = 0.9 * rng.standard_normal(samples) + 0.436 * rng.standard_normal((seeds, samples))
    values: np.ndarray = sample + ratio / samples**0.5 * rng.standard_normal((seeds, 1))
    return values[None]


def seed_coverage(
    seeds: int, ratio: float, boards: int, samples: int = 200
) -> tuple[float, float, float, float]:
    """Coverage and width of a value's interval, and of a difference's; 1 is the width of a known variance."""
    rng = np.random.default_rng([2, seeds, int(10 * ratio)])
    bootstrap = Bootstrap(samples)
    covered, width, of_difference, wide = 0, 0.0, 0, 0.0
    spread = ((0.81 + 0.19 / seeds + ratio**2 / seeds) / samples) ** 0.5
    apart = (2 * (0.81 + 0.19 / seeds + ratio**2 / seeds) / samples) ** 0.5
    for _ in range(boards):
        a, b = (estimates_of(of_seeds(rng, seeds, ratio, samples), bootstrap)[0] for _ in range(2))
        low, high = a.interval() or (0.0, 0.0)
        covered += low <= 0 <= high
        width += (high - low) / (2 * 1.96 * spread)
        difference = contrasts([a], b)[0]
        of_difference += (difference.low or 0.0) <= 0 <= (difference.high or 0.0)
        wide += ((difference.high or 0.0) - (difference.low or 0.0)) / (2 * 1.96 * apart)
    return covered / boards, width / boards, of_difference / boards, wide / boards


def fold_coverage(ratio: float, boards: int, folds: int = 5, samples: int = 200) -> tuple[float, float]:
    """Coverage of a difference with one seed and five folds, and its width as above."""
    rng = np.random.default_rng([3, folds, int(10 * ratio)])
    bootstrap = Bootstrap(samples)
    covered, width = 0, 0.0
    spread = (2 * (1 + ratio**2) / samples) ** 0.5
    for _ in range(boards):
        rows = []
        for _row in range(2):
            effect = ratio * (folds / samples) ** 0.5 * rng.standard_normal(folds)
            values = rng.standard_normal(samples) + np.repeat(effect, samples // folds)
            draws = bootstrap.weights.astype(float) @ values / samples
            cells = values.reshape(folds, -1).mean(axis=1)[None]
            rows.append(
                Estimate(values.mean(keepdims=True), draws, cells=cells, basis=Basis(samples, samples))
            )
        c = contrasts(rows[:1], rows[1])[0]
        covered += (c.low or 0.0) <= 0 <= (c.high or 0.0)
        width += ((c.high or 0.0) - (c.low or 0.0)) / (2 * 1.96 * spread)
    return covered / boards, width / boards


def group_coverage(groups: int, boards: int, each: int = 30) -> tuple[float, float]:
    """Coverage of a value's interval with few groups, whose means differ as much as samples do; and width."""
    rng = np.random.default_rng([4, groups])
    samples = groups * each
    bootstrap = Bootstrap(samples, [str(i // each) for i in range(samples)])
    covered, width = 0, 0.0
    for _ in range(boards):
        values = np.repeat(rng.standard_normal(groups), each) + rng.standard_normal(samples)
        low, high = estimates_of(values[None, None], bootstrap, deterministic=True)[0].interval() or (
            0.0,
            0.0,
        )
        covered += low <= 0 <= high
        width += (high - low) / (2 * 1.96 * ((1 + 1 / each) / groups) ** 0.5)
    return covered / boards, width / boards


def share_coverage(samples: int, accuracy: float, boards: int) -> tuple[float, float]:
    """Coverage of a share's interval, and the narrowest of all intervals."""
    rng = np.random.default_rng([5, samples, int(1000 * accuracy)])
    bootstrap = Bootstrap(samples)
    covered, narrowest = 0, 1.0
    for _ in range(boards):
        values = (rng.random(samples) < accuracy).astype(float)
        rows = estimates_of(values[None, None], bootstrap, deterministic=True, of_share=True)
        low, high = rows[0].interval() or (0.0, 0.0)
        covered += low <= accuracy <= high
        narrowest = min(narrowest, high - low)
    return covered / boards, narrowest


def average_precision(order: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(B,) stepwise average precision of one class, of samples that are drawn ``weights`` (B, N) times."""
    drawn = weights[:, order].astype(float)
    hits = drawn * truth[order]
    found, shown = hits.cumsum(axis=1), drawn.cumsum(axis=1)
    precision = np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
    total = found[:, -1]
    values: np.ndarray = np.full_like(total, np.nan)
    np.divide((hits * precision).sum(axis=1), total, out=values, where=total > 0)
    return values


def rare_coverage(positives: float, boards: int, classes: int = 20, draws: int = 300) -> list[float]:
    """Macro average precision of rare classes: bias of the draws, and coverage of the centred interval.

    Returns:
        Mean of draws minus value, in standard deviations of the value; coverage of the mean over test sets of
        this size, by the interval of boards and by percentiles that are not centred.
    """
    rng = np.random.default_rng([8, int(10 * positives)])
    values, of_draws = np.zeros(boards), np.zeros((boards, draws))
    for board in range(boards):
        weights = rng.multinomial(SAMPLES, np.full(SAMPLES, 1 / SAMPLES), draws)
        precisions = []
        for _ in range(classes):
            truth = rng.random(SAMPLES) < positives / SAMPLES
            order = np.argsort(-(truth + rng.standard_normal(SAMPLES)))
            precisions.append(average_precision(order, truth, np.vstack([np.ones(SAMPLES), weights])))
        macro = np.nanmean(precisions, axis=0)
        values[board], of_draws[board] = macro[0], macro[1:]
    wanted, covered = values.mean(), np.zeros(2)
    for value, drawn in zip(values, of_draws, strict=True):
        boards_have = Estimate(np.array([value]), drawn, deterministic=True, basis=Basis(SAMPLES, SAMPLES, 0))
        ends = np.array([boards_have.interval() or (0.0, 0.0), np.quantile(drawn, (0.025, 0.975))])
        covered += (ends[:, 0] <= wanted) & (wanted <= ends[:, 1])
    bias = float((of_draws.mean(axis=1) - values).mean() / values.std())
    return [bias, *(covered / boards).tolist()]


# --------------------------------------------------------------------------- best, told apart, verdicts


def claims(
    rows: int, seeds: int, ratio: float, first: int, ahead: float, boards: int, samples: int = 200
) -> tuple[float, float, float]:
    """How often a row is called best, the right one is, and a row is wrongly told apart from the first.

    Args:
        rows: equal ones, except that some are better by ``ahead`` standard errors of a row.
        seeds: of every row; 1: deterministic rows.
        ratio: spread of seeds over that of the sample mean.
        first: how many are better.
    """
    rng = np.random.default_rng([6, rows, seeds, int(10 * ratio), first, int(10 * ahead)])
    bootstrap = Bootstrap(samples)
    called, truly, wrongly = 0, 0, 0
    lift = np.zeros(rows)
    lift[:first] = ahead / samples**0.5
    for _ in range(boards):
        common = rng.standard_normal(samples)
        values = np.stack(
            [lift[r] + 0.7 * common + 0.71 * of_seeds(rng, seeds, ratio, samples)[0] for r in range(rows)]
        )
        estimates = estimates_of(values, bootstrap, deterministic=seeds == 1)
        marked = best(estimates, "higher")
        called += marked is not None
        truly += marked == 0 and first == 1
        order = sorted(range(rows), key=lambda r: -estimates[r].mean)
        near = {order[i] for i in not_told_apart([estimates[r] for r in order])}
        apart = set(order[1:]) - near
        wrongly += any(lift[r] == lift[order[0]] for r in apart)
    return called / boards, truly / boards, wrongly / boards


def verdicts(splits: int, spread: float, shift: float, boards: int, values: int = 9) -> dict[str, float]:
    """Shares of the verdicts on a row of nine related values; ``shift`` in standard deviations, 0: a copy.

    Splits share a fifth of the variance of a single split, as their training sets overlap.
    """
    rng = np.random.default_rng([7, splits, int(1000 * spread), int(10 * shift)])
    mixing = np.linalg.cholesky(0.5 * np.eye(values) + 0.5)
    counts: dict[str, int] = {}
    for _ in range(boards):
        shared = 0.2**0.5 * rng.standard_normal(values)
        drawn = 0.85 + spread * (shared + 0.8**0.5 * rng.standard_normal((splits + 1, values))) @ mixing.T
        published = drawn[-1] + shift * spread
        row = [
            Estimate(drawn[:-1, k].mean(keepdims=True), repeats=drawn[:-1, k], ratio=0.5)
            for k in range(values)
        ]
        intervals = [prediction_interval(estimate, joint_level(values)) for estimate in row]
        outcomes = [
            value_verdict(float(value), interval, "higher", 3, 1.0)
            for value, interval in zip(published, intervals, strict=True)
        ]
        outcome = row_verdict(outcomes)
        counts[outcome] = counts.get(outcome, 0) + 1
    return {outcome: count / boards for outcome, count in counts.items()}


# --------------------------------------------------------------------------- the page

PAGE = """<!-- made by benchmarks/simulate_statistics.py -->

# Statistics, simulated

What [How to read a leaderboard](leaderboard.md) says of intervals, bold values and verdicts, tried on boards
whose truth is known, with the functions that boards use. This page is written by
`python benchmarks/simulate_statistics.py docs/statistics.md`, in {minutes:.0f} minutes of processor time.

"""


def sections(scale: float) -> Iterator[tuple[str, str, Sequence[str], list[list[object]]]]:
    """Heading, text, head and lines of every table; ``scale``: the share of the usual number of boards."""

    def count(boards: int) -> int:
        return max(2, int(boards * scale))

    yield (
        "Family-wise error",
        f"Equal rows on {SAMPLES} samples and three metrics; how often at least one difference to the"
        " reference has an adjusted p below 0.05 (Holm), and how often at least one row is told apart from"
        " the first (max-t). Both should be at most 0.05.",
        ("rows x 3 metrics", "boards", "difference to the reference", "told apart from the first"),
        [
            [rows, count(boards), *family_wise(rows, count(boards))]
            for rows, boards in ((2, 3000), (10, 2000), (30, 1200), (100, 400), (300, 150))
        ],
    )
    yield (
        "Seeds",
        "Coverage of 95 % intervals over samples and seeds, where seeds spread r times as much as samples do,"
        " and their mean width; 1 is the width if both variances were known.",
        ("seeds", "r", "value: coverage", "width", "difference: coverage", "width"),
        [
            [seeds, ratio, *seed_coverage(seeds, ratio, count(2000))]
            for seeds in (2, 3, 4, 5)
            for ratio in (0, 1, 2, 5)
        ],
    )
    yield (
        "One seed, five folds",
        "The same for the difference of two models that were trained once in each of five folds.",
        ("r", "coverage", "width"),
        [[ratio, *fold_coverage(ratio, count(3000))] for ratio in (0, 1, 2, 5)],
    )
    yield (
        "Groups",
        "Coverage where samples come in few groups, and mean width as above.",
        ("groups", "coverage", "width"),
        [[groups, *group_coverage(groups, count(4000))] for groups in (3, 4, 5, 10, 20)],
    )
    yield (
        "Rare classes",
        f"Macro average precision of 20 classes on {SAMPLES} samples, by the mean number of positives of a"
        " class: how far draws lie above the value, in standard deviations of the value, and how often the"
        " interval holds the mean over test sets of this size. Boards centre the draws on the value.",
        ("positives", "draws above the value", "coverage", "if draws were not centred"),
        [[positives, *rare_coverage(positives, count(300))] for positives in (4, 10, 40, 200)],
    )
    yield (
        "Shares near 1",
        "Coverage of the interval of an accuracy on few samples, and the narrowest of all intervals.",
        ("samples", "accuracy", "coverage", "narrowest"),
        [
            [samples, accuracy, *share_coverage(samples, accuracy, count(4000))]
            for samples, accuracy in ((20, 0.8), (20, 0.95), (20, 0.99), (193, 0.95), (193, 0.99))
        ],
    )
    yield (
        "Best of the board",
        "One row or two are ahead of equal others by so many standard errors of a row; how often a row is"
        " marked best, how often rightly, and how often a row is told apart from the first although the two"
        " are equal. Seeds 1 stands for deterministic models; with one seed of any other model nothing is"
        " ever marked.",
        ("rows", "seeds", "r", "ahead", "by", "marked best", "rightly", "wrongly told apart"),
        [
            [*case, *claims(*case, count(500 if ahead else 4000))]
            for rows, seeds, ratio in ((2, 1, 0), (5, 1, 0), (10, 1, 0), (5, 2, 1), (5, 3, 1), (5, 5, 1))
            for first, ahead in ((1, 0), (1, 3), (1, 5), (2, 5))
            for case in [(rows, seeds, ratio, first, ahead)]
            if first < rows
        ],
    )
    yield (
        "Verdicts on published rows",
        "A published row of nine related values against ten splits of ours. Off by 0 is a perfect copy; off"
        " by 2 or 4 is better than ours by so many standard deviations of a split. A single split that varies"
        " by 0.03 is too noisy for a verdict of *reproduced*.",
        ("standard deviation", "off by", *OUTCOMES),
        [
            [spread, shift, *(shares.get(outcome, 0.0) for outcome in OUTCOMES)]
            for spread in (0.008, 0.03)
            for shift in (0, 2, 4)
            for shares in [verdicts(10, spread, shift, count(2000))]
        ],
    )


def page(scale: float = 1.0) -> str:
    began = time.process_time()
    parts = [
        f"## {heading}\n\n{fill(text, 118)}\n\n{tabulate(lines, head, 'github', floatfmt='.3g')}\n"
        for heading, text, head, lines in sections(scale)
    ]
    return PAGE.format(minutes=(time.process_time() - began) / 60) + "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
