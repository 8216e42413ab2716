"""The training loop: members are trained as if alone, early stopping, refits, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from hmcbench_hmc.models import joint, vectors
from hmcbench_hmc.models.layers import BatchNorm, Dropout, Linear, member, set_generators, stacked
from hmcbench_hmc.models.mlp import Mlp
from hmcbench_hmc.models.training import VectorRecipe, VectorSamples, scores, train
from hmcbench_hmc.models.vectors import Scaler, VectorModel, fit_many
from sklearn.preprocessing import StandardScaler
from torch import nn

from hmcbench.errors import BadInput, PluginError
from hmcbench.interfaces import Fit, Labelled, Run
from hmcbench.plan.cells import make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import create, default_registry
from hmcbench.testing.helpers import inputs, labelled, tiny_dataset, tiny_suite

pytestmark = pytest.mark.torch
DATA = tiny_dataset(60, "dag", noise=2.0)
TRAIN, VALID, TEST = range(30), range(30, 45), range(45, 60)
SMALL = {
    "c-hmcnn": "hidden=16;16,epochs=4,batch_size=8",
    "hmcn-f": "width=12,epochs=3,batch_size=8",
    "hmcn-r": "width=12,epochs=3,batch_size=8",
    "awx": "hidden=12,epochs=3,batch_size=8",
    "hmc-lmlp": "width=12,epochs=3,batch_size=8",
    "mbm": "hidden=12,dimensions=4,epochs=3,batch_size=8",
    "hmi": "hidden=12,dimensions=4,epochs=3,batch_size=8",
}


def make(reference: str) -> Any:
    return create(*default_registry().resolve("models", reference))


def values(model: Any) -> np.ndarray:
    result: np.ndarray = model.predict(inputs(DATA, TEST)).values
    return result


def fit(model: Any, seed: int = 0, report: Callable[..., None] = lambda *_a, **_k: None) -> Any:
    model.fit(labelled(DATA, TRAIN), labelled(DATA, VALID), Run(DATA.task, seed=seed, report=report))
    return model


@pytest.mark.parametrize("patience", [0, 1])
@pytest.mark.parametrize("name", SMALL)
def test_models_fitted_together_are_those_fitted_alone(name: str, patience: int) -> None:
    reference = f"{name}[{SMALL[name]},patience={patience}]"
    models = [make(reference) for _ in range(3)]
    partitions = labelled(DATA, TRAIN), labelled(DATA, VALID)
    fits = [Fit(model, *partitions, Run(DATA.task, seed=seed)) for seed, model in enumerate(models)]
    assert fit_many(fits) == [None] * 3
    alone = [values(fit(make(reference), seed)) for seed in range(3)]
    for together, single in zip(map(values, models), alone, strict=True):
        np.testing.assert_allclose(together, single, atol=1e-4)
    assert not np.allclose(alone[0], alone[1], atol=1e-3)


def test_together_where_it_pays_and_one_after_another_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def recorded(network: Any, *args: Any, **more: Any) -> list[int]:
        sizes.append(len(next(network.parameters())))
        return train(network, *args, **more)

    monkeypatch.setattr(vectors, "train", recorded)
    partitions = labelled(DATA, TRAIN), labelled(DATA, VALID)
    for batch, parameters, expected in ((8, 10**6, [4]), (8, 1, [1, 1, 1, 1]), (9, 10**6, [1, 1, 1, 1])):
        monkeypatch.setattr(vectors, "TOGETHER", parameters)
        model = f"mlp-bce[hidden=8,epochs=1,batch_size={batch}]"
        sizes.clear()
        fits = [Fit(make(model), *partitions, Run(DATA.task, seed=seed)) for seed in range(4)]
        assert fit_many(fits) == [None] * 4
        assert sizes == expected


def test_other_parameters_and_other_data_are_not_mixed() -> None:
    partitions = labelled(DATA, TRAIN), labelled(DATA, VALID)
    others = labelled(DATA, VALID), labelled(DATA, TRAIN)
    small, wide = "mlp-bce[hidden=8,epochs=2,batch_size=8]", "mlp-bce[hidden=12,epochs=2,batch_size=8]"
    fits = [
        Fit(make(small), *partitions, Run(DATA.task)),
        Fit(make(wide), *partitions, Run(DATA.task)),
        Fit(make(small), *others, Run(DATA.task)),
    ]
    assert fit_many(fits) == [None] * 3
    np.testing.assert_allclose(values(fits[0].model), values(fit(make(small))), atol=1e-6)
    np.testing.assert_allclose(values(fits[1].model), values(fit(make(wide))), atol=1e-6)
    assert not np.allclose(values(fits[2].model), values(fits[0].model), atol=1e-3)


def test_the_same_samples_with_other_labels_are_not_mixed() -> None:
    train, valid = labelled(DATA, TRAIN), labelled(DATA, VALID)
    wrong = Labelled(train.ids, train.views, np.asarray(train.targets)[::-1].copy())
    reference = "mlp-bce[hidden=8,epochs=4,batch_size=8]"
    fits = [Fit(make(reference), samples, valid, Run(DATA.task)) for samples in (train, wrong)]
    assert fit_many(fits) == [None] * 2
    alone = make(reference)
    alone.fit(wrong, valid, Run(DATA.task))
    np.testing.assert_allclose(values(fits[0].model), values(fit(make(reference))), atol=1e-6)
    np.testing.assert_allclose(values(fits[1].model), values(alone), atol=1e-6)


def test_cells_with_wrong_labels_are_no_group_with_those_without() -> None:
    text = tiny_suite("noise", ["mlp-bce[hidden=8,batch_size=4]"])
    text = text.replace("test = 0.3", "test = 0.3\ntrain_share = [0.5, 1.0]\nlabel_noise = [0.0, 0.2]")
    cells = make_plan(parse_suite(text, "s.toml"), default_registry(), Choices(seeds=2)).cells
    groups = [cell.group for cell in cells]
    assert len(cells) == 6 and len(set(groups)) == 3 and all(groups)
    assert all(groups.count(group) == 2 for group in groups)


def test_one_bad_fit_leaves_the_others_alone() -> None:
    reference = "mlp-bce[hidden=8,epochs=2,batch_size=8]"
    bad = labelled(DATA, [])
    good = labelled(DATA, TRAIN)
    valid = labelled(DATA, VALID)
    fits = [Fit(make(reference), t, valid, Run(DATA.task)) for t in (good, bad)]
    first, second = fit_many(fits)
    assert first is None and isinstance(second, PluginError)


def test_members_are_a_mean_of_seeds() -> None:
    both = fit(make("c-hmcnn[hidden=8,epochs=2,members=2]"))
    first = fit(make("c-hmcnn[hidden=8,epochs=2]"))
    second = fit(make("c-hmcnn[hidden=8,epochs=2]"), seed=1_000_003)
    np.testing.assert_allclose(values(both), (values(first) + values(second)) / 2, atol=1e-5)
    assert both.describe()["networks"] == 2
    assert both.describe()["parameters"] == 2 * first.describe()["parameters"]


def test_early_stopping_keeps_the_best_epoch_and_refit_trains_as_long() -> None:
    seen: list[float] = []
    total: list[int] = []

    def report(_step: int, of: int, **row: float) -> None:
        seen.append(row.get("valid_precision", -1.0))
        total.append(of)

    reference = "mlp-bce[hidden=16,epochs=30,patience=3,learning_rate=0.05,batch_size=8,schedule=constant]"
    model = fit(make(reference), report=report)
    best = int(np.argmax(seen)) + 1
    assert model.describe()["epoch_used"] == best == len(seen) - 3
    total.clear()
    model.refit(labelled(DATA, range(45)), Run(DATA.task, report=report))
    assert total == [best] * best
    assert model.describe()["epoch_used"] == best


def test_without_validation_samples_all_epochs_are_trained() -> None:
    model = make("mlp-bce[hidden=8,epochs=6,patience=1]")
    model.fit(labelled(DATA, TRAIN), labelled(DATA, []), Run(DATA.task))
    assert model.describe()["epoch_used"] == 6


def test_validation_without_any_class_does_not_end_the_training() -> None:
    valid = labelled(DATA, VALID)
    empty = Labelled(valid.ids, valid.views, np.zeros_like(valid.targets))
    model = make("mlp-bce[hidden=8,epochs=6,patience=1]")
    model.fit(labelled(DATA, TRAIN), empty, Run(DATA.task))
    assert model.describe()["epoch_used"] == 6


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    with pytest.raises(FloatingPointError, match="the training loss is"):
        fit(make("mlp-bce[hidden=8,epochs=20,learning_rate=1e30,optimizer=adam,schedule=constant]"))


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = fit(make("hmcn-f[width=8,epochs=2,members=2]"))
    model.save(tmp_path)
    loaded = make("hmcn-f[width=8,epochs=2,members=2]")
    loaded.load(tmp_path, Run(DATA.task))
    np.testing.assert_array_equal(values(model), values(loaded))
    assert loaded.describe() == model.describe()
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(BadInput, match=r"model\.json cannot be read"):
        loaded.load(tmp_path, Run(DATA.task))


def test_bfloat16_is_close_to_float32() -> None:
    small, half = (f"c-hmcnn[hidden=16,epochs=5,precision={p}]" for p in ("float32", "bfloat16"))
    np.testing.assert_allclose(values(fit(make(small))), values(fit(make(half))), atol=0.05)


def test_columns_are_scaled_as_scikit_learn_does() -> None:
    rows = np.random.default_rng(0).normal(3, 5, (20, 4))
    rows[:, 2] = 7.0
    np.testing.assert_allclose(Scaler.of(rows)(rows), StandardScaler().fit_transform(rows), atol=1e-6)
    rows[::4, 0], rows[:, 1] = np.nan, np.nan
    known = rows[~np.isnan(rows[:, 0]), :1]
    scaled = Scaler.of(rows)(rows)
    np.testing.assert_allclose(
        scaled[~np.isnan(rows[:, 0]), :1], StandardScaler().fit_transform(known), atol=1e-6
    )
    assert not scaled[::4, 0].any() and not scaled[:, 1].any()


def test_a_column_that_is_constant_but_for_rounding_does_not_explode() -> None:
    rows = np.full((7, 2), 0.1)
    rows[::2, 1] = 0.1 + 1e-17
    scaler = Scaler.of(rows)
    assert rows.mean(axis=0)[0] != 0.1, "the mean of equal numbers is another number"
    np.testing.assert_allclose(scaler(np.full((1, 2), 0.2)), [[0.1, 0.1]], rtol=1e-6)


def test_layers_are_those_of_torch_for_every_member() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 9, 5)
    layers = [nn.Sequential(Linear(5, 3), BatchNorm(3)) for _ in range(2)]
    both = stacked(layers).train()  # type: ignore[arg-type]
    for _ in range(3):
        result = both(x)
    for k, layer in enumerate(layers):
        linear, norm = nn.Linear(5, 3), nn.BatchNorm1d(3)
        with torch.no_grad():
            linear.weight.copy_(layer[0].weight[0].T)  # type: ignore[index, operator, union-attr]
            linear.bias.copy_(layer[0].bias[0, 0])  # type: ignore[index, operator, union-attr]
        for _ in range(3):
            expected = norm(linear(x[k]))
        torch.testing.assert_close(result[k], expected)
        torch.testing.assert_close(
            member(both, k).eval()(x[k : k + 1])[0],  # type: ignore[arg-type]
            norm.eval()(linear(x[k])),
        )


def test_dropout_scales_up_and_is_off_outside_training() -> None:
    layer = Dropout(0.25)
    set_generators(layer, [torch.Generator().manual_seed(s) for s in (0, 1)])
    x = torch.ones(2, 100, 50)
    dropped = layer.train()(x)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert not torch.equal(dropped[0], dropped[1])
    assert torch.equal(layer.eval()(x), x)


def test_adam_is_that_of_torch() -> None:
    """One network trained by the loop, beside the same steps written out."""
    recipe = VectorRecipe(
        epochs=2,
        batch_size=10,
        optimizer="adam",
        learning_rate=0.01,
        weight_decay=0.1,
        schedule="constant",
        patience=0,
        precision="float32",
    )
    torch.manual_seed(3)
    network = Mlp(DATA.task, 8, hidden=(4,), dropout=0.0)
    plain = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 6))
    with torch.no_grad():
        for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
            theirs.copy_(ours[0].T if theirs.ndim == 2 else ours[0, 0])
    x, y = torch.as_tensor(DATA.views["table"][:30]), torch.as_tensor(DATA.targets[:30])
    none = VectorSamples(x[:0], y[:0])
    assert train(network, VectorSamples(x, y), none, recipe, [7], [lambda *_a, **_k: None]) == [2]
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.01, weight_decay=0.1)
    order = torch.Generator().manual_seed(7)
    for _ in range(2):
        for rows in torch.randperm(30, generator=order).tensor_split(3):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(plain(x[rows]), y[rows].float()).backward()
            optimizer.step()
    with torch.no_grad():
        expected = plain(x).sigmoid()
    torch.testing.assert_close(scores(network, x)[0], expected, rtol=1e-4, atol=1e-5)


def test_refuses_no_training_samples() -> None:
    model = make("mlp-bce[hidden=8]")
    assert isinstance(model, VectorModel)
    with pytest.raises(PluginError, match="no training samples"):
        model.fit(labelled(DATA, []), labelled(DATA, VALID), Run(DATA.task))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("c-hmcnn", False), ("c-hmcnn[batch_size=4]", False), ("c-hmcnn[batch_size=4,hidden=250;250]", True),
     ("hmcn-f[batch_size=4,width=250]", True), ("hmcn-f[batch_size=4]", False)],
)  # fmt: skip
def test_small_networks_in_small_batches_share_a_process(reference: str, expected: bool) -> None:
    spec, params = default_registry().resolve("models", reference)
    assert joint(**params) == expected and spec.joint == "hmcbench_hmc.models:joint"


def test_a_mean_over_passes_is_not_exported() -> None:
    """The file would hold one pass without dropout, whose scores are others."""
    model = make("c-hmcnn[mc_dropout=3]")
    with pytest.raises(BadInput, match=r"units left out cannot be exported\. Allowed: mc_dropout=0"):
        model.write_onnx(None, DATA.task)
