from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from hmcbench.interfaces import DatasetSpec, FeaturizerSpec, MetricSpec, ModelSpec, Param, RuleSpec, SuiteSpec
from hmcbench.registry.registry import KINDS, default_registry
from hmcbench.registry.validation import problem_of, problem_of_fields, types_of, words


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_specs_are_of_the_types_that_they_declare(kind: str) -> None:
    problems = [problem_of_fields(spec) for spec in default_registry().specs(kind)]
    assert not any(problems), problems


@pytest.mark.parametrize(
    "spec", [DatasetSpec, ModelSpec, FeaturizerSpec, MetricSpec, RuleSpec, SuiteSpec, Param]
)
def test_every_field_of_a_spec_refuses_something(spec: Any) -> None:
    """No annotation is passed over: an object of a class that nobody knows fits none of them."""
    for name, kind in types_of(spec).items():
        assert problem_of(object(), kind, name).startswith(f"{name} is object"), name


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (1, int, ""),
        (True, int, "x is bool True, not a whole number"),
        (1, float, ""),
        (True, float, "x is bool True, not a number"),
        ("1", float | None, "x is str '1', not a number or None"),
        (len, str | type, "x is builtin_function_or_method <built-in function len>, not text or a type"),
        (["a"], tuple[str, ...], ""),
        (("a", 1), tuple[str, ...], "x[1] is int 1, not text"),
        ("a", tuple[str, ...], "x is str 'a', not a list of text"),
        ("b", Literal["a", "b"], ""),
        ("c", Literal["a", "b"], "x is str 'c', not 'a' or 'b'"),
        ({"a": {"b": []}}, Mapping[str, Mapping[str, int]], "x['a']['b'] is list [], not a whole number"),
        ({1: {}}, Mapping[str, Mapping[str, int]], "a key of x is int 1, not text"),
    ],
)
def test_a_value_against_a_type(value: Any, kind: Any, says: str) -> None:
    assert problem_of(value, kind, "x") == says


def test_types_in_plain_words() -> None:
    assert words(tuple[Literal["a", "b"], ...]) == "a list of 'a' or 'b'"
    assert words(Param) == "a Param"


@dataclass
class Box:
    label: str = field(default="", metadata={"one_line": True})
    sizes: Mapping[str, int] = field(default_factory=dict, metadata={"keys": ("small", "large")})
    options: Mapping[str, int] = field(default_factory=dict, metadata={"keys": ()})


@pytest.mark.parametrize(
    ("box", "says"),
    [
        (Box("one", {"small": 1}, {"any_name": 2}), ""),
        (Box("one\ntwo"), "label holds line breaks or control characters"),
        (Box(sizes={"huge": 1}), "sizes has 'huge'; allowed: small, large"),
        (Box(options={"a b": 1}), "options has 'a b', which is no keyword"),
    ],
)
def test_what_metadata_says_is_checked(box: Box, says: str) -> None:
    assert problem_of_fields(box) == says
