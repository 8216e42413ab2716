"""The training of a bank, beside torch's own optimiser, schedule and initialisation."""

from __future__ import annotations

import math

import pytest
import torch
from hmcbench_materials.mcvn.architecture import Architecture
from hmcbench_materials.mcvn.train import Adam, Bank, BankRecipe, BestStates, SampleGroups, batches
from torch import nn


def bank(networks: int, init: str = "uniform") -> Bank:
    plan = Architecture(4)
    rows = [plan.initial(torch.Generator().manual_seed(k), kind=init) for k in range(networks)]
    return Bank(plan, torch.stack(rows))


def test_adam_and_the_step_schedule_are_those_of_torch() -> None:
    """1,100 batches: two steps of the schedule; weight decay as AdamW has it."""
    torch.manual_seed(0)
    goal, start = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    rates, decays = torch.tensor([[1e-3, 0.0], [1e-2, 0.0], [1e-2, 0.3]], dtype=torch.float64).T
    mine, adam, recipe = start.clone(), Adam(rates, decays), BankRecipe(1, schedule="step")
    theirs = [nn.Parameter(row.clone()) for row in start]
    optimizers = [
        torch.optim.AdamW([row], lr=float(rate), weight_decay=float(decay))
        for row, rate, decay in zip(theirs, rates, decays, strict=True)
    ]
    schedules = [torch.optim.lr_scheduler.StepLR(o, step_size=500, gamma=0.9) for o in optimizers]
    for _batch in range(1100):
        adam.step(mine, 2 * (mine - goal) + mine.sin(), recipe.rate(0, adam.steps))
        for row, wanted, optimizer, schedule in zip(theirs, goal, optimizers, schedules, strict=True):
            row.grad = (2 * (row - wanted) + row.sin()).detach()
            optimizer.step()
            schedule.step()
    torch.testing.assert_close(mine, torch.stack([row.detach() for row in theirs]), rtol=0, atol=1e-10)


def test_a_network_stops_for_want_of_patience_with_its_best_weights() -> None:
    """As the released EarlyStopping counts: epochs without a lower loss, up to the patience."""
    networks = bank(3)
    best = BestStates(networks, patience=2)
    epochs = [[5, 5, 5], [4, 6, math.nan], [4.5, 4, math.nan], [3, 4, 1], [3.5, 3, 1], [3.6, 4, 1], [9, 5, 0]]
    ended = []
    for epoch, losses in enumerate(epochs):
        with torch.no_grad():
            networks.weights[:] = epoch
        ended.append(best.update(torch.tensor(losses, dtype=torch.float64)))
    best.restore()
    assert networks.weights[:, 0].tolist() == [3, 4, 0]  # the last had stopped before its losses of 1 and 0
    assert ended == [False] * 6 + [True]


def test_training_ends_when_every_network_has_stopped() -> None:
    torch.manual_seed(0)
    shapes = ((1, 9, 504), (1, 9, 4), (2, 9))
    side = SampleGroups(*(torch.rand(shape, dtype=torch.float64) for shape in shapes))
    seen: list[int] = []
    networks, zero = bank(2), torch.zeros(2, dtype=torch.float64)  # a learning rate of 0: nothing improves
    before = networks.weights.detach().clone()
    networks.fit(
        side,
        side,
        [0],
        lambda outputs, targets: (outputs[..., 0] - targets).square(),
        BankRecipe(200, 4, patience=7),
        Adam(zero, zero),
        lambda epoch, _train, _valid: seen.append(epoch),
    )
    assert 8 <= seen[-1] < 200
    assert torch.equal(networks.weights.detach(), before)


def test_every_network_ends_with_the_weights_of_its_own_epoch() -> None:
    torch.manual_seed(0)
    shapes = ((1, 9, 504), (1, 9, 4), (3, 9))
    side = SampleGroups(*(torch.rand(shape, dtype=torch.float64) for shape in shapes))
    none = side.batch(torch.empty(1, 0, dtype=torch.long))

    def trained(recipe: BankRecipe, ends: torch.Tensor | None) -> Bank:
        networks, rates = bank(3), torch.full((3,), 1e-3, dtype=torch.float64)
        adam = Adam(rates, torch.zeros_like(rates))
        networks.fit(side, none, [0], lambda o, t: (o[..., 0] - t).square(), recipe, adam, ends=ends)
        return networks

    ends = torch.tensor([2, 0, 5])
    mixed = trained(BankRecipe(9, 4), ends)
    for k, end in enumerate(ends.tolist()):
        alone = trained(BankRecipe(end, 4), None) if end else bank(3)
        assert torch.equal(mixed.weights[k], alone.weights[k])
        assert torch.equal(mixed.running.mean[k], alone.running.mean[k])
    assert mixed.ends is ends


@pytest.mark.parametrize(
    ("samples", "size", "sizes"),
    [
        (9, 2, {2, 3}),
        (7, 3, {2, 3}),
        (8, 2, {2}),
        (3, 2, {3}),
        (1, 2, {1}),
        (5, 0, {5}),
        (3, 1, {1}),
        (40, 16, {13, 14}),
    ],
)
def test_no_sample_is_left_alone_in_a_batch(samples: int, size: int, sizes: set[int]) -> None:
    shapes = ((1, samples, 504), (1, samples, 4), (1, samples))
    side = SampleGroups(*(torch.rand(shape) for shape in shapes))
    parts = list(batches(side, [torch.Generator().manual_seed(0)], BankRecipe(1, size)))
    assert {len(part) for part in parts} == sizes
    assert sum(len(part) for part in parts) == samples


def test_the_released_initialisation_is_that_of_torch_init() -> None:
    """Xavier normal for linear layers, Kaiming normal (fan-out) for convolutions with torch's own biases."""
    plan = Architecture(16)
    drawn = plan.unpack(bank_of(plan, 400))
    torch.manual_seed(0)
    for name, values in drawn.items():
        layer, _, kind = name.rpartition(".")
        if layer.endswith("norm"):
            assert bool((values == (kind == "weight")).all()), name
        elif kind == "bias" and not layer.startswith("conv"):
            assert not bool(values.any()), name
        else:
            theirs = torch.stack([_theirs(plan, layer, kind) for _ in range(400)])
            assert float(values.std()) == pytest.approx(float(theirs.std()), rel=0.12), name
            assert abs(float(values.mean())) < 0.2 * float(values.std()), name
    bound = float(drawn["conv1.bias"].abs().max())
    assert 0.9 / math.sqrt(27) < bound <= 1 / math.sqrt(27)


def bank_of(plan: Architecture, networks: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.stack([plan.initial(generator, kind="released") for _ in range(networks)])


def _theirs(plan: Architecture, layer: str, kind: str) -> torch.Tensor:
    """A parameter as the released ``_weight_init`` draws it."""
    shape = plan.shapes[f"{layer}.weight"]
    if layer.startswith("conv"):
        convolution = nn.Conv2d(shape[1], shape[0], shape[2])
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        return (convolution.weight if kind == "weight" else convolution.bias).detach()
    linear = nn.Linear(shape[1], shape[0])
    nn.init.xavier_normal_(linear.weight)
    return linear.weight.detach()
