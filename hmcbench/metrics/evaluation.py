"""The input of a metric: truth, decisions, scores (if any), and counts that are computed once.

Decisions are dense booleans or CSR arrays; a metric that reads the counts below need not know
which. Everything is computed when first asked for and kept, and cannot be written to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse, vstack

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Scores, Task
from hmcbench.metrics import decisions
from hmcbench.metrics.decisions import Thresholds
from hmcbench.metrics.ends import PathConfidence
from hmcbench.metrics.label_pairs import LabelPairs
from hmcbench.metrics.promise import ALPHA
from hmcbench.metrics.read_only import cached_property, read_only

if TYPE_CHECKING:
    from hmcbench.hierarchy.label_maps import LabelMaps
    from hmcbench.records.predictions import Predictions

Matrix = Any
"""Boolean (N, C): an ndarray or a CSR array without stored zeros."""

TOLERANCE = 1e-6
"""A child may exceed its parent by this much before it counts as a violation."""

_CELLS = 4_000_000  # scores looked at together: keeps temporaries at tens of megabytes


@dataclass(frozen=True, eq=False)
class Apart:
    """What a few metrics need beside the truth and the scores of N samples.

    Attributes:
        ids: N sample ids or None; where scores tie, numbers made from them decide.
        calibration: the samples of the partition ``calibration``, or None where none was put apart.
        alpha: the bound on risk, and the share of truths that a conformal set may miss.
        unknown: boolean (N,) or None: samples of classes that were never shown.
        far: samples of other data, which no class is right for; None where there are none.
        novelty: float (N,) or None; see :class:`hmcbench.interfaces.Scores`.
    """

    ids: Sequence[str] | None = None
    calibration: Evaluation | None = None
    alpha: float = ALPHA
    unknown: np.ndarray | None = None
    far: Evaluation | None = None
    novelty: np.ndarray | None = None


class Evaluation:
    """Truth and predictions of N samples; build it with one of the ``of`` methods.

    Attributes:
        task: what was to be predicted.
        truth: hmc: boolean (N, C), ancestor-closed; regression: float64 (N, T).
        stop: float (N, L) or None, the ``stop`` outputs of a ragged softmax per level.
        decided_by_rule: whether decisions were made from scores (not handed over as sets).
        reads_raw: whether metrics read the raw decisions; the coherent ones by default.
        information: float (C,) or None: information content of the classes, from training samples.
        pairs: of pixels: their pairs of labels, which are then the samples here; None otherwise.
        apart: what a few metrics need beside all that.

    Classes that the task leaves unscored are not there: neither in the hierarchy nor in truth, scores and
    decisions. Decisions are made before they are taken out.
    """

    def __init__(
        self,
        task: Task,
        truth: Matrix,
        *,
        scores: np.ndarray | None = None,
        stop: np.ndarray | None = None,
        thresholds: Thresholds | None = None,
        raw: Matrix | None = None,
        coherent: Matrix | None = None,
        violations: np.ndarray | None = None,
        decided_by_rule: bool = True,
        reads_raw: bool = False,
        information: np.ndarray | None = None,
        whole: WithUnscored | None = None,
        pairs: LabelPairs | None = None,
        apart: Apart | None = None,
    ) -> None:
        self.task = task
        self.truth: Matrix = read_only(truth)
        self.stop: np.ndarray | None = read_only(stop)
        self.decided_by_rule, self.reads_raw = decided_by_rule, reads_raw
        self._scores: np.ndarray | None = read_only(scores)
        self._thresholds = thresholds
        self.information: np.ndarray | None = read_only(information)
        self._whole = whole
        self.pairs = pairs
        self.apart = apart or Apart()
        given = {"raw": raw, "coherent": coherent, "violations": violations}
        self.__dict__.update({k: read_only(value) for k, value in given.items() if value is not None})
        self.__dict__["_built"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Only ``__init__`` sets attributes: the metrics of one evaluation share it."""
        if "_built" in self.__dict__:
            raise AttributeError(f"an evaluation cannot be changed: {name}")
        super().__setattr__(name, value)

    @classmethod
    def of(
        cls,
        task: Task,
        truth: Any,
        scores: np.ndarray,
        stop: np.ndarray | None = None,
        thresholds: Thresholds | None = None,
        *,
        decided: Any = None,
        training: np.ndarray | None = None,
        ruled: np.ndarray | None = None,
        only_sets: bool = False,
        apart: Apart | None = None,
    ) -> Evaluation:
        """The usual case: truth (N, C), closed, dense or sparse, and probabilities (N, C).

        ``decided``, ``training``, ``ruled`` and ``only_sets``: ``decisions`` and the others of
        :class:`hmcbench.records.predictions.Predictions`; ``apart``: see :class:`Apart`.

        The scores are dense, so truth is made dense too (a quarter of their size). A regression
        task is passed on to :meth:`of_regression`. Raises BadInput where shapes differ, or where a score
        or a ``stop`` output is NaN or infinite.
        """
        if task.kind == "regression":
            return cls.of_regression(task, truth, scores)
        scores = np.asarray(scores)
        _same_shape(truth.shape, scores.shape, _hierarchy(task).n)
        decisions.check_finite(scores, stop)
        dense = truth.toarray() if issparse(truth) else np.asarray(truth)
        if only_sets:
            reduced, kept = scored_part(task)
            sets = _as_bool(scores)[:, kept]
            return cls(reduced, _as_bool(dense)[:, kept], raw=sets, decided_by_rule=False)
        given = {} if decided is None else _decided_by_model(_hierarchy(task), decided)
        given |= {} if ruled is None else {"coherent": _as_bool(ruled)}
        whole = cls(
            task,
            dense.astype(bool, copy=False),
            scores=scores,
            stop=stop,
            thresholds=thresholds,
            information=None if training is None else information_content(training),
            apart=apart,
            **given,
        )
        return whole._without_unscored() if task.unscored else whole

    @classmethod
    def of_predictions(
        cls,
        predictions: Predictions,
        thresholds: Thresholds | None = None,
        calibration: Predictions | None = None,
        far: Predictions | None = None,
    ) -> Evaluation:
        """What metrics see of predictions.

        Args:
            predictions: of one side, with truth.
            thresholds: of the record; they are used, never fitted anew.
            calibration: of the side that was put apart, with truth; None or empty where there is none.
            far: of the far unknowns; None or empty where there are none.

        Raises:
            BadInput: no truth is stored, or shapes do not fit.
        """
        if predictions.truth is None:
            raise BadInput("the predictions are stored without truth", allowed="records with truth")
        if predictions.maps is not None:
            return cls.of_maps(predictions.task, predictions.truth, predictions.maps)
        beside = [
            cls.of_predictions(part, thresholds) if part is not None and len(part) else None
            for part in (calibration, far)
        ]
        return cls.of(
            predictions.task,
            predictions.truth,
            predictions.scores,
            predictions.stop,
            thresholds,
            decided=predictions.decisions,
            training=predictions.training,
            ruled=predictions.ruled,
            only_sets=predictions.only_sets,
            apart=Apart(
                predictions.ids,
                beside[0],
                predictions.alpha,
                predictions.unknown,
                beside[1],
                predictions.novelty,
            ),
        )

    @classmethod
    def of_maps(cls, task: Task, truth: LabelMaps, predicted: LabelMaps) -> Evaluation:
        """Label maps of the same images: true ones, and coherent decisions."""
        pairs = LabelPairs(truth, predicted)
        return cls(task, pairs.true_sets, coherent=pairs.predicted_sets, pairs=pairs)

    @classmethod
    def of_sets(
        cls,
        hierarchy: Hierarchy,
        truth: Any,
        predicted: Any,
        paths: Literal["single", "multiple"] = "multiple",
    ) -> Evaluation:
        """Sets without scores, boolean (N, C), dense or sparse; both are closed here.

        Metrics read the closure of the predicted sets. There are no ``_raw`` metrics of sets, and none
        that reads scores.
        """
        _same_shape(truth.shape, predicted.shape, hierarchy.n)
        as_kind = as_csr if issparse(truth) or issparse(predicted) else _as_bool
        closed = as_kind(hierarchy.close(as_kind(truth)))
        task = Task("hmc", paths, "ragged", hierarchy)
        return cls(task, closed, raw=as_kind(predicted), decided_by_rule=False)

    @classmethod
    def of_regression(cls, task: Task, truth: Any, predicted: Any) -> Evaluation:
        """Targets and predictions, (N, T); ``scores`` are the predictions."""
        truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
        _same_shape(truth.shape, predicted.shape, len(task.targets))
        decisions.check_finite(predicted)
        return cls(task, truth, scores=predicted)

    @classmethod
    def of_blocks(
        cls,
        task: Task,
        truth: Any,
        blocks: Iterable[np.ndarray | Scores],
        thresholds: Thresholds | None = None,
    ) -> Evaluation:
        """Scores that come block by block and are never held together.

        Args:
            task: hmc, with the hierarchy.
            truth: closed boolean (N, C), best sparse.
            blocks: consecutive rows, arrays (n, C) or :class:`Scores` where there are ``stop``
                outputs; n of the blocks may differ.
            thresholds: as for :meth:`of`.

        Decisions and violations are kept sparse; rankings are not available.
        """
        hierarchy = _hierarchy(task)
        raw, coherent, violations = [], [], []
        for block in blocks:
            values, stop = (block.values, block.stop) if isinstance(block, Scores) else (block, None)
            raw.append(as_csr(decisions.raw(values, stop, task, thresholds)))
            coherent.append(as_csr(decisions.coherent(values, stop, task, thresholds)))
            violations.append(_violations(hierarchy, values))
        rows = sum(part.shape[0] for part in raw)
        _same_shape(truth.shape, (rows, hierarchy.n), hierarchy.n)
        if not raw:
            return cls(task, as_csr(truth), raw=as_csr(truth), coherent=as_csr(truth), violations=np.zeros(0))
        task, columns = scored_part(task)
        raw_sets, coherent_sets = (as_csr(vstack(sets, format="csr"))[:, columns] for sets in (raw, coherent))
        return cls(
            task,
            as_csr(as_csr(truth)[:, columns]),
            raw=as_csr(raw_sets),
            coherent=as_csr(coherent_sets),
            violations=np.concatenate(violations),
        )

    def _without_unscored(self) -> Evaluation:
        """The same samples without the classes that the task leaves unscored."""
        task, columns = scored_part(self.task)
        return Evaluation(
            task,
            self.truth[:, columns],
            scores=self.scores[:, columns],
            information=None if self.information is None else self.information[columns],
            whole=WithUnscored(self, columns),
            apart=self.apart,
        )

    def with_raw(self) -> Evaluation:
        """The same samples and scores, for the ``_raw`` metrics: they read the closure of R.

        Raises NotApplicable for sets, where there is nothing that a rule decided.
        """
        return self._with_raw

    @cached_property
    def _with_raw(self) -> Evaluation:
        if not self.decided_by_rule:
            raise NotApplicable("sets without scores have no raw decision")
        return Evaluation(
            self.task,
            self.truth,
            scores=self._scores,
            stop=self.stop,
            thresholds=self._thresholds,
            raw=self.raw,
            coherent=self.__dict__.get("coherent"),
            violations=self.__dict__.get("violations"),
            reads_raw=True,
            information=self.information,
            whole=self._whole,
            apart=self.apart,
        )

    def __len__(self) -> int:
        return int(self.truth.shape[0])

    @property
    def hierarchy(self) -> Hierarchy:
        """The classes; raises NotApplicable for regression."""
        return _hierarchy(self.task)

    @property
    def levels(self) -> int:
        """The number of levels."""
        return int(self.hierarchy.depth)

    @property
    def sparse(self) -> bool:
        """Whether truth and decisions are CSR arrays."""
        return bool(issparse(self.truth))

    @property
    def has_scores(self) -> bool:
        """Whether there are scores (or predicted targets), and not only sets."""
        return self._scores is not None

    @property
    def scores(self) -> np.ndarray:
        """Probabilities (N, C) or predicted targets (N, T); raises NotApplicable without them."""
        if self._scores is None:
            raise NotApplicable("this needs all scores at once; there are only decisions")
        return self._scores

    # ------------------------------------------------------------------ decisions

    @cached_property
    def raw(self) -> Matrix:
        """R: what the model says, not closed."""
        if self._whole is not None:
            return _as_bool(self._whole.evaluation.raw[:, self._whole.columns])
        return _as_bool(decisions.raw(self.scores, self.stop, self.task, self._thresholds))

    @cached_property
    def closed(self) -> Matrix:
        """P, what set metrics read: the coherent decision; the closure of R after :meth:`with_raw`, or of
        the sets that were handed over."""
        if self.decided_by_rule and not self.reads_raw:
            return self.coherent
        closed = self.hierarchy.close(self.raw)
        return as_csr(closed) if self.sparse else closed

    @cached_property
    def coherent(self) -> Matrix:
        """Decisions repaired to respect the hierarchy, closed; NotApplicable for mere sets."""
        if not self.decided_by_rule:
            raise NotApplicable("sets without scores cannot be repaired")
        if self._whole is not None:
            return _as_bool(self._whole.evaluation.coherent[:, self._whole.columns])
        return _as_bool(decisions.coherent(self.scores, self.stop, self.task, self._thresholds))

    @cached_property
    def likeliest(self) -> PathConfidence:
        """Single paths: the likeliest path of every sample and the confidence of each of its classes.

        It rests on scores alone, whatever rule made the decisions.
        """
        return PathConfidence.of(self.scores, self.stop, self.task)

    @cached_property
    def ties(self) -> np.ndarray:
        """float64 (N,) in [0, 1): what decides where scores tie; from the ids, so the same everywhere."""
        if self.apart.ids is None:
            raise NotApplicable("ties need the ids of the samples")
        digests = (hashlib.sha256(name.encode()).digest()[:6] for name in self.apart.ids)
        return np.array([int.from_bytes(part, "big") for part in digests], dtype=np.float64) / 2**48

    @cached_property
    def matched(self) -> Matrix:
        """Y & P."""
        return as_csr(self.truth.multiply(self.closed)) if self.sparse else self.truth & self.closed

    # ------------------------------------------------------------------ counts

    @cached_property
    def level_counts(self) -> np.ndarray:
        """int64 (N, L, 3): |Y & P|, |P|, |Y| of every sample at every level."""
        parts = [self._per_level(part) for part in (self.matched, self.closed, self.truth)]
        return np.stack(parts, axis=2)

    @cached_property
    def counts(self) -> np.ndarray:
        """int64 (N, 3): |Y & P|, |P|, |Y| of every sample."""
        return np.asarray(
            sum(np.moveaxis(self.level_counts, 1, 0))
        )  # level by level: faster than its ``sum``

    @property
    def inter(self) -> np.ndarray:
        """(N,): |Y & P|."""
        return self.counts[:, 0]

    @property
    def n_pred(self) -> np.ndarray:
        """(N,): |P|."""
        return self.counts[:, 1]

    @property
    def n_true(self) -> np.ndarray:
        """(N,): |Y|."""
        return self.counts[:, 2]

    @cached_property
    def class_counts(self) -> np.ndarray:
        """float64 (C, 3): samples with c in Y & P, in P, in Y."""
        parts = [self._per_class(part) for part in (self.matched, self.closed, self.truth)]
        return np.stack(parts, axis=1).astype(np.float64)

    @cached_property
    def violations(self) -> np.ndarray:
        """int64 (N,): edges whose child scores more than its parent."""
        return _violations(self.hierarchy, self.scores)

    def level_columns(self, k: int) -> slice:
        """The columns of level k, a contiguous range."""
        classes = self.hierarchy.level_classes(k)
        return slice(int(classes[0]), int(classes[-1]) + 1)

    def deepest(self, sets: Matrix) -> np.ndarray:
        """int64 (N,): the most specific class of every row, the last column; -1 for none."""
        if not issparse(sets):
            return np.where(sets.any(axis=1), sets.shape[1] - 1 - sets[:, ::-1].argmax(axis=1), -1)
        ends = sets.indptr[1:]
        last = np.full(sets.shape[0], -1, dtype=np.int64)
        filled = ends > sets.indptr[:-1]
        last[filled] = sets.indices[ends[filled] - 1]
        return last

    def _per_level(self, sets: Matrix) -> np.ndarray:
        levels = self.hierarchy.levels
        if not issparse(sets):
            starts = np.cumsum(self.hierarchy.level_sizes) - self.hierarchy.level_sizes
            counted: np.ndarray = np.add.reduceat(sets, starts, axis=1, dtype=np.int64)
            return counted
        rows = np.repeat(np.arange(sets.shape[0]), np.diff(sets.indptr))
        cells = rows * self.levels + levels[sets.indices] - 1
        size = sets.shape[0] * self.levels
        return np.bincount(cells, minlength=size).reshape(sets.shape[0], self.levels)

    def _per_class(self, sets: Matrix) -> np.ndarray:
        if issparse(sets):
            return np.bincount(sets.indices, minlength=sets.shape[1])
        return np.asarray(np.count_nonzero(sets, axis=0))


class WithUnscored(NamedTuple):
    """An evaluation with the classes that are not scored, and the columns of those that are."""

    evaluation: Evaluation
    columns: np.ndarray


@lru_cache(maxsize=8)  # a hierarchy of thousands of classes takes a while
def scored_part(task: Task) -> tuple[Task, np.ndarray]:
    """The task without its unscored classes, and the columns of the others in the new order.

    Children of a class that is taken out stand below its parents, so that closed sets stay closed.
    """
    hierarchy = _hierarchy(task)
    if not task.unscored:
        return task, np.arange(hierarchy.n)
    reduced = hierarchy.without(task.unscored)
    columns = np.array([hierarchy.index(name) for name in reduced.classes], dtype=np.int64)
    return replace(task, hierarchy=reduced, unscored=()), columns


def information_content(training: np.ndarray) -> np.ndarray:
    """float (C,): -log2 P(class given all of its parents) [Clark & Radivojac 2013, eq. 2].

    Args:
        training: int (C, 2), training samples n of every class and p of all of its parents.

    P is (n + 1) / (p + 1), so that a class without training samples has a finite content.

    >>> information_content(np.array([[3, 3], [0, 3], [1, 3]])).tolist()
    [-0.0, 2.0, 1.0]
    """
    content: np.ndarray = -np.log2((training[:, 0] + 1) / (training[:, 1] + 1))
    return content


def _decided_by_model(hierarchy: Hierarchy, decided: Any) -> dict[str, Matrix]:
    """The decisions that a model made by itself: raw as they are, coherent as their closure."""
    dense = _as_bool(decided.toarray() if issparse(decided) else decided)
    return {"raw": dense, "coherent": _as_bool(hierarchy.close(dense))}


def as_csr(sets: Any) -> csr_array:
    """A boolean CSR array with sorted columns, no duplicates and no stored zeros."""
    result = csr_array(sets, dtype=bool)
    result.sum_duplicates()
    result.eliminate_zeros()
    return result


def _as_bool(sets: Any) -> np.ndarray:
    return np.asarray(sets, dtype=bool)


def _hierarchy(task: Task) -> Hierarchy:
    if task.hierarchy is None:
        raise NotApplicable("a regression task has no classes")
    return task.hierarchy


def _same_shape(truth: tuple[int, ...], predicted: tuple[int, ...], width: int) -> None:
    if truth != predicted or len(truth) != 2 or truth[1] != width:
        raise BadInput(
            f"truth of shape {truth} and predictions of shape {predicted} cannot be compared",
            allowed=f"(samples, {width}) for both",
        )


def _violations(hierarchy: Hierarchy, scores: np.ndarray) -> np.ndarray:
    parents, children = hierarchy.edge_index.T
    counts = np.zeros(len(scores), dtype=np.int64)
    step = max(1, _CELLS // max(1, len(parents)))
    for start in range(0, len(scores), step):
        block = scores[start : start + step]
        above = block[:, children] > block[:, parents] + TOLERANCE
        counts[start : start + step] = np.count_nonzero(above, axis=1)
    return counts
