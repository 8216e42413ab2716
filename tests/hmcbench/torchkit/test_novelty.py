"""Novelty: energy by hand, distances by sorting, and a network that is kept and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from hmcbench.errors import BadInput, NotApplicable  # noqa: E402
from hmcbench.interfaces import Run  # noqa: E402
from hmcbench.testing.helpers import assert_batch_independent, inputs, labelled, tiny_dataset  # noqa: E402
from hmcbench.torchkit import novelty, weights  # noqa: E402
from hmcbench.torchkit.architectures import check_novelty  # noqa: E402
from hmcbench.torchkit.heads import make_head  # noqa: E402
from hmcbench.torchkit.layout import Layout  # noqa: E402
from hmcbench.torchkit.model import TorchModel  # noqa: E402
from hmcbench.torchkit.recipes import Recipe  # noqa: E402

pytestmark = pytest.mark.torch


class Net(nn.Module):
    """Grey levels of 6 x 6 in one hidden layer, and logits per level."""

    def __init__(self, sizes: Any) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.ReLU())
        self.heads = nn.ModuleList([nn.Linear(5, n) for n in sizes])

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        features = self.body(images)
        return [head(features) for head in self.heads]


def dataset(kind: Any = "tree") -> Any:
    tiny = tiny_dataset(24, kind)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 6, 6), dtype=np.uint8)
    return replace(tiny, views={"pixels": pixels})


def fitted(kind: str, of: Any) -> TorchModel:
    from hmcbench.torchkit.layout import level_sizes

    recipe = Recipe(epochs=1, batch_size=8, augment="none", precision="float32", novelty=kind)
    model = TorchModel(lambda task: Net(level_sizes(task)), recipe)
    rows = range(16), range(16, 24)
    model.fit(*(labelled(of, part) for part in rows), Run(of.task))
    return model


def test_energy_is_that_of_the_deepest_level() -> None:
    layout = Layout(tiny_dataset(4).task, torch.device("cpu"))
    logits = [torch.randn(3, n) for n in layout.sizes]
    expected = [-np.log(np.exp(row).sum()) for row in logits[-1].double().numpy()]
    assert np.allclose(novelty.energy(logits, layout).numpy(), expected, atol=1e-6)


def test_energy_of_several_paths_sums_over_classes() -> None:
    layout = Layout(tiny_dataset(4, "multiple").task, torch.device("cpu"))
    logits = torch.randn(3, layout.n)
    expected = -np.log1p(np.exp(logits.double().numpy())).sum(axis=1)
    assert np.allclose(novelty.energy(logits, layout).numpy(), expected, atol=1e-5)
    levels = [logits[:, columns] for columns in layout.columns]
    assert np.allclose(novelty.energy(levels, layout).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("known", [3, 10, 40])
def test_distance_is_that_of_the_tenth_neighbour(known: int) -> None:
    rng = np.random.default_rng(0)
    features, others = rng.normal(size=(4, 6)), rng.normal(size=(known, 6))
    apart = np.sort(np.linalg.norm(features[:, None] - others, axis=2), axis=1)
    result = novelty.distance(torch.from_numpy(features), torch.from_numpy(others))
    assert np.allclose(result.numpy(), apart[:, min(9, known - 1)])


def test_features_are_the_inputs_of_the_last_linear_layer() -> None:
    net, images = Net([2, 4]), torch.randn(3, 1, 6, 6)
    with novelty.Measure("neighbours", net) as measure, torch.inference_mode():
        net(images)
        expected = nn.functional.normalize(net.body(images), dim=1)
        assert torch.equal(measure.features, expected)
        kept = measure.features
    with torch.inference_mode():
        net(images[:1])
    assert measure.features is kept, "nothing is kept outside of the context"


def test_a_network_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(BadInput, match="novelty=energy"):
        novelty.Measure("neighbours", nn.Conv2d(1, 1, 1))
    novelty.Measure("energy", nn.Conv2d(1, 1, 1))


@pytest.mark.parametrize("kind", ["none", "energy", "neighbours"])
def test_a_kept_network_gives_the_same_novelty(kind: str, tmp_path: Path) -> None:
    of = dataset()
    model = fitted(kind, of)
    scores = assert_batch_independent(model, of, 1e-5)
    if kind == "none":
        assert scores.novelty is None
        return
    assert scores.novelty is not None and scores.novelty.shape == (24,)
    assert len(np.unique(scores.novelty)) > 12
    model.save(tmp_path)
    again = TorchModel(model.build, model.recipe)
    again.load(tmp_path, Run(of.task))
    assert np.array_equal(again.predict(inputs(of)).novelty, scores.novelty)


def test_kept_features_of_another_width_are_refused(tmp_path: Path) -> None:
    """As of a network that named other layers in an earlier release."""
    of = dataset()
    model = fitted("neighbours", of)
    model.save(tmp_path)
    kept = weights.read_state(tmp_path / weights.FEATURES)["features"]
    weights.save_tensors({"features": kept[:, :3].contiguous()}, tmp_path / weights.FEATURES)
    model.load(tmp_path, Run(of.task))
    with pytest.raises(BadInput, match=r"have 3 values, those of the network 5.*run the cell again"):
        model.predict(inputs(of))


def test_training_images_are_their_own_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novelty, "K", 1)
    unlike = fitted("neighbours", dataset()).predict(inputs(dataset())).novelty
    assert unlike is not None and unlike[:16].max() < 1e-6 < 0.05 < unlike[16:].mean()


def test_numbers_have_no_novelty() -> None:
    with pytest.raises(NotApplicable, match="classes"):
        fitted("energy", dataset("regression"))


@pytest.mark.parametrize("head", ["leaf", "conditional"])
def test_probabilities_have_no_energy(head: str) -> None:
    """Their logarithms sum to the same in every image; of several paths they are logits."""
    for kind in ("tree", "multiple"):
        task = tiny_dataset(4, kind).task
        module = make_head(head, 5, task)
        outputs = novelty.energy(module(torch.randn(8, 5)), Layout(task, torch.device("cpu")))
        constant = bool(outputs.std() < 1e-5)
        assert constant == (kind == "tree")
        if not constant:
            novelty.check("energy", module)
            check_novelty(task=task, head=head, novelty="energy")
            continue
        with pytest.raises(BadInput, match="novelty=neighbours"):
            novelty.check("energy", nn.Sequential(module))
        with pytest.raises(BadInput, match=f"head={head}"):
            check_novelty(task=task, head=head, novelty="energy")
        for allowed in ({"head": "levels", "novelty": "energy"}, {"head": head, "novelty": "neighbours"}):
            check_novelty(task=task, **allowed)


def test_energy_of_probabilities_is_refused_before_a_training() -> None:
    def build(task: Any) -> nn.Module:
        return nn.Sequential(nn.Flatten(), make_head("leaf", 36, task))

    of = dataset()
    model = TorchModel(build, Recipe(epochs=1, novelty="energy"))
    with pytest.raises(BadInput, match="says nothing"):
        model.fit(labelled(of, range(16)), labelled(of, range(16, 24)), Run(of.task))


def test_a_network_may_name_several_layers_of_features() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 2), nn.Linear(4, 2)

        def feature_layers(self) -> list[nn.Module]:
            return [self.first, self.second]

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.first(a) + self.second(b)

    net, a, b = Both(), 100 * torch.randn(5, 3), torch.randn(5, 4)
    with novelty.Measure("neighbours", net) as measure:
        net(a, b)
    both = torch.cat([nn.functional.normalize(part, dim=1) for part in (a, b)], dim=1)
    torch.testing.assert_close(measure.features, both / 2**0.5)
