"""Columns of an index beside those of the reader: features of the samples (view ``table``), or targets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hmcbench.data.columns import Feature, doubtful_comma, guess, nominal, numbers, why_unused
from hmcbench.errors import Problem
from hmcbench_sem.reader.entries import Entry

TARGET = "target:"
"""What the name of a column of targets begins with: ``target:brittle fraction``."""


@dataclass(frozen=True)
class FurtherColumns:
    """The columns of N samples.

    Attributes:
        features: those that models can read.
        unused: name -> why another column is none of them.
        targets: names of the T targets, without :data:`TARGET`.
        values: float (N, T).
    """

    features: Sequence[Feature]
    unused: Mapping[str, str]
    targets: tuple[str, ...]
    values: np.ndarray

    @property
    def table(self) -> np.ndarray:
        """The features, float64 (N, F): positions of nominal values, NaN where a value is missing."""
        return np.stack([feature.values for feature in self.features], axis=1)


def read_further(entries: Sequence[Entry]) -> tuple[FurtherColumns, dict[int, Problem]]:
    """The columns of these entries; and row -> problem, fatal where a target is missing or no number.

    A problem tells of all cells of its row, the fatal ones first.
    """
    names = list(entries[0].extra) if entries else []
    features: list[Feature] = []
    unused: dict[str, str] = {}
    targets: dict[str, np.ndarray] = {}
    reasons: dict[int, list[Problem]] = defaultdict(list)
    doubtful: list[tuple[int, str]] = []
    for name in names:
        cells = [entry.extra[name] for entry in entries]
        target = is_target(name)
        kind = "number" if target else guess(cells)
        if kind == "nominal":
            features.append(nominal(name, cells))
        elif kind == "number":
            values, wrong = numbers(cells)
            if target:
                targets[name[len(TARGET) :].strip()] = values
                wrong |= {i: "no value" for i, x in enumerate(values) if math.isnan(x) and i not in wrong}
            else:
                features.append(Feature(name, values))
            for row, what in wrong.items():
                text = f"column {name!r}: {what}" + ("" if target else "; taken as missing")
                kind = "target" if target else "number"
                reasons[row].append(Problem(entries[row].where, text, kind, fatal=target))
            if cell := doubtful_comma(cells):
                read = f"column {name!r}: {cell!r} is read as {cell.replace(',', '.')}"
                text = f"{read}; if its commas separate thousands, delete them in the file"
                doubtful.append((cells.index(cell), text))
        else:
            unused[name] = kind
    for row, text in doubtful:  # of a whole column: the row may have other problems
        reasons[row].append(Problem(entries[row].where, text, "comma", fatal=False))
    problems = {row: _one_of(parts) for row, parts in reasons.items()}
    good = [row for row in range(len(entries)) if row not in problems or not problems[row].fatal]
    unused |= {feature.name: why for feature in features if (why := why_unused(feature.values[good]))}
    used = [feature for feature in features if feature.name not in unused]
    values = np.array(list(targets.values()), dtype=np.float64).reshape(len(targets), len(entries)).T
    return FurtherColumns(used, unused, tuple(targets), values), problems


def _one_of(parts: Sequence[Problem]) -> Problem:
    """All problems of one row as one, of the kind of the first fatal one."""
    ordered = sorted(parts, key=lambda part: not part.fatal)
    return replace(ordered[0], what="; ".join(part.what for part in ordered))


def is_target(name: str) -> bool:
    return name.casefold().startswith(TARGET)
