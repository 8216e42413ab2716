"""Attention, feed-forward and encoder on maps, against their formulas written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hmcbench_hff.transformer2d import EncoderLayer2D, FeedForward2D, MultiHeadAttention2D, Transformer2D
from torch import Tensor

pytestmark = pytest.mark.torch


def attention_as_written(x: Tensor, module: MultiHeadAttention2D) -> Tensor:
    """The paper's sentences one by one, with loops over samples and heads."""
    _, channels, height, width = x.shape
    positions = height * width
    wide = module.qkv.weight[:, :, 0, 0], module.qkv.bias
    out = []
    for sample in x:
        tokens = sample.reshape(channels, positions).T  # (positions, C)
        assert wide[1] is not None
        q, k, v = (tokens @ wide[0].T + wide[1]).split(channels, dim=1)
        heads = []
        for h in range(module.heads):
            part = slice(h * module.head_dim, (h + 1) * module.head_dim)
            scores = q[:, part] @ k[:, part].T / math.sqrt(module.head_dim)
            weights = scores.exp() / scores.exp().sum(1, keepdim=True)
            heads.append(weights @ v[:, part])
        assert module.proj.bias is not None
        merged = torch.cat(heads, dim=1) @ module.proj.weight[:, :, 0, 0].T + module.proj.bias
        out.append(merged.T.reshape(channels, height, width))
    return torch.stack(out)


@pytest.mark.parametrize(("channels", "heads", "size"), [(24, 3, (4, 5)), (8, 1, (1, 1)), (16, 16, (3, 2))])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_attention_is_the_written_formula(
    channels: int, heads: int, size: tuple[int, int], memory: Any, waves: Any, constructed: Any
) -> None:
    module = constructed(MultiHeadAttention2D(channels, heads=heads))
    x = waves(3, channels, *size).contiguous(memory_format=memory)
    y = module(x)
    assert y.shape == x.shape
    assert module.head_dim == channels // heads
    torch.testing.assert_close(y, attention_as_written(x, module), rtol=0, atol=1e-5)


def test_attention_sees_all_positions_of_its_own_sample_only(waves: Any, constructed: Any) -> None:
    module = constructed(MultiHeadAttention2D(8, heads=2))
    x = waves(2, 8, 3, 3)
    changed = x.clone()
    changed[0, :, 0, 0] += 1.0
    difference = (module(changed) - module(x)).abs().amax(1)  # (B, H, W)
    assert (difference[0] > 1e-6).all()
    assert difference[1].max() == 0


def test_attention_follows_its_positions_around(waves: Any, constructed: Any) -> None:
    """It has no notion of place: that is what the position embedding is for."""
    module = constructed(MultiHeadAttention2D(8, heads=2))
    x = waves(1, 8, 2, 3)
    torch.testing.assert_close(module(x.flip(3)), module(x).flip(3), rtol=0, atol=1e-6)


def test_feed_forward_is_two_layers_per_position(waves: Any, constructed: Any) -> None:
    module = constructed(FeedForward2D(6, hidden=10))
    x = waves(2, 6, 3, 3)
    assert [tuple(p.shape) for p in module.parameters()] == [(10, 6, 1, 1), (10,), (6, 10, 1, 1), (6,)]
    first, bias1, second, bias2 = (p.flatten(1) if p.ndim > 1 else p for p in module.parameters())
    wide = x[1, :, 2, 0] @ first.T + bias1
    gelu = wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))
    torch.testing.assert_close(module(x)[1, :, 2, 0], gelu @ second.T + bias2, rtol=0, atol=1e-6)


def test_layers_are_pre_norm_with_residual_sums(waves: Any, constructed: Any) -> None:
    layer = constructed(EncoderLayer2D(8, heads=2, hidden=12))
    x = waves(2, 8, 3, 4)

    def normalised(maps: Tensor, norm: Any) -> Tensor:
        mean, variance = maps.mean(1, keepdim=True), maps.var(1, keepdim=True, correction=0)
        scale, shift = norm.weight[:, None, None], norm.bias[:, None, None]
        result: Tensor = (maps - mean) / (variance + norm.eps).sqrt() * scale + shift
        return result

    middle = x + layer.attention(normalised(x, layer.norm1))
    expected = middle + layer.feed_forward(normalised(middle, layer.norm2))
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)


def test_parameters_are_those_of_the_formula() -> None:
    def count(channels: int, depth: int, hidden: int) -> int:
        attention = channels * 3 * channels + 3 * channels + channels * channels + channels
        feed_forward = channels * hidden + hidden + hidden * channels + channels
        norms = 2 * 2 * channels
        return depth * (attention + feed_forward + norms) + 2 * channels

    for channels, depth, heads, hidden in [(8, 2, 2, 12), (1536, 12, 12, 3072)]:
        with torch.device("meta"):
            module = Transformer2D(channels, depth=depth, heads=heads, hidden=hidden)
        assert sum(p.numel() for p in module.parameters()) == count(channels, depth, hidden)
    assert count(1536, 12, 3072) == 226_698_240


def test_dropout_acts_in_training_only(waves: Callable[..., Any], constructed: Callable[[Any], Any]) -> None:
    module = constructed(Transformer2D(8, depth=1, heads=2, hidden=8, dropout=0.5))
    x = waves(1, 8, 3, 3)
    assert torch.equal(module(x), module(x))
    module.train()
    torch.manual_seed(0)
    first = module(x)
    assert not torch.equal(first, module(x))
    torch.manual_seed(0)
    assert torch.equal(first, module(x))
