"""A trained network as an ONNX file: grey values in, probabilities out."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hmcbench.errors import BadInput, Unavailable
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.passes import turned

__all__ = ["export_module"]  # what plugins may use

INPUT = "pixels"
EXAMPLES = 2  # images of the traced call


class Whole(nn.Module):
    """Normalisation, network, and probabilities of all classes; of ``stop`` too where levels have it.

    Of several orientations of an image, their mean, as in ``predict``.

    Shape: float32 or uint8 (B, C, H, W), 0..255 -> (B, classes), and (B, L).
    """

    def __init__(self, model: TorchModel) -> None:
        super().__init__()
        self.module, self.normalise, self.layout = model.module, model.normaliser, model.layout
        self.orientations = model.recipe.orientations

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        images = self.normalise(pixels)
        passes = [self._scores(turned(images, number)) for number in range(self.orientations)]
        if len(passes) == 1:
            return passes[0]
        return tuple(torch.stack(parts).mean(0) for parts in zip(*passes, strict=True))

    def _scores(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output = self.module(images)
        if isinstance(output, torch.Tensor):
            return (output.float().sigmoid(),)
        layout = self.layout
        levels = [x.float().softmax(1) if layout.single else x.float().sigmoid() for x in output]
        # columns of the hierarchy are sorted by level
        widths = [len(columns) for columns in layout.columns]
        values = torch.cat([x[:, :n] for x, n in zip(levels, widths, strict=True)], dim=1)
        return (values, torch.cat([x[:, -1:] for x in levels], dim=1)) if layout.stops else (values,)


def write_network(model: TorchModel, path: Path) -> tuple[str, ...]:
    """Write ``path``; returns the names of its outputs.

    Args:
        model: fitted or loaded, without tiles.

    Raises:
        BadInput: a network with an operation that ONNX does not have, of tiles, that reads a table too, or
            whose prediction is a mean over passes with units left out.
        NotApplicable: a network that predicts numbers.
        Unavailable: the libraries of the extra ``onnx`` are not installed.
    """
    if model.recipe.tiles > 1:
        raise BadInput("a network of tiles cannot be exported", allowed="tiles=1")
    if model.recipe.mc_dropout:
        raise BadInput(
            "a network that predicts with units left out cannot be exported", allowed="mc_dropout=0"
        )
    if model.beside:
        raise BadInput("a network that reads a table too cannot be exported", allowed="networks of images")
    whole = Whole(model).eval().cpu()
    names = ("scores", "stop") if model.layout.stops and _has_stop(whole, model) else ("scores",)
    export_module(whole, torch.zeros(EXAMPLES, *model.input_shape), path, names)
    return names


def export_module(
    module: nn.Module, example: torch.Tensor, path: Path, names: Sequence[str] = ("scores",)
) -> None:
    """Write a module of one input, any number of samples (N, ...), as an ONNX file.

    Args:
        example: two samples or more: with one, that number could become part of the graph.
        names: of its results.

    Raises:
        BadInput, Unavailable: as :func:`write_network`.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise Unavailable(f"an export needs {error.name}", hint="pip install 'hmcbench[onnx]'") from None
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                (example,),
                path,
                input_names=[INPUT],
                output_names=list(names),
                dynamic_shapes=({0: torch.export.Dim("samples")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # of the tracer, of many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise BadInput(f"torch cannot export this network ({type(error).__name__}: {reason})") from None


def scores_of(model: TorchModel, pixels: np.ndarray) -> list[np.ndarray]:
    """The outputs for uint8 (n, C, H, W), in float32 on every device.

    ``predict`` computes in bfloat16 where the device gains by it, and differs by its rounding.
    """
    with torch.inference_mode():
        return [x.cpu().numpy() for x in Whole(model).eval().cpu()(torch.from_numpy(pixels))]


def _has_stop(whole: Whole, model: TorchModel) -> bool:
    with torch.no_grad():
        return len(whole(torch.zeros(1, *model.input_shape))) == 2
