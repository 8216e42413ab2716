"""Weights of files as the start of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra vision")
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

from hmcbench.errors import BadInput  # noqa: E402
from hmcbench.torchkit.transfer import read_weights, transfer  # noqa: E402


def body(channels: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


class Network(nn.Module):
    """A body and a head."""

    def __init__(self, classes: int = 5, channels: int = 1) -> None:
        super().__init__()
        self.body, self.head = body(channels), nn.Linear(2, classes)


def written(state: Any, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def equal(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth"])
def test_a_body_is_taken_whatever_stands_before_its_names(tmp_path: Path, name: str) -> None:
    source = body()
    for before in ("", "module.", "backbone.network."):
        state = {before + key: value for key, value in source.state_dict().items()}
        target = Network()
        transferred = transfer(target, written(state, tmp_path / name))
        assert equal(target.body, source)
        assert transferred.missing == ("head.weight", "head.bias")
        assert not transferred.unused and not transferred.other_shape


def test_a_network_within_the_file_of_a_training_is_taken(tmp_path: Path) -> None:
    source, target = Network(), Network()
    transfer(target, written({"epoch": 3, "state_dict": source.state_dict()}, tmp_path / "w.pt"))
    assert equal(target, source)


def test_shapes_that_do_not_fit_are_named(tmp_path: Path) -> None:
    source, target = Network(classes=8), Network(classes=5)
    before = target.head.weight.clone()
    transferred = transfer(target, written(source.state_dict(), tmp_path / "w.safetensors"))
    assert equal(target.body, source.body) and torch.equal(target.head.weight, before)
    assert transferred.other_shape == ("head.weight (8, 2) not (5, 2)", "head.bias (8,) not (5,)")
    assert "9 of 11 tensors taken; of another shape: head.weight (8, 2) not (5, 2)" in transferred.note()


@pytest.mark.parametrize(("here", "there"), [(1, 3), (3, 1)])
def test_input_channels_are_adapted(tmp_path: Path, here: int, there: int) -> None:
    """A grey picture, or a grey one in three channels, gives what it gave before."""
    source, target = body(there), body(here)
    transferred = transfer(target, written(source.state_dict(), tmp_path / "w.safetensors"))
    assert transferred.adapted == ("0.weight",)
    assert "adapted to the input channels: 0.weight" in transferred.note()
    grey = torch.rand(2, 1, 3, 3)
    pictures = [grey.expand(-1, channels, -1, -1) for channels in (there, here)]
    before, after = (net.eval()(x) for net, x in zip((source, target), pictures, strict=True))
    torch.testing.assert_close(before, after)


def test_other_numbers_of_channels_and_other_networks_are_refused(tmp_path: Path) -> None:
    transferred = transfer(body(1), written(body(4).state_dict(), tmp_path / "w.safetensors"))
    assert transferred.other_shape == ("0.weight (4, 4, 3, 3) not (4, 1, 3, 3)",)
    other = {"a.weight": torch.zeros(3), "1.num_batches_tracked": torch.zeros((), dtype=torch.int64)}
    with pytest.raises(BadInput, match="none of the weights"):
        transfer(body(), written(other, tmp_path / "o.safetensors"))


class Malicious:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no file"),
        (b"torn", "cannot be read"),
        ({"x": Malicious()}, "cannot be read"),
        ({}, "no tensors"),
    ],
    ids=["none", "torn", "code", "empty"],
)
def test_files_that_are_refused(
    tmp_path: Path, content: Any, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(BadInput, match=says):
        read_weights(path)
    assert "executed" not in capsys.readouterr().out
