"""Trained models as ONNX files, for programs without hmcbench; a JSON file beside each says what is in it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data.prepare import Preparation
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput
from hmcbench.files import replacing, write_atomic
from hmcbench.interfaces import ColumnKind, Inputs
from hmcbench.metrics.decisions import repair, rule_name
from hmcbench.records.weights import MODEL_FOLDER, Trained

Arrays = Sequence[np.ndarray]
FORMAT = 1
TOLERANCE = 1e-4  # between the scores of the file and ours
SAMPLES = 16  # random ones, on which both are compared


@dataclass(frozen=True)
class Exported:
    """The files of an export.

    Attributes:
        model, description: the ONNX file, and the JSON file beside it.
        difference: the largest between the file's scores and ours on random samples, as a share of the
            largest score; None where onnxruntime is not installed.
    """

    model: Path
    description: Path
    difference: float | None


def export_model(trained: Trained, path: Path) -> Exported:
    """Write ``path`` and the JSON file beside it; neither where something is wrong.

    Files of an earlier export are replaced.

    Raises:
        BadInput: a path that would change other files, a model of another kind, an estimator that cannot be
            converted, or a file whose scores are not ours.
        Unavailable: the libraries of the extra ``onnx`` are not installed.
    """
    if path.suffix != ".onnx":
        raise BadInput(f"{path} is no name of an ONNX file", allowed="a name that ends with .onnx")
    description = path.with_suffix(".json")
    _check_place(trained, path, description)
    with replacing(path) as fresh:
        if _is_network(trained):
            about, given, expected = _write_network(trained, fresh)
        else:
            about, given, expected = _write_table_model(trained, fresh)
        difference = _difference(fresh, about["input"]["name"], given, expected)
        if difference is not None and difference > TOLERANCE:
            raise BadInput(
                f"the exported file does not score as the model does (off by {difference:.2g})",
                hint="it computes scores in float32, and some estimators by skl2onnx: take another model",
            )
    write_atomic(description, json.dumps(_described(trained, about), indent=1, ensure_ascii=False) + "\n")
    return Exported(path, description, difference)


def _check_place(trained: Trained, path: Path, description: Path) -> None:
    """Raise BadInput where the files would stand among the model's own, or replace one that is no export."""
    own = (trained.record.path / MODEL_FOLDER).resolve()
    if path.resolve().is_relative_to(own):
        raise BadInput(
            f"{path} is among the files of the record's model", allowed="a path outside of its folder model"
        )
    if not description.exists():
        return
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or not str(content.get("made_by", "")).startswith("hmcbench "):
        raise BadInput(
            f"{description}, which describes the ONNX file, exists and is of something else",
            hint="give the ONNX file another name",
        )


def _is_network(trained: Trained) -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    from hmcbench.torchkit.model import TorchModel

    return isinstance(trained.model, TorchModel)


def _write_network(trained: Trained, path: Path) -> tuple[dict[str, Any], np.ndarray, Arrays]:
    """What the description says of input and outputs; random samples, and their scores by the model."""
    from hmcbench.torchkit.model import TorchModel
    from hmcbench.torchkit.onnx_file import INPUT, scores_of, write_network

    model = trained.model
    assert isinstance(model, TorchModel)
    outputs = write_network(model, path)
    channels, height, width = model.input_shape
    about = {
        "name": INPUT,
        "type": "float32",
        "shape": ["samples", channels, height, width],
        "meaning": "grey values or RGB, 0 to 255; the file normalises them. An image is stretched to this"
        " size with an anti-aliased bicubic filter; grey is Rec. 601",
        "view": trained.spec.views[0],
        "parameters": _plain(trained.params),
    }
    shape = (SAMPLES, channels, height, width)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return {"input": about, "outputs": outputs}, pixels, scores_of(model, pixels)


def _write_table_model(trained: Trained, path: Path) -> tuple[dict[str, Any], np.ndarray, Arrays]:
    from hmcbench.sklearnkit.onnx_file import add_model, can_be_added
    from hmcbench.sklearnkit.onnx_graph import OnnxGraph

    model: Any = trained.model
    if not can_be_added(model):
        raise BadInput(
            f"{trained.spec.name} cannot be exported: it has no method write_onnx",
            allowed="networks on images (timm, the HFF family), scikit-learn estimators and XGBoost,"
            " networks and trees of hmcbench_hmc, and their means",
        )
    way = trained.preparations.get(model.views[0]) if len(model.views) == 1 else None
    width = model.width if way is None else _prepared_width(way)
    raw = width if way is None else len(way.kinds or way.names)
    graph = OnnxGraph("features", width)
    if way is not None and way.kinds:
        graph.prepare(way)
    outputs = add_model(graph, model, trained.task)
    path.write_bytes(graph.model(outputs, raw).SerializeToString())
    about: dict[str, Any] = {
        "name": "features",
        "type": "float32",
        "shape": ["samples", raw],
        "views": list(model.views),
    }
    if way is None:
        about["meaning"] = "the columns of the views, one after another, as hmcbench computes them"
    else:
        about["meaning"] = (
            "the columns of the table; a nominal value is its position in values, NaN a missing one"
        )
        about["columns"] = list(way.names)
        about["values"] = {
            name: list(kind.values) for name, kind in zip(way.names, way.kinds, strict=False) if kind.values
        }
    rows = _random_rows(way, raw, graph.usual)
    prepared = rows if way is None or not way.kinds else way(rows).rows
    views = {name: Rows(part) for name, part in _views(model, prepared).items()}
    scores = model.predict(Inputs([str(i) for i in range(SAMPLES)], views))
    expected = [scores.values, *([] if scores.stop is None else [scores.stop])]
    return {"input": about, "outputs": tuple(outputs)}, rows, expected


def _views(model: Any, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of concatenated views, divided again: what the model itself reads."""
    first = model.first_width if len(model.views) > 1 else rows.shape[1]
    rest = rows[:, first:]
    parts = [rows[:, :first], *np.array_split(rest, max(1, len(model.views) - 1), axis=1)]
    return dict(zip(model.views, parts, strict=False))


def _prepared_width(way: Preparation) -> int:
    columns = len(way.kinds or way.names)
    return int(way(np.zeros((1, columns))).rows.shape[1])


def _random_rows(way: Preparation | None, width: int, usual: Mapping[int, Sequence[float]]) -> np.ndarray:
    """Random rows that float32 holds exactly; nominal columns hold positions; some values are missing.

    Args:
        usual: prepared column -> values that tell samples apart (:attr:`OnnxGraph.usual`); others are normal.
    """
    random = np.random.default_rng(0)
    rows = random.normal(size=(SAMPLES, width))
    place = 0
    for i in range(width):
        kind = way.kinds[i] if way is not None and way.kinds else ColumnKind()
        if values := usual.get(place):
            rows[:, i] = random.choice(values, SAMPLES) + 1e-3 * max(np.ptp(values), 1e-3) * rows[:, i]
        place += len(kind.values) if way is not None and way.one_hot and kind.values else 1
        if kind.values:
            rows[:, i] = random.integers(len(kind.values), size=SAMPLES)
        if kind.missing:
            rows[i % 3 :: 3, i] = np.nan
    return rows.astype(np.float32).astype(np.float64)


def _difference(path: Path, name: str, given: np.ndarray, expected: Arrays) -> float | None:
    """The largest difference of scores on the samples, as a share of the largest score (at least 1)."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    results = session.run(None, {name: given.astype(np.float32)})
    scale = max(1.0, float(np.abs(expected[0]).max(initial=0.0)))
    pairs = zip(results, expected, strict=True)
    return max(float(np.abs(theirs - own).max(initial=0.0)) for theirs, own in pairs) / scale


def _described(trained: Trained, about: dict[str, Any]) -> dict[str, Any]:
    """What a reader of the file needs; docs/use.md explains it."""
    task, record = trained.task, trained.record
    described: dict[str, Any] = {
        "format": FORMAT,
        "made_by": f"hmcbench {_version()}",
        "record": record.data["key"],
        "model": record.label,
        "dataset": {
            "reference": record.data["dataset"]["reference"],
            "fingerprint": record.data["dataset"]["fingerprint"],
        },
        "input": about["input"],
        "outputs": [{"name": name, "meaning": _MEANINGS[name]} for name in about["outputs"]],
        "task": {"kind": task.kind},
    }
    hierarchy = task.hierarchy
    if hierarchy is None:
        described["outputs"][0]["meaning"] = "(samples, targets): the predicted numbers"
        described["task"]["targets"] = list(task.targets)
        return described
    described["task"] |= {
        "paths": task.paths,
        "depth": task.depth,
        "classes": list(hierarchy.classes),
        "levels": hierarchy.levels.tolist(),
        "parents": [[p, c] for p, c in hierarchy.edge_index.tolist()],
    }
    described["decision"] = {"rule": rule_name(task, trained.thresholds)}
    if task.paths == "multiple":
        limits = np.asarray(trained.thresholds.values if trained.thresholds is not None else 0.5, dtype=float)
        each = np.broadcast_to(limits, hierarchy.n).copy()
        described["decision"] |= {
            "thresholds": each.tolist(),
            "coherent_thresholds": repair(each, hierarchy).tolist(),
        }
    return described


_MEANINGS = {
    "scores": "(samples, classes): a probability per class, in the order of task.classes",
    "stop": "(samples, levels): the probability that a path has ended above the level",
}


def _plain(params: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}


def _version() -> str:
    import hmcbench

    return str(hmcbench.__version__)
