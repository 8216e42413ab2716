"""How a network computes: what is measured, what is kept, and what a later training takes over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hmcbench.files import OtherWork, cache_dir
from hmcbench.interfaces import Dataset, Run
from hmcbench.testing.helpers import fitted, inputs, same_scores, tiny_dataset
from hmcbench.torchkit import computing, device
from hmcbench.torchkit.computing import Computation, TrialSteps, as_before, choose, measure, rivals, usual
from hmcbench.torchkit.heads import HEADS, make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
RECIPE = Recipe(batch_size=16)
NET = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
PLAIN = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
START = Computation("float32", 2, "channels_last", 16)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder without choices, and a processor with bfloat16 units."""
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(computing, "has_bfloat16", lambda _: True)
    monkeypatch.setattr(device, "has_bfloat16", lambda _: True)
    monkeypatch.setattr(OtherWork, "busy_cores", lambda _: 0.0)
    return tmp_path / "computing"


def costs(monkeypatch: pytest.MonkeyPatch, cost: Callable[[Computation], float]) -> list[Computation]:
    """TrialSteps take what ``cost`` says; returns the list of what is timed."""
    timed: list[Computation] = []

    def seconds(self: TrialSteps, computation: Computation, **_: Any) -> float:
        timed.append(computation)
        return cost(computation)

    monkeypatch.setattr(TrialSteps, "seconds", seconds)
    return timed


def chosen(steps: int = 10_000, threads: int = 2, recipe: Recipe = RECIPE, net: nn.Module = NET) -> Any:
    return choose(net, (1, 8, 8), recipe, CPU, threads=threads, steps=steps)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (lambda c: (2.0 if c.precision == "bfloat16" else 1.0) / c.threads, START),
        (
            lambda c: (1.0 if c.precision == "bfloat16" else 2.0) / c.threads,
            replace(START, precision="bfloat16"),
        ),
        (
            lambda c: c.threads + 5.0 * (c.layout == "channels_last") + (c.precision == "bfloat16"),
            replace(START, threads=1, layout="contiguous"),
        ),
        (
            lambda c: (1.05 if c.precision == "bfloat16" else 1.0) / c.threads**0.1,
            replace(START, precision="bfloat16", threads=1),
        ),
    ],
    ids=["float32", "bfloat16", "one thread", "near ties: the usual format, one thread"],
)
def test_the_fastest_is_chosen(
    cost: Callable[[Computation], float], expected: Computation, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs(monkeypatch, cost)
    assert chosen() == expected


def test_a_choice_is_kept_and_not_measured_again(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    costs(monkeypatch, lambda c: 1.0 if c.precision == "float32" else 2.0)
    first = chosen()
    content = json.loads(next(cache.glob("*.json")).read_text())
    assert content["chosen"]["precision"] == "float32" and len(content["images_per_second"]) >= 4
    timed = costs(monkeypatch, lambda c: 1.0 if c.precision == "bfloat16" else 2.0)
    assert chosen() == first and not timed


def test_another_batch_size_or_network_is_measured_for_itself(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    costs(monkeypatch, lambda c: 1.0)
    for recipe, net, threads in ((RECIPE, NET, 2), (Recipe(batch_size=8), NET, 2), (RECIPE, PLAIN, 2)):
        chosen(recipe=recipe, net=net, threads=threads)
    chosen(threads=1)
    assert len(list(cache.glob("*.json"))) == 4


def test_what_is_measured_beside_other_programs_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(OtherWork, "busy_cores", lambda _: 0.9)
    costs(monkeypatch, lambda c: 1.0 if c.precision == "float32" else 2.0)
    assert chosen() == replace(START, threads=1) and not list(cache.glob("*.json"))


def test_a_damaged_file_is_measured_again(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    costs(monkeypatch, lambda c: 1.0)
    chosen()
    (path,) = cache.glob("*.json")
    for text in ("{", "[]", '{"chosen": {"threads": "many"}}'):
        path.write_text(text)
        timed = costs(monkeypatch, lambda c: 1.0)
        assert chosen() == replace(START, precision="bfloat16", threads=1) and timed


def test_short_trainings_and_fixed_formats_are_not_measured(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    timed = costs(monkeypatch, lambda c: 1.0)
    assert chosen(steps=computing.FEWEST_STEPS - 1) == replace(START, precision="bfloat16")
    assert not timed and not cache.exists()
    chosen(recipe=replace(RECIPE, precision="float32"))
    assert {c.precision for c in timed} == {"float32"}


def test_passes_are_tried_only_without_norms_over_a_batch() -> None:
    assert "images_per_pass" not in dict(rivals(NET, START, RECIPE))
    assert dict(rivals(PLAIN, START, RECIPE))["images_per_pass"] == [8, 4]
    assert dict(rivals(NET, replace(START, threads=8), RECIPE))["threads"] == [8, 4, 2]


def test_a_measurement_leaves_no_trace() -> None:
    before = {name: value.clone() for name, value in NET.state_dict().items()}
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    measure(NET, (1, 8, 8), START, RECIPE)
    assert all(torch.equal(before[name], value) for name, value in NET.state_dict().items())
    assert torch.equal(random, torch.get_rng_state()) and torch.get_num_threads() == threads
    assert all(p.grad is None for p in NET.parameters())


def test_an_earlier_fit_is_repeated_but_never_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = {"precision": "float32", "threads": 1, "layout": "contiguous", "parameters": 5}
    assert as_before(earlier, NET, (1, 8, 8), RECIPE, CPU, 2) == Computation("float32", 1, "contiguous", 16)
    assert as_before({}, NET, (1, 8, 8), RECIPE, CPU, 2) == usual(NET, RECIPE, CPU, 2)
    for module in (computing, device):
        monkeypatch.setattr(module, "has_bfloat16", lambda _: False)
    assert as_before({"precision": "bfloat16"}, NET, (1, 8, 8), RECIPE, CPU, 2).precision == "float32"


@pytest.mark.parametrize(
    ("size", "first_size", "precision"), [(64, 0, "bfloat16"), (16, 0, "float32"), (64, 32, "float32")]
)
def test_no_choice_is_a_format_that_cannot_be_relied_on(
    size: int, first_size: int, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither now, nor because an earlier training had it; images of all epochs count."""
    parts = [nn.Conv2d(1, 2, 3, stride=32, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)]
    net, recipe = nn.Sequential(*parts), Recipe(batch_size=16, first_size=first_size)
    costs(monkeypatch, lambda c: 1.0 if c.precision == "bfloat16" else 2.0)
    for steps in (10, 10_000):
        assert choose(net, (1, size, size), recipe, CPU, threads=1, steps=steps).precision == precision
    assert as_before({"precision": "bfloat16"}, net, (1, size, size), recipe, CPU, 1).precision == precision
    assert as_before({}, net, (1, size, size), recipe, CPU, 1).precision == precision


def test_a_training_reports_and_repeats_its_choice(
    images: Callable[..., Dataset], tiny_net: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(computing, "FEWEST_STEPS", 1)
    costs(monkeypatch, lambda c: 1.0 if (c.precision, c.layout) == ("float32", "contiguous") else 2.0)
    dataset, recipe = images("tree", 60), Recipe(epochs=2, batch_size=20)
    model = fitted(TorchModel(tiny_net, recipe), dataset, threads=1)
    facts: Any = model.describe()  # type: ignore[attr-defined]
    assert facts["threads"] == 1 and "images_per_pass" not in facts
    scores = model.predict(inputs(dataset))
    for path in cache_dir("computing").iterdir():
        path.unlink()
    costs(monkeypatch, lambda c: 1.0 if c.precision == "bfloat16" else 2.0)
    again = fitted(TorchModel(tiny_net, recipe), dataset, threads=1, computation=facts)
    assert same_scores(scores, again.predict(inputs(dataset)))
    model.save(tmp_path)  # type: ignore[attr-defined]
    loaded = TorchModel(tiny_net, recipe)
    loaded.load(tmp_path, Run(task=dataset.task, threads=1))
    assert same_scores(scores, loaded.predict(inputs(dataset)))


def test_both_formats_learn(images: Callable[..., Dataset], tiny_net: Any) -> None:
    dataset = images("tree", 60)
    values = {}
    for precision in ("float32", "bfloat16"):
        recipe = Recipe(epochs=2, batch_size=16, precision=precision)
        model = fitted(TorchModel(tiny_net, recipe), dataset)
        assert model.describe()["precision"] == precision  # type: ignore[attr-defined]
        values[precision] = model.predict(inputs(dataset)).values
    assert 0 < abs(values["float32"] - values["bfloat16"]).max() < 0.2


@pytest.mark.parametrize("head", HEADS)
def test_networks_with_every_head_can_be_timed(head: str) -> None:
    net = nn.Sequential(nn.Flatten(), make_head(head, 64, tiny_dataset(4, "multiple").task))
    best, rates = measure(net, (1, 8, 8), replace(START, threads=1), replace(RECIPE, precision="float32"))
    assert best.precision == "float32" and rates
