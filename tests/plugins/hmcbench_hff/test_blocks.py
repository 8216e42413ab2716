"""The blocks around the Transformer: embeddings and fusion."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hmcbench_hff.blocks import ClassEmbedding2d, HierarchicalFusion, PositionEmbedding2d
from torch.nn.functional import gelu

pytestmark = pytest.mark.torch


def test_class_embedding_is_expanded_and_stands_first(waves: Any, constructed: Any) -> None:
    block = constructed(ClassEmbedding2d(4))
    x = waves(2, 3, 5, 6)
    y = block(x)
    assert y.shape == (2, 7, 5, 6)
    assert torch.equal(y[:, 4:], x)
    assert torch.equal(y[:, :4], block.weight.detach().repeat(2, 1, 5, 6))


def test_position_embedding_is_added_place_by_place(waves: Any, constructed: Any) -> None:
    block = constructed(PositionEmbedding2d(3, (2, 4)))
    x = waves(2, 3, 2, 4)
    assert block.weight.shape == (1, 3, 2, 4)
    assert torch.equal(block(x), x + block.weight)


def test_position_embedding_is_interpolated_for_other_sizes(waves: Any) -> None:
    block = PositionEmbedding2d(1, (4, 4))
    ramp = torch.arange(4.0).expand(4, 4)
    block.weight.data.copy_(ramp[None, None])
    grown = block(torch.zeros(1, 1, 8, 6))
    assert grown.shape == (1, 1, 8, 6)
    assert (grown[0, 0, 3].diff() > 0).all()  # still rises from left to right
    torch.testing.assert_close(grown[0, 0, 0], grown[0, 0, -1])  # and does not change downwards
    torch.testing.assert_close(grown.mean(), ramp.mean(), rtol=0, atol=0.05)


def test_fusion_gives_every_classifier_the_features_of_all_levels(waves: Any, constructed: Any) -> None:
    block = constructed(HierarchicalFusion(7, (2, 6, 3), level_dim=4))
    x = waves(5, 7)
    fused = torch.cat([gelu(x @ fc.weight.T + fc.bias) for fc in block.level_fc], dim=1)
    assert fused.shape == (5, 12)
    for logits, classifier in zip(block(x), block.level_classifier, strict=True):
        torch.testing.assert_close(logits, fused @ classifier.weight.T + classifier.bias, rtol=0, atol=1e-6)
    assert [tuple(logits.shape) for logits in block(x)] == [(5, 2), (5, 6), (5, 3)]
