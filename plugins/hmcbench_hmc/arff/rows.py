"""The rows of an ARFF file: numbers, positions of nominal values, and the text of the labels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hmcbench.errors import close_matches
from hmcbench_hmc.arff.header import Attribute
from hmcbench_hmc.arff.text import ArffFile, values, without_comment

MISSING = "?"
BLOCK = 512  # rows that are kept as lists before they become an array
MOST_CELLS = 1 << 28
"""Numbers of a table, 2 GiB; sparse rows are stored dense."""
_WEIGHT = re.compile(r"""\}\s*,\s*(\{[^{}'"]*\})\Z""")  # of Weka, after a sparse row
_PLAIN = re.compile(r"[-+.?,/@:\w ]*\Z", re.ASCII)  # no quotes, braces, comments: a line that commas split


@dataclass
class ArffRows:
    """What the rows of a file hold.

    Attributes:
        table: float64 (N, F), NaN where a value is missing.
        labels: the text of the class attribute, of each row.
        keys: values of the key attribute, if there is one.
        lines: of each row.
    """

    table: np.ndarray
    labels: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


class RowReader:
    """Turns lines into numbers; notes the lines that cannot be read, and leaves them out.

    Args:
        file: which gets the problems.
        attributes: of the header, in order.
    """

    def __init__(self, file: ArffFile, attributes: Sequence[Attribute]) -> None:
        self._file, self._attributes = file, attributes
        places = {kind: [i for i, a in enumerate(attributes) if a.kind == kind] for kind in ("class", "key")}
        self._class = next(iter(places["class"]), None)
        self._key = next(iter(places["key"]), None)
        self._features = [i for i, a in enumerate(attributes) if a.kind in ("numeric", "nominal")]
        chosen = [attributes[i] for i in self._features]
        self._positions = [{value: float(k) for k, value in enumerate(a.values)} for a in chosen]
        self._convert = [float if a.kind == "numeric" else p.__getitem__ for a, p in self._pairs(chosen)]
        absent = {"class": "", "key": "", "skipped": ""}  # values of a sparse row that are not given
        self._absent = [a.values[0] if a.kind == "nominal" else absent.get(a.kind, "0") for a in attributes]
        self._stand_in = ["0" if a.kind == "numeric" else a.values[0] for a in chosen]
        self._numeric = [k for k, a in enumerate(chosen) if a.kind == "numeric"]

    def _pairs(self, chosen: Sequence[Attribute]) -> Iterator[tuple[Attribute, dict[str, float]]]:
        return zip(chosen, self._positions, strict=True)

    def read(self, lines: Iterator[tuple[int, str]]) -> ArffRows:
        """All rows; raises DataProblems where the file cannot be read on."""
        width = len(self._features)
        blocks: list[np.ndarray] = []
        block: list[list[float]] = []
        rows = ArffRows(np.empty((0, width)))
        weighted = 0
        for number, text in lines:
            if not text or text[0] == "%":
                continue
            cells = self._cells(number, text)
            if cells is None:
                continue
            if len(cells) == len(self._attributes) + 1 and re.fullmatch(r"\{[^{}]*\}", cells[-1]):
                weighted = weighted or number  # an instance weight of Weka
                cells.pop()
            numbers = self._numbers(number, cells)
            if numbers is None:
                continue
            block.append(numbers)
            rows.lines.append(number)
            rows.labels.append(cells[self._class] if self._class is not None else "")
            rows.keys.append(cells[self._key] if self._key is not None else "")
            if len(block) == BLOCK:
                blocks.append(np.array(block).reshape(len(block), width))
                block = []
            if len(rows.lines) * width > MOST_CELLS:
                raise self._file.stop(number, f"a table of more than {MOST_CELLS:,} numbers", "too-large")
        if weighted:
            self._file.add(weighted, "weights of rows are left aside", "weights", fatal=False)
        blocks.append(np.array(block).reshape(len(block), width))
        rows.table = np.concatenate(blocks)
        return rows

    def _cells(self, number: int, text: str) -> list[str] | None:
        """The values of a line by attribute; None where it cannot be read."""
        if "," in text and _PLAIN.match(text):
            cells = [cell.strip() for cell in text.split(",")] if " " in text else text.split(",")
        else:
            text = without_comment(text)
            try:
                cells = self._sparse(text) if text[:1] == "{" else values(text)
            except ValueError as error:
                self._file.add(number, str(error), "row")
                return None
        n = len(self._attributes)
        if len(cells) != n and not (len(cells) == n + 1 and cells[-1][:1] == "{"):
            word = "value" if len(cells) == 1 else "values"
            self._file.add(number, f"{len(cells)} {word} where the header has {n} attributes", "count")
            return None
        return cells

    def _sparse(self, text: str) -> list[str]:
        """``{0 1.5, 4 red}``: values by position, the others 0 or the first nominal value; and a weight."""
        weight = _WEIGHT.search(text)
        if weight:
            text = text[: weight.start() + 1]
        if not text.endswith("}"):
            raise ValueError("a sparse row has no closing brace")
        cells = list(self._absent)
        last = -1
        for item in re.findall(r"""((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,])+)""", text[1:-1]):
            words = item.split(None, 1)
            if not words:
                continue
            place, value = words[0], words[1].strip() if len(words) > 1 else ""
            if not place.isdecimal() or not value:
                raise ValueError(f"{item.strip()[:30]!r} in a sparse row; allowed: POSITION VALUE")
            position = int(place)
            if position >= len(cells):
                raise ValueError(f"position {position} in a sparse row of {len(cells)} attributes (from 0)")
            if position <= last:
                raise ValueError(f"position {position} after position {last} in a sparse row")
            last = position
            (cells[position],) = values(value) if value[0] in "'\"" else [value]
        return [*cells, weight[1]] if weight else cells

    def _numbers(self, number: int, cells: list[str]) -> list[float] | None:
        """The features of a row; None, with a problem noted, where a value cannot be used."""
        texts = [cells[i] for i in self._features]
        missing = [k for k, text in enumerate(texts) if text == MISSING] if MISSING in texts else []
        for k in missing:
            texts[k] = self._stand_in[k]
        try:
            numbers = [convert(text) for convert, text in zip(self._convert, texts, strict=True)]
        except (ValueError, KeyError):
            numbers = [math.nan]
        joined = "".join([texts[k] for k in self._numeric])
        # float also reads nan, inf, 1_000 and the digits of all scripts
        if "_" in joined or not joined.isascii() or not math.isfinite(sum(numbers)):
            problem = self._problem(texts)
            if problem:
                self._file.add(number, problem, "value")
                return None
        for k in missing:
            numbers[k] = math.nan
        return numbers

    def _problem(self, texts: Sequence[str]) -> str:
        """The first value of a row that cannot be used; empty if there is none."""
        for i, text, positions in zip(self._features, texts, self._positions, strict=True):
            attribute = self._attributes[i]
            if attribute.kind == "numeric" and not _is_number(text):
                return f"{text[:30]!r} is no number ({attribute.name!r}); ? is a missing value"
            if attribute.kind == "nominal" and text not in positions:
                guess = close_matches(text, attribute.values)
                shown = ", ".join(attribute.values[:8]) + (", ..." if len(attribute.values) > 8 else "")
                return f"{text[:30]!r} is no value of {attribute.name!r}; {guess or 'allowed: ' + shown}"
        return ""


def _is_number(cell: str) -> bool:
    try:
        return "_" not in cell and cell.isascii() and math.isfinite(float(cell))
    except ValueError:
        return False
