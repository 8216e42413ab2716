"""Values under decision rules are recomputed like all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.rules.scoring import find_rules
from hmcbench.records.record import Record, read_record
from hmcbench.records.rescore import rescore
from hmcbench.registry.registry import default_registry
from hmcbench.verify.findings import SuiteReport
from hmcbench.verify.rules import check_rules


@pytest.fixture
def ruled(fabricate: Callable[..., Record]) -> Record:
    """A record that was scored under two rules."""
    record = fabricate("a", 0.8)
    rescore(record.path, rules=find_rules(default_registry(), ["isotonic", "map"]))
    return read_record(record.path)


def checked(record: Record) -> tuple[SuiteReport, dict[str, Any]]:
    report = SuiteReport("smoke")
    return report, check_rules(record, record.predictions(), SPECS, report)


def test_right_values_are_clean(ruled: Record) -> None:
    report, rules = checked(ruled)
    assert not report.findings
    assert report.recomputed > 50
    assert rules == ruled.part("rules")


def test_a_changed_value_is_found_and_recomputed(ruled: Record) -> None:
    values = ruled.data["rules"]["map"]["metrics"]["test"]
    right, values["exact_match"] = values["exact_match"], 0.99
    report, rules = checked(ruled)
    assert [finding.what for finding in report.findings] == ["test exact_match under map"]
    assert rules["map"]["metrics"]["test"]["exact_match"] == right


def test_a_rule_that_gives_no_values_is_found(ruled: Record) -> None:
    ruled.data["rules"]["product"] = ruled.data["rules"]["isotonic"]  # not defined for single paths
    report, _ = checked(ruled)
    assert [finding.what for finding in report.findings] == ["rule product gives no values (not defined)"]


def test_other_versions_and_absent_rules_are_not_checkable(ruled: Record) -> None:
    ruled.data["rules"]["gone"] = ruled.data["rules"]["map"]
    ruled.data["rules"]["isotonic"]["version"] = "0"
    report, rules = checked(ruled)
    assert not report.findings
    assert [note.partition(":")[0] for note in report.notes] == [
        "rule isotonic",
        "rule gone is not installed",
    ]
    assert rules == ruled.part("rules")
