"""Whether the fields of a spec are of the types that they are declared with. For strangers' specs.

A wrong type would otherwise show up much later, in a list or in a worker, as somebody else's error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, cast

from hmcbench.interfaces import PROFILES, Param

_TYPES = (bool, int, float, str, type(None))


def misfit(spec: Any) -> str:
    """The first field that is wrong, with what it should be; empty if there is none."""
    for field in fields(spec):
        value = getattr(spec, field.name)
        fits, words = _RULES.get(str(field.type), (lambda _: True, ""))
        if not fits(value):
            return f"{field.name} is {_shown(value)}, not {words}"
    for name in ("summary", "citation", "licence"):
        text = getattr(spec, name, "")
        if not text.isprintable():
            return f"{name} holds line breaks or control characters"
    return _literals(spec) or _nested(spec)


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"[:60]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(item, str) for item in value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_is_text, "text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "tuple[str, ...]": (_is_texts, "a tuple of texts"),
    "float | None": (_is_number, "a number or None"),
    "str | Callable[..., Any]": (lambda value: _is_text(value) or callable(value), "package.module:name"),
    "Mapping[str, Param]": (lambda value: isinstance(value, Mapping), "a mapping"),
    "Mapping[str, Mapping[str, Value]]": (lambda value: isinstance(value, Mapping), "a mapping"),
}
_CHOICES = {
    "task": ("hmc", "regression"),
    "tasks": ("hmc", "regression"),
    "paths": ("single", "multiple"),
    "depths": ("full", "ragged"),
    "scores": ("probability", "logit"),
    "better": ("higher", "lower", ""),
    "over": ("", "levels", "classes"),
}


def _literals(spec: Any) -> str:
    for name, allowed in _CHOICES.items():
        if hasattr(spec, name):
            value = getattr(spec, name)
            for one in value if isinstance(value, (tuple, list)) else (value,):
                if one not in allowed:
                    return f"{name} has {one!r}; allowed: {', '.join(repr(a) for a in allowed)}"
    return ""


def _nested(spec: Any) -> str:
    """Parameters and profiles."""
    params: Mapping[Any, Any] = getattr(spec, "params", {})
    for name, param in params.items():
        if not (isinstance(name, str) and name.isidentifier()):
            return f"the parameter {name!r} is no keyword"
        if not isinstance(param, Param):
            return f"the parameter {name} is {_shown(param)}, not a Param"
        if not isinstance(cast(Any, param.default), _TYPES):
            return f"the default of {name} is {_shown(param.default)}, not a number, text, bool or None"
        if not (_is_text(param.help) and _is_number(param.low) and _is_number(param.high)):
            return f"the help or the bounds of {name} are of the wrong type"
        if not isinstance(param.choices, (tuple, list)) or not _is_texts(param.aliases):
            return f"the choices or the aliases of {name} are no tuple"
    for profile, values in getattr(spec, "profiles", {}).items():
        if profile not in PROFILES:
            return f"unknown profile {profile!r}; allowed: {', '.join(PROFILES)}"
        if not isinstance(values, Mapping) or not all(isinstance(v, _TYPES) for v in values.values()):
            return f"the profile {profile} is no mapping of plain values"
    return ""
