"""What starting up costs: which modules a command imports, and its time against ``import click``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("LOADED")]
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listing_models_takes_at_most_two_and_a_half_times_importing_click() -> None:
    """Processor time, as the smallest of several alternating runs: what a quiet machine would show."""

    def seconds(code: str) -> float:
        import resource

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    ratios = []
    until = time.monotonic() + 60
    while len(ratios) < 9 and time.monotonic() < until:
        click, listing = seconds("import click"), seconds(MAIN.format(args=["list", "models"]))
        ratios.append(listing / click)
    assert statistics.median(ratios) <= 2.5
