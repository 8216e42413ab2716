"""Specs: what a plugin describes.

Specs are light: names, versions, parameters, and a factory given as ``"package.module:name"``.
Listing and planning read specs only; nothing heavy is imported until a worker calls a factory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import wraps
from typing import Any, Literal

Scalar = bool | int | float | str | None
Value = Scalar | tuple[Scalar, ...]
TaskKind = Literal["hmc", "regression"]
LabelUnit = Literal["sample", "pixel"]
Paths = Literal["single", "multiple"]
Depth = Literal["full", "ragged"]
Shape = Literal["tree", "dag"]
FittedPer = Literal["shared", "per_level", "per_class"]
PROFILES = ("quick", "standard", "paper")
_Type = type  # the annotation of a field that is called type itself
_ONE_LINE = {"one_line": True}  # metadata: see hmcbench.registry.validation

# Not frozen, without ==, and with one repr for all: each method that dataclass generates costs a tenth of
# a millisecond at start-up (together 3 ms of 50). Treat them as constants all the same.


class Shown:
    """Prints a dataclass with the fields that differ from their defaults.

    Attributes:
        unknown_fields: keywords of a newer version of hmcbench, which this one ignores (:func:`_lenient`).
    """

    unknown_fields: tuple[str, ...] = ()

    def __repr__(self: Any) -> str:
        defaults = {f.name: {} if f.default is MISSING else f.default for f in fields(self)}
        values = {name: getattr(self, name) for name in defaults}
        shown = [f"{name}={value!r}" for name, value in values.items() if value != defaults[name]]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(eq=False, repr=False)
class Param(Shown):
    """One keyword of a factory.

    Attributes:
        default: its value; its type is the type that the command line converts to. Of a tuple, which must
            not be empty, the first item is; it is typed as ``500;500``.
        help: one line for ``hmcbench show``.
        type: needed only where ``default`` is ``None``; of the items where it is a tuple.
        choices: the allowed values, if they are few.
        low, high: inclusive bounds for numbers.
        cosmetic: not part of a cell's key (a path, for example, which the data fingerprint replaces).
        aliases: other names under which a reference may set it.
        passes: whether it counts passes over the training samples: a suite's profile may scale it to the
            number of samples (``epochs_for``).
        added: it came after records had been published: with its default value, the key of a cell is what
            it was without it.
        file: a text other than true and false is the path of a file. The digest of its content is in the key
            of a cell, and its name with a part of the digest in labels and records, instead of the path.
        model: its text is the name of a model, whose version is in the key of a cell.
        brings: value -> values of other parameters: choosing the value sets them too, with priority over
            the profile's values and below parameters that are set by name.
    """

    default: Value
    help: str = ""
    type: _Type | None = None
    choices: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None
    cosmetic: bool = False
    aliases: tuple[str, ...] = ()
    passes: bool = False
    added: bool = False
    file: bool = False
    model: bool = False
    brings: Mapping[Value, Mapping[str, Value]] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False, repr=False)
class Spec(Shown):
    """What every plugin contribution declares.

    Attributes:
        name: the id typed on the command line: lower-case letters, digits, ``-``, ``_``, ``.``.
        version: changes whenever results may change; part of a cell's key.
        summary: one line.
        factory: ``"package.module:name"`` or a callable; called with the resolved parameters.
        params: keyword -> :class:`Param`.
        profiles: profile -> values that replace the defaults in it.
        variant: name of the parameter that a ``name:SUFFIX`` reference sets (``timm:resnet50``).
        of_variant: ``"module:function"``, called with the spec, a variant and the parameters that are set but
            are not in ``params`` (name -> text); returns the spec of that variant, with these parameters,
            or raises BadInput.
        requires: top-level modules that must be importable; also what the fork server preloads.
        extra: the extra of hmcbench (or the package) that brings ``requires``.
        citation, licence: shown, and printed with the leaderboard.
        aliases: other names that are accepted.
    """

    name: str
    version: str
    summary: str = field(metadata=_ONE_LINE)
    factory: str | Callable[..., Any]
    params: Mapping[str, Param] = field(default_factory=dict, metadata={"keys": ()})
    profiles: Mapping[str, Mapping[str, Value]] = field(default_factory=dict, metadata={"keys": PROFILES})
    variant: str = ""
    of_variant: str = ""
    requires: tuple[str, ...] = ()
    extra: str = ""
    citation: str = field(default="", metadata=_ONE_LINE)
    licence: str = field(default="", metadata=_ONE_LINE)
    aliases: tuple[str, ...] = ()


@dataclass(kw_only=True, eq=False, repr=False)
class DatasetSpec(Spec):
    """A dataset. ``factory(**params) -> Dataset``.

    Attributes:
        task: ``hmc`` or ``regression``; empty where the parameters decide.
        views: the views that every sample has, for example ``("image",)``.
        linter: ``"module:function"``, called with the resolved parameters, returns a
            ``DataReport`` (see :mod:`hmcbench.interfaces`); empty if there is nothing to lint.
        path_param: the parameter that ``--data NAME=PATH`` sets; empty if there is none.
        files: which single files are read as this dataset where none is named, as by ``hmcbench data lint
            FILE``: the ending of a name with its point, or a whole name, -> columns that a text file of that
            name must have: ``{".arff": (), ".csv": ("file",)}``. Upper and lower case are the same. Where
            several datasets fit, the one with the longest ending is taken, then the one with the most
            columns. Empty: the dataset is always named.
        fetch: ``"module:function"`` behind ``hmcbench data fetch``, called with the address of a mirror (or
            an empty text) and, where the reference has one, the :attr:`variant`; returns the path of what it
            fetched; empty if nothing can be downloaded.
        at_hand: ``"module:function"``, called with the resolved parameters while a run is planned; returns
            whether the data are there. A suite leaves out datasets whose data are not. Empty if they always
            are.
        reader: ``"module:function"`` for files that belong to no dataset: called with a list of
            paths and the resolved parameters, returns for each path a row of the first of
            ``views``, or a :class:`hmcbench.errors.Problem` (of the kind ``extension`` where the
            file type is not supported); empty if the dataset reads no single files.
        table_reader: ``"module:function"`` for tables of new samples, without labels: called as
            ``function(path, columns, **params)`` with the columns of the training samples (view ->
            :class:`TableColumns`) and the resolved parameters, returns :class:`NewSamples`; raises BadInput
            or DataProblems for a file that cannot be used. Empty if the dataset reads no tables.
    """

    task: TaskKind | Literal[""] = "hmc"
    views: tuple[str, ...] = ()
    linter: str = ""
    path_param: str = ""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fetch: str = ""
    at_hand: str | Callable[..., Any] = ""
    reader: str = ""
    table_reader: str = ""


@dataclass(kw_only=True, eq=False, repr=False)
class ModelSpec(Spec):
    """A model. ``factory(**params) -> Model``.

    Attributes:
        views: the views it reads, with parameters where a featurizer makes them; ``{name}``
            stands for the model's own parameter: ``"pixels[size={image_size},channels=1]"``;
            ``a+b`` for both views, ``a|b`` for the first that can be computed, ``{name:X=a;Y=a+b}``
            for a parameter whose values X and Y stand for views.
        tasks, paths, depths, hierarchies, unit: what it supports; other pairs are listed as not applicable.
        applicable: ``"module:function"``, called with the :class:`Task`; returns why the model does not
            apply to it, in a few words, or an empty text.
        missing: whether it takes missing values (NaN) in views whose columns are described
            (:attr:`Dataset.kinds`). Otherwise they are filled in before it: numbers with the mean of the
            training samples, nominal values with the most frequent one, or with no value at all where they
            are one column each.
        nominal: whether it takes nominal columns as numbers of their values (:attr:`Run.columns` says which
            they are). Otherwise each value becomes a column of 0 and 1.
        scores: what ``predict`` returns: ``probability``; ``logit`` (turned into probabilities by a softmax
            per level for single-path tasks, a sigmoid otherwise); or ``ranking``, numbers of any range
            whose order counts and nothing else, for multiple paths only.
        accelerated: whether it uses a GPU when there is one.
        transductive: whether a prediction depends, on purpose, on the other test samples.
        deterministic: whether two fits with two seeds give equal scores; or parameter -> the values with
            which they do. Of any other model, one training is one draw, of which no board claims anything.
        expandable: whether ``fit`` can start from a trained model (:attr:`Run.init_from`), also where
            that model's hierarchy was smaller; ``--init-from`` is refused otherwise.
        fit_many: ``"module:name"`` of a function that fits several models of this spec at once:
            ``fit_many(fits: Sequence[Fit]) -> Sequence[Exception | None]``, one entry per fit in the
            same order, ``None`` where it succeeded. It must leave every model as its own ``fit``
            would have (randomness from ``fit.run.seed`` alone). The planner then runs a model's
            cells of one dataset in one process.
        joint: ``"module:function"``, called with the parameters while a run is planned; returns whether
            ``fit_many`` is used with them, as it pays. Empty: always.
        check: ``"module:function"``, called with the parameters while a run is planned; raises BadInput
            for a value that only the model's libraries (``requires``, which are installed) can check.
        check_task: ``"module:function"``, called with ``task`` (:class:`Task`) and the parameters while a run
            is planned; raises BadInput where the parameters do not suit the task.
    """

    views: tuple[str, ...] = ()
    tasks: tuple[TaskKind, ...] = ("hmc",)
    unit: LabelUnit = "sample"
    paths: tuple[Paths, ...] = ("single", "multiple")
    depths: tuple[Depth, ...] = ("full", "ragged")
    hierarchies: tuple[Shape, ...] = ("tree", "dag")
    applicable: str | Callable[..., Any] = ""
    missing: bool = False
    nominal: bool = False
    scores: Literal["probability", "logit", "ranking"] = "probability"
    accelerated: bool = False
    transductive: bool = False
    deterministic: bool | Mapping[str, tuple[Value, ...]] = False
    expandable: bool = False
    fit_many: str = ""
    joint: str = ""
    check: str = ""
    check_task: str = ""


@dataclass(kw_only=True, eq=False, repr=False)
class FeaturizerSpec(Spec):
    """A stateless step from one view to another. ``factory(**params) -> Featurizer``.

    The view that it computes has the spec's name. ``source`` is the view it reads, in the same
    syntax as :attr:`ModelSpec.views` (``{name}`` stands for its own parameter), so featurizers
    chain.

    Attributes:
        source: see above.
        digest: ``"module:function"``, called with the parameters, where the result depends on more than
            parameters and version (a table of constants); returns a digest, which is part of the keys
            of cached views and cells, and its origin in words; the record keeps both.
        tabulate: ``"module:function"`` behind ``hmcbench data featurize``, called as
            ``function(file, column, **params)``; returns the names of the columns, the values
            (N, F) with NaN in all of a row that cannot be used, and the problems.
    """

    source: str = ""
    digest: str = ""
    tabulate: str = ""


@dataclass(kw_only=True, eq=False, repr=False)
class MetricSpec(Spec):
    """A metric. ``factory`` **is** the metric: ``metric(evaluation)`` (see ``over``).

    Attributes:
        over: ``""``: called as ``metric(evaluation) -> float``; ``"levels"``: the name holds
            ``{k}`` and the metric is called as ``metric(evaluation, k)`` for k = 1..levels;
            ``"classes"``: called once, returns an array (C,), reported as ``name[class]``.
        task: ``hmc`` or ``regression``.
        unit: ``pixel``: defined for label maps alone; its statistics are rows of images (docs/masks.md).
        better: ``higher``, ``lower`` or ``""`` (neither: a count).
        low, high: the bounds of every value; ``None`` for unbounded.
        decided: whether it reads decisions, coherent ones; ``<name>_raw`` is then reported too.
        trivial: whether a prediction that is the same for all samples wins it, as it does a rate of
            violations; no board then marks a best value.
        paths: the tasks it is defined for.
        slow: ``"module:name"`` (or the function) of a plain, slow version of the same metric, called
            in the same way; ``hmcbench plugin check`` compares the two. Empty if there is none.
    """

    over: Literal["", "levels", "classes"] = ""
    task: TaskKind = "hmc"
    unit: LabelUnit = "sample"
    better: Literal["higher", "lower", ""] = "higher"
    low: float | None = 0.0
    high: float | None = 1.0
    decided: bool = True
    trivial: bool = False
    paths: tuple[Paths, ...] = ("single", "multiple")
    slow: str | Callable[..., Any] = ""


@dataclass(kw_only=True, eq=False, repr=False)
class RuleSpec(Spec):
    """A decision rule. ``factory`` **is** the rule: ``rule(scores, task, **params)``.

    ``scores`` are probabilities, float (N, C), of any number of samples; a row of the result depends on the
    same row of the scores alone. A rule is not trained, and sees no targets but those of ``fit``.

    Attributes:
        makes: ``scores``: float (N, C) with every parent at least as large as its children, from which
            decisions are made as from the model's own (thresholds are fitted on them), and which
            rankings read; ``sets``: boolean (N, C), ancestor-closed, one path each where the task
            promises one; rankings then keep the model's scores.
        paths: the tasks it is defined for.
        fit: ``"module:name"`` (or the function) of what chooses parameters on validation data:
            ``fit(scores, truth, task, **params) -> Mapping`` of parameters that replace others; the record
            keeps them. Empty if there is nothing to choose.
    """

    makes: Literal["scores", "sets"] = "sets"
    paths: tuple[Paths, ...] = ("single", "multiple")
    fit: str | Callable[..., Any] = ""


@dataclass(kw_only=True, eq=False, repr=False)
class ShiftSpec(Spec):
    """How test inputs get worse. ``factory`` **is** the shift: ``shift(inputs, severity, **params)``.

    ``inputs`` are :class:`hmcbench.interfaces.ShiftInputs`; the shift returns as many rows of the same shape
    and type, in their order, and is pure: the same inputs, severity and seed give the same rows, a row does
    not depend on those beside it, and severity 0 changes nothing. It sees no targets.

    Attributes:
        views: the views of a dataset that it changes, each by itself.
        severities: rising numbers above 0, five as a rule: mild, ..., what a bad day gives, ..., severe.
        unit: what a severity is measured in, for tables and figures.
        high: the largest severity that makes sense; ``None``: there is none.
        samples: at most so many test samples are predicted under it, drawn for this shift; ``None``: all. For
            shifts of views whose features, or whose models, take long.
    """

    views: tuple[str, ...] = ()
    severities: tuple[float, ...] = ()
    unit: str = field(default="", metadata=_ONE_LINE)
    high: float | None = None
    samples: int | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class SuiteSpec(Shown):
    """A suite: the import path of a package and the TOML file in it (``"pkg:file.toml"``)."""

    name: str
    summary: str = field(metadata=_ONE_LINE)
    source: str


def _lenient(owner: Any) -> None:
    """Let specs have fields of a newer version: one such field must not cost a plugin its whole hook.

    The registry adds a warning for them.
    """
    strict = owner.__init__

    @wraps(strict)
    def init(self: Any, *args: Any, **values: Any) -> None:
        try:
            strict(self, *args, **values)
        except TypeError:
            known = {field.name for field in fields(owner)}
            newer = tuple(name for name in values if name not in known)
            if not newer:
                raise
            strict(self, *args, **{name: value for name, value in values.items() if name in known})
            self.unknown_fields = newer

    owner.__init__ = init


for _owner in (Param, DatasetSpec, ModelSpec, FeaturizerSpec, MetricSpec, RuleSpec, ShiftSpec, SuiteSpec):
    _lenient(_owner)
