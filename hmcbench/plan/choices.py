"""What the command line may change about a suite, and how its options are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import Value
from hmcbench.plan.suite import Suite
from hmcbench.registry.registry import Registry, parse_reference


@dataclass(frozen=True)
class Choices:
    """What the command line may change about a suite.

    Attributes:
        profile: empty for the suite's first one.
        data: dataset name -> path.
        datasets, models: shell patterns or references; empty for all.
        seeds: number of seeds; 0 for the profile's.
        splits: number of random splits of a holdout protocol; 0 for the suite's.
        settings: ``model.param`` or ``dataset.param`` -> text.
        dataset_params: set on every dataset that has them (``skip_bad``, ``crop_bottom``).
        drop_leaks: see :class:`hmcbench.data.protocol.Protocol`.
        time_limit: seconds per cell; 0 for the profile's.
        keep_weights: whether models that support it are saved with their records.
    """

    profile: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    seeds: int = 0
    splits: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    dataset_params: Mapping[str, Value] = field(default_factory=dict)
    drop_leaks: bool = False
    time_limit: float = 0.0
    keep_weights: bool = True


def selected(kind: str, references: Sequence[str], patterns: Sequence[str], registry: Registry) -> list[str]:
    """References chosen by ``--model``/``--dataset``: patterns over the suite's, or new ones."""
    if not patterns:
        return list(references)
    chosen: list[str] = []
    for pattern in patterns:
        matches = [r for r in references if r == pattern or ("[" not in pattern and fnmatchcase(r, pattern))]
        if not matches:
            if any(c in pattern for c in "*?"):
                raise unknown(f"{kind} of this suite", pattern, references)
            registry.resolve(f"{kind}s", pattern)
            matches = [pattern]
        chosen += [r for r in matches if r not in chosen]
    return chosen


def data_of(suite: Suite, data: Mapping[str, str]) -> dict[str, str]:
    """``--data``; the name of a suite stands for its dataset if it has one only."""
    names = {parse_reference(r).name for r in suite.datasets}
    (only,) = names if len(names) == 1 else ("",)
    return {only if only and n == suite.name and n not in names else n: path for n, path in data.items()}


def check_settings(
    choices: Choices, models: Sequence[str], datasets: Sequence[str], registry: Registry
) -> None:
    """Raise BadInput where ``--data`` or ``--set`` names nothing in the plan."""
    dataset_names = [parse_reference(r).name for r in datasets]
    names = [*(parse_reference(r).name for r in models), *dataset_names]
    for name in choices.data:
        if name not in dataset_names:
            raise unknown("dataset of this suite", name, dataset_names, "--data NAME=PATH")
    for key in choices.settings:
        owner, dot, _ = key.rpartition(".")
        if not dot:
            raise BadInput(f"--set {key}", allowed="--set model.param=value")
        if owner not in names and owner not in (*models, *datasets):
            raise unknown("model or dataset in --set", owner, names)


def settings_of(choices: Choices, reference: str) -> dict[str, Value]:
    """The ``--set`` values of one reference, given by its full text or by its name."""
    owners = (parse_reference(reference).name, reference)
    settings = ((*key.rpartition("."), value) for key, value in choices.settings.items())
    return {param: value for owner, _, param, value in settings if owner in owners}
