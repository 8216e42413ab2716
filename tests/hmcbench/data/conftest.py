"""A dataset with a known number of samples per class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task


def _counted(counts: list[int], **changes: Any) -> Dataset:
    """One path per sample; ``counts`` samples of each of five leaves."""
    hierarchy = Hierarchy.from_edges(
        [("", "a"), ("", "b"), *[("a", f"a{i}") for i in range(2)], *[("b", f"b{i}") for i in range(3)]]
    )
    leaves = [hierarchy.classes[k] for k in hierarchy.leaves]
    labels = [[leaf] for leaf, n in zip(leaves, counts, strict=True) for _ in range(n)]
    return Dataset(
        ids=[f"i{i:04d}" for i in range(len(labels))],
        views={},
        targets=hierarchy.encode(labels).toarray(),
        task=Task(hierarchy=hierarchy),
        fingerprint="",
        **changes,
    )


@pytest.fixture(scope="session")
def counted() -> Callable[..., Dataset]:
    """``counted([3, 1, 4, 1, 5], groups=...)``: that many samples of each of five leaves."""
    return _counted
