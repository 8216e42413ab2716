"""Checkpoints: nothing in them is executed, they cost little, and a killed training goes on from one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hmcbench.errors import BadInput
from hmcbench.torchkit import checkpoint
from hmcbench.torchkit.checkpoint import Checkpoints
from hmcbench.torchkit.weights import save_tensors

pytestmark = pytest.mark.torch
# Everything that a training carries along: running means, passes, mixing, a schedule, dropout.
SCRIPT = """
import json, os, signal, sys, traceback
import numpy as np
import torch
from torch import nn
from hmcbench.interfaces import Run
from hmcbench.testing.helpers import inputs, labelled, tiny_dataset
from hmcbench.torchkit import checkpoint
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe

class Net(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
                                 nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1),
                                 make_head("levels", 8, task))
    def forward(self, x):
        if self.training and len(x) > 9:
            raise torch.OutOfMemoryError("too many")
        return self.net(x)

checkpoint.SHARE = 1.0
pixels = np.random.default_rng(0).integers(0, 256, (60, 16, 16), dtype=np.uint8)
dataset = tiny_dataset(60, views={"pixels": pixels})
recipe = Recipe(epochs=7, batch_size=16, augment="paper", optimizer="sgd", learning_rate=1e-2, momentum=0.937,
                schedule="cosine", warmup_epochs=1, ema=0.99, mixup=0.2, cutmix=1.0, balance="sampling")

def train(folder, kill_at, out):
    def report(done, total, **row):
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    model = TorchModel(Net, recipe)
    run = Run(dataset.task, seed=3, folder=folder, report=report)
    model.fit(labelled(dataset, range(40)), labelled(dataset, range(40, 60)), run)
    assert model.describe()["images_per_pass"] < 16
    np.save(out, model.predict(inputs(dataset)).values)

def ended(*args):
    child = os.fork()  # a process of its own, without importing torch again
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        train(*args)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

print(json.dumps([ended("whole", 0, "whole.npy"), ended("broken", 3, "broken.npy"),
                  ended("broken", 6, "broken.npy"), ended("broken", 0, "broken.npy")]))
"""


@pytest.mark.slow
def test_a_training_killed_twice_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    assert json.loads(completed.stdout) == [0, -signal.SIGKILL, -signal.SIGKILL, 0], completed.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "whole.npy"), np.load(tmp_path / "broken.npy"))


def test_checkpoints_execute_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"identity": {}, "x": Evil()}, tmp_path / "checkpoint.pt")
    assert Checkpoints(str(tmp_path), {}).load() is None
    assert not (tmp_path / "executed").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limits of file sizes here")
def test_a_checkpoint_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    """On a full disk the training ended as a failed record."""
    checkpoints = Checkpoints(str(tmp_path / "cell"), {})
    checkpoints._began -= 1e6
    state = {"weights": torch.zeros(100_000)}
    with small_files(10_000):
        assert not checkpoints.save(state)
    assert not list((tmp_path / "cell").iterdir())
    assert checkpoints.save(state) and checkpoints.load() is not None


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limits of file sizes here")
def test_weights_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    with (
        small_files(10_000),
        pytest.raises(BadInput, match=r"weights\.safetensors cannot be written \(.*too large"),
    ):
        save_tensors({"weights": torch.zeros(100_000)}, tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """Files end at so many bytes, as on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_saving_takes_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, took = 0.0, 3.0

    def save(_state: Any, path: Path) -> None:
        nonlocal now
        now += took
        path.touch()

    monkeypatch.setattr(checkpoint, "perf_counter", lambda: now)
    monkeypatch.setattr(torch, "save", save)
    checkpoints = Checkpoints(str(tmp_path), {})
    gigabyte = {"optimizer": {"state": [torch.zeros(10**9, dtype=torch.uint8, device="meta")]}}
    saved = []
    for second in range(1000):  # an epoch each
        now += 1
        if checkpoints.save(gigabyte):
            saved.append(second)
    assert saved == [99, 596, 893]  # one is reckoned with 1 s, took 3 s, and the next is reckoned with that
    assert not Checkpoints("", {}).save({})
