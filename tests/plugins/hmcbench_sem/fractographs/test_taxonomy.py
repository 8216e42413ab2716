"""The hierarchy of failure mechanisms is the paper's."""

from __future__ import annotations

from hmcbench_sem.datasets import failure_hierarchy
from hmcbench_sem.fractographs.taxonomy import CLASSES, LEAVES


def test_taxonomy_is_table_1() -> None:
    assert [leaf.test for leaf in LEAVES] == [32, 36, 13, 72, 20, 20]
    assert [leaf.train + leaf.test for leaf in LEAVES] == [327, 365, 137, 727, 206, 202]
    hierarchy = failure_hierarchy()
    assert hierarchy.level_sizes.tolist() == [2, 6]
    assert set(hierarchy.descriptions) == {c.id for c in CLASSES}
