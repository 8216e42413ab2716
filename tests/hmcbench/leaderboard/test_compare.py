from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.leaderboard.columns import split_side
from hmcbench.leaderboard.compare import Compared, compare_models, method
from hmcbench.leaderboard.draws import Draws
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import rows
from hmcbench.leaderboard.samples import Samples
from hmcbench.metrics.builtin import SPECS
from hmcbench.records.record import NPZ, Record

Fabricate = Callable[..., Record]


def compare(records: list[Record], **more: object) -> Compared:
    return compare_models(records, "a", "b", SPECS, **more)  # type: ignore[arg-type]


def test_a_clear_difference(fabricate: Fabricate) -> None:
    compared = compare([fabricate("a", 0.95), fabricate("b", 0.6), fabricate("c", 0.5)])
    (board,) = compared.boards
    assert board.size == "200 test samples, the same for both; 1 seed each; 1 split"
    first = board.metrics[0]
    assert first.metric == "hf1_samples" and first.verdict == "a is better than b"
    assert first.difference.mean == pytest.approx(first.a - first.b)
    assert first.difference.low is not None and first.difference.low > 0
    assert (
        board.method
        == "paired bootstrap, 1,000 draws of the same test samples for both; p adjusted for 3 metrics (Holm)"
    )
    said = " ".join(board.caveats)
    assert "one split" in said and "profile quick" in said and "ranks on this board" in said
    assert "synthetic" not in said and "cannot be seen" not in said


def test_every_row_is_drawn_once(fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    draws = Samples.draws

    def counted(self: Samples, records: Sequence[Record]) -> Draws:
        drawn.append(records[0].label)
        return draws(self, records)

    monkeypatch.setattr(Samples, "draws", counted)
    records = [fabricate("a", 0.95), fabricate("b", 0.6), fabricate("c", 0.5)]
    (board,) = compare(records).boards
    assert drawn == ["a", "b", "c"]
    drawn.clear()
    (other,) = compare(records, names=["hf1_samples", "hf1_micro"]).boards  # the second is no column
    assert drawn == ["a", "b", "c", "a", "b"]
    assert other.metrics[0].difference.low == board.metrics[0].difference.low
    assert other.metrics[1].metric == "hf1_micro" and other.metrics[1].difference.low is not None


def test_the_order_of_the_two_does_not_matter(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.95), fabricate("b", 0.6)]
    forward, other = compare(records), compare_models(records, "b", "a", SPECS)
    left, right = forward.boards[0].metrics[0], other.boards[0].metrics[0]
    assert left.verdict == right.verdict and left.difference.p == right.difference.p
    assert left.difference.mean == -right.difference.mean


def test_two_versions_of_a_model_are_named_as_the_board_names_them(fabricate: Fabricate) -> None:
    """They could not be compared, with each other or with a third row."""
    versions = [fabricate("a", accuracy, model={"version": v}) for v, accuracy in (("1", 0.95), ("2", 0.6))]
    records = [*versions, fabricate("b", 0.6)]
    (board,) = compare_models(records, "a v1", "a v2", SPECS).boards
    assert board.metrics[0].verdict == "a v1 is better than a v2"
    assert compare_models(records, "b", "a v1", SPECS).boards
    with pytest.raises(BadInput, match=r"a stands for 2 rows.*one of a v1, a v2"):
        compare(records)


def test_no_difference_is_not_equality(fabricate: Fabricate) -> None:
    (board,) = compare([fabricate("a", 0.80), fabricate("b", 0.79)]).boards
    first = board.metrics[0]
    assert first.verdict.startswith("not told apart; a difference of up to 0.0")
    assert "not shown to be equal" in first.verdict
    assert any("cannot be seen" in line for line in board.caveats)


def test_lower_may_be_better(fabricate: Fabricate) -> None:
    (board,) = compare([fabricate("a", 0.95), fabricate("b", 0.5)], names=["level1_brier"]).boards
    assert [m.metric for m in board.metrics] == ["level1_brier"]
    assert board.metrics[0].a < board.metrics[0].b and board.metrics[0].verdict == "a is better than b"
    assert "Holm" not in board.method


def test_a_metric_without_direction_has_values_and_no_verdict(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.95), fabricate("b", 0.6), fabricate("c", 0.6)]
    for record, value in zip(records, (0.25, 0.5), strict=False):
        record.data["metrics"]["test"]["conformal_coverage"] = value
    (board,) = compare(records, names=["conformal_coverage"]).boards
    (shown,) = board.metrics
    assert (shown.a, shown.b, shown.difference.mean, shown.difference.p) == (0.25, 0.5, -0.25, None)
    assert shown.verdict == "it has no direction, so that neither is better"
    (board,) = compare_models(records, "a", "c", SPECS, names=["conformal_coverage"]).boards
    assert not board.metrics and "conformal_coverage: c has no value of it" in board.more


def test_a_metric_whose_plugin_is_absent_has_no_known_direction(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.95), fabricate("b", 0.6)]
    for record in records:
        record.data["metrics"]["test"]["of_a_plugin"] = 0.5
    (board,) = compare(records, names=["of_a_plugin"]).boards
    assert board.metrics[0].verdict == "of_a_plugin is not installed, so its direction is not known"


@pytest.mark.parametrize("without", ["ab", "a", "b"])
def test_a_row_without_a_value_of_the_metrics_is_compared_all_the_same(
    without: str, fabricate: Fabricate
) -> None:
    records = [fabricate("a", 0.95), fabricate("b", 0.6)]
    for record in records:
        record.data["metrics"]["test"] = {} if record.label in without else {"of_a_plugin": 0.5}
    suite = {"suite": {"name": "smoke", "primary": "of_a_plugin", "columns": ["of_a_plugin"]}}
    (board,) = compare(records, info=suite).boards
    assert board.metrics == [] and board.method == "nothing: there is no metric that both have a value of"
    estimator: Any = None
    assert method([{}, {}], 0, estimator) == board.method


def test_an_at_sign_in_a_class_is_no_further_test_set(fabricate: Fabricate) -> None:
    name = "class_f1[steel@800K]"
    records = [fabricate("a", 0.95), fabricate("b", 0.6)]
    for record in records:
        record.data["metrics"]["test"][name] = 0.9
    assert split_side(f"{name}@far-drop") == (name, "far-drop")
    (row, _), _ = rows(records)
    assert Estimator([row], [name], [], SPECS).row(row)[name].bounds == (0.0, 1.0)
    (board,) = compare(records, info={"suite": {"name": "smoke", "columns": [name]}}).boards
    assert name in [measured.metric for measured in board.metrics]


def test_one_training_says_nothing_of_a_method(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.95, model={"deterministic": False}), fabricate("b", 0.5)]
    (board,) = compare(records).boards
    verdict = (
        "the a trained here is ahead of the b trained here; one training of a says nothing of the method"
    )
    assert board.metrics[0].verdict == verdict
    assert any(line.startswith("one seed: it tells two trained models apart") for line in board.caveats)
    (sure,) = compare([fabricate("a", 0.95), fabricate("b", 0.5)]).boards
    assert sure.metrics[0].verdict == "a is better than b"
    assert not any(line.startswith("one seed") for line in sure.caveats)


def test_several_seeds_and_groups(fabricate: Fabricate) -> None:
    records = [fabricate(m, acc, seed=s, groups=True) for m, acc in (("a", 0.9), ("b", 0.6)) for s in (0, 1)]
    (board,) = compare(records).boards
    assert (
        board.size.startswith("200 test samples, the same for both, in ")
        and "groups; 2 seeds each" in board.size
    )
    assert "widened for the spread of seeds" in board.method and not any(
        "one seed" in line for line in board.caveats
    )
    assert board.more[0] == "hf1_samples: a is better in 100 % of 2 cells of the same fold and seed"


def test_repeated_splits(fabricate: Fabricate) -> None:
    records = [
        fabricate(
            *(m, acc + 0.01 * f),
            **{"fold": f, "prefix": f"f{f}", "sizes": {"test": 80}, "model": {"deterministic": False}},
        )
        for m, acc in (("a", 0.9), ("b", 0.6))
        for f in range(4)
    ]
    (board,) = compare(records).boards
    assert "4 random splits" in board.size and "Nadeau and Bengio" in board.method
    assert any("repeated over the folds alone" in line for line in board.caveats)


def test_the_same_difference_on_all_splits_says_nothing_of_another(fabricate: Fabricate) -> None:
    records = [fabricate(m, fold=f, prefix=f"f{f}") for m in "ab" for f in range(3)]
    for record in records:
        more = 0.125 if record.label == "a" else 0.0
        record.data["metrics"]["test"]["hf1_samples"] = 0.5 + 0.1 * record.fold + more
    (board,) = compare(records, names=["hf1_samples"]).boards
    reason = "the difference is the same on all splits, which says nothing of another"
    assert board.metrics[0].verdict == f"nothing can be said: {reason}"
    del records[0].data["metrics"]["test"]["hf1_samples"]
    (board,) = compare(records, names=["hf1_samples"]).boards
    assert board.metrics[0].verdict == "nothing can be said: one of the two has no value on some splits"


def test_the_same_value_of_all_seeds_says_nothing_of_samples(fabricate: Fabricate) -> None:
    cells = [(model, seed, fold) for model in "ab" for seed in (0, 1) for fold in (0, 1)]
    records = [fabricate(model, seed=seed, fold=fold, prefix=f"f{fold}") for model, seed, fold in cells]
    for record in records:
        record.data["split"]["kind"] = "kfold"
        record.data["metrics"]["test"]["hf1_samples"] = 0.75 if record.label == "a" else 0.5
        replace(record.predictions(), truth=None).save(record.path / NPZ)
    (board,) = compare(records, names=["hf1_samples"]).boards
    reason = "all seeds have the same value, which says nothing of other samples"
    assert board.metrics[0].verdict == f"nothing can be said: {reason}"


def test_without_truth_seeds_are_compared_or_nothing(fabricate: Fabricate) -> None:
    records = [fabricate(m, acc, seed=s) for m, acc in (("a", 0.9), ("b", 0.6)) for s in (0, 1)]
    for record in records:
        replace(record.predictions(), truth=None).save(record.path / NPZ)
    (board,) = compare(records).boards
    assert board.method.startswith("Welch's test over seeds, not paired")
    (alone,) = compare([records[0], records[2]]).boards
    assert alone.metrics[0].verdict.startswith("nothing can be said")
    assert alone.method.startswith("nothing: no predictions with truth")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (30.0, "10 times as long as"),
        (3.001, "as long as"),
        (2.7, "0.9 times as long as"),
        (0.3, "1/10 as long as"),
    ],
)
def test_costs_are_ratios_in_words(fabricate: Fabricate, seconds: float, words: str) -> None:
    records = [fabricate("a", 0.9, timing={"fit_s": seconds}), fabricate("b", 0.6, timing={"fit_s": 3.0})]
    (board,) = compare(records).boards
    assert any(line.startswith(f"time to fit: a takes {words} b (") for line in board.more), board.more


def test_costs_compare_on_one_hardware_only(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.9, timing={"fit_s": 30.0}), fabricate("b", 0.6, timing={"fit_s": 3.0})]
    (board,) = compare(records).boards
    assert "time to fit: a takes 10 times as long as b (30 against 3)" in board.more
    assert (
        any("a takes 1/" in line for line in compare_models(records, "b", "a", SPECS).boards[0].more) is False
    )
    records[1] = fabricate("b", 0.6, hardware={"fingerprint": "hw2"})
    (board,) = compare(records).boards
    assert board.more == ["their costs do not compare: they were measured on different hardware"]


def test_failed_cells_and_synthetic_samples_are_told(fabricate: Fabricate) -> None:
    data = {"synthetic": True}
    records = [fabricate("a", dataset=data), fabricate("b", 0.6, dataset=data)]
    records.append(fabricate("b", seed=1, status="failed", cause="crash", dataset=data))
    (board,) = compare(records).boards
    assert board.caveats[0].startswith("these samples are synthetic")
    assert any(line.startswith("b: 1 of its 2 cells failed") for line in board.caveats)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"profile": "paper"}, "profile quick against paper"),
        ({"suite": {"version": 2}}, "suite version 1 against 2"),
        (
            {"dataset": {"fingerprint": "e" * 64}},
            "data fingerprint dddddddddddddddd against eeeeeeeeeeeeeeee",
        ),
        ({"dataset": {"name": "other"}}, "dataset toy against other"),
        ({"split": {"fingerprint": "e" * 64}}, "split "),
    ],
)
def test_why_two_do_not_compare(fabricate: Fabricate, changes: dict[str, object], says: str) -> None:
    compared = compare([fabricate("a"), fabricate("b", **changes)])
    assert compared.boards == []
    assert len(compared.reasons) == 1 and says in compared.reasons[0]
    assert compared.reasons[0].startswith("a and b were not measured on the same: ")


def test_a_row_that_is_not_whole(fabricate: Fabricate) -> None:
    records = [fabricate("a", fold=f, prefix=f"f{f}") for f in (0, 1)] + [fabricate("b", prefix="f0")]
    compared = compare(records)
    assert compared.boards == [] and "b has no whole row (no seed has all folds)" in compared.reasons[0]
    failed = [fabricate("a", seed=5), fabricate("b", seed=5, status="failed", cause="crash")]
    assert "b has no whole row (no cell ended well)" in compare(failed).reasons[0]


@pytest.mark.parametrize(
    ("a", "b", "names", "says"),
    [
        ("a", "x", (), "unknown model 'x'"),
        ("a", "a", (), "cannot be compared with itself"),
        ("a", "b", ("hf1_sample",), "did you mean 'hf1_samples'"),
    ],
)
def test_bad_input(fabricate: Fabricate, a: str, b: str, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        compare_models([fabricate("a"), fabricate("b")], a, b, SPECS, names=names)
