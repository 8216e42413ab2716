"""The second fit of ``[protocol] refit = true``: on training and validation samples together.

Epochs, thresholds and hyperparameters are chosen by the first fit. The validation predictions of a record
are those of the first fit, which did not train on these samples; its test predictions are of the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data.splits import Split, labelled
from hmcbench.interfaces import Dataset, Fit, ModelSpec, Value
from hmcbench.registry.registry import create

FITTED_ON = "train and validation"


def is_due(fit: Fit) -> bool:
    """Whether a second fit follows a first one.

    It does not where there are no validation samples, nor where the model says that it trained on them.
    """
    if not fit.run.refit or not len(fit.valid):
        return False
    described = fit.model.describe() if hasattr(fit.model, "describe") else {}
    fitted_on = described.get("fitted_on") if isinstance(described, Mapping) else None
    return "validation" not in str(fitted_on)


def second_fit(
    spec: ModelSpec, params: Mapping[str, Value], first: Fit, dataset: Dataset, views: Any, split: Split
) -> Fit:
    """The model and the data of the second fit; see :func:`fit_second`.

    Args:
        first: the first fit, which has ended.
        dataset, views, split: those of the cell; ``views`` by name.

    Returns:
        The same model where it has ``refit``, else a new one; no validation samples; a folder for
        checkpoints of its own.
    """
    rows = np.concatenate([split.sides["train"], split.sides["validation"]])
    rows = np.array(sorted(rows.tolist(), key=dataset.ids.__getitem__), dtype=np.int64)
    folder = str(Path(first.run.folder) / "refit") if first.run.folder else ""
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    progress = getattr(first.run.report, "progress", first.run.report)  # the history is of the first fit
    return Fit(
        first.model if hasattr(first.model, "refit") else create(spec, params),
        labelled(dataset, views, rows),
        labelled(dataset, views, rows[:0]),
        replace(first.run, folder=folder, report=progress),
    )


def fit_second(fit: Fit) -> None:
    """The second fit of one model."""
    if hasattr(fit.model, "refit"):
        fit.model.refit(fit.train, fit.run)
    else:
        fit.model.fit(fit.train, fit.valid, fit.run)
