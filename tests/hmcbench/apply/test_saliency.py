"""Explanations of a trained network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.apply.predict_files import predict_files
from hmcbench.apply.saliency import Explainer
from hmcbench.errors import BadInput
from hmcbench.records.record import Record
from hmcbench.records.weights import load_trained
from hmcbench.registry.registry import default_registry


@pytest.mark.torch
def test_tiles_are_explained_as_one_picture(
    cli: Callable[..., Any], run_once: Callable[..., Any], tmp_path: Path
) -> None:
    """A class speaks for itself in some of the tiles: the map's maximum is that of the whole image."""
    run = run_once("--set", "timm.tiles=2")
    images = sorted(run.images.rglob("*.png"))[::12]
    ended = cli("explain", run.record, *images, "--output", tmp_path)
    assert ended.status == 0, ended.err
    trained, registry = load_trained(run.record), default_registry()
    explainer = Explainer(trained, faithful=False)
    blocks = predict_files(trained, registry, [str(path) for path in images])
    explained = [explanation for block in blocks for explanation in explainer.explain(block)]
    assert len(explained) == 3
    evident = 0
    for explanation, entry in zip(
        explained, json.loads((tmp_path / "explanations.json").read_text()), strict=True
    ):
        assert explanation.picture.shape == (64, 64)
        assert [level["class"] for level in entry["levels"]] == [level.name for level in explanation.levels]
        for level in explanation.levels:
            assert level.saliency is not None and level.saliency.shape == (64, 64)
            peaks = [q.max() for half in np.split(level.saliency, 2) for q in np.split(half, 2, axis=1)]
            assert max(peaks) == 0 or (max(peaks) == pytest.approx(1) and len(set(peaks)) > 1)
            evident += max(peaks) > 0
    assert evident  # a network of a few epochs may have no evidence on a level, but not on all


@pytest.mark.torch
def test_targets_have_no_maps(record_of: Callable[[str], Record]) -> None:
    says = "ridge predicts targets, and a map is the evidence for a class. Allowed: a network of classes"
    with pytest.raises(BadInput, match=says):
        Explainer(load_trained(record_of("ridge").path))
