"""The fixture ``ratio``, and the table of all ratios at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ratios import Ratios

RATIOS = pytest.StashKey[Ratios]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ratios", type=Path, metavar="FILE", help="write the table of ratios as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RATIOS] = Ratios()


@pytest.fixture
def ratio(request: pytest.FixtureRequest) -> Callable[..., None]:
    """``ratio(work, peer, theirs, ours, asked)``: see :meth:`ratios.Ratios.compare`."""
    return request.config.stash[RATIOS].compare


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ratios, path = config.stash[RATIOS], config.getoption("--ratios")
    if path is not None:
        ratios.save(path)
    if ratios.rows:
        terminalreporter.section("ratios: their time divided by ours")
        terminalreporter.write_line(ratios.table("simple"))
