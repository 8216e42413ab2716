"""From scores to decisions: which classes a sample is said to have (METRICS, first section).

*Raw* decisions are what the model says, and need not lie on paths; the ``_raw`` metrics read their
closure. *Coherent* decisions are the scores repaired to respect the hierarchy; always closed. Metrics
with plain ids read them, and ``hmcbench predict`` prints them. All functions are vectorised over
samples and may be called on one block of samples at a time.

**Single path.** Raw: the class with the largest score at every level, or nothing where the
level's ``stop`` output is larger. Coherent: the admissible path with the largest product of level
probabilities. Every level gives one factor: the class of the path, or ``stop`` below its end. A
path may end at leaves only where the task's depth is ``full``, at any class where it is
``ragged``; the empty path (stopped at level 1) is admissible where the depth is ragged and the
model has ``stop`` outputs. Products are compared as sums of logarithms, and a zero is a zero: a path
with one is chosen only where all have one. Sums that rounding could order are compared by exact
products, so that equal products tie whatever the order of their factors.

Some models give one probability per class and no ``stop``. Where paths end at several levels,
``stop`` is then what the scores of a level leave of 1, at least 0, because classes of one level
exclude each other on a single path. That is never applied to level 1: without being told, no
sample is left empty. Where all paths end at the deepest level, no ``stop`` is needed or derived.

**Multiple paths.** Raw: score >= threshold. Coherent: s_c = max over c and its descendants
[Giunchiglia 2020], then thresholds with t_parent <= t_child. Thresholds that break this are
mended by raising the child's to the largest of its ancestors': lowering the parent's instead
would let one rare class with a low threshold switch on all the classes above it.

Ties go to the first column (so to a class before ``stop``, and to the shorter path). Scores that are
NaN or infinite are an error.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import sparse

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy, Sets
from hmcbench.interfaces import FittedPer, Task

DEFAULT_THRESHOLD = 0.5
OF_THE_MODEL = "decisions of the model itself; coherent: their closure"
"""The rule, in words, of models that return decisions beside their scores."""
_ROUNDING = 1e-9  # sums of logarithms this close are compared exactly; their error is far smaller


@dataclass(frozen=True, eq=False)
class Thresholds:
    """What a score must reach: one number for all classes, or one per class.

    Attributes:
        values: float, or float (C,) in column order.
    """

    values: float | np.ndarray = DEFAULT_THRESHOLD

    @property
    def per_class(self) -> bool:
        return np.ndim(self.values) > 0

    def to_json(self) -> float | list[float]:
        """A number or a list of C numbers."""
        return np.asarray(self.values, dtype=float).tolist()  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: float | list[float]) -> Thresholds:
        """The inverse of :meth:`to_json`."""
        return cls(np.asarray(data, dtype=float) if isinstance(data, list) else float(data))


# --------------------------------------------------------------------------- decisions


def raw(
    scores: np.ndarray, stop: np.ndarray | None, task: Task, thresholds: Thresholds | None = None
) -> np.ndarray:
    """What the model says, not closed.

    Args:
        scores: float (N, C), probabilities.
        stop: float (N, L) or None; read for single paths only.
        task: an ``hmc`` task.
        thresholds: read for multiple paths only; 0.5 by default.

    Returns:
        Boolean (N, C). A row may be empty.

    Raises:
        BadInput: shapes that do not fit the task; scores that are NaN or infinite.

    >>> h = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("b", "d")])
    >>> raw(np.array([[0.6, 0.4, 0.3, 0.7]]), None, Task(hierarchy=h)).astype(int)
    array([[1, 0, 0, 1]])
    """
    hierarchy, scores, stop = _checked(scores, stop, task)
    if task.paths == "multiple":
        reached: np.ndarray = scores >= _limits(thresholds, hierarchy, scores)
        return reached
    stop = _stop(scores, stop, task, hierarchy)
    positions = np.empty((len(scores), hierarchy.depth), dtype=np.int64)
    for k in range(hierarchy.depth):
        level = scores[:, hierarchy.level_classes(k + 1)]
        positions[:, k] = level.argmax(axis=1)
        if stop is not None:
            positions[stop[:, k] > level.max(axis=1), k] = level.shape[1]
    return hierarchy.level_sets(positions)


def coherent(
    scores: np.ndarray, stop: np.ndarray | None, task: Task, thresholds: Thresholds | None = None
) -> np.ndarray:
    """Scores repaired to respect the hierarchy, decided: always closed, one path where one is promised.

    Arguments and errors are those of :func:`raw`.

    Returns:
        Boolean (N, C), ancestor-closed.

    >>> h = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("b", "d")])
    >>> coherent(np.array([[0.6, 0.4, 0.3, 0.7]]), None, Task(hierarchy=h)).astype(int)
    array([[0, 1, 0, 1]])
    """
    hierarchy, scores, stop = _checked(scores, stop, task)
    if task.paths == "single":
        return _likeliest_path(scores, stop, task, hierarchy)
    limits = _limits(thresholds, hierarchy, scores)
    decided: np.ndarray
    if limits.ndim == 0:  # some descendant reaches the one threshold: the closure, without the maxima
        decided = hierarchy.close(scores >= limits)
    else:
        decided = hierarchy.cohere(scores) >= repair(limits, hierarchy)
    return decided


def repair(limits: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Thresholds (C,) with t_parent <= t_child: each raised to the largest of its ancestors'."""
    ancestors = hierarchy.ancestors  # reflexive: no row is empty
    return np.maximum.reduceat(limits[ancestors.indices], ancestors.indptr[:-1])


def rule_name(task: Task, thresholds: Thresholds | None = None, per: FittedPer = "shared") -> str:
    """The rule in words, for the record.

    >>> rule_name(Task(hierarchy=Hierarchy.from_edges([("", "a")])))
    'single path: argmax per level; coherent: likeliest path to a leaf'
    """
    if task.paths == "single":
        end = "to a leaf" if task.depth == "full" else "ending anywhere"
        return f"single path: argmax per level; coherent: likeliest path {end}"
    several = thresholds is not None and thresholds.per_class
    which = (
        ("per-level thresholds" if per == "per_level" else "per-class thresholds")
        if several
        else "one threshold"
    )
    repaired = ", raised to those of ancestors" if several else ""
    return f"multiple paths: {which}; coherent: maximum over descendants, {which}{repaired}"


def _likeliest_path(
    scores: np.ndarray, stop: np.ndarray | None, task: Task, hierarchy: Hierarchy
) -> np.ndarray:
    _ends, paths, factors, columns = _factors(scores, stop, task, hierarchy)
    chosen: np.ndarray = paths[_largest_product(factors, columns)].toarray()
    return chosen


def _factors(
    scores: np.ndarray, stop: np.ndarray | None, task: Task, hierarchy: Hierarchy
) -> tuple[np.ndarray, sparse.csr_array, np.ndarray, sparse.csr_array]:
    """The factors of a path are columns of the scores and, below its end, of ``stop``.

    Returns:
        ends (E,): where each admissible path ends, -1 for the empty one; the paths, boolean (E, C); the
        factors, at least 0, (N, K); and which of them each path has, boolean (E, K).
    """
    ends, paths = _paths(task)
    may_be_empty = stop is not None and task.depth == "ragged"
    stop = _stop(scores, stop, task, hierarchy)
    if may_be_empty:
        ends = np.concatenate([[-1], ends])
        paths = sparse.vstack([sparse.csr_array((1, hierarchy.n), dtype=bool), paths], format="csr")
    factors = np.maximum(scores, 0)
    columns = paths
    if stop is not None:
        lengths = np.diff(paths.indptr)
        below = np.arange(hierarchy.depth) >= lengths[:, None]  # no class at these levels
        factors = np.concatenate([factors, np.maximum(stop, 0)], axis=1, dtype=np.float64)
        columns = sparse.csr_array(sparse.hstack([paths, sparse.csr_array(below)], format="csr"))
    return ends, paths, factors, columns


@functools.lru_cache(maxsize=8)  # the cells of a board share a task
def _paths(task: Task) -> tuple[np.ndarray, sparse.csr_array]:
    """Where each admissible path ends, and the paths, boolean (E, C); not to be changed."""
    ends = path_ends(task, hierarchy_of(task))
    return ends, hierarchy_of(task).ancestors[ends]


def path_shares(scores: np.ndarray, stop: np.ndarray | None, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """The share of every admissible path in the sum of all path products, for single paths.

    Arguments and errors are those of :func:`raw`. Where all products of a row are 0, all paths share alike.

    Returns:
        ends int64 (E,): where each path ends, -1 for the empty path; shares float64 (N, E), whose rows sum
        to 1.

    >>> h = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("b", "d")])
    >>> path_shares(np.array([[0.6, 0.4, 0.3, 0.7]]), None, Task(hierarchy=h))[1].round(4)  # .18 and .28
    array([[0.3913, 0.6087]])
    """
    hierarchy, scores, stop = _checked(scores, stop, task)
    ends, _paths, factors, columns = _factors(scores, stop, task, hierarchy)
    with np.errstate(divide="ignore"):
        total = (columns @ np.log(factors, dtype=np.float64).T).T
    largest = total.max(axis=1, keepdims=True)
    total = np.where(np.isfinite(largest), total - np.where(np.isfinite(largest), largest, 0.0), 0.0)
    shares = np.exp(total)
    shares /= shares.sum(axis=1, keepdims=True)
    return ends, shares


def _largest_product(factors: np.ndarray, columns: sparse.csr_array) -> np.ndarray:
    """int (N,): of E products of columns of (N, K) factors the first of the largest, per row.

    Args:
        factors: at least 0.
        columns: boolean (E, K), the factors of every product.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(factors, dtype=np.float64)
    total = (columns @ logs.T).T  # (N, E)
    if not total.size:
        return np.zeros(len(factors), dtype=np.int64)
    best: np.ndarray = total.argmax(axis=1)
    largest = total[np.arange(len(total)), best][:, None]
    close = (total >= largest - _ROUNDING) & np.isfinite(largest)
    rows = np.flatnonzero(np.count_nonzero(close, axis=1) > 1)
    if len(rows):  # equal rows, such as those of a prior, are compared once
        _, first, same = np.unique(factors[rows], axis=0, return_index=True, return_inverse=True)
        exact = [_first_largest(factors[row], columns, np.flatnonzero(close[row])) for row in rows[first]]
        best[rows] = np.array(exact)[same.ravel()]
    return best


def _first_largest(factors: np.ndarray, columns: sparse.csr_array, candidates: np.ndarray) -> int:
    """Of some products of one row the first of the largest, without any rounding."""
    values: dict[int, Fraction] = {}
    products: dict[int, Fraction | int] = {}
    for candidate in candidates.tolist():
        used = columns.indices[columns.indptr[candidate] : columns.indptr[candidate + 1]].tolist()
        values.update({k: Fraction(float(factors[k])) for k in used if k not in values})
        products[candidate] = math.prod(values[k] for k in used)
    return max(products, key=products.__getitem__)


def path_ends(task: Task, hierarchy: Hierarchy) -> np.ndarray:
    """Columns where a single path may end."""
    ends = hierarchy.leaves if task.depth == "full" else np.arange(hierarchy.n)
    # In a DAG a class with two lines of ancestors lies on no single path.
    single = np.diff(hierarchy.ancestors.indptr) == hierarchy.levels
    if not single[ends].any():
        raise BadInput("the hierarchy has no single path to a leaf", allowed="paths: multiple")
    admissible: np.ndarray = ends[single[ends]]
    return admissible


def _stop(scores: np.ndarray, stop: np.ndarray | None, task: Task, hierarchy: Hierarchy) -> np.ndarray | None:
    """``stop`` (N, L) as given; else derived (see the module) where paths end at several levels."""
    if stop is not None or (task.depth == "full" and hierarchy.even):
        return stop
    starts = np.concatenate([[0], np.cumsum(hierarchy.level_sizes)[:-1]])
    left: np.ndarray = np.maximum(1 - np.add.reduceat(scores, starts, axis=1, dtype=np.float64), 0)
    left[:, 0] = 0
    return left


def _limits(thresholds: Thresholds | None, hierarchy: Hierarchy, scores: np.ndarray) -> np.ndarray:
    """Thresholds in the type of the scores, so that a score equal to its threshold reaches it."""
    limits = np.asarray((thresholds or Thresholds()).values, dtype=scores.dtype)
    if limits.shape not in ((), (hierarchy.n,)):
        raise BadInput(f"thresholds of shape {limits.shape}", allowed=f"one number, or {hierarchy.n}")
    return limits


def _checked(
    scores: np.ndarray, stop: np.ndarray | None, task: Task
) -> tuple[Hierarchy, np.ndarray, np.ndarray | None]:
    hierarchy = hierarchy_of(task)
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] != hierarchy.n:
        raise BadInput(f"scores of shape {scores.shape}", allowed=f"shape (N, {hierarchy.n})")
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if stop is not None and np.shape(stop) != (len(scores), hierarchy.depth):
        raise BadInput(f"stop of shape {np.shape(stop)}", allowed=f"shape ({len(scores)}, {hierarchy.depth})")
    check_finite(scores, stop)
    return hierarchy, scores, None if stop is None else np.asarray(stop)


def hierarchy_of(task: Task) -> Hierarchy:
    """The classes; raises BadInput for regression."""
    if task.hierarchy is None:
        raise BadInput(f"a {task.kind} task has no decisions", allowed="a task with a hierarchy")
    return task.hierarchy


def check_finite(scores: np.ndarray, stop: np.ndarray | None = None) -> None:
    """Raise BadInput where a score or a ``stop`` output, float (N, K), is NaN or infinite."""
    for values in (scores, stop):
        finite = True if values is None else np.isfinite(values)
        if not np.all(finite):
            bad = np.flatnonzero(~np.all(finite, axis=1))
            raise BadInput(
                f"scores of {len(bad)} of {len(scores)} samples are NaN or infinite (first: row {bad[0]})",
                allowed="finite numbers",
            )


# --------------------------------------------------------------------------- thresholds


def fit_threshold(
    scores: np.ndarray,
    truth: Sets,
    hierarchy: Hierarchy,
    per: FittedPer = "shared",
    *,
    unscored: Sequence[str] = (),
) -> Thresholds:
    """Thresholds for multiple paths; give validation data only, never test data.

    One threshold maximises ``hf1_micro`` of the closed decisions. Per level, each maximises the F1 of the
    (sample, class) pairs of its level on coherent scores; per class, the class's own F1 (a closed decision
    depends on descendants too). A level or class without a positive takes the shared threshold. Of equally
    good cuts the highest is taken, and the threshold lies halfway between the scores on its two sides.

    Args:
        scores: float (N, C), probabilities.
        truth: ancestor-closed boolean (N, C), dense or CSR.
        hierarchy: the classes.
        per: ``shared``: one threshold; ``per_level`` or ``per_class``: C thresholds.
        unscored: classes that do not count for a threshold of several classes
            (:class:`hmcbench.interfaces.Task`).

    Returns:
        :class:`Thresholds`; 0.5 where the data have no sample or no positive.

    >>> h = Hierarchy.from_edges([("", "a"), ("a", "b")])
    >>> scores, truth = np.array([[0.75, 0.5], [0.5, 0.25]]), np.array([[1, 1], [1, 0]])
    >>> fit_threshold(scores, truth, h).values, fit_threshold(scores, truth, h, "per_class").values
    (0.375, array([0.5  , 0.375]))
    """
    coherent_scores = hierarchy.cohere(scores)
    dense = np.asarray(truth.toarray() if sparse.issparse(truth) else truth, dtype=bool)
    if dense.shape != coherent_scores.shape:
        raise BadInput(f"truth of shape {dense.shape}", allowed=f"{coherent_scores.shape}, as the scores")
    check_finite(scores)
    counted = ~np.isin(hierarchy.classes, list(unscored))
    shared = _best_cut(coherent_scores[:, counted], dense[:, counted], DEFAULT_THRESHOLD)
    if per == "shared":
        return Thresholds(shared)
    sizes = hierarchy.level_sizes if per == "per_level" else np.ones(hierarchy.n, dtype=np.int64)
    by_class, positives = np.ascontiguousarray(coherent_scores.T), np.ascontiguousarray(dense.T)
    ends = np.cumsum(sizes)
    cuts = []
    for first, end in zip((ends - sizes).tolist(), ends.tolist(), strict=True):
        rows = np.arange(first, end)
        if per == "per_level":
            rows = rows[counted[rows]]
        cuts.append(_best_cut(by_class[rows], positives[rows], shared))
    return Thresholds(np.repeat(cuts, sizes))


def thresholds_of(
    scores: np.ndarray, truth: Sets, task: Task, per: FittedPer = "shared"
) -> Thresholds | None:
    """:func:`fit_threshold` on the validation partition, 0.5 where it is empty; None for tasks without."""
    if task.hierarchy is None or task.paths != "multiple" or task.unit == "pixel":
        return None
    if not len(scores):
        return Thresholds()
    return fit_threshold(scores, truth, task.hierarchy, per, unscored=task.unscored)


def _best_cut(scores: np.ndarray, truth: np.ndarray, fallback: float) -> float:
    """The threshold of the largest F1 over all pairs of two arrays; ``fallback`` without a positive.

    Only cuts right at a positive can be best: between two positives every lower cut adds negatives.
    """
    cuts = np.sort(scores[truth])
    if not len(cuts):
        return fallback
    ranked = np.sort(scores, axis=None)
    first = np.searchsorted(ranked, cuts)  # equal scores are taken together
    hits = len(cuts) - np.searchsorted(cuts, cuts)
    half_f1 = hits / (len(ranked) - first + len(cuts))
    best = len(cuts) - 1 - int(half_f1[::-1].argmax())
    above, under = cuts[best], ranked[max(first[best] - 1, 0)]
    middle = under + (above - under) / 2  # in the type of the scores: may round to one of them
    return float(middle if middle > under else above)
