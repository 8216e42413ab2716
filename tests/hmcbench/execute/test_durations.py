"""Which cells fit into a time budget, and the estimate of the time left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute.durations import Budget, TimeLeft, cheapest_first, parse_budget, seconds_taken
from hmcbench.records.record import Record


def cell(
    label: str, *, epochs: int | None = None, seed: int = 0, accelerated: bool = False, **facts: Any
) -> Any:
    params = {} if epochs is None else {"epochs": epochs}
    return SimpleNamespace(
        key=f"{label} {seed}",
        dataset="toy",
        label=label,
        pair=("toy", label),
        accelerated=accelerated,
        record={"model": {"params": params}},
        **{"time_limit": 3600.0, "group": "", **facts},
    )


def record(label: str, seconds: float, ok: bool = True) -> Record:
    data = {
        "status": "ok" if ok else "failed",
        "dataset": {"name": "toy"},
        "model": {"label": label},
        "timing": {"total_s": seconds},
    }
    return Record(Path(), data)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2D", 172800), (" 1h5s ", 3605)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0s", "30", "m30", "-5m", "1.5h", "nan", "inf", "5m1h", "9999999h", "9" * 5000 + "s", "٣m", "1 h"],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="Allowed: 90s, 30m"):
        parse_budget(text)


def test_a_cell_starts_where_others_of_its_model_would_have_ended_in_time() -> None:
    now = [100.0]
    took = seconds_taken([record("slow", 40), record("slow", 60), record("slow", 900, ok=False)])
    assert took == {("toy", "slow"): 50}
    budget = Budget(120, took, lambda: now[0])
    slow, new = cell("slow"), cell("new")
    assert budget.fits([slow])
    assert budget.fits([slow, slow])
    assert not budget.fits([slow, slow, slow])
    now[0] += 71
    assert not budget.fits([slow])
    assert budget.fits([new]), "nothing is known of it"
    budget.ended(new, 50)
    assert not budget.fits([new])
    budget.ended(slow, 20)  # this run knows better than earlier records
    assert budget.fits([slow])
    now[0] += 49
    assert not budget.fits([cell("other")]), "the time is over"


def test_the_forecast_counts_what_fits_in_parallel() -> None:
    budget = Budget(100, {("toy", "slow"): 60, ("toy", "endless"): 101})
    cells = [cell("slow")] * 3 + [cell("endless"), cell("new")]
    assert budget.forecast(cells, 1) == (1, 3, 1)
    assert budget.forecast(cells, 2) == (3, 1, 1)


def seconds(left: TimeLeft) -> float | None:
    estimate = left.estimate()
    return None if estimate is None else estimate.seconds


def test_cached_features_cost_no_time_again() -> None:
    """The whole cost of a cell counts features that another cell computed; the clock does not."""
    cached = record("a", 300)
    cached.data["timing"]["elapsed_s"] = 20
    assert seconds_taken([cached]) == {("toy", "a"): 20}


def test_cheap_cells_come_first_by_records_else_by_epochs_and_kind() -> None:
    cells = [
        cell("network", epochs=9, accelerated=True),
        cell("network", epochs=9, accelerated=True, seed=1),
        cell("small-network", epochs=2, accelerated=True),
        cell("known-slow"),
        cell("forest"),
        cell("prior"),
        cell("known-fast", epochs=500, accelerated=True),
    ]
    order = cheapest_first(cells, {("toy", "known-slow"): 100.0, ("toy", "known-fast"): 0.5})
    assert [c.key for c in order] == [
        "known-fast 0", "prior 0", "forest 0", "small-network 0", "known-slow 0", "network 0", "network 1"
    ]  # fmt: skip


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(left: TimeLeft, clock: Clock, running: Any, before: float, fit: float) -> Iterator[float]:
    """Let a cell run; yields whenever a user might look, with the seconds that the cell still takes."""
    left.started(running)
    begun = clock.now
    clock.now += before
    left.phase(running, "fit")
    steps = running.record["model"]["params"].get("epochs", 1)
    for step in range(1, steps + 1):
        clock.now = begun + before + fit * step / steps
        if steps > 1:
            left.progress(running, step, steps)
            yield begun + before + fit - clock.now
    left.ended(running, clock.now - begun)
    yield 0.0


def test_nothing_is_known_before_the_first_event_and_nothing_is_left_at_the_end() -> None:
    clock, running = Clock(), cell("a")
    left = TimeLeft([running], clock=clock)
    assert seconds(left) is None
    left.started(running)
    assert seconds(left) is None
    left.ended(running, 3.0)
    assert seconds(left) == 0.0


def test_progress_of_the_running_cell_counts_and_what_came_before_it_does_not() -> None:
    clock, running = Clock(), cell("a", epochs=10)
    left = TimeLeft([running], clock=clock)
    for rest in run(left, clock, running, before=50, fit=100):
        spent = clock.now - 100.0
        ended = clock.now == 250.0 and seconds(left) == 0.0
        assert ended or seconds(left) == pytest.approx(max(rest, 0.1 * spent))
    assert seconds(left) == 0.0


def test_other_seeds_of_a_model_cost_what_the_first_did() -> None:
    clock, cells = Clock(), [cell("a", seed=s) for s in range(4)]
    left = TimeLeft(cells, clock=clock)
    list(run(left, clock, cells[0], 5, 7))
    assert seconds(left) == pytest.approx(36)
    left.started(cells[1])
    clock.now += 4
    assert seconds(left) == pytest.approx(32)
    clock.now += 100  # longer than expected: there is always a tenth of the time that it took
    assert seconds(left) == pytest.approx(24 + 10.4)


def test_earlier_records_are_remembered() -> None:
    left = TimeLeft([cell("a"), cell("b")], took={("toy", "a"): 10.0, ("toy", "b"): 5.0})
    assert seconds(left) == 15.0


def test_jobs_divide_but_never_by_more_than_there_are_cells() -> None:
    took = {("toy", "a"): 10.0}
    cells = [cell("a", seed=s) for s in range(3)]
    assert seconds(TimeLeft(cells, 2, took)) == 15.0
    assert seconds(TimeLeft(cells, 16, took)) == 10.0


def test_a_cell_that_takes_longer_than_expected_has_always_time_left() -> None:
    """It was "0:00 left" for minutes: the phases after the last epoch report nothing."""
    clock, running = Clock(), cell("a", epochs=2)
    left = TimeLeft([running], clock=clock)
    left.started(running)
    left.phase(running, "fit")
    clock.now += 60
    left.progress(running, 2, 2)
    clock.now += 240
    assert seconds(left) == pytest.approx(30)


def test_an_estimate_that_rests_on_other_models_is_a_first_one() -> None:
    clock = Clock()
    cells = [cell("a"), cell("b", epochs=10), cell("b", epochs=10, seed=1)]
    left = TimeLeft(cells, clock=clock)
    list(run(left, clock, cells[0], 0, 10))
    estimate = left.estimate()
    assert estimate is not None and estimate.first, "b has not run"
    left.started(cells[1])
    left.phase(cells[1], "fit")
    clock.now += 7
    left.progress(cells[1], 1, 10)
    clock.now += 7
    left.progress(cells[1], 2, 10)
    estimate = left.estimate()
    assert estimate is not None and not estimate.first
    assert estimate.seconds == pytest.approx(56 + 70)
    earlier = TimeLeft(cells, took={c.pair: 5.0 for c in cells}).estimate()
    assert earlier is not None and not earlier.first, "earlier records know all"


def test_a_budget_ends_the_time_left() -> None:
    clock = Clock()
    left = TimeLeft([cell("a")], took={("toy", "a"): 500.0}, budget=60.0, clock=clock)
    clock.now += 20
    assert seconds(left) == 40


def test_a_limit_that_will_be_missed_is_known_before_it_is() -> None:
    clock, running = Clock(), cell("a", epochs=20, time_limit=120.0)
    left = TimeLeft([running], clock=clock)
    left.started(running)
    clock.now += 10
    left.phase(running, "fit")
    clock.now += 8
    left.progress(running, 1, 20)
    assert left.too_slow(running) is None, "the first epoch also warms up"
    clock.now += 8
    left.progress(running, 2, 20)
    assert left.too_slow(running) == pytest.approx(170)
    for _ in range(3):
        clock.now += 2
        left.progress(running, 5, 20)
    assert left.too_slow(running) is None


def test_cells_that_are_fitted_together_have_the_sum_of_their_limits() -> None:
    clock = Clock()
    cells = [cell("a", epochs=10, seed=s, time_limit=60.0, group="g") for s in range(3)]
    left = TimeLeft(cells, clock=clock)
    for running in cells:
        left.started(running)
        left.phase(running, "fit")
    clock.now += 30
    left.progress(cells[0], 2, 10)
    assert left.too_slow(cells[0]) is None, "150 s of 180"
    clock.now += 10
    left.progress(cells[0], 2, 10)
    assert left.too_slow(cells[0]) == pytest.approx(200)


def test_a_failed_cell_says_nothing_about_others() -> None:
    clock, cells = Clock(), [cell("a", seed=s) for s in range(2)]
    left = TimeLeft(cells, clock=clock)
    left.started(cells[0])
    left.ended(cells[0], 0.1, ok=False)
    assert seconds(left) is None


# One run of sem-failure on two cores, in its order: model, epochs, seconds before the training, in all.
REAL = [
    ("hffnet-2d", 13, 19.4, 222.6),
    ("timm:resnet10t", 6, 0.1, 65.6),
    ("timm:regnetx_002", 8, 0.1, 39.7),
    ("timm:mobilenetv3_small_050", 10, 0.1, 65.3),
    ("forest", None, 27.0, 30.7),
    ("forest[inputs=grey_histogram]", None, 0.1, 2.8),
    ("prior", None, 0.1, 0.2),
]


def test_a_real_run_replayed_is_known_within_a_factor_of_two() -> None:
    """The slowest model runs first; where the factor is missed, it is by less than a tenth of the run."""
    cells = [cell(label, epochs=e, accelerated=e is not None) for label, e, _, _ in REAL]
    clock = Clock()
    left = TimeLeft(cells, clock=clock)
    whole = sum(total for *_, total in REAL)
    seen: list[tuple[float, float]] = []
    for i, (running, (_, _, before, total)) in enumerate(zip(cells, REAL, strict=True)):
        after = sum(total for *_, total in REAL[i + 1 :])
        for rest in run(left, clock, running, before, total - before):
            said = seconds(left)
            assert said is not None
            seen.append((rest + after, said))
    assert len(seen) > 30
    for true, said in seen:
        assert true / 2 <= said <= true * 2 or abs(said - true) < 0.1 * whole, (true, said)


def test_other_runs_on_the_folder_do_their_share() -> None:
    clock, cells = Clock(), [cell("a", seed=s) for s in range(12)]
    left = TimeLeft(cells, clock=clock)
    list(run(left, clock, cells[0], 0, 10))
    assert seconds(left) == pytest.approx(110)
    left.elsewhere(cells[1], 10.0)
    assert seconds(left) == pytest.approx(50)  # ten cells, half of them ours
    left.elsewhere(cells[2], 10.0)
    list(run(left, clock, cells[3], 0, 10))
    assert seconds(left) == pytest.approx(40)


def test_cells_that_are_fitted_together_take_the_time_of_their_process_once() -> None:
    """Ten of 100 seconds are over; four more cells of the group wait for a second process."""
    clock = Clock()
    cells = [cell("a", epochs=10, seed=s, group="g") for s in range(8)]
    left = TimeLeft(cells, clock=clock)
    for running in cells[:4]:
        left.started(running)
        left.phase(running, "fit")
    clock.now += 10
    for running in cells[:4]:
        left.progress(running, 1, 10)
        left.progress(running, 2, 20)
    assert seconds(left) == pytest.approx(90 + 100)
    clock.now += 90
    for running in cells[:4]:
        left.ended(running, 25.0)
    assert seconds(left) == pytest.approx(100)
    for running in cells[4:]:
        left.started(running)
    clock.now += 40
    assert seconds(left) == pytest.approx(60)
    left.ended(cells[4], 10.0)
    clock.now += 1
    assert seconds(left) is not None
