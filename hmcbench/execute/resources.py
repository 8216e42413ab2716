"""Hardware, versions, memory, timing with device synchronisation."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from hmcbench.errors import BadInput
from hmcbench.files import processor_name

_DISTRIBUTION = {"sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow"}
MEMORY_THREAD = "memory-watch"
_ALWAYS = ("hmcbench", "numpy", "scipy")


def cuda_devices() -> list[str]:
    """Device ids that ``CUDA_VISIBLE_DEVICES`` may hold, found without using a GPU in this process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [part for part in visible.split(",") if part.strip() not in ("", "-1")]
    try:
        completed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line for line in completed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(i) for i in range(len(lines))] if completed.returncode == 0 else []


def check_device(device: str) -> None:
    """Raise BadInput for anything but auto, cpu, cuda or cuda:N."""
    kind, colon, index = device.partition(":")
    if device not in ("auto", "cpu", "cuda") and not (kind == "cuda" and colon and index.isdigit()):
        raise BadInput(f"device {device!r}", allowed="auto, cpu, cuda, cuda:N")


def choose_device(device: str, accelerated: bool) -> str:
    """``cpu`` or ``cuda:N``; ``auto`` is the first GPU where a model can use one and there is one.

    Raises:
        BadInput: there is no GPU, or none of that number.
    """
    if device == "cpu" or not accelerated:
        return "cpu"
    # XGBoost needs no torch: import it only where there is a GPU
    if cuda_devices() and importlib.util.find_spec("torch"):
        torch = importlib.import_module("torch")
        if torch.cuda.is_available():
            number, there = int(device.partition(":")[2] or 0), torch.cuda.device_count()
            if number >= there:
                names = ", ".join(f"cuda:{i}" for i in range(there))
                raise BadInput(f"device {device!r} is not here", allowed=f"auto, cpu, {names}")
            torch.cuda.reset_peak_memory_stats(number)
            return f"cuda:{number}"
    if device == "auto":
        return "cpu"
    raise BadInput(
        f"device {device}: there is no GPU that torch can use", hint="--device auto or --device cpu"
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware(device: str, at_a_time: int = 1) -> dict[str, Any]:
    """CPU, cores, memory, device, and a fingerprint: only timings with the same one are compared.

    Where several cells share the device, their number is one of these facts.
    """
    gpu = ""
    if device.startswith("cuda"):
        torch = sys.modules["torch"]
        gpu = torch.cuda.get_device_name(device)
    facts: dict[str, Any] = {
        "cpu": processor_name(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "device": "cuda" if gpu else "cpu",
        "gpu": gpu,
        "system": platform.system(),
        **({"at_a_time": at_a_time} if at_a_time > 1 else {}),
    }
    text = "|".join(str(facts[k]) for k in sorted(facts))
    return {**facts, "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:12]}


def versions(modules: Iterable[str]) -> dict[str, str]:
    """Versions of python, the core's packages and the given modules' distributions."""
    from importlib.metadata import PackageNotFoundError, version

    installed = {"python": platform.python_version()}
    for module in (*_ALWAYS, *modules):
        name = _DISTRIBUTION.get(module.partition(".")[0], module.partition(".")[0])
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


def git_revision() -> str | None:
    """Revision of the checkout that hmcbench runs from, with ``-dirty``; None if it is installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return completed.stdout.strip() or None


def synchronise(device: str) -> None:
    """Wait until the device has finished; timings are wrong otherwise."""
    if device.startswith("cuda"):
        sys.modules["torch"].cuda.synchronize(device)


class Clock:
    """Seconds per phase, with device synchronisation at both ends."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        synchronise(self.device)
        start = time.perf_counter()
        yield
        synchronise(self.device)
        self.seconds[f"{name}_s"] = round(time.perf_counter() - start, 6)


def machine() -> str:
    """Fingerprint of the hardware without a GPU: features are computed on the CPU."""
    return str(hardware("cpu")["fingerprint"])


class MemoryWatch:
    """Peak resident and private memory of this process, sampled from a thread.

    Pages that a cell shares with the fork server (copy-on-write) and files that it has only read are
    resident, but not private: the private memory is what a cell needs for itself.
    """

    def __init__(self, interval_s: float = 0.05) -> None:
        self.peak_rss = self.peak_private = 0
        self._interval = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name=MEMORY_THREAD)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.is_set():
            start = time.perf_counter()
            self.sample()  # takes longer the more memory there is: at most a tenth of the time
            self._stop.wait(max(self._interval, 10 * (time.perf_counter() - start)))

    def sample(self) -> None:
        memory = process_memory(os.getpid())
        self.peak_rss = max(self.peak_rss, memory.rss)
        self.peak_private = max(self.peak_private, memory.private)

    def end(self) -> None:
        """End the thread, if it runs."""
        self._stop.set()
        self._thread.join()

    def stop(self, device: str) -> dict[str, float | None]:
        """Megabytes (10^6 bytes); device memory only on a GPU."""
        self.end()
        self.sample()
        on_device = None
        if device.startswith("cuda"):
            on_device = round(sys.modules["torch"].cuda.max_memory_reserved(device) / 1e6, 1)
        return {
            "peak_rss_mb": round(self.peak_rss / 1e6, 1),
            "peak_private_mb": round(self.peak_private / 1e6, 1),
            "peak_device_mb": on_device,
        }


class Memory(NamedTuple):
    """Memory of a process, in bytes.

    Attributes:
        rss: resident.
        private: changed by this process alone; no other process shares it.
        share: anonymous, where of a page that n processes share each has an n-th part.
    """

    rss: int
    private: int
    share: int


def process_memory(pid: int) -> Memory:
    """The memory of a process; zeros when it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace")
    except OSError:  # no Linux, or not allowed
        return _portable_memory(pid)
    lines = (line.split() for line in text.splitlines()[1:])
    kilobytes = {fields[0]: int(fields[1]) for fields in lines}
    names = ("Rss:", "Private_Dirty:", "Pss_Anon:" if "Pss_Anon:" in kilobytes else "Anonymous:")
    return Memory(*(1024 * kilobytes.get(name, 0) for name in names))


def _portable_memory(pid: int) -> Memory:
    try:
        process = psutil.Process(pid)
        rss = int(process.memory_info().rss)
        try:
            private = int(process.memory_full_info().uss)
        except (psutil.AccessDenied, AttributeError):
            private = rss
    except psutil.Error:
        return Memory(0, 0, 0)
    return Memory(rss, private, private)


def tree_memory(pid: int) -> int:
    """Anonymous bytes of a process and all its descendants, each page once.

    Of the pages that a cell shares with the fork server, its part counts (half, if one cell runs).
    """
    total = process_memory(pid).share
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return total
    return total + sum(process_memory(child.pid).share for child in children)


def total_memory() -> int:
    """Bytes of memory that this machine, or the control group it runs in, has."""
    total = int(psutil.virtual_memory().total)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total
