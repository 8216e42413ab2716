"""Verdicts on published rows, paired differences, and the model chosen on validation."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build, differences
from hmcbench.leaderboard.inference import Estimate, contrast
from hmcbench.leaderboard.render.console import print_console
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.leaderboard.summary import chosen
from hmcbench.leaderboard.verdicts import joint_level, row_verdict, value_verdict
from hmcbench.records.record import NPZ, Record

Fabricate = Callable[..., Record]
ROW = {"model": "Paper", "source": "s", "data": "d", "note": "", "measured": "net"}


def board(records: list[Record], published: dict[str, Any] | None = None, **suite: Any) -> Board:
    rows = [] if published is None else [ROW | published]
    return build(records, {"suite": {"name": "smoke", **suite}, "published": rows})[0]


def outcome(record: Record, **published: Any) -> tuple[str, list[str]]:
    value = record.data["metrics"]["test"]["hf1_samples"]
    verdict = board([record], {"metrics": {"hf1_samples": value}, **published}).published[0].verdict
    assert verdict is not None
    return verdict.outcome, verdict.reasons


def test_without_the_papers_data_nothing_is_testable(fabricate: Fabricate) -> None:
    record = fabricate("net", 0.9, sizes={"test": 1000})
    fingerprint = record.data["dataset"]["fingerprint"]
    assert outcome(record) == ("not testable", ["its images are not public"])
    assert outcome(record, fingerprint="0" * 64) == ("not testable", ["measured on other data"])
    assert outcome(record, fingerprint=fingerprint) == ("reproduced", [])


def test_nor_without_its_weights_or_in_another_profile_or_unmeasured(fabricate: Fabricate) -> None:
    record = fabricate("net", 0.9)
    same: dict[str, Any] = {"fingerprint": record.data["dataset"]["fingerprint"]}
    scratch = outcome(record, pretrained=True, **same)
    assert scratch == ("not testable", ["measured without pretrained weights"])
    other, reasons = outcome(record, profile="paper", **same)
    assert other == "not testable" and reasons == ["measured in profile quick, not paper"]
    assert outcome(record, measured="another", **same)[1] == ["our model has no whole row here"]
    weights = fabricate("net", 0.9, sizes={"test": 1000}, model={"pretrained": True})
    assert (
        outcome(weights, pretrained=True, fingerprint=weights.data["dataset"]["fingerprint"])[0]
        == "reproduced"
    )


def test_a_value_outside_our_interval_is_not_reproduced(fabricate: Fabricate) -> None:
    record = fabricate("net", 0.7)
    verdict, reasons = outcome(
        record, fingerprint=record.data["dataset"]["fingerprint"], metrics={"hf1_samples": 0.99}
    )
    assert verdict == "not reproduced"
    assert reasons == ["hf1_samples 0.9900 is outside [0.591, 0.773], where one split of ours lies"]


@pytest.mark.parametrize(("published", "verdict"), [(0.0, "not reproduced"), (9.0, "better")])
def test_an_error_that_is_no_column_has_the_direction_of_its_metric(
    published: float, verdict: str, fabricate: Fabricate
) -> None:
    record = fabricate("net", 0.7)
    record.data["metrics"]["test"]["tree_path_distance"] = 1.0
    of_paper = {"metrics": {"tree_path_distance": published}}
    told = outcome(record, fingerprint=record.data["dataset"]["fingerprint"], **of_paper)
    assert told[0] == verdict


@pytest.mark.parametrize(
    ("published", "interval", "better", "verdict"),
    [
        (0.95, (0.93, 0.96), "higher", "reproduced"),
        (0.95, (0.9504, 0.97), "higher", "reproduced"),  # 0.95 may stand for 0.9504
        (0.95, (0.96, 0.97), "higher", "better"),
        (0.95, (0.90, 0.94), "higher", "not reproduced"),
        (0.95, (0.90, 0.94), "lower", "better"),
        (0.95, (0.96, 0.97), "lower", "not reproduced"),
        (0.95, (0.96, 0.97), "", "undecided"),
        (0.95, (0.90, 0.94), "", "undecided"),
        (0.95, (0.93, 0.96), "", "reproduced"),
        (0.954, (0.695, 0.986), "higher", "undecided"),  # a noisy copy
        (0.5, (0.695, 0.986), "higher", "better"),
        (0.95, None, "higher", "undecided"),
        (math.nan, (0.9, 0.94), "higher", "not testable"),
    ],
)
def test_verdicts_on_values(
    published: float, interval: tuple[float, float] | None, better: str, verdict: str
) -> None:
    assert value_verdict(published, interval, better, 3, 1.0) == verdict


def test_the_margin_of_errors_is_relative() -> None:
    assert value_verdict(40.0, (38.5, 41.5), "lower", 1, None) == "reproduced"
    assert value_verdict(40.0, (37.5, 42.5), "lower", 1, None) == "undecided"


def test_the_worst_value_decides_for_the_row() -> None:
    assert row_verdict(["reproduced", "better"]) == "better"
    assert row_verdict(["undecided", "better", "not reproduced"]) == "not reproduced"
    assert row_verdict(["reproduced", "undecided"]) == "undecided"
    assert row_verdict(["reproduced", "not testable"]) == "reproduced"
    assert row_verdict(["not testable"]) == "not testable"


def test_values_of_a_row_are_judged_together() -> None:
    assert joint_level(1) == 0.95
    assert joint_level(9) ** 9 == pytest.approx(0.95)


def test_a_model_that_was_trained_once_reproduces_nothing(fabricate: Fabricate) -> None:
    record = fabricate("net", 0.9, sizes={"test": 1000}, model={"deterministic": False})
    verdict, reasons = outcome(record, fingerprint=record.data["dataset"]["fingerprint"])
    assert verdict == "undecided" and reasons == ["hf1_samples: trained once, so the spread is unknown"]


def test_equal_values_of_all_splits_reproduce_nothing(fabricate: Fabricate) -> None:
    records = [fabricate("net", fold=fold, prefix=f"f{fold}") for fold in range(3)]
    for record in records:
        record.data["metrics"]["test"]["hf1_samples"] = 0.75
    same = {"metrics": {"hf1_samples": 0.75}, "fingerprint": records[0].data["dataset"]["fingerprint"]}
    verdict = board(records, same).published[0].verdict
    assert verdict is not None and verdict.outcome == "undecided"
    assert verdict.reasons == ["hf1_samples: all splits have the same value, which says nothing of another"]


def test_nor_does_a_model_whose_test_samples_are_not_known(fabricate: Fabricate) -> None:
    record = fabricate("net", 0.9, sizes={"test": 1000})
    replace(record.predictions(), truth=None).save(record.path / NPZ)
    verdict, reasons = outcome(record, fingerprint=record.data["dataset"]["fingerprint"])
    assert (verdict, reasons) == ("undecided", ["hf1_samples: the spread over test samples is unknown"])


def test_rows_that_name_no_model_of_ours_get_no_verdict(fabricate: Fabricate) -> None:
    shown = board([fabricate("net")], {"metrics": {"hf1_samples": 0.9}, "measured": ""})
    assert shown.published[0].verdict is None
    assert "Verdicts" not in to_markdown(Boards([shown]))


def test_differences_are_paired_and_adjusted(fabricate: Fabricate) -> None:
    records = [fabricate("net", 0.9), fabricate("equal", 0.9), fabricate("worse", 0.6)]
    shown = board(records, reference="net", columns=["hf1_samples"])
    rows = {d.model: d for d in shown.differences if d.metric == "hf1_samples"}
    assert set(rows) == {"equal", "worse"}
    assert (rows["equal"].mean, rows["equal"].low, rows["equal"].high, rows["equal"].p) == (0, 0, 0, 1)
    worse = rows["worse"]
    assert worse.low is not None and worse.high is not None and worse.p is not None
    assert worse.low < worse.mean < worse.high < 0 and worse.p < 0.01
    assert board(records, reference="nobody").differences == []
    assert board(records).differences == []


def test_differences_against_a_bootstrap_by_hand(fabricate: Fabricate) -> None:
    shown = board([fabricate("net", 0.9), fabricate("worse", 0.8)], reference="net")
    column = shown.columns[0]
    rng = np.random.default_rng(0)
    a, b = (Estimate(np.array([m]), draws=m + rng.normal(0, 0.01, 1000)) for m in (0.88, 0.9))
    (row,) = differences("b", {"a": {column.id: a}, "b": {column.id: b}}, [column])
    assert a.draws is not None and b.draws is not None
    assert (row.low, row.high) == pytest.approx(
        tuple(np.quantile(a.draws - b.draws, [0.025, 0.975])), abs=0.002
    )
    assert row.p == contrast(a, b).p


def test_the_choice_is_made_on_validation_alone(fabricate: Fabricate) -> None:
    """The model with the better test scores loses where its validation scores are lower."""

    def record(label: str, fold: int, valid: float, test: float) -> Record:
        fabricated = fabricate(label, split={"fold": fold})
        fabricated.data["metrics"] = {"validation": {"m": valid}, "test": {"m": test}}
        return fabricated

    class Rows:
        def __init__(self, label: str, ok: list[Record]) -> None:
            self.label, self.ok = label, ok

    a = Rows("a", [record("a", 0, 0.9, 0.5), record("a", 1, 0.8, 0.7)])
    b = Rows("b", [record("b", 0, 0.7, 0.9), record("b", 1, 0.9, 0.8)])
    some: Any = [a, b]
    expected = "a (validation m 0.850): test 0.600, mean of 2 folds; chosen in each fold anew: test 0.650"
    assert chosen(some, "m", "higher") == expected
    assert chosen(some, "m", "lower").startswith("b (validation m 0.800): test 0.850")
    assert chosen(some[:1], "m", "higher") == ""
    half: Any = [a, Rows("b", b.ok[:1])]
    assert chosen(half, "m", "higher") == ""


def test_every_format_shows_them(fabricate: Fabricate) -> None:
    shown = board([fabricate("net", 0.9), fabricate("o|ther", 0.7)], {"metrics": {}}, reference="net")
    page = to_markdown(Boards([shown]))
    assert "Paired differences to net" in page and "not testable" in page and "o\\|ther" in page
    assert "chosen on validation: net" in page
    out = io.StringIO()
    print_console(Boards([shown]), Console(file=out, width=160))
    assert "Paired differences to net" in out.getvalue() and "not testable" in out.getvalue()
    data = json.loads(to_json(Boards([shown])))["boards"][0]
    assert data["published"][0]["verdict"]["outcome"] == "not testable"
    assert data["differences"][0]["model"] == "o|ther"


def test_published_rows_of_other_data_than_those_given_are_hidden(fabricate: Fabricate) -> None:
    record = fabricate("net", 0.9, dataset={"given": True})
    same = record.data["dataset"]["fingerprint"]
    metrics = {"hf1_samples": 0.5}
    assert board([record], {"metrics": metrics}).published == []
    assert board([record], {"metrics": metrics, "fingerprint": "0" * 64}).published == []
    (row,) = board([record], {"metrics": metrics, "fingerprint": same}).published
    assert row.same_data and row.verdict is not None
    stand_in = fabricate("net", 0.9, key="f" * 64, dataset={"given": False})
    assert [row.same_data for row in board([stand_in], {"metrics": metrics}).published] == [False]


def test_a_published_row_is_on_the_board_of_its_dataset_alone(fabricate: Fabricate) -> None:
    record = fabricate("net", 0.9, dataset={"reference": "toy[split_by=system]"})
    metrics = {"hf1_samples": 0.5}
    assert board([record], {"metrics": metrics, "dataset": "toy"}).published == []
    (row,) = board([record], {"metrics": metrics, "dataset": "toy[split_by=system]"}).published
    assert row.dataset == "toy[split_by=system]"


def test_a_verdict_reads_stored_metrics_of_the_row_that_its_model_has(fabricate: Fabricate) -> None:
    """Neither is the metric a column of the board, nor is the row called by the bare name of its model."""
    record = fabricate("net[x=1]", 0.9)
    value = record.data["metrics"]["test"]["level1_argmax_accuracy"]
    published = {
        "metrics": {"level1_argmax_accuracy": value},
        "fingerprint": record.data["dataset"]["fingerprint"],
    }
    shown = board([record], published, columns=["hf1_samples"])
    assert "level1_argmax_accuracy" not in [column.id for column in shown.columns]
    verdict = shown.published[0].verdict
    assert verdict is not None and verdict.model == "net[x=1]"
    assert verdict.measured == {"level1_argmax_accuracy": value}
    cell = shown.rows[0].cells["level1_argmax_accuracy"]
    assert cell.low is not None and cell.high is not None and cell.low < value < cell.high
