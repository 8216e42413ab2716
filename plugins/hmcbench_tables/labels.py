"""Labels of a table: level columns, one column of joined labels, or columns of 0 and 1."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hmcbench.data.columns import MOSTLY, is_missing, numbers
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy, bad_name
from hmcbench_tables.columns import find
from hmcbench_tables.problems import RowProblems, listed
from hmcbench_tables.reading import TextTable

TRUE = {"1", "1.0", "true", "yes"}
FALSE = {"0", "0.0", "false", "no"}
MANY_NUMBERS = 20  # different numbers in a column that is hardly one of classes
FEW_ROWS, MANY_ROWS = 2, 20  # rows with a name below another parent than usual: a slip of the pen?
MAYBE_MISSING = {"na", "none", "-", "--", "nat", "nil"}  # programs write them for no value; so may people
FORMS = {"levels": "level columns", "joined": "labels joined by |", "columns": "0/1 columns"}


@dataclass
class Labels:
    """The classes of every row.

    Attributes:
        form: ``levels``, ``joined`` or ``columns``.
        hierarchy: of the classes.
        rows: the class ids of each row as the table gives them, without those that follow from them;
            empty for rows that cannot be used.
        violations: (child, parent) -> rows that have the child and not the parent (0/1 columns).
    """

    form: str
    hierarchy: Hierarchy
    rows: list[tuple[str, ...]]
    violations: dict[tuple[str, str], list[int]] = field(default_factory=dict)


def read_labels(
    table: TextTable,
    text: str,
    report: RowProblems,
    *,
    form: str = "auto",
    parent: str = "",
    hierarchy: str = "",
) -> Labels:
    """The labels in the columns that ``text`` names; rows without a usable label go into the report.

    Raises:
        BadInput: no such column, columns of different forms, no class, or a hierarchy that cannot be used.
    """
    names = find(table, text, "labels")
    above = find(table, parent, "parent")
    if len(above) > 1:
        raise BadInput(f"parent names {len(above)} columns: {', '.join(above)}", allowed="one 0/1 column")
    names = [name for name in names if name not in above]
    if form == "auto":
        form = _form(table, names, above)
        _check_names(table, names)
    given = _hierarchy_file(table, hierarchy) if hierarchy else None
    if form == "columns":
        return _indicators(table, names, above, given, report)
    if above:
        raise BadInput(f"parent {above[0]!r}: the labels are {FORMS[form]}", allowed="parent for 0/1 columns")
    if form == "levels":
        rows = _levels(table, names, given, report)
    else:
        if len(names) > 1:
            raise BadInput(f"labels joined by | in {len(names)} columns: {', '.join(names)}", allowed="one")
        rows = _joined(table, names[0], given, report)
    return _resolved(form, rows, given, report)


def _form(table: TextTable, names: Sequence[str], above: Sequence[str]) -> str:
    """How the labels are written: columns of 0 and 1 are told apart by their cells."""
    if not names:
        raise BadInput("no column of labels besides the parent", allowed="labels=COLUMN;COLUMN")
    binary = [name for name in (*names, *above) if _share_of_truth(table.column(name)) >= MOSTLY]
    others = [name for name in (*names, *above) if name not in binary]
    if binary and others:
        raise BadInput(
            f"labels in 0/1 columns ({listed(binary)}) and in others ({listed(others)})",
            allowed="one form for all; form=levels takes 0 and 1 as names",
        )
    return "columns" if binary else "levels" if len(names) > 1 else "joined"


def _check_names(table: TextTable, names: Sequence[str]) -> None:
    """Raises BadInput for a column of measured numbers: nearly every row would be a class of its own."""
    for name in names:
        cells = [cell for cell in table.column(name) if not is_missing(cell)]
        different = len(set(cells))
        if different <= MANY_NUMBERS or different < len(cells) / 2:
            continue
        if len(numbers(cells)[1]) <= (1 - MOSTLY) * len(cells):
            raise BadInput(
                f"{table.source}: the labels {name!r} are {different} different numbers in {len(cells)} rows",
                allowed="names of classes; form=levels or form=joined takes numbers as names",
                hint=f"--target {name} for a regression",
            )


def _share_of_truth(cells: Sequence[str]) -> float:
    present = [cell for cell in cells if not is_missing(cell)]
    return sum(cell.casefold() in TRUE | FALSE for cell in present) / max(1, len(present))


def _hierarchy_file(table: TextTable, name: str) -> Hierarchy:
    """The hierarchy of a file that lies beside the table, or at this path."""
    beside = Path(table.source).parent / name
    return Hierarchy.from_csv(beside if beside.exists() else Path(name))


# --------------------------------------------------------------------------- 0/1 columns


def _indicators(
    table: TextTable, names: Sequence[str], above: Sequence[str], given: Hierarchy | None, report: RowProblems
) -> Labels:
    """A class for every column, below ``above`` where that is given."""
    if given is not None and above:
        raise BadInput("both parent and hierarchy are given", allowed="one of them")
    reason = next(filter(None, (bad_name(name) for name in (*above, *names))), "")
    if reason:
        raise BadInput(f"{table.source}: {reason}", hint="rename the column")
    if given is None:
        top = [("", name) for name in above or names]
        given = Hierarchy.from_edges(top + [(parent, name) for parent in above for name in names])
    unknown = [name for name in (*above, *names) if name not in given]
    if unknown:
        what = f"columns of labels that the hierarchy lacks: {listed(unknown)}"
        raise BadInput(what, allowed=listed(given.classes))
    values = {name: _truth(table, name, report) for name in (*above, *names)}
    positive = [[name for name, truth in values.items() if truth[row]] for row in range(len(table))]
    rows = [() if row in report.bad else tuple(names) for row, names in enumerate(positive)]
    labels = Labels("columns", given, rows)
    labels.violations = _violations(labels, values, report)
    return labels


def _truth(table: TextTable, name: str, report: RowProblems) -> np.ndarray:
    """Boolean (N,); a cell that is neither 0 nor 1 makes its row a problem."""
    cells = table.column(name)
    for row, cell in enumerate(cells):
        if cell.casefold() not in TRUE | FALSE:
            what = "the label is missing" if is_missing(cell) else f"{cell[:40]!r} is neither 0 nor 1"
            report.reject(row, "label", f"column {name!r}: {what}")
    return np.array([cell.casefold() in TRUE for cell in cells])


def _violations(
    labels: Labels, values: dict[str, np.ndarray], report: RowProblems
) -> dict[tuple[str, str], list[int]]:
    """Rows with a child and without its parent, where both have a column; and a warning for each pair.

    A child of several parents needs all of them, as an ancestor-closed set does.
    """
    pairs: dict[tuple[str, str], list[int]] = {}
    for parent, child in labels.hierarchy.edges:
        if parent in values and child in values:
            alone = np.flatnonzero(values[child] & ~values[parent]).tolist()
            rows = [row for row in alone if row not in report.bad]
            if rows:
                pairs[child, parent] = rows
                what = (
                    f"{len(rows)} row{'s have' if len(rows) > 1 else ' has'} {child!r} without its parent"
                    f" {parent!r}, which is added: {report.lines(rows)}"
                )
                report.note("violation", what)
    return pairs


# --------------------------------------------------------------------------- names in cells


def without_missing(
    table: TextTable, name: str, report: RowProblems, known: Container[str] = (), what: str = "class"
) -> list[str]:
    """The cells of a column of names, ``""`` for those that say that there is no value, as pandas does.

    Notes of the report say which cells were taken for empty, and which names look like a missing value.

    Args:
        known: names that are none, whatever they look like.
        what: they are names of a ``class`` or a ``group``.
    """
    cells = table.column(name)
    counts = Counter(cells)
    gone = {cell for cell in counts if cell and is_missing(cell) and cell not in known}
    if gone:
        number = sum(counts[cell] for cell in gone)
        empty = "1 cell is" if number == 1 else f"{number} cells are"
        text = f"column {name!r}: {empty} taken as empty: {listed(map(repr, sorted(gone)))}"
        report.note("missing-value", text)
    for cell in sorted(counts):
        if cell != "Na" and cell.casefold() in MAYBE_MISSING and cell not in known:
            text = (
                f"column {name!r}: the {what} {cell!r} looks like a missing value; if it is, leave it empty"
            )
            report.note("looks-missing", text)
    return ["" if cell in gone else cell for cell in cells]


def _levels(
    table: TextTable, names: Sequence[str], given: Hierarchy | None, report: RowProblems
) -> list[tuple[tuple[str, ...], ...]]:
    """One path per row, top level first; empty cells end it."""
    columns = [without_missing(table, name, report, given or ()) for name in names]
    paths: list[tuple[tuple[str, ...], ...]] = []
    for row, cells in enumerate(zip(*columns, strict=True)):
        path = [" ".join(cell.split()) for cell in cells]
        while path and not path[-1]:
            path.pop()
        gap = path.index("") if "" in path else None
        reason = next(filter(None, (_bad_part(name) for name in path if name)), "")
        if not path:
            reason = "it has no label"
        elif gap is not None:
            reason = f"{names[gap]!r} is empty, and the level below it is {path[gap + 1]!r}"
        if reason:
            report.reject(row, "level-gap" if gap is not None else "label", reason)
        paths.append(() if reason else (tuple(path),))
    _rare_parents(paths, report)
    return paths


def _rare_parents(paths: Sequence[tuple[tuple[str, ...], ...]], report: RowProblems) -> None:
    """A warning for each name that stands under one parent in many rows and under another in very few."""
    places: dict[tuple[int, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (path,) in ((row, path) for row, path in enumerate(paths) if path):
        for level in range(1, len(path)):
            places[level, path[level]][path[level - 1]].append(row)
    for (_level, name), parents in places.items():
        usual = max(parents, key=lambda parent: len(parents[parent]))
        for parent, rows in parents.items():
            if len(rows) <= FEW_ROWS and len(parents[usual]) >= MANY_ROWS:
                what = f"{name!r} is below {usual!r} in {len(parents[usual])} rows, and below {parent!r} in"
                report.note("rare-parent", f"{what} {len(rows)}: {report.lines(rows)}")


def _joined(
    table: TextTable, name: str, given: Hierarchy | None, report: RowProblems
) -> list[tuple[tuple[str, ...], ...]]:
    """Several labels per row, each a name or a path ``a/b``."""
    paths: list[tuple[tuple[str, ...], ...]] = []
    for row, cell in enumerate(without_missing(table, name, report, given or ())):
        labels = [tuple(part.strip() for part in label.split("/")) for label in cell.split("|")]
        reason = next(filter(None, (_bad_part(part) for label in labels for part in label)), "")
        absent = next(filter(None, (_missing_part(label, given or ()) for label in labels)), "")
        if not cell:
            reason = "it has no label"
        elif absent:
            reason = (
                f"{absent!r} in {cell[:60]!r} is taken as empty; delete it, or give the class another name"
            )
        elif any(not part for label in labels for part in label):
            reason = f"{cell[:60]!r} has an empty label between | or /"
        if reason:
            report.reject(row, "label", reason)
        paths.append(() if reason else tuple(dict.fromkeys(labels)))
    return paths


def _missing_part(path: Sequence[str], known: Container[str]) -> str:
    """What in a path says that there is no name: ``nan`` in ``MP/nan``, ``N/A`` in ``MP/N/A``; or ``""``."""
    if "/".join(path) in known:
        return ""
    for i, name in enumerate(path):
        for names in (path[i:], (name,)):  # the rest first: N/A is no path of two names
            text = "/".join(names)
            if text and is_missing(text) and text not in known and not all(each in known for each in names):
                return text
    return ""


def _bad_part(name: str) -> str:
    return f"name {name!r} contains '/', which joins the names of a path" if "/" in name else bad_name(name)


def _resolved(
    form: str, rows: list[tuple[tuple[str, ...], ...]], given: Hierarchy | None, report: RowProblems
) -> Labels:
    """Paths of names as classes: of the hierarchy that is given, or of one that has all paths."""
    if given is None:
        paths = {path for row in rows for path in row}
        if not paths:
            raise BadInput(f"{report.table.source}: no row has a label that can be used")
        return Labels(form, Hierarchy.from_paths(paths), [tuple(map("/".join, row)) for row in rows])
    classes: list[tuple[str, ...]] = []
    names = {"/".join(path): _class_of(path, given) for row in rows for path in row}
    for i, row in enumerate(rows):
        unknown = next((path for path in map("/".join, row) if not names[path]), None)
        if unknown is not None:
            report.reject(i, "unknown-class", f"{unknown!r} is no class of the hierarchy")
        classes.append(() if unknown is not None else tuple(names["/".join(path)] for path in row))
    return Labels(form, given, classes)


def _class_of(path: Sequence[str], hierarchy: Hierarchy) -> str:
    """The class of a path of names: its full id, or its last name where that is below the others."""
    if "/".join(path) in hierarchy:
        return "/".join(path)
    if path[-1] not in hierarchy:
        return ""
    fits = any(tuple(path) == above[-len(path) :] for above in hierarchy.paths(path[-1]))
    return path[-1] if fits else ""


def counts(labels: Labels, usable: Sequence[int]) -> dict[str, int]:
    """Class -> usable rows that have it, ancestors included."""
    numbers: dict[str, int] = defaultdict(int)
    closed = labels.hierarchy.encode([labels.rows[row] for row in usable])
    for name, count in zip(labels.hierarchy.classes, np.asarray(closed.sum(axis=0)).ravel(), strict=True):
        numbers[name] = int(count)
    return dict(numbers)
