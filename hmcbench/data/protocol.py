"""How a suite divides its samples: kind of split, shares, folds, seed.

Separate from :mod:`hmcbench.data.splits`, which makes splits, so that reading a suite imports no numerical
library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hmcbench.errors import BadInput, unknown

KINDS = ("predefined", "holdout", "kfold")
EACH, NONE = "each", "none"
VARIED = ("unknown", "train_share", "label_noise", "noise_to")
"""What one suite may vary from cell to cell; records name it where it is not empty."""
NOISE = ("sibling", "any")
SCORE_BITS = (16, 32)
_LATER = frozenset({"refit", "score_bits", "calibration", "far_unknown", *VARIED})
"""Fields that older records do not have."""


@dataclass(frozen=True)
class Protocol:
    """How samples are divided into partitions.

    Attributes:
        kind: ``predefined`` (the dataset's own partitions), ``holdout`` or ``kfold``.
        test: share of the samples in the test partition (holdout).
        validation: share of the training samples used for validation.
        folds: number of folds (kfold); every fold is the test partition once.
        repeats: number of random splits (holdout), drawn with the seeds ``seed``, ``seed + 1``, ...; the
            record counts them as folds. Not part of a cell's key, so that more can be added later.
        seed: of the split, independent of the seeds of the models.
        drop_leaks: remove training copies of test samples from a predefined split.
        refit: choose on the validation partition, then fit on training and validation samples together
            (:mod:`hmcbench.execute.second_fit`). Part of a cell's key, and of a record, only where true.
        score_bits: scores are rounded to so many bits before anything is computed from them, and stored
            so (:mod:`hmcbench.records.score_bits`). Part of a cell's key, and of a record, only below 32.
        calibration: share of the training samples put apart as the partition ``calibration``, which neither
            training nor early stopping nor thresholds see. Part of a key, and of a record, only where it is
            not 0.
        unknown: classes that are never shown: neither in training nor in validation or calibration, and in
            test with what lies above them as truth; ``("each",)``: every leaf in turn. With ``none`` beside
            them there are cells that see all classes too; shares and wrong labels are then of these alone.
        train_share: shares of the training samples, each a cell of its own; empty for all of them.
        label_noise: shares of the training samples with a wrong label, each a cell of its own.
        far_unknown: a dataset whose samples no class here is right for; they are predicted beside the test
            samples. Part of a key, and of a record, only where it is named.
        noise_to: what a wrong label is: a ``sibling`` of the right one (or the nearest relative), or ``any``
            other. Part of a key, and of a record, only where there is noise, as the three before.
    """

    kind: str = "holdout"
    test: float = 0.1
    validation: float = 0.1
    folds: int = 5
    repeats: int = 1
    seed: int = 0
    drop_leaks: bool = False
    refit: bool = False
    score_bits: int = 32
    calibration: float = 0.0
    unknown: tuple[str, ...] = ()
    train_share: tuple[float, ...] = ()
    label_noise: tuple[float, ...] = ()
    noise_to: str = "sibling"
    far_unknown: str = ""

    @property
    def splits(self) -> int:
        """How many splits there are: folds, repeats, or one."""
        return {"kfold": self.folds, "holdout": self.repeats}.get(self.kind, 1)

    def to_json(self) -> dict[str, Any]:
        """For records and keys; what older ones do not have only where it differs from its default."""
        default = Protocol()
        values = {
            name: value
            for name, value in asdict(self).items()
            if name not in _LATER or value != getattr(default, name)
        }
        if self.label_noise:
            values["noise_to"] = self.noise_to
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def of_record(cls, stored: Mapping[str, Any]) -> Protocol:
        """The protocol in a record's ``split``; other entries are ignored."""
        names = vars(cls())
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
            if name in names
        }
        return cls(**known)

    def variants(self, leaves: Sequence[str] = ()) -> list[Protocol]:
        """The protocols of single cells: one share, one rate of noise, one choice of unknown classes each.

        All samples with right labels are the protocol without either, whose cells may exist already.

        Args:
            leaves: what ``unknown = "each"`` stands for.

        >>> [v.train_share for v in Protocol(train_share=(0.1, 1.0), label_noise=(0.2,)).variants()]
        [(0.1,), (), ()]
        >>> both = Protocol(unknown=("none", "a"), train_share=(0.1,)).variants()
        >>> [(v.unknown, v.train_share) for v in both]
        [((), (0.1,)), (('a',), ())]
        """
        points = [(share, 0.0) for share in self.train_share] + [(1.0, rate) for rate in self.label_noise]
        points = list(dict.fromkeys(points or [(1.0, 0.0)]))
        unknowns: list[tuple[str, ...]] = [(leaf,) for leaf in leaves] if self.each else [self.hidden]
        combined = [(unknown, point) for unknown in unknowns for point in points]
        if NONE in self.unknown:
            combined = [((), point) for point in points] + [
                (unknown, (1.0, 0.0)) for unknown in unknowns if unknown
            ]
        return [
            replace(
                self,
                unknown=unknown,
                train_share=() if share == 1 else (float(share),),
                label_noise=() if rate == 0 else (float(rate),),
                noise_to=self.noise_to if rate else "sibling",
            )
            for unknown, (share, rate) in combined
        ]

    @property
    def hidden(self) -> tuple[str, ...]:
        """The classes that are never shown, or ``("each",)``."""
        return tuple(name for name in self.unknown if name != NONE)

    @property
    def each(self) -> bool:
        """Whether every leaf is unknown in turn."""
        return self.hidden == (EACH,)

    def check(self, where: str) -> None:
        """Raise BadInput where the kind or a value is not allowed."""
        if self.kind not in KINDS:
            raise unknown(f"split kind in {where}", self.kind, KINDS)
        if not (0 < self.test < 1 and 0 <= self.validation < 1 and self.test + self.validation < 1):
            raise BadInput(
                f"{where}: test = {self.test}, validation = {self.validation}",
                allowed="shares between 0 and 1 that leave something to train on",
            )
        if not (0 <= self.calibration < 1 and self.validation + self.calibration < 1):
            raise BadInput(
                f"{where}: validation = {self.validation}, calibration = {self.calibration}",
                allowed="shares of the training samples that leave something to train on",
            )
        if not all(0 < share <= 1 for share in self.train_share):
            raise BadInput(f"{where}: train_share = {list(self.train_share)}", allowed="above 0, up to 1")
        if not all(0 <= rate < 1 for rate in self.label_noise):
            raise BadInput(f"{where}: label_noise = {list(self.label_noise)}", allowed="from 0, below 1")
        if EACH in self.hidden and not self.each:
            raise BadInput(
                f"{where}: unknown = {list(self.unknown)}", allowed='"each" alone, or names of classes'
            )
        if self.noise_to not in NOISE:
            raise unknown(f"noise_to in {where}", self.noise_to, NOISE)
        if self.refit and self.kind != "predefined" and not self.validation:
            raise BadInput(
                f"{where}: refit = true, validation = 0",
                allowed="a share above 0: without validation samples there is nothing to choose on",
            )
        if self.score_bits not in SCORE_BITS:
            raise BadInput(f"{where}: score_bits = {self.score_bits}", allowed="16 or 32")
        if self.kind == "kfold" and self.folds < 2:
            raise BadInput(f"{where}: folds = {self.folds}", allowed="at least 2")
        if self.repeats < 1 or (self.repeats > 1 and self.kind != "holdout"):
            raise BadInput(
                f"{where}: repeats = {self.repeats} of a {self.kind} split",
                allowed="at least 1, and more than 1 for holdout only",
            )
