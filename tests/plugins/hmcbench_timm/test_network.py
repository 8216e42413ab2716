"""The model ``timm``: its spec, its networks, and fitting on tiny images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hmcbench_timm.network import build

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, Task
from hmcbench.registry.registry import Registry, create, file_digest
from hmcbench.testing.helpers import (
    assert_batch_independent,
    fitted,
    inputs,
    same_scores,
    temporary_plugin,
    tiny_dataset,
    tiny_hierarchy,
)
from hmcbench.torchkit.architectures import check
from hmcbench.torchkit.weights import read_state

pytestmark = pytest.mark.torch
TINY: dict[str, Any] = {
    "image_size": 32,
    "stem_stride": "keep",
    "batch_size": 16,
    "epochs": 2,
    "augment": "none",
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    with temporary_plugin() as loaded:
        return loaded


def pictures(kind: Any = "tree", samples: int = 60) -> Dataset:
    """32 px images: every class of a sample draws a bright bar at a height of its own."""
    dataset = tiny_dataset(samples, kind)
    pixels = np.random.default_rng(0).integers(60, 120, (samples, 32, 32), dtype=np.uint8)
    for row, labels in enumerate(np.asarray(dataset.targets)):
        for c in np.flatnonzero(labels):
            pixels[row, 3 * c : 3 * c + 3, 4:28] = 250
    return tiny_dataset(samples, kind, views={"pixels": pixels})


def fit(registry: Registry, dataset: Dataset, reference: str = "timm:test_resnet", **changes: Any) -> Any:
    spec, params = registry.resolve("models", reference, "quick", **{**TINY, **changes})
    return fitted(create(spec, params), dataset, seed=3)


def test_the_plugin_is_light() -> None:
    heavy = "('torch', 'timm', 'numpy', 'PIL', 'sklearn')"
    code = f"import hmcbench_timm, sys; print([m for m in {heavy} if m in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


@pytest.mark.parametrize("profile", ["quick", "standard", "paper"])
def test_profiles_resolve_and_are_explained(registry: Registry, profile: str) -> None:
    spec, params = registry.resolve("models", "timm:resnet50", profile)
    assert params["architecture"] == "resnet50" and params["pretrained"] == (profile == "paper")
    assert all(param.help for param in spec.params.values())
    assert create(spec, params).recipe.epochs == params["epochs"]
    assert registry.label("models", spec, params, profile) == "timm:resnet50"


@pytest.mark.parametrize("head", ["levels", "leaf"])
@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "mobilenetv3_small_050", "lcnet_050", "test_convnext"]
)
def test_networks_of_every_kind_get_heads(name: str, head: str) -> None:
    for channels in (1, 3):
        task = Task(hierarchy=tiny_hierarchy("ragged"), depth="ragged")
        options = {"architecture": name, "image_size": 64, "in_chans": channels}
        net = build(task, head=head, stem_stride="auto", pretrained=False, **options).eval()
        with torch.no_grad():
            assert [x.shape for x in net(torch.zeros(2, channels, 64, 64))] == [(2, 3), (2, 6), (2, 3)]


@pytest.mark.parametrize("head", ["levels", "leaf", "conditional", "max"])
def test_it_learns_what_can_be_seen(registry: Registry, head: str) -> None:
    dataset = pictures(samples=75)
    model = fit(registry, dataset, epochs=12, head=head, learning_rate=5e-3, patience=0)
    scores = assert_batch_independent(model, dataset, tolerance=1e-5)
    assert dataset.task.hierarchy is not None
    for level in (1, 2):
        columns = dataset.task.hierarchy.level_classes(level)
        right = scores.values[:, columns].argmax(1) == np.asarray(dataset.targets)[:, columns].argmax(1)
        assert right.mean() > 0.9
    assert model.describe()["pretrained"] is False


@pytest.mark.parametrize("kind", ["ragged", "multiple", "dag"])
def test_ragged_and_multiple_paths(registry: Registry, kind: str) -> None:
    dataset = pictures(kind, samples=40)
    for head in ("levels", "leaf", "conditional", "max"):
        scores = fit(registry, dataset, head=head, epochs=1).predict(inputs(dataset))
        assert scores.values.shape == dataset.targets.shape
        assert np.isfinite(scores.values).all() and scores.values.min() >= 0 and scores.values.max() <= 1
        assert (scores.stop is not None) == (kind == "ragged" and head != "max")


def test_same_seed_same_scores(registry: Registry) -> None:
    dataset = pictures(samples=30)
    first, second = (fit(registry, dataset, augment="light") for _ in range(2))
    assert same_scores(first.predict(inputs(dataset)), second.predict(inputs(dataset)))


def test_unknown_architectures_come_with_close_ones(registry: Registry) -> None:
    with pytest.raises(BadInput, match=r"unknown timm architecture 'resnet_10t'.*did you mean 'resnet10t'"):
        fit(registry, pictures(samples=20), "timm:resnet_10t")


@pytest.mark.parametrize("train", ["head", "last"])
def test_weights_of_a_file_stay_where_they_are_frozen(registry: Registry, tmp_path: Path, train: str) -> None:
    """A network that was trained and written; a training of the head leaves its body bit for bit."""
    dataset = pictures()
    fit(registry, dataset).save(tmp_path)
    start = tmp_path / "weights.safetensors"
    before = read_state(start)
    model = fit(registry, dataset, train=train, pretrained=str(start), epochs=1)
    facts = model.describe()
    assert facts["pretrained"] is True and "tensors taken" in str(facts["pretrained_weights"])
    assert 0 < facts["trained_parameters"] < facts["parameters"]
    changed = {
        ".".join(name.split(".")[:2]) if name.startswith("body") else "head"
        for name, value in model.module.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == ({"head"} if train == "head" else {"head", "body.layer4"})


def test_a_file_of_weights_counts_by_its_content(registry: Registry, tmp_path: Path) -> None:
    """Not by its path; and a label shows its name and a part of its digest."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.pt").write_bytes(b"same")
    keys, labels = [], []
    for name in ("a", "b"):
        spec, params = registry.resolve("models", f"timm[pretrained={tmp_path / name / 'w.pt'}]", "quick")
        keys.append(file_digest(str(params["pretrained"])))
        labels.append(registry.label("models", spec, params, "quick"))
    assert keys[0] == keys[1] and labels[0] == labels[1] == f"timm:resnet10t[pretrained=w.pt@{keys[0][:8]}]"
    with pytest.raises(BadInput, match="no file"):
        file_digest(str(tmp_path / "none.pt"))


def test_small_images_first_are_for_networks_of_any_size(registry: Registry) -> None:
    model = fit(registry, pictures(), first_size=16, first_layer="whitened")
    assert np.isfinite(model.predict(inputs(pictures())).values).all()
    with pytest.raises(BadInput, match="first_size=16: the network takes no images of 16 px"):
        fit(registry, pictures(), "timm:vit_tiny_patch16_224", first_size=16)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (
            {"first_size": 24, "image_size": 32},
            r"first_size=24 with image_size=32\. Allowed: 0, or",
        ),
        ({"first_size": 64, "image_size": 32}, r"a multiple of 16 up to 32"),
        ({"first_layer": "whitened", "pretrained": True}, "would replace trained weights"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused_in_the_plan(
    setting: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        check(architecture="test_resnet", **setting)
