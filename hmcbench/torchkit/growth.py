"""Which class and level of a larger hierarchy an old one has become."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hmcbench.errors import BadInput

if TYPE_CHECKING:
    from hmcbench.hierarchy.hierarchy import Hierarchy
    from hmcbench.interfaces import Task

Row = tuple[int, str]
"""What one output stands for: its level (from 0) and class id; the id is empty for ``stop``."""


@dataclass(frozen=True)
class Growth:
    """A hierarchy and a larger one. Make it with :meth:`between`.

    Attributes:
        old, new: the tasks.
        names: old class id -> new class id.
        levels: for every old level its place among the new ones, from 0.
    """

    old: Task
    new: Task
    names: Mapping[str, str]
    levels: tuple[int, ...]

    @classmethod
    def between(cls, old: Task, new: Task) -> Growth:
        """Match classes by id; where ids are paths, a level put above lengthens them at the front.

        Raises:
            BadInput: one of them has no hierarchy, single against several paths, an old class is
                missing, or classes of one old level stand on several new ones.
        """
        before, after = old.hierarchy, new.hierarchy
        if before is None or after is None:
            raise BadInput("only tasks with a hierarchy can grow")
        if old.paths != new.paths:
            raise BadInput(f"it was trained for {old.paths} label paths, the data have {new.paths}")
        names = {name: _find(name, after) for name in before.classes}
        absent = [name for name, found in names.items() if not found]
        if absent:
            more = ", ..." if len(absent) > 4 else ""
            raise BadInput(
                f"the new hierarchy lacks {len(absent)} of its classes: {', '.join(absent[:4])}{more}",
                allowed="a hierarchy with every old class and any number of new ones",
            )
        levels: list[int] = []
        for k in range(1, before.depth + 1):
            places = {
                int(after.levels[after.index(names[before.classes[c]])]) for c in before.level_classes(k)
            }
            if len(places) > 1 or (levels and min(places) <= levels[-1] + 1):
                raise BadInput(
                    f"classes of level {k} stand on the levels {', '.join(map(str, sorted(places)))} of the"
                    " new hierarchy",
                    allowed="levels that stay together and in order",
                )
            levels.append(places.pop() - 1)
        return cls(old, new, names, tuple(levels))

    @property
    def depth(self) -> int:
        """Levels of the new hierarchy."""
        return self._hierarchy.depth

    def row(self, old: Row) -> Row:
        """Where an old output stands now."""
        level, name = old
        return self.levels[level], self.names[name] if name else ""

    def is_below(self, row: Row, above: Row) -> bool:
        """Whether one class of the new hierarchy is a proper descendant of another."""
        if not row[1] or not above[1] or row == above:
            return False
        index = self._hierarchy.index
        return bool(self._hierarchy.ancestors[[index(row[1])], [index(above[1])]][0])

    def are_siblings(self, one: Row, other: Row) -> bool:
        """Whether two classes of the new hierarchy share a parent (the root counts as one)."""
        if not one[1] or not other[1]:
            return False
        first, second = (set(self._hierarchy.parents(row[1])) for row in (one, other))
        return bool(first & second) or first == second == set()

    def nearest_ancestors(self, row: Row, among: Collection[Row]) -> list[Row]:
        """The deepest of those that stand above a class; empty if none does."""
        above = [other for other in among if self.is_below(row, other)]
        return sorted(other for other in above if other[0] == max(level for level, _ in above))

    def nearest_descendants(self, row: Row, among: Collection[Row]) -> list[Row]:
        """The highest of those that stand below a class; empty if none does."""
        below = [other for other in among if self.is_below(other, row)]
        return sorted(other for other in below if other[0] == min(level for level, _ in below))

    @property
    def _hierarchy(self) -> Hierarchy:
        assert self.new.hierarchy is not None  # between has seen to it
        return self.new.hierarchy


def _find(name: str, hierarchy: Hierarchy) -> str:
    """The id that an old class has now; empty if it has none, or may have several."""
    if name in hierarchy:
        return name
    longer = (
        [other for other in hierarchy.classes if other.endswith(f"/{name}")] if hierarchy.path_ids else []
    )
    return longer[0] if len(longer) == 1 else ""
