"""What the rest of a process sees: a plugin that changes it changes the cells after it."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

OFTEN = ("PWD", "OLDPWD", "_")  # variables that mean nothing


def snapshot() -> dict[str, Any]:
    """Everything global that is looked at, by the name it is told under."""
    import psutil

    torch = sys.modules.get("torch")
    seen: dict[str, Any] = {
        "the working directory": os.getcwd(),  # noqa: PTH109 (text, compared as it is)
        "the environment": {k: v for k, v in os.environ.items() if k not in OFTEN},
        "sys.path": list(sys.path),
        "the recursion limit": sys.getrecursionlimit(),
        "numpy's error handling": np.geterr(),
        "the signal handlers": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
        "running threads": [t for t in threading.enumerate() if not t.daemon],
        "child processes": {p.pid for p in psutil.Process().children(recursive=True)},
    }
    if torch is not None:
        seen |= {
            "torch's default type": torch.get_default_dtype(),
            "torch's default device": str(torch.get_default_device()),
            "torch's threads": torch.get_num_threads(),
            "torch's gradient mode": torch.is_grad_enabled(),
            "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        }
    return seen


def generators() -> dict[str, bytes]:
    """The states of the global random generators."""
    torch = sys.modules.get("torch")
    states = {
        "random": repr(random.getstate()).encode(),
        "numpy.random": np.random.get_state()[1].tobytes(),  # type: ignore[index]  # noqa: NPY002
    }
    if torch is not None:
        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states


class Trace(AssertionError):
    """Something global was changed."""


@contextmanager
def unchanged(threads: int | None = None) -> Iterator[None]:
    """Whatever was changed meanwhile is an error; and it is put back as far as it can be.

    Args:
        threads: a number of torch threads that may be set (what the run was told to use).
    """
    torch_was_there = "torch" in sys.modules
    before = snapshot()
    try:
        yield
    finally:
        after = snapshot()
        changed = [what for what in before if before[what] != after[what] and after[what] != threads]
        _restore(before)
    # the first import of torch changes the environment and the threads by itself
    if "torch" in sys.modules and not torch_was_there:
        changed = [what for what in changed if what != "the environment"]
    if changed:
        raise Trace(f"it changed {', '.join(changed)}" + _which(before, after, changed))


def _which(before: dict[str, Any], after: dict[str, Any], changed: list[str]) -> str:
    if "the environment" not in changed:
        return ""
    one, two = before["the environment"], after["the environment"]
    names = sorted(k for k in {*one, *two} if one.get(k) != two.get(k))
    return f" ({', '.join(names[:5])})"


def _restore(before: dict[str, Any]) -> None:
    os.chdir(before["the working directory"])
    for name in [k for k in os.environ if k not in OFTEN and k not in before["the environment"]]:
        del os.environ[name]
    os.environ.update(before["the environment"])
    sys.path[:] = before["sys.path"]
    sys.setrecursionlimit(before["the recursion limit"])
    np.seterr(**before["numpy's error handling"])
    torch = sys.modules.get("torch")
    if torch is not None and "torch's threads" in before:
        torch.set_default_dtype(before["torch's default type"])
        torch.set_num_threads(before["torch's threads"])
        torch.set_grad_enabled(before["torch's gradient mode"])
        torch.use_deterministic_algorithms(before["torch's deterministic mode"])
