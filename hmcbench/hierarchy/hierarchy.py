"""The classes of a task: a directed acyclic graph, usually a tree.

The virtual root is not a class. Columns are sorted by (level, id), so parents come before their
children and each level is one contiguous block of columns. Memory is proportional to the number of
edges or sparse, for 5 classes and for 50,000.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import sparse

from hmcbench.errors import BadInput, unknown
from hmcbench.hierarchy.edges import Checked, Edge, EdgeTable, bad_name, check, lint, read_edges
from hmcbench.hierarchy.graph import Graph, Sets
from hmcbench.hierarchy.lookalikes import lookalikes

__all__ = [
    "Edge",
    "EdgeTable",
    "Hierarchy",
    "Sets",
    "bad_name",
    "lint",
    "lookalikes",
    "path_id",
    "read_edges",
]


def path_id(names: Sequence[str]) -> str:
    """The class id of a path of folder names or level columns; empty cells at the end are dropped.

    Raises:
        BadInput: no name at all, a gap, or a name that is not allowed.

    >>> path_id(["MP", "SS", "BCC", ""])
    'MP/SS/BCC'
    """
    path = [name.strip() for name in names]
    while path and not path[-1]:
        path.pop()
    reason = "it has no name" if not path else "it has a gap" if not all(path) else ""
    for name in path:
        slash = f"name {name!r} contains '/', which joins the names of a path" if "/" in name else ""
        reason = reason or slash or bad_name(name)
    if reason:
        raise BadInput(f"the path {','.join(path)!r} cannot be used: {reason}", allowed="names without gaps")
    return "/".join(path)


class Hierarchy(Graph):
    """Classes and their order. Immutable; equal and hashed by ``fingerprint``.

    Make one with :meth:`from_edges`, :meth:`from_paths`, :meth:`from_folders`, :meth:`from_csv`
    or :meth:`from_json`. Array operations (``close``, ``cohere``, ...) are in :class:`Graph`.

    Attributes:
        classes: C ids in column order. Full paths (``MP/SS/BCC``) from folders and level columns,
            global names from edges.
        levels, depth, edge_index: see :class:`hmcbench.hierarchy.graph.Graph`.
        descriptions: id -> text, for some classes; no part of the fingerprint.

    >>> h = Hierarchy.from_edges([("a", "b"), ("a", "e"), ("b", "c"), ("b", "d"), ("x", "y"), ("y", "z")])
    >>> h.classes
    ('a', 'x', 'b', 'e', 'y', 'c', 'd', 'z')
    >>> h.decode(h.encode([["c", "y"]]))
    ('y', 'c')
    >>> h.nca("c", "e"), h.nca("c", "z")
    (('a',), ())
    """

    def __init__(self, checked: Checked, descriptions: Mapping[str, str]) -> None:
        """Use the ``from_`` methods; this takes edges in which :func:`lint` finds nothing fatal."""
        levels = checked.levels
        self.classes: tuple[str, ...] = tuple(sorted(levels, key=lambda name: (levels[name], name)))
        self._index = {name: i for i, name in enumerate(self.classes)}
        self.descriptions: Mapping[str, str] = {c: descriptions[c] for c in self.classes if c in descriptions}
        pairs = [
            (above, i)
            for i, name in enumerate(self.classes)
            for above in sorted(self._index[parent] for parent in checked.parents[name])
        ]
        super().__init__(
            np.array([levels[name] for name in self.classes], dtype=np.int64),
            np.array(pairs, dtype=np.int64).reshape(-1, 2),
        )

    # ------------------------------------------------------------------ constructors and files

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[Edge],
        *,
        path_ids: bool = False,
        descriptions: Mapping[str, str] | None = None,
    ) -> Hierarchy:
        """From ``(parent, child)`` pairs; an empty parent puts the child at the top level.

        Where no pair has an empty parent, the classes that are no child are the top level. A child
        with several parents makes the hierarchy a DAG. ``path_ids``: require that every id is its
        full path (``parent/name``).

        Raises:
            BadInput: anything fatal that :func:`lint` finds, or an id that is no full path.
        """
        hierarchy = cls._from_table(EdgeTable(edges=list(edges), descriptions=dict(descriptions or {})))
        if path_ids and not hierarchy.path_ids:
            raise BadInput("the class ids are not full paths", allowed="the parent's id, '/' and a name")
        return hierarchy

    @classmethod
    def from_paths(
        cls, paths: Iterable[Sequence[str]], *, descriptions: Mapping[str, str] | None = None
    ) -> Hierarchy:
        """From paths of names, top level first, such as the level columns of a table.

        Ids are full paths, so that a name may occur under two parents. See :func:`path_id`.
        """
        edges: dict[Edge, None] = {}
        for path in {tuple(path): None for path in paths}:
            names = path_id(path).split("/")
            for k in range(len(names)):
                edges["/".join(names[:k]), "/".join(names[: k + 1])] = None
        return cls.from_edges(edges, path_ids=True, descriptions=descriptions)

    @classmethod
    def from_folders(cls, root: Path) -> Hierarchy:
        """From nested folders: every folder below ``root`` is a class; hidden ones are skipped."""
        root = Path(root)
        allowed = "a folder whose sub-folders are the classes"
        if not root.is_dir():
            raise BadInput(f"{root} is not a folder", allowed=allowed)

        def refuse(error: OSError) -> None:
            raise BadInput(f"{error.filename}: cannot be read: {error.strerror}", allowed=allowed)

        paths: list[tuple[str, ...]] = []
        for folder, below, _files in os.walk(root, onerror=refuse):
            below[:] = sorted(name for name in below if not name.startswith(".") and name != "__MACOSX")
            above = Path(folder).relative_to(root).parts
            paths += [(*above, name) for name in below]
        if not paths:
            raise BadInput(f"{root} has no sub-folders", allowed=allowed)
        return cls.from_paths(paths)

    @classmethod
    def from_csv(cls, path: Path) -> Hierarchy:
        """From a file ``parent,child[,description]``; see :meth:`from_edges`.

        Raises:
            BadInput: with ``file:line``, when the file cannot be read or :func:`lint` finds a fatal problem.
        """
        return cls._from_table(read_edges(Path(path), str(path)))

    @classmethod
    def _from_table(cls, table: EdgeTable) -> Hierarchy:
        checked = check(table.edges, table.where)
        fatal = [problem for problem in (*table.problems, *checked.problems) if problem.fatal]
        if fatal:
            more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
            raise BadInput(f"{fatal[0].where}: {fatal[0].what}{more}")
        return cls(checked, table.descriptions)

    def to_csv(self, path: Path) -> None:
        """Write ``parent,child``, and ``description`` where there are any; top level first."""
        described = bool(self.descriptions)
        with Path(path).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["parent", "child", "description"] if described else ["parent", "child"])
            for parent, child in self.edges:
                writer.writerow([parent, child, self.descriptions.get(child, "")][: 3 if described else 2])

    def to_json(self) -> dict[str, Any]:
        """Lists and strings, from which :meth:`from_json` makes an equal hierarchy."""
        return {"edges": [list(edge) for edge in self.edges], "descriptions": dict(self.descriptions)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hierarchy:
        """The inverse of :meth:`to_json`."""
        try:
            edges = [(str(parent), str(child)) for parent, child in data["edges"]]
            descriptions = dict(data.get("descriptions", {}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            allowed = '{"edges": [["parent", "child"], ...]}'
            raise BadInput("this is not a stored hierarchy", allowed=allowed) from error
        return cls.from_edges(edges, descriptions=descriptions)

    def __reduce__(self) -> tuple[Any, ...]:
        return Hierarchy.from_json, (self.to_json(),)

    # ------------------------------------------------------------------ classes and edges

    def __len__(self) -> int:
        return self.n

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hierarchy) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        kind = "tree" if self.is_tree else "DAG"
        return f"<Hierarchy: {kind}, {self.n} classes, {self.depth} levels, {self.fingerprint[:10]}>"

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of ids and edges; what "the same hierarchy" means."""
        return hashlib.sha256(json.dumps(self.edges).encode()).hexdigest()

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """``(parent, child)`` by column of the child; ``("", child)`` for the top level."""
        top = (("", name) for name in self.classes[: self._starts[1]])
        return (*top, *((self.classes[p], self.classes[c]) for p, c in self.edge_index.tolist()))

    @cached_property
    def path_ids(self) -> bool:
        """Whether every id is its full path: its parent's id, ``/`` and a name without ``/``."""
        return all(child.rpartition("/")[0] == parent for parent, child in self.edges)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """C display names: the last part of ids that are paths, else the ids."""
        return tuple(c.rpartition("/")[2] for c in self.classes) if self.path_ids else self.classes

    def index(self, name: str) -> int:
        """The column of a class; raises BadInput with close matches where there is none."""
        if name not in self._index:
            raise unknown("class", name, self.classes)
        return self._index[name]

    def parents(self, name: str) -> tuple[str, ...]:
        """The ids right above a class, in column order."""
        return self._names_of_row(self._above, self.index(name))

    def children(self, name: str) -> tuple[str, ...]:
        """The ids right below a class, in column order."""
        return self._names_of_row(self._below, self.index(name))

    def without(self, names: Iterable[str]) -> Hierarchy:
        """The hierarchy without some classes; their children stand below their parents.

        >>> Hierarchy.from_edges([("", "a"), ("a", "b"), ("b", "c")]).without(["a"]).edges
        (('', 'b'), ('b', 'c'))
        """
        removed = {self.classes[self.index(name)] for name in names}
        above: dict[str, dict[str, None]] = {}  # class -> its nearest remaining ancestors, in order
        edges: list[Edge] = []
        for name in self.classes:
            nearest: dict[str, None] = {}
            for parent in self.parents(name):
                nearest |= above[parent] if parent in removed else {parent: None}
            above[name] = nearest
            if name not in removed:
                edges += [(parent, name) for parent in nearest or ("",)]
        return Hierarchy.from_edges(edges, descriptions=self.descriptions)

    def _names_of_row(self, matrix: sparse.csr_array, i: int) -> tuple[str, ...]:
        return tuple(self.classes[j] for j in matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]])

    def paths(self, name: str) -> Iterator[tuple[str, ...]]:
        """Every path of ids from the top level down to a class; one in a tree."""
        waiting: list[tuple[str, ...]] = [(name,)]
        while waiting:
            path = waiting.pop()
            above = self.parents(path[0])
            if not above:
                yield path
            waiting += [(parent, *path) for parent in reversed(above)]

    def nca(self, first: str, second: str) -> tuple[str, ...]:
        """Nearest common ancestors: those with no common ancestor below them; empty for the virtual root.

        A class is its own ancestor; in a tree there is at most one. :meth:`lca` takes arrays.
        """
        above = [self.ancestors[[self.index(name)]] for name in (first, second)]
        return self.decode(above[0].multiply(above[1]))

    lint = staticmethod(lint)

    # ------------------------------------------------------------------ labels

    def encode(self, labels: Sequence[Iterable[str]]) -> sparse.csr_array:
        """Labels of N samples -> ancestor-closed boolean CSR (N, C).

        Raises:
            BadInput: an unknown class.
            TypeError: a string where a collection of class ids is wanted.
        """
        if isinstance(labels, str) or any(isinstance(row, str) for row in labels):
            raise TypeError("labels must be a sequence of collections of class ids")
        rows = [sorted({self.index(name) for name in row}) for row in labels]
        ends = np.cumsum([0, *map(len, rows)])
        columns = np.array([i for row in rows for i in row], dtype=np.int64)
        ones = np.ones(len(columns), dtype=bool)
        return self.close(sparse.csr_array((ones, columns, ends), shape=(len(rows), self.n)))

    def decode(self, row: Sets) -> tuple[str, ...]:
        """The most specific class ids of one set, boolean (C,) or (1, C), in column order."""
        sets = row.reshape(1, -1) if sparse.issparse(row) else np.reshape(row, (1, -1))
        return tuple(self.classes[i] for i in self.most_specific(sets).nonzero()[1])

    def level_targets(self, targets: Sets) -> np.ndarray:
        """Single-path targets as one class number per level, for a softmax per level.

        Args:
            targets: ancestor-closed boolean (N, C), dense or CSR.

        Returns:
            int64 (N, L): the position within ``level_classes(k)`` of the sample's class at level
            k; the number of classes at that level (the ``stop`` output) where the path has ended.

        Raises:
            BadInput: a sample has two classes at one level, or a set is not closed.
        """
        positions, crowded = self.level_positions(targets)
        if crowded.any():
            i, k = np.argwhere(crowded)[0]
            raise BadInput(f"sample {i} has several classes at level {k + 1}", allowed="one path per sample")
        if not self.is_closed(targets):
            raise BadInput("a sample has a class without its ancestors", allowed="closed sets")
        return positions

    def label_shape(self, targets: Sets) -> tuple[Literal["single", "multiple"], Literal["full", "ragged"]]:
        """(paths, depth) of a :class:`hmcbench.interfaces.Task` with these closed targets (N, C).

        A sample without any class makes the depth ragged.
        """
        _positions, crowded = self.level_positions(targets)
        samples, columns = self.most_specific(targets).nonzero()
        full = len(np.unique(samples)) == len(crowded) and bool(np.isin(columns, self.leaves).all())
        return "multiple" if crowded.any() else "single", "full" if full else "ragged"
