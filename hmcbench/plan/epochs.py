"""Epochs scaled to the number of training samples, so that a cell sees as many samples and takes as long."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hmcbench.interfaces import ModelSpec, Value

MOST = 10.0
"""Largest factor: a few images are not trained on for thousands of epochs."""


def factor(meant_for: int, samples: int) -> float:
    """By which a profile's epochs are multiplied.

    Args:
        meant_for: ``epochs_for`` of the profile; 0: the factor is 1.
        samples: in the training partition.

    >>> factor(1600, 800), factor(1600, 3200), factor(1600, 15), factor(0, 15)
    (2.0, 0.5, 10.0, 1.0)
    """
    return min(MOST, meant_for / samples) if meant_for and samples else 1.0


def scaled(
    spec: ModelSpec, params: Mapping[str, Value], fixed: Collection[str], times: float
) -> dict[str, Value]:
    """The parameters with those that count passes over the training samples multiplied by ``times``.

    Args:
        fixed: names that the user set; they stay.
        times: see :func:`factor`. Values stay above the lower bound of the parameter, and at least 1.
    """
    passes = [name for name, param in spec.params.items() if param.passes and name not in fixed]
    return {name: _times(value, times) if name in passes else value for name, value in params.items()}


def _times(value: Value, times: float) -> Value:
    return max(1, round(value * times)) if isinstance(value, int) else value
