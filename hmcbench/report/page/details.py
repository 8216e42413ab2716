"""The details of a cell on the page: curves, confusion, reliability, pictures, as plain numbers."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import HmcbenchError
from hmcbench.leaderboard.render.text import clean
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import HISTORY, NotPublished, Record
from hmcbench.report.figures.confusion import NOTHING, confusion_matrix, outcomes
from hmcbench.report.figures.curves import read_history
from hmcbench.report.figures.label_maps import SHEET
from hmcbench.report.figures.reliability import level_bins
from hmcbench.report.page.overlays import overlays

SIDE = "test"
MOST_POINTS = 150  # of a curve, and of a target's parity plot
MOST_CLASSES = 40  # per level; of more classes, those with the most errors are shown
MOST_PAIRS = 40
MOST_BYTES = 3_000_000  # of all pictures of a cell
DRAWN = re.compile(r"training-curves|confusion-level\d+|classes-level\d+|reliability|parity")
"""Figures of numbers, which show no sample. The page draws their content itself."""


def cell_details(record: Record, pictures: Path | None = None, images: int = 0) -> dict[str, Any]:
    """All data for drawing a cell; what is missing (history, truth) or damaged is left out, with a note.

    Args:
        record: of a cell that ended well.
        pictures: a folder with PNG files of this record; it may be missing.
        images: how many samples to show with their label maps; only where pictures may be shown.
    """
    data = record.data
    notes: list[str] = []
    out: dict[str, Any] = {
        "label": f"fold {record.fold}, seed {record.seed}",
        "key": record.short_key,
        "facts": _facts(data),
        "metrics": _metrics(data),
        "curves": _curves(record, notes),
    }
    try:
        predictions = record.predictions().of_side(SIDE)
        if predictions.truth is None:
            notes.append("the truth of these data may not be redistributed: nothing that compares with it")
        elif predictions.task.kind == "regression":
            out["parity"] = list(_parity(predictions))
        elif len(predictions):
            out["levels"] = list(_levels(Evaluation.of_predictions(predictions, record.thresholds)))
            if pictures is not None and predictions.maps is not None and images:
                out["overlays"] = overlays(predictions, pictures, images)
    except NotPublished:
        notes.append("the predictions were not published")
    except HmcbenchError:  # its message names a folder, which must not appear on a page
        notes.append("the predictions cannot be read")
    out["pictures"] = _pictures(pictures, notes, "overlays" in out)
    return {**out, "notes": notes}


def _facts(data: Mapping[str, Any]) -> list[list[str]]:
    split, hardware = data.get("split") or {}, data.get("hardware") or {}
    params = (data["model"].get("params") or {}).items()
    lines = {
        "parameters of the model": ", ".join(f"{k}={v}" for k, v in sorted(params)),
        "brought": _brought(data["model"].get("brought") or {}),
        "decision": (data.get("decision") or {}).get("rule"),
        "samples": ", ".join(f"{k} {v:,}" for k, v in sorted((split.get("counts") or {}).items())),
        "hardware": hardware.get("cpu") and f"{hardware.get('gpu') or hardware['cpu']}",
        "versions": ", ".join(f"{k} {v}" for k, v in sorted((data.get("versions") or {}).items())),
        "code": data.get("git"),
        "made": data.get("created"),
    }
    return [[name, clean(value)] for name, value in lines.items() if value]


def _brought(stated: Mapping[str, Any]) -> str:
    """Who made predictions that came from elsewhere, and in which form; empty for other cells."""
    if not stated:
        return ""
    who = "a person" if stated.get("kind") == "rater" else "another program"
    note = f"; {stated['note']}" if stated.get("note") else ""
    return f"{stated.get('form')} by {who}{note}"


def _metrics(data: Mapping[str, Any]) -> list[list[Any]]:
    """[metric, value of every partition ...], without metrics of single classes."""
    sides = list(data["metrics"])
    names = dict.fromkeys(name for side in sides for name in data["metrics"][side] if "[" not in name)
    rows = [[clean(name), *(rounded(data["metrics"][s].get(name)) for s in sides)] for name in sorted(names)]
    return [["metric", *map(clean, sides)], *rows] if rows else []


def _curves(record: Record, notes: list[str]) -> dict[str, Any]:
    path = record.path / HISTORY
    if not path.is_file():
        return {}
    try:
        history = read_history(path)
    except HmcbenchError:
        notes.append(f"{HISTORY} cannot be read")
        return {}
    length = max(map(len, history.values()), default=0)
    kept = np.unique(np.linspace(0, length - 1, min(length, MOST_POINTS)).round().astype(int))
    steps = history.get("step") or ()
    ordered = len(steps) == length and all(a < b for a, b in pairwise(steps))
    if not ordered:  # a search reports the steps of every candidate, each from its first
        steps = list(range(1, length + 1))
    series = {n: v for n, v in history.items() if n != "step" and any(math.isfinite(x) for x in v)}
    return {
        "x": [rounded(steps[i]) for i in kept],
        "title": "step" if ordered else "report",
        "series": [[clean(name), [rounded(v[i]) for i in kept]] for name, v in series.items()],
    }


def _parity(predictions: Predictions) -> Iterator[dict[str, Any]]:
    """[true, predicted] per target, thinned."""
    truth, predicted = np.asarray(predictions.truth), np.asarray(predictions.scores)
    kept = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), MOST_POINTS)).round().astype(int))
    for target, y, p in zip(predictions.task.targets, truth.T, predicted.T, strict=True):
        yield {"target": clean(target), "points": [[rounded(y[i]), rounded(p[i])] for i in kept]}


def _levels(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    for k in range(1, evaluation.levels + 1):
        level: dict[str, Any] = {"level": k, "bins": [], "gap": None}
        if evaluation.has_scores:
            bins = level_bins(evaluation, k)
            values = zip(bins.samples, bins.confidence, bins.right, strict=True)
            level["bins"] = [[int(n), rounded(c), rounded(r)] for n, c, r in values]
            level["gap"] = rounded(bins.error)
        if evaluation.task.paths == "single":
            level |= _matrix(evaluation, k)
        else:
            shown = outcomes(evaluation, k, MOST_CLASSES)
            rows = zip(shown.names, shown.counts.tolist(), strict=True)
            level["outcomes"] = [[clean(name), *counts] for name, counts in rows]
        yield level


def _matrix(evaluation: Evaluation, k: int) -> dict[str, Any]:
    counts, columns = confusion_matrix(evaluation, k)
    names = [clean(evaluation.hierarchy.names[c]) for c in columns] + [NOTHING]
    if not counts[-1].any() and not counts[:, -1].any():
        counts, names = counts[:-1, :-1], names[:-1]
    if len(names) <= MOST_CLASSES:
        return {"names": names, "matrix": counts.tolist()}
    errors = counts * (1 - np.eye(len(counts), dtype=np.int64))
    order = np.argsort(-errors, axis=None, kind="stable")[:MOST_PAIRS]
    cells = [np.unravel_index(i, errors.shape) for i in order]
    return {"pairs": [[names[i], names[j], int(errors[i, j])] for i, j in cells if errors[i, j]]}


def _pictures(folder: Path | None, notes: list[str], has_maps: bool) -> list[dict[str, str]]:
    """PNG files as ``data:`` URLs; without the sheet of label maps where the page has them."""
    out, size = [], 0
    for path in sorted(folder.glob("*.png")) if folder is not None and folder.is_dir() else ():
        if DRAWN.fullmatch(path.stem) or (has_maps and path.stem == SHEET):
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            notes.append(f"{path.name} cannot be read ({error.strerror})")
            continue
        size += len(content)
        if not content.startswith(b"\x89PNG\r\n") or size > MOST_BYTES:
            notes.append(f"{clean(path.name)} is left out: {'too large' if size > MOST_BYTES else 'no PNG'}")
            continue
        source = "data:image/png;base64," + base64.b64encode(content).decode()
        out.append({"name": clean(path.stem), "source": source})
    return out


def rounded(value: Any) -> float | int | None:
    """Six significant digits: the same on every machine, and the page stays small."""
    if value is None or isinstance(value, (bool, str)) or not math.isfinite(value):
        return None
    short = float(f"{float(value):.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
