"""A frozen network as a view: weights that a test trains and writes, and classical models behind it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra vision")
pytest.importorskip("timm", reason="needs the extra vision")
from hmcbench_timm.embedding import Embedding  # noqa: E402
from hmcbench_timm.frozen import digest  # noqa: E402
from hmcbench_timm.network import create  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import hmcbench  # noqa: E402
from hmcbench.errors import BadInput  # noqa: E402
from hmcbench.registry.registry import default_registry  # noqa: E402
from hmcbench.testing.helpers import fitted, tiny_dataset  # noqa: E402

pytestmark = pytest.mark.torch
CLASSES = ("metal/fatigue", "metal/dimples", "oxide/plates")


def pattern(seed: int, leaf: int, size: tuple[int, int] = (48, 48)) -> np.ndarray:
    """Waves whose direction depends on the class."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    wave = 60 * np.sin((x if leaf == 0 else x - y if leaf == 1 else x + y) * 0.9 + random.uniform(0, 6))
    return np.asarray((128 + wave + random.normal(0, 12, x.shape)).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained on other pictures of the same kind, as a file with the names of hmcbench."""
    leaves = np.arange(60) % 5
    pixels = np.stack([pattern(900 + i, leaf % 3, (32, 32)) for i, leaf in enumerate(leaves)])
    dataset = tiny_dataset(60, views={"pixels": pixels})
    _, params = default_registry().resolve(
        "models", "timm:test_resnet", "quick", image_size=32, epochs=2, batch_size=16
    )
    folder = tmp_path_factory.mktemp("weights")
    fitted(create(**params), dataset).save(folder)
    return folder / "weights.safetensors"


def embedding(weights: str, **changes: Any) -> Embedding:
    usual = {"size": 32, "channels": 1, "normalise": "image"}
    return Embedding(backbone="timm:test_resnet", weights=weights, **{**usual, **changes})


def test_features_are_those_of_the_network_of_the_file(weights: Path) -> None:
    pixels = np.stack([pattern(i, i % 3, (32, 32)) for i in range(5)])
    frozen, random = embedding(str(weights)), embedding("random")
    features = frozen.transform(pixels)
    assert features.shape == (5, frozen.network.head_hidden_size) and features.dtype == np.float32
    np.testing.assert_array_equal(features[3:4], frozen.transform(pixels[3:4]))
    assert not np.allclose(features, random.transform(pixels))
    np.testing.assert_array_equal(random.transform(pixels), embedding("random").transform(pixels))


def test_normalisation_and_channels(weights: Path) -> None:
    grey = pattern(0, 0, (32, 32))[None]
    darker = (grey // 2).astype(np.uint8)
    own, fixed = (
        np.abs(e.transform(grey) - e.transform(darker)).mean()
        for e in (embedding("random"), embedding("random", normalise="weights"))
    )
    assert own < fixed / 20
    colour = np.repeat(grey[..., None], 3, axis=-1)
    three = embedding(str(weights), channels=3)  # its first convolution is adapted
    np.testing.assert_allclose(
        three.transform(colour), embedding(str(weights)).transform(grey), rtol=1e-4, atol=1e-5
    )


def test_weights_that_are_not_all_there_are_refused(weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    state = {name: x for name, x in load_file(weights).items() if "layer4" not in name}
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(BadInput, match=r"does not hold all weights of the network: layer4\."):
        embedding(str(tmp_path / "part.safetensors"))
    with pytest.raises(BadInput, match="no file"):
        embedding(str(tmp_path / "none.safetensors"))


def test_the_digest_is_that_of_the_content(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w.safetensors").write_bytes(weights.read_bytes())
    monkeypatch.setenv("HMCBENCH_WEIGHTS", str(tmp_path))
    first = digest(backbone="timm:test_resnet", weights=str(weights))
    second = digest(backbone="timm:test_resnet", weights="w.safetensors")
    assert first[0] == second[0] and second[1] == "the weights of w.safetensors"
    assert digest(backbone="a", weights="random")[0] != digest(backbone="b", weights="random")[0]


def test_classical_models_behind_it_on_pictures_of_all_sizes(
    weights: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    """They run, are kept, and ``predict`` gives the stored scores."""
    for leaf, name in enumerate(CLASSES):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(10):
            pixels = pattern(100 * leaf + i, leaf, (40 + 4 * i, 60 - 2 * i))
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    view = f"embedding[backbone=timm:test_resnet,weights={weights},size=32,channels=1,normalise=image]"
    names = ("logistic-regression", "knn", "forest", "pct-forest")
    boards = hmcbench.run(
        images=tmp_path / "images",
        models=[f"{name}[inputs={view}]" for name in names],
        out=tmp_path / "runs",
        in_process=True,
        splits=1,
    )
    records = boards.records
    assert len(records) == 4 and all(record.ok for record in records)
    for record in records:
        (constants,) = record.data["model"]["constants"].values()
        assert constants["origin"] == "the weights of weights.safetensors"
        ended = cli("predict", record.path, tmp_path / "images")
        assert ended.status == 0, ended.err
        printed = {
            Path(row["path"]).relative_to(tmp_path / "images").as_posix(): row
            for row in csv.DictReader(StringIO(ended.out))
        }
        stored = record.predictions()
        assert stored.task.hierarchy is not None
        for name, scores in zip(stored.ids, stored.scores, strict=True):
            got = [float(printed[name][c]) for c in stored.task.hierarchy.classes]
            np.testing.assert_allclose(got, scores, atol=2e-5)
