"""HMCN-F and HMCN-R [Wehrmann, Cerri & Barros 2018, "Hierarchical multi-label classification networks"].

A global flow passes the levels of the hierarchy one after another and reads the input x at each:

    F: A_k = relu(W_k [A_(k-1), x]), a layer per level
    R: A_k = LSTM(x, A_(k-1)), one cell for all levels

From A_k a local head of a hidden layer predicts the classes of level k, P_local; from the last A a linear
layer predicts all classes, P_global. With beta = 0.5,

    P    = beta P_local + (1 - beta) P_global
    loss = BCE(P_local, y) + BCE(P_global, y) + lambda sum over edges of max(0, P_child - P_parent)^2.

Published: 384 ReLU units per layer, batch norm and dropout 0.6 after each, lambda = 0.1, Adam with rate
1e-3, batches of 4. Chosen here, where the text is open: the level of a class in a DAG is its longest
distance from the root; the three terms are sums over classes or edges, all divided by the number of classes,
so that lambda weighs an edge against a class; the hidden layer of R's heads is left out, as its state is
already a hidden layer, and its dropout is on the state that the heads read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import hierarchy_of
from hmcbench_hmc.models.layers import BatchNorm, Dropout, Linear, VectorNetwork, cross_entropy
from hmcbench_hmc.models.vectors import VectorModel, network_model

BETA = 0.5


class NormedLayer(nn.Sequential):
    """Linear, ReLU, batch norm, dropout."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__(Linear(inputs, outputs), nn.ReLU(), BatchNorm(outputs), Dropout(dropout))


class Hmcn(VectorNetwork):
    """What both variants share: the heads, the prediction and the loss."""

    def __init__(self, task: Task, width: int, penalty: float) -> None:
        super().__init__()
        hierarchy = hierarchy_of(task)
        self.penalty = penalty
        edges = torch.as_tensor(hierarchy.edge_index.T.copy())  # (2, E)
        self.register_buffer("edges", edges, persistent=False)
        self.edges: torch.Tensor
        self.local = nn.ModuleList(Linear(width, n) for n in hierarchy.level_sizes.tolist())
        self.whole = Linear(width, hierarchy.n)

    def flow(self, x: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """What every local head reads, (M, B, width) each, and what the global one reads."""
        raise NotImplementedError

    def logits(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Local and global logits, (M, B, C): columns are sorted by level."""
        levels, last = self.flow(x)
        local = [head(state) for head, state in zip(self.local, levels, strict=True)]
        return torch.cat(local, dim=2).float(), self.whole(last).float()

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        local, whole = self.logits(x)
        probabilities = BETA * local.sigmoid() + (1 - BETA) * whole.sigmoid()
        parents, children = (probabilities.index_select(2, ends) for ends in self.edges)
        violation = (children - parents).clamp_min(0).square().sum(2).mean(1) / y.shape[2]
        return cross_entropy(local, y) + cross_entropy(whole, y) + self.penalty * violation

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        local, whole = self.logits(x)
        return BETA * local.sigmoid() + (1 - BETA) * whole.sigmoid()


class HmcnF(Hmcn):
    """The feed-forward variant.

    Args:
        width: units of every layer of the global flow and of every local hidden layer.
        dropout: after each of these.
        penalty: lambda.
    """

    def __init__(self, task: Task, inputs: int, *, width: int, dropout: float, penalty: float) -> None:
        super().__init__(task, width, penalty)
        depth = hierarchy_of(task).depth
        sizes = [inputs] + [width + inputs] * (depth - 1)
        self.layers = nn.ModuleList(NormedLayer(size, width, dropout) for size in sizes)
        self.transitions = nn.ModuleList(NormedLayer(width, width, dropout) for _ in range(depth))

    def flow(self, x: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        state, levels = x, []
        for k, (layer, transition) in enumerate(zip(self.layers, self.transitions, strict=True)):
            state = layer(torch.cat([state, x.to(state.dtype)], dim=2) if k else x)
            levels.append(transition(state))
        return levels, state


class HmcnR(Hmcn):
    """The recurrent variant; parameters as :class:`HmcnF`."""

    def __init__(self, task: Task, inputs: int, *, width: int, dropout: float, penalty: float) -> None:
        super().__init__(task, width, penalty)
        self.input_gates, self.state_gates = Linear(inputs, 4 * width), Linear(width, 4 * width)
        self.dropout = Dropout(dropout)

    def flow(self, x: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        from_input = self.input_gates(x).float()  # the same at every level
        state = memory = from_input.new_zeros(*x.shape[:2], from_input.shape[2] // 4)
        levels = []
        for _level in self.local:
            gates = from_input + self.state_gates(state)
            keep, write, read, new = gates.chunk(4, dim=2)
            memory = keep.sigmoid() * memory + write.sigmoid() * new.tanh()
            state = read.sigmoid() * memory.tanh()
            levels.append(self.dropout(state))
        return levels, levels[-1]


def create_f(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(HmcnF, params)


def create_r(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(HmcnR, params)
