"""Training a part of a network: its head, its head and last block, or all of it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn

from hmcbench.errors import BadInput

PARTS = ("head", "last", "all")


@runtime_checkable
class Partly(Protocol):
    """A network that can be trained in part.

    ``parts()`` returns the modules after the features, which are always trained, and the body, whose last
    block is trained too with ``train=last``. A timm network says itself where its blocks are; any other body
    is a module whose last child is its last block.
    """

    def parts(self) -> tuple[Sequence[nn.Module], nn.Module]: ...


def freeze(module: nn.Module, train: str) -> None:
    """Leave ``requires_grad`` on for the parameters that are trained: ``train`` is one of :data:`PARTS`.

    Raises:
        BadInput: a network that does not say what its head is.
    """
    if train == "all":
        return
    if not isinstance(module, Partly):
        raise BadInput(f"train={train}: {type(module).__name__} does not say what its head is", allowed="all")
    heads, body = module.parts()
    module.requires_grad_(False)
    for head in heads:
        head.requires_grad_(True)
    if train == "last":
        for parameter in last_block(body):
            parameter.requires_grad_(True)


def last_block(body: Any) -> list[nn.Parameter]:
    """The parameters of the last block, with those of the norm after it."""
    if hasattr(body, "group_matcher"):
        models: Any = importlib.import_module("timm.models")
        groups = models.group_parameters(body, body.group_matcher(coarse=True))
        blocks = [names for _, names in sorted(groups.items())]
    else:
        blocks = [
            [f"{child}.{name}" for name, _ in part.named_parameters()]
            for child, part in body.named_children()
        ]
    parameters = dict(body.named_parameters())
    chosen: list[nn.Parameter] = []
    for names in reversed(blocks):
        chosen += [parameters[name] for name in names]
        if any(parameter.ndim > 1 for parameter in chosen):  # not a norm alone
            break
    return chosen


def training_mode(module: nn.Module) -> None:
    """Training mode, but for what is frozen: norms keep their statistics, and nothing is dropped there."""
    module.train()
    for part in _frozen(module):
        part.eval()


def _frozen(module: nn.Module) -> Iterator[nn.Module]:
    """The largest parts that have parameters, none of which is trained."""
    own = list(module.parameters())
    if own and not any(parameter.requires_grad for parameter in own):
        yield module
        return
    for child in module.children():
        yield from _frozen(child)
