"""What starting up costs: which modules a command imports, and its time against ``import click``."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "torchvision", "timm", "sklearn", "scipy", "numpy", "PIL", "rich", "skimage", "pandas")
MAIN = "from hmcbench.cli import main; main({args!r})"


def imported(args: list[str]) -> set[str]:
    """Heavy modules that a command has imported by its end."""
    code = (
        "import sys, atexit\n"
        f"heavy = lambda: [m for m in {HEAVY!r} if m in sys.modules]\n"
        "atexit.register(lambda: print('LOADED', *heavy(), file=sys.stderr))\n" + MAIN.format(args=args)
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    (line,) = [line for line in completed.stderr.splitlines() if line.startswith("LOADED")]
    return set(line.split()[1:])


@pytest.mark.parametrize(
    "args",
    [
        ["list", "models"],
        ["list", "plugins"],
        ["list", "metrics", "--json"],
        ["list", "suites"],
        ["list", "featurizers"],
        ["show", "model", "hffnet-2d"],
        ["show", "suite", "sem-failure"],
        ["--help"],
        ["run", "--help"],
    ],
    ids=" ".join,
)
def test_listing_imports_no_numerical_library(args: list[str]) -> None:
    assert imported(args) == set()


def test_importing_the_package_is_light() -> None:
    code = f"import hmcbench, sys; print([m for m in {HEAVY!r} + ('click', 'pluggy') if m in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_listing_does_without_what_is_costly() -> None:
    """importlib.metadata and what it pulls in cost as much as all the rest of ``hmcbench list``.

    The objects of the contract are dataclasses, which cost a third of a millisecond each.
    """
    costly = (
        "importlib.metadata",
        "email",
        "zipfile",
        "socket",
        "tempfile",
        "pathlib",
        "csv",
        "hmcbench.interfaces.objects",
    )
    code = (
        "import click, sys; before = set(sys.modules)\n"
        "import atexit\n"
        f"atexit.register(lambda: print(*[m for m in {costly!r} if m in set(sys.modules) - before],"
        " file=sys.stderr))\n" + MAIN.format(args=["list", "models"])
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stderr.split() == []


@pytest.mark.alone
def test_listing_models_takes_at_most_2_5_times_importing_click(tmp_path: Path) -> None:
    """Processor time in alternating runs, with the byte code on disk as it is after a first use."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)

    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    pair = ("import click", MAIN.format(args=["list", "models"]))
    for code in pair:
        seconds(code)
    # the least of many: whatever else the machine does can only add
    click, listing = (
        min(times) for times in zip(*([seconds(c) for c in pair] for _ in range(15)), strict=True)
    )
    assert listing <= 2.5 * click
