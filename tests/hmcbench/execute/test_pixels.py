"""Scores of pixels become label maps of coherent decisions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import PluginError
from hmcbench.execute import pixels
from hmcbench.execute.pixels import PixelModel, check_sizes
from hmcbench.interfaces import Dataset, Inputs, ModelSpec, Scores
from hmcbench.metrics import decisions
from hmcbench.testing.helpers import inputs
from hmcbench.testing.label_maps import tiny_maps

SPEC = ModelSpec(name="given", version="1", summary="returns what it is given", factory="x:y", unit="pixel")


class Given:
    """Yields the given scores, one per image."""

    def __init__(self, scores: list[Any]) -> None:
        self.scores = scores

    def predict(self, samples: Inputs) -> Iterator[Any]:
        return iter(self.scores)


def random_scores(dataset: Dataset, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((*m.shape, dataset.task.hierarchy.n)) for m in dataset.targets]  # type: ignore[union-attr]


@pytest.mark.parametrize("paths", ["single", "multiple"])
def test_decisions_are_those_of_samples_in_any_bands(paths: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = tiny_maps(3, (8, 11), paths)
    scores = random_scores(dataset)
    whole = [Scores(values) for values in scores]
    bands = [[Scores(v[:3]), Scores(v[3:4]), Scores(v[4:])] for v in scores]
    predicted = PixelModel(Given(whole), SPEC, dataset.task).predict(inputs(dataset))
    assert predicted.same(PixelModel(Given(bands), SPEC, dataset.task).predict(inputs(dataset)))
    for values, labels in zip(scores, predicted, strict=True):
        flat = values.reshape(-1, values.shape[2]).astype(np.float32)
        wanted = decisions.coherent(flat, None, dataset.task)
        assert np.array_equal(predicted.legend[labels.ravel()], wanted)
    monkeypatch.setattr(pixels, "CELLS", 7)
    assert predicted.same(PixelModel(Given(whole), SPEC, dataset.task).predict(inputs(dataset)))


def test_wrong_scores_are_refused() -> None:
    dataset = tiny_maps(2, (8, 11))
    scores = random_scores(dataset)
    good = [Scores(values) for values in scores]
    for wrong, said in (
        (good[:1], "one by one"),
        ([*good, good[0]], "one by one"),
        ([good[0], Scores(scores[1][0])], r"shape \(11, 4\)"),
        ([good[0], Scores(scores[1][..., :2])], "expected"),
        ([good[0], Scores(scores[1] + 3)], r"outside \[0, 1\]"),
    ):
        with pytest.raises(PluginError, match=said):
            PixelModel(Given(wrong), SPEC, dataset.task).predict(inputs(dataset))
    with pytest.raises(FloatingPointError, match="NaN"):
        PixelModel(Given([good[0], Scores(scores[1] * np.nan)]), SPEC, dataset.task).predict(inputs(dataset))


def test_a_map_of_another_size_names_the_image() -> None:
    dataset = tiny_maps(2, (8, 11))
    scores = [Scores(values[:5]) for values in random_scores(dataset)]
    maps = PixelModel(Given(scores), SPEC, dataset.task).predict(inputs(dataset))
    with pytest.raises(PluginError, match="image-0"):
        check_sizes(maps, dataset.targets, dataset.ids, SPEC)
