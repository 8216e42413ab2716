"""Exported files score as our models do, by onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("skl2onnx", reason="needs the extra onnx")
from hmcbench_classical import MODELS  # noqa: E402

from hmcbench.apply.export import TOLERANCE, _random_rows, export_model  # noqa: E402
from hmcbench.data.prepare import Preparation, preparations, prepare  # noqa: E402
from hmcbench.data.views import Rows  # noqa: E402
from hmcbench.errors import BadInput  # noqa: E402
from hmcbench.interfaces import ColumnKind, Inputs, Labelled, Run  # noqa: E402
from hmcbench.metrics import decisions  # noqa: E402
from hmcbench.records.record import Record  # noqa: E402
from hmcbench.records.weights import Trained, load_trained  # noqa: E402
from hmcbench.registry.registry import create, default_registry  # noqa: E402
from hmcbench.sklearnkit.onnx_graph import OnnxGraph  # noqa: E402
from hmcbench.testing.helpers import Kind, tiny_dataset  # noqa: E402

COLOURS = ("red", "green", "blue")
SMALL = {"n_estimators": 7, "max_iter": 5, "trees": 5, "epochs": 2}


@pytest.fixture
def trained(fabricate: Callable[..., Record]) -> Callable[..., Trained]:
    """``trained("forest", "tree")``: fitted on a table with a nominal column and missing values."""

    def make(reference: str, kind: Kind = "tree") -> Trained:
        registry = default_registry()
        spec, params = registry.resolve("models", reference, "quick")
        for name in SMALL.keys() & params.keys():
            params[name] = SMALL[name]
        dataset = tiny_dataset(60, kind)
        table = np.array(dataset.views["table"], dtype=np.float64)
        table[:, 3] = np.arange(60) % 3
        table[::7, 5] = np.nan
        kinds = [ColumnKind(COLOURS if i == 3 else (), missing=i == 5) for i in range(table.shape[1])]
        names = [f"c{i}" for i in range(table.shape[1])]
        dataset = tiny_dataset(
            60, kind, views={"table": table}, kinds={"table": kinds}, columns={"table": names}
        )
        ways = preparations(dataset, np.arange(40), spec)
        rows = prepare(dataset, ways)["table"].rows
        parts = [
            Labelled([dataset.ids[i] for i in p], {"table": Rows(rows, p)}, dataset.targets[p])
            for p in (np.arange(40), np.arange(40, 60))
        ]
        model = create(spec, params)
        model.fit(*parts, Run(dataset.task))
        record = fabricate(reference)
        return Trained(model, record, spec, params, dataset.task, None, "cpu", ways)

    return make


def scores_of(path: Path, rows: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return list(session.run(None, {given.name: rows.astype(np.float32)}))


CASES: list[tuple[str, Kind]] = [
    *((name, "tree") for name, (_, tasks, *_rest) in MODELS.items() if "hmc" in tasks),
    *((name, "regression") for name, (_, tasks, *_rest) in MODELS.items() if "regression" in tasks),
    *(
        (f"decision-tree[strategy={s}]", kind)
        for s in ("level", "parent", "node")
        for kind in ("tree", "ragged")
    ),
    *((f"logistic-regression[strategy={s}]", "multiple") for s in ("flat", "parent")),
    *((f"logistic-regression[strategy={s}]", "ragged") for s in ("flat", "node")),
    ("forest[strategy=flat]", "multiple"),
    ("forest[strategy=parent]", "dag"),
    ("sklearn:sklearn.discriminant_analysis.LinearDiscriminantAnalysis", "tree"),
    *(
        (f"knn[p={p},weights={w}]", kind)
        for p, w, kind in (
            (1, "uniform", "multiple"),
            (1, "distance", "regression"),
            (2, "uniform", "ragged"),
        )
    ),
    *((name, "multiple") for name in ("svm", "gaussian-process", "xgboost", "hist-gradient-boosting")),
    ("gaussian-process[nu=0.5]", "ragged"),
    ("gaussian-process[nu=2.5,ard=true]", "regression"),
    ("svm[strategy=parent]", "ragged"),
    ("xgboost[strategy=node]", "ragged"),
    *((f"ensemble[members={m}]", "tree") for m in ("xgboost+svm+gaussian-process", "knn+forest")),
    *(
        (name, kind)
        for name in ("pct", "pct-forest", "boosting-per-class")
        for kind in ("tree", "multiple", "dag")
    ),
    *((f"hiclass[local={local}]", "tree") for local in ("node", "parent", "level")),
    ("hiclass[classifier=decision-tree]", "ragged"),
]


NETWORKS: list[tuple[str, Kind]] = [("c-hmcnn[members=3]", "dag"), ("hmc-duo", "multiple")]
MORE_NETWORKS: list[tuple[str, Kind]] = [
    *((name, "dag") for name in ("mlp-bce", "hmi", "mbm", "hmcn-f", "hmcn-r")),
    *((name, "tree") for name in ("awx", "hmc-lmlp")),
]


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        *CASES,
        *(pytest.param(*case, marks=pytest.mark.torch) for case in NETWORKS),
        *(pytest.param(*case, marks=[pytest.mark.torch, pytest.mark.slow]) for case in MORE_NETWORKS),
    ],
)
def test_estimators_score_alike(
    trained: Callable[..., Trained], tmp_path: Path, reference: str, kind: Kind
) -> None:
    """On rows with all colours and missing values, raw columns in."""
    case, path = trained(reference, kind), tmp_path / "model.onnx"
    exported = export_model(case, path)
    assert exported.difference is not None and exported.difference <= TOLERANCE
    random = np.random.default_rng(5)
    rows = random.normal(size=(50, 8)).astype(np.float32).astype(np.float64)
    rows[:, 3] = random.integers(3, size=50)
    rows[::5, 3] = rows[::4, 5] = np.nan
    prepared = case.preparations["table"](rows).rows
    ours = case.model.predict(Inputs([str(i) for i in range(50)], {"table": Rows(prepared)}))
    theirs = scores_of(path, rows)
    scale = max(1.0, float(np.abs(ours.values).max()))
    np.testing.assert_allclose(theirs[0] / scale, ours.values / scale, atol=TOLERANCE)
    assert len(theirs) == 1 + (ours.stop is not None)
    if ours.stop is not None:
        np.testing.assert_allclose(theirs[1], ours.stop, atol=TOLERANCE)
    about = json.loads(exported.description.read_text())
    assert about["input"]["columns"] == [f"c{i}" for i in range(8)]
    assert about["input"]["values"] == {"c3": list(COLOURS)}


def test_rows_of_the_comparison_lie_on_both_sides_of_splits() -> None:
    """Columns in thousands: normal rows would all go one way, and a wrong threshold would not be noticed."""
    way = Preparation(("a", "c", "b"), (ColumnKind(), ColumnKind(COLOURS), ColumnKind()), one_hot=True)
    rows = _random_rows(way, 3, {0: [1000.0, 2000.0], 4: [-5.0]})
    assert (rows[:, 0] > 900).all() and np.ptp(rows[:, 0]) > 900
    assert set(rows[:, 1]) == {0, 1, 2} and abs(rows[:, 2] + 5).max() < 0.1
    assert (rows[:, 2] < -5).any() and (rows[:, 2] > -5).any()


def test_a_file_that_would_be_too_large_is_refused() -> None:
    graph = OnnxGraph("features", 3)
    with pytest.raises(BadInput, match=r"would take 3\.0 GB.*ONNX has no larger files"):
        graph.bound(3e9)


def test_the_description_is_enough_for_coherent_decisions(
    trained: Callable[..., Trained], tmp_path: Path
) -> None:
    """Several paths: maxima over descendants and the thresholds of the file, by a few plain lines."""
    case = trained("forest", "multiple")
    limits = decisions.Thresholds(np.linspace(0.2, 0.6, 7))
    case = Trained(**{**vars(case), "thresholds": limits})
    exported = export_model(case, tmp_path / "model.onnx")
    about = json.loads(exported.description.read_text())
    rows = np.random.default_rng(3).normal(size=(30, 8)).astype(np.float32)
    rows[:, 3] = 1
    (scores,) = scores_of(exported.model, rows)
    highest = scores.copy()
    for parent, child in sorted(about["task"]["parents"], key=lambda e: -about["task"]["levels"][e[1]]):
        highest[:, parent] = np.maximum(highest[:, parent], highest[:, child])
    decided = highest >= np.array(about["decision"]["coherent_thresholds"])
    expected = decisions.coherent(scores.astype(np.float64), None, case.task, limits)
    np.testing.assert_array_equal(decided, expected)


@pytest.mark.torch
def test_a_network_scores_alike(trained_run: Any, cli: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    torch = pytest.importorskip("torch", reason="needs the extra vision")
    ended = cli("export-model", trained_run.record, "--to", tmp_path / "net.onnx")
    assert ended.status == 0, ended.err
    assert "largest difference" in ended.out and {p.name for p in tmp_path.iterdir()} == {
        "net.onnx",
        "net.json",
    }
    about = json.loads((tmp_path / "net.json").read_text())
    assert about["input"]["shape"][1:] == [1, 32, 32] and about["task"]["classes"]
    case = load_trained(trained_run.record)
    model: Any = case.model
    pixels = np.random.default_rng(1).integers(0, 256, (5, 32, 32), dtype=np.uint8)
    from hmcbench.torchkit.passes import turned

    assert model.recipe.orientations == 4  # as the suite says: the file has their mean
    with torch.inference_mode():
        each = [turned(model.prepare(pixels), number) for number in range(4)]
        ours = np.mean([model.layout.probabilities(model.module(x))[0].numpy() for x in each], axis=0)
    theirs = scores_of(tmp_path / "net.onnx", pixels[:, None])[0]  # another number of samples
    np.testing.assert_allclose(theirs, ours, atol=TOLERANCE)


def test_what_is_refused(trained: Callable[..., Trained], tmp_path: Path, cli: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match=r"ends with \.onnx"):
        export_model(trained("forest"), tmp_path / "model.txt")
    with pytest.raises(BadInput, match="prior cannot be exported: it has no method write_onnx"):
        export_model(trained("prior", "multiple"), tmp_path / "model.onnx")
    with pytest.raises(BadInput, match=r"metric chebyshev .* cannot be exported"):
        by_path = "sklearn:sklearn.neighbors.KNeighborsClassifier[metric=chebyshev]"
        export_model(trained(by_path), tmp_path / "model.onnx")
    with pytest.raises(BadInput, match="objective=reg:absoluteerror"):
        by_path = "sklearn:xgboost.XGBRegressor[objective=reg:absoluteerror]"
        export_model(trained(by_path, "regression"), tmp_path / "model.onnx")
    ended = cli("export-model", tmp_path / "none", "--to", tmp_path / "model.onnx")
    assert ended.status == 2 and "no record at" in ended.err
    ended = cli("export-model", tmp_path)
    assert ended.status == 2 and "--to" in ended.err
    assert not list(tmp_path.glob("*.onnx")) and not list(tmp_path.glob("*.json"))


def test_only_files_of_an_export_are_replaced(trained: Callable[..., Trained], tmp_path: Path) -> None:
    case, settings = trained("decision-tree"), tmp_path / "model.json"
    for content in ('{"format": 1, "architecture": "resnet"}', "[1]", "no JSON"):
        settings.write_text(content)
        with pytest.raises(BadInput, match="is of something else"):
            export_model(case, tmp_path / "model.onnx")
        assert settings.read_text() == content and not (tmp_path / "model.onnx").exists()
    settings.unlink()
    for _ in range(2):
        export_model(case, tmp_path / "model.onnx")
    own = case.record.path / "model"
    own.mkdir()
    with pytest.raises(BadInput, match="among the files of the record's model"):
        export_model(case, own / "mine.onnx")
    assert not list(own.iterdir())
