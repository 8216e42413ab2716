"""Values under shifts are recomputed, published and rescored like all others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.metrics.builtin import SPECS
from hmcbench.publish.publish import publish
from hmcbench.records.record import Record, read_record
from hmcbench.records.rescore import rescore
from hmcbench.records.shifts import FILE
from hmcbench.verify.findings import SuiteReport
from hmcbench.verify.shifts import check_shifts
from hmcbench.verify.tree import verify_results


@pytest.fixture
def shifted(fabricate: Callable[..., Record], shift: Callable[..., Record]) -> Record:
    return shift(fabricate("a", 0.8), 0.9)


def checked(record: Record) -> tuple[SuiteReport, dict[str, Any]]:
    report = SuiteReport("smoke")
    return report, check_shifts(record, record.predictions(), SPECS, report)


def test_right_values_are_clean(shifted: Record) -> None:
    report, part = checked(shifted)
    assert not report.findings and report.recomputed == 2 * 2 * 3
    assert part == shifted.part("shifts")


def test_a_changed_value_is_found_and_recomputed(shifted: Record) -> None:
    values = shifted.data["shifts"]["of"]["noise"]["metrics"][1]
    right, values["hf1_samples"] = values["hf1_samples"], 0.99
    report, part = checked(shifted)
    assert [finding.what for finding in report.findings] == ["hf1_samples under noise at 1"]
    assert part["of"]["noise"]["metrics"][1]["hf1_samples"] == right


def test_another_file_is_found(shifted: Record) -> None:
    shifted.data["shifts"]["sha256"] = "0" * 64
    assert [finding.what for finding in checked(shifted)[0].findings] == [f"digest of {FILE}"]
    (shifted.path / FILE).write_bytes(b"other")
    assert [finding.kind for finding in checked(shifted)[0].findings] == ["unreadable"]


def test_a_metric_that_is_not_installed_stays(shifted: Record) -> None:
    for values in shifted.data["shifts"]["of"]["noise"]["metrics"]:
        values["gone"] = 0.5
    report, part = checked(shifted)
    assert not report.findings and "metric gone is not installed" in report.notes[0]
    assert part["of"]["noise"]["metrics"][0]["gone"] == 0.5


def test_a_metric_that_failed_at_one_severity_stays_without_a_value_there(shifted: Record) -> None:
    """What is recomputed here had no value on the published board."""
    noise = shifted.data["shifts"]["of"]["noise"]
    del noise["metrics"][0]["hf1_samples"]
    noise["metric_failures"] = {"0.5": {"hf1_samples": "RuntimeError: no"}}
    report, part = checked(shifted)
    assert not report.findings and part == shifted.part("shifts")


def test_a_value_before_a_shift_is_checked_where_the_metric_failed_under_it(
    fabricate: Callable[..., Record], shift: Callable[..., Record]
) -> None:
    """Metrics were taken from the severities alone: a changed value before the shift went through."""
    record = shift(fabricate("a", 0.8), 0.9, names=("noise",), seen={"noise": range(0, 200, 3)})
    noise = record.data["shifts"]["of"]["noise"]
    for values in noise["metrics"]:
        del values["hf1_samples"]
    noise["metric_failures"] = {s: {"hf1_samples": "RuntimeError: no"} for s in ("0.5", "1")}
    report, part = checked(record)
    assert not report.findings and part == record.part("shifts")
    assert report.recomputed == 3 + 2 * 2  # before the shift, and at two severities
    right = noise["before"]["hf1_samples"]
    noise["before"] |= {"hf1_samples": 0.99, "gone": 0.5}
    report, part = checked(record)
    assert [finding.what for finding in report.findings] == ["hf1_samples under noise at 0"]
    assert part["of"]["noise"]["before"]["hf1_samples"] == right
    assert "metric gone is not installed" in report.notes[0]


def test_published_records_keep_them_and_the_board_follows(shifted: Record, tmp_path: Path) -> None:
    publish(shifted.path.parent, tmp_path / "results")
    (copy,) = (tmp_path / "results").glob("*/records/*")
    assert (copy / FILE).read_bytes() == (shifted.path / FILE).read_bytes()
    assert "mean under shift" in (copy.parents[1] / "README.md").read_text(encoding="utf-8")
    report = verify_results([tmp_path / "results" / "smoke"])
    assert report.clean, list(report.all_findings())
    board = json.loads((copy.parents[1] / "leaderboard.json").read_text(encoding="utf-8"))
    board["boards"][0]["shifts"]["rows"][0]["mean"]["mean"] += 0.01
    (copy.parents[1] / "leaderboard.json").write_text(json.dumps(board), encoding="utf-8")
    findings = [
        str(finding.what) for _, finding in verify_results([tmp_path / "results" / "smoke"]).all_findings()
    ]
    assert "shifts.rows[0].mean.mean" in findings


def test_predictions_that_are_left_out_take_those_under_shifts_along(shifted: Record, tmp_path: Path) -> None:
    publish(shifted.path.parent, tmp_path / "results", predictions=())
    (copy,) = (tmp_path / "results").glob("*/records/*")
    assert not (copy / FILE).exists() and read_record(copy).part("shifts")["of"]["noise"]["metrics"]
    assert not [f for _, f in verify_results([tmp_path / "results" / "smoke"]).all_findings()]


def test_rescore_computes_named_metrics_under_shifts_too(shifted: Record) -> None:
    assert (rescore(shifted.path, ["hf1_macro"]).new, rescore(shifted.path).changed) == (4, 0)
    blocks = read_record(shifted.path).part("shifts")["of"]
    assert all("hf1_macro" in values for block in blocks.values() for values in block["metrics"])


def test_rescore_mends_a_wrong_value_and_names_a_damaged_file(shifted: Record) -> None:
    values = shifted.data["shifts"]["of"]["noise"]["metrics"][1]
    right, values["hf1_samples"] = values["hf1_samples"], 0.99
    (shifted.path / "record.json").write_text(json.dumps(shifted.data))
    assert rescore(shifted.path).changed == 1
    mended = read_record(shifted.path).part("shifts")["of"]["noise"]["metrics"][1]
    assert mended["hf1_samples"] == right
    (shifted.path / FILE).write_bytes(b"other")
    assert "cannot be read" in str(rescore(shifted.path))
