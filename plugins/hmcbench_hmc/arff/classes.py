"""The class attribute: a hierarchy from its list, and the labels of a row from their text.

The list holds either *paths* from the top (``01,01/01,01/01/03``), which are then the ids of the classes, or
*pairs* of parent and child (``root/GO0003674,GO0003674/GO0003774``), in which names are global and a class
may have several parents; ``root`` is the virtual root. Labels of a row are joined by ``@``; one may carry a
confidence (``01/01:0.8``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hmcbench.errors import close_matches
from hmcbench.hierarchy.hierarchy import Edge, Hierarchy, lint
from hmcbench_hmc.arff.text import ArffFile

ROOT = "root"
JOIN = "@"
_CONFIDENCE = re.compile(r"(.+):([-+.\deE]+)\Z")


@dataclass(frozen=True)
class ClassList:
    """The classes of a file.

    Attributes:
        form: ``paths`` or ``pairs``.
        edges: parent and child of every class; an empty parent is the virtual root.
        names: of all classes.
    """

    form: str
    edges: tuple[Edge, ...]
    names: frozenset[str]


def read_classes(file: ArffFile, line: int, entries: Sequence[str], labels: Iterable[str] = ()) -> ClassList:
    """The classes that a header lists.

    Args:
        line: of the class attribute.
        entries: as listed.
        labels: texts of the class attribute of some rows; they tell pairs from paths of two.

    Raises:
        DataProblems: an entry that is no path, a cycle, a class without a name.
    """
    form = form_of(entries, labels)
    edges: dict[Edge, None] = {}
    added: dict[str, None] = {}
    listed = set(entries)
    for entry in entries:
        parts = entry.split("/")
        if not all(part.strip() for part in parts):
            raise file.stop(line, f"the class {entry!r} has an empty name in its path", "class")
        if form == "pairs":
            parent, child = parts
            edges[("" if parent.lower() == ROOT else parent, child)] = None
            continue
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            edges["/".join(parts[: depth - 1]), path] = None
            if path not in listed:
                added[path] = None
    if added:
        what = f"{len(added)} classes are listed without a parent, which was added: {', '.join([*added][:5])}"
        file.add(line, what, "class", fatal=False)
    return _checked(file, line, form, tuple(edges))


def form_of(entries: Sequence[str], labels: Iterable[str] = ()) -> str:
    """``pairs`` if every entry has two parts and no label has a slash, else ``paths``.

    >>> form_of(["root/a", "a/b"], ["b@a"]), form_of(["a", "a/b"]), form_of(["a/b", "a/c"], ["a/c"])
    ('pairs', 'paths', 'paths')
    """
    two = all(entry.count("/") == 1 for entry in entries)
    rooted = any(entry.lower().startswith(f"{ROOT}/") for entry in entries)
    return "pairs" if two and (rooted or not any("/" in label for label in labels)) else "paths"


def _checked(file: ArffFile, line: int, form: str, edges: tuple[Edge, ...]) -> ClassList:
    if form == "pairs" and any(parent == "" for parent, _ in edges):  # other tops, beside those below root
        children = {child for _, child in edges}
        parents = dict.fromkeys(parent for parent, _ in edges if parent and parent not in children)
        edges = (*(("", parent) for parent in parents), *edges)
    problems = lint(edges, [f"{file.label}:{line}"] * len(edges))
    for problem in problems:
        if not problem.fatal:
            file.add(line, problem.what, problem.kind, fatal=False)
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        raise file.error(fatal)
    return ClassList(form, edges, frozenset(name for edge in edges for name in edge if name))


def hierarchy_of(lists: Sequence[ClassList]) -> Hierarchy:
    """The hierarchy of all files together; their lists may differ."""
    edges = list(dict.fromkeys(edge for classes in lists for edge in classes.edges))
    return Hierarchy.from_edges(edges)


class LabelReader:
    """Reads the labels of rows; notes those that cannot be read.

    Args:
        confidence: the least confidence of a label that counts.
    """

    def __init__(self, file: ArffFile, classes: ClassList, confidence: float = 0.5) -> None:
        self._file, self._classes, self._confidence = file, classes, confidence
        self._pairs = set(classes.edges)
        self._known: dict[str, tuple[str, float]] = {}

    def read(self, line: int, text: str) -> tuple[str, ...] | None:
        """The classes of a row; None, with a problem noted, where there is none or one is not known."""
        if text in ("", "?"):
            self._file.add(line, "the row has no class", "no-class")
            return None
        labels: dict[str, None] = {}
        names = set()
        for part in text.split(JOIN):
            try:
                name, confidence = self._label(part)
            except ValueError as error:
                self._file.add(line, str(error), "label")
                return None
            names.add(name)
            if name and confidence >= self._confidence:
                labels[name] = None
        if not labels:
            low = f"no class reaches the confidence {self._confidence:g}"
            self._file.add(line, low if names - {""} else f"the row has no class but {ROOT}", "no-class")
            return None
        return tuple(labels)

    def _label(self, part: str) -> tuple[str, float]:
        """Class and confidence; an empty class for the root."""
        if part not in self._known:
            name, confidence = part.strip(), 1.0
            match = _CONFIDENCE.match(name)
            if self._name(name) is None and match is not None:
                name, confidence = match[1], _share(match[2])
            known = self._name(name)
            if known is None:
                guess = close_matches(name, self._classes.names) if name else ""
                shown = (
                    f"the class {name!r} is not in the header" if name else f"an empty class beside {JOIN!r}"
                )
                raise ValueError(shown + (f"; {guess}" if guess else ""))
            self._known[part] = known, confidence
        return self._known[part]

    def _name(self, text: str) -> str | None:
        """The id of a class, also of one written as parent/child; empty for the root; None for no class."""
        if text in self._classes.names:
            return text
        if self._classes.form == "pairs":
            if text.lower() == ROOT:
                return ""
            parent, slash, child = text.rpartition("/")
            if slash and ("" if parent.lower() == ROOT else parent, child) in self._pairs:
                return child
        return None


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"the confidence {text!r} is not between 0 and 1")
    return value
