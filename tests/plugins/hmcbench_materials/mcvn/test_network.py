"""The architecture, beside an independent one written with torch.nn as the paper lists it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hmcbench_materials.mcvn.architecture import CONVOLUTIONS, Architecture
from hmcbench_materials.mcvn.network import Running, composed_convolutions, forward
from torch import nn


class Listed(nn.Module):
    """MCVN layer by layer (section 4.1): nn.Conv2d, nn.MultiheadAttention over a sequence of one."""

    def __init__(self, features: int, outputs: int = 1) -> None:
        super().__init__()
        sizes = [1, *(channels for channels, _, _ in CONVOLUTIONS)]
        layers = [nn.Conv2d(sizes[i], c, k, stride=s) for i, (c, k, s) in enumerate(CONVOLUTIONS)]
        self.conv = nn.Sequential(*layers)
        self.image = nn.Linear(6, 4)
        self.original_attention, self.original_norm = (
            nn.MultiheadAttention(features, 2),
            nn.LayerNorm(features),
        )
        self.original = nn.Linear(features, 8)
        self.fusion_attention, self.fusion_norm = nn.MultiheadAttention(12, 2), nn.LayerNorm(12)
        self.norm = nn.BatchNorm1d(12)
        self.fusion = nn.ModuleList([nn.Linear(12, 8), nn.Linear(8, 4), nn.Linear(4, outputs)])

    def forward(self, images: torch.Tensor, table: torch.Tensor, among: bool = False) -> torch.Tensor:
        def attend(block: Any, norm: Any, x: torch.Tensor) -> torch.Tensor:
            sequence = x[:, None] if among else x[None]  # (length, batch, width)
            mixed, _ = block(sequence, sequence, sequence)
            out: torch.Tensor = norm(x + (mixed[:, 0] if among else mixed[0]))
            return out

        image = self.image(self.conv(images.reshape(-1, 1, 24, 21)).flatten(1)).relu()
        own = self.original(attend(self.original_attention, self.original_norm, table)).relu()
        x = self.norm(attend(self.fusion_attention, self.fusion_norm, torch.cat([image, own], dim=1)))
        out: torch.Tensor = self.fusion[2](self.fusion[1](self.fusion[0](x).relu()).relu())
        return out

    def row(self) -> torch.Tensor:
        """Its parameters in the order of :attr:`Architecture.shapes`."""
        parts: list[Any] = []
        for layer in self.conv:
            parts += [layer.weight, layer.bias]
        parts += [self.image.weight, self.image.bias]
        for name in ("original", "fusion"):
            block, norm = getattr(self, f"{name}_attention"), getattr(self, f"{name}_norm")
            for weight, bias in zip(block.in_proj_weight.chunk(3), block.in_proj_bias.chunk(3), strict=True):
                parts += [weight, bias]
            parts += [block.out_proj.weight, block.out_proj.bias, norm.weight, norm.bias]
            if name == "original":
                parts += [self.original.weight, self.original.bias]
        parts += [self.norm.weight, self.norm.bias]
        for layer in self.fusion:
            parts += [layer.weight, layer.bias]
        return torch.cat([part.detach().flatten() for part in parts])


def networks(features: int = 16, count: int = 3) -> list[Listed]:
    torch.manual_seed(0)
    built = [Listed(features).double() for _ in range(count)]
    for network in built:
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return built


def samples(count: int, features: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(1, count, 504, generator=generator, dtype=torch.float64)
    return images, torch.rand(1, count, features, generator=generator, dtype=torch.float64)


def test_parameters_are_those_of_the_released_network() -> None:
    assert Architecture(16).parameters == 2664
    assert sum(p.numel() for p in Listed(16).parameters()) == 2664
    assert Architecture(15).parameters == 2664
    assert Architecture(15).width == 16


@pytest.mark.parametrize("attention", ["sample", "batch"])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_running_statistics_equal_torch_layers(attention: str, training: bool) -> None:
    plan, listed = Architecture(16, attention=attention), networks()
    weights = torch.stack([network.row() for network in listed]).requires_grad_()
    images, table = samples(7)
    running = Running.start(3, 12)
    outputs, _ = forward(plan, plan.unpack(weights), images, table, running, training=training)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), weights)
    for k, network in enumerate(listed):
        network.train(training)
        theirs = network(images[0], table[0], among=attention == "batch")
        torch.testing.assert_close(outputs[k], theirs, rtol=0, atol=1e-10)
        theirs.square().sum().backward()
        layers: dict[str, Any] = {"fusion0": network.fusion[0], "conv0": network.conv[0]}
        for name, layer in layers.items():
            mine = plan.unpack(gradient)[f"{name}.weight"][k]
            torch.testing.assert_close(mine, layer.weight.grad, rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(running.mean[k], network.norm.running_mean, rtol=0, atol=1e-12)
        torch.testing.assert_close(running.variance[k], network.norm.running_var, rtol=0, atol=1e-12)


def test_attention_over_one_sample_trains_no_query_and_no_key() -> None:
    images, table = samples(7)
    for attention, trained in (("sample", False), ("batch", True), ("train", True)):
        plan = Architecture(16, attention=attention)
        weights = torch.stack([network.row() for network in networks()]).requires_grad_()
        outputs, _ = forward(plan, plan.unpack(weights), images, table, Running.start(3, 12), training=True)
        (gradient,) = torch.autograd.grad(outputs.square().sum(), weights)
        named = plan.unpack(gradient)
        for name in ("original.query.weight", "original.key.weight", "fusion.query.weight"):
            assert bool(named[name].any()) is trained, (attention, name)


def test_the_composed_convolutions_are_the_four() -> None:
    plan, listed = Architecture(16), networks()
    matrix, bias = composed_convolutions(plan.unpack(torch.stack([n.row() for n in listed])))
    images, _ = samples(5)
    for k, network in enumerate(listed):
        theirs = network.conv(images.reshape(5, 1, 24, 21)).flatten(1)
        torch.testing.assert_close(images[0] @ matrix[k].T + bias[k], theirs, rtol=0, atol=1e-10)


def test_attention_to_the_training_set_sees_no_other_sample() -> None:
    plan = Architecture(16, attention="train")
    weights = plan.unpack(torch.stack([network.row() for network in networks()]))
    running = Running.start(3, 12)
    images, table = samples(9)
    _, context = forward(plan, weights, images[:, :5], table[:, :5], running)
    together, _ = forward(plan, weights, images[:, 5:], table[:, 5:], running, context=context)
    for i in range(5, 9):
        alone, _ = forward(plan, weights, images[:, i : i + 1], table[:, i : i + 1], running, context=context)
        torch.testing.assert_close(alone[:, 0], together[:, i - 5], rtol=0, atol=1e-12)
    few = [rows[:, :2] for rows in context]
    fewer, _ = forward(plan, weights, images[:, 5:], table[:, 5:], running, context=few)
    assert not torch.allclose(fewer, together)


@pytest.mark.parametrize(
    ("parts", "fused"),
    [
        ({}, 12),
        ({"channels": "image"}, 4),
        ({"channels": "original"}, 8),
        ({"attention": "none"}, 12),
        ({"batch_norm": False}, 12),
        ({"convolution": False}, 12),
    ],
)
def test_ablations_leave_out_what_they_name(parts: dict[str, Any], fused: int) -> None:
    plan = Architecture(6, outputs=3, **parts)
    names = set(plan.shapes)
    assert plan.fused == fused
    assert ("conv0.weight" in names) == (plan.channels != "original" and plan.convolution)
    assert ("original.weight" in names) == (plan.channels != "image")
    assert ("fusion.value.weight" in names) == (plan.attention != "none")
    assert ("norm.weight" in names) == plan.batch_norm
    weights = torch.stack([plan.initial(torch.Generator().manual_seed(s)) for s in range(2)])
    images = torch.rand(1, 4, 504 if plan.convolution else 6, dtype=torch.float64)
    table = torch.rand(1, 4, 6, dtype=torch.float64)
    outputs, _ = forward(plan, plan.unpack(weights), images, table, Running.start(2, fused), training=True)
    assert outputs.shape == (2, 4, 3)
    assert torch.isfinite(outputs).all()
