"""Labels joined to their nearest common ancestors, against Python sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.lca_sets import lca_f1, lca_p, lca_r

TREE = Hierarchy.from_edges(
    [("", "a"), ("a", "b"), ("a", "e"), ("b", "c"), ("b", "d"), ("", "x"), ("x", "y")]
)
DAG = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("b", "c"), ("b", "d"), ("c", "e"), ("d", "e")])


def above(h: Hierarchy, name: str) -> set[str]:
    return {name}.union(*(above(h, parent) for parent in h.parents(name)))


def joined(h: Hierarchy, own: list[str], other: list[str]) -> tuple[set[str], set[str]]:
    """The classes that joining the labels of ``own`` adds to both sides."""
    level = {name: int(h.levels[h.index(name)]) for name in h.classes} | {"": 0}
    mine: set[str] = set()
    theirs: set[str] = set()
    for label in own:
        if not other:
            mine |= above(h, label)
            continue
        pairs = []
        for partner in other:
            common = above(h, label) & above(h, partner)
            meet = max(common, key=h.index, default="")
            distance = level[label] + level[partner] - 2 * level[meet]
            pairs.append((distance, -level[meet], h.index(partner), meet))
        *_, column, meet = min(pairs)
        for side, end in ((mine, label), (theirs, h.classes[column])):
            side |= {c for c in above(h, end) if not meet or meet in above(h, c)}
    return mine, theirs


def slow(h: Hierarchy, true: list[str], said: list[str]) -> tuple[float, float, float]:
    first, second = joined(h, true, said), joined(h, said, true)
    truth, prediction = first[0] | second[1], first[1] | second[0]
    both = len(truth & prediction)
    p, r = both / len(prediction) if prediction else 0.0, both / len(truth) if truth else 0.0
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


@pytest.mark.parametrize("h", [TREE, DAG], ids=["tree", "dag"])
@pytest.mark.parametrize("sparse", [False, True])
def test_random_sets(h: Hierarchy, sparse: bool) -> None:
    rng = np.random.default_rng(0)
    truth, said = (h.close(rng.random((80, h.n)) < 0.2) for _ in range(2))
    kind = csr_array if sparse else np.asarray
    e = Evaluation.of_sets(h, kind(truth), kind(said))
    rows = [slow(h, list(h.decode(y)), list(h.decode(s))) for y, s in zip(truth, said, strict=True)]
    counted = truth.any(axis=1) | said.any(axis=1)
    expected = np.array(rows)[counted].mean(axis=0)
    assert [lca_p(e), lca_r(e), lca_f1(e)] == pytest.approx(expected.tolist(), abs=1e-12)
    assert 0 < counted.sum() < 80


def test_one_mistake_near_a_leaf_counts_as_one_near_the_root() -> None:
    """Closed sets of c for d share two of three classes, of e for b one of two."""
    for true, said in (("c", "d"), ("e", "b")):
        e = Evaluation.of_sets(TREE, TREE.encode([[true]]), TREE.encode([[said]]))
        assert lca_f1(e) == 0.5
