"""The sizes of an MCVN, the parts that it has, and its parameters: their shapes and first values.

The parameters of one network are a row of P numbers; M networks are a matrix (M, P).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch

IMAGE = (24, 21)
"""Height and width of the composition image: 8 x 7 properties of 3 x 3 statistics."""
CONVOLUTIONS = ((3, 3, 3), (8, 3, 1), (4, 3, 1), (1, 2, 1))
"""C(channels, kernel, stride) of the image channel (section 4.1), with no activation between them."""
MAP = (3, 2)
"""What the convolutions leave of the image."""
HEADS = 2

Weights = dict[str, torch.Tensor]
"""Name of a parameter -> its values in M networks, (M, ...)."""


@dataclass(frozen=True)
class Architecture:
    """Sizes, and which parts there are (the paper's ablations, tables 7 and 8).

    Attributes:
        features: N of the original channel; an odd N gets a column of zeros, as two heads share it.
        outputs: of the last layer.
        channels: ``both``, ``image`` or ``original``.
        attention: ``sample`` (each sample alone, as released), ``batch`` (between the samples of
            the batch, as the text has it), ``train`` (between a sample and the training set) or
            ``none``.
        batch_norm: whether the fused features are normalised.
        convolution: whether the image channel convolves the image; else it is given six numbers
            per sample in its place (principal components).
    """

    features: int
    outputs: int = 1
    channels: str = "both"
    attention: str = "sample"
    batch_norm: bool = True
    convolution: bool = True

    @property
    def width(self) -> int:
        """N, made even."""
        return self.features + self.features % HEADS

    @property
    def fused(self) -> int:
        """Features that the fusion receives: 4 of the image, 8 of the original channel."""
        return {"both": 12, "image": 4, "original": 8}[self.channels]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every parameter of one network, in the order of its row of weights."""
        out: dict[str, tuple[int, ...]] = {}
        if self.channels != "original":
            if self.convolution:
                fan = 1
                for i, (channels, kernel, _) in enumerate(CONVOLUTIONS):
                    out[f"conv{i}.weight"], out[f"conv{i}.bias"] = (
                        (channels, fan, kernel, kernel),
                        (channels,),
                    )
                    fan = channels
            out |= _linear("image", math.prod(MAP), 4)
        if self.channels != "image":
            out |= self._attention("original", self.width) | _linear("original", self.width, 8)
        out |= self._attention("fusion", self.fused)
        if self.batch_norm:
            out["norm.weight"] = out["norm.bias"] = (self.fused,)
        for i, (before, after) in enumerate(((self.fused, 8), (8, 4), (4, self.outputs))):
            out |= _linear(f"fusion{i}", before, after)
        return out

    def _attention(self, name: str, width: int) -> dict[str, tuple[int, ...]]:
        if self.attention == "none":
            return {}
        parts = [_linear(f"{name}.{part}", width, width) for part in ("query", "key", "value", "out")]
        out = {key: shape for part in parts for key, shape in part.items()}
        return out | {f"{name}.norm.weight": (width,), f"{name}.norm.bias": (width,)}

    @property
    def parameters(self) -> int:
        """Of one network: 2,664 for N = 16 and one output."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def initial(
        self, generator: torch.Generator, dtype: torch.dtype = torch.float64, kind: str = "uniform"
    ) -> torch.Tensor:
        """The row of weights (P,) of a new network; norms begin as the identity, biases at zero.

        ``uniform``: Xavier's bound for the layers of the attention and the last one, Kaiming's for the
        convolutions and the layers before a ReLU. ``released``: Xavier's normal distribution for all linear
        layers, Kaiming's (fan-out) for convolutions, whose biases are torch's own.
        """
        rows = []
        for name, shape in self.shapes.items():
            layer, _, part = name.rpartition(".")
            convolution, released = layer.startswith("conv"), kind == "released"
            fan_in, fan_out = math.prod(shape[1:]), shape[0]
            if layer.endswith("norm") or (part == "bias" and not (convolution and released)):
                rows.append(torch.full(shape, float(name.endswith("norm.weight")), dtype=dtype))
            elif released and part == "weight":
                fans = fan_out * math.prod(shape[2:]) if convolution else fan_in + fan_out
                rows.append(math.sqrt(2 / fans) * torch.randn(shape, generator=generator, dtype=dtype))
            else:
                xavier = "." in layer or layer == "fusion2"
                bound = math.sqrt(6 / (fan_in + fan_out) if xavier else 6 / fan_in)
                if released:  # the bias of a convolution, as torch draws it
                    bound = 1 / math.sqrt(math.prod(self.shapes[f"{layer}.weight"][1:]))
                rows.append(bound * (2 * torch.rand(shape, generator=generator, dtype=dtype) - 1))
        return torch.cat([row.flatten() for row in rows])

    def unpack(self, weights: torch.Tensor) -> Weights:
        """Rows of weights (M, P) -> name -> (M, *shape), as views."""
        parts = torch.split(weights, [math.prod(shape) for shape in self.shapes.values()], dim=1)
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.reshape(len(weights), *shape) for (name, shape), part in named}


def _linear(name: str, before: int, after: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}
