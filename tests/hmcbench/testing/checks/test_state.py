"""What counts as a change of global state, and what a run may set."""

from __future__ import annotations

import sys

import pytest

from hmcbench.testing.checks.state import Trace, unchanged


def test_a_value_that_equals_the_threads_is_no_exception() -> None:
    limit = sys.getrecursionlimit()
    with pytest.raises(Trace, match="the recursion limit"), unchanged(threads=limit + 1):
        sys.setrecursionlimit(limit + 1)
    assert sys.getrecursionlimit() == limit


@pytest.mark.torch
def test_only_the_threads_of_the_run_may_be_set() -> None:
    torch = pytest.importorskip("torch")
    threads, enabled = torch.get_num_threads(), torch.is_grad_enabled()
    with unchanged(threads=threads + 1):
        torch.set_num_threads(threads + 1)
    with pytest.raises(Trace, match="torch's threads"), unchanged(threads=threads + 1):
        torch.set_num_threads(threads + 2)
    with pytest.raises(Trace, match="torch's deterministic mode"), unchanged(threads=1):
        torch.use_deterministic_algorithms(True)  # True == 1
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, enabled)
    assert not torch.are_deterministic_algorithms_enabled()
