from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array

from hmcbench.leaderboard import statistics
from hmcbench.leaderboard.statistics import Bootstrap


def ratio(sums: np.ndarray) -> np.ndarray:
    quotient: np.ndarray = sums[..., 0] / sums[..., 1]
    return quotient


@pytest.fixture
def stats() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.column_stack([rng.random(80) * 3, 1 + rng.random(80)])


def test_weights_are_resamples_of_the_same_size() -> None:
    weights = Bootstrap(50).weights
    assert weights.shape == (1000, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert abs(weights.astype(float).mean() - 1) < 1e-12
    assert len(np.unique(weights, axis=0)) > 990


def test_values_equal_a_slow_loop_over_repeated_samples(stats: np.ndarray) -> None:
    bootstrap = Bootstrap(len(stats), draws=40)
    slow = [ratio(np.repeat(stats, w, axis=0).sum(axis=0)) for w in bootstrap.weights]
    drawn = bootstrap.values([(stats, ratio), (csr_array(stats), ratio), (stats[:, :1], lambda s: s[..., 0])])
    np.testing.assert_allclose(drawn[0], slow)
    np.testing.assert_allclose(drawn[1], slow)
    assert drawn.shape == (3, 40)


def test_values_do_not_depend_on_the_size_of_the_blocks(
    stats: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Bootstrap(len(stats)).values([(stats, ratio)])
    monkeypatch.setattr(statistics, "_BLOCK", 700)
    bootstrap = Bootstrap(len(stats))
    np.testing.assert_allclose(bootstrap.values([(stats, ratio)]).std(), whole.std(), rtol=0.15)
    few = bootstrap.values([(stats, ratio)])
    monkeypatch.setattr(statistics, "_BLOCK", 4_000_000)
    np.testing.assert_allclose(few, bootstrap.values([(stats, ratio)]))


@pytest.mark.parametrize("most", [3, 20_000, 2**30])
@pytest.mark.parametrize("kind", [np.int32, np.float64, bool])
def test_counts_of_any_size_and_type_are_summed_exactly(most: int, kind: type) -> None:
    rng = np.random.default_rng(2)
    table = rng.integers(0, most, (90, 6)) * (rng.random((90, 6)) < 0.3)
    counts = csr_array(table.astype(kind))
    bootstrap = Bootstrap(90, draws=30)
    expected = bootstrap.weights.astype(np.int64) @ table.astype(kind).astype(np.int64)

    def check(sums: np.ndarray) -> np.ndarray:
        np.testing.assert_array_equal(sums, expected)
        return sums[..., 0] / 2

    for stats in (counts, counts.tocsc(), table.astype(kind)):
        np.testing.assert_array_equal(bootstrap.of_counts(stats, check), expected[:, 0] / 2)


@pytest.mark.parametrize(
    ("count", "kind"),
    [
        (2**16 - 1, np.uint16),
        (2**16, np.int32),
        (2**17 - 1, np.int32),
        (2**24 + 1, np.int32),
        (2**31 - 1, np.int32),
        (2**31, np.float64),
        (2**32 - 1, np.float64),
    ],
)
def test_a_sum_at_the_end_of_a_type_is_exact(count: int, kind: type) -> None:
    def check(sums: np.ndarray) -> np.ndarray:
        assert sums.dtype == kind
        assert (sums == count).all()
        return sums[:, 0].astype(float)

    assert (Bootstrap(1, draws=3).of_counts(csr_array(np.array([[count]])), check) == count).all()


def test_sums_that_only_some_draws_make_too_large_for_two_bytes_are_exact() -> None:
    """One sample alone would fit, and all of them together once; a draw that repeats it does not."""
    counts = np.zeros((40, 2), dtype=np.int64)
    counts[:, 1], counts[0, 0] = 1_000, 30_000
    bootstrap = Bootstrap(40)
    expected = bootstrap.weights.astype(np.int64) @ counts
    assert expected[:, 0].max() > 2**16
    for column in (0, 1):
        drawn = bootstrap.of_counts(csr_array(counts), lambda sums, k=column: sums[:, k].astype(np.int64))
        np.testing.assert_array_equal(drawn, expected[:, column])


def test_whole_numbers_are_summed_in_four_bytes_only_where_these_hold_the_sum() -> None:
    """Of numbers above 2**24 four bytes hold every second one."""
    for largest in (2**20, 2**22, 2**24, 2**26):
        table = np.random.default_rng(largest).integers(0, largest, (60, 1)).astype(float)
        bootstrap = Bootstrap(60)
        (drawn,) = bootstrap.values([(table, lambda sums: sums[..., 0])])
        np.testing.assert_array_equal(
            drawn, (bootstrap.weights.astype(np.int64) @ table.astype(np.int64))[:, 0]
        )


@pytest.mark.parametrize("held", [statistics._HELD, 1_000])
def test_blocks_of_draws_bound_the_memory(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_BLOCK", 20_000)
    monkeypatch.setattr(statistics, "_HELD", held)
    table = np.random.default_rng(6).random((2_000, 40))
    counts = csr_array(np.random.default_rng(7).integers(0, 9, (2_000, 40)))

    def peak(draws: int) -> float:
        """Of the work for so many draws, beside the weights and what is kept of them."""
        tracemalloc.start()
        bootstrap = Bootstrap(2_000, draws=draws)
        drawing = tracemalloc.get_traced_memory()[1] - bootstrap.weights.nbytes
        for work in (lambda: bootstrap.values([(table, ratio)]), lambda: bootstrap.of_counts(counts, ratio)):
            work()  # keeps the weights in other types
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            work()
            drawing = max(drawing, tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
        return drawing / 2**20

    assert peak(1_000) < 1.5 * peak(200) < 6


def test_counts_of_one_sample_that_stand_apart_are_left_as_they_are() -> None:
    twice = csc_array((np.ones(4, int), np.array([0, 0, 1, 2]), np.array([0, 3, 4])), shape=(3, 2))
    before = [part.copy() for part in (twice.data, twice.indices, twice.indptr)]
    sums = Bootstrap(3, draws=5).of_counts(twice, lambda sums: sums[..., 0])
    np.testing.assert_array_equal(sums, Bootstrap(3, draws=5).weights.astype(int) @ [2, 1, 0])
    for part, old in zip((twice.data, twice.indices, twice.indptr), before, strict=True):
        np.testing.assert_array_equal(part, old)


def test_a_last_sample_without_any_count_changes_nothing() -> None:
    bootstrap = Bootstrap(3, draws=5)
    counts = csr_array(np.array([[2, 1], [0, 3], [0, 0]]))
    drawn = bootstrap.of_counts(counts, lambda sums: sums.sum(axis=1))
    np.testing.assert_array_equal(drawn, bootstrap.weights.astype(int) @ [3, 3, 0])


def test_counts_do_not_depend_on_the_size_of_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    table = csr_array(np.random.default_rng(3).integers(0, 9, (70, 4)))
    bootstrap = Bootstrap(70)
    whole = bootstrap.of_counts(table, ratio)
    monkeypatch.setattr(statistics, "_BLOCK", 700)
    np.testing.assert_array_equal(bootstrap.of_counts(table, ratio), whole)


def distinct_rows(n: int) -> np.ndarray:
    """(n, 5): counts with few distinct rows, a column of fractions, one too large for float32."""
    rng = np.random.default_rng(4)
    rows = np.column_stack([rng.integers(0, 9, (6, 3)), rng.random(6), rng.integers(0, 2**40, 6)])
    chosen: np.ndarray = rows[rng.integers(0, 6, n)]
    return chosen


@pytest.mark.parametrize("few", [8, 10**9])
def test_sums_of_few_distinct_rows_are_those_of_all_samples(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_FEW", few)
    table, bootstrap = distinct_rows(200), Bootstrap(200)
    held = bootstrap._table([(table, ratio)])
    assert (held.drawn is None) == (few > 8)
    assert held.whole.tolist() == [True, True, True, False, False]
    sums = np.stack([bootstrap.values([(table, lambda s, k=k: s[..., k])])[0] for k in range(5)], axis=1)
    exact = bootstrap.weights.astype(np.int64) @ table.astype(np.int64)
    for column in (0, 1, 2, 4):
        np.testing.assert_array_equal(sums[:, column], exact[:, column])
    np.testing.assert_allclose(sums, bootstrap.weights @ table, rtol=1e-14)


def test_rows_are_counted_apart_where_few_of_them_differ() -> None:
    rows = np.arange(90.0)[:, None] // 30
    distinct = statistics._distinct(rows)
    assert distinct is not None
    first, which = distinct
    assert rows[first].tolist() == [[0], [1], [2]]
    np.testing.assert_array_equal(rows[first][which], rows)
    assert statistics._distinct(np.arange(90.0)[:, None]) is None


@pytest.mark.parametrize(("count", "whole"), [(2**24 - 1, True), (2**24 + 1, False)])
def test_sums_have_four_bytes_up_to_their_last_exact_number(count: int, whole: bool) -> None:
    table = Bootstrap(1, draws=2)._table([(np.array([[float(count)]]), ratio)])
    assert table.whole.tolist() == [whole]


def test_a_fraction_or_a_new_row_far_below_is_seen() -> None:
    table = np.ones((100, 2))
    table[60, 0], table[70, 1] = 0.5, 7
    bootstrap = Bootstrap(100)
    (drawn,) = bootstrap.values([(table, ratio)])
    np.testing.assert_allclose(drawn, ratio(bootstrap.weights @ table), rtol=1e-14)


def test_values_of_several_models_are_those_of_each_alone(stats: np.ndarray) -> None:
    bootstrap = Bootstrap(80)
    models = [
        [(stats, ratio)],
        [(distinct_rows(80), ratio), (csr_array(stats), ratio)],
        [],
        [(stats, ratio)] * 5,
    ]
    for together, model in zip(bootstrap.of_models(models), models, strict=True):
        np.testing.assert_allclose(together, bootstrap.values(model), rtol=1e-13)  # sums in another order


@pytest.mark.parametrize("widths", [[], [0], [1], [2], [3], [1, 1], [2, 1, 2], [3, 4]])
def test_tables_side_by_side_have_an_even_number_of_columns(widths: list[int]) -> None:
    table = statistics._side_by_side([np.ones((4, width)) for width in widths], 4)
    whole = sum(widths)
    assert table.tolist() == [[1.0] * whole + [0.0] * (whole % 2)] * 4


@pytest.mark.parametrize(("most", "kind"), [(3, np.uint16), (300, np.int32), (2**24, np.float64)])
def test_sums_of_counts_have_a_type_that_holds_their_total(most: int, kind: type) -> None:
    table = csr_array(np.random.default_rng(5).integers(0, most, (90, 40)))
    total = Bootstrap(90).weights.astype(np.int64) @ table.sum(axis=1)

    def check(sums: np.ndarray) -> np.ndarray:
        assert sums.dtype == kind
        np.testing.assert_array_equal(sums.cumsum(axis=-1, dtype=kind)[:, -1], total)
        return sums[:, 0]

    Bootstrap(90).of_counts(table, check)


def test_interval_agrees_with_scipy(stats: np.ndarray) -> None:
    from scipy.stats import bootstrap

    reference = bootstrap(
        (stats[:, 0], stats[:, 1]),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    low, high = statistics.percentiles(Bootstrap(len(stats)).values([(stats, ratio)])[0])
    width = reference.high - reference.low
    assert abs(low - reference.low) < 0.08 * width
    assert abs(high - reference.high) < 0.08 * width


def test_groups_are_drawn_whole_and_widen_the_interval() -> None:
    groups = [f"g{i // 10}" for i in range(100)]
    values = np.column_stack([np.repeat(np.arange(10.0), 10), np.ones(100)])
    bootstrap = Bootstrap(100, groups)
    weights = bootstrap.weights.reshape(1000, 10, 10)
    assert (weights == weights[:, :, :1]).all()
    assert (weights[:, :, 0].sum(axis=1) == 10).all()
    grouped = bootstrap.values([(values, ratio)])[0].std()
    alone = Bootstrap(100).values([(values, ratio)])[0].std()
    assert grouped / alone == pytest.approx(np.sqrt(10), rel=0.1)


def test_no_samples_no_draws() -> None:
    assert Bootstrap(0).weights.shape == (1000, 0)


def test_t_interval_is_students() -> None:
    from scipy.stats import t

    values = np.array([0.90, 0.92, 0.95, 0.91])
    expected = t.interval(0.95, 3, values.mean(), values.std(ddof=1) / 2)
    assert statistics.t_interval(values) == pytest.approx(expected)
    assert statistics.t_interval(values[:1]) is None
    of_two = t.interval(0.95, 1, 0.91, values[:2].std(ddof=1) / np.sqrt(2))
    assert statistics.t_interval(values[:2]) == pytest.approx(of_two)


def test_nadeau_bengio_replaces_the_variance_of_the_mean() -> None:
    values = np.array([0.90, 0.92, 0.95, 0.91])
    low, high = statistics.t_interval(values) or (0, 0)
    wide_low, wide_high = statistics.t_interval(values, ratio=1 / 9) or (0, 0)
    assert (wide_high - wide_low) / (high - low) == pytest.approx(np.sqrt((1 / 4 + 1 / 9) / (1 / 4)))


def test_p_values_agree_with_scipy() -> None:
    from scipy.stats import t, ttest_ind, ttest_rel

    a, b = np.array([0.90, 0.92, 0.95, 0.91]), np.array([0.89, 0.90, 0.94, 0.915])
    assert statistics.paired_t_p(a, b, 0.0) == pytest.approx(ttest_rel(a, b).pvalue)
    for first, second in ((a, b[:3]), (b[:3], a), (a[:3], b), (a[:2], b[:2])):
        expected = ttest_ind(first, second, equal_var=False).pvalue
        assert statistics.welch_p(first, second) == pytest.approx(expected)
    spread = (a - b).std(ddof=1) * np.sqrt(1 / 4 + 1 / 9)
    corrected = 2 * t.sf(abs((a - b).mean()) / spread, 3)
    assert statistics.paired_t_p(a, b, 1 / 9) == pytest.approx(corrected)


def test_p_of_constant_differences() -> None:
    same = np.array([0.5, 0.5])
    assert statistics.welch_p(same, same) == 1.0
    assert statistics.welch_p(same, same + 0.1) == 0.0
    assert statistics.paired_t_p(same, same, 0.5) == 1.0
    assert statistics.paired_t_p(np.array([0.80, 0.85]), np.array([0.75, 0.80]), 0.5) is None


def test_a_further_test_set_of_as_many_samples_has_other_draws() -> None:
    test, shifted, far = (Bootstrap(300, name=name).weights.astype(float) for name in ("", "shifted", "far"))
    assert (Bootstrap(300, name="shifted").weights == shifted).all()
    for one, other in ((test, shifted), (shifted, far)):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


def test_holm_by_hand() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9]).tolist() == [0.9]


def test_draws_are_the_same_every_time() -> None:
    assert (Bootstrap(30).weights == Bootstrap(30).weights).all()
    # published intervals are computed again with these
    assert Bootstrap(6, draws=3).weights.tolist() == [
        [1, 2, 0, 0, 1, 2],
        [0, 0, 1, 1, 0, 4],
        [1, 3, 1, 0, 1, 0],
    ]
    assert Bootstrap(6, ["a", "b", "a", "c", "c", "c"], draws=2).weights.tolist() == [
        [0, 0, 0, 3, 3, 3],
        [1, 1, 1, 1, 1, 1],
    ]


def test_draws_do_not_depend_on_the_size_of_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bootstrap(30, draws=7).weights
    for block in (1, 60, 120):  # of one, two and four draws: the last of these has three
        monkeypatch.setattr(statistics, "_BLOCK", block)
        np.testing.assert_array_equal(Bootstrap(30, draws=7).weights, whole)


def test_undefined_draws_do_not_count() -> None:
    draws = np.array([np.nan, *np.linspace(0, 1, 101)])
    assert statistics.percentiles(draws) == pytest.approx((0.025, 0.975))


@pytest.mark.parametrize(("hits", "n"), [(20, 20), (0, 20), (19, 20), (150, 193)])
def test_wilson_agrees_with_scipy(hits: int, n: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(hits, n).proportion_ci(method="wilson")
    z = 1.959963984540054
    assert statistics.wilson(hits / n, n, z) == pytest.approx((expected.low, expected.high), abs=1e-12)
