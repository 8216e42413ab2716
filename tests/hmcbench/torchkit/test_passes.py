"""Several passes of one network: units left out, turned images."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from hmcbench import BadInput  # noqa: E402
from hmcbench.torchkit.architectures import check  # noqa: E402
from hmcbench.torchkit.passes import ORIENTATIONS, turned, units_left_out  # noqa: E402

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
