"""What the factories of a plugin make, datasets, models and so on, and what they exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from hmcbench.interfaces.specs import Depth, LabelUnit, Paths, Shown, TaskKind, Value

if TYPE_CHECKING:  # importing numpy takes longer than the whole command line
    from pathlib import Path

    import numpy as np

    from hmcbench.hierarchy.hierarchy import Hierarchy

FAR = "far"
"""The side of samples of other data (``far_unknown``); it has no values of its own, and no split names it."""


@dataclass(frozen=True, eq=False, repr=False)
class Task(Shown):
    """What is to be predicted.

    Attributes:
        kind: ``hmc`` or ``regression``.
        paths: ``single`` or ``multiple`` label paths per sample (hmc).
        depth: ``full`` if every path ends at a leaf, else ``ragged`` (hmc).
        hierarchy: the classes (hmc); ``None`` for regression.
        targets: the names of the targets (regression).
        unscored: classes that no metric counts (hmc), such as the roots of the Gene Ontology, which
            published scores leave out. They stay in the hierarchy, in targets and in scores.
        unit: what has labels (hmc): a ``sample``, or every ``pixel`` of it.
    """

    kind: TaskKind = "hmc"
    paths: Paths = "single"
    depth: Depth = "full"
    hierarchy: Hierarchy | None = None
    targets: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    unit: LabelUnit = "sample"


@dataclass(frozen=True, eq=False, repr=False)
class ColumnKind(Shown):
    """What a column of a numeric view holds.

    Attributes:
        values: the values of a nominal column, which holds their positions; empty for numbers.
        missing: whether it has missing values, which are NaN.
    """

    values: tuple[str, ...] = ()
    missing: bool = False


class Image(Protocol):
    """One image of the view ``image``; decoded at each call, never kept."""

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Pixels, (H, W) or (H, W, 3) uint8; may be reduced as long as min(H, W) >= min_side."""
        ...


@dataclass(kw_only=True, eq=False, repr=False)
class Dataset:
    """Samples with ids, views and targets. Order is the dataset's own and stable.

    Attributes:
        ids: N unique strings, the same on every machine.
        views: name -> sequence of N rows (an ndarray or anything with ``__getitem__(int)``).
        columns: view -> names of its columns, where there are names; for figures.
        kinds: view -> the kind of every column, where some are nominal or have missing values; such a view
            is a float array (N, F). Models that take neither get it prepared (:class:`ModelSpec`).
        targets: hmc: ancestor-closed boolean (N, C), ndarray or scipy CSR, columns in the order
            of ``task.hierarchy.classes``; regression: float (N, T); pixels: hierarchy.label_maps.LabelMaps.
        task: see :class:`Task`.
        fingerprint: hex digest over ids, contents and targets; what "the same data" means.
        groups: N strings or None; a split keeps samples of one group together.
        duplicates: N strings or None; equal strings mean identical contents.
        split: N strings or None: ``train``, ``validation``, ``test``, ``""`` (undecided), or the
            name of a further test set, such as ``shifted``, which is scored separately and never
            trained on.
        synthetic: whether the samples are synthetic; shown wherever results are.
        share_targets: whether truth may be redistributed with predictions.
        notes: lines for the record (files left out, pixels cropped, ...).
    """

    ids: Sequence[str]
    views: Mapping[str, Any]
    targets: Any
    task: Task
    fingerprint: str
    groups: Sequence[str] | None = None
    duplicates: Sequence[str] | None = None
    split: Sequence[str] | None = None
    synthetic: bool = False
    share_targets: bool = True
    notes: Sequence[str] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kinds: Mapping[str, Sequence[ColumnKind]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class TableColumns:
    """The columns of a view as the training samples have them: F names (or none), and kinds (or none)."""

    names: Sequence[str]
    kinds: Sequence[ColumnKind]


@dataclass(frozen=True, eq=False, repr=False)
class NewSamples:
    """Samples of a table without labels.

    Attributes:
        ids: n strings, unique in their file.
        views: name -> n rows, with the columns of the training samples in their order.
        problems: rows that are left out, and what a user should know of others (not fatal).
    """

    ids: Sequence[str]
    views: Mapping[str, Any]
    problems: Sequence[Any] = ()


@dataclass(frozen=True, eq=False, repr=False)
class PicturePair:
    """Two samples that a person should see beside each other.

    Attributes:
        names: of the two.
        rows: of the view ``image``: arrays, or objects with ``load()``.
        caption: why they belong together.
    """

    names: tuple[str, str]
    rows: tuple[Any, Any]
    caption: str


@dataclass(frozen=True, eq=False, repr=False)
class DataReport:
    """What ``hmcbench data lint`` prints: counts and every problem.

    Attributes:
        source: the path that was read.
        facts: name -> value, shown as a table (samples, classes per level, formats, ...).
        problems: :class:`hmcbench.errors.Problem`, fatal ones and warnings.
        pairs: samples that look alike, for ``--pairs``.
    """

    source: str
    facts: Mapping[str, str]
    problems: Sequence[Any]
    pairs: Sequence[PicturePair] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Inputs:
    """What a model gets at predict time: ids and views, never targets.

    ``views[name]`` is a :class:`hmcbench.data.views.Rows`: index it with an int, a slice or an index
    array; ``numpy.asarray(rows)`` reads all of it. The key is the view's name without parameters.
    """

    ids: Sequence[str]
    views: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False, repr=False)
class Labelled(Inputs):
    """Training or validation samples. ``targets`` as in :class:`Dataset`, rows of this partition.

    They may be sparse; :attr:`dense_targets` never are.
    """

    targets: Any
    groups: Sequence[str] | None = None

    @property
    def dense_targets(self) -> np.ndarray:
        """``targets`` as an ndarray: boolean (n, C), or float (n, T). Made at each call where sparse."""
        import numpy as np

        return np.asarray(self.targets.toarray() if hasattr(self.targets, "toarray") else self.targets)


@dataclass(frozen=True, eq=False, repr=False)
class WarmStart(Shown):
    """A trained model of the same kind for ``fit`` to start from.

    Attributes:
        folder: what the trained model's ``save`` wrote.
        task: the task that it was trained for; its hierarchy may lack classes of the run's.
    """

    folder: Path
    task: Task


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a model may know of the run that it is part of.

    Attributes:
        task: the task, with the hierarchy.
        seed: set in python, numpy and torch before ``fit``; use it for your own generators.
        device: ``cpu`` or ``cuda:0``.
        threads: the number of CPU threads of this cell.
        profile: ``quick``, ``standard`` or ``paper``.
        folder: a private folder of this cell for checkpoints; kept until the cell has ended, and
            given to the same cell again if it was killed.
        init_from: a trained model to start from, or None; only for models that are ``expandable``.
        dataset: the reference of the dataset, as boards show it: for logs, and for nothing that learns.
        columns: view -> the kinds of its columns as the model gets them, where the dataset describes them.
        refit: whether a second fit follows, on training and validation samples together (see
            :class:`Model`): ``fit`` must then not train on ``valid``.
        computation: what an earlier fit of the same cell said in ``describe()`` of how it computed
            (``precision``, ``threads``, ...): a model that chooses this by measurement takes it from here;
            None: there is none.
        report: ``report(done, total, **values)``: call it once per epoch (or other step);
            it updates the progress bar and is written to ``history.csv``. Values are numbers.
    """

    task: Task
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    profile: str = "quick"
    folder: str = ""
    init_from: WarmStart | None = None
    dataset: str = ""
    columns: Mapping[str, Sequence[ColumnKind]] = field(default_factory=dict)
    refit: bool = False
    computation: Mapping[str, Value] | None = None
    report: Callable[..., None] = lambda *_args, **_values: None


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """What ``predict`` returns.

    Attributes:
        values: hmc: float (N, C), one score per class in the order of ``hierarchy.classes``;
            regression: float (N, T).
        stop: float (N, L) or None: for ragged depth with a softmax per level, the share of the
            extra ``stop`` output of every level (never a class, never scored).
        decisions: boolean (N, C) or None: the classes that the model decides for by itself, closed or not.
            They replace the rule of the task; scores still make the rankings.
        novelty: float (N,) or None: how unlike the training samples each one is; the larger, the more. Only
            its order counts: metrics of unknown samples suspect by it, in place of the confidence.
        passes: the scores of several passes or networks whose mean ``values`` is, where there are any; their
            disagreement is shown by ``hmcbench predict``, and they are never stored.
    """

    values: np.ndarray
    stop: np.ndarray | None = None
    decisions: np.ndarray | None = None
    passes: Sequence[Scores] = ()
    novelty: np.ndarray | None = None


class Model(Protocol):
    """What a model factory returns. All state is in the object.

    Optional: ``describe() -> Mapping[str, Value]`` after ``fit``: ``parameters`` (count), ``multiply_adds``
    (per sample), ``pretrained``, ``search_s``, ``search_candidates`` (cost of a search), ``earlier_fit_s``
    (seconds of training before it was killed and resumed; after ``refit`` those of both fits), further
    notes. What a record says of every model (``name``, ``label``, ``version``, ``params``) is not for it to
    say.
    A model whose ``fit`` also trained on ``valid`` says ``"fitted_on": "train and validation"``: it is then
    not fitted again, and never chosen by its validation scores. ``"improving_at_end": True`` says that it
    trained for all its epochs while validation still gained; boards mark the row.

    Optional: ``refit(train: Labelled, run: Run) -> None`` after ``fit``, for suites with
    ``[protocol] refit = true``: fit again on ``train``, which holds training and validation samples, with
    the number of epochs and the hyperparameters that ``fit`` chose. Without it, a new model is made and
    gets ``fit(train, valid, run)`` with an empty ``valid``. Thresholds stay those of the first fit, and so do
    the validation predictions.

    Optional, both or neither: ``save(folder: Path)`` after ``fit`` writes what ``predict`` needs
    into an empty folder, as numbers (safetensors) and plain JSON, never as pickles; ``load(folder:
    Path, run: Run)`` of a new object with the same parameters replaces ``fit``. Without them
    ``hmcbench predict`` cannot use the model.

    Optional, for ``hmcbench export-model`` of models of tables: ``write_onnx(graph, task) -> dict[str,
    str]`` writes the scores of the graph's features as operations
    (:class:`hmcbench.sklearnkit.onnx_graph.OnnxGraph`) and returns the names of its results: ``scores``,
    and ``stop`` where it has it. Such a model has ``views``, the names of the views that it reads side by
    side, and ``width``, their columns.
    """

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Learn from ``train``; ``valid`` is for early stopping and model choice."""
        ...

    def predict(self, inputs: Inputs) -> Scores:
        """Score samples, each independently of the others in ``inputs``; pixels: see hierarchy.label_maps."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """One of the fits for ``ModelSpec.fit_many``: a model, and the arguments of its ``fit``."""

    model: Any
    train: Labelled
    valid: Labelled
    run: Run


class Featurizer(Protocol):
    """A pure function of blocks of rows; optional ``parts`` and ``pixels`` are a legend of its images."""

    def transform(self, rows: Sequence[Any]) -> np.ndarray:
        """Rows of the source view -> array (len(rows), ...) of fixed shape and type."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class ShiftInputs:
    """Rows of one view that a shift changes, and what it may know of them.

    Attributes:
        view: its name.
        ids: n sample ids.
        rows: n rows: an array (n, F), or a list of objects such as :class:`Image`.
        training: rows of the training samples, for units such as their deviation; never targets.
        columns: names of the F columns, or none.
        kinds: of the columns, where the dataset describes them; else none.
        seed: of all that the shift draws; the same for every severity, model, fold and training.
    """

    view: str
    ids: Sequence[str]
    rows: Any
    training: Any = ()
    columns: Sequence[str] = ()
    kinds: Sequence[ColumnKind] = ()
    seed: int = 0

    def seeds(self) -> list[int]:
        """A seed for every row, which depends on :attr:`seed` and the id of the sample alone."""
        import hashlib

        digests = (hashlib.sha256(f"{self.seed}\n{name}".encode()).digest() for name in self.ids)
        return [int.from_bytes(digest[:16], "big") for digest in digests]

    def generators(self) -> Iterator[np.random.Generator]:
        """A random generator for every row, of :meth:`seeds`."""
        import numpy as np

        return map(np.random.default_rng, self.seeds())

    def generator(self) -> np.random.Generator:
        """A random generator for what all rows share, such as the choice of a column."""
        import numpy as np

        return np.random.default_rng(self.seed)


class Shift(Protocol):
    """What a shift's factory names; see :class:`hmcbench.interfaces.ShiftSpec`."""

    def __call__(self, inputs: ShiftInputs, severity: float, **params: Any) -> Any: ...


class Metric(Protocol):
    """What a metric's factory names; it gets a :class:`hmcbench.metrics.evaluation.Evaluation`.

    A metric that is a function of sums over samples should be a
    :class:`hmcbench.SampleMetric`, one that ranks the samples a
    :class:`hmcbench.PooledMetric`: it then gets bootstrap intervals.
    """

    def __call__(self, evaluation: Any) -> float: ...
