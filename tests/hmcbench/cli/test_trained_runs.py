"""Trained models beside their records: kept, reloaded bit for bit, refused where they do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.data import featurize
from hmcbench.data.splits import inputs
from hmcbench.errors import BadInput
from hmcbench.records.predictions import Predictions
from hmcbench.records.weights import MODEL_FOLDER, find_record, load_trained, weights_digest
from hmcbench.registry.registry import create, default_registry

pytestmark = pytest.mark.torch


@pytest.fixture
def copy(trained_run: Any, tmp_path: Path) -> Path:
    """The record, to be spoiled."""
    return Path(shutil.copytree(trained_run.record, tmp_path / "records" / trained_run.record.name))


def spoil(folder: Path, part: str, **changes: Any) -> None:
    data = json.loads((folder / "record.json").read_text())
    data[part] = data[part] | changes
    (folder / "record.json").write_text(json.dumps(data))


def test_the_record_says_what_was_kept(trained_run: Any) -> None:
    kept = trained_run.data["weights"]
    files = list((trained_run.record / MODEL_FOLDER).iterdir())
    assert {f.name for f in files} == {"weights.safetensors", "model.json"}
    assert kept == {
        "bytes": sum(f.stat().st_size for f in files),
        "sha256": weights_digest(trained_run.record / MODEL_FOLDER),
    }
    assert trained_run.data["timing"]["save_s"] < 5


def test_a_loaded_model_gives_the_stored_predictions_bit_for_bit(trained_run: Any) -> None:
    loaded = load_trained(trained_run.record)
    registry = default_registry()
    spec, params = registry.resolve(
        "datasets", trained_run.data["dataset"]["reference"], "quick", path=str(trained_run.images)
    )
    assert params["crop_bottom"] == "4"
    dataset = create(spec, params)
    plans = featurize.plan_views(registry, tuple(dataset.views), loaded.spec.views, loaded.params)
    views = {plan.name: featurize.compute_view(plan, dataset)[0] for plan in plans}
    stored = Predictions.load(trained_run.record / "predictions.npz")
    places = {name: i for i, name in enumerate(dataset.ids)}
    for side in ("validation", "test"):
        part = stored.of_side(side)
        rows = np.array([places[name] for name in part.ids])
        assert np.array_equal(loaded.model.predict(inputs(dataset, views, rows)).values, part.scores)
    assert loaded.thresholds is None
    described = dict(loaded.model.describe())  # type: ignore[attr-defined]
    assert described["parameters"] == trained_run.data["model"]["parameters"]


def test_a_record_without_weights_says_why(copy: Path) -> None:
    shutil.rmtree(copy / MODEL_FOLDER)
    for weights, says in [
        (None, "--no-weights"),
        ({"bytes": 0, "sha256": None, "problem": "No space left"}, "No space left"),
        ({"bytes": 9, "sha256": "1"}, "copied without its weights"),
    ]:
        data = json.loads((copy / "record.json").read_text()) | {"weights": weights}
        (copy / "record.json").write_text(json.dumps(data))
        with pytest.raises(BadInput, match=says):
            load_trained(copy)


def test_published_records_carry_no_weights(
    cli: Callable[..., Any], trained_run: Any, tmp_path: Path
) -> None:
    assert cli("publish", trained_run.runs, "--to", tmp_path).status == 0
    assert not list(tmp_path.rglob("*.safetensors"))
    with pytest.raises(BadInput, match="published"):
        load_trained(tmp_path)


def test_records_are_found_by_folder_prefix_and_suite(trained_run: Any) -> None:
    name = trained_run.record
    for path in (name, name.with_name(name.name[:20]), trained_run.runs, trained_run.runs / "sem-failure"):
        assert find_record(path).path == name


def test_records_that_are_not_there(trained_run: Any, copy: Path, tmp_path: Path) -> None:
    shutil.copytree(copy, copy.with_name(copy.name[:-1] + "x"))
    (tmp_path / "empty").mkdir()
    for path, says in [
        (tmp_path / "records", "stands for 2 records"),
        (copy.with_name("sem"), "stands for 2 records"),
        (copy.with_name(copy.name.replace("timm", "tim")), "did you mean"),
        (tmp_path / "none" / "such", "no record at"),
        (tmp_path / "empty", "holds no record"),
        (copy / "record.json", "is a file"),
    ]:
        with pytest.raises(BadInput, match=says):
            find_record(path)
    spoil(copy, "split")
    data = json.loads((copy / "record.json").read_text()) | {"status": "failed", "cause": "nan"}
    (copy / "record.json").write_text(json.dumps(data))
    with pytest.raises(BadInput, match="failed"):
        find_record(copy)


def test_another_version_or_other_parameters_are_refused(copy: Path) -> None:
    spoil(copy, "model", version="0")
    with pytest.raises(BadInput, match="version 0 of timm"):
        load_trained(copy)
    spoil(copy, "model", version=default_registry().get("models", "timm").version, params={})
    with pytest.raises(BadInput, match="differ in the parameters"):
        load_trained(copy)


SPOILT: list[tuple[str, bytes | None, str]] = [
    ("weights.safetensors", None, "cannot be read"),
    ("weights.safetensors", b"torn", "cannot be read"),
    ("model.json", b"{", "cannot be read"),
    ("model.json", b'{"format": 1}', "no facts"),
    ("model.json", b'{"format": 9}', "format 9"),
]


@pytest.mark.parametrize(("name", "content", "says"), SPOILT)
def test_damaged_weights(copy: Path, name: str, content: bytes | None, says: str) -> None:
    (copy / MODEL_FOLDER / name).unlink()
    if content is not None:
        (copy / MODEL_FOLDER / name).write_bytes(content)
    with pytest.raises(BadInput, match=says):
        load_trained(copy)


def test_weights_of_another_network(copy: Path) -> None:
    params = json.loads((copy / "record.json").read_text())["model"]["params"]
    spoil(copy, "model", params=params | {"architecture": "test_vit", "image_size": 160})
    with pytest.raises(BadInput, match="another network"):
        load_trained(copy)
