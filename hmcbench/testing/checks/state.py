"""Global state of the process: a plugin that changes it affects the cells that run later."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hmcbench.testing.checks.base import Check

IGNORED = ("PWD", "OLDPWD", "_")  # environment variables
THREADS = "torch's threads"


def snapshot() -> dict[str, Any]:
    """The observed global state: description -> value."""
    import psutil

    torch = sys.modules.get("torch")
    values: dict[str, Any] = {
        "the working directory": os.getcwd(),  # noqa: PTH109 (text, compared as it is)
        "the environment": {k: v for k, v in os.environ.items() if k not in IGNORED},
        "sys.path": list(sys.path),
        "the recursion limit": sys.getrecursionlimit(),
        "numpy's error handling": np.geterr(),
        "the signal handlers": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
        "running threads": [t for t in threading.enumerate() if not t.daemon],
        "child processes": {p.pid for p in psutil.Process().children(recursive=True)},
    }
    if torch is not None:
        values |= {
            "torch's default type": torch.get_default_dtype(),
            "torch's default device": str(torch.get_default_device()),
            THREADS: torch.get_num_threads(),
            "torch's gradient mode": torch.is_grad_enabled(),
            "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        }
    return values


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
    """Raise Trace where global state changes inside the context, and restore it as far as possible.

    Args:
        threads: a number of torch threads that may be set (that of the run).
    """
    torch_imported = "torch" in sys.modules
    before = snapshot()
    try:
        yield
    finally:
        after = snapshot()
        changed = [name for name in before if before[name] != after[name]]
        if threads is not None and after.get(THREADS) == threads:
            changed = [name for name in changed if name != THREADS]
        _restore(before)
    # the first import of torch changes the environment and the threads by itself
    if "torch" in sys.modules and not torch_imported:
        changed = [name for name in changed if name != "the environment"]
    if changed:
        variables = ""
        if "the environment" in changed:
            old, new = before["the environment"], after["the environment"]
            variables = f" ({', '.join(sorted(k for k in {*old, *new} if old.get(k) != new.get(k))[:5])})"
        raise Trace(f"it changed {', '.join(changed)}{variables}")


def state_check(run: Callable[[Any], None]) -> Check:
    return Check("global state unchanged", "code that runs later in the process would be affected", run)


def _restore(before: dict[str, Any]) -> None:
    os.chdir(before["the working directory"])
    for name in [k for k in os.environ if k not in IGNORED and k not in before["the environment"]]:
        del os.environ[name]
    os.environ.update(before["the environment"])
    sys.path[:] = before["sys.path"]
    sys.setrecursionlimit(before["the recursion limit"])
    np.seterr(**before["numpy's error handling"])
    torch = sys.modules.get("torch")
    if torch is not None and THREADS in before:
        torch.set_default_dtype(before["torch's default type"])
        torch.set_num_threads(before[THREADS])
        torch.set_grad_enabled(before["torch's gradient mode"])
        torch.use_deterministic_algorithms(before["torch's deterministic mode"])
