"""A wrong suite for every check, and a right one that passes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench import SuiteSpec
from hmcbench.testing.checks import suites

SUITE = """
[suite]
name = "wrong"
version = 1
summary = "for a test"
datasets = ["toy-tree"]
primary = "hf1_samples"
[profiles.quick]
models = ["prior"]
"""
WRONG = {
    "the file can be read": (SUITE.replace('"wrong"', '"other"'), "'other'"),
    "every name is known": (SUITE + '[profiles.paper]\nmodels = ["priro"]', "priro"),
    "cells can be planned": (SUITE.replace('"prior"', '"ridge"'), "no cell|ridge"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_suite_fails_and_the_right_one_passes(
    name: str,
    outcome: Callable[..., Any],
    assert_fails: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, pattern = WRONG[name]
    package = f"suite_{abs(hash(name))}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    spec = SuiteSpec(name="wrong", summary="one line", source=f"{package}:wrong.toml")
    (tmp_path / package / "wrong.toml").write_text(text)
    assert_fails("suites", name, spec, pattern)
    (tmp_path / package / "wrong.toml").write_text(SUITE)
    right = outcome("suites", name, spec)
    assert right.status == "ok", right


def test_every_check_has_a_wrong_suite() -> None:
    assert set(WRONG) == {check.name for check in suites.CHECKS}
