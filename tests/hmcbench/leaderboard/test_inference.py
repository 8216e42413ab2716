"""Intervals, p-values and claims; coverage and error are simulated in benchmarks/simulate_statistics.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from hmcbench.leaderboard.inference import (
    Basis,
    Estimate,
    best,
    contrast,
    not_told_apart,
    prediction_interval,
    same_split_interval,
)

SHARED = np.random.default_rng(0).standard_normal(1000)


def estimate(mean: float, noise: float = 0.01, seed: int = 0, **fields: Any) -> Estimate:
    draws = mean + noise * np.random.default_rng(seed).standard_normal(1000)
    return Estimate(np.array([mean]), draws=draws, **{"deterministic": True, **fields})


def of_seeds(*values: float, noise: float = 0.01, seed: int = 0, **fields: Any) -> Estimate:
    draws = np.mean(values) + noise * np.random.default_rng(seed).standard_normal(1000)
    return Estimate(np.array(values), draws=draws, **fields)


# --------------------------------------------------------------------------- intervals


def test_one_seed_has_the_interval_of_its_draws() -> None:
    single = estimate(0.8)
    assert single.draws is not None
    centred = single.draws - single.draws.mean() + single.mean
    assert single.interval() == pytest.approx(np.quantile(centred, [0.025, 0.975]))


def test_draws_that_all_lie_above_the_value_have_an_interval_around_it() -> None:
    """Samples drawn twice raise the average precision of rare classes: the interval began at the value."""
    raised = estimate(0.25)
    assert raised.draws is not None and raised.draws.min() > 0.2
    low, high = replace(raised, seeds=np.array([0.2])).interval() or (0, 0)
    assert (low, high) == pytest.approx((0.2 - 0.0196, 0.2 + 0.0196), abs=0.002)


def test_seeds_widen_the_interval_by_students_distribution() -> None:
    noise = 0.01
    low, high = of_seeds(0.7, 0.8, 0.9, noise=noise).interval() or (0, 0)
    seeds = t.ppf(0.975, 2) * 0.1 / 3**0.5
    assert (high - low) / 2 == pytest.approx(np.hypot(1.96 * noise, seeds), rel=0.02)
    same = of_seeds(0.8, 0.8, 0.8, noise=noise).interval() or (0, 0)
    assert (same[1] - same[0]) / 2 == pytest.approx(1.96 * noise, rel=0.05)


def test_few_groups_widen_the_interval_as_student_says() -> None:
    grouped = estimate(0.5, basis=Basis(4, 400))
    low, high = grouped.interval() or (0, 0)
    assert grouped.draws is not None
    expected = t.ppf(0.975, 3) * grouped.draws.std() * (4 / 3) ** 0.5
    assert (high - low) / 2 == pytest.approx(expected)
    assert estimate(0.5, basis=Basis(1, 400)).interval() is None


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_interval_of_a_share_has_no_width(value: float) -> None:
    constant = Estimate(np.array([value]), np.full(1000, value), basis=Basis(20, 20, 1), bounds=(0.0, 1.0))
    low, high = constant.interval() or (0, 0)
    assert high - low == pytest.approx(0.18, abs=0.01)
    other = replace(constant, basis=Basis(20, 20))  # no share, but at a bound of the metric
    assert other.interval() == (low, high)


def test_shares_that_differ_between_seeds_rest_on_more_than_the_samples_of_one() -> None:
    rng = np.random.default_rng(1)
    weights = rng.multinomial(200, np.full(200, 1 / 200), size=1000)
    alike = (rng.random(200) < 0.8).astype(float)
    apart = (rng.random((2, 200)) < 0.8).astype(float)
    widths = []
    for values in (np.stack([alike, alike]), apart):
        draws = weights @ values.mean(axis=0) / 200
        mean = values.mean()
        shares = Estimate(np.full(2, mean), draws, basis=Basis(200, 200, 1), bounds=(0.0, 1.0))
        low, high = shares.interval() or (0, 0)
        widths.append(high - low)
    assert widths[1] / widths[0] == pytest.approx(0.5**0.5, abs=0.06)


def test_undefined_draws_do_not_count() -> None:
    assert Estimate(np.array([0.5]), draws=np.full(5, np.nan)).interval() is None
    draws = np.where(np.arange(1000) % 7 == 0, np.nan, 0.5 + 0.01 * SHARED)
    some, whole = Estimate(np.array([0.5]), draws), estimate(0.3, seed=3)
    assert some.interval() is not None
    assert contrast(some, whole).p == pytest.approx(contrast(estimate(0.5), whole).p, abs=1e-6)
    assert contrast(Estimate(np.array([0.5]), np.full(1000, np.nan)), whole).p is None


# --------------------------------------------------------------------------- differences


@given(st.floats(-0.1, 0.1), st.integers(0, 50), st.integers(1, 5), st.integers(2, 40))
def test_p_is_below_a_twentieth_exactly_where_the_interval_excludes_zero(
    shift: float, seed: int, seeds: int, units: int
) -> None:
    values = 0.5 + shift + 0.02 * np.random.default_rng(seed).standard_normal(seeds)
    a = of_seeds(*values, noise=0.03, seed=seed, basis=Basis(units, 40), deterministic=seeds == 1)
    c = contrast(a, estimate(0.5, 0.03, seed=99, basis=Basis(units, 40)))
    assert c.low is not None and c.high is not None and c.p is not None
    if abs(c.p - 0.05) > 1e-6:
        assert (c.p < 0.05) == (c.low > 0 or c.high < 0)


def test_p_of_normal_draws_has_a_normal_tail() -> None:
    difference = 0.06 + 0.01 * SHARED
    a, b = Estimate(np.array([0.56]), 0.5 + difference), Estimate(np.array([0.5]), np.full(1000, 0.5))
    p = contrast(a, b).p
    assert p is not None
    assert np.log10(p) == pytest.approx(np.log10(2 * norm.sf(6 / max(SHARED.std(), 1.0))), abs=0.5)


def test_p_of_heavy_tails_is_counted() -> None:
    heavy = np.random.default_rng(0).standard_t(2, 1000)
    a = Estimate(np.array([0.9]), 0.9 + 0.001 * heavy)
    assert contrast(a, Estimate(np.array([0.1]), np.full(1000, 0.1))).p == pytest.approx(1 / 1001)


def test_rounding_makes_no_difference_of_a_tie() -> None:
    a = Estimate(np.array([0.3]), np.full(1000, 0.3))
    nearly = Estimate(
        np.array([0.3 + 1e-16]), 0.3 + np.random.default_rng(0).choice([-1e-16, 0, 1e-16], 1000)
    )
    assert contrast(nearly, a).p == 1.0


def test_folds_of_one_seed_count_each_training() -> None:
    cells = np.array([[0.80, 0.86, 0.78, 0.84, 0.82]])
    steady, other = np.full((1, 5), 0.70), np.full((1, 5), 0.82)
    a = Estimate(np.array([0.82]), 0.82 + 0.001 * SHARED, cells=cells)
    b = Estimate(np.array([0.70]), np.full(1000, 0.70), cells=steady)
    c = contrast(a, b)
    assert c.low is not None and not a.one_draw
    assert 0.12 - c.low == pytest.approx(t.ppf(0.975, 4) * cells.std(ddof=1) / 5**0.5, rel=0.02)
    same = contrast(Estimate(np.array([0.82]), 0.82 + 0.001 * SHARED, cells=other), b)
    assert same.low is not None and same.low > c.low


def test_a_share_of_few_groups_has_the_variance_of_resampled_groups() -> None:
    """Its samples are as many as explain the spread of draws, which is too small by (n - 1) / n."""
    rng = np.random.default_rng(0)
    draws = 0.5 + 0.02 * rng.standard_normal(1000)
    few, many = (
        Estimate(np.array([0.5]), draws, deterministic=True, basis=Basis(n, 10_000, 1), bounds=(0.0, 1.0))
        for n in (4, 9_999)
    )
    reach = [(e.interval() or (0, 0))[1] - 0.5 for e in (few, many)]
    scale = t.ppf(0.975, 3) / norm.ppf(0.975) * (4 / 3) ** 0.5
    assert reach[0] / reach[1] == pytest.approx(scale, rel=0.02)


def test_equal_values_of_all_splits_say_nothing_of_further_ones() -> None:
    equal = Estimate(np.array([0.8]), repeats=np.array([0.8, 0.8]), ratio=0.5)
    assert equal.interval() is None
    assert prediction_interval(equal, 0.95) is None
    a, b = (
        Estimate(v.mean(keepdims=True), repeats=v) for v in (np.array([0.80, 0.85]), np.array([0.75, 0.80]))
    )
    compared = contrast(a, b)
    assert compared.difference == pytest.approx(0.05)
    assert (compared.low, compared.high, compared.p) == (None, None, None)


def test_repeats_are_compared_split_by_split() -> None:
    a, b = np.array([0.90, 0.92, 0.95]), np.array([0.80, 0.83, 0.86])
    first, second = (Estimate(v.mean(keepdims=True), repeats=v, ratio=0.5) for v in (a, b))
    c = contrast(first, second)
    assert c.low is not None and c.high is not None and c.p is not None
    half = t.ppf(0.975, 2) * (a - b).std(ddof=1) * (1 / 3 + 0.5) ** 0.5
    assert (c.high - c.low) / 2 == pytest.approx(half) and c.p < 0.05


# --------------------------------------------------------------------------- claims


def test_best_is_marked_only_where_it_stands_out() -> None:
    clear = [estimate(0.80, seed=1), estimate(0.90, seed=2), estimate(0.70, seed=3)]
    assert best(clear, "higher") == 1
    assert best(clear, "lower") == 2
    assert best(clear, "") is None
    assert best(clear[:1], "higher") is None
    assert best([*clear, estimate(0.895, seed=4)], "higher") is None


def test_pairing_finds_small_differences_that_unpaired_draws_hide() -> None:
    a, b = (
        Estimate(np.array([m]), m + 0.03 * SHARED + 0.001 * s, deterministic=True)
        for m, s in ((0.90, SHARED[::-1]), (0.89, 0))
    )
    assert best([a, b], "higher") == 0
    assert best([a, estimate(0.89, 0.03, seed=9)], "higher") is None


def test_best_is_an_intersection_union_test_without_holm() -> None:
    first = estimate(1.0, 0.0)
    near = [Estimate(np.array([0.976]), 0.976 + 0.01 * SHARED, deterministic=True)] * 5
    p = contrast(first, near[0]).p
    assert p is not None and 0.01 < p < 0.05
    assert best([first, *near], "higher") == 0


def test_one_training_is_one_draw() -> None:
    good, bad = estimate(0.9, deterministic=False), estimate(0.5, seed=1)
    assert good.one_draw and not bad.one_draw
    assert best([good, bad], "higher") is None
    assert best([bad, estimate(0.3, seed=2, deterministic=False)], "higher") is None
    assert best([of_seeds(0.9, 0.9001, 0.9002), bad], "higher") == 0
    assert not_told_apart([good, bad]) == [1]
    assert not_told_apart([estimate(0.9), bad, estimate(0.2, seed=2, deterministic=False)]) == [2]


def test_trainings_of_folds_and_splits() -> None:
    cells = np.full((1, 4), 0.5)
    assert Estimate(np.array([0.5]), cells=cells).one_draw
    assert not Estimate(np.array([0.5]), cells=np.full((1, 5), 0.5)).one_draw
    assert Estimate(np.array([0.5]), cells=cells, repeats=cells[0]).trainings == 4
    assert Estimate(np.array([0.5, 0.5])).trainings == 2


def test_nothing_is_claimed_of_a_handful_of_samples() -> None:
    few = estimate(0.1, 0.0, basis=Basis(9, 9))
    many = estimate(0.9, basis=Basis(300, 300))
    assert best([few, many], "lower") is None
    assert best([replace(few, basis=Basis(10, 10)), many], "lower") == 0


def test_saying_the_same_to_all_is_never_best() -> None:
    lucky, rest = estimate(1.0, 0.0, constant=True), [estimate(0.8, seed=1), estimate(0.5, seed=2)]
    assert best([lucky, *rest], "higher") is None
    assert best([replace(lucky, constant=False), *rest], "higher") == 0
    assert best([estimate(0.2, constant=True), *rest], "higher") == 1


def test_one_training_against_several_keeps_the_spread_of_the_several() -> None:
    """It was dropped: the difference of one seed and five had the width of the samples alone."""
    once, often = (replace(of_seeds(*v), cells=np.array(v)[:, None]) for v in ((0.9,), (0.7, 0.75, 0.8)))
    narrow = contrast(once, replace(often, deterministic=True))
    wide = contrast(once, often)
    assert wide.high is not None and narrow.high is not None
    assert wide.high - wide.difference > 2 * (narrow.high - narrow.difference)


def test_equal_seeds_without_samples_say_nothing() -> None:
    a, b = (Estimate(np.full(3, v), cells=np.full((3, 1), v), deterministic=True) for v in (0.9, 0.5))
    assert a.interval() is None and contrast(a, b).p is None
    assert best([a, b], "higher") is None and not_told_apart([a, b]) == [1]


def test_nothing_is_told_apart_less_than_the_best() -> None:
    first = estimate(1.0, 0.0)
    near = [Estimate(np.array([0.976]), 0.976 + 0.01 * SHARED[::k], deterministic=True) for k in (1, -1)] * 3
    assert best([first, *near], "higher") == 0
    assert not_told_apart([first, *near]) == []


def test_nothing_is_said_without_repetition() -> None:
    first, second = Estimate(np.array([0.9])), Estimate(np.array([0.1]))
    assert contrast(first, second).p is None
    assert best([first, second], "higher") is None
    assert first.interval() is None


def test_rows_that_are_near_the_first_are_not_told_apart() -> None:
    rows = [estimate(0.90, seed=1), estimate(0.89, seed=2), estimate(0.70, seed=3), estimate(0.60, seed=4)]
    assert not_told_apart(rows) == [1]
    assert not_told_apart(rows[:1]) == []
    # p of one comparison alone is below 0.05, but the first of six was selected
    near = [estimate(0.90, seed=1), *(estimate(0.868, seed=k) for k in range(2, 7)), estimate(0.899, seed=8)]
    p = contrast(near[1], near[0]).p
    assert p is not None and p < 0.05 and 1 in not_told_apart(near)


def test_repeated_splits_are_told_apart_too() -> None:
    rng = np.random.default_rng(0)
    rows = [
        Estimate(np.array([m]), repeats=m + 0.01 * rng.standard_normal(10), ratio=0.5)
        for m in (0.9, 0.895, 0.5)
    ]
    assert not_told_apart(rows) == [1]


# --------------------------------------------------------------------------- one further split


def test_the_prediction_interval_of_a_further_split() -> None:
    repeats = np.array([0.90, 0.92, 0.95, 0.91])
    low, high = prediction_interval(Estimate(np.array([0.92]), repeats=repeats, ratio=0.5), 0.95) or (0, 0)
    assert (high - low) / 2 == pytest.approx(t.ppf(0.975, 3) * repeats.std(ddof=1) * (5 / 4) ** 0.5)


def test_the_prediction_interval_of_one_split_counts_both_test_sets() -> None:
    single = estimate(0.9)
    ends, alone = prediction_interval(single, 0.95), single.interval()
    assert ends is not None and alone is not None
    assert (ends[1] - ends[0]) / (alone[1] - alone[0]) == pytest.approx(2**0.5)
    assert prediction_interval(estimate(0.9, deterministic=False), 0.95) is None
    seeds = prediction_interval(of_seeds(0.88, 0.92), 0.95)
    assert seeds is not None and seeds[1] - seeds[0] > 0.5


@pytest.mark.parametrize("trainings", [1, 10])
def test_the_mean_of_further_trainings_on_the_same_split_varies_by_the_training_alone(trainings: int) -> None:
    seeds = np.array([0.90, 0.92, 0.91])
    low, high = same_split_interval(Estimate(seeds, cells=seeds[:, None]), 0.95, trainings) or (0, 0)
    reach = t.ppf(0.975, 2) * seeds.std(ddof=1) * (1 / 3 + 1 / trainings) ** 0.5
    assert (low, high) == pytest.approx((0.91 - reach, 0.91 + reach))
    assert same_split_interval(Estimate(seeds[:1]), 0.95, trainings) is None
    assert same_split_interval(Estimate(seeds[:1], deterministic=True), 0.95, trainings) == (0.9, 0.9)


def test_the_mean_of_further_trainings_lies_there_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        ours, theirs = rng.normal(0.3, 0.01, 3), rng.normal(0.3, 0.01, 10).mean()
        low, high = same_split_interval(Estimate(ours, cells=ours[:, None]), 0.9, 10) or (0, 0)
        hits += bool(low <= theirs <= high)
    assert hits / 2000 == pytest.approx(0.9, abs=0.02)
