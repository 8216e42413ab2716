"""Models of pixels are kept, and predict new images by one command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_masks.models.forest import PixelForest
from hmcbench_masks.models.patches import Patches
from hmcbench_masks.models.prior import PixelPrior
from PIL import Image

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.execute.pixels import PixelModel
from hmcbench.interfaces import ModelSpec, Run
from hmcbench.testing.helpers import fitted, inputs
from hmcbench.testing.label_maps import tiny_maps

from .conftest import Folder

Cli = Callable[..., Any]
SPEC = ModelSpec(name="any", version="1", summary="any", factory="x:y", unit="pixel")
FOREST = {"trees": 5, "samples": 100, "reduce": 1}


def patches() -> Patches:
    return Patches(model="forest", settings="trees=5", side=12, stride=6)


@pytest.mark.parametrize(
    ("make", "paths"),
    [
        (PixelPrior, "single"),
        (PixelPrior, "multiple"),
        (lambda: PixelForest(**FOREST), "single"),
        (lambda: PixelForest(**FOREST), "multiple"),
        (patches, "single"),
    ],
)
def test_a_kept_model_predicts_the_same(make: Callable[[], Any], paths: Any, tmp_path: Path) -> None:
    dataset = tiny_maps(4, paths=paths)
    model, again = make(), make()
    fitted(model, dataset, train=range(3), valid=range(3, 4))
    model.save(tmp_path)
    again.load(tmp_path, Run(dataset.task, 0, "cpu", 1, "quick"))
    maps = [PixelModel(m, SPEC, dataset.task).predict(inputs(dataset, [3])) for m in (model, again)]
    assert maps[0].same(maps[1])


@pytest.mark.parametrize("make", [PixelPrior, lambda: PixelForest(**FOREST)])
def test_what_is_damaged_or_of_other_classes_is_refused(make: Callable[[], Any], tmp_path: Path) -> None:
    dataset = tiny_maps(4)
    model = make()
    fitted(model, dataset, train=range(3), valid=range(3, 4))
    model.save(tmp_path)
    other = tiny_maps(1).task
    small = type(other.hierarchy).from_paths([["a"], ["b"]])  # type: ignore[union-attr]
    run = Run(type(other)("hmc", "single", "full", small, unit="pixel"), 0, "cpu", 1, "quick")
    with pytest.raises(BadInput, match="of other classes"):
        make().load(tmp_path, run)
    for file in tmp_path.iterdir():
        file.write_text("torn")
    with pytest.raises(BadInput, match="cannot be read"):
        make().load(tmp_path, Run(dataset.task, 0, "cpu", 1, "quick"))


def test_a_forest_of_other_filters_is_refused(tmp_path: Path) -> None:
    dataset, model = tiny_maps(4), PixelForest(**FOREST)  # type: ignore[arg-type]
    fitted(model, dataset, train=range(3), valid=range(3, 4))
    model.save(tmp_path)
    with pytest.raises(BadInput, match="of other filters"):
        PixelForest(widths="1").load(tmp_path, Run(dataset.task, 0, "cpu", 1, "quick"))


def test_patches_of_another_inner_model_are_refused(tmp_path: Path) -> None:
    dataset, model = tiny_maps(4), patches()
    fitted(model, dataset, train=range(3), valid=range(3, 4))
    model.save(tmp_path)
    run = Run(dataset.task, 0, "cpu", 1, "quick")
    (tmp_path / "model.json").write_text('{"inner_version": "0"}')
    with pytest.raises(BadInput, match="was made by version 0 of forest"):
        patches().load(tmp_path, run)
    (tmp_path / "model.json").write_text("torn")
    with pytest.raises(BadInput, match="cannot be read"):
        patches().load(tmp_path, run)


def test_patches_of_a_model_that_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, model = tiny_maps(4), patches()
    fitted(model, dataset, train=range(3), valid=range(3, 4))
    monkeypatch.delattr(type(model._inner.model), "load")
    with pytest.raises(NotApplicable, match="forest saves no weights"):
        model.save(tmp_path)


@pytest.mark.torch
def test_patches_of_a_network_come_back(tmp_path: Path) -> None:
    dataset = tiny_maps(4)

    def make() -> Patches:
        settings = "epochs=1;image_size=32;pretrained=no"
        return Patches(model="timm:resnet10t", settings=settings, side=16, stride=16)

    model, again = make(), make()
    fitted(model, dataset, train=range(3), valid=range(3, 4))
    model.save(tmp_path)
    again.load(tmp_path, Run(dataset.task, 0, "cpu", 1, "quick"))
    maps = [PixelModel(m, SPEC, dataset.task).predict(inputs(dataset, [3])) for m in (model, again)]
    assert maps[0].same(maps[1])


def test_new_images(folder: Folder, cli: Cli, tmp_path: Path) -> None:
    root, out, new = folder(6), tmp_path / "runs", tmp_path / "new"
    model = "pixel-forest[trees=5,samples=100,reduce=1]"
    ended = cli(
        "run", "--suite", "masks", "--data", f"masks={root}", "--model", model, "--folds", 2, "--out", out
    )
    assert ended.status == 0, ended.err
    (record,) = (out / "masks" / "records").glob("*f0-s0*")
    new.mkdir()
    for name in ("m0.png", "m1.png"):
        Image.open(root / "images" / name).resize((40, 30)).save(new / name)
    (new / "torn.png").write_bytes(b"\x89PNG torn")
    (new / "readme.txt").write_text("no image")
    maps = tmp_path / "maps"

    ended = cli("predict", record, new, "--maps", maps)
    assert ended.status == 1 and "torn.png" in ended.err and "readme" not in ended.err, ended.err
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [Path(row["path"]).name for row in rows] == ["m0.png", "m1.png"]
    for row in rows:
        assert (row["height"], row["width"]) == ("30", "40")
        assert float(row["a"]) == pytest.approx(float(row["a/x"]) + float(row["a/y"]), abs=2e-6)
        labels = np.asarray(Image.open(maps / "masks" / Path(row["path"]).name))
        with (maps / "classes.csv").open(newline="") as file:
            values = {line["path"]: int(line["value"]) for line in csv.DictReader(file)}
        assert (labels == values["b"]).mean() == pytest.approx(float(row["b"]), abs=1e-6)
        with Image.open(maps / "overlays" / Path(row["path"]).name) as overlay:
            assert overlay.size == (40, 30)

    ended = cli("explain", record, new)
    assert ended.status == 2 and "labels every pixel" in ended.err and "--maps FOLDER" in ended.err, ended.err

    before = sorted(maps.rglob("*"))
    for args, said in (
        ((record, new, "--maps", maps), "holds files already"),
        ((record, new, "--maps", tmp_path / "x", "--back-off", ".05"), "labels pixels"),
        ((record, new / "torn.png", "--maps", tmp_path / "x"), "none of the files"),
    ):
        ended = cli("predict", *args)
        assert ended.status == 2 and said in ended.err and "Traceback" not in ended.err, ended.err
    assert sorted(maps.rglob("*")) == before and not (tmp_path / "x").exists()

    (new / "torn.png").unlink()
    ended = cli("predict", record, new, "--json")
    assert ended.status == 0
    row = json.loads(ended.out.splitlines()[0])
    assert (row["height"], row["width"]) == (30, 40)
    assert set(row["areas"]) == {"a", "b", "a/x", "a/y"}

    corrected = tmp_path / "again"  # maps and images together are data of the dataset masks
    maps.rename(corrected)
    new.rename(corrected / "images")
    (corrected / "images" / "readme.txt").unlink()
    ended = cli("data", "lint", corrected, "--dataset", "masks")
    assert ended.status == 0, ended.out + ended.err
