"""One small network, trained once per session on a folder of pictures by the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.cli import main

CLASSES = ("metal/fatigue", "metal/dimples", "oxide/plates")


def picture(seed: int, leaf: int) -> Image.Image:
    """Waves whose direction tells the class."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:40, 0:48]
    wave = 60 * np.sin((x if leaf == 0 else x - y if leaf == 1 else x + y) * 0.9 + rng.uniform(0, 6))
    return Image.fromarray((128 + wave + rng.normal(0, 12, x.shape)).clip(0, 255).astype(np.uint8))


@dataclass(frozen=True)
class TrainedRun:
    """What ``hmcbench run`` left: the data, the runs folder, the record of the network."""

    images: Path
    runs: Path
    record: Path
    data: dict[str, Any]


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainedRun]:
    """``run_once(*options)``: train timm:test_resnet on a folder of pictures, without the ``cli`` fixture."""

    def run(*options: str) -> TrainedRun:
        base = tmp_path_factory.mktemp("trained")
        root = base / "images"
        for leaf, name in enumerate(CLASSES):
            (root / name).mkdir(parents=True)
            for i in range(12):
                picture(100 * leaf + i, leaf).save(root / name / f"{i}.png")
        settings = ("image_size=32", "epochs=6", "batch_size=8", "stem_stride=keep")
        args = ["run", "--suite", "sem-failure", "--data", f"sem-failure={root}", "--out", str(base / "runs")]
        args += ["--model", "timm:test_resnet", "--device", "cpu", "--json", *options]
        args += [part for setting in settings for part in ("--set", f"timm.{setting}")]
        out = StringIO()
        with redirect_stdout(out), pytest.raises(SystemExit) as stop:
            main(args)
        assert stop.value.code == 0, out.getvalue()
        (data,) = json.loads(out.getvalue())["records"]
        return TrainedRun(root, base / "runs", Path(data["path"]), data)

    return run


@pytest.fixture(scope="session")
def trained_run(run_once: Callable[..., TrainedRun]) -> TrainedRun:
    """The usual run, weights kept. Tests read it only."""
    pytest.importorskip("timm", reason="needs the extra vision")
    return run_once("--crop-bottom", "4")
