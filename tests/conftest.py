"""Fixtures of all tests. Helpers for the tests of plugins are in :mod:`hmcbench.testing.helpers`."""

from __future__ import annotations

import os
import site
import subprocess
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from hmcbench.cli import main
from hmcbench.testing.helpers import SHARED, shared_data

# the same examples every time and no deadline: no test fails because the machine is slow
hypothesis.settings.register_profile("hmcbench", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("hmcbench")


@pytest.fixture(scope="session", autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[None]:
    """Built-in plugins only, an own cache, and the folder of the shared data, for child processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HMCBENCH_PLUGINS", "builtin")
        patch.setenv("HMCBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        if not os.environ.get(SHARED):
            patch.setenv(SHARED, str(pytestconfig.rootpath.parent / "shared" / "datasets"))
        yield


@pytest.fixture(autouse=True)
def idle_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs leave the cores free: tests that run beside each other keep their threads."""
    monkeypatch.setattr("hmcbench.execute.free_cores.busy_cores", lambda: 0.0)


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """``shared("xsdd")``: the folder of a real dataset, or a skip that names the searched folder."""
    return shared_data


def processor_time(work: Callable[[], object]) -> float:
    """Seconds of one call, without those of other programs."""
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.fixture
def growth() -> Callable[..., float]:
    """``growth(prepare, small, large)``: how many times as long the work of the large size takes.

    ``prepare(size)`` makes the work of a size; making it is not measured. Each time is the least of
    five calls, in turns, so that a busy machine slows both. With sizes 16 times apart, the time grows
    16-fold if it is in proportion and 256-fold if by the square: assert less than 64.
    """

    def measure(prepare: Callable[[int], Callable[[], object]], small: int, large: int) -> float:
        few, many = prepare(small), prepare(large)
        few(), many()  # imports and first use
        times = [(processor_time(few), processor_time(many)) for _ in range(5)]
        least_few, least_many = (min(column) for column in zip(*times, strict=True))
        return least_many / max(least_few, 1e-4)  # a shorter time is that of the clock

    return measure


@dataclass(frozen=True)
class Ended:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """The real command line in this process: ``cli("list", "models")``."""

    def call(*args: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in args])
        out, err = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Ended(stop.value.code, out, err)

    return call


@dataclass(frozen=True)
class Shell:
    """Runs lines in a folder with an environment of its own: ``shell("pip list")``."""

    folder: Path
    programs: Path

    def __call__(self, line: str) -> str:
        """The output of a line, which must succeed."""
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "HMCBENCH_PLUGINS")}
        environment["PATH"] = f"{self.programs}{os.pathsep}{environment['PATH']}"
        completed = subprocess.run(
            line, shell=True, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert completed.returncode == 0, f"{line}\n{completed.stdout}{completed.stderr}"
        return completed.stdout


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Shell]:
    """``fresh(folder)``: a shell in that folder, with hmcbench, pytest and a ``pip`` that needs no network.

    The packages of this environment are visible through a ``.pth`` file; new ones are installed apart.
    """
    uv = pytest.importorskip("uv", reason="uv installs the plugins").find_uv_bin()
    pytest.importorskip("hatchling", reason="hatchling builds the plugins")
    base = tmp_path_factory.mktemp("environment")
    venv.create(base, with_pip=False)
    programs = base / "bin"
    python = programs / "python"
    query = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    purelib = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    outer = "".join(f"import site; site.addsitedir({p!r})\n" for p in site.getsitepackages())
    (Path(purelib) / "outer.pth").write_text(outer, encoding="utf-8")
    offline = f"--python {python} --quiet --offline --no-deps --no-build-isolation"
    scripts = {
        "hmcbench": f'{python} -c "from hmcbench.cli import main; main()" "$@"',
        "pytest": f'{python} -m pytest "$@"',
        "pip": f'test "$1" = install && shift && exec {uv} pip install {offline} "$@"',
    }
    for name, line in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    return lambda folder: Shell(folder, programs)
