"""The result of a table that was run again, as text and as JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tabulate import tabulate

from hmcbench.leaderboard.render.text import markdown
from hmcbench.leaderboard.verdicts import BETTER, MARGIN, NOT, REPRODUCED, UNDECIDED, UNTESTABLE
from hmcbench.reproduce.compare import ComparedValue, Result, RowResult
from hmcbench.reproduce.tables import published_row

MARKS = {REPRODUCED: "=", BETTER: "+", NOT: "-", UNDECIDED: "?", UNTESTABLE: ""}
LEGEND = (
    "Every cell: the paper's value / our mean over the splits [where one further split of ours lies, 95 % for"
    " all values of the row together] and = the paper's value lies there to its rounding, ? it does, but the"
    f" half-width is above {MARGIN:g}, so nothing is decided, + ours is better, - ours is worse. A row has"
    " the first of: not reproduced, better, undecided, reproduced that one of its values has."
)


def to_text(result: Result, *, console: bool = False) -> str:
    """Markdown, or plain text for the console."""
    table = result.table
    esc = str if console else markdown
    title = f"{table.name}: {table.title}"
    facts = {"source": table.source, "suite": Path(table.suite).stem, **result.facts}
    drawn = tabulate(
        [_line(result, row, esc) for row in result.rows],
        headers=["paper's row", "our model", *map(esc, table.headers), "verdict"],
        tablefmt="simple" if console else "pipe",
        disable_numparse=True,
    )
    head = title if console else f"# {esc(title)}"
    parts = [head, "\n".join(f"- {k}: {esc(v)}" for k, v in facts.items()), drawn, summary(result)]
    if result.notes:
        parts.append("Notes:\n\n" + "\n".join(f"- {esc(note)}" for note in result.notes))
    return "\n\n".join([*parts, LEGEND]) + "\n"


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
        "facts": dict(result.facts),
        "notes": list(result.notes),
        "records": list(result.records),
        "rows": [
            {
                "label": row.row.label,
                "model": row.row.model,
                "against": row.row.against,
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
