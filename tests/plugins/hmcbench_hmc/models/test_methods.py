"""Every method learns small data, and does what its formula says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from hmcbench_hmc.models import mbm
from hmcbench_hmc.models.awx import Awx
from hmcbench_hmc.models.c_hmcnn import CHmcnn
from hmcbench_hmc.models.hmcn import HmcnF, HmcnR
from hmcbench_hmc.models.hmi import Hmi, siblings, to_ball
from hmcbench_hmc.models.layers import VectorNetwork
from hmcbench_hmc.models.lmlp import Lmlp
from hmcbench_hmc.models.mbm import Mbm
from hmcbench_hmc.models.mlp import Mlp
from sklearn.metrics import average_precision_score

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.registry.registry import create, default_registry
from hmcbench.testing.helpers import Kind, fitted, inputs, tiny_dataset, tiny_hierarchy

pytestmark = pytest.mark.torch
SMALL = {
    "mlp-bce": "hidden=32;32,epochs=20,batch_size=16",
    "c-hmcnn": "hidden=32;32,epochs=20,batch_size=16",
    "hmcn-f": "width=32,epochs=20,dropout=0.2,batch_size=16",
    "hmcn-r": "width=32,epochs=20,dropout=0.2,batch_size=16,learning_rate=0.01",
    "awx": "hidden=32;32,epochs=20,batch_size=16,learning_rate=0.005",
    "hmc-lmlp": "width=32,epochs=20,dropout=0.2,batch_size=16,learning_rate=0.01",
    "mbm": "hidden=32,dimensions=8,dropout=0,batch_size=16,learning_rate=0.002",
    "hmi": "hidden=32,dimensions=8,dropout=0,batch_size=16,learning_rate=0.01",
    "hmc-duo": "hidden=32;32,epochs=20,batch_size=16,members=1,trees=20",
    "pct": "",
    "pct-forest": "trees=20",
    "boosting-per-class": "trees=20",
}
NETWORKS: dict[str, tuple[Callable[..., VectorNetwork], dict[str, Any]]] = {
    "mlp-bce": (Mlp, {"hidden": (8,), "dropout": 0.0}),
    "c-hmcnn": (CHmcnn, {"hidden": (8,), "dropout": 0.0}),
    "hmcn-f": (HmcnF, {"width": 8, "dropout": 0.0, "penalty": 0.1}),
    "hmcn-r": (HmcnR, {"width": 8, "dropout": 0.0, "penalty": 0.1}),
    "awx": (Awx, {"hidden": (8,), "noise": 0.0, "norm": 1.0}),
    "awx-norm": (Awx, {"hidden": (8,), "noise": 0.0, "norm": 3.0}),
    "awx-high-norm": (Awx, {"hidden": (8,), "noise": 0.0, "norm": 20.0}),
    "awx-maximum": (Awx, {"hidden": (8,), "noise": 0.0, "norm": 0.0}),
    "hmc-lmlp": (Lmlp, {"width": 8, "dropout": 0.0}),
    "mbm": (Mbm, {"hidden": (8,), "dimensions": 3, "dropout": 0.0}),
    "hmi": (Hmi, {"hidden": (8,), "dimensions": 3, "dropout": 0.0, "penalty": 0.1}),
}
COHERENT = ("c-hmcnn", "awx", "awx-norm", "awx-high-norm", "awx-maximum")


def precision(truth: Any, values: np.ndarray) -> float:
    return float(average_precision_score(np.asarray(truth).ravel(), values.ravel()))


def network(name: str, kind: Kind, seed: int = 0) -> tuple[VectorNetwork, torch.Tensor, torch.Tensor]:
    """A network on the tiny hierarchy, with samples (1, B, F) and closed sets (1, B, C)."""
    dataset = tiny_dataset(24, kind)
    build, params = NETWORKS[name]
    torch.manual_seed(seed)
    net = build(dataset.task, 8, **params)
    y = torch.as_tensor(np.asarray(dataset.targets))[None]
    net.prepare(y[0])
    return net, torch.as_tensor(np.asarray(dataset.views["table"]))[None], y


@pytest.mark.parametrize("kind", ["multiple", "dag"])
@pytest.mark.parametrize("name", SMALL)
def test_each_method_is_far_above_the_prior(name: str, kind: Kind) -> None:
    dataset = tiny_dataset(240, kind, noise=1.0)
    reference = f"{name}[{SMALL[name]}]" if SMALL[name] else name
    model = create(*default_registry().resolve("models", reference))
    fitted(model, dataset, train=range(120), valid=range(120, 160))
    test = list(range(160, 240))
    truth = np.asarray(dataset.targets)[test]
    prior = np.broadcast_to(np.asarray(dataset.targets)[:120].mean(axis=0), truth.shape)
    least = precision(truth, prior) + 0.5 * (1 - precision(truth, prior))
    assert precision(truth, model.predict(inputs(dataset, test)).values) > least


@pytest.mark.parametrize("kind", ["multiple", "dag"])
@pytest.mark.parametrize("name", COHERENT)
def test_scores_are_coherent_by_construction(name: str, kind: Kind) -> None:
    net, x, _y = network(name, kind)
    values = net.eval().probabilities(x * 3)[0]
    parent, child = tiny_hierarchy(kind).edge_index.T.copy()
    assert bool((values[:, child] <= values[:, parent]).all())


@pytest.mark.parametrize("kind", ["multiple", "dag"])
@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"hmc-lmlp"}))  # it stops gradients by design
def test_gradients_of_the_losses(name: str, kind: Kind) -> None:
    """Against a finite difference along a random direction."""
    net, x, y = network(name, kind)
    parameters = list(net.eval().parameters())
    count = sum(p.numel() for p in parameters)
    directions = [torch.randn_like(p) / count**0.5 for p in parameters]
    slopes = torch.autograd.grad(net.loss(x, y).sum(), parameters, allow_unused=True)
    expected = sum(float((s * d).sum()) for s, d in zip(slopes, directions, strict=True) if s is not None)
    values = []
    for step in (1e-4, -2e-4):
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p += step * d
            values.append(net.loss(x, y).double().item())
    assert (values[0] - values[1]) / 2e-4 == pytest.approx(expected, rel=0.06, abs=5e-3)


def test_c_hmcnn_has_the_loss_of_its_paper() -> None:
    net, x, y = network("c-hmcnn", "dag")
    h = cast(CHmcnn, net).logits(x).sigmoid()[0].detach().double().numpy()
    sets, below = y[0].double().numpy(), tiny_hierarchy("dag").descendants.toarray()
    mcm = np.stack([np.where(row, h, 0).max(axis=1) for row in below], axis=1)
    given = np.stack([np.where(row, h * sets, 0).max(axis=1) for row in below], axis=1)
    expected = np.mean(np.where(sets, -np.log(np.where(sets, given, 1.0)), -np.log(1 - mcm)))
    assert net.loss(x, y).item() == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(net.probabilities(x)[0].detach().numpy(), mcm, rtol=1e-5)


@pytest.mark.parametrize(("norm", "expected"), [(1.0, 0.7), (2.0, 0.5), (0.0, 0.4)])
def test_awx_sums_leaves(norm: float, expected: float) -> None:
    task = Task(paths="multiple", hierarchy=Hierarchy.from_edges([("a", "b"), ("a", "c")]))
    net = Awx(task, 1, hidden=(), noise=0.0, norm=norm)
    with torch.no_grad():
        net.output.weight.zero_()
        net.output.bias.copy_(torch.logit(torch.tensor([[[0.3, 0.4]]])))
    values = net.probabilities(torch.zeros(1, 1, 1))[0, 0]
    torch.testing.assert_close(values, torch.tensor([expected, 0.3, 0.4]))


@pytest.mark.parametrize("norm", [3.0, 6.0, 14.0, 40.0])
def test_small_leaves_have_a_norm_and_a_gradient(norm: float) -> None:
    task = Task(paths="multiple", hierarchy=Hierarchy.from_edges([("a", "b"), ("a", "c"), ("a", "d")]))
    net = Awx(task, 1, hidden=(), noise=0.0, norm=norm)
    y = torch.tensor([1e-4, 2e-4, 2e-4], dtype=torch.float64)
    with torch.no_grad():
        net.output.weight.zero_()
        net.output.bias.copy_(torch.logit(y)[None, None])
    value = net.probabilities(torch.zeros(1, 1, 1))[0, 0, 0]
    expected = (y**norm).sum() ** (1 / norm)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    (slope,) = torch.autograd.grad(value, net.output.bias)  # dy/dlogit is y (1 - y)
    np.testing.assert_allclose(slope[0, 0], (y / expected) ** (norm - 1) * y * (1 - y), rtol=1e-4)


def test_hmcn_charges_a_child_above_its_parent() -> None:
    net, x, y = network("hmcn-f", "multiple")
    free = HmcnF.loss(cast(HmcnF, net), x, y)
    cast(HmcnF, net).penalty = 0.0
    p = net.probabilities(x)[0].detach().double().numpy()
    parent, child = tiny_hierarchy("multiple").edge_index.T
    violation = np.maximum(0, p[:, child] - p[:, parent]) ** 2
    expected = 0.1 * violation.sum(axis=1).mean() / p.shape[1]
    assert (free - net.loss(x, y)).item() == pytest.approx(expected, abs=1e-6)
    assert expected > 0


def test_a_level_of_lmlp_gets_no_gradient_from_those_below() -> None:
    net, x, _y = network("hmc-lmlp", "multiple")
    last = cast(Lmlp, net).logits(x)[:, :, 2:].sum()
    first, second = (list(level.parameters()) for level in cast(Lmlp, net).levels)
    assert not any(g.any() for g in torch.autograd.grad(last, first, retain_graph=True))
    assert all(g.any() for g in torch.autograd.grad(last, second))


def test_a_box_holds_a_point_inside_and_loses_it_outside() -> None:
    net, x, _y = network("mbm", "multiple")
    box = cast(Mbm, net)
    with torch.no_grad():
        box.centres.fill_(1.0)
        box.sides.fill_(100.0)
        assert torch.allclose(box.probabilities(x), torch.ones(1), atol=1e-5)
        box.sides.fill_(-10.0)
        box.centres.fill_(50.0)
        assert float(box.probabilities(x).max()) < 1e-6


def test_smaller_blocks_of_boxes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x, _y = network("mbm", "multiple")
    sizes: list[tuple[int, ...]] = []
    log_share = mbm._log_share
    monkeypatch.setattr(mbm, "_log_share", lambda e: sizes.append(tuple(e.shape)) or log_share(e))
    whole = net.eval().probabilities(x)
    monkeypatch.setattr(mbm, "NUMBERS", 2 * mbm.BLOCK * 3)  # two classes of three dimensions
    # vectors of another length are rounded in another way on some processors
    torch.testing.assert_close(net.probabilities(x), whole, rtol=1e-5, atol=1e-30)
    assert sizes == [(1, 24, 7, 3), (1, 24, 2, 3), (1, 24, 2, 3), (1, 24, 2, 3), (1, 24, 1, 3)]
    net.train().probabilities(x)
    assert sizes[-1] == (1, 24, 7, 3), "in training the gradient keeps every block"


def test_hyperplanes_cross_the_border_of_the_ball_at_right_angles() -> None:
    net, _x, _y = network("hmi", "multiple")
    radius, centre = cast(Hmi, net).spheres()
    torch.testing.assert_close(centre.square().sum(2), radius.square() + 1, rtol=1e-4, atol=1e-4)
    assert float(to_ball(torch.randn(50, 3) * 100).norm(dim=1).max()) < 1


def test_siblings_exclude_each_other_where_no_sample_has_both() -> None:
    edges = np.array([[0, 2], [0, 3], [0, 4], [1, 5]])
    y = torch.tensor([[1, 0, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]], dtype=torch.bool)
    assert siblings(edges, y).tolist() == [[2, 3], [4, 4]]
