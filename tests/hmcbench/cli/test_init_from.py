"""``--init-from``: a run that starts from an earlier one, with classes added since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.records.weights import MODEL_FOLDER, weights_digest

pytestmark = pytest.mark.torch
SIZES = ("image_size=32", "epochs=1", "batch_size=8", "stem_stride=keep")


@pytest.fixture
def grown(trained_run: Any, tmp_path: Path) -> Path:
    """The pictures of the earlier run, and a class more: another one's pictures upside down."""
    from PIL import Image, ImageOps

    images = Path(shutil.copytree(trained_run.images, tmp_path / "images"))
    (images / "oxide" / "scale").mkdir()
    for file in (images / "oxide" / "plates").glob("*.png"):
        with Image.open(file) as picture:
            ImageOps.invert(ImageOps.flip(picture)).save(images / "oxide" / "scale" / file.name)
    return images


def command(images: Path, out: Path, *options: Any, model: str = "timm:test_resnet") -> tuple[Any, ...]:
    settings = [part for setting in SIZES for part in ("--set", f"timm.{setting}")]
    args = ("run", "--suite", "sem-failure", "--data", f"sem-failure={images}", "--out", out, "--json")
    return (
        *args,
        "--model",
        model,
        "--device",
        "cpu",
        "--splits",
        1,
        *(settings if "timm" in model else ()),
        *options,
    )


def test_a_run_starts_from_another(
    cli: Callable[..., Any], trained_run: Any, grown: Path, tmp_path: Path
) -> None:
    start = command(grown, tmp_path / "runs", "--init-from", trained_run.record)
    (planned,) = json.loads(cli(*start, "--dry-run").out)
    (afresh,) = json.loads(cli(*command(grown, tmp_path / "runs", "--dry-run")).out)
    assert planned["key"] != afresh["key"]
    ended = cli(*start)
    assert ended.status == 0
    (record,) = json.loads(ended.out)["records"]
    assert record["key"] == planned["key"]
    origin = record["model"]["init_from"]
    assert origin["key"] == trained_run.data["key"]
    assert origin["weights"] == weights_digest(trained_run.record / MODEL_FOLDER)
    assert 0 < origin["test_not_held_out"] <= record["split"]["counts"]["test"]
    assert record["model"]["label"].endswith(f" from {trained_run.data['key'][:8]}")
    assert record["dataset"]["classes"] == trained_run.data["dataset"]["classes"] + 1


def test_the_body_starts_a_training_for_another_taxonomy(
    cli: Callable[..., Any], trained_run: Any, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    for k, file in enumerate(sorted(trained_run.images.rglob("*.png"))):
        (images / "xy"[k % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, images / "xy"[k % 2] / f"{k}.png")
    ended = cli(*command(images, tmp_path / "runs", "--init-from", trained_run.record))
    assert ended.status == 0, ended.err
    (record,) = json.loads(ended.out)["records"]
    assert record["model"]["taken_over"] == "body" and record["dataset"]["classes"] == 2


def test_what_cannot_be_started_from(
    cli: Callable[..., Any], trained_run: Any, grown: Path, tmp_path: Path
) -> None:
    bare = Path(shutil.copytree(trained_run.record, tmp_path / "bare"))
    shutil.rmtree(bare / MODEL_FOLDER)
    record, runs = trained_run.record, tmp_path / "runs"
    for args, says in [
        (command(grown, runs, "--init-from", tmp_path / "none" / "such"), "no record at"),
        (command(grown, runs, "--init-from", grown), "holds no record"),
        (command(grown, runs, "--init-from", bare), "holds no trained model"),
        (command(grown, runs, "--init-from", record, model="forest"), "of timm, not of forest"),
    ]:
        ended = cli(*args)
        assert ended.status == 2, says
        assert says in ended.err
        assert len(ended.err.strip().splitlines()) <= 3


def test_weights_of_other_sizes_end_in_a_record_that_says_so(
    cli: Callable[..., Any], trained_run: Any, grown: Path, tmp_path: Path
) -> None:
    wider = command(grown, tmp_path / "runs", "--init-from", trained_run.record, "--set", "timm.in_chans=3")
    ended = cli(*wider)
    assert ended.status == 1
    (record,) = json.loads(ended.out)["records"]
    assert "cannot be started from: these are weights of a network of other sizes" in record["message"]
