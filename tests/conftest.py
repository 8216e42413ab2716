"""What all tests share. Helpers that plugins may use too are in :mod:`hmcbench.testing`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

from hmcbench.cli import main
from hmcbench.testing import SHARED, shared_data

# the same examples every time, and no clock: a test fails for what it tests, not for a slow machine
hypothesis.settings.register_profile("hmcbench", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("hmcbench")


@pytest.fixture(scope="session", autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[None]:
    """Own plugins only, a cache of its own, and the place of the shared data, for children too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HMCBENCH_PLUGINS", "builtin")
        patch.setenv("HMCBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        if not os.environ.get(SHARED):
            patch.setenv(SHARED, str(pytestconfig.rootpath.parent / "shared" / "datasets"))
        yield


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """``shared("xsdd")``: the folder of a real data set, or a skip that says where it was looked for."""
    return shared_data


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

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
