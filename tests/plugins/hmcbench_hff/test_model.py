"""The models of the family: specs and profiles, the loss, and fitting on tiny images."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hmcbench_hff.hffnet2d import HFFNet2d
from hmcbench_hff.model import build_over_cnn

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Scores, Task
from hmcbench.registry.registry import Registry, create
from hmcbench.testing.helpers import (
    assert_batch_independent,
    fitted,
    inputs,
    same_scores,
    temporary_plugin,
    tiny_dataset,
    tiny_hierarchy,
)
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.losses import LevelLoss, level_weights

pytestmark = pytest.mark.torch

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "image_size": 32,
    "dim": 8,
    "depth": 1,
    "heads": 2,
    "mlp_dim": 16,
    "epochs": 4,
    "batch_size": 16,
    "augment": "none",
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    with temporary_plugin() as loaded:
        return loaded


MODELS = ("hffvt", "hffcnn", "hff-cnn-vt", "hff-cnn-conv-vt", "hffnet-2d")


def parameters(registry: Registry, profile: str, name: str = "hffnet-2d", **changes: Any) -> dict[str, Any]:
    return dict(registry.resolve("models", name, profile, **changes)[1])


def pictures(kind: Any = "tree", samples: int = 60, channels: int = 1) -> Dataset:
    """Tiny images: every class draws a bright bar at a place of its own on a noisy ground."""
    rng = np.random.default_rng(0)
    shape = (samples, 32, 32) if channels == 1 else (samples, 32, 32, 3)
    pixels = rng.integers(60, 120, shape, dtype=np.uint8)
    dataset = tiny_dataset(samples, kind)
    for row, labels in enumerate(np.asarray(dataset.targets)):
        for c in np.flatnonzero(labels):
            pixels[row, 3 * c : 3 * c + 3, 4:28] = 250
    return tiny_dataset(samples, kind, views={"pixels": pixels})


def fit(registry: Registry, dataset: Dataset, name: str = "hffnet-2d", **changes: Any) -> Any:
    known = registry.get("models", name).params
    tiny = {key: value for key, value in TINY.items() if key in known}
    spec, params = registry.resolve("models", name, "quick", **{**tiny, **changes})
    return fitted(create(spec, params), dataset, seed=3)


# --------------------------------------------------------------------------- spec


def test_plugin_is_light() -> None:
    heavy = "('torch', 'timm', 'numpy', 'PIL', 'sklearn')"
    code = f"import hmcbench_hff, sys; print([m for m in {heavy} if m in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_paper_profile_is_the_published_recipe(registry: Registry) -> None:
    params = parameters(registry, "paper")
    published = {
        "backbone": "resnet50", "pretrained": True, "image_size": 224, "depth": 12, "heads": 12, "dim": 768,
        "mlp_dim": 3072, "batch_size": 16, "epochs": 200, "optimizer": "sgd", "learning_rate": 1e-4,
        "momentum": 0.937, "weight_decay": 5e-4, "schedule": "cosine", "augment": "paper", "loss": "focal",
    }  # fmt: skip
    assert {name: params[name] for name in published} == published
    assert params["label_smoothing"] > 0
    assert params["focal_gamma"] > 0
    assert level_weights(params["level_weights"], 2) == [1.0, 2.0]


@pytest.mark.parametrize("name", [*MODELS, "hffnet2d", "hffnet"])
@pytest.mark.parametrize("profile", ["quick", "standard", "paper"])
def test_profiles_resolve_and_are_explained(registry: Registry, name: str, profile: str) -> None:
    spec = registry.get("models", name)
    params = parameters(registry, profile, name)
    assert all(param.help for param in spec.params.values())
    assert create(spec, params).recipe.epochs == params["epochs"]


@pytest.mark.parametrize("profile", ["quick", "standard", "paper"])
def test_the_five_differ_by_their_architecture_alone(registry: Registry, profile: str) -> None:
    all_five = [parameters(registry, profile, name) for name in MODELS]
    for params in all_five:
        shared = {key for key in params if key in all_five[-1]} - {"pretrained"}
        assert {key: params[key] for key in shared} == {key: all_five[-1][key] for key in shared}
    assert all_five[0]["pretrained"] is False  # there are no published weights of HFFVT


@pytest.mark.parametrize("name", MODELS)
def test_recipe_from_scratch(registry: Registry, name: str) -> None:
    spec = registry.get("models", name)
    published = parameters(registry, "paper", name)
    scratch = parameters(registry, "paper", name, recipe="scratch")
    assert scratch["optimizer"] == "adamw"
    assert scratch["warmup_epochs"] > 0
    assert not scratch.get("pretrained")
    kept = ("epochs", "batch_size", "image_size", "schedule", "patience", "augment", "loss")
    assert {key: scratch[key] for key in kept} == {key: published[key] for key in kept}
    assert registry.label("models", spec, scratch, "paper") == f"{name}[recipe=scratch]"
    mine = parameters(registry, "paper", name, recipe="scratch", learning_rate=1e-3)
    assert mine == {**scratch, "learning_rate": 1e-3}
    assert create(spec, mine).recipe.learning_rate == 1e-3


def test_patches_that_do_not_divide_the_image_are_refused(registry: Registry) -> None:
    spec, params = registry.resolve("models", "hffvt", "quick", patch_size=7)
    with pytest.raises(BadInput, match=r"patch_size=7 .* image_size=64.*1, 2, 4, 8, 16, 32, 64"):
        create(spec, params)


def test_heads_that_do_not_divide_the_channels_are_refused(registry: Registry) -> None:
    spec, params = registry.resolve("models", "hffnet-2d", "quick", dim=10, heads=3)
    with pytest.raises(BadInput, match=r"heads=3 .* 2 \* dim = 20.*1, 2, 4, 5, 10, 20"):
        create(spec, params)


def test_missing_weights_name_the_switch(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: Any, **_options: Any) -> Any:
        raise OSError("no route to the weights")

    monkeypatch.setattr("timm.create_model", offline)
    with pytest.raises(BadInput, match=r"test_resnet.*no route.*hffnet-2d\.pretrained=false"):
        fit(registry, pictures(samples=20), pretrained=True)


# --------------------------------------------------------------------------- network of a task


def sizes_of(task: Task, **changes: Any) -> list[int]:
    keywords: dict[str, Any] = {
        "image_size": 32, "in_chans": 1, "pretrained": False, "backbone": "test_resnet",
        "stem_stride": "keep", "dim": 8, "depth": 1, "heads": 2, "mlp_dim": 8,
    }  # fmt: skip
    net = build_over_cnn(task, network=HFFNet2d, owner="hffnet-2d", **{**keywords, **changes}).eval()
    return [level.shape[1] for level in net(torch.zeros(1, keywords["in_chans"], 32, 32))]


def test_classifiers_follow_the_task() -> None:
    assert sizes_of(Task(hierarchy=tiny_hierarchy())) == [2, 5]
    assert sizes_of(Task(hierarchy=tiny_hierarchy("dag"), paths="multiple", depth="ragged")) == [3, 2, 1]
    ragged = Task(hierarchy=tiny_hierarchy("ragged"), depth="ragged")
    assert sizes_of(ragged) == [3, 6, 3]  # one stop output per level


def test_fourteen_levels() -> None:
    chain = [(f"c{i}" if i else "", f"c{i + 1}") for i in range(14)]
    twins = [(f"c{i}" if i else "", f"d{i + 1}") for i in range(14)]
    task = Task(hierarchy=Hierarchy.from_edges(chain + twins), paths="multiple", depth="ragged")
    assert sizes_of(task) == [2] * 14


def test_loss_is_equations_1_to_3(registry: Registry, waves: Any) -> None:
    spec, params = registry.resolve("models", "hffnet-2d", "paper", focal_alpha=0.5)
    recipe = create(spec, params).recipe
    hierarchy = tiny_hierarchy()
    logits = [waves(4, 2), 3 * waves(4, 5)]
    targets = torch.tensor([[0, 0], [1, 4], [1, 2], [0, 1]])
    expected = 0.0
    for weight, level, target in zip((1, 2), logits, targets.T, strict=True):
        for x, t in zip(level.double(), target, strict=True):
            y = x.exp() / x.exp().sum()
            q = torch.full_like(y, recipe.label_smoothing / len(y))
            q[t] += 1 - recipe.label_smoothing
            focus = (1 - y[t]) ** recipe.focal_gamma
            expected += weight * float(-0.5 * focus * (q * y.log()).sum()) / len(targets)
    loss = LevelLoss(Layout(Task(hierarchy=hierarchy), torch.device("cpu")), recipe)
    assert float(loss(logits, targets)) == pytest.approx(expected, rel=1e-5)


# --------------------------------------------------------------------------- fit and predict


def test_learns_what_can_be_seen(registry: Registry) -> None:
    dataset = pictures(samples=75)
    model = fit(registry, dataset, epochs=12, learning_rate=5e-3, patience=0)
    scores = assert_batch_independent(model, dataset, tolerance=1e-5)
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    for level in (1, 2):
        columns = hierarchy.level_classes(level)
        np.testing.assert_allclose(scores.values[:, columns].sum(1), 1, atol=1e-5)
        right = scores.values[:, columns].argmax(1) == np.asarray(dataset.targets)[:, columns].argmax(1)
        assert right.mean() > 0.9
    facts = model.describe()
    assert facts["pretrained"] is False
    assert facts["backbone"] == "test_resnet"
    assert facts["parameters"] == sum(p.numel() for p in model.module.parameters())


@pytest.mark.parametrize("name", ["hffvt", "hffcnn", "hff-cnn-vt", "hff-cnn-conv-vt"])
def test_variants_learn_what_can_be_seen(registry: Registry, name: str) -> None:
    dataset = pictures(samples=75)
    changes: dict[str, Any] = {"dim": 16, "mlp_dim": 32} if name != "hffcnn" else {}
    model = fit(registry, dataset, name, epochs=12, learning_rate=5e-3, patience=0, **changes)
    scores = assert_batch_independent(model, dataset, tolerance=1e-5)
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    columns = hierarchy.level_classes(1)
    right = scores.values[:, columns].argmax(1) == np.asarray(dataset.targets)[:, columns].argmax(1)
    assert right.mean() > 0.9


@pytest.mark.parametrize("name", ["hffvt", "hffcnn", "hff-cnn-vt", "hff-cnn-conv-vt"])
def test_variants_take_several_paths(registry: Registry, name: str) -> None:
    dataset = pictures("dag", samples=40)
    scores: Scores = fit(registry, dataset, name, epochs=1).predict(inputs(dataset))
    assert scores.values.shape == (40, 6)
    assert ((scores.values >= 0) & (scores.values <= 1)).all()


def test_same_seed_same_scores(registry: Registry) -> None:
    dataset = pictures(samples=30)
    first, second = (fit(registry, dataset, epochs=2, augment="light") for _ in range(2))
    assert same_scores(first.predict(inputs(dataset)), second.predict(inputs(dataset)))


@pytest.mark.parametrize("kind", ["ragged", "multiple", "dag"])
def test_ragged_and_multiple_paths(registry: Registry, kind: str) -> None:
    dataset = pictures(kind, samples=40)
    scores: Scores = fit(registry, dataset, epochs=1).predict(inputs(dataset))
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    assert scores.values.shape == (40, hierarchy.n)
    assert np.isfinite(scores.values).all()
    assert ((scores.values >= 0) & (scores.values <= 1)).all()
    if kind == "ragged":
        assert scores.stop is not None
        assert scores.stop.shape == (40, hierarchy.depth)
    else:
        assert scores.stop is None


def test_colour_images(registry: Registry) -> None:
    dataset = pictures(samples=30, channels=3)
    assert fit(registry, dataset, in_chans=3, epochs=1).predict(inputs(dataset)).values.shape == (30, 7)


@pytest.mark.parametrize("name", ["hffvt", "hff-cnn-vt", "hffnet-2d"])
def test_small_images_first_and_a_whitened_first_layer(registry: Registry, name: str) -> None:
    """Position embeddings are interpolated to the maps of smaller images, and learn from them."""
    changes = {"epochs": 1, "first_size": 16, "first_layer": "whitened", "weight_decay": 0.0}
    if name != "hffvt":
        changes["stem_stride"] = "1"  # maps of 2 x 2 positions, then of one
    model = fit(registry, pictures(), name, **changes)
    assert np.isfinite(model.predict(inputs(pictures())).values).all()
    still = fit(registry, pictures(), name, **changes, learning_rate=0.0)
    ((_, after),) = [each for each in model.module.named_parameters() if "position" in each[0]]
    ((_, before),) = [each for each in still.module.named_parameters() if "position" in each[0]]
    assert after.isfinite().all() and not torch.equal(after, before)


def test_a_backbone_of_one_size_takes_no_smaller_images(registry: Registry) -> None:
    with pytest.raises(BadInput, match="first_size=16: the network takes no images of 16 px"):
        fit(registry, pictures(), "hffcnn", backbone="vit_tiny_patch16_224", first_size=16)
