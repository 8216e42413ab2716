"""Warm start: cells that start from a trained model (``--init-from``)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.interfaces import ModelSpec, WarmStart
from hmcbench.plan.cells import Cell
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, read_record
from hmcbench.records.weights import MODEL_FOLDER, find_record, weights_digest, weights_folder
from hmcbench.registry.registry import Registry


def start_from(path: Path, cells: Sequence[Cell], registry: Registry) -> list[Cell]:
    """The cells with the model of a record as their start.

    The digest of its weights is part of their keys, and their labels contain the record's key, so that
    they have their own row in a leaderboard.

    Raises:
        BadInput: see :func:`hmcbench.records.weights.find_record`; no weights there; a cell of another model
            or version; a model that cannot start from weights.
    """
    record = find_record(path)
    folder = weights_folder(record)
    model = record.data["model"]
    spec: ModelSpec = registry.get("models", model["name"])
    if not spec.expandable:
        raise BadInput(f"--init-from {path}: {spec.name} cannot start from trained weights")
    if spec.version != model["version"]:
        raise BadInput(
            f"--init-from {path}: its weights are of version {model['version']} of {spec.name}",
            allowed=f"version {spec.version}, which is installed",
        )
    others = sorted({cell.model for cell in cells} - {spec.name})
    if others:
        raise BadInput(
            f"--init-from {path}: its weights are of {spec.name}, not of {', '.join(others)}",
            hint=f"--model {spec.name}",
        )
    digest = weights_digest(folder)
    start = {
        "record": record.path.name,
        "key": record.key,
        "weights": digest,
        "dataset": record.data["dataset"]["fingerprint"],
    }
    return [_started(cell, record.path, record.key, digest, start) for cell in cells]


def _started(cell: Cell, folder: Path, key: str, digest: str, start: dict[str, Any]) -> Cell:
    model = cell.record["model"]
    model = {**model, "label": f"{model['label']} from {key[:8]}", "init_from": start}
    return replace(
        cell,
        key=hashlib.sha256(f"{cell.key} from {digest}".encode()).hexdigest(),
        record={**cell.record, "model": model},
        init_from=str(folder.resolve()),
    )


def warm_start_of(cell: Cell) -> WarmStart | None:
    """The trained model of the earlier record that a cell starts from, or None."""
    if not cell.init_from:
        return None
    record = Path(cell.init_from)
    return WarmStart(record / MODEL_FOLDER, Predictions.load(record / NPZ).task)


def describe_start(cell: Cell, predictions: Predictions) -> dict[str, Any]:
    """``init_from`` of a record: the start, and the number of test samples that it may have been trained on.

    These are the samples that the earlier run did not use for test or validation, new samples included; with
    the same split there are none. Validation samples that it was fitted on in the end count too.
    """
    folder = Path(cell.init_from)
    before = Predictions.load(folder / NPZ)
    seen = "validation" if _fitted_on_validation(read_record(folder).data["model"]) else ""
    held_out = {i for i, side in zip(before.ids, before.side, strict=True) if side != seen}
    tested = [i for i, side in zip(predictions.ids, predictions.side, strict=True) if side == "test"]
    return {**cell.record["model"]["init_from"], "test_not_held_out": sum(i not in held_out for i in tested)}


def _fitted_on_validation(model: Mapping[str, Any]) -> bool:
    """Whether the kept weights saw the validation samples: by the model itself, or by a second fit."""
    return any("validation" in str(model.get(name)) for name in ("fitted_on", "refit_on"))
