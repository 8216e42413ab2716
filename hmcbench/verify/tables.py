"""Tables of reproduced papers, and pictures: every number and every file needs a record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.columns import metric_spec
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.grouping import rows as rows_of
from hmcbench.leaderboard.inference import prediction_interval
from hmcbench.leaderboard.verdicts import joint_level
from hmcbench.publish.publish import TABLES
from hmcbench.records.record import Record
from hmcbench.registry.registry import parse_reference
from hmcbench.report.figures.boards import board_figures
from hmcbench.report.page.render import FIGURES
from hmcbench.verify.findings import SuiteReport
from hmcbench.verify.records import installed, not_installed

_DECIMAL = re.compile(r"-?\d+\.\d+")


def check_tables(
    folder: Path, records: Sequence[Record], specs: Sequence[MetricSpec], report: SuiteReport
) -> None:
    """Recompute the measured numbers in ``tables/*.json`` and look for them in the text of the same name.

    A row without records is a finding.
    """
    for path in sorted((folder / TABLES).glob("*.json")):
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            _table(f"{TABLES}/{path.name}", table, records, specs, report)
            if path.with_suffix(".md").is_file():
                _text(path.with_suffix(".md"), table, report)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            report.add("unreadable", f"{TABLES}/{path.name}", f"is no table ({error})")
    for path in sorted((folder / TABLES).glob("*.png")):
        name = path.stem.partition("-figure-")[0]
        if not (folder / TABLES / f"{name}.json").is_file():
            report.add("no record", f"{TABLES}/{path.name}", f"there is no {name}.json")


def _table(
    where: str,
    table: Mapping[str, Any],
    records: Sequence[Record],
    specs: Sequence[MetricSpec],
    report: SuiteReport,
) -> None:
    names = set(
        table.get("records", ())
    )  # the folder may also hold the suite's own cells, with another split
    used = [record for record in records if not names or record.path.name in names]
    for lost in sorted(names - {record.path.name for record in used}):
        report.add("no record", where, lost)
    by_row = [row for row in rows_of(used)[0] if row.ok]
    metrics = [str(name) for name in table["metrics"]]
    estimator = Estimator(by_row, metrics, (), specs) if by_row else None
    known = {_plain(row.label): row for row in by_row}
    for row in table["rows"]:
        if all(value["mean"] is None for value in row["values"]):
            continue  # only numbers of the paper
        run = known.get(_plain(str(row["model"])))
        if run is None or estimator is None:
            report.add("no record", where, f"row {row['label']} ({row['model']})")
            continue
        _row(where, row, metrics, run, estimator, specs, report)


def _row(
    where: str,
    row: Mapping[str, Any],
    metrics: Sequence[str],
    run: RowRecords,
    estimator: Estimator,
    specs: Sequence[MetricSpec],
    report: SuiteReport,
) -> None:
    estimates = estimator.row(run)
    verified = {record.key for record in run.ok} <= report.verified
    level = joint_level(sum(value["published"] is not None for value in row["values"]))
    for name, value in zip(metrics, row["values"], strict=True):
        estimate, spec = estimates.get(name), metric_spec(specs, name)
        if not installed(specs, name):
            report.note(not_installed(name))
            continue
        low, high = (prediction_interval(estimate, level) if estimate is not None else None) or (None, None)
        if high is not None and spec is not None and spec.high is not None:
            high = min(high, spec.high)
        recomputed = {"mean": None if estimate is None else estimate.mean, "low": low, "high": high}
        for part, number in recomputed.items():
            what = f"{row['label']} {name} {part}"
            report.compare(where, what, value[part], number, from_predictions=verified)


def _text(path: Path, table: Mapping[str, Any], report: SuiteReport) -> None:
    """Every decimal number of a row of the text must be one of the row's numbers, rounded."""
    lines = [
        [unescape(cell.replace("\\", "")).strip() for cell in line.split("|")[1:-1]]
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    for row in table["rows"]:
        known = [n for v in row["values"] for n in v.values() if isinstance(n, (int, float))]
        cells = [line[2:] for line in lines if len(line) > 2 and line[1].strip("`") == row["model"]]
        for text in [number for line in cells for cell in line for number in _DECIMAL.findall(cell)]:
            digits = len(text.partition(".")[2])
            if not any(abs(n - float(text)) <= 0.5001 * 10.0**-digits for n in known):
                report.add(
                    "differs",
                    f"{TABLES}/{path.name}",
                    f"{row['label']}: {text} is no number of {path.stem}.json",
                )


def _plain(label: str) -> tuple[str, ...]:
    """A reference without regard to the order of its parameters and the case of its truth values."""
    try:
        ref = parse_reference(label)
    except HmcbenchError:
        return (label,)
    return (ref.name, ref.variant, *sorted(f"{k}={v}".lower() for k, v in dict(ref.params).items()))


def check_figures(folder: Path, boards: Boards, report: SuiteReport) -> None:
    """Every picture must be of one of these boards, or lie in a folder named after a record."""
    known = {record.path.name for record in boards.records}
    drawn = board_figures(boards)
    for path in sorted((folder / FIGURES).glob("*")):
        if path.name not in (known if path.is_dir() else drawn):
            text = "pictures without a record" if path.is_dir() else "a picture of no board"
            report.add("no record", f"{FIGURES}/{path.name}", text)
