"""Pickles under other names: no array, prediction or weight is read from one."""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cli = Callable[..., Any]
Refused = Callable[..., str]


class Payload:
    """Touches ``executed`` when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


PICKLE = pickle.dumps({"a.weight": Payload()})


def arrays(**changes: Any) -> bytes:
    """As ``--data cifar100=`` takes them, but for the changes."""
    content: dict[str, Any] = {"fine_names": np.array(["a", "b"]), "coarse_names": np.array(["x"])}
    for side in ("train", "test"):
        content[f"x_{side}"] = np.random.default_rng(len(side)).integers(0, 256, (4, 32, 32, 3), np.uint8)
        content[f"y_fine_{side}"], content[f"y_coarse_{side}"] = np.array([0, 1, 0, 1]), np.zeros(4, int)
    file = io.BytesIO()
    np.savez_compressed(file, **(content | changes))
    return file.getvalue()


def checkpoint() -> bytes:
    """What ``torch.save`` writes of something that is no tensor."""
    import torch

    file = io.BytesIO()
    torch.save({"a.weight": Payload()}, file)
    return file.getvalue()


def test_arrays_that_are_pickles_or_unpack_to_too_much(
    cli: Cli, refused: Refused, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("run", "--suite", "cifar100-h", "--model", "prior", "--dry-run", "--data", "cifar100=a.npz")
    for content in (arrays(fine_names=np.array([Payload(), "b"], dtype=object)), PICKLE):
        (here / "a.npz").write_bytes(content)
        assert "a.npz cannot be used" in refused(*args)
    (here / "a.npz").write_bytes(arrays())
    assert cli(*args).status == 0
    monkeypatch.setattr("hmcbench_timm.cifar100.LARGEST", 10_000)
    assert "it unpacks to " in refused(*args)


def test_predictions(cli: Cli, refused: Refused, here: Path) -> None:
    args = ("run", "--suite", "smoke", "--dataset", "toy-tree", "--model", "prior", "--quiet")
    assert cli(*args).status == 0
    (file,) = here.glob("runs/smoke/records/*/predictions.npz")
    with np.load(file) as stored:
        names = {name: stored[name] for name in stored.files}
    name = next(iter(names))
    np.savez(file, **(names | {name: np.array([Payload()], dtype=object)}))
    for spoilt in (file.read_bytes(), PICKLE):
        file.write_bytes(spoilt)
        for command in (("publish",), ("figures", "runs"), ("compare", "runs", "prior", "prior")):
            refused(*command)
        assert cli("verify", "runs").status in (1, 2)
        assert not (here / "executed").exists()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
@pytest.mark.parametrize("content", [lambda: PICKLE, checkpoint], ids=["pickle", "checkpoint"])
def test_weights(
    refused: Refused, trained_run: Any, here: Path, name: str, content: Callable[[], bytes]
) -> None:
    record = Path(shutil.copytree(trained_run.record, here / "record"))
    (record / "model" / name).write_bytes(content())
    start = ("run", "--suite", "sem-failure", "--data", f"sem-failure={trained_run.images}")
    start += ("--model", "timm:test_resnet", "--init-from", "record", "--out", "runs")
    for command in ("predict", "explain"):
        assert name in refused(command, "record", trained_run.images)
    (record / "model" / name).rename(record / "model" / "weights.pt")
    for command in ("predict", "explain"):
        assert name in refused(command, "record", trained_run.images)
    assert refused("predict", record / "model" / "weights.pt", trained_run.images)
    assert refused(*start[:-4], "--init-from", record / "model" / "weights.pt")
