"""Findings and reports of ``hmcbench verify``, and how numbers are compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TOLERANCE = 1e-9
"""Relative, and absolute below 1: another machine may add floating-point numbers in another order."""

FindingKind = Literal["differs", "changed", "data", "version", "no record", "unreadable"]
FOUND, NOTHING_RECOMPUTED = 1, 3  # exit status of the command


@dataclass(frozen=True)
class Finding:
    """A published value or file that is wrong.

    Attributes:
        kind: ``differs`` (a number or text), ``changed`` (a file, since it was published), ``data`` or
            ``version`` (does not match), ``no record`` (a row, number or picture without a record),
            ``unreadable``.
        where: the file, record or row, in words.
        what: the number's name, or what is wrong.
        published, recomputed: the two values where there are two, else None.
    """

    kind: FindingKind
    where: str
    what: str
    published: Any = None
    recomputed: Any = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        if self.published is not None or self.recomputed is not None:
            text += f": published {_shown(self.published)}, recomputed {_shown(self.recomputed)}"
        return text


@dataclass
class SuiteReport:
    """What was checked in the folder of one suite.

    Attributes:
        name: of the folder.
        records: number of records that ended well.
        failed: number of records of failed cells, which have no numbers.
        verified: keys of the records whose metrics were recomputed from their predictions.
        unchecked: reason -> names of the records that cannot be checked here.
        recomputed: number of published values that were recomputed from predictions.
        compared: number of published values that were only compared with the records: costs, and boards
            of records that were not recomputed.
        uncheckable: number of values in records that were not recomputed.
        files: number of files compared with their digests; None where none were published.
        digest: SHA-256 of the list of digests; empty without one.
        findings: what is wrong.
        notes: facts that are not wrong but useful.
    """

    name: str
    records: int = 0
    failed: int = 0
    verified: set[str] = field(default_factory=set)
    unchecked: dict[str, list[str]] = field(default_factory=dict)
    recomputed: int = 0
    compared: int = 0
    uncheckable: int = 0
    files: int | None = None
    digest: str = ""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def checked(self) -> int:
        """Number of records whose metrics were recomputed."""
        return len(self.verified)

    def add(
        self, kind: FindingKind, where: str, what: str, published: Any = None, recomputed: Any = None
    ) -> None:
        self.findings.append(Finding(kind, where, what, published, recomputed))

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def compare(
        self, where: str, what: str, published: Any, recomputed: Any, *, from_predictions: bool = False
    ) -> None:
        """Count a pair of values, and report it where the two are not the same.

        ``from_predictions``: the second follows from predictions, not from stored metrics or timings.
        """
        if _is_number(published) and from_predictions:
            self.recomputed += 1
        elif _is_number(published):
            self.compared += 1
        if not same(published, recomputed):
            self.add("differs", where, what, published, recomputed)

    def compare_leaves(
        self, where: str, part: str, published: Any, recomputed: Any, *, from_predictions: bool = False
    ) -> None:
        """Compare every leaf of two nested JSON values."""
        left, right = flat(published, part), flat(recomputed, part)
        for name in dict.fromkeys((*left, *right)):
            pair = left.get(name), right.get(name)
            self.compare(where, name, *pair, from_predictions=from_predictions)

    def mismatch(self, where: str, what: str, published: Any, recomputed: Any) -> None:
        """Report that a record is not of the data given; see :data:`hmcbench.records.given_data.Mismatch`."""
        self.add("data", where, what, published, recomputed)


@dataclass
class Report:
    """The reports of all suites of one results folder; ``findings`` are those of its index."""

    suites: list[SuiteReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def all_findings(self) -> Iterator[tuple[str, Finding]]:
        """(suite or empty, finding)."""
        for suite in self.suites:
            yield from ((suite.name, finding) for finding in suite.findings)
        yield from (("", finding) for finding in self.findings)

    @property
    def clean(self) -> bool:
        """Whether there are no findings; records that cannot be checked here are none."""
        return not any(True for _ in self.all_findings())

    @property
    def status(self) -> int:
        """The exit status: 0, ``FOUND``, or ``NOTHING_RECOMPUTED`` where no record could be recomputed."""
        if not self.clean:
            return FOUND
        return 0 if any(suite.checked for suite in self.suites) else NOTHING_RECOMPUTED

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": 2,
            "clean": self.clean,
            "status": self.status,
            "tolerance": TOLERANCE,
            "suites": [
                {
                    **vars(suite),
                    "verified": sorted(suite.verified),
                    "findings": [vars(f) for f in suite.findings],
                }
                for suite in self.suites
            ],
            "findings": [vars(f) for f in self.findings],
        }


def same(a: Any, b: Any) -> bool:
    """Numbers within the tolerance, NaN and NaN; anything else exactly."""
    if _is_number(a) and _is_number(b):
        return (
            a == b
            or (math.isnan(a) and math.isnan(b))
            or math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        )
    return bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.12g}"
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def flat(data: Any, where: str = "") -> dict[str, Any]:
    """Nested JSON as ``{"a.b[0]": leaf}``; empty lists and objects are leaves."""
    out: dict[str, Any] = {}
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            out |= flat(value, f"{where}.{key}" if where else str(key))
    elif isinstance(data, list) and data:
        for i, value in enumerate(data):
            out |= flat(value, f"{where}[{i}]")
    else:
        out[where] = data
    return out
