"""The result of a table that was run again, as text and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

from hmcbench.leaderboard.render.text import markdown
from hmcbench.leaderboard.verdicts import BETTER, NOT, REPRODUCED, UNDECIDED, UNTESTABLE
from hmcbench.reproduce.compare import ComparedValue, Result, RowResult
from hmcbench.reproduce.tables import published_row

MEANS = (
    "Every cell: the paper's value, a mean over trainings on this split / our mean over seeds [where the mean"
    " of as many further trainings of ours on this split lies, 95 % for all values of the row together] and"
    " = the paper's value lies there to its rounding, ? it does, but the half-width is above {margin:g}, or"
    " ours was trained once, so that nothing is decided, + ours is better, - ours is worse. A row has the"
    " first of: not reproduced, better, undecided, reproduced that one of its values has."
)
MARKS = {REPRODUCED: "=", BETTER: "+", NOT: "-", UNDECIDED: "?", UNTESTABLE: ""}
LEGEND = (
    "Every cell: the paper's value / our mean over the splits [where one further split of ours lies, 95 % for"
    " all values of the row together] and = the paper's value lies there to its rounding, ? it does, but the"
    " half-width is above {margin:g}, so nothing is decided, + ours is better, - ours is worse. A row has"
    " the first of: not reproduced, better, undecided, reproduced that one of its values has."
)


def to_text(result: Result, *, console: bool = False) -> str:
    """Markdown, or plain text for the console."""
    table = result.table
    esc = str if console else markdown
    title = f"{table.name}: {table.title}"
    facts = {"source": table.source, "suite": Path(table.suite).stem, **result.facts}
    lines, headers = _by_dataset(result, console, esc) if table.datasets else _by_row(result, esc)
    drawn = tabulate(lines, headers=headers, tablefmt="simple" if console else "pipe", disable_numparse=True)
    head = title if console else f"# {esc(title)}"
    parts = [head, "\n".join(f"- {k}: {esc(v)}" for k, v in facts.items()), drawn, summary(result)]
    if table.datasets and any(row.reason for row in result.rows):  # too long for a column of a table
        reasons = dict.fromkeys(row.reason for row in result.rows if row.reason)
        of_reason = {r: ", ".join(row.row.label for row in result.rows if row.reason == r) for r in reasons}
        causes = [f"- {esc(labels)}: {esc(reason)}" for reason, labels in of_reason.items()]
        parts.append("Not measured:\n\n" + "\n".join(causes))
    if result.notes:
        parts.append("Notes:\n\n" + "\n".join(f"- {esc(note)}" for note in result.notes))
    legend = (MEANS if table.mean_of else LEGEND).format(margin=table.margin)
    return "\n\n".join([*parts, legend]) + "\n"


def _by_row(result: Result, esc: Any) -> tuple[list[list[str]], list[str]]:
    """A line per row of the paper."""
    headers = ["paper's row", "our model", *map(esc, result.table.headers), "verdict"]
    return [_line(result, row, esc) for row in result.rows], headers


def _by_dataset(result: Result, console: bool, esc: Any) -> tuple[list[list[str]], list[str]]:
    """A line per dataset and a column per row of the paper: there are more datasets than rows."""
    columns = []
    for row in result.rows:
        label, model, *cells, verdict = _line(result, replace(row, reason=""), esc)
        metric = result.table.columns(row.row)[0].metric
        columns.append([label, model, metric, *cells, verdict])
    if console:  # the interval below the values, which halves the width
        columns = [[cell.replace(" [", "\n[") for cell in column] for column in columns]
    headers = ["", *(column[0] for column in columns)]
    names = ["our model", "metric", *map(esc, result.table.headers), "verdict"]
    return [list(line) for line in zip(names, *(column[1:] for column in columns), strict=True)], headers


def _line(result: Result, row: RowResult, esc: Any) -> list[str]:
    digits = published_row(result.table, row.row).digits or result.table.digits
    cells = [_cell(value, digits) for value in row.values]
    against = f" (against {row.row.against})" if row.row.against else ""
    tested = [v for v in row.values if v.verdict != UNTESTABLE]
    same = sum(v.verdict == row.verdict for v in tested)
    count = f" ({same} of {len(tested)})" if tested and row.verdict != REPRODUCED else ""
    reason = f": {row.reason}" if row.reason else ""
    return [
        esc(row.row.label + against),
        esc(row.row.model) if esc is str else f"`{row.row.model}`",
        *map(esc, cells),
        esc(f"{row.verdict}{count}{reason}"),
    ]


def _cell(value: ComparedValue, digits: int) -> str:
    paper = "-" if math.isnan(value.published) else f"{value.published:.{digits}f}"
    if value.mean is None:
        return paper
    text = f"{paper} / {value.mean:.3f}"
    if value.low is not None and value.high is not None:
        text += f" [{value.low:.3f}, {value.high:.3f}]"
    return f"{text} {MARKS[value.verdict]}".rstrip()


def summary(result: Result) -> str:
    """``Rows: 3 reproduced, 1 better, 2 not reproduced.``"""
    verdicts = [row.verdict for row in result.rows]
    counts = [f"{verdicts.count(v)} {v}" for v in MARKS if v in verdicts]
    return f"Rows: {', '.join(counts)}."


def to_json(result: Result) -> str:
    """Everything, for programs; NaN becomes null."""
    table = result.table
    data = {
        "table": table.name,
        "title": table.title,
        "source": table.source,
        "suite": Path(table.suite).stem,
        "metrics": list(table.metrics),
        **_datasets_json(result),
        "facts": dict(result.facts),
        "notes": list(result.notes),
        "records": list(result.records),
        "rows": [
            {
                "label": row.row.label,
                "model": row.row.model,
                "against": row.row.against,
                **_row_json(result, row),
                "verdict": row.verdict,
                "reason": row.reason,
                "runs": row.runs,
                "values": [
                    {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in vars(value).items()}
                    for value in row.values
                ],
            }
            for row in result.rows
        ],
    }
    return json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _datasets_json(result: Result) -> dict[str, Any]:
    """What only a table with several datasets has: its columns, with the datasets as records name them."""
    table = result.table
    if not table.datasets:
        return {"mean_of": table.mean_of} if table.mean_of else {}
    names = [result.references.get(name, name) for name in table.datasets]
    return {"datasets": names, "headers": list(table.headers), "mean_of": table.mean_of}


def _row_json(result: Result, row: RowResult) -> dict[str, Any]:
    """Metric and ``mean_of`` of a row, where they are its own."""
    source = published_row(result.table, row.row)
    metric = {"metric": row.row.metric} if row.row.metric else {}
    return metric | ({"mean_of": source.mean_of} if source.mean_of else {})
