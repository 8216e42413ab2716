"""Checkpoints by epoch: a killed training resumes and ends with the same numbers.

Every epoch seeds its own random numbers (:func:`hmcbench.torchkit.device.seed_epoch`), so a
checkpoint between two epochs holds no generator state. Files hold tensors and plain values only
and are read with ``weights_only=True``: nothing in them is executed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from hmcbench.files import replacing

SHARE = 0.01
"""Largest share of the time spent on saving; rarer checkpoints lose epochs, not exactness."""
BYTES_PER_S = 1e9  # speed of saving that is assumed until it was measured


class Checkpoints:
    """The one checkpoint file of a cell.

    Args:
        folder: the private folder of the cell; empty: nothing is saved.
        identity: plain values; a checkpoint with other values is not used.
    """

    def __init__(self, folder: str, identity: dict[str, Any]) -> None:
        self.path = Path(folder) / "checkpoint.pt" if folder else None
        self.identity = identity
        self._began, self._spent, self._last = perf_counter(), 0.0, 0.0

    def load(self) -> dict[str, Any] | None:
        """The saved state (on the CPU), or None without a matching checkpoint."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            return None  # a damaged or foreign file: the training starts from the beginning
        if not isinstance(state, dict) or state.get("identity") != self.identity:
            return None
        return state

    def save(self, state: dict[str, Any]) -> bool:
        """Save unless this would exceed the share of time for saving; whether it was saved.

        Where it cannot be written, as on a full disk, the training goes on: it may need no checkpoint.
        """
        if self.path is None:
            return False
        start = perf_counter()
        expected = self._last or size_of(state) / BYTES_PER_S
        if self._spent + expected > SHARE * (start - self._began):
            return False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as fresh:
                torch.save({**state, "identity": self.identity}, fresh)
        except (OSError, RuntimeError):  # the latter: what torch makes of the former
            self._spent += perf_counter() - start
            return False
        self._last = perf_counter() - start
        self._spent += self._last
        return True


def size_of(state: Any) -> int:
    """Bytes of all tensors in nested dicts and lists."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return sum(map(size_of, parts))
