"""Output is UTF-8, whatever encoding the console or the redirect has."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.cli import main

ENCODINGS = ("cp1252", "ascii", "cp932", "utf-16")


def _run(monkeypatch: pytest.MonkeyPatch, encoding: str, *args: object) -> tuple[str, str]:
    """What a command writes to standard output and to standard error, both of that encoding."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(f"sys.{name}", stream)
    with pytest.raises(SystemExit):
        main([str(a) for a in args])
    texts = []
    for stream in streams.values():
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode())
    return texts[0], texts[1]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_board_is_redirected(
    monkeypatch: pytest.MonkeyPatch, fabricate: Callable[..., Any], tmp_path: Path, encoding: str
) -> None:
    fabricate("钢-prior", 0.9)
    out, _ = _run(monkeypatch, encoding, "leaderboard", tmp_path / "runs", "--format", "md")
    assert "↑" in out
    assert "钢-prior" in out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_error_is_redirected(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    _, err = _run(monkeypatch, encoding, "show", "suite", "金属")
    assert "unknown suite '金属'" in err


def test_bytes_of_a_file_name_that_are_no_text_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = _run(monkeypatch, "utf-8", "data", "lint", "caf\udce9")
    assert "caf\\udce9 does not exist" in err
