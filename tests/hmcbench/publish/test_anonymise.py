"""Paths of a machine shrink to their last part; what only looks like one stays."""

from __future__ import annotations

import socket

import pytest

from hmcbench.publish.anonymise import scrub


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("MP/SS/BCC", "MP/SS/BCC"),
        ("../data/x.png and ./y and a/b", "../data/x.png and ./y and a/b"),
        ("https://example.org/a/b?c=/d", "https://example.org/a/b?c=/d"),
        ("file:///home/me/x.csv:3: bad", "x.csv:3: bad"),
        ("no '/home/me/two words/x.csv' here", "no 'x.csv' here"),
        ("~/data/x.csv", "x.csv"),
        ("path=/a/b/c,size=3", "path=c,size=3"),
        ("D:/data/x and \\\\server\\share\\y", "x and y"),
        ("file://server/home/x.csv", "x.csv"),
        ("3 / 4 of 5 m/s", "3 / 4 of 5 m/s"),
        ("/", "/"),
    ],
)
def test_scrub(given: str, expected: str) -> None:
    assert scrub({"message": [{"x": given}], "n": 1})["message"] == [{"x": expected}]


def test_a_short_path_does_not_eat_class_names() -> None:
    data = {"path": "/a", "classes": ["x/a", "/ab", "b /a c"]}
    assert scrub(data) == {"path": "a", "classes": ["x/a", "ab", "b a c"]}


def test_reasons_of_failures_name_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "furnace7")
    block = {"metric_failures": {"1": {"mine": "OSError: furnace7 is away"}}, "problem": "on furnace7"}
    assert scrub({"shifts": {"of": {"blur": block}}})["shifts"]["of"]["blur"] == {
        "metric_failures": {"1": {"mine": "OSError: host is away"}},
        "problem": "on host",
    }
    rule = {"left_out": "furnace7 has no solver", "failure": "OSError: furnace7 is away"}
    assert scrub({"rules": {"map": rule}, "predictions": {"left_out": True}}) == {
        "rules": {"map": {"left_out": "host has no solver", "failure": "OSError: host is away"}},
        "predictions": {"left_out": True},
    }
