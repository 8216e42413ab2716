"""Networks that are trained in part."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra vision")
timm = pytest.importorskip("timm", reason="needs the extra vision")
from torch import nn  # noqa: E402

from hmcbench.errors import BadInput  # noqa: E402
from hmcbench.torchkit.freezing import freeze, last_block, training_mode  # noqa: E402


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        block = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.body = nn.Sequential(stem, block, nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)

    def parts(self) -> tuple[list[nn.Module], nn.Module]:
        return [self.head], self.body


def trained(module: nn.Module) -> set[str]:
    return {name.rpartition(".")[0] for name, p in module.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("train", "parts"),
    [
        ("head", {"head"}),
        ("last", {"head", "body.2", "body.1.0", "body.1.1"}),
        ("all", {"head", "body.2", "body.1.0", "body.1.1", "body.0.0", "body.0.1"}),
    ],
)
def test_what_is_trained(train: str, parts: set[str]) -> None:
    module = Network()
    freeze(module, train)
    assert trained(module) == parts


def test_frozen_norms_keep_their_statistics_and_frozen_dropout_drops_nothing() -> None:
    module = Network()
    freeze(module, "last")
    training_mode(module)
    stem, block, norm = module.body
    assert not any(part.training for part in stem.modules())
    assert module.head.training and norm.training and block[1].training
    before = stem[1].running_mean.clone()
    module.body(torch.rand(3, 1, 7, 7))
    assert torch.equal(before, stem[1].running_mean)
    freeze(module, "all")


@pytest.mark.parametrize(
    ("name", "block"), [("test_resnet", "layer4"), ("test_vit", "blocks.5"), ("test_convnext", "stages.3")]
)
def test_the_last_block_of_timm_networks(name: str, block: str) -> None:
    network = timm.create_model(name, num_classes=0)
    chosen = {id(p) for p in last_block(network)}
    names = [n for n, p in network.named_parameters() if id(p) in chosen]
    inside = [n for n in names if n.startswith(block)]
    expected = [n for n, _ in network.named_parameters() if n.startswith(block)]
    assert inside == expected and all("norm" in n for n in set(names) - set(inside))


def test_a_network_that_does_not_say_what_its_head_is() -> None:
    with pytest.raises(BadInput, match="does not say what its head is"):
        freeze(nn.Linear(2, 2), "head")
