"""TorchModel: it learns, repeats itself, and scores each image by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.errors import BadInput, PluginError
from hmcbench.interfaces import Dataset, Run, Task
from hmcbench.testing.helpers import assert_batch_independent, fitted, inputs, labelled, same_scores
from hmcbench.torchkit import data
from hmcbench.torchkit.engine import Trainer
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.layout import level_sizes
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch
QUICK = Recipe(epochs=12, batch_size=16, learning_rate=2e-2, augment="none", level_weights="")


def level_accuracy(dataset: Dataset, values: np.ndarray, level: int) -> float:
    assert dataset.task.hierarchy is not None
    columns = dataset.task.hierarchy.level_classes(level)
    truth = np.asarray(dataset.targets)[:, columns].argmax(1)
    return float((values[:, columns].argmax(1) == truth).mean())


@pytest.mark.parametrize("head", ["levels", "leaf"])
def test_it_learns_both_levels(head: str, images: Callable[..., Dataset], tiny_net: Any) -> None:
    model = TorchModel(partial(tiny_net, head=head), QUICK)
    fitted(model, images("tree", 120))
    fresh = images("tree", 60, seed=5)
    values = model.predict(inputs(fresh)).values
    assert level_accuracy(fresh, values, 1) > 0.9 and level_accuracy(fresh, values, 2) > 0.8


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["tree", "ragged", "multiple", "dag"])
def test_scores_are_probabilities_of_each_image_alone(
    kind: str, channels: int, images: Callable[..., Dataset], tiny_net: Any
) -> None:
    dataset = images(kind, 40, channels=channels)
    model = TorchModel(partial(tiny_net, channels=channels), Recipe(epochs=2, batch_size=16, patience=1))
    scores = assert_batch_independent(fitted(model, dataset), dataset, 1e-5)
    assert scores.values.shape == dataset.targets.shape and scores.values.dtype == np.float32
    assert scores.values.min() >= 0 and scores.values.max() <= 1
    assert (scores.stop is not None) == (kind == "ragged")


def test_several_labels_are_learned(images: Callable[..., Dataset], tiny_net: Any) -> None:
    model = TorchModel(tiny_net, Recipe(epochs=25, batch_size=16, learning_rate=2e-2, augment="none"))
    dataset = images("multiple", 120)
    values = fitted(model, dataset).predict(inputs(dataset)).values
    assert ((values > 0.5) == dataset.targets).mean() > 0.9


def test_one_tensor_of_class_logits_is_one_sigmoid_per_class(images: Callable[..., Dataset]) -> None:
    def build(task: Task) -> nn.Module:
        assert task.hierarchy is not None
        return nn.Sequential(nn.Flatten(), nn.Linear(256, task.hierarchy.n))

    dataset = images("tree", 60)
    model = TorchModel(build, Recipe(epochs=15, batch_size=16, learning_rate=1e-2, augment="none"))
    scores = fitted(model, dataset).predict(inputs(dataset))
    assert scores.stop is None
    assert level_accuracy(dataset, scores.values, 2) > 0.8
    x = torch.from_numpy(dataset.views["pixels"][:1].copy()).unsqueeze(1)
    with model._computation.autocast(torch.device("cpu")):
        expected = model.module(model._normaliser(x)).float().sigmoid()
    np.testing.assert_allclose(scores.values[:1], expected.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_bits(
    threads: int, images: Callable[..., Dataset], tiny_net: Any
) -> None:
    dataset = images("tree", 60)
    recipe = Recipe(epochs=3, batch_size=16, augment="paper", clip_norm=1.0)

    def scores(seed: int) -> Any:
        torch.rand(3)  # whatever happened before does not matter
        model = TorchModel(tiny_net, recipe)
        return fitted(model, dataset, seed=seed, threads=threads).predict(inputs(dataset))

    once, again, other = scores(0), scores(0), scores(1)
    assert same_scores(once, again) and not same_scores(once, other)


def test_pixels_from_the_memory_map_train_as_those_in_memory(
    images: Callable[..., Dataset], tiny_net: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = images("tree", 60, channels=3)
    make = partial(tiny_net, channels=3)
    kept = fitted(TorchModel(make, Recipe(epochs=2, batch_size=16)), dataset).predict(inputs(dataset))
    monkeypatch.setattr(data, "KEEP_ON_CPU", 0)
    read = fitted(TorchModel(make, Recipe(epochs=2, batch_size=16)), dataset).predict(inputs(dataset))
    assert same_scores(kept, read)


def test_it_describes_itself(images: Callable[..., Dataset], tiny_net: Any) -> None:
    model = TorchModel(tiny_net, Recipe(epochs=2, batch_size=16), facts={"pretrained": False})
    fitted(model, images("tree", 30))
    facts = model.describe()
    sizes = sum(level_sizes(images("tree", 30).task))
    assert facts["parameters"] == (9 * 8 + 8) + 16 + (9 * 8 * 16 + 16) + 17 * sizes
    assert facts["multiply_adds"] == 8 * 8 * 9 * 8 + 4 * 4 * 9 * 8 * 16 + 16 * sizes
    assert facts["pretrained"] is False and facts["epochs_trained"] == 2 and facts["epoch_used"] == 2


def test_a_module_of_the_wrong_shape_is_a_defect_of_the_plugin(images: Callable[..., Dataset]) -> None:
    model = TorchModel(lambda task: nn.Sequential(nn.Flatten(), nn.Linear(256, 3)), Recipe(epochs=1))
    with pytest.raises(PluginError, match=r"one tensor \(B, 7\)"):
        fitted(model, images("tree", 30))


def test_without_validation_samples_the_last_epoch_is_used(
    images: Callable[..., Dataset], tiny_net: Any
) -> None:
    dataset = images("tree", 30)
    model = TorchModel(tiny_net, Recipe(epochs=2, batch_size=16, patience=1))
    model.fit(labelled(dataset), labelled(dataset, []), Run(task=dataset.task))
    assert model.describe()["epoch_used"] == 2


def test_tiles_are_learnt_from_one_by_one_and_joined(images: Callable[..., Dataset], tiny_net: Any) -> None:
    whole = images("tree")
    pixels = whole.views["pixels"]
    tiles = np.stack([pixels, 255 - pixels], 1)  # two tiles per image
    dataset = dataclasses.replace(whole, views={"pixels": tiles})
    model = fitted(TorchModel(tiny_net, Recipe(epochs=2, batch_size=16)), dataset)
    got = model.predict(inputs(dataset)).values
    assert got.shape == (60, 7)
    parts = [
        model.predict(inputs(dataclasses.replace(whole, views={"pixels": tiles[:, k]}))).values
        for k in (0, 1)
    ]
    np.testing.assert_allclose(got, (parts[0] + parts[1]) / 2, atol=1e-5)


def test_tiles_of_colour_images(images: Callable[..., Dataset], tiny_net: Any) -> None:
    whole = images("multiple", channels=3)
    tiles = np.repeat(whole.views["pixels"][:, None], 4, 1)
    dataset = dataclasses.replace(whole, views={"pixels": tiles})
    model = fitted(TorchModel(partial(tiny_net, channels=3), Recipe(epochs=1, batch_size=32)), dataset)
    assert model.predict(inputs(dataset)).values.shape == (60, 7)


def test_a_second_fit_trains_the_epochs_that_the_first_kept(
    images: Callable[..., Dataset], tiny_net: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On all samples, at the learning rates of the first fit, and without validation."""
    dataset, rates, rows = images("tree", 60), [], []
    recipe = dataclasses.replace(QUICK, epochs=8, patience=8)

    def report(step: int, total: int, **row: float) -> None:
        rates.append(row["learning_rate"])
        rows.append((step, total, sorted(row)))

    model = TorchModel(tiny_net, recipe)
    run = Run(dataset.task, refit=True, report=report)
    train, valid = labelled(dataset, range(40)), labelled(dataset, range(40, 60))
    merits = iter([0.1, 0.2, 0.9, *[0.3] * 5])  # epoch 3 is the best
    monkeypatch.setattr(
        "hmcbench.torchkit.engine.Trainer._validate",
        lambda trainer: (
            {"valid_loss": 1.0, **{f"level{k}_accuracy": next(merits) if k == 1 else 0.0 for k in (1, 2)}}
            if len(trainer.valid)
            else {}
        ),
    )
    model.fit(train, valid, run)
    facts, first = dict(model.describe()), model.predict(inputs(dataset))
    first_rates = rates[:3]
    rates.clear()
    rows.clear()
    model.refit(labelled(dataset), run)
    assert facts["epoch_used"] == 3 and len(rates) == 3 and model.describe() == facts
    assert all(total == 3 and "valid_loss" not in names for _, total, names in rows)
    np.testing.assert_allclose(rates, first_rates, rtol=0.25)  # there are more steps in an epoch
    again = model.predict(inputs(dataset))
    assert not same_scores(first, again)
    model.refit(labelled(dataset), run)
    assert same_scores(again, model.predict(inputs(dataset)))


def test_a_kept_model_predicts_in_float32_where_its_format_cannot_be_relied_on(
    images: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As trained on a GPU, or with smaller images first: it was refused, and nothing of it can be changed."""

    def build(task: Task) -> nn.Module:
        parts = [nn.Conv2d(1, 4, 3, stride=16, padding=1), nn.Flatten(), make_head("levels", 4, task)]
        return nn.Sequential(*parts)

    dataset = images("tree")
    recipe = Recipe(epochs=1, batch_size=20, precision="bfloat16")

    def units(there: bool) -> None:
        for name in ("computing", "device"):
            monkeypatch.setattr(f"hmcbench.torchkit.{name}.has_bfloat16", lambda _: there)

    units(False)
    fitted(TorchModel(build, recipe), dataset).save(tmp_path)  # type: ignore[attr-defined]
    units(True)
    model = TorchModel(build, recipe)
    model.load(tmp_path, Run(dataset.task))
    assert model._computation.precision == "float32"
    assert np.isfinite(model.predict(inputs(dataset)).values).all()
    with pytest.raises(BadInput, match="precision=bfloat16 with images of"):  # a training is refused
        fitted(TorchModel(build, recipe), dataset)


def test_the_time_before_a_checkpoint_is_that_of_both_fits(
    images: Callable[..., Dataset], tiny_net: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Trainer._resume

    def resume(trainer: Trainer) -> int:
        trainer.earlier_s = 10.0
        return resumed(trainer)

    monkeypatch.setattr(Trainer, "_resume", resume)
    dataset, model = images("tree"), TorchModel(tiny_net, Recipe(epochs=1, batch_size=20))
    run = Run(dataset.task, refit=True)
    model.fit(labelled(dataset, range(40)), labelled(dataset, []), run)
    assert model.describe()["earlier_fit_s"] == 10.0
    model.refit(labelled(dataset), run)
    assert model.describe()["earlier_fit_s"] == 20.0
    model.fit(labelled(dataset, range(40)), labelled(dataset, []), run)
    assert model.describe()["earlier_fit_s"] == 10.0


class Crowded(nn.Module):
    """A network for which more than ``room`` images outside training are too many; ``failed``: how many."""

    def __init__(self, net: nn.Module, room: int) -> None:
        super().__init__()
        self.net, self.room, self.failed = net, room, list[int]()

    def forward(self, x: torch.Tensor) -> Any:
        if not self.training and len(x) > self.room:
            self.failed.append(len(x))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.net(x)


@pytest.mark.parametrize("kind", ["ragged", "multiple"])
def test_validation_and_prediction_take_as_many_images_as_fit(
    kind: str, images: Callable[..., Dataset], tiny_net: Any
) -> None:
    dataset, recipe = images(kind, 60), Recipe(epochs=3, batch_size=16, orientations=2, precision="float32")

    def trained(room: int) -> tuple[Any, list[dict[str, float]]]:
        rows: list[dict[str, float]] = []
        model = TorchModel(lambda task: Crowded(tiny_net(task), room), recipe)
        fitted(model, dataset, report=lambda *_, **values: rows.append(values))
        return model, rows

    (wide, wide_rows), (narrow, narrow_rows) = trained(1000), trained(6)
    for wide_row, row in zip(wide_rows, narrow_rows, strict=True):
        for name in ("valid_loss", "level1_accuracy", "level2_accuracy"):
            assert row[name] == pytest.approx(wide_row[name], abs=1e-5)
    assert narrow.module.failed == [20, 10], "the next epochs begin with what fitted"
    for _ in range(2):
        wide_scores, scores = wide.predict(inputs(dataset)), narrow.predict(inputs(dataset))
        np.testing.assert_allclose(scores.values, wide_scores.values, atol=1e-6)
        assert narrow.module.failed == [20, 10, 60, 30, 15, 7]
    assert wide.module.failed == []
