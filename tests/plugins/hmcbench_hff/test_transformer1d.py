"""The encoder on tokens in a row."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hmcbench_hff.tokens import as_tokens
from hmcbench_hff.transformer1d import Transformer1D
from hmcbench_hff.transformer2d import Transformer2D

pytestmark = pytest.mark.torch


def test_transformers_of_one_and_two_dimensions_are_the_same_kind_of_layer(
    waves: Any, constructed: Any
) -> None:
    flat, wide = (
        constructed(kind(12, depth=2, heads=3, hidden=7)) for kind in (Transformer1D, Transformer2D)
    )
    with torch.no_grad():
        for mine, other in zip(flat.parameters(), wide.parameters(), strict=True):
            mine.copy_(other.reshape(mine.shape))
    maps = waves(3, 12, 4, 5)
    torch.testing.assert_close(flat(as_tokens(maps)), as_tokens(wide(maps)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("channels", "hidden"), [(768, 3072), (6, 8), (7, 3), (30, 29)])
def test_hidden_width_is_what_was_asked_for(channels: int, hidden: int) -> None:
    layer: Any = Transformer1D(channels, depth=1, heads=1, hidden=hidden).layers[0]
    assert layer.mlp.fc1.weight.shape == (hidden, channels)
