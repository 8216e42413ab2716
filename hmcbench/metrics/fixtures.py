"""Small evaluations with known answers; the examples of every metric use them."""

from __future__ import annotations

import numpy as np

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Task
from hmcbench.metrics.evaluation import Apart, Evaluation

LEVEL_2 = np.array(
    [
        [30, 1, 1, 0, 0, 0],
        [2, 33, 1, 0, 0, 0],
        [1, 0, 12, 0, 0, 0],
        [0, 0, 0, 67, 3, 2],
        [0, 0, 0, 1, 18, 1],
        [0, 0, 0, 1, 0, 19],
    ]
)
"""Figure 5 of the HFFNet-2d paper: test images by true (rows) and predicted class of level 2."""

LEVEL_1 = np.array([[79, 2], [2, 110]])
"""Figure 4 of the HFFNet-2d paper: the same of level 1."""


def three_samples() -> Evaluation:
    """Truth {c}, {d}, {y}; predicted {d}, {e}, {z}; edges a>b, a>e, b>c, b>d, x>y, y>z.

    Sets without scores, single path. Closed: abc, abd, xy against abd, ae, xyz.

    >>> three_samples().hierarchy.classes
    ('a', 'x', 'b', 'e', 'y', 'c', 'd', 'z')
    >>> three_samples().counts.tolist()  # in both, predicted, true
    [[2, 3, 3], [1, 2, 3], [2, 3, 2]]
    """
    edges = [("a", "b"), ("a", "e"), ("b", "c"), ("b", "d"), ("x", "y"), ("y", "z")]
    hierarchy = Hierarchy.from_edges(edges)
    truth = hierarchy.encode([["c"], ["d"], ["y"]]).toarray()
    predicted = hierarchy.encode([["d"], ["e"], ["z"]]).toarray()
    return Evaluation.of_sets(hierarchy, truth, predicted, paths="single")


def confusion_matrices() -> Evaluation:
    """The confusion matrices of the HFFNet-2d paper, one sample per test image: single path, 193.

    The matrices are given apart, so which image has which error is not known: level 2 never
    leaves the true branch, and the 4 errors of level 1 are put on the first images of each
    branch. The level decision has 0.9 of its level, the other classes share the rest.

    >>> e = confusion_matrices()
    >>> len(e), e.hierarchy.classes[:3]
    (193, ('mechanical', 'thermal', 'mechanical/1'))
    """
    parents = ["mechanical", "thermal"]
    hierarchy = Hierarchy.from_paths([(p, str(i)) for p in parents for i in (1, 2, 3)])
    # cells of the matrix, once for every image in it; columns of level 2 follow the 2 of level 1
    true, said = np.repeat(np.argwhere(LEVEL_2 > 0), LEVEL_2[LEVEL_2 > 0], axis=0).T
    branch = true // 3
    said_branch = branch.copy()
    for b in range(2):
        said_branch[np.flatnonzero(branch == b)[: LEVEL_1[b, 1 - b]]] = 1 - b
    rows = np.arange(len(true))
    truth = np.zeros((len(true), 8), dtype=bool)
    truth[rows, branch] = truth[rows, 2 + true] = True
    scores = np.full((len(true), 8), [0.1, 0.1, *[0.02] * 6], dtype=np.float32)
    scores[rows, said_branch] = scores[rows, 2 + said] = 0.9
    return Evaluation.of(Task("hmc", "single", "full", hierarchy), truth, scores)


def two_alloys() -> Evaluation:
    """Regression: strength 100, 200, 400 predicted 110, 190, 400; hardness 2, 2, 2 predicted 2, 3, 2.

    >>> two_alloys().task.targets
    ('strength', 'hardness')
    """
    truth = np.array([[100.0, 2.0], [200.0, 2.0], [400.0, 2.0]])
    predicted = np.array([[110.0, 2.0], [190.0, 3.0], [400.0, 2.0]])
    return Evaluation.of_regression(Task("regression", targets=("strength", "hardness")), truth, predicted)


def four_scores() -> Evaluation:
    """Scores on the tree a>b, a>c of four samples, multiple paths; the last breaks the hierarchy.

    >>> four_scores().truth.sum(axis=0).tolist()
    [3, 2, 1]
    """
    hierarchy = Hierarchy.from_edges([("a", "b"), ("a", "c")])
    truth = hierarchy.encode([["b"], ["c"], ["b"], []]).toarray()
    scores = np.array([[0.9, 0.8, 0.1], [0.8, 0.3, 0.6], [0.7, 0.3, 0.2], [0.2, 0.1, 0.3]])
    training = np.array([[3, 3], [1, 3], [1, 3]])  # a has no information content, b and c one bit each
    return Evaluation.of(Task("hmc", "multiple", "ragged", hierarchy), truth, scores, training=training)


def two_maps() -> Evaluation:
    """Label maps of two images, on the tree a>a/x, a>a/y, b; the last pixel is not labelled.
    b has objects; borders must be exact.

    Truth ``xxyb / xxyb`` and ``yyy / bb.``, predicted ``xxyy / xyyb`` and ``yxx / bbb``.

    >>> two_maps().pairs.counts.sum(axis=1).tolist()
    [8, 5]
    """
    hierarchy = Hierarchy.from_paths([("a", "x"), ("a", "y"), ("b",)])
    legend = hierarchy.encode([["a/x"], ["a/y"], ["b"]]).toarray()
    letters = {"x": 0, "y": 1, "b": 2, ".": 255}

    def maps(*pictures: str) -> LabelMaps:
        rows = [[[letters[c] for c in row] for row in picture.split()] for picture in pictures]
        drawn = [np.array(row, dtype=np.uint8) for row in rows]
        return LabelMaps(drawn, legend, np.zeros(len(drawn)), objects=("b",))

    task = Task("hmc", "single", "full", hierarchy, unit="pixel")
    return Evaluation.of_maps(task, maps("xxyb xxyb", "yyy bb."), maps("xxyy xyyb", "yxx bbb"))


def selected() -> Evaluation:
    """Five samples on the tree a>a1, a>a2, b>b1, b>b2 with q of 1/8 steps, and where each path turns wrong.

    Paths and q: a, a1 (1, .875) right; a, a1 (.75, .5) wrong at a1; b, b1 (1, .75) right;
    b, b1 (.625, .625) wrong at b; b, b2 (.75, .5) right.

    >>> selected().likeliest.q.tolist()
    [[1.0, 0.875], [0.75, 0.5], [1.0, 0.75], [0.625, 0.625], [0.75, 0.5]]
    """
    ends = np.array(  # a1, a2, b1, b2
        [
            [0.875, 0.125, 0, 0],
            [0.5, 0.25, 0.25, 0],
            [0, 0, 0.75, 0.25],
            [0.375, 0, 0.625, 0],
            [0.25, 0, 0.25, 0.5],
        ]
    )
    return _four_ends(ends, ["a1", "a2", "b1", "a1", "b2"])


def with_calibration() -> Evaluation:
    """The samples of :func:`selected`, with themselves as calibration side, alpha .4."""
    e = selected()
    ids = [f"s{i}" for i in range(len(e))]
    calibration = Evaluation.of(e.task, e.truth, e.scores, apart=Apart(ids))
    return Evaluation.of(e.task, e.truth, e.scores, apart=Apart(ids, calibration, alpha=0.4))


def _four_ends(ends: np.ndarray, labels: list[str]) -> Evaluation:
    """Probabilities of the four ends; a class of level 1 scores 1, so that products are theirs."""
    hierarchy = Hierarchy.from_edges([("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")])
    scores = np.concatenate([np.ones((len(ends), 2)), ends], axis=1)
    truth = hierarchy.encode([[label] for label in labels]).toarray()
    return Evaluation.of(Task("hmc", "single", "full", hierarchy), truth, scores)


def with_far() -> Evaluation:
    """The samples of :func:`with_calibration`, and beside them the second and the fourth as other data.

    >>> len(with_far().apart.far)
    2
    """
    e = with_calibration()
    rows = [1, 3]
    far = Evaluation.of(e.task, np.zeros((2, e.hierarchy.n), dtype=bool), e.scores[rows])
    apart = Apart(e.apart.ids, e.apart.calibration, e.apart.alpha, far=far)
    return Evaluation.of(e.task, e.truth, e.scores, apart=apart)


def with_unknown() -> Evaluation:
    """The samples of :func:`with_calibration`, of which the second and the fourth are unknown ones below a.

    >>> with_unknown().truth.sum(axis=1).tolist()
    [2, 1, 2, 1, 2]
    """
    e = with_calibration()
    truth = np.array(e.truth)
    truth[[1, 3], 2:] = False
    unknown = np.array([False, True, False, True, False])
    apart = Apart(e.apart.ids, e.apart.calibration, e.apart.alpha, unknown)
    return Evaluation.of(e.task, truth, e.scores, apart=apart)
