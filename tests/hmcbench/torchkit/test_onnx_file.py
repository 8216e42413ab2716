"""Networks as ONNX files: the mean over orientations is in the file, and passes that are drawn are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset
from hmcbench.testing.helpers import fitted, inputs
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.onnx_file import scores_of, write_network
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("orientations", "kind"), [(1, "ragged"), (8, "ragged"), (3, "multiple")])
def test_a_file_has_the_mean_over_orientations(
    orientations: int, kind: str, images: Callable[..., Dataset], tiny_net: Any, tmp_path: Path
) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    dataset = images(kind)
    recipe = Recipe(epochs=1, batch_size=16, precision="float32", orientations=orientations)
    model: Any = fitted(TorchModel(tiny_net, recipe), dataset)
    names = write_network(model, tmp_path / "net.onnx")
    assert names == (("scores", "stop") if kind == "ragged" else ("scores",))
    pixels = np.asarray(dataset.views["pixels"])[:, None]
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    written = session.run(None, {"pixels": pixels.astype(np.float32)})
    ours = model.predict(inputs(dataset))
    for theirs in (written, scores_of(model, pixels)):
        np.testing.assert_allclose(theirs[0], ours.values, atol=1e-5)
        if ours.stop is not None:
            np.testing.assert_allclose(theirs[1], ours.stop, atol=1e-5)


def test_passes_with_units_left_out_are_refused(
    images: Callable[..., Dataset], tiny_net: Any, tmp_path: Path
) -> None:
    model: Any = fitted(TorchModel(tiny_net, Recipe(epochs=1, batch_size=16, mc_dropout=2)), images("tree"))
    with pytest.raises(BadInput, match="mc_dropout=0"):
        write_network(model, tmp_path / "net.onnx")
