"""Checks values against the annotations of classes: specs of third-party plugins, and tables of TOML.

A wrong type would otherwise raise an error much later, in a list or in a worker. What an annotation cannot
express is in the metadata of a field: ``one_line`` (text without line breaks) and ``keys`` (the keys that
a mapping may have; empty for any keyword).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "None",
    Callable: "a function",
    Mapping: "a table",
}


@cache
def types_of(owner: Any) -> dict[str, Any]:
    """Name -> type of the annotations of a class."""
    return get_type_hints(owner)


def problem_of_fields(owner: Any, prefix: str = "") -> str:
    """The first wrong field of a dataclass, with its allowed type; empty if all are right."""
    types = types_of(owner.__class__)
    for field in fields(owner):
        name, value = prefix + field.name, getattr(owner, field.name)
        problem = problem_of(value, types[field.name], name) or _problem_of_metadata(value, field, name)
        if problem:
            return problem
    return ""


def problem_of(value: Any, wanted: Any, name: str) -> str:
    """Why a value, or an item of it, is not of a type; empty if it is."""
    if get_origin(wanted) in (Union, UnionType) and isinstance(value, tuple):  # of parameters
        parts = [part for part in get_args(wanted) if get_origin(part) is tuple]
        if parts and value:
            return next(filter(None, _problems_of_items(value, parts[0], name)), "")
        return f"{name} is {value!r}, not {words(wanted)}"
    if isinstance(wanted, type) and is_dataclass(wanted) and isinstance(value, wanted):
        return problem_of_fields(value, f"{name}.")
    if _fits(value, wanted):
        return next(filter(None, _problems_of_items(value, wanted, name)), "")
    return f"{name} is {f'{type(value).__name__} {value!r}'[:60]}, not {words(wanted)}"


def _problems_of_items(value: Any, wanted: Any, name: str) -> Iterator[str]:
    if get_origin(wanted) is tuple:
        yield from (problem_of(item, get_args(wanted)[0], f"{name}[{i}]") for i, item in enumerate(value))
    elif get_origin(wanted) is Mapping:
        of_keys, of_values = get_args(wanted)
        for key, item in value.items():
            yield problem_of(key, of_keys, f"a key of {name}")
            yield problem_of(item, of_values, f"{name}[{key!r}]")


def _fits(value: Any, wanted: Any) -> bool:
    """Whether the value itself is of the type; its items are not checked."""
    kind = get_origin(wanted) or wanted
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(wanted) if not isinstance(value, list))
    if kind is Literal:
        return value in get_args(wanted)
    if kind is Callable:
        return callable(value)
    if kind is float and type(value) is int:
        return abs(value) <= sys.float_info.max
    kinds = {float: (float, int), tuple: (tuple, list)}.get(kind, kind)
    return isinstance(value, kinds) and not (isinstance(value, bool) and kind in (int, float))


def _problem_of_metadata(value: Any, field: Field[Any], name: str) -> str:
    if field.metadata.get("one_line") and not value.isprintable():
        return f"{name} holds line breaks or control characters"
    keys = field.metadata.get("keys")
    for key in value if keys is not None else ():
        if keys and key not in keys:
            return f"{name} has {key!r}; allowed: {', '.join(keys)}"
        if not key.isidentifier():
            return f"{name} has {key!r}, which is no keyword"
    return ""


def words(wanted: Any) -> str:
    """A type in plain words: ``tuple[str, ...]`` is "a list of text"."""
    kind, parts = get_origin(wanted) or wanted, get_args(wanted)
    if kind is Literal:
        return " or ".join(map(repr, parts))
    if kind in (Union, UnionType):
        return " or ".join(map(words, parts))
    if kind is tuple:
        several = {int: "whole numbers", float: "numbers"}.get(parts[0])
        return f"a list of {several or words(parts[0])}"
    return _WORDS.get(kind) or f"a {kind.__name__}"
