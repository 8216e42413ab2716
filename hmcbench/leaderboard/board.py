"""A leaderboard as plain data, the same for every format.

A board never mixes suite versions, data fingerprints, splits or profiles; costs are separate for
every hardware fingerprint. Renderers add nothing, and leave out nothing but digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Style = Literal["score", "drop", "number", "number drop", "count"]
"""How values are shown: with three decimals (``score``), with three digits (``number``), either with the sign
of a difference (``drop``, ``number drop``), or whole (``count``)."""


def drop_style(style: Style) -> Style:
    """How a difference of values of a style is shown."""
    return "drop" if style == "score" else "number drop"


@dataclass(frozen=True)
class Column:
    """A column of a board.

    Attributes:
        id: metric id (``hf1_samples``), ``<id>@<side>`` and ``<id>@<side>-drop`` for further test
            sets, or the name of a cost in the record (``fit_s``).
        title: the printed heading, without the arrow: the id, or for a class or target what it stands for
            (``BMG precision``).
        better: ``higher``, ``lower`` or ``""``.
        style: how its values are shown, see :data:`Style`.
        trivial: whether a constant prediction wins it, so that no value is marked best.
    """

    id: str
    title: str
    better: Literal["higher", "lower", ""]
    style: Style
    trivial: bool = False


@dataclass
class BoardCell:
    """Mean over seeds with a 95 % interval (``None`` where there is none).

    ``best`` is set only where the value differs significantly from that of every other row, all rows were
    trained more than once, and the value does not rest on a handful of samples.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None
    best: bool = False


@dataclass
class Row:
    """A model, or those of its cells that share a cause of failure.

    Attributes:
        rank: 1, 2, ... by the primary metric; ``None`` where it is not ranked.
        model: label of the suite, else as in the record (with its version if the board has two versions).
        reference: the model with its options.
        rule: the decision rule whose values it shows; empty for none.
        status: ``ok``, ``partial`` (folds are missing, so it is not ranked), ``failed`` or
            ``missing``.
        cause, message: of the failure; for ok rows, the number of cells that are not ok.
        marks: ``transductive``, ``pretrained``, ``stopped while improving``, ``shared timings``,
            ``no better than prior``.
        runs: the cells, for example ``seeds 0, 1``.
        keys: cell keys.
        cells: column id -> value.
        costs: mark of the hardware (``A``) -> column id -> value.
    """

    model: str
    status: Literal["ok", "partial", "failed", "missing"]
    rank: int | None = None
    reference: str = ""
    rule: str = ""
    cause: str = ""
    message: str = ""
    marks: list[str] = field(default_factory=list)
    runs: str = ""
    keys: list[str] = field(default_factory=list)
    cells: dict[str, BoardCell] = field(default_factory=dict)
    costs: dict[str, dict[str, BoardCell]] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """``C-HMCNN · isotonic``: model and rule."""
        return f"{self.model} · {self.rule}" if self.rule else self.model


@dataclass
class Difference:
    """A model's metric minus that of the board's reference, on the same samples.

    ``low`` and ``high`` bound the 95 % interval; ``p`` is Holm-adjusted over the board's differences.
    ``None`` where they cannot be computed.
    """

    model: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Win:
    """How often a model is better than the others by the primary metric.

    Attributes:
        rate: mean over opponents of the share of ``cells`` (same fold, same seed) that it wins;
            a tie counts half.
    """

    model: str
    rate: float
    cells: int


@dataclass(frozen=True)
class Verdict:
    """The result of comparing a published row with a measured row.

    Attributes:
        model: the label of the measured row.
        outcome: ``reproduced``, ``not reproduced``, ``undecided`` or ``not testable``.
        data: the data of the measured row.
        reasons: for all outcomes but ``reproduced``.
        measured: metric id -> measured mean, of the published metrics.
    """

    model: str
    outcome: str
    data: str
    reasons: list[str]
    measured: dict[str, float]


@dataclass(frozen=True)
class Published:
    """A row of a paper, never ranked.

    Attributes:
        data: of the paper, in words.
        dataset: the suite's dataset that it belongs to.
        same_data: whether the fingerprints agree.
        metrics: id -> value.
        styles: id -> how its values are shown, here and in the verdict; no part of the board as JSON.
    """

    model: str
    source: str
    data: str
    note: str
    same_data: bool
    metrics: dict[str, float]
    styles: dict[str, Style]
    dataset: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True)
class RuleRow:
    """A model under several decision rules: means over its cells on test; None where a rule has no value.

    Attributes:
        plain: without a rule.
        values: in the order of :attr:`RulesTable.rules`.
        chosen: the rule that is best on validation by the primary metric; empty: none is better than none.
    """

    model: str
    plain: float | None
    values: list[float | None]
    chosen: str


@dataclass(frozen=True)
class RulesTable:
    """One metric by model and decision rule."""

    metric: str
    rules: list[str]
    rows: list[RuleRow]


@dataclass(frozen=True)
class ShiftRow:
    """A model under shifts; None where it lacks a shift that other rows have.

    Attributes:
        plain: without shifts, on the samples that see them.
        mean: mean over shifts and severities.
        drop: what that costs; above 0 is worse.
        values: per shift, at every severity.
        before: per shift, without it, on the samples that see it.
        means, drops: per shift, mean over its severities and what that costs.
        unread: per shift, whether it changes nothing that the model reads.
    """

    model: str
    plain: float | None
    mean: BoardCell
    drop: BoardCell
    values: list[list[float | None]]
    before: list[float | None]
    means: list[BoardCell]
    drops: list[BoardCell]
    unread: list[bool]


@dataclass(frozen=True)
class ShiftsTable:
    """One metric by model and shift, the best under shift first.

    Attributes:
        units, severities: of every shift.
        samples: how many test samples see it, where not all do.
        order: sentences on where the order of the models changes.
    """

    metric: str
    shifts: list[str]
    units: list[str]
    severities: list[list[float]]
    samples: list[int | None]
    rows: list[ShiftRow]
    order: list[str]


@dataclass
class RobustRow:
    """A model in the robust table: column id -> value."""

    model: str
    cells: dict[str, BoardCell]


@dataclass
class RobustTable:
    """Quality, risk, mean under shift, unknown classes, little data and cost; those that were measured."""

    columns: list[Column]
    rows: list[RobustRow]


@dataclass
class Board:
    """A table of results that may be compared.

    Attributes:
        suite, version, dataset, data, fingerprint, profile: the heading, the same for all rows. ``data``
            is the dataset with its options, as ``hea-hardness[split_by=system]``.
        question: what the suite asks; may be empty.
        answer: what the board says to that, in sentences.
        split: fingerprints, one per fold.
        division: how the samples were divided, as ``5 folds``.
        samples: their number; 0 if unknown.
        traits: what may distinguish it from other boards of its suite, name -> words, the most telling first.
        synthetic: whether the samples were generated.
        facts: (name, value) lines under the heading.
        primary: id of the column that ranks.
        columns, cost_columns: the columns of ``Row.cells`` and ``Row.costs``, in order.
        hardware: mark -> description.
        reference: label of the model that ``differences`` refer to, or empty.
        wins: of the ranked rows, in their order; empty for fewer than two common cells.
        rules: values under decision rules, a table per metric; empty where no cell was scored under one.
        shifts: what becomes of the models under shifts; None where no cell was predicted under any.
        robust: the robust table; None where no cell was predicted under shifts.
        not_told_apart: models of the ranked rows whose primary metric cannot be told apart from that of
            the first row (:mod:`hmcbench.leaderboard.max_t`), in their order; without the first.
    """

    suite: str
    version: str
    dataset: str
    data: str
    fingerprint: str
    profile: str
    split: list[str]
    synthetic: bool
    primary: str
    question: str = ""
    answer: list[str] = field(default_factory=list)
    division: str = ""
    samples: int = 0
    traits: dict[str, str] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    cost_columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    hardware: dict[str, str] = field(default_factory=dict)
    reference: str = ""
    differences: list[Difference] = field(default_factory=list)
    wins: list[Win] = field(default_factory=list)
    rules: list[RulesTable] = field(default_factory=list)
    shifts: ShiftsTable | None = None
    robust: RobustTable | None = None
    not_told_apart: list[str] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def heading(self) -> str:
        """``smoke 1: toy (synthetic data), profile quick``; boards that differ in more may share it."""
        data = self.data + (" (synthetic data)" if self.synthetic else "")
        return f"{self.suite} {self.version}: {data}, profile {self.profile}"

    @property
    def title(self) -> str:
        """``smoke 1: toy (synthetic data), profile quick, data 1b2c3d4e, split 3fa9c1d2``."""
        first = (self.split[0] if self.split else "unknown")[:8]
        more = f" and {len(self.split) - 1} more" if len(self.split) > 1 else ""
        return f"{self.heading}, data {self.fingerprint[:8] or 'unknown'}, split {first}{more}"

    @property
    def primary_column(self) -> Column:
        """The column that ranks; one of its own where the board does not show it."""
        shown = (column for column in self.columns if column.id == self.primary)
        return next(shown, Column(self.primary, self.primary, "", "number"))
