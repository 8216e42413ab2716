"""The training loop: history, early stopping, NaN, rare classes, running means, going on after a kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.interfaces import Dataset, Run, Scores
from hmcbench.testing.helpers import fitted, inputs, labelled, same_scores
from hmcbench.torchkit import checkpoint
from hmcbench.torchkit.engine import Ema, Trainer, improving_at_end
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch
RECIPE = Recipe(epochs=6, batch_size=16, augment="light")


class Killed(BaseException):
    """Stands for the end of the process."""


class History:
    """A ``report`` that keeps the rows, and may die after one of them."""

    def __init__(self, die_after: int = 0) -> None:
        self.rows: list[dict[str, float]] = []
        self.die_after = die_after

    def __call__(self, step: int, total: int, **values: float) -> None:
        self.rows.append({"done": step, "total": total, **values})
        if step == self.die_after:
            raise Killed


def train(
    build: Any, dataset: Dataset, recipe: Recipe, folder: Path | None = None, history: History | None = None
) -> tuple[TorchModel, Scores]:
    model = TorchModel(build, recipe)
    fitted(model, dataset, seed=3, folder=str(folder or ""), report=history or History())
    return model, model.predict(inputs(dataset))


def test_history_has_a_row_per_epoch(images: Callable[..., Dataset], tiny_net: Any) -> None:
    history = History()
    train(tiny_net, images("tree"), RECIPE, history=history)
    assert [row["done"] for row in history.rows] == [1, 2, 3, 4, 5, 6]
    assert list(history.rows[0]) == [
        *("done", "total", "train_loss", "train_level1_accuracy", "train_level2_accuracy"),
        *("learning_rate", "images_per_second", "valid_loss", "level1_accuracy", "level2_accuracy"),
        "seconds_left",
    ]
    assert all(np.isfinite(list(row.values())).all() for row in history.rows)
    assert all(0 <= row["level2_accuracy"] <= 1 and row["learning_rate"] > 0 for row in history.rows)
    assert history.rows[-1]["train_level1_accuracy"] > 0.5
    left = [row["seconds_left"] for row in history.rows]
    assert left[-1] == 0 and min(left[:-1]) > 0


def test_no_step_is_of_a_single_image(images: Callable[..., Dataset]) -> None:
    """Of an odd number in steps of two, the last three are one step: norms of one image have no variance."""
    sizes: list[int] = []

    class Normed(nn.Module):
        def __init__(self, task: Any) -> None:
            super().__init__()
            self.norm, self.head = nn.BatchNorm1d(256), make_head("levels", 256, task)

        def forward(self, x: torch.Tensor) -> Any:
            if self.training:
                sizes.append(len(x))
            return self.head(self.norm(x.flatten(1)))

    dataset, model = images("tree"), TorchModel(Normed, Recipe(epochs=1, batch_size=2, precision="float32"))
    model.fit(labelled(dataset, range(9)), labelled(dataset, []), Run(dataset.task))
    assert sorted(sizes) == [2, 2, 2, 3]


@pytest.mark.parametrize("patience", [0, 4])
def test_a_killed_training_ends_as_an_unbroken_one(
    patience: int,
    images: Callable[..., Dataset],
    tiny_net: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE", 1.0)
    dataset, recipe = images("tree"), Recipe(**{**vars(RECIPE), "patience": patience})
    whole, resumed = History(), History()
    _, expected = train(tiny_net, dataset, recipe, history=whole)
    with pytest.raises(Killed):  # before the checkpoint of epoch 4 was written
        train(tiny_net, dataset, recipe, tmp_path, History(die_after=4))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert len(state["history"]) == 3 and state["seconds"] > 0
    model, got = train(tiny_net, dataset, recipe, tmp_path, resumed)
    assert same_scores(expected, got)
    assert model.describe()["earlier_fit_s"] == pytest.approx(state["seconds"], abs=1e-6)
    clocks = {"images_per_second", "seconds_left"}
    timeless = [{k: v for k, v in row.items() if k not in clocks} for row in whole.rows]
    assert timeless == [{k: v for k, v in row.items() if k not in clocks} for row in resumed.rows]


@pytest.mark.parametrize("damage", ["torn", "foreign", "other recipe"])
def test_a_checkpoint_that_does_not_fit_is_not_taken_up(
    damage: str, images: Callable[..., Dataset], tiny_net: Any, tmp_path: Path
) -> None:
    dataset = images("tree")
    _, expected = train(tiny_net, dataset, RECIPE)
    other = Recipe(**{**vars(RECIPE), "learning_rate": 0.5}) if damage == "other recipe" else RECIPE
    train(tiny_net, dataset, other, tmp_path)
    path = tmp_path / "checkpoint.pt"
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "foreign":
        torch.save([1, 2], path)
    history = History()
    _, got = train(tiny_net, dataset, RECIPE, tmp_path, history)
    assert same_scores(expected, got) and len(history.rows) == RECIPE.epochs


def test_early_stopping_keeps_the_best_epoch(images: Callable[..., Dataset], tiny_net: Any) -> None:
    history = History()
    recipe = Recipe(epochs=40, batch_size=16, learning_rate=5e-2, schedule="constant", patience=3)
    model, scores = train(tiny_net, images("tree"), recipe, history=history)
    merit = [(r["level1_accuracy"] + r["level2_accuracy"], -r["valid_loss"]) for r in history.rows]
    best = max(range(len(merit)), key=lambda i: merit[i]) + 1
    facts = model.describe()
    assert facts["epoch_used"] == best
    assert facts["epochs_trained"] == len(history.rows) == min(40, best + 3)
    dataset = images("tree")
    assert dataset.task.hierarchy is not None
    columns = dataset.task.hierarchy.level_classes(2)
    right = scores.values[40:, columns].argmax(1) == np.asarray(dataset.targets)[40:, columns].argmax(1)
    assert right.mean() == pytest.approx(history.rows[best - 1]["level2_accuracy"])


@pytest.mark.parametrize(
    ("accuracies", "epochs", "expected"),
    [
        ([0.2, 0.4, 0.5, 0.6], 4, True),
        ([0.2, 0.4, 0.6, 0.61], 4, False),  # a gain within GAIN
        ([0.2, 0.6, 0.4, 0.5], 4, False),
        ([0.2, 0.4, 0.5, 0.6], 9, False),  # patience ended it
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.6], 8, True),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.6, 0.6], 8, False),
        ([0.6], 1, False),
    ],
)
def test_a_training_that_ended_while_validation_gained(
    accuracies: list[float], epochs: int, expected: bool
) -> None:
    rows = [{"valid_loss": 1 - a, "level1_accuracy": a, "level2_accuracy": a} for a in accuracies]
    assert improving_at_end(rows, epochs, single=True) is expected
    losses = [{"valid_loss": 1 - a, "level1_accuracy": 0.0} for a in accuracies]
    assert improving_at_end(losses, epochs, single=False) is (expected or accuracies[-1] == 0.61)
    assert not improving_at_end([{"train_loss": 1.0}] * epochs, epochs, single=True)


def test_several_labels_are_judged_by_the_loss(images: Callable[..., Dataset], tiny_net: Any) -> None:
    history = History()
    model, _ = train(
        tiny_net, images("multiple"), Recipe(epochs=5, batch_size=16, patience=9), history=history
    )
    losses = [row["valid_loss"] for row in history.rows]
    assert model.describe()["epoch_used"] == losses.index(min(losses)) + 1


def test_a_loss_that_is_not_finite_stops_the_training(images: Callable[..., Dataset], tiny_net: Any) -> None:
    with pytest.raises(FloatingPointError, match=r"loss is .* in epoch \d \(highest learning rate 1e\+30\)"):
        train(tiny_net, images("tree"), Recipe(epochs=3, batch_size=16, optimizer="sgd", learning_rate=1e30))


@pytest.mark.parametrize("batch_size", [13, 39, 64])
def test_every_sample_is_seen_once_in_batches_of_nearly_one_size(
    batch_size: int, images: Callable[..., Dataset], tiny_net: Any
) -> None:
    sizes: list[int] = []

    def build(task: Any) -> nn.Module:
        net: nn.Module = tiny_net(task)
        net.register_forward_hook(
            lambda module, args, out: sizes.append(len(args[0])) if module.training else None
        )
        return net

    train(build, images("tree"), Recipe(epochs=1, batch_size=batch_size))
    assert sum(sizes) == 40 and max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("share", "samples"), [(0.5, 20), (0.26, 10), (0.01, 2), (1.0, 40)])
@pytest.mark.parametrize("balance", ["none", "sampling"])
def test_an_epoch_may_have_a_share_of_the_samples_others_in_each(
    share: float, samples: int, balance: str, images: Callable[..., Dataset], tiny_net: Any
) -> None:
    recipe = Recipe(epochs=1, batch_size=8, epoch_share=share, balance=balance)
    model = TorchModel(tiny_net, recipe)
    trainers: list[Trainer] = []
    begin = Trainer.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "fit", lambda self: (trainers.append(self), begin(self))[1])
        fitted(model, images("tree"), seed=3)
    (trainer,) = trainers
    first, again, second = (trainer._order(seed) for seed in (1, 1, 2))
    assert len(first) == samples and torch.equal(first, again) and not torch.equal(first, second)
    assert balance == "sampling" or len(first.unique()) == (samples if samples > 2 else 1)
    assert trainer.steps == -(-max(1, round(40 * share)) // 8)


def test_balance_lifts_a_rare_class(images: Callable[..., Dataset], tiny_net: Any) -> None:
    dataset = images("tree", 400)
    targets = np.asarray(dataset.targets)
    rare = np.flatnonzero(targets[:, dataset.task.hierarchy.level_classes(2)[0]])  # type: ignore[union-attr]
    train = np.setdiff1d(np.arange(400), rare[4:])
    share = {}
    for balance in ("none", "sampling", "weights"):
        model = TorchModel(tiny_net, Recipe(epochs=4, batch_size=32, balance=balance))
        model.fit(labelled(dataset, train), labelled(dataset, rare[:4]), Run(dataset.task, seed=3))
        share[balance] = (
            model.predict(inputs(dataset)).values[:, dataset.task.hierarchy.level_classes(2)[0]].mean()
        )  # type: ignore[union-attr]
    assert share["sampling"] > 1.3 * share["none"] and share["weights"] > 1.3 * share["none"]


def test_ema_is_the_running_mean_of_the_weights() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema, expected = Ema(net, 0.5), net[0].weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            net[0].weight.add_(1.0)
            net[1].running_mean.add_(1.0)
        ema.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
    torch.testing.assert_close(ema.module[0].weight, expected)
    torch.testing.assert_close(ema.module[1].running_mean, net[1].running_mean)
    assert not ema.module.training and not ema.module[0].weight.requires_grad


def test_ema_weights_are_what_is_judged_and_used(images: Callable[..., Dataset], tiny_net: Any) -> None:
    plain, _ = train(tiny_net, images("tree"), Recipe(epochs=3, batch_size=16))
    mean, _ = train(tiny_net, images("tree"), Recipe(epochs=3, batch_size=16, ema=0.9))
    first, second = (next(iter(m.module.parameters())) for m in (plain, mean))
    assert not torch.equal(first, second) and second.requires_grad
