"""How a suite divides its samples: kind of split, shares, folds, seed.

Separate from :mod:`hmcbench.data.splits`, which makes splits, so that reading a suite imports no numerical
library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hmcbench.errors import BadInput, unknown

KINDS = ("predefined", "holdout", "kfold")
_LATER = ("refit", "calibration")  # fields that the keys of older cells do not have


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
        calibration: share of the training samples put apart as the partition ``calibration``, which neither
            training nor early stopping nor thresholds see. Part of a key, and of a record, only where it is
            not 0.
    """

    kind: str = "holdout"
    test: float = 0.1
    validation: float = 0.1
    folds: int = 5
    repeats: int = 1
    seed: int = 0
    drop_leaks: bool = False
    refit: bool = False
    calibration: float = 0.0

    @property
    def splits(self) -> int:
        """How many splits there are: folds, repeats, or one."""
        return {"kfold": self.folds, "holdout": self.repeats}.get(self.kind, 1)

    def to_json(self) -> dict[str, Any]:
        """For records and keys; what older ones do not have only where it differs from its default."""
        return {name: value for name, value in asdict(self).items() if name not in _LATER or value}

    @classmethod
    def of_record(cls, stored: Mapping[str, Any]) -> Protocol:
        """The protocol in a record's ``split``; other entries are ignored."""
        return cls(**{name: value for name, value in stored.items() if name in vars(cls())})

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
        if self.refit and self.kind != "predefined" and not self.validation:
            raise BadInput(
                f"{where}: refit = true, validation = 0",
                allowed="a share above 0: without validation samples there is nothing to choose on",
            )
        if self.kind == "kfold" and self.folds < 2:
            raise BadInput(f"{where}: folds = {self.folds}", allowed="at least 2")
        if self.repeats < 1 or (self.repeats > 1 and self.kind != "holdout"):
            raise BadInput(
                f"{where}: repeats = {self.repeats} of a {self.kind} split",
                allowed="at least 1, and more than 1 for holdout only",
            )
