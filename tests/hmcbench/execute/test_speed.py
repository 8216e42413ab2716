"""Latency and throughput count the features of a new sample and rest on enough calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmcbench.data import featurize
from hmcbench.execute import speed
from hmcbench.interfaces import Dataset, FeaturizerSpec, Inputs
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset

PAUSE = 0.004


class Slow:
    """A texture of 4 ms a sample."""

    def transform(self, rows: Any) -> np.ndarray:
        time.sleep(PAUSE * len(rows))
        return np.asarray(rows) * 2


class Model:
    def __init__(self, pause: float = 0.0) -> None:
        self.pause, self.seen = pause, []  # type: ignore[var-annotated]

    def predict(self, inputs: Inputs) -> None:
        time.sleep(self.pause)
        self.seen.append({name: np.asarray(rows) for name, rows in inputs.views.items()})


@pytest.fixture
def registry() -> Iterator[Registry]:
    spec = FeaturizerSpec(name="slow", version="1", summary="", factory=Slow, source="table")
    plugin = SimpleNamespace(__name__="speed", hmcbench_featurizers=hookimpl(lambda: [spec]))
    with temporary_plugin(plugin) as registry:
        yield registry


def measured(registry: Registry, dataset: Dataset, view: str, model: Model) -> dict[str, float]:
    samples = speed.TimedSamples.of(
        dataset, featurize.plan_views(registry, ("table",), [view], {}), dataset.views
    )
    return speed.measure(model, samples, np.arange(20), 0.001, "cpu", 1)


def test_features_of_a_new_sample_count(registry: Registry) -> None:
    """A forest whose texture took 4 ms an image predicted 11,017 samples per second."""
    dataset, model = tiny_dataset(40), Model()
    timing = measured(registry, dataset, "slow", model)
    assert timing["throughput_per_s"] < 1 / PAUSE
    assert timing["latency_p50_ms"] >= 1000 * PAUSE
    assert timing["predict_p50_ms"] < 1000 * PAUSE
    assert timing["latency_calls"] == speed.CALLS
    assert timing["latency_p95_ms"] >= timing["latency_p50_ms"]
    (row,) = model.seen[1]["slow"]
    assert np.allclose(row, np.asarray(dataset.views["table"])[1] * 2)


def test_a_view_of_the_dataset_needs_no_features(registry: Registry) -> None:
    dataset, model = tiny_dataset(40), Model()
    timing = measured(registry, dataset, "table", model)
    assert timing["throughput_per_s"] == 20_000
    assert np.array_equal(model.seen[1]["table"], np.asarray(dataset.views["table"])[1:2])


class Drawing:
    """A synthetic image that takes its time."""

    def load(self, min_side: int | None = None) -> np.ndarray:
        time.sleep(0.02)
        return np.ones((4, 4), np.uint8)


class Loading:
    def transform(self, rows: Any) -> np.ndarray:
        return np.stack([row.load() for row in rows])


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_file_is_read_in_the_time_of_a_sample_but_a_synthetic_image_is_not_drawn(synthetic: bool) -> None:
    dataset = replace(tiny_dataset(8), views={"image": [Drawing() for _ in range(8)]}, synthetic=synthetic)
    step = featurize.Step(FeaturizerSpec(name="f", version="1", summary="", factory=Loading), {})
    samples = speed.TimedSamples.of(dataset, [featurize.ViewPlan("f", "image", (step,))], dataset.views)
    timing = speed.measure(Model(), samples, np.arange(8), 0.001, "cpu", 1)
    assert (timing["latency_p50_ms"] < 15) == synthetic
    assert (timing["throughput_per_s"] > 60) == synthetic


def test_a_quantile_of_too_few_calls_is_not_reported(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "CALLS_S", 0.3)
    slow = measured(registry, tiny_dataset(40), "table", Model(pause=0.02))
    assert speed.LEAST_CALLS[50] <= slow["latency_calls"] < speed.LEAST_CALLS[95]
    assert "latency_p50_ms" in slow
    assert "latency_p95_ms" not in slow
    slower = measured(registry, tiny_dataset(40), "table", Model(pause=0.2))
    assert slower["latency_calls"] < speed.LEAST_CALLS[50]
    assert not {"latency_p50_ms", "predict_p50_ms", "latency_p95_ms"} & set(slower)


def test_the_warm_up_takes_no_time_from_the_timed_calls(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "CALLS_S", 0.5)

    class WarmingUp(Model):
        def predict(self, inputs: Inputs) -> None:
            time.sleep(0.0 if self.seen else 0.6)
            super().predict(inputs)

    timing = measured(registry, tiny_dataset(40), "table", WarmingUp())
    assert timing["latency_calls"] == speed.CALLS
    assert timing["latency_p50_ms"] < 100


@pytest.mark.parametrize(("percent", "least"), speed.LEAST_CALLS.items())
def test_enough_calls_enclose_the_quantile(percent: int, least: int) -> None:
    p = percent / 100
    assert 1 - p**least - (1 - p) ** least >= 0.95
