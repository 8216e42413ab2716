"""Intervals kept beside published records, for boards whose truth may not be published.

Bootstrap draws need the truth. So publishing, which has it, writes into ``intervals.json`` what the
boards of a suite need: for every row and column the 95 % interval over samples, with several folds the
value over all samples, and for every pair of rows the interval and p of their difference. Every row
names its records with the digests of their files; if one has changed, the row is not used.

The draws themselves are never kept. Their weights are known, so each of the thousand draws would be an
equation for the truth of the samples.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.leaderboard.inference import Kept
from hmcbench.leaderboard.statistics import DRAWS, LEVEL, SEED
from hmcbench.records.record import JSON, NPZ, Record

FILE = "intervals.json"
SCHEMA = 5
"""1 and 2 had intervals and p-values that covered too little; 3 intervals off their values;
4 further test sets with the draws of the first, and shares over few groups that were too narrow."""
SETTINGS = {"draws": DRAWS, "level": LEVEL, "seed": SEED}


def digest(record: Record) -> str:
    """SHA-256 of the files that a board reads of a record; empty where a file is missing."""
    combined = hashlib.sha256()
    try:
        for name in (JSON, NPZ) if record.has_predictions else (JSON,):
            combined.update(hashlib.sha256((record.path / name).read_bytes()).digest())
    except OSError:
        return ""
    return combined.hexdigest()


def digests(records: Iterable[Record]) -> dict[str, str]:
    """Key -> digest of every record."""
    return {record.key: digest(record) for record in records}


@dataclass(frozen=True)
class KeptRow:
    """The kept values of a row.

    Attributes:
        columns: column id -> the interval, and the differences to other rows.
        values: column id -> the value of every seed over the samples of all folds; only for several folds.
        made: the date on which it was computed.
    """

    columns: Mapping[str, Kept]
    values: Mapping[str, Sequence[float]]
    made: str


@dataclass(frozen=True)
class Intervals:
    """The content of one or several ``intervals.json``.

    Attributes:
        boards: each with ``board``, its title, and ``rows``; see :mod:`hmcbench.publish.withheld_truth`.
    """

    boards: Sequence[Mapping[str, Any]] = field(default=())

    @classmethod
    def read(cls, *folders: Path) -> Intervals:
        """Read suites' folders; a missing file, or one of another version or other settings, adds nothing.

        Raises:
            BadInput: a file that is damaged.
        """
        return cls([board for folder in folders for board in _boards(folder / FILE)])

    def under(self, moved: Mapping[str, str]) -> Intervals:
        """The same, for records that were copied with another content: digest before -> digest now."""

        def renamed(row: Mapping[str, Any]) -> dict[str, Any]:
            return {**row, "records": {key: moved.get(old, old) for key, old in row["records"].items()}}

        return Intervals(
            [{**board, "rows": [renamed(row) for row in board["rows"]]} for board in self.boards]
        )

    def entries(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """(board, row) in the order of the file."""
        return [(board, row) for board in self.boards for row in board["rows"]]

    def of(self, records: Sequence[Record], rule: str | None = None) -> KeptRow | None:
        """The kept row of exactly these records with their present content; else None.

        ``rule``: the decision rule that they are under, empty for none; None for any.
        """
        keys = {record.key for record in records}
        near = [
            (board, row)
            for board, row in self.entries()
            if set(row["records"]) == keys and rule in (None, row.get("rule", ""))
        ]
        now = digests(records) if near else {}
        return next((_row(board, row) for board, row in near if row["records"] == now), None)

    def knows(self, records: Sequence[Record]) -> bool:
        """Whether a kept row has one of these records, even if that has changed."""
        keys = {record.key for record in records}
        return any(keys & set(row["records"]) for _, row in self.entries())


def _row(board: Mapping[str, Any], row: Mapping[str, Any]) -> KeptRow:
    """A row with its differences to all others; the file has each once, in the later row."""
    against: dict[str, dict[str, Any]] = {name: {} for name in row["columns"]}
    for other, differences in row["differences"].items():
        for name, difference in differences.items():
            against[name][other] = tuple(difference)
    for other in board["rows"]:
        for name, (low, high, p) in other["differences"].get(row["model"], {}).items():
            turned = (None, None) if low is None else (-high, -low)
            against[name][other["model"]] = (*turned, p)
    columns = {
        name: Kept(
            *(row["model"], column["low"], column["high"], against[name]),
            **{fact: column[fact] for fact in ("support", "constant")},
        )
        for name, column in row["columns"].items()
    }
    values = {name: column["values"] for name, column in row["columns"].items() if "values" in column}
    return KeptRow(columns, values, row["made"])


def check_kept(folder: Path) -> None:
    """Raise BadInput where a suite's folder holds intervals that would be lost if it were written anew."""
    _boards(folder / FILE)
    if (data := _content(folder / FILE)) is not None and not _current(data):
        raise BadInput(
            f"{folder / FILE} is of another version or has other settings, and would be removed",
            hint="--data NAME=PATH computes the intervals again; without the data, remove the file first",
        )


def _content(path: Path) -> Any:
    """None where there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if content is None:
        raise _damaged(path, "it is null")
    return content


def _current(data: Any) -> bool:
    return data["schema"] == SCHEMA and all(data[name] == value for name, value in SETTINGS.items())


def _boards(path: Path) -> list[Mapping[str, Any]]:
    data = _content(path)
    if data is None:
        return []
    try:
        if not _current(data):
            return []
        boards: list[Mapping[str, Any]] = list(data["boards"])
        for board in boards:
            for row in board["rows"]:
                _check(row)
                _row(board, row)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _damaged(path, f"{type(error).__name__} {error}") from None
    return boards


def _check(row: Mapping[str, Any]) -> None:
    """Raise one of the errors above where a part is missing or has a wrong type."""
    texts = [row["model"], row["made"], row.get("rule", ""), *row["records"].values()]
    numbers: list[Any] = []
    for column in row["columns"].values():
        numbers += [
            column["low"],
            column["high"],
            column["support"],
            *[float(value) for value in column.get("values", [0])],
        ]
        if not column.get("values", [0]):
            raise ValueError("a column without values")
    for differences in row["differences"].values():
        numbers += [number for low, high, p in differences.values() for number in (low, high, p)]
    known = [number for number in numbers if number is not None]
    if any(not isinstance(text, str) for text in texts):
        raise ValueError("a name, date or digest that is not text")
    if any(isinstance(number, (bool, str)) or not math.isfinite(number) for number in known):
        raise ValueError("a value that is not a finite number")


def _damaged(path: Path, reason: str) -> BadInput:
    return BadInput(
        f"{path} cannot be read ({reason})",
        hint="take it from where the records came from, or remove it and publish again with --data",
    )
