"""A table and its problems: cells become numbers, and every problem a line of a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from hmcbench.errors import Problem
from hmcbench_materials.composition.formula import Amounts, FormulaError, amounts_array, read_formula
from hmcbench_materials.tables import COLUMN_HINT, Table, find_columns, number


class Sheet:
    """The columns of a table that a dataset reads.

    Attributes:
        problems: those so far.
        bad: rows that cannot be used.
    """

    def __init__(
        self, table: Table, columns: Sequence[tuple[str, Sequence[str]]], hint: str = COLUMN_HINT
    ) -> None:
        self.table = table
        self.places = find_columns(table, columns, hint)
        self.problems: list[Problem] = []
        self.bad: set[int] = set()

    def __len__(self) -> int:
        return len(self.table.rows)

    def where(self, row: int) -> str:
        return f"{self.table.name}:{self.table.lines[row]}"

    def reject(self, row: int, kind: str, what: str, *, fatal: bool = True) -> None:
        """A row that cannot be used; not fatal where it is known and simply left out."""
        self.bad.add(row)
        self.problems.append(Problem(self.where(row), what, kind, fatal=fatal))

    def note(
        self, kind: str, what: str, *, row: int | None = None, fatal: bool = False, skippable: bool = False
    ) -> None:
        """A problem of the table, or of one row; unless ``skippable``, it remains where rows are left out."""
        where = self.table.name if row is None else self.where(row)
        self.problems.append(Problem(where, what, kind, fatal=fatal, skippable=skippable))

    def title(self, name: str) -> str:
        """A column as the file calls it."""
        return self.table.columns[self.places[name]]

    def texts(self, name: str) -> list[str]:
        return self.table.column(self.places[name])

    def numbers(self, names: Sequence[str], *, signed: Sequence[str] = ()) -> np.ndarray:
        """Float (N, len(names)); nan in rows that are reported; only ``signed`` columns may be negative."""
        columns = [self.numbers_at(self.places[name], signed=name in signed) for name in names]
        return np.array(columns, dtype=np.float64).T.reshape(len(self), len(names))

    def numbers_at(self, place: int, *, signed: bool = True) -> list[float]:
        """The same of the column at one position of the table, (N,)."""
        values: list[float] = []
        for row, cell in enumerate(self.table.column(place)):
            value, what, kind = number(cell)
            if value < 0 and not signed:
                what, kind = f"{cell} is negative; 0 or more is allowed", "negative"
            if what:
                self.reject(row, kind, f"{self.table.columns[place]}: {what}")
            values.append(math.nan if what else value)
        return values

    def formulas(self, name: str, known_errors: Sequence[str] = ()) -> np.ndarray:
        """Float (N, 118): amounts as written; zeros in rows that are reported.

        Args:
            known_errors: formulas that stand wrong in the published file; such a row is left out
                with a warning.
        """
        rows: list[Amounts] = []
        for row, text in enumerate(self.texts(name)):
            try:
                if text in ("", "NaN"):  # programs write NaN for nothing; nobody for an alloy of Na and N
                    raise FormulaError(
                        f"{text!r}: the formula is missing" if text else "the cell is empty", "nan"
                    )
                formula = read_formula(text)
            except FormulaError as error:
                known = text in known_errors
                slip = " (a slip in the published file; the row is left out)" if known else ""
                self.reject(row, error.kind, f"{self.title(name)}: {error}{slip}", fatal=not known)
                rows.append({})
                continue
            rows.append(formula.amounts)
            for note in formula.notes:
                self.note("reading", f"{self.title(name)}: {note}", row=row)
            if formula.total > 101 or 90 < formula.total < 99:  # below: atomic ratios
                what = f"the amounts add up to {formula.total:g}, not to 100"
                self.note("sum", f"{self.title(name)}: {what}; they are taken as parts of the whole", row=row)
        return amounts_array(rows)

    def each(self, name: str, read: Callable[[str], object]) -> list[object]:
        """``read(cell)`` of every row; a ValueError becomes a problem of kind ``label``."""
        values: list[object] = []
        for row, cell in enumerate(self.texts(name)):
            try:
                values.append(read(cell))
            except ValueError as error:
                self.reject(row, "label", f"{self.title(name)}: {error}")
                values.append(None)
        return values
