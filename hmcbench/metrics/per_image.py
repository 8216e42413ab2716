"""Metrics of samples as metrics of images, whose pixels are the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.metrics.base import ClassMetric, LevelMetric, SampleMetric, summed
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.label_pairs import LabelPairs


def of_images(metric: Any, pairs: LabelPairs) -> Any:
    """A metric of pairs as one whose statistics are rows of images.

    Raises:
        NotApplicable: it is no function of sums over samples.
    """
    if isinstance(metric, SampleMetric):
        return SampleMetric(lambda e: pairs.per_image(metric.stats(e)), metric.reduce)
    if isinstance(metric, LevelMetric):
        return LevelMetric(lambda e, k: pairs.per_image(metric.stats(e, k)), metric.reduce)
    if isinstance(metric, ClassMetric):

        def stats(e: Evaluation, column: int) -> np.ndarray:
            return pairs.per_image(metric.stats(e, column))

        def sums(e: Evaluation) -> np.ndarray:
            return np.array([summed(stats(e, column)) for column in range(e.hierarchy.n)])

        return ClassMetric(stats, metric.reduce, sums)
    raise NotApplicable("the scores of pixels are not kept, and it is no function of sums over samples")
