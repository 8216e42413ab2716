from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hmcbench.execute import resources


def test_hardware_has_a_stable_fingerprint() -> None:
    facts = resources.hardware("cpu")
    assert facts == resources.hardware("cpu")
    assert facts["device"] == "cpu"
    assert facts["cores"] >= 1
    assert facts["cpu"]
    assert len(facts["fingerprint"]) == 12


def test_versions_name_distributions_and_pass_over_what_is_not_there() -> None:
    found = resources.versions(("sklearn", "no_such_module", "hmcbench_toy"))
    assert {"python", "hmcbench", "numpy", "scikit-learn"} <= set(found)
    assert "no_such_module" not in found


def test_visible_devices_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert resources.cuda_devices() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resources.cuda_devices() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", "")
    assert resources.cuda_devices() == []


def test_memory_watch_sees_a_peak_that_is_gone() -> None:
    watch = resources.MemoryWatch(interval_s=0.01)
    block = np.ones(20_000_000)
    time.sleep(0.5)
    held = resources.process_memory(os.getpid()).private
    del block
    peak = watch.stop("cpu")
    assert peak["peak_private_mb"] is not None
    assert peak["peak_private_mb"] >= held / 1e6 - 40  # of 160: other threads of the tests take and give back
    assert peak["peak_device_mb"] is None


ALLOCATES = """
import multiprocessing, sys, time

def child(queue, megabytes):
    from hmcbench.execute.resources import MemoryWatch
    watch = MemoryWatch(interval_s=0.01)
    own = bytearray(megabytes * 10**6)
    time.sleep(0.5)
    queue.put(watch.stop("cpu")["peak_private_mb"])

if __name__ == "__main__":
    import hmcbench.execute.resources
    inherited = bytearray(300 * 10**6)  # as a fork server holds libraries
    context = multiprocessing.get_context("fork")
    for megabytes in (0, 100):
        queue = context.Queue()
        process = context.Process(target=child, args=(queue, megabytes))
        process.start()
        print(queue.get(timeout=60))
        process.join()
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no private pages on this system")
def test_pages_of_the_fork_server_are_not_memory_of_a_cell() -> None:
    """Anonymous memory has them all: a child that allocates nothing had 300 MB here."""
    done = subprocess.run([sys.executable, "-c", ALLOCATES], capture_output=True, text=True, check=True)
    nothing, something = map(float, done.stdout.split())
    assert nothing < 60
    assert 100 <= something < 160


def test_without_a_rollup_the_memory_of_a_process_is_that_of_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> str:
        raise PermissionError

    monkeypatch.setattr(resources.Path, "read_text", refuse)
    memory = resources.process_memory(os.getpid())
    assert memory.rss >= memory.private > 0
    assert memory.share == memory.private


def test_memory_of_a_tree_counts_children_and_a_dead_process_is_nothing() -> None:
    code = "import time; block = bytearray(50_000_000); print('ready', flush=True); time.sleep(30)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        own = resources.process_memory(os.getpid()).share
        assert resources.tree_memory(os.getpid()) >= own / 2 + 50_000_000
    finally:
        child.kill()
        child.communicate()
    assert resources.tree_memory(child.pid) == 0


def test_total_memory_is_positive() -> None:
    assert resources.total_memory() > 2**28


def test_a_gpu_is_used_only_by_models_that_can() -> None:
    assert resources.choose_device("auto", accelerated=False) == "cpu"
    assert resources.choose_device("cuda:0", accelerated=False) == "cpu"


def test_phases_are_timed() -> None:
    clock = resources.Clock("cpu")
    with clock.phase("load"):
        pass
    assert set(clock.seconds) == {"load_s"}
