"""The categories of a COCO file: their paths, and why some of them cannot be classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hmcbench.errors import Problem
from hmcbench_masks.reader.classes import category_keys, category_name, why_no_class

Id = int | float | str


@dataclass(frozen=True)
class Categories:
    """The categories of a file.

    Attributes:
        keys: path of a category, top level first -> what stands for it (:func:`category_keys`).
        names: id -> the same.
        wrong: id -> why an image with this category cannot be used.
        without_id: why no annotation can have some others.
    """

    keys: Mapping[tuple[str, ...], str]
    names: Mapping[Id, str]
    wrong: Mapping[Id, str]
    without_id: Sequence[str]

    def unused(self, used: Iterable[Id | None], where: str) -> list[Problem]:
        """A warning for every wrong category that no image has.

        Args:
            used: ids that annotations of images have.
            where: the file.
        """
        ids = set(used)
        reasons = [*(why for key, why in self.wrong.items() if key not in ids), *self.without_id]
        return [
            Problem(where, f"{why}; it is left out, as no image has it", "unused-category", fatal=False)
            for why in reasons
        ]


class _NoPathError(Exception):
    """Why the path of a category is not known."""


def id_of(record: Mapping[str, Any], field: str) -> Id | None:
    """None where there is none, or a value that can be no id."""
    value = record.get(field)
    return value if isinstance(value, Id) else None


def title_of(kind: str, record: Mapping[str, Any], i: int) -> str:
    """What a message calls a record: by its id, or else by its place in the list."""
    key = id_of(record, "id")
    return f"{kind} number {i + 1}" if key is None else f"{kind} {key}"


def read_categories(records: Sequence[Mapping[str, Any]], names_are_classes: bool) -> Categories:
    """The categories of these records.

    Args:
        names_are_classes: whether a category is a class by its path. Where ``classes.csv`` says what
            categories are, one that is alone with its name needs no path.
    """
    pairs, wrong, without_id = _names(records)
    above_of: dict[str, list[Any]] = {}
    for name, above in pairs.values():
        if above not in above_of.setdefault(name, []):
            above_of[name].append(above)
    counts = Counter(name for name, _above in pairs.values())
    paths = {}
    for key, (name, above) in pairs.items():
        try:
            path, reason = _path(name, above, above_of), ""
        except _NoPathError as error:
            path, reason = (name,), f"{name!r} cannot be a class: {error}"
        if names_are_classes:
            reason = reason or why_no_class("/".join(path))
        if reason and (names_are_classes or counts[name] > 1):
            wrong.setdefault(key, f"the category {reason}")
        elif key not in wrong:
            paths[key] = path
    keys = category_keys(paths.values())
    return Categories(keys, {key: keys[path] for key, path in paths.items()}, wrong, without_id)


def _names(
    records: Sequence[Mapping[str, Any]],
) -> tuple[dict[Id, tuple[str, Any]], dict[Id, str], list[str]]:
    """Id -> name and supercategory as the file has it; id -> why there is no such pair; those without id."""
    pairs: dict[Id, tuple[str, Any]] = {}
    wrong: dict[Id, str] = {}
    without_id = []
    for i, record in enumerate(records):
        key, title = id_of(record, "id"), title_of("category", record, i)
        name, above = _text(record.get("name")), record.get("supercategory")
        if key is None:
            without_id.append(f"{title} has no id")
        elif not name:
            wrong[key] = f"{title} has no name"
        elif pairs.setdefault(key, (name, above)) != (name, above):
            wrong[key] = f"several categories have the id {key}"
    return pairs, wrong, without_id


def _text(value: Any) -> str:
    """The name that a value is; empty where it is none."""
    return category_name(str(value)) if isinstance(value, Id) else ""


def _path(name: str, above: Any, above_of: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """Of a category below its supercategory, which may have one of its own.

    Args:
        above_of: name of a category -> supercategories of those of this name, as the file has them.

    Raises:
        _NoPathError: a supercategory that is no text, is several categories, or lies below itself.
    """
    path = [name]
    while over := _supercategory(path[-1], above):
        if over in path:
            raise _NoPathError(f"the category {over} lies below itself")
        path.append(over)
        further = {_supercategory(over, each) for each in above_of.get(over, ())}
        if len(further) > 1:
            raise _NoPathError(f"the supercategory {over} of {path[-2]} is the name of several categories")
        above = min(further, default="")
    return tuple(path[::-1])


def _supercategory(name: str, above: Any) -> str:
    """Of a category; empty where there is none."""
    if above and not isinstance(above, Id):
        raise _NoPathError(f"the supercategory of {name} is no name ({above!r:.40})")
    over = _text(above or "")
    return "" if over in ("none", name) else over
