"""A results folder, suite by suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hmcbench.errors import HmcbenchError
from hmcbench.publish import index as results_index
from hmcbench.records.given_data import DataPaths, Given
from hmcbench.records.record import JSON, Record, read_record
from hmcbench.registry.registry import Registry, default_registry
from hmcbench.verify.boards import check_boards
from hmcbench.verify.files import check_files
from hmcbench.verify.findings import Report, SuiteReport
from hmcbench.verify.intervals import check_intervals
from hmcbench.verify.pages import check_page, check_text
from hmcbench.verify.records import check_record, versions
from hmcbench.verify.tables import check_tables


def verify_results(
    folders: Sequence[Path],
    data: Mapping[str, DataPaths] | None = None,
    index: Path | None = None,
    registry: Registry | None = None,
) -> Report:
    """Recompute everything that was published; nothing is written or trained.

    Args:
        folders: suites' folders, each with ``records/``.
        data: dataset name -> path, or several, for truth that was not published.
        index: the results folder, whose ``README.md`` lists the suites; None: it is not checked.
        registry: the installed plugins by default.

    Returns:
        What was checked, and the findings. Of the plugins only metrics run, and the datasets in ``data``.

    Raises:
        BadInput: a name in ``data`` that no record has, or data that cannot be read.
    """
    registry = registry or default_registry()
    report = Report([SuiteReport(folder.name) for folder in folders])
    by_suite = [_read(folder, suite) for folder, suite in zip(folders, report.suites, strict=True)]
    given = Given(registry, dict(data or {}))
    given.check_names([record for records in by_suite for record in records])
    specs = registry.specs("metrics")
    for folder, suite, records in zip(folders, report.suites, by_suite, strict=True):
        check_files(folder, suite)
        suite.failed = sum(not record.ok for record in records)
        rescored = [check_record(r, specs, given, suite) if r.ok else r for r in records]
        suite.notes += versions(records, registry)
        kept = check_intervals(folder, records, specs, given, suite)
        check_boards(folder, rescored, specs, kept, suite)
        check_tables(folder, rescored, specs, suite)
    if index is not None:
        _index(index, report)
    return report


def _read(folder: Path, suite: SuiteReport) -> list[Record]:
    """The records of a suite; those that cannot be read are findings."""
    out = []
    for path in sorted((folder / "records").glob(f"*/{JSON}")):
        if path.parent.name.startswith("."):
            continue
        try:
            out.append(read_record(path.parent))
        except HmcbenchError as error:
            suite.add("unreadable", path.parent.name, error.what)
    return out


def _index(root: Path, report: Report) -> None:
    """Compare the index with the boards, which have been compared with the records."""
    try:
        text, page = results_index.index_text(root), results_index.index_html(root)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # a board that cannot be read has been reported
    if (root / results_index.README).is_file():
        check_text(root / results_index.README, text, report.findings)
    if (root / results_index.PAGE).is_file():
        check_page(root / results_index.PAGE, page, report.findings, [])
