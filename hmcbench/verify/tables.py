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
from hmcbench.leaderboard.inference import Estimate
from hmcbench.publish.publish import TABLES
from hmcbench.records.record import Record
from hmcbench.registry.registry import parse_reference
from hmcbench.report.figures.boards import board_figures
from hmcbench.report.page.render import FIGURES
from hmcbench.reproduce.compare import interval_of, level_of, of_dataset
from hmcbench.verify.findings import SuiteReport
from hmcbench.verify.metrics import installed, not_installed

_DECIMAL = re.compile(r"-?\d+\.\d+")


def check_tables(
    folder: Path, records: Sequence[Record], specs: Sequence[MetricSpec], report: SuiteReport
) -> None:
    """Recompute the measured numbers in ``tables/**/*.json`` and look for them in the text of the same name.

    A row without records is a finding.
    """
    for path in sorted((folder / TABLES).rglob("*.json")):
        where = path.relative_to(folder).as_posix()
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            _table(where, table, records, specs, report)
            if (text := path.with_suffix(".md")).is_file():
                _text(text.relative_to(folder).as_posix(), text, table, report)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            report.add("unreadable", where, f"is no table ({error})")
    for path in sorted((folder / TABLES).rglob("*.png")):
        name = path.stem.partition("-figure-")[0]
        if not (path.parent / f"{name}.json").is_file():
            report.add("no record", path.relative_to(folder).as_posix(), f"there is no {name}.json")


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
    datasets = [str(name) for name in table.get("datasets", ())]
    metrics = list(dict.fromkeys(map(str, [*table["metrics"], *_metrics_of_rows(table)])))
    boards = {name: _TableBoard(of_dataset(used, name), metrics, specs, table) for name in datasets or [""]}
    for row in table["rows"]:
        if all(value["mean"] is None for value in row["values"]):
            continue  # only numbers of the paper
        metric = str(row.get("metric") or table["metrics"][0])
        columns = [(name, metric) for name in datasets] or [("", str(name)) for name in table["metrics"]]
        _row(where, row, table, columns, boards, report)


def _metrics_of_rows(table: Mapping[str, Any]) -> list[str]:
    return [row["metric"] for row in table["rows"] if row.get("metric")]


class _TableBoard:
    """The rows of the records of one dataset."""

    def __init__(
        self,
        records: Sequence[Record],
        metrics: Sequence[str],
        specs: Sequence[MetricSpec],
        table: Mapping[str, Any],
    ) -> None:
        rows = [row for row in rows_of(records)[0] if row.ok]
        self.rows = {_plain(row.label): row for row in rows}
        sampled = not table.get("mean_of")
        self._estimator = Estimator(rows, metrics, (), specs, sampled=sampled) if rows else None
        self.specs = specs

    def row(self, model: str) -> tuple[RowRecords, Mapping[str, Estimate]] | None:
        """The records and the estimates of a model."""
        run = self.rows.get(_plain(model))
        return None if run is None or self._estimator is None else (run, self._estimator.row(run))


def _row(
    where: str,
    row: Mapping[str, Any],
    table: Mapping[str, Any],
    columns: Sequence[tuple[str, str]],
    boards: Mapping[str, _TableBoard],
    report: SuiteReport,
) -> None:
    """Compare every number of a row, given its columns as dataset and metric."""
    by_dataset = {name: board.row(str(row["model"])) for name, board in boards.items()}
    level = level_of(
        [(v["published"], v["mean"]) for v in row["values"]], several=bool(table.get("datasets"))
    )
    mean_of = int(row.get("mean_of") or table.get("mean_of") or 0)
    lost = False
    for (dataset, metric), value in zip(columns, row["values"], strict=True):
        run_estimates, specs = by_dataset[dataset], boards[dataset].specs
        if run_estimates is None:
            if value["mean"] is not None and not lost:
                lost = True
                place = f" on {dataset}" if dataset else ""
                report.add("no record", where, f"row {row['label']} ({row['model']}){place}")
            continue
        run, estimates = run_estimates
        if not installed(specs, metric):
            report.note(not_installed(metric))
            continue
        estimate, spec = estimates.get(metric), metric_spec(specs, metric)
        top = spec.high if spec is not None else None
        low, high = interval_of(estimate, level, mean_of, top) if estimate is not None else (None, None)
        recomputed = {"mean": None if estimate is None else estimate.mean, "low": low, "high": high}
        verified = {record.key for record in run.ok} <= report.verified
        for part, number in recomputed.items():
            what = " ".join(filter(None, (row["label"], dataset, metric, part)))
            report.compare(where, what, value[part], number, from_predictions=verified)


def _text(where: str, path: Path, table: Mapping[str, Any], report: SuiteReport) -> None:
    """Every decimal number of a row of the text must be one of the row's numbers, rounded."""
    lines = [
        [unescape(cell.replace("\\", "")).strip() for cell in line.split("|")[1:-1]]
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    for i, row in enumerate(table["rows"]):
        if table.get("datasets"):  # a column per row, after the lines of the models and their metrics
            cells = [line[i + 1] for line in lines[4:] if len(line) > i + 1]
            pairs = [([cell], [value]) for cell, value in zip(cells, row["values"], strict=False)]
        else:
            of_row = [line for line in lines if len(line) > 2 and line[1].strip("`") == row["model"]]
            last = 2 + len(row["values"])  # behind them stands the verdict, with a reason in words
            pairs = [([cell for line in of_row for cell in line[2:last]], row["values"])]
        for cells, values in pairs:
            known = [n for v in values for n in v.values() if isinstance(n, (int, float))]
            for text in [number for cell in cells for number in _DECIMAL.findall(cell)]:
                digits = len(text.partition(".")[2])
                if not any(abs(n - float(text)) <= 0.5001 * 10.0**-digits for n in known):
                    what = f"{row['label']}: {text} is no number of {path.stem}.json"
                    report.add("differs", where, what)


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
