"""Checkpoints by epoch: a killed training goes on where it was, and ends as if nothing had been.

Every epoch seeds its own random numbers (:func:`hmcbench.torchkit.numerics.seed_epoch`), so a
checkpoint between two epochs holds no generator state. Files hold tensors and plain values only
and are read with ``weights_only=True``: nothing in them is executed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from hmcbench.cache import replacing

SHARE = 0.03
"""Largest share of the time spent on saving; rarer checkpoints lose epochs, not exactness."""


class Checkpoints:
    """The one checkpoint file of a cell.

    Args:
        folder: the private folder of the cell; empty: nothing is kept.
        identity: plain values that must agree for a checkpoint to be taken up again.
    """

    def __init__(self, folder: str, identity: dict[str, Any]) -> None:
        self.path = Path(folder) / "checkpoint.pt" if folder else None
        self.identity = identity
        self._began, self._spent = perf_counter(), 0.0

    def load(self) -> dict[str, Any] | None:
        """The saved state (on the CPU), or None where there is none that fits."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            return None  # a torn or foreign file: the training starts again
        if not isinstance(state, dict) or state.get("identity") != self.identity:
            return None
        return state

    def save(self, state: dict[str, Any]) -> bool:
        """Save, unless too much time has gone into saving; whether it was saved."""
        if self.path is None or self._spent > SHARE * (perf_counter() - self._began):
            return False
        start = perf_counter()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as fresh:
            torch.save({**state, "identity": self.identity}, fresh)
        self._spent += perf_counter() - start
        return True
