"""Category expansion of the family: a network that knows some classes learns the others faster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
import torch

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Run, Task, WarmStart
from hmcbench.registry.registry import create, default_registry
from hmcbench.testing.helpers import inputs, labelled, tiny_hierarchy
from hmcbench.torchkit import device
from hmcbench.torchkit.expansion import expand, take_body

pytestmark = pytest.mark.torch

MODELS = ("hffvt", "hffcnn", "hff-cnn-vt", "hff-cnn-conv-vt", "hffnet-2d")
SMALL: dict[str, Any] = {
    "backbone": "test_resnet", "image_size": 32, "dim": 16, "depth": 1, "heads": 2, "mlp_dim": 32,
    "batch_size": 16, "augment": "none", "learning_rate": 5e-3, "patience": 0, "stem_stride": "keep",
}  # fmt: skip
OLD, NEW = ["a1", "a2", "b1", "b2"], "b3"


def pictures(samples: int, leaves: list[str]) -> Dataset:
    """Every class draws a bright bar at a place of its own, as deep as it stands, on a noisy ground."""
    whole = tiny_hierarchy()
    hierarchy = Hierarchy.from_edges([(p, c) for p, c in whole.edges if c in "ab" or c in leaves])
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 120, (samples, 32, 32), dtype=np.uint8)
    labels = [leaves[i % len(leaves)] for i in range(samples)]
    for row, leaf in enumerate(labels):
        for name in (leaf, leaf[0]):
            place = 4 * whole.index(name)
            pixels[row, place : place + 4, 4:28] = 250
    ids = [f"{leaf}-{i}" for i, leaf in enumerate(labels)]
    targets = hierarchy.encode([[leaf] for leaf in labels]).toarray()
    return Dataset(
        ids=ids, views={"pixels": pixels}, targets=targets, task=Task(hierarchy=hierarchy), fingerprint="0"
    )


def trained(name: str, dataset: Dataset, epochs: int, init_from: WarmStart | None = None) -> Any:
    spec = default_registry().get("models", name)
    sizes = {key: value for key, value in SMALL.items() if key in spec.params}
    spec, params = default_registry().resolve("models", name, "quick", epochs=epochs, **sizes)
    model = create(spec, params)
    rows = range(len(dataset.ids))
    model.fit(labelled(dataset, rows), labelled(dataset, []), Run(dataset.task, seed=1, init_from=init_from))
    return model


def kept(model: Any, dataset: Dataset, folder: Path) -> WarmStart:
    folder.mkdir()
    model.save(folder)
    return WarmStart(folder, dataset.task)


def hits(model: Any, dataset: Dataset) -> tuple[float, float]:
    """Share of right leaves among the samples of old classes and of the new one."""
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    columns = hierarchy.level_classes(2)
    scores = model.predict(inputs(dataset)).values[:, columns]
    right = scores.argmax(1) == np.asarray(dataset.targets)[:, columns].argmax(1)
    new = np.array([name.startswith(NEW) for name in dataset.ids])
    return float(right[~new].mean()), float(right[new].mean())


@pytest.mark.parametrize("name", ["hffvt", "hffcnn"])
def test_another_taxonomy_starts_from_all_but_the_heads(name: str) -> None:
    model = trained(name, pictures(16, OLD), 1)
    state = model.module.state_dict()
    module = model.build(Task(hierarchy=Hierarchy.from_paths([["p", "q"], ["p", "r"]])))
    taken = take_body(module, state)
    assert taken == ("all but encoder.transformer.norm, fusion" if name == "hffvt" else "backbone.network")
    heads, _ = module.parts()
    new = {id(tensor) for head in heads for tensor in head.state_dict(keep_vars=True).values()}
    for key, tensor in module.state_dict(keep_vars=True).items():
        assert id(tensor) in new or torch.equal(tensor, state[key]), key


@pytest.mark.parametrize("name", MODELS)
def test_old_classes_keep_their_predictions(name: str, tmp_path: Path) -> None:
    small, large = pictures(32, OLD), pictures(40, [*OLD, NEW])
    before = trained(name, small, 1)
    start = kept(before, small, tmp_path / "r")
    after = trained(name, large, 1, start)  # to build it; its training is undone by starting again
    expand(after.module, before.module.state_dict(), small.task, large.task)
    after.module.eval()
    was, now = before.predict(inputs(small)).values, after.predict(inputs(small)).values
    assert small.task.hierarchy is not None and large.task.hierarchy is not None
    kept_columns = [large.task.hierarchy.index(name) for name in small.task.hierarchy.classes]
    leaves = slice(2, None)
    share = now[:, kept_columns][:, leaves]
    np.testing.assert_allclose(now[:, :2], was[:, :2], atol=1e-5)  # level 1 is as it was
    np.testing.assert_allclose(share / share.sum(1, keepdims=True), was[:, leaves], atol=1e-5)
    columns = large.task.hierarchy.level_classes(2)
    assert not (columns[now[:, columns].argmax(1)] == large.task.hierarchy.index(NEW)).any()


Hits = tuple[float, float]


@pytest.fixture
def grown_and_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Hits]]:
    """Hits of a network that knew four of the five classes, and of a new one: means over trainings of one,
    two and three epochs, as one of them may be all that a network needs on some machine, and too little
    on another. In float32, which all machines have."""
    monkeypatch.setattr(device, "has_bfloat16", lambda _: False)
    torch.set_num_threads(1)

    def both(name: str) -> list[Hits]:
        small, large = pictures(80, OLD), pictures(100, [*OLD, NEW])
        start = kept(trained(name, small, 10), small, tmp_path / "r")
        results = [
            [hits(trained(name, large, epochs, source), large) for epochs in (1, 2, 3)]
            for source in (start, None)
        ]
        return [(mean(old for old, _ in runs), mean(new for _, new in runs)) for runs in results]

    return both


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hffcnn", "hffnet-2d"])
def test_all_classes_together_are_learnt_faster_than_from_nothing(
    name: str, grown_and_afresh: Callable[[str], list[Hits]]
) -> None:
    grown, afresh = ((4 * old + new) / 5 for old, new in grown_and_afresh(name))
    assert grown > afresh


@pytest.mark.slow
def test_a_new_class_is_found_sooner_than_from_nothing(
    grown_and_afresh: Callable[[str], list[Hits]],
) -> None:
    """Of HFFNet-2d this cannot be said on these pictures."""
    grown, afresh = grown_and_afresh("hffcnn")
    assert grown[1] > afresh[1] + 0.1
