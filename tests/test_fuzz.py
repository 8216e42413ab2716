"""A small part of benchmarks/fuzz_readers.py: damaged files end in content or in one line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
SCRIPT = Path(__file__).parents[1] / "benchmarks" / "fuzz_readers.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz_readers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_readers"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_no_damaged_file_makes_a_traceback(script: Any) -> None:
    found = script.fuzz(1000, seed=1)
    assert not found.broken, [(name, why) for name, why, _ in found.broken[:3]]
    assert sum(found.inputs.values()) == 1000
    assert len(found.inputs) >= 12
    assert min(found.refused[name] for name in found.inputs if name not in ("suite.json", "x.bmp")) > 0


def test_it_finds_a_reader_that_breaks(script: Any, tmp_path: Path) -> None:
    reader = script.Reader("x.json", [b"{}"], lambda path: int(path.read_text()))
    found = script.Found(script.Counter(), script.Counter(), [], (0.0, ""))
    script._feed(reader, tmp_path / "x.json", b"{}", found)
    assert "ValueError" in found.broken[0][1]
