"""Saliency maps against true masks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from hmcbench.apply import predict_files
from hmcbench.apply.pointing import Found, _predicted, agreement, centre, fitted_mask, found, summary
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Inputs, ModelSpec, Scores, Task
from hmcbench.records.weights import Trained
from hmcbench.registry.registry import default_registry


def blob(row: int, column: int) -> np.ndarray:
    rows, columns = np.mgrid[:20, :30]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)


def test_a_map_on_the_class_points_and_one_beside_does_not() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[2:9, 3:11] = True
    f = found("i", 1, "a", mask, [blob(5, 6), blob(15, 25), np.zeros((20, 30))])
    assert f.pointing.tolist() == [1.0, 0.0, 0.0]
    assert f.energy[0] > 0.8
    assert f.energy[1] < 1e-6
    assert f.energy[2] == 0
    assert f.area == pytest.approx(56 / 600)
    slow = max(
        (mask & (blob(5, 6) >= t)).sum() / (mask | (blob(5, 6) >= t)).sum()
        for t in np.linspace(0.05, 0.95, 19)
    )
    assert f.iou[0].max() == pytest.approx(slow)
    assert f.iou[2].max() == 0


def test_masks_are_seen_as_the_network_sees_the_image() -> None:
    mask = np.zeros((40, 80), dtype=bool)
    mask[:20, :40] = True
    seen = fitted_mask(mask, (16, 16))
    assert seen[:8, :8].all()
    assert seen.sum() == 64
    assert centre((16, 16)).argmax() in (7 * 16 + 7, 7 * 16 + 8, 8 * 16 + 7, 8 * 16 + 8)


def test_means_have_intervals_over_images() -> None:
    rng = np.random.default_rng(0)

    def of_image(image: int) -> Found:
        hit = float(rng.random() < 0.7)
        values = np.array([hit, 0.3, 0.2])
        return Found(f"i{image}", 1, "a", 0.2, values, values, np.tile(values[:, None], (1, 19)))

    results = [of_image(i // 2) for i in range(80)]
    table = summary(results, 1)
    network = table["network"]["pointing"]
    assert network.value == pytest.approx(np.mean([f.pointing[0] for f in results]))
    assert network.low < network.value < network.high
    assert table["centre"]["energy"].value == pytest.approx(0.2)
    assert table["chance"]["energy"].value == pytest.approx(0.2)
    assert set(table) == {"network", "random weights", "centre", "chance"}
    assert summary(results, 2) == {}


def one_map(i: int, pointing: float, energy: float, faithful: float) -> Found:
    values, nothing = np.full(3, np.nan), np.zeros((3, 19))
    values[0] = faithful
    return Found(f"i{i // 2}", 1, "a", 0.2, np.full(3, pointing), np.full(3, energy), nothing, values)


def test_faithful_maps_that_point_better_agree() -> None:
    rng = np.random.default_rng(0)
    faithful = rng.normal(size=60)
    energy = 0.2 * faithful + 0.2 * rng.normal(size=60)
    maps = [one_map(i, float(f > 0), e, f) for i, (f, e) in enumerate(zip(faithful, energy, strict=True))]
    agreed = agreement(maps, 1)
    assert agreed["energy"].value == pytest.approx(spearmanr(faithful, energy).statistic)
    assert agreed["pointing"].value == pytest.approx(spearmanr(faithful, faithful > 0).statistic)
    assert agreed["energy"].low < agreed["energy"].value < agreed["energy"].high
    apart = agreement([one_map(i, float(rng.random() < 0.5), 0.3, f) for i, f in enumerate(faithful)], 1)
    assert set(apart) == {"pointing"}  # all have the same energy
    assert apart["pointing"].low < 0 < apart["pointing"].high
    assert agreement(maps, 2) == {} == agreement([one_map(0, 1, 1, float("nan"))], 1)


class Grey:
    """An image of one grey level."""

    def __init__(self, level: int) -> None:
        self.level = level

    def load(self, min_side: int | None = None) -> np.ndarray:
        assert min_side is None or min_side <= 64
        return np.full((64, 64), self.level, np.uint8)


class Decides:
    """Decides for b, whatever its scores are."""

    def predict(self, samples: Inputs) -> Scores:
        decided = np.tile(np.array([False, True]), (len(samples), 1))
        return Scores(np.tile(np.array([0.9, 0.1]), (len(samples), 1)), decisions=decided)


def test_the_models_own_decisions_count_and_other_constants_are_refused(
    fabricate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task(hierarchy=Hierarchy.from_edges([("", "a"), ("", "b")]))
    spec = ModelSpec(name="stub", version="1", summary="", factory="stub:stub", views=("grey_histogram",))
    record = fabricate("stub")
    trained = Trained(Decides(), record, spec, {}, task, None, "cpu", {})  # type: ignore[arg-type]
    images: Any = SimpleNamespace(ids=["x", "y", "z"], views={"image": [Grey(9), Grey(99), Grey(200)]})
    block = _predicted(trained, default_registry(), images, [0, 2])
    assert block.raw.tolist() == block.coherent.tolist() == [[False, True]] * 2
    assert list(block.paths) == ["x", "z"] and [image.level for image in block.rows] == [9, 200]
    other = {"digest": "0" * 64, "origin": "another table"}
    record.data["model"]["constants"] = {"grey_histogram": other}
    own = {"digest": "1" * 64, "origin": "this one"}
    monkeypatch.setattr(predict_files, "constants_of", lambda plans: {plan.name: own for plan in plans})
    with pytest.raises(BadInput, match="computed with another table"):
        _predicted(trained, default_registry(), images, [0])


@pytest.fixture
def masks(trained_run: Any, tmp_path: Path) -> Path:
    """The images of a run; in each, the class of the image covers the left half."""
    images = sorted(trained_run.images.rglob("*.png"))
    names = sorted({path.parent.relative_to(trained_run.images).as_posix() for path in images})
    root = tmp_path / "masks"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i, path in enumerate(images):
        picture = Image.open(path)
        picture.save(root / "images" / f"{i}.png")
        mask = np.full(picture.size[::-1], 255, dtype=np.uint8)
        mask[:, : mask.shape[1] // 2] = names.index(path.parent.relative_to(trained_run.images).as_posix())
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    rows = [f"{i},{name}" for i, name in enumerate(names)]
    (root / "classes.csv").write_text("\n".join(["value,path", *rows, "255,ignore"]) + "\n")
    return root


@pytest.mark.torch
def test_the_command(cli: Callable[..., Any], trained_run: Any, masks: Path, tmp_path: Path) -> None:
    ended = cli("explain", trained_run.record, "--masks", masks, "--output", tmp_path / "out")
    assert ended.status == 0, ended.err
    levels = json.loads((tmp_path / "out" / "pointing.json").read_text())["levels"]
    for level in levels.values():
        assert set(level["maps"]) == {"network", "random weights", "centre", "chance"}
        assert level["maps"]["chance"]["energy"]["value"] == pytest.approx(0.5, abs=0.03)
        assert level["maps"]["centre"]["energy"]["value"] == pytest.approx(0.5, abs=0.03)
        assert level["images"] > 3
        assert -1 <= level["maps"]["network"]["faithful"]["value"] <= 1
        assert all(-1 <= value["low"] <= value["high"] <= 1 for value in level["agreement"].values())
    ended = cli("explain", trained_run.record, "--masks", masks, "--fast", "--output", tmp_path / "fast")
    assert ended.status == 0 and "faithful" not in ended.out, ended.err
    assert "agreement" not in json.loads((tmp_path / "fast" / "pointing.json").read_text())["levels"]["1"]
    chosen = ("--masks", masks, "--fast", "--level", "2", "--max-pixels", "100000")
    ended = cli("explain", trained_run.record, *chosen, "--output", tmp_path / "level")
    assert ended.status == 0, ended.err
    assert list(json.loads((tmp_path / "level" / "pointing.json").read_text())["levels"]) == ["2"]
    for wrong, said in (
        (("--masks", masks, "--level", "3"), "there is no level 3"),
        (("--masks", masks, "--max-pixels", "9"), "pixels"),
        (("--masks", "ti64-masks", "--max-pixels", "9"), "ti64-masks has a fixed limit"),
    ):
        ended = cli("explain", trained_run.record, *wrong)
        assert ended.status == 2 and said in ended.err, ended
    (masks / "classes.csv").write_text(
        "value,path\n" + "".join(f"{i},other/c{i}\n" for i in range(9)) + "255,ignore\n"
    )
    for wrong, said in (
        (("--masks", masks), "none of the network"),
        (("--masks", masks, masks), "cannot be given together"),
        (("--masks", "toy-tree"), "needs images with label maps"),
        (("--masks", "masks"), "needs a folder"),
        ((), "no images"),
    ):
        ended = cli("explain", trained_run.record, *wrong)
        assert ended.status == 2, wrong
        assert said in ended.err
