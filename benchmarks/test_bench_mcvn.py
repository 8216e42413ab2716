"""40 MCVNs (4 targets x 10 seeds) trained as one bank, beside the same 40 one after another.

All in float64 on 240 samples in batches of 32. "As written" is the network of torch.nn layers with
torch's Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from hmcbench_materials.mcvn.architecture import CONVOLUTIONS, Architecture  # noqa: E402
from hmcbench_materials.mcvn.train import Adam, Bank, BankRecipe, SampleGroups  # noqa: E402
from ratios import fastest  # noqa: E402
from torch import nn  # noqa: E402

RUNS, TARGETS, ROWS, FEATURES, BATCH = 40, 4, 240, 16, 32
RATE = 1e-2


class AsWritten(nn.Module):
    """Section 4.1 in torch.nn, attention over each sample alone."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [1, *(channels for channels, _, _ in CONVOLUTIONS)]
        layers = [nn.Conv2d(sizes[i], c, k, stride=s) for i, (c, k, s) in enumerate(CONVOLUTIONS)]
        self.image = nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 4), nn.ReLU())
        self.attend = nn.ModuleList([nn.MultiheadAttention(n, 2) for n in (FEATURES, 12)])
        self.norms = nn.ModuleList([nn.LayerNorm(n) for n in (FEATURES, 12)])
        self.original = nn.Linear(FEATURES, 8)
        self.fusion = nn.Sequential(
            nn.BatchNorm1d(12), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 1)
        )

    def forward(self, images: Any, table: Any) -> Any:
        def attend(k: int, x: Any) -> Any:
            return self.norms[k](x + self.attend[k](x[None], x[None], x[None], need_weights=False)[0][0])

        fused = torch.cat([self.image(images), self.original(attend(0, table)).relu()], dim=1)
        return self.fusion(attend(1, fused))


def as_written(samples: SampleGroups, epochs: int) -> None:
    """Train one network."""
    network = AsWritten().double()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    images, table = samples.images[0].reshape(-1, 1, 24, 21), samples.table[0]
    for _ in range(epochs):
        for rows in torch.randperm(ROWS).split(BATCH):
            loss = (network(images[rows], table[rows])[:, 0] - samples.targets[0, rows]).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()


def as_bank(samples: SampleGroups, epochs: int) -> None:
    """Train a network per target, all at once."""
    plan = Architecture(FEATURES)
    networks, groups = len(samples.targets), len(samples.table)
    weights = torch.stack([plan.initial(torch.Generator().manual_seed(i)) for i in range(networks)])
    bank = Bank(plan, weights)
    adam = Adam(
        torch.full((networks,), RATE, dtype=torch.float64), torch.zeros(networks, dtype=torch.float64)
    )
    nothing = samples.batch(torch.empty(groups, 0, dtype=torch.long))
    recipe = BankRecipe(epochs, BATCH)
    bank.fit(samples, nothing, range(groups), lambda y, t: (y[..., 0] - t).square(), recipe, adam)


def random_samples(groups: int, networks: int) -> SampleGroups:
    torch.manual_seed(0)
    shapes = ((groups, ROWS, 504), (groups, ROWS, FEATURES), (networks, ROWS))
    return SampleGroups(*(torch.rand(shape, dtype=torch.float64) for shape in shapes))


def epoch(train: Callable[[SampleGroups, int], None], samples: SampleGroups) -> float:
    """Seconds of an epoch, of three trainings of two epochs after one to warm up."""
    train(samples, 2)
    return fastest(lambda: train(samples, 2), 3) / 2


def test_forty_networks_at_once(benchmark: Any, ratio: Callable[..., None]) -> None:
    single, bank = random_samples(1, 1), random_samples(RUNS // TARGETS, RUNS)
    together = epoch(as_bank, bank)
    benchmark.pedantic(as_bank, (bank, 2), rounds=2)
    work = f"an epoch of {RUNS} MCVNs"
    ratio(work, "networks of torch.nn, one by one", RUNS * epoch(as_written, single), together, 10)
    ratio(work, "the same networks, one by one", RUNS * epoch(as_bank, single), together, 4)
