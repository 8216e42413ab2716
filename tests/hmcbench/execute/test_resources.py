from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute import resources, runner
from hmcbench.execute.executors.here import HereExecutor
from hmcbench.plan.cells import make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import tiny_suite


def test_hardware_has_a_stable_fingerprint() -> None:
    facts = resources.hardware("cpu")
    assert facts == resources.hardware("cpu")
    assert facts["device"] == "cpu"
    assert facts["cores"] >= 1
    assert facts["cpu"]
    assert len(facts["fingerprint"]) == 12


def test_versions_name_distributions_and_pass_over_what_is_not_there() -> None:
    versions = resources.versions(("sklearn", "no_such_module", "hmcbench_toy"))
    assert {"python", "hmcbench", "numpy", "scikit-learn"} <= set(versions)
    assert "no_such_module" not in versions


def test_visible_devices_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert resources.cuda_devices() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resources.cuda_devices() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", "")
    assert resources.cuda_devices() == []


WATCHED = """
import json, os, time
import numpy as np
from hmcbench.execute import resources

watch = resources.MemoryWatch(interval_s=0.01)
block = np.ones(20_000_000)  # 160 MB
time.sleep(2)
held = resources.process_memory(os.getpid()).private
del block
print(json.dumps([held / 1e6, resources.process_memory(os.getpid()).private / 1e6, watch.stop("cpu")]))
"""


def test_memory_watch_sees_a_peak_that_is_gone() -> None:
    """In a process of its own, whose memory nothing else changes."""
    completed = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, check=True)
    held, after, peak = json.loads(completed.stdout)
    assert after < held - 120
    assert peak["peak_private_mb"] >= held - 40
    assert peak["peak_device_mb"] is None


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


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A torch that sees two GPUs; what it was asked of which."""
    asked: list[object] = []

    def noted(name: str, value: object = None) -> Any:
        return lambda device=None: asked.append((name, device)) or value

    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 2,
        reset_peak_memory_stats=noted("reset"),
        get_device_name=noted("name", "a GPU"),
        synchronize=noted("wait"),
        max_memory_reserved=noted("memory", 10**6),
    )
    torch = ModuleType("torch")
    torch.cuda = cuda  # type: ignore[attr-defined]
    torch.__spec__ = ModuleSpec("torch", None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    return asked


@pytest.mark.parametrize(
    ("device", "chosen"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:1")]
)
def test_the_gpu_is_that_of_the_number(device: str, chosen: str, two_gpus: list[object]) -> None:
    assert resources.choose_device(device, accelerated=True) == chosen
    assert two_gpus == [("reset", int(chosen[-1]))]
    assert resources.hardware(chosen)["gpu"] == "a GPU"
    resources.synchronise(chosen)
    assert resources.MemoryWatch().stop(chosen)["peak_device_mb"] == 1
    assert two_gpus[1:] == [("name", chosen), ("wait", chosen), ("memory", chosen)]


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_here_is_refused() -> None:
    with pytest.raises(BadInput, match=r"device 'cuda:2' is not here\. Allowed: auto, cpu, cuda:0, cuda:1"):
        resources.choose_device("cuda:2", accelerated=True)


@pytest.mark.usefixtures("two_gpus")
def test_in_this_process_a_gpu_keeps_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker sees one GPU alone; this process sees all."""
    registry = default_registry()
    suite = parse_suite(tiny_suite("here", ["prior"]), "s")
    seen: list[str] = []
    monkeypatch.setattr(runner, "HereExecutor", lambda device: seen.append(device) or HereExecutor("cpu"))
    plan = make_plan(suite, registry, Choices())
    runner.execute(plan, tmp_path, device="cuda:1", executor="here")
    assert seen == ["cuda:1"]
