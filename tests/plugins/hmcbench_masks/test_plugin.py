"""One's own masks through the commands: run, rescore, figures, page, publish, verify."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry

from .conftest import Folder

Cli = Callable[..., Any]
MODELS = ("--model", "pixel-prior", "--model", "pixel-forest[trees=5,samples=100,reduce=1]")


def test_masks_of_ones_own_are_run_published_and_verified(folder: Folder, cli: Cli, tmp_path: Path) -> None:
    root, out, results = folder(6), tmp_path / "runs", tmp_path / "results"
    ended = cli("run", "--suite", "masks", "--data", f"masks={root}", *MODELS, "--folds", 2, "--out", out)
    assert ended.status == 0, ended.err
    board = json.loads((out / "masks" / "leaderboard.json").read_text())
    text = json.dumps(board)
    assert "hierarchical_iou" in text
    (record,) = (out / "masks" / "records").glob("*forest*f0-s0*")
    values = json.loads((record / "record.json").read_text())["metrics"]["test"]
    assert values["level2_miou"] > 0.5
    assert {"area_error[b]", "aji[b]", "boundary_f1", "level1_accuracy"} <= set(values)
    assert "aji[a]" not in values
    assert "auprc_micro" not in values

    ended = cli("rescore", out)
    assert ended.status == 0
    assert "0 new values, 0 changed" in ended.out
    ended = cli("figures", record, "--data", f"masks={root}", "--output", tmp_path / "figures")
    assert ended.status == 0, ended.err
    names = {path.name for path in (tmp_path / "figures").rglob("*.png")}
    assert {"label-maps.png", "confusion-level1.png", "confusion-level2.png"} <= names
    assert "reliability.png" not in names
    assert len(list((tmp_path / "figures" / record.name / "images").glob("*.png"))) == 3

    assert cli("figures", out, "--data", f"masks={root}").status == 0
    page = tmp_path / "page.html"
    for options, shown in (((), False), (("--pictures",), True)):
        ended = cli("leaderboard", out, "--format", "html", *options, "--output", page)
        assert ended.status == 0, ended.err
        assert ('"overlays":[{' in page.read_text()) == shown
    assert '"image":null' not in page.read_text()

    assert cli("publish", out, "--to", results).status == 0
    ended = cli("verify", results)
    assert ended.status == 0, ended.out + ended.err

    (published,) = results.rglob("*forest*f0-s0*/record.json")
    changed = json.loads(published.read_text())
    changed["metrics"]["test"]["level2_miou"] += 0.01
    published.write_text(json.dumps(changed))
    ended = cli("verify", results)
    assert ended.status == 1
    assert "level2_miou" in ended.out + ended.err


def test_models_of_images_do_not_apply_and_say_why(folder: Folder, cli: Cli, tmp_path: Path) -> None:
    data = ("--suite", "masks", "--data", f"masks={folder(5)}", "--folds", 2, "--out", tmp_path / "runs")
    ended = cli("run", *data, "--model", "random", "--model", "pixel-prior", "--dry-run")
    assert ended.status == 0
    assert "labels images, the dataset has labels of every pixel" in ended.out


def test_lint_of_the_command_line(folder: Folder, cli: Cli) -> None:
    root = folder()
    ended = cli("data", "lint", root, "--dataset", "masks")
    assert ended.status == 0
    assert "24" in ended.out
    values = np.array(Image.open(root / "masks" / "m0.png"))
    Image.fromarray(values[:, :-1]).save(root / "masks" / "m0.png")
    ended = cli("data", "lint", root, "--dataset", "masks")
    assert ended.status == 2
    assert "cut or scaled by rounding" in ended.out
    ended = cli("run", "--suite", "masks", "--data", f"masks={root}")
    assert ended.status == 2
    assert "--dataset" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.torch
def test_parameters_of_networks_are_checked_before_a_run(folder: Folder, cli: Cli) -> None:
    pytest.importorskip("segmentation_models_pytorch", reason="needs the extra masks")
    data = ("run", "--suite", "masks", "--data", f"masks={folder(12)}", "--dry-run")
    wrong = {"encoder=resnet10": "unknown timm", "crop=100": "multiple of 32", "tile=32": "less"}
    for setting, said in wrong.items():
        ended = cli(*data, "--model", "unet", "--set", f"unet.{setting}")
        assert ended.status == 2, setting
        assert said in ended.err


@pytest.mark.torch
def test_the_suite_of_fractographs_runs_from_end_to_end(cli: Cli, tmp_path: Path) -> None:
    """Every row of ``quick`` on few small images, and few steps."""
    pytest.importorskip("segmentation_models_pytorch", reason="needs the extra masks")
    small = {
        "fractograph-masks": ("size=32", "train=24", "test=12"),
        "unet": ("epochs=1", "crop=32", "tile=32", "overlap=8"),
        "pixel-forest": ("trees=5", "samples=50"),
        "patch": ("side=16", "stride=16"),
    }
    settings = [part for name, values in small.items() for v in values for part in ("--set", f"{name}.{v}")]
    ended = cli("run", "--suite", "fractograph-masks", *settings, "--out", tmp_path)
    assert ended.status == 0, ended.err
    board = json.loads((tmp_path / "fractograph-masks" / "leaderboard.json").read_text())
    quick = load_suite(default_registry(), "fractograph-masks").profiles["quick"]
    (rows,) = (b["rows"] for b in board["boards"])
    assert len(rows) == len(quick.models)
    assert all(0 <= row["cells"]["level2_miou"]["mean"] <= 1 for row in rows)
    assert "level2_miou" in ended.out
