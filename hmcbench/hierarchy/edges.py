"""Reads the edges of a hierarchy and checks them before a hierarchy is built.

Plain Python, linear in the number of edges. :mod:`hmcbench.hierarchy.hierarchy` re-exports what is public.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hmcbench.errors import BadInput, Problem
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench.hierarchy.lookalikes import lookalikes

Edge = tuple[str, str]
DEEP = 64
"""Levels beyond which lint warns: the ancestor matrix grows with the square of a chain's length."""


@dataclass
class Checked:
    """The valid part of a list of edges, and the problems of the others.

    Attributes:
        parents: class -> its parents, without repetition; top-level classes have none.
        levels: class -> longest distance from the virtual root (1 = top level). Classes on or
            below a cycle have no level and are missing here.
        problems: fatal ones and warnings, in the order of the edges.
    """

    parents: dict[str, list[str]] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass
class EdgeTable:
    """The rows of a hierarchy file: edges, the place of each (``file:line``), descriptions."""

    edges: list[Edge] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    descriptions: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def lint(edges: Iterable[Edge], where: Sequence[str] = ()) -> list[Problem]:
    """All problems of ``(parent, child)`` edges; an empty parent means top level.

    Args:
        edges: as for :meth:`hmcbench.hierarchy.hierarchy.Hierarchy.from_edges`.
        where: the place of each edge (``file:line``); ``edge 1``, ``edge 2``, ... by default.

    Returns:
        Problems of the kinds ``bad-name``, ``self-ancestor``, ``cycle``, ``unknown-parent``,
        ``clash`` (top level and below a parent at once; or, as a warning, two names that look
        alike), ``no-classes``, and the warnings ``repeated-edge`` and ``deep``.

    >>> [p.what for p in lint([("a", "b"), ("b", "a")])]
    ['a cycle: a > b > a']
    """
    return check(edges, where).problems


def check(edges: Iterable[Edge], where: Sequence[str] = ()) -> Checked:
    """:func:`lint`, and the parents and levels that it computes."""
    result = Checked()
    rows: dict[str, int] = {}  # class -> the first edge that names it
    tops: dict[str, int] = {}
    first_rows: dict[Edge, int] = {}

    def problem(row: int, kind: str, what: str, *, fatal: bool = True) -> None:
        place = where[row] if row < len(where) else f"edge {row + 1}"
        result.problems.append(Problem(place, what, kind, fatal=fatal, skippable=False))

    for row, (parent, child) in enumerate(edges):
        reason = bad_name(child) or (bad_name(parent) if parent else "")
        if reason:
            problem(row, "bad-name", reason)
            continue
        for name in filter(None, (parent, child)):
            rows.setdefault(name, row)
        if parent == child:
            problem(row, "self-ancestor", f"class {child!r} is its own parent")
            tops.setdefault(child, row)
        elif (parent, child) in first_rows:
            problem(row, "repeated-edge", f"{parent!r} > {child!r} is given twice", fatal=False)
        elif parent:
            result.parents.setdefault(child, []).append(parent)
        else:
            tops[child] = row
        first_rows.setdefault((parent, child), row)

    if not rows:
        result.problems.append(Problem("edges", "there are no classes", "no-classes", skippable=False))
    # Where no edge has an empty parent, the classes that are no child are the top level.
    tops_are_listed = any(parent == "" for parent, _ in first_rows)
    for name, row in rows.items():
        if name in tops and name in result.parents and (name, name) not in first_rows:
            above = result.parents[name][0]
            problem(row, "clash", f"class {name!r} is at the top level and also below {above!r}")
        if tops_are_listed and name not in tops and name not in result.parents:
            problem(row, "unknown-parent", f"parent {name!r} is not a class: no row has it as a child")
        result.parents.setdefault(name, [])
    for twin, name, difference in lookalikes(rows, joined=True):
        problem(rows[name], "clash", f"classes {twin!r} and {name!r} {difference}", fatal=False)
    result.levels = _levels(result.parents)
    for cycle in _cycles(result.parents, result.levels):
        problem(rows[cycle[0]], "cycle", "a cycle: " + " > ".join(_shorten([*cycle, cycle[0]])))
    if result.levels and max(result.levels.values()) > DEEP:
        deepest = max(result.levels, key=lambda name: result.levels[name])
        text = f"class {deepest!r} is at level {result.levels[deepest]}; beyond {DEEP} memory and time suffer"
        problem(rows[deepest], "deep", text, fatal=False)
    return result


def bad_name(name: str) -> str:
    """Why ``name`` cannot be the id of a class; empty if it can.

    >>> bad_name("a|b")
    "class name 'a|b' contains '|', which joins labels"
    """
    if not name.strip():
        return "a class without a name"
    if "|" in name:
        return f"class name {name!r} contains '|', which joins labels"
    if name != name.strip():
        return f"class name {name!r} begins or ends with a space"
    if not name.isprintable():
        return f"class name {name!r} contains a character that cannot be printed"
    return ""


def read_edges(path: Path, label: str = "") -> EdgeTable:
    """Read ``parent,child[,description]``; problems name ``label:line`` (``label``: the file's name).

    Raises:
        BadInput: the file is missing, is no text, or has no such header.
    """
    path = Path(path)
    label = label or path.name
    allowed = "a CSV file with the header parent,child or parent,child,description"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"{path}: cannot be read: {reason}", allowed=allowed) from error
    table = EdgeTable()
    rows = csv_rows(text, str(path))
    line, header = next(rows, (1, []))
    if [cell.lower() for cell in header] not in (["parent", "child"], ["parent", "child", "description"]):
        raise BadInput(f"{path}:{line}: the header is {','.join(header)!r}", allowed=allowed)
    for line, cells in rows:
        _read_row(table, cells, f"{label}:{line}")
    if not table.edges and not table.problems:
        table.problems.append(Problem(f"{label}:1", "there are no classes", "no-classes", skippable=False))
    return table


def _read_row(table: EdgeTable, cells: list[str], where: str) -> None:
    if len(cells) not in (2, 3):
        text = f"{len(cells)} cells where parent,child is wanted"
        table.problems.append(Problem(where, text, "bad-row", skippable=False))
        return
    table.edges.append((cells[0], cells[1]))
    table.where.append(where)
    if len(cells) == 3 and cells[2]:
        table.descriptions[cells[1]] = cells[2]


def _levels(parents: dict[str, list[str]]) -> dict[str, int]:
    """Longest distance from the virtual root: level by level, classes whose parents all have a level."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    for child, above in parents.items():
        for parent in above:
            children[parent].append(child)
    open_parents = {name: len(above) for name, above in parents.items()}
    levels: dict[str, int] = {}
    names, level = [name for name, count in open_parents.items() if count == 0], 0
    while names:
        level += 1
        levels |= dict.fromkeys(names, level)
        following = []
        for child in (child for name in names for child in children[name]):
            open_parents[child] -= 1
            if open_parents[child] == 0:
                following.append(child)
        names = following
    return levels


def _cycles(parents: dict[str, list[str]], levels: dict[str, int]) -> list[list[str]]:
    """One cycle of every group of classes without a level, each as parent > child."""
    cycles: list[list[str]] = []
    visited: set[str] = set()
    for start in parents:
        trail: list[str] = []
        name = start
        while name not in levels and name not in visited:
            visited.add(name)
            trail.append(name)
            # a class without a level always has such a parent
            name = next(parent for parent in parents[name] if parent not in levels)
        if name in trail:
            cycle = trail[trail.index(name) :][::-1]
            first = cycle.index(min(cycle))
            cycles.append(cycle[first:] + cycle[:first])
    return cycles


def _shorten(names: list[str], most: int = 10) -> list[str]:
    return names if len(names) <= most else [*names[: most - 2], "...", names[-1]]
