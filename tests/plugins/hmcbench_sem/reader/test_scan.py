"""The cache of what pictures are: kept until a file changes, damaged, interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_sem.reader import scan
from hmcbench_sem.reader.collection import collect
from PIL import Image

from hmcbench.files import cache_dir

Picture = Callable[..., np.ndarray]


def test_scans_are_kept_until_a_file_changes(
    tree: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    honest = scan.scan_one
    monkeypatch.setattr(scan, "scan_one", lambda path, *how: looked.append(path.name) or honest(path, *how))
    first = collect(str(tree)).fingerprint()
    assert len(looked) == 8
    assert collect(str(tree)).fingerprint() == first
    assert len(looked) == 8
    Image.fromarray(picture(70, 40, 44)).save(tree / "a" / "1.png")
    assert collect(str(tree)).fingerprint() != first
    assert looked[8:] == ["1.png"]


def test_a_damaged_cache_is_no_obstacle(tree: Path) -> None:
    first = collect(str(tree)).fingerprint()
    (store,) = [p for p in cache_dir("scan").glob("*.json") if "a/1.png" in json.loads(p.read_text())][-1:]
    for content in ("", "[]", "{", '{"a/1.png": 3}', '{"a/1.png": [[1, 2], {"no": 1}]}'):
        store.write_text(content)
        assert collect(str(tree)).fingerprint() == first


def test_an_interrupted_scan_goes_on_where_it_was(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, looked = scan.scan_one, []

    def interrupted(path: Path, *how: Any) -> scan.Scan:
        looked.append(path.name)
        if len(looked) == 6:
            raise KeyboardInterrupt
        return honest(path, *how)

    monkeypatch.setattr(scan, "THREADS", 1)
    monkeypatch.setattr(scan, "scan_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        collect(str(tree))
    collect(str(tree))
    assert 9 <= len(looked) <= 12  # the five before the key was pressed are not looked at again
