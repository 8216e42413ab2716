"""``hmcbench list`` and ``hmcbench show``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hmcbench.registry.registry import KINDS


@pytest.mark.parametrize("name", ["level2_accuracy", "level{k}_accuracy", "level1_accuracy_raw"])
def test_a_metric_is_shown_by_the_id_that_a_table_has(cli: Callable[..., Any], name: str) -> None:
    assert "level{k}_accuracy" in cli("show", "metric", name).out


@pytest.mark.parametrize("kind", ["plugins", *KINDS])
def test_list_as_text_and_as_json(cli: Callable[..., Any], kind: str) -> None:
    rows = json.loads(cli("list", kind, "--json").out)
    text = cli("list", kind).out
    assert rows
    for row in rows:
        assert row.get("name", row.get("plugin")) in text


def test_views_are_listed_in_words(cli: Callable[..., Any]) -> None:
    views = {row["name"]: row["views"] for row in json.loads(cli("list", "models", "--json").out)}
    assert views["forest"] == "texture or table"
    assert views["hffnet-2d"] == "pixels"
    assert views["prior"] == "none"
    assert not [v for v in views.values() if set(v) & set("{}[]=|")]


def test_everything_listed_can_be_shown(cli: Callable[..., Any]) -> None:
    for kind in KINDS:
        for row in json.loads(cli("list", kind, "--json").out):
            ended = cli("show", kind.removesuffix("s"), row["name"])
            assert ended.status == 0, ended.err
            assert row["name"] in ended.out
            json.loads(cli("show", kind.removesuffix("s"), row["name"], "--json").out)
