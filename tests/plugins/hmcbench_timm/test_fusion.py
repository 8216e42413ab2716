"""Fusion: what a missing view changes, late and gated, modality dropout, training and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hmcbench_timm.fusion import Fusion, TableEncoder, create
from torch import nn

from hmcbench.interfaces import ColumnKind, Dataset, Run
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import assert_batch_independent, fitted, inputs, same_scores, tiny_dataset
from hmcbench.torchkit import novelty
from hmcbench.torchkit.augment import Augmenter
from hmcbench.torchkit.data import Normaliser
from hmcbench.torchkit.engine import Trainer

pytestmark = pytest.mark.torch
KINDS = (ColumnKind(missing=True), ColumnKind(("x", "y", "z"), missing=True))
NAN = float("nan")


def module(how: str = "late", use: str = "both", dropout: float = 0.0) -> Fusion:
    torch.manual_seed(0)
    task = tiny_dataset(4).task
    body = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    return Fusion(body, 5, task, [0, 3], how=how, use=use, width=6, modality_dropout=dropout).eval()


def two_views(kind: Any = "tree", samples: int = 60) -> Dataset:
    """Noise as images; a table that tells the first class, or the first target."""
    dataset = tiny_dataset(samples, kind)
    rng = np.random.default_rng(0)
    value = np.asarray(dataset.targets)[:, 0] * 3.0 + rng.normal(size=samples)
    table = np.column_stack([value, rng.integers(0, 3, samples)]).astype(float)
    table[::7] = NAN
    pixels = rng.integers(0, 256, (samples, 16, 16), dtype=np.uint8)
    return replace(dataset, views={"pixels": pixels, "table": table}, kinds={"table": KINDS})


def model(**params: Any) -> Any:
    spec = default_registry().get("models", "fusion")
    values = {name: param.default for name, param in spec.params.items()}
    small = {"architecture": "lcnet_035", "image_size": 16, "epochs": 2, "batch_size": 16}
    return create(**{**values, **small, **params})


@pytest.mark.parametrize("use", ["both", "image", "table"])
@pytest.mark.parametrize("how", ["late", "gated"])
def test_what_learns_is_what_has_an_effect(how: str, use: str) -> None:
    """Parameters that are never used were counted as those of the network."""
    net = module(how, use)
    images, rows = torch.randn(3, 1, 4, 4), torch.tensor([[1.0, 2], [0.5, 0], [2, 1]])
    torch.stack([level.square().sum() for level in net(images, rows)]).sum().backward()
    with_effect = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    # a unit that is 0 for these rows has no gradient: whole parts count
    parts = {name.partition(".")[0] for name in with_effect}
    assert parts == {name.partition(".")[0] for name, p in net.named_parameters() if p.requires_grad}
    assert with_effect <= {name for name, p in net.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("how", ["late", "gated"])
def test_a_missing_view_has_no_influence(how: str) -> None:
    net = module(how)
    images, rows = torch.randn(3, 1, 4, 4), torch.tensor([[1.0, 2], [0.5, 0], [2, 1]])
    empty = torch.full_like(rows, NAN)
    alone = net(images, empty)
    for level, other in zip(alone, net(images), strict=True):
        torch.testing.assert_close(level, other)
    changed = net(images * 2 + torch.randn_like(images), rows)
    grey = [net(torch.full_like(images, value), rows) for value in (0.0, 3.0)]
    for a, b, c in zip(*grey, changed, strict=True):
        torch.testing.assert_close(a, b)
        assert not torch.allclose(a, c)
    for name, kept in (("image", alone), ("table", grey[0])):
        for a, b in zip(module(how, use=name)(images, rows), kept, strict=True):
            torch.testing.assert_close(a, b)


def test_late_fusion_is_the_mean_of_two_heads() -> None:
    net, images = module(), torch.randn(2, 1, 4, 4)
    rows = torch.tensor([[1.0, 2], [0.5, 0]])
    parts = [net(images), net(torch.zeros_like(images), rows)]
    for level, a, b in zip(net(images, rows), *parts, strict=True):
        torch.testing.assert_close(level, (a + b) / 2)


@pytest.mark.parametrize("how", ["late", "gated"])
@pytest.mark.parametrize("use", ["both", "image", "table"])
def test_novelty_reads_the_features_of_what_is_used(how: str, use: str) -> None:
    """With a head for each encoder the features of both count."""
    net = module(how, use)
    images, rows = torch.randn(3, 1, 4, 4), torch.tensor([[1.0, 2], [0.5, 0], [2, 1]])
    seen = []
    for pair in ((images, rows), (images.flip(3), rows), (images, rows.flip(0))):
        with novelty.Measure("neighbours", net) as measure, torch.inference_mode():
            net(*pair)
        seen.append(measure.features)
    assert torch.equal(seen[0], seen[1]) == (use == "table")
    assert torch.equal(seen[0], seen[2]) == (use == "image")


def test_modality_dropout_hides_one_of_two_and_never_both() -> None:
    net = module(dropout=0.5).train()
    torch.manual_seed(1)
    there = torch.ones(2000, 2, dtype=torch.bool)
    there[1000:, 1] = False
    shown = net._shown(there)
    assert torch.equal(shown.sum(1), torch.ones(2000))
    assert torch.equal(shown[1000:], torch.tensor([1.0, 0]).expand(1000, 2))
    shares = [(shown[:1000] == torch.tensor(pair)).all(1).float().mean() for pair in ((1.0, 0.0), (0.0, 1.0))]
    assert all(0.2 < share < 0.3 for share in shares)
    assert torch.equal(net.eval()._shown(there)[:1000], torch.full((1000, 2), 0.5))


def test_the_table_is_scaled_by_known_values() -> None:
    encoder = TableEncoder([0, 3], 32)
    encoder.fit(torch.tensor([[1.0, 0], [3.0, 1], [NAN, 2]]))
    assert encoder.mean[0] == 2 and encoder.deviation[0] == 1
    rows = torch.tensor([[2.0, NAN], [NAN, NAN]])
    first, second = encoder(rows)
    assert torch.isfinite(encoder(rows)).all() and not torch.equal(first, second)


def test_a_column_that_is_constant_but_for_rounding_does_not_explode() -> None:
    encoder = TableEncoder([0, 0], 8)
    rows = torch.tensor([[0.3, 1.0], [0.3, 1.001], [0.3, 1.0]])
    rows[1, 0] = torch.nextafter(rows[1, 0], torch.tensor(1.0))
    encoder.fit(rows)
    assert encoder.deviation[0] == 1 and encoder.deviation[1] < 0.001


@pytest.mark.parametrize("how", ["late", "gated"])
def test_the_table_alone_needs_no_image_network(how: str) -> None:
    net = module(how, use="table").train()
    images, rows = torch.randn(3, 1, 4, 4), torch.tensor([[1.0, 2], [0.5, 0], [2, 1]])
    expected = [level.detach() for level in net(images, rows)]
    net.body = nn.Flatten()  # a linear layer could not read it
    for level, other in zip(net(images, rows), expected, strict=True):
        assert torch.equal(level, other)


@pytest.mark.parametrize("augment", ["none", "light", "paper", "sem"])
def test_missing_images_stay_missing_when_augmented(augment: str) -> None:
    pixels = torch.randint(0, 256, (32, 3, 16, 16), dtype=torch.uint8)
    pixels[::2] = torch.tensor([200, 0, 90], dtype=torch.uint8)[:, None, None]  # of one colour
    trainer: Any = SimpleNamespace(module=module(), normaliser=Normaliser.of("image", [], []))
    augmenter = Augmenter(augment, torch.Generator().manual_seed(0))
    for side in (16, 12):
        images = Trainer._augmented(trainer, augmenter, pixels, side)
        assert module().missing_images(images).flatten().tolist() == [True, False] * 16


def test_the_first_layer_of_the_images_is_whitened_not_that_of_the_table() -> None:
    started = fitted(
        model(epochs=1, learning_rate=0.0, first_layer="whitened"),
        two_views(),
        columns={"table": KINDS},
    )
    weight = started.module.body.conv_stem.weight  # type: ignore[attr-defined]
    assert torch.equal(weight[1], -weight[0])


@pytest.mark.parametrize("kind", ["tree", "multiple", "regression"])
def test_it_trains_predicts_and_is_kept(kind: str, tmp_path: Path) -> None:
    dataset = two_views(kind)
    run = {"columns": {"table": KINDS}}
    fusion = fitted(model(patience=1), dataset, **run)
    scores = assert_batch_independent(fusion, dataset, 1e-5)
    assert scores.values.shape == dataset.targets.shape
    fusion.save(tmp_path)  # type: ignore[attr-defined]
    loaded = model()
    loaded.load(tmp_path, Run(task=dataset.task, **run))
    assert same_scores(scores, loaded.predict(inputs(dataset)))


def test_both_learn_from_the_table() -> None:
    dataset = two_views("multiple", 120)
    for how in ("late", "gated"):
        fusion = fitted(model(how=how, use="table", epochs=12, learning_rate=1e-2), dataset)
        scores = fusion.predict(inputs(dataset)).values[:, 0]
        truth = np.asarray(dataset.targets)[:, 0].astype(bool)
        known = ~np.isnan(dataset.views["table"][:, 0])
        assert scores[known & truth].mean() > scores[known & ~truth].mean() + 0.05
