"""Tokens in a row: their positions and the class token."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hmcbench_hff.tokens import ClassToken, PositionEmbedding1d, as_tokens

pytestmark = pytest.mark.torch


def test_position_embedding_has_an_entry_per_patch_and_is_interpolated_as_a_grid(waves: Any) -> None:
    block = PositionEmbedding1d(1, (4, 4))
    assert block.weight.shape == (1, 16, 1)
    tokens = waves(2, 16, 1)
    assert torch.equal(block(tokens, (4, 4)), tokens + block.weight)
    block.weight.data.copy_(as_tokens(torch.arange(4.0).expand(1, 1, 4, 4)))
    grown = block(torch.zeros(1, 48, 1), (8, 6)).reshape(8, 6)
    assert (grown[3].diff() > 0).all()  # still rises from left to right
    torch.testing.assert_close(grown[0], grown[-1])  # and does not change downwards


def test_class_token_stands_first(waves: Any, constructed: Any) -> None:
    block = constructed(ClassToken(3))
    x = waves(2, 4, 3)
    y = block(x)
    assert torch.equal(y[:, 1:], x)
    assert torch.equal(y[:, 0], block.weight.detach()[0].expand(2, 3))
