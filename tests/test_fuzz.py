"""A small part of benchmarks/fuzz_readers.py: damaged files end in content or in one line."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput

pytestmark = pytest.mark.torch
REPORTED = ("suite.json", "x.bmp", "masks/p.png")  # readers that mostly list what is wrong, or read around it
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
    outcome = script.fuzz(1000, seed=1)
    assert not outcome.broken, [(name, cause) for name, cause, _ in outcome.broken[:3]]
    assert sum(outcome.inputs.values()) == 1000
    assert len(outcome.inputs) >= 12
    assert min(outcome.refused[name] for name in outcome.inputs if name not in REPORTED) > 0


def test_every_reader_reads_its_first_input(script: Any) -> None:
    readers = len(script.all_readers())
    outcome = script.fuzz(readers)
    assert sum(outcome.inputs.values()) == readers
    assert not [name for name in outcome.inputs if outcome.refused[name]]
    assert not outcome.broken


def test_it_finds_a_reader_that_breaks(script: Any, tmp_path: Path) -> None:
    reader = script.Reader("x.json", [b"{}"], lambda path: int(path.read_text()))
    outcome = script.Outcome(script.Counter(), script.Counter(), [], (0.0, ""))
    script._read(reader, tmp_path / "x.json", b"{}", outcome)
    assert "ValueError" in outcome.broken[0][1]


def test_it_stops_a_reader_that_hangs(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "HANG_S", 0.2)

    def waits(path: Path) -> None:
        try:
            time.sleep(600)
        except OSError:
            raise BadInput(f"{path} cannot be read") from None

    outcome = script.Outcome(script.Counter(), script.Counter(), [], (0.0, ""))
    script._read(script.Reader("x.json", [b"{}"], waits), tmp_path / "x.json", b"{}", outcome)
    assert "longer than 0.2 s" in outcome.broken[0][1]
    assert not outcome.refused["x.json"]
