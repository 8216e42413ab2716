"""Epochs scaled to the number of training samples, so that a cell sees as many samples and takes as long."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hmcbench.interfaces import ModelSpec, Value
from hmcbench.plan.choices import Choices, settings_of
from hmcbench.plan.datasets import PlannedDataset
from hmcbench.plan.suite import Profile, Suite
from hmcbench.registry.registry import Registry, parse_reference

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


def scales(profile: Profile, spec: ModelSpec) -> bool:
    """Whether a profile scales the epochs of a model, so that its parameters depend on the data."""
    return bool(profile.epochs_for) and any(param.passes for param in spec.params.values())


def resolve_model(
    registry: Registry,
    suite: Suite,
    data: PlannedDataset,
    reference: str,
    choices: Choices,
    own: Mapping[str, Value],
) -> tuple[ModelSpec, dict[str, Value]]:
    """The spec and the parameters, with the epochs of an entry of the suite scaled to the data.

    ``own``: those that the suite sets for this dataset.
    """
    settings = {**own, **settings_of(choices, reference)}
    spec, params = registry.resolve("models", reference, choices.profile, **settings)
    profile = suite.profiles[choices.profile]
    typed = {} if reference in profile.models else parse_reference(reference).params
    names = {alias: name for name, param in spec.params.items() for alias in param.aliases}
    fixed = [names.get(name, name) for name in (*settings, *dict(typed))]
    return spec, scaled(spec, params, fixed, factor(profile.epochs_for, len(data.splits[0].sides["train"])))


def _times(value: Value, times: float) -> Value:
    return max(1, round(value * times)) if isinstance(value, int) else value
