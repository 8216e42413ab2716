"""Cells that predict samples of other data beside their test samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench import BadInput
from hmcbench.execute.runner import execute
from hmcbench.leaderboard.build import build
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.ends import PathConfidence
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.datasets import check_far, load_datasets
from hmcbench.plan.suite import parse_suite
from hmcbench.records.record import Record, read_record
from hmcbench.registry.registry import default_registry
from hmcbench.report.card import cards

SUITE = """
[suite]
name = "far"
version = 1
datasets = ["%s"]
primary = "hf1_samples"
columns = ["hf1_samples", "far_auroc"]
[protocol]
test = 0.3
calibration = 0.2
%s
[profiles.quick]
models = ["%s"]
"""
NAMED = 'far_unknown = "toy-tree[noise=3]"'


def plan_of(dataset: str = "toy-tree[noise=1]", more: str = NAMED, model: str = "knn") -> Plan:
    return make_plan(parse_suite(SUITE % (dataset, more, model), "file"), default_registry(), Choices())


@pytest.fixture
def record(tmp_path: Path) -> Record:
    (written,) = execute(plan_of(), tmp_path, executor="here").done
    assert written.ok, written.message
    return written


def test_they_are_predicted_and_stored_without_a_class(record: Record) -> None:
    predictions = record.predictions()
    far = predictions.of_side("far")
    assert len(far) == record.counts["far"] > 0 and all(name.startswith("far/") for name in far.ids)
    assert not far.truth.toarray().any()
    assert set(record.data["metrics"]) == {"validation", "test"}, "no metrics of their own"
    assert record.part("timing")["far_s"] > 0 and record.part("split")["far_unknown"] == "toy-tree[noise=3]"
    # the slow way
    test = predictions.of_side("test")
    sides = [1 - PathConfidence.of(part.scores, part.stop, part.task).chosen for part in (far, test)]
    wins = [(a > b) + (a == b) / 2 for a in sides[0] for b in sides[1]]
    assert record.metrics("test")["far_auroc"] == pytest.approx(np.mean(wins))


def test_everything_else_is_as_without(record: Record, tmp_path: Path) -> None:
    (plain,) = execute(plan_of(more=""), tmp_path / "plain", executor="here").done
    assert plain.key != record.key and "far" not in plain.counts
    own = {k: v for k, v in record.metrics("test").items() if not k.startswith("far_")}
    assert own == dict(plain.metrics("test"))


def test_boards_and_cards_show_it_with_an_interval(record: Record) -> None:
    info = {"suite": {"name": "far", "primary": "hf1_samples", "columns": ["far_auroc"]}}
    (board,) = build([record], info, specs=SPECS)
    cell = board.rows[0].cells["far_auroc"]
    assert cell.low is not None and cell.low <= cell.mean <= cell.high
    (card,) = cards([record], None, "knn", default_registry())
    (section,) = [part for part in card.sections if part.title == "What it has never seen"]
    assert "samples of other data: toy-tree[noise=3]" in section.lines[0]
    value = record.metrics("test")["far_fpr95"]
    assert any(line.startswith(f"far_fpr95 {value:.3f}") for line in section.lines)


def test_numbers_follow_from_what_is_stored(record: Record, cli: Callable[..., Any], tmp_path: Path) -> None:
    assert "far_auroc" in record.metrics("test")
    rescored = cli("rescore", tmp_path)
    assert rescored.status == 0 and read_record(record.path).data["metrics"] == record.data["metrics"]
    assert cli("verify", tmp_path).status == 0


@pytest.mark.parametrize(
    ("dataset", "more", "model", "says"),
    [
        ("toy-tree[noise=1]", 'far_unknown = "toy-tree[noise=1]"', "knn", "these are the data of the suite"),
        ("toy-tree[noise=1]", 'far_unknown = "toy-tre"', "knn", "toy-tre"),
        ("toy-tree[noise=1]", 'far_unknown = "sem-failure"', "knn", "it has no view"),
        ("toy-dag", NAMED, "knn", "one label path"),
    ],
)
def test_bad_values_are_one_line(dataset: str, more: str, model: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as raised:
        plan_of(dataset, more, model)
    assert "\n" not in str(raised.value).splitlines()[0]


def test_a_model_of_a_view_that_they_lack_is_one_line() -> None:
    (data,) = load_datasets(default_registry(), plan_of().suite.protocol, "toy-tree[noise=1]", Choices())
    check_far(data, "knn", {"table"})
    with pytest.raises(BadInput, match=r"it has no view image like that of toy-tree.*, which net reads"):
        check_far(data, "net", {"table", "image"})


def test_a_worker_notices_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of()
    (cell,) = plan.cells
    split = {**cell.record["split"], "far_fingerprint": "other"}
    changed = replace(plan, cells=[replace(cell, record={**cell.record, "split": split})])
    (failed,) = execute(changed, tmp_path, executor="here").done
    assert not failed.ok and "changed while the run was going on" in failed.message
