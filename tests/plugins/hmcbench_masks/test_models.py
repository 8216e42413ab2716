"""Models of pixels learn small images; tiles show no seam."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_masks.models.forest import PixelForest, filters
from hmcbench_masks.models.images import full_size, normalised, reduced
from hmcbench_masks.models.patches import Patches, _between
from hmcbench_masks.models.prior import PixelPrior
from hmcbench_masks.models.tiles import in_tiles, starts

from hmcbench.errors import BadInput
from hmcbench.execute.pixels import PixelModel
from hmcbench.interfaces import ModelSpec, Run
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.pixels import level_miou
from hmcbench.plan.describe import origins_of
from hmcbench.registry.registry import default_registry, load_object
from hmcbench.testing.helpers import fitted, inputs
from hmcbench.testing.label_maps import tiny_maps

SPEC = ModelSpec(name="any", version="1", summary="any", factory="x:y", unit="pixel")


def miou(model: Any) -> float:
    dataset = tiny_maps(10)
    fitted(model, dataset, train=range(7), valid=range(7, 8))
    rows = list(range(8, 10))
    maps = PixelModel(model, SPEC, dataset.task).predict(inputs(dataset, rows))
    return level_miou(Evaluation.of_maps(dataset.task, dataset.targets[rows], maps), 2)


def test_a_forest_learns_what_a_prior_cannot() -> None:
    assert miou(PixelPrior()) < 0.4
    assert miou(PixelForest(trees=10, samples=300, reduce=1)) > 0.9


def test_patches_learn() -> None:
    score = miou(Patches(model="forest", settings="trees=10", side=12, stride=6))
    assert score > 0.4


def test_patches_without_gaps() -> None:
    with pytest.raises(BadInput, match="leave gaps"):
        Patches(model="forest", side=8, stride=9)


def test_patches_of_what_is_no_image_model() -> None:
    for reference, said in (("nothing", "unknown model"), ("ridge", "does not label whole images")):
        with pytest.raises(BadInput, match=said):
            fitted(Patches(model=reference), tiny_maps(4))


def test_between_grid_points() -> None:
    grid = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    assert _between(grid, 2)[..., 0].tolist() == [[0, 0.5, 1, 1.5], [1.5, 2, 2.5, 3]]


@pytest.mark.parametrize(
    ("size", "side", "overlap"), [((70, 53), 32, 8), ((20, 90), 32, 20), ((64, 64), 64, 8)]
)
def test_blended_tiles_are_the_image(size: tuple[int, int], side: int, overlap: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, size).astype(np.uint8)
    seen: list[int] = []

    def predict(tiles: np.ndarray) -> np.ndarray:
        seen.append(len(tiles))
        return np.stack([tiles, 255.0 - tiles], axis=3).astype(np.float32)

    bands = list(in_tiles(pixels, predict, side, overlap, batch=2))
    whole = np.concatenate(bands)
    assert whole.shape == (*size, 2)
    assert np.abs(whole[..., 0] - pixels).max() < 1e-3
    assert max(seen) <= 2
    assert max(len(band) for band in bands) <= side


def test_starts_cover_and_overlap() -> None:
    for size in range(1, 60):
        places = starts(size, 16, 5)
        assert places[0] == 0
        assert size <= 16 or places[-1] == size - 16
        assert all(16 - (b - a) >= 5 for a, b in pairwise(places))


def test_scores_return_to_full_size_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (41, 30)).astype(np.uint8)
    small = reduced(pixels, 2)[..., None].astype(np.float32)
    whole = np.concatenate(list(full_size(small, pixels.shape, 2)))
    assert whole.shape == (41, 30, 1)
    monkeypatch.setattr("hmcbench_masks.models.images.BAND", 150)
    banded = np.concatenate(list(full_size(small, pixels.shape, 2)))
    assert np.allclose(whole, banded, atol=1e-4)


def test_scores_are_not_stretched_where_the_width_is_no_multiple() -> None:
    ramp = np.tile(np.arange(29, dtype=np.float32), (7, 1))
    small = np.stack([ramp[:, k : k + 4].mean(axis=1) for k in range(0, 29, 4)], axis=1)[:2, :, None]
    (full,) = full_size(small, (7, 29), 4)
    assert np.abs(full[:, 2:24, 0] - ramp[:, 2:24]).max() < 1e-4
    (turned,) = full_size(small.swapaxes(0, 1), (29, 7), 4)
    assert np.allclose(turned, full.swapaxes(0, 1))


def test_features_in_bands_are_those_of_the_whole_image(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (150, 20)).astype(np.uint8)
    forest = PixelForest(widths="1;2;8")
    chosen = np.random.default_rng(1).permutation(pixels.size)[:2000]
    heights: list[int] = []

    def watched(level: np.ndarray, widths: tuple[float, ...]) -> np.ndarray:
        heights.append(len(level))
        return filters(level, widths)

    whole = filters(normalised(pixels), forest.widths).reshape(pixels.size, -1)[chosen]
    monkeypatch.setattr("hmcbench_masks.models.forest.filters", watched)
    monkeypatch.setattr("hmcbench_masks.models.forest.BAND", 320)
    assert np.array_equal(forest._features(pixels, chosen), whole)
    assert len(heights) > 5 and max(heights) < 100


@pytest.mark.torch
def test_large_images_are_validated_in_tiles() -> None:
    import torch
    from hmcbench_masks.models.training import CropRecipe, CropTrainer, TrainingImage

    from hmcbench.torchkit.layout import Layout

    device, task = torch.device("cpu"), tiny_maps(1).task
    layout = Layout(task, device)
    torch.manual_seed(0)
    module = torch.nn.Conv2d(1, sum(layout.sizes), 1)  # what it says of a pixel needs no neighbours
    seen: list[torch.Size] = []
    module.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape))
    rng = np.random.default_rng(0)
    legend = torch.tensor([[0, 0], [0, 1], [1, 1]])
    numbers = rng.integers(-1, 3, (150, 70))
    valid = [TrainingImage.of(rng.normal(size=numbers.shape), numbers, legend, device)]
    scores = [
        CropTrainer(module, layout, CropRecipe(), Run(task, 0, "cpu", 1, "quick"), tile, 8)._validate(valid)
        for tile in (256, 32)
    ]
    assert seen[0] == (1, 1, 160, 96)
    assert {tuple(shape[1:]) for shape in seen[1:]} == {(1, 32, 32)} and scores[0] == scores[1]


@pytest.mark.torch
def test_a_network_learns(tmp_path: Path) -> None:
    pytest.importorskip("segmentation_models_pytorch", reason="needs the extra masks")
    from hmcbench_masks.models.network import unet

    model = unet(width=32, reduce=1, crop=32, tile=64, overlap=8, epochs=12, crops=4)
    assert miou(model) > 0.5
    assert model.describe()["epoch_used"] <= 12
    for wrong in ({"crop": 33}, {"tile": 20}, {"overlap": 400}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            unet(**wrong)
    with pytest.raises(BadInput, match="encoder nothing cannot be used"):
        fitted(unet(encoder="nothing", crop=32, tile=32, overlap=4, epochs=1), tiny_maps(3))


@pytest.mark.torch
def test_crops_whose_deepest_maps_have_one_pixel_train_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoders have a stride of 32: bfloat16 cannot be relied on for their last step."""
    pytest.importorskip("segmentation_models_pytorch", reason="needs the extra masks")
    from hmcbench_masks.models.network import unet

    from hmcbench.torchkit import device

    monkeypatch.setattr(device, "has_bfloat16", lambda _: True)
    precisions = []
    for crop in (32, 64):
        model = unet(width=8, reduce=1, crop=crop, tile=64, overlap=8, epochs=1, crops=1, precision="auto")
        fitted(model, tiny_maps(3))
        precisions.append(model.describe()["precision"])
    assert precisions == ["float32", "bfloat16"]


@pytest.mark.torch
@pytest.mark.parametrize(
    "size", [(9, 12), (7, 7), (20, 8), (6, 6), (5, 5), (4, 4), (5, 4), (1, 6), (3, 9), (12, 5), (2, 1)]
)
def test_crops_at_right_angles_keep_every_pixel(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of smaller images, which are reflected at their borders."""
    import torch
    from hmcbench_masks.models.training import TrainingImage, Warps

    side = 6
    values = np.arange(size[0] * size[1], dtype=np.float32).reshape(size)
    missing = [max(0, side - length) for length in size]
    shown = np.pad(values, [(n // 2, n - n // 2) for n in missing], mode="symmetric")
    places = [
        shown[y : y + side, x : x + side]
        for y in range(shown.shape[0] - side + 1)
        for x in range(shown.shape[1] - side + 1)
    ]
    looks = {np.rot90(each, k).tobytes() for crop in places for each in (crop, crop.T) for k in range(4)}
    image = TrainingImage.of(values, values, torch.zeros(1, 1), torch.device("cpu"))
    warps, seen = Warps(0, side, torch.device("cpu"), "right"), set()
    warped = TrainingImage.warped

    def kept(image: TrainingImage, theta: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
        pixels, numbers = warped(image, theta, side)
        assert torch.allclose(pixels[0], numbers.float(), atol=0.01), "pixels are means of neighbours"
        return pixels, numbers

    monkeypatch.setattr(TrainingImage, "warped", kept)
    for _ in range(200):
        _, numbers = warps.draw(image)
        crop = numbers.numpy().astype(np.float32).tobytes()
        assert crop in looks
        seen.add(crop)
    assert len(seen) > min(len(looks) / 2, 60)  # of 8 looks of each place


@pytest.mark.torch
@pytest.mark.parametrize("name", ["fpn", "deeplabv3plus"])
def test_other_networks_learn(name: str) -> None:
    pytest.importorskip("segmentation_models_pytorch", reason="needs the extra masks")
    from hmcbench_masks.models import network

    model = getattr(network, name)(width=32, reduce=1, crop=32, tile=64, overlap=8, epochs=12, crops=4)
    assert miou(model) > 0.5


def test_networks_are_checked_before_a_run() -> None:
    registry = default_registry()
    for reference, said in (
        ("fpn[width=48]", "a multiple of 32"),
        ("fpn[crop=33]", "crop=33"),
        ("unet[encoder=]", "encoder= names no network"),
    ):
        spec, params = registry.resolve("models", reference)
        with pytest.raises(BadInput, match=said):
            load_object(spec.check)(**params)


def test_the_version_of_the_wrapped_model_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = default_registry()
    spec, params = registry.resolve("models", "patch:forest")
    dataset = registry.get("datasets", "masks")
    before = origins_of(registry, dataset, spec, params, [])
    assert before == {"forest in patch": (registry.get("models", "forest").version,)}
    assert origins_of(registry, dataset, spec, params | {"of_a_variant": 1}, []) == before
    monkeypatch.setattr(registry.get("models", "forest"), "version", "later")
    assert origins_of(registry, dataset, spec, params, [])["forest in patch"] == ("later",)
    with pytest.raises(BadInput, match="did you mean 'forest'"):
        origins_of(registry, dataset, spec, params | {"model": "forst"}, [])
