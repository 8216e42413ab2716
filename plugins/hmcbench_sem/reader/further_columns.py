"""Columns of an index beside those of the reader: features of the samples (view ``table``), or targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """The columns of these entries; and row -> problem, fatal where a target is missing or no number."""
    names = list(entries[0].extra) if entries else []
    features: list[Feature] = []
    unused: dict[str, str] = {}
    targets: dict[str, np.ndarray] = {}
    problems: dict[int, Problem] = {}
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
                if row not in problems or (target and not problems[row].fatal):  # else it hides a fatal one
                    problems[row] = Problem(entries[row].where, text, kind, fatal=target)
            if doubtful := doubtful_comma(cells):
                read = f"column {name!r}: {doubtful!r} is read as {doubtful.replace(',', '.')}"
                text = f"{read}; if its commas separate thousands, delete them in the file"
                row = cells.index(doubtful)
                problems.setdefault(row, Problem(entries[row].where, text, "comma", fatal=False))
        else:
            unused[name] = kind
    good = [row for row in range(len(entries)) if row not in problems or not problems[row].fatal]
    unused |= {feature.name: why for feature in features if (why := why_unused(feature.values[good]))}
    used = [feature for feature in features if feature.name not in unused]
    values = np.array(list(targets.values()), dtype=np.float64).reshape(len(targets), len(entries)).T
    return FurtherColumns(used, unused, tuple(targets), values), problems


def is_target(name: str) -> bool:
    return name.casefold().startswith(TARGET)
