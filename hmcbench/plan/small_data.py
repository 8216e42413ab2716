"""Few samples: own data are cross-validated by default, and too few for a claim are named before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import Split
from hmcbench.data.stratify import SplitUnits
from hmcbench.interfaces import Dataset

FEW = 50
"""Test samples (or groups) below which a share is known to less than +-0.13."""
FOLDS = 5


def protocol_of(dataset: Dataset, protocol: Protocol) -> tuple[Protocol, list[str]]:
    """The protocol for the user's own data, and a note where it is not the suite's.

    Where a protocol with one random split would test fewer than ``FEW`` units (samples, groups or identical
    copies), all samples are tested in ``FOLDS`` folds. A test partition of the dataset's own stays.
    """
    own_test = protocol.kind == "predefined" and "test" in (dataset.split or ())
    units = len(set(SplitUnits(dataset, protocol.seed).unit_of))
    tested = max(1, round(units * protocol.test))
    if protocol.splits > 1 or own_test or tested >= FEW or units < 2:
        return protocol, []
    folds = min(FOLDS, units)
    note = f"small data: tested in {folds} folds; one split would test {tested} (--splits 1 keeps one)"
    return replace(protocol, kind="kfold", folds=folds), [note]


def notes_of(dataset: Dataset, protocol: Protocol, splits: Sequence[Split]) -> list[str]:
    """A note where all test partitions together hold too few samples, or groups, for a claim."""
    keys = dataset.groups or dataset.ids
    tested = {keys[row] or dataset.ids[row] for split in splits for row in split.sides["test"].tolist()}
    n, unit = len(tested), "groups" if dataset.groups else "samples"
    if n >= FEW:
        return []
    more = "" if protocol.kind == "kfold" else "; --folds 5 tests every sample once"
    return [f"too few test {unit} for a claim: {n}; the 95 % interval of {_known(dataset, n, unit)}{more}"]


def _known(dataset: Dataset, n: int, unit: str) -> str:
    """What n units leave open: of a share of right answers, or of an error where targets are predicted."""
    if dataset.task.kind == "regression":
        half = 1.96 / n**0.5
        return f"a mean error reaches {half:.2f} standard deviations between {unit} to either side"
    half = 1.96 / (2 * (n + 1.96**2) ** 0.5)  # Wilson's interval of a share of one half
    return f"a share near one half is {0.5 - half:.2f} to {0.5 + half:.2f}"
