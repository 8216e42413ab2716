"""``hmcbench explain`` on a trained network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image


def test_explain_draws_a_panel_per_level_and_measures(
    cli: Callable[..., Any], trained_run: Any, tmp_path: Path
) -> None:
    images = sorted(trained_run.images.rglob("*.png"))[::12]
    twin = tmp_path / "0.png"  # the same name as the others
    shutil.copy(images[0], twin)
    out = tmp_path / "maps"
    ended = cli("explain", trained_run.record, *images, twin, "--output", out)
    assert ended.status == 0, ended.err
    report = json.loads((out / "explanations.json").read_text())
    assert [e["figure"] for e in report] == ["0.png", "0-2.png", "0-3.png", "0-4.png"]
    assert {p.name for p in out.iterdir()} == {
        *(e["figure"] for e in report),
        "faithfulness.png",
        "explanations.json",
    }
    for entry in report:
        assert [level["level"] for level in entry["levels"]] == [1, 2]
        for level in entry["levels"]:
            assert level["class"] in ("metal", "oxide", *(c for c in entry["coherent"]))
            assert all(0 <= level[name] <= 1 for name in ("probability", "deletion", "insertion"))
            assert -1 <= level["similarity_random_weights"] <= 1
        with Image.open(out / entry["figure"]) as picture:
            assert picture.width > 900 and picture.getextrema()[0][0] < 60
    assert "similarity to the maps of random weights" in ended.out


def test_one_level_fast(cli: Callable[..., Any], trained_run: Any, tmp_path: Path) -> None:
    image = sorted(trained_run.images.rglob("*.png"))[0]
    ended = cli("explain", trained_run.record, image, "--level", "2", "--fast", "--output", tmp_path)
    assert ended.status == 0, ended.err
    (entry,) = json.loads((tmp_path / "explanations.json").read_text())
    assert [level["level"] for level in entry["levels"]] == [2]
    assert not (tmp_path / "faithfulness.png").exists() and "similarity" not in ended.out
    unknown = cli("explain", trained_run.record, image, "--level", "3", "--output", tmp_path)
    assert unknown.status == 2 and "there is no level 3. Allowed: levels 1 to 2" in unknown.err
