"""Records with values of another kind end in one line, wherever a board would use them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.records.kinds import wrong_kind
from hmcbench.records.record import JSON, Record, read_record

Fabricate = Callable[..., Record]
OTHERS = (None, "x", [1], {"a": 1}, True)
RULE = {"version": "1", "makes": "scores", "params": {}, "metrics": {}}


def places(data: Any, above: tuple[str, ...] = (), depth: int = 3) -> Iterator[tuple[str, ...]]:
    """Where a value stands in a document: names from the top; two of the metrics are enough."""
    if isinstance(data, dict) and len(above) < depth:
        names = list(data)[:2] if above[:1] == ("metrics",) else list(data)
        for name in names:
            yield (*above, name)
            yield from places(data[name], (*above, name), depth)


def changed(data: Any, place: tuple[str, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(data))
    holder = copy
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    return copy


@pytest.mark.slow
def test_every_value_of_a_record_may_be_of_another_kind(fabricate: Fabricate) -> None:
    more = {"rules": {"map": {**RULE, "metric_failures": {"test": {"x": "no"}}}, "min": {"failure": "no"}}}
    record = fabricate("a", 0.8, metric_failures={"test": {"x": "no"}}, **more)
    fabricate("b", 0.7)
    refused = tried = 0
    for place in places(dict(record.data)):
        for value in OTHERS:
            (record.path / JSON).write_text(json.dumps(changed(dict(record.data), place, value)))
            tried += 1
            try:
                to_markdown(boards_of(record.path.parent.parent))
            except HmcbenchError as error:
                assert "\n" not in str(error)
                refused += 1
    assert 0 < refused < tried


@pytest.mark.parametrize(
    ("place", "value", "what"),
    [
        (("suite",), [], "suite is '[]', not a table"),
        (("seed",), "0", "seed is '0', not a whole number"),
        (("model", "label"), None, "model.label is 'None', not a text"),
        (("metrics", "test"), 5, "metrics.test is '5', not a table"),
        (("metrics", "test", "x"), "high", "metrics.test.x is 'high', not a whole number or a number"),
        (("decision", "thresholds"), ["a"], "decision.thresholds is"),
        (("split", "counts"), {"test": True}, "split.counts.test is 'True'"),
        (("rules",), {"map": 1}, "rules.map is '1', not a table"),
        (("rules",), {"map": {**RULE, "metrics": [1]}}, "rules.map.metrics is '[1]', not a table"),
        (("rules",), {"map": {**RULE, "metrics": None}}, "rules.map.metrics is 'None', not a table"),
        (("rules",), {"map": {**RULE, "metrics": {"test": 1}}}, "rules.map.metrics.test is '1', not a table"),
        (("rules",), {"map": {**RULE, "metrics": {"test": {"x": "a"}}}}, "rules.map.metrics.test.x is 'a'"),
        (("rules",), {"map": {**RULE, "params": None}}, "rules.map.params is 'None', not a table"),
        (("rules",), {"map": {"metrics": {}}}, "rules.map.version is 'None', not a text"),
        (("rules",), {"map": {"failure": 3}}, "rules.map.failure is '3', not a text"),
        (("rules",), {"map": {"metric_failures": "x"}}, "rules.map.metric_failures is 'x', not a table"),
        (("rules",), {"map": {"metric_failures": None}}, "rules.map.metric_failures is 'None'"),
        (("metric_failures",), ["x"], "metric_failures is"),
        (("shifts",), {"of": {"a": 1}}, "shifts.of.a is '1', not a table"),
        (
            ("shifts",),
            {"of": {"a": {"metric_failures": {"1": {"x": 1}}}}},
            "shifts.of.a.metric_failures.1.x is '1', not a text",
        ),
        (("shifts",), {"of": {"a": {"metric_failures": []}}}, "shifts.of.a.metric_failures is '[]'"),
        (("metric_failures",), {"test": "x"}, "metric_failures.test is 'x', not a table"),
        (("metric_failures",), {"test": {"x": 1}}, "metric_failures.test.x is '1', not a text"),
    ],
)
def test_the_value_is_named(fabricate: Fabricate, place: tuple[str, ...], value: Any, what: str) -> None:
    record = fabricate("a", 0.8)
    data = {"decision": {}, "rules": {}, "shifts": {}, **record.data}
    assert not wrong_kind(data)
    assert what in wrong_kind(changed(data, place, value))
    Path(record.path / JSON).write_text(json.dumps(changed(data, place, value)))
    with pytest.raises(BadInput, match="remove the folder and run again"):
        read_record(record.path)
