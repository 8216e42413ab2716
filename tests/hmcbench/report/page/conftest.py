"""A board with everything on it, every text of which tries to be a script; records of label maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Task
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import HISTORY, Record
from hmcbench.report.figures.thumbnails import write_thumbnails
from hmcbench.testing.label_maps import tiny_maps

SCRIPT = "<script>window.pwned=1</script>"
IMAGE = "\"'><img src=x onerror=window.pwned=2>"
CLOSE = "</script><!-- --></title></style></textarea><svg onload=window.pwned=3>"
EVIL = f"{SCRIPT}{IMAGE}{CLOSE}{{{{7*7}}}}${{x}} $title javascript:window.pwned=4"


@dataclass(frozen=True)
class Made:
    """What a page is made of, and where the folder of its suite is."""

    boards: Boards
    records: list[Record]
    folder: Path


def evil_hierarchy() -> Hierarchy:
    """Two levels, five classes, names that are markup."""
    names = [SCRIPT, IMAGE, CLOSE, f"{SCRIPT}2", "plain"]
    first, second, *leaves = names
    edges = [("", first), ("", second), (first, leaves[0]), (first, leaves[1]), (second, leaves[2])]
    return Hierarchy.from_edges(edges)


@pytest.fixture
def evil(fabricate: Callable[..., Record], tmp_path: Path) -> Made:
    """Four models, one of them failed; history, pictures, published rows, differences."""
    hierarchy = evil_hierarchy()
    suite = {"name": EVIL, "primary": "hf1_samples"}
    dataset = {"name": EVIL, "reference": EVIL, "notes": [EVIL], "synthetic": True, "levels": 2}
    common = {"suite": suite, "dataset": dataset, "split": {"notes": [EVIL], "kind": EVIL}}
    common |= {"versions": {EVIL: EVIL}, "hardware": {"cpu": EVIL, "gpu": EVIL}, "decision": {"rule": EVIL}}
    folder = tmp_path / "runs" / "evil"
    records = []
    for i, (name, accuracy) in enumerate((("a", 0.9), ("b", 0.7), ("c", 0.5))):
        predictions = fabricate("throw-away", accuracy, folder=tmp_path / "away" / str(i)).predictions()
        rng = np.random.default_rng(i)
        leaf = rng.integers(0, 3, len(predictions))
        said = np.where(rng.random(len(predictions)) < accuracy, leaf, (leaf + 1) % 3)
        truth, scores = (
            hierarchy.ancestors[[hierarchy.leaves[j] for j in some]].toarray() for some in (leaf, said)
        )
        scores = 0.05 + 0.9 * scores.astype(np.float32)
        predictions = replace(
            predictions, scores=scores, truth=truth, task=Task(hierarchy=hierarchy), stop=None, groups=None
        )
        changes = {"label": f"{name}{EVIL}", "params": {EVIL: EVIL}, "parameters": 1000 * (i + 1)}
        timing = {"fit_s": 10.0**i, "total_s": 10.0**i + 1}
        record = fabricate(
            name,
            folder=folder / "records",
            predictions=predictions,
            model=changes,
            git=EVIL,
            timing=timing,
            **common,
        )
        lines = [f'step,train_loss,valid_loss,level1_accuracy,"{SCRIPT}loss"']
        lines += [f"{k},{1 / k},{1.1 / k},{1 - 1 / k},{2 / k}" for k in range(1, 9)]
        (record.path / HISTORY).write_text("\n".join(lines) + "\n", encoding="utf-8")
        records.append(record)
    records.append(
        fabricate(
            "d",
            folder=folder / "records",
            status="failed",
            cause=EVIL,
            message=EVIL,
            model={"label": EVIL},
            **common,
        )
    )
    pictures = folder / "figures" / records[0].path.name
    pictures.mkdir(parents=True)
    Figure(figsize=(1, 1)).savefig(pictures / "<script>window.pwned=5<-script>.png", dpi=20)
    row = {
        "model": EVIL,
        "source": EVIL,
        "data": EVIL,
        "note": EVIL,
        "metrics": {"hf1_samples": 0.5, EVIL: 0.5},
    }
    row["measured"] = f"a{EVIL}"
    info = {
        "suite": {"name": EVIL, "columns": ["exact_match", EVIL], "reference": f"b{EVIL}"},
        "published": [row],
    }
    return Made(build(records, info), records, folder)


def of_pixels(images: int = 3, size: tuple[int, int] = (48, 64), paths: Any = "single") -> Predictions:
    """Predictions that are the truth, but for a block of 10 x 10 pixels that is b instead of a/x."""
    dataset = tiny_maps(images, size, paths)
    said = []
    for true in dataset.targets:
        guess = np.where(true == 255, 0, true).astype(np.uint8)
        guess[10:20, :10] = 2
        said.append(guess)
    ids = [f"{SCRIPT}{i}" for i in range(images)]
    legend = dataset.targets.legend
    return Predictions(
        ids,
        ["test"] * images,
        np.zeros((images, 0), np.float32),
        dataset.task,
        dataset.targets,
        maps=LabelMaps(said, legend),
    )


@pytest.fixture
def pixel_record(fabricate: Callable[..., Record]) -> Callable[..., Record]:
    """``pixel_record(model, images, **changes)``: a record of label maps, with small images where asked."""

    def make(model: str = "a", images: int = 3, thumbnails: bool = False, **changes: Any) -> Record:
        dataset = {"unit": "pixel", **changes.pop("dataset", {})}
        record = fabricate(model, predictions=of_pixels(images), dataset=dataset, **changes)
        if thumbnails:
            pictures = tiny_maps(images).views["image"]
            folder = record.path.parent.parent / "figures" / record.path.name
            write_thumbnails(of_pixels(images).ids, lambda row: pictures[row].load(), folder)
        return record

    return make
