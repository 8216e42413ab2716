"""Passes outside training: blocks that fit into memory, units left out, turned images."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench import BadInput
from hmcbench.data.views import Rows
from hmcbench.torchkit.architectures import check
from hmcbench.torchkit.data import PixelBatches
from hmcbench.torchkit.passes import (
    EVALUATION_BATCH,
    ORIENTATIONS,
    BlockPasses,
    turned,
    units_left_out,
)

pytestmark = pytest.mark.torch


def network(rate: float = 0.5) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Dropout(rate), nn.Linear(64, 3)).eval()


def passed(module: nn.Module, x: torch.Tensor, number: int) -> np.ndarray:
    with torch.inference_mode(), units_left_out(module, number):
        values: np.ndarray = module(x).numpy()
    return values


def test_a_pass_is_the_same_again_and_does_not_depend_on_other_samples() -> None:
    module, x = network(), torch.randn(5, 6)
    first, second = passed(module, x, 1), passed(module, x, 2)
    assert not np.allclose(first, second)
    assert np.array_equal(first, passed(module, x, 1))
    assert np.allclose(first[[3]], passed(module, x[[3]], 1), atol=1e-6)


def test_nothing_is_left_out_afterwards_nor_by_pass_0() -> None:
    module, x = network(), torch.randn(5, 6)
    with torch.inference_mode():
        whole = module(x).numpy()
    assert np.array_equal(passed(module, x, 0), whole)
    passed(module, x, 1)
    with torch.inference_mode():
        assert np.array_equal(module(x).numpy(), whole)
    assert np.array_equal(passed(network(0.0), x, 1), passed(network(0.0), x, 0))


def test_the_mean_of_many_passes_is_near_the_whole_network() -> None:
    module, x = network(), torch.randn(2, 6)
    mean = np.mean([passed(module, x, number) for number in range(1, 400)], axis=0)
    assert np.abs(mean - passed(module, x, 0)).max() < 0.1


def test_all_orientations_of_a_square_differ() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    seen = {tuple(turned(image, i).flatten().tolist()) for i in range(ORIENTATIONS)}
    assert len(seen) == ORIENTATIONS and turned(image, 0) is image


def test_passes_without_dropout_are_refused_while_a_run_is_planned() -> None:
    with pytest.raises(BadInput, match="trained without dropout"):
        check(architecture="resnet10t", mc_dropout=20)
    check(architecture="resnet10t", mc_dropout=20, dropout=0.2)
    check(mc_dropout=0)


PIXELS = np.random.default_rng(0).integers(0, 256, (300, 4, 4), dtype=np.uint8)


def pixel_batches(keep: bool = True) -> PixelBatches:
    return PixelBatches(Rows(PIXELS), torch.device("cpu"), keep=keep)


@pytest.mark.parametrize("keep", [True, False])
def test_blocks_are_halved_until_they_fit_and_stay_so(keep: bool) -> None:
    sizes: list[int] = []

    def run(block: torch.Tensor, place: slice) -> np.ndarray:
        sizes.append(len(block))
        if len(block) > 50:
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert np.array_equal(block[:, 0].numpy(), PIXELS[place])
        values: np.ndarray = block.float().mean((1, 2, 3)).numpy()
        return values

    passes, expected = BlockPasses(), PIXELS.mean((1, 2))
    for smaller in (False, True):
        sizes.clear()
        parts = list(passes.over(pixel_batches(keep), run))
        np.testing.assert_allclose(np.concatenate([values for _, values in parts]), expected, rtol=1e-6)
        assert [len(values) for _, values in parts] == [place.stop - place.start for place, _ in parts]
        assert sizes == ([] if smaller else [EVALUATION_BATCH, 64]) + [32] * 9 + [12]


def test_one_image_that_does_not_fit_and_any_other_error_end_it() -> None:
    sizes: list[int] = []

    def run(block: torch.Tensor, _: slice) -> None:
        sizes.append(len(block))
        raise error

    error: Exception = MemoryError()
    with pytest.raises(MemoryError):
        list(BlockPasses().over(pixel_batches(), run))
    assert sizes == [128, 64, 32, 16, 8, 4, 2, 1]
    error = RuntimeError("shapes do not fit")
    with pytest.raises(RuntimeError, match="shapes"):
        list(BlockPasses().over(pixel_batches(), run))
    assert sizes[-2:] == [1, 128]


def test_the_tensors_of_a_pass_that_failed_are_gone_before_the_next() -> None:
    tensors: list[weakref.ref[torch.Tensor]] = []

    def run(block: torch.Tensor, _: slice) -> int:
        assert all(each() is None for each in tensors)
        images = block.float()
        tensors.append(weakref.ref(images))
        if len(block) > 40:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return len(block)

    assert sum(n for _, n in BlockPasses().over(pixel_batches(), run)) == 300
    assert len(tensors) == 2 + 8 + 2
