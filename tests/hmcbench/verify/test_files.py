"""Digests: what cannot be recomputed shows at least that it was changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hmcbench.publish.publish import publish
from hmcbench.publish.sums import FILE
from hmcbench.records.record import JSON, read_all
from hmcbench.registry.registry import Registry
from hmcbench.verify import Report
from hmcbench.verify.tree import verify_results


def check(results: Path, registry: Registry) -> Report:
    return verify_results([results / "smoke"], index=results, registry=registry)


def changes(results: Path, registry: Registry) -> list[tuple[str, str]]:
    return [(f.where, f.what) for _, f in check(results, registry).all_findings() if f.kind == "changed"]


def halved(value: Any) -> Any:
    """A JSON value with all floats halved."""
    if isinstance(value, dict):
        return {name: halved(part) for name, part in value.items()}
    return value / 2 if isinstance(value, float) else value


def test_metrics_without_truth_that_were_halved_with_their_boards(private: Path, registry: Registry) -> None:
    """The boards follow from the records, and nothing can be recomputed: only the digests tell."""
    record = read_all(private)[0].path / JSON
    kept = (private / "smoke" / FILE).read_bytes()
    (private / "smoke" / "intervals.json").unlink()  # as of repeated splits, which need none
    publish(private, private)
    assert check(private, registry).status == 3
    before = check(private, registry).suites[0].digest
    sums = (private / "smoke" / FILE).read_bytes()
    data = json.loads(record.read_text(encoding="utf-8"))
    data["metrics"] = halved(data["metrics"])
    record.write_text(json.dumps(data), encoding="utf-8")
    publish(private, private)
    again = check(private, registry)
    assert again.status == 3 and again.suites[0].digest != before  # a quoted digest tells
    (private / "smoke" / FILE).write_bytes(sums)
    report = check(private, registry)
    assert report.status == 1 and {f.kind for _, f in report.all_findings()} == {"changed"}
    where = [name for name, _ in changes(private, registry)]
    assert f"records/{record.parent.name}/{JSON}" in where and "leaderboard.json" in where
    assert sums != kept


def test_figures_and_files_that_are_gone_or_new(private: Path, registry: Registry) -> None:
    figure = private / "smoke" / "figures" / read_all(private)[0].path.name / "training-curves.png"
    figure.parent.mkdir(parents=True)
    figure.write_bytes(b"drawn")
    publish(private, private)
    assert changes(private, registry) == []
    figure.write_bytes(b"redrawn")
    name = figure.relative_to(private / "smoke").as_posix()
    assert changes(private, registry) == [(name, "is not the file that was published")]
    figure.unlink()
    (private / "smoke" / "own-notes.txt").write_text("new")
    (private / "smoke" / ".hidden").write_text("new")
    report = check(private, registry)
    assert changes(private, registry) == [(name, "is missing")]
    assert f"not in {FILE}: own-notes.txt" in report.suites[0].notes


def test_a_folder_that_was_published_before_there_were_digests(private: Path, registry: Registry) -> None:
    (private / "smoke" / FILE).unlink()
    report = check(private, registry)
    assert report.clean and report.suites[0].files is None
    assert any(note.startswith(f"no {FILE}: ") for note in report.suites[0].notes)


@pytest.mark.parametrize("content", [b"what is this\n", b"\xff\xfe", b"12ab  README.md\n"])
def test_a_damaged_list(private: Path, registry: Registry, content: bytes) -> None:
    (private / "smoke" / FILE).write_bytes(content)
    report = check(private, registry)
    assert [(f.kind, f.where) for _, f in report.all_findings()] == [("unreadable", FILE)]


def test_the_usual_tool_reads_the_list(private: Path) -> None:
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("no sha256sum here")
    subprocess.run([tool, "--check", "--quiet", FILE], cwd=private / "smoke", check=True)
