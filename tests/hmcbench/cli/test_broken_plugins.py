"""An error of a third-party plugin before any cell runs gives one line that names the plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.testing.helpers import installed_plugin

PLUGIN = r"""
from hmcbench import DatasetSpec, ModelSpec, Param, hookimpl
from hmcbench.errors import BadInput

@hookimpl
def hmcbench_datasets():
    params = {"path": Param("")}
    return [DatasetSpec(name="poor", version="1", summary="", factory="strange:broken", views=("table",),
                        linter="strange:broken", path_param="path", params=params)]

@hookimpl
def hmcbench_models():
    usual = {"version": "1", "summary": "", "factory": "strange:broken", "params": {"width": Param(1)}}
    return [ModelSpec(name="choosy", check="strange:check", **usual),
            ModelSpec(name="torn", check="strange:broken", **usual),
            ModelSpec(name="lost", check="strange:nowhere", **usual)]

def broken(**params):
    raise ValueError("of two\nlines")

def check(*, width):
    if width > 4:
        raise BadInput(f"width {width}", allowed="at most 4")
"""
SUITE = '[suite]\nname = "s"\nversion = 1\ndatasets = ["poor"]\nprimary = "hf1_samples"\n'
SUITE += '[profiles.quick]\nmodels = ["prior"]\n'
SMALL = ("run", "--suite", "smoke", "--dataset", "toy-tree", "--dry-run", "--model")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "--suite", "s.toml"), "strange:broken of poor raised ValueError: of two lines"),
        (("data", "lint", "s.toml", "--as", "poor"), "hmcbench plugin check strange --spec poor"),
        ((*SMALL, "torn"), "plugin strange: strange:broken of torn raised ValueError"),
        ((*SMALL, "lost"), "plugin strange: strange:nowhere of lost raised AttributeError"),
        ((*SMALL, "choosy", "--set", "choosy.width=9"), "hmcbench: choosy: width 9. Allowed: at most 4."),
    ],
)
def test_one_line(
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    says: str,
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "s.toml").write_text(SUITE)
    monkeypatch.chdir(folder)
    with installed_plugin(tmp_path / "site", "strange", PLUGIN):
        ended = cli(*args)
        assert cli(*SMALL, "choosy").status == 0
    assert ended.status == 2 and not ended.out
    assert ended.err.count("\n") == 1 and says in ended.err
    assert [p.name for p in folder.iterdir()] == ["s.toml"]
