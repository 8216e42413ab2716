"""What the command line may change about a suite, and how its options are read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import Value
from hmcbench.plan.suite import Suite
from hmcbench.registry.registry import Reference, Registry, parse_reference, split_references


@dataclass(frozen=True)
class Choices:
    """What the command line may change about a suite.

    Attributes:
        profile: empty for the suite's first one.
        data: dataset name -> path.
        datasets, models: names, labels, shell patterns or references; empty for all.
        primary: id of the metric that ranks; empty for the suite's.
        columns: ids of the leaderboard's columns; empty for the suite's.
        seeds: number of seeds; 0 for the profile's.
        splits: number of random splits; 0 for the suite's protocol.
        folds: number of folds of a cross-validation; 0 for the suite's protocol.
        free_protocol: whether ``splits`` may replace another kind of split, and small data of the user are
            cross-validated (:mod:`hmcbench.plan.small_data`); not where a paper's protocol is followed.
        settings: ``model.param`` or ``dataset.param`` -> text.
        dataset_params: set on every dataset that has them (``skip_bad``, ``crop_bottom``).
        drop_leaks: see :class:`hmcbench.data.protocol.Protocol`.
        time_limit: seconds per cell; 0 for the profile's.
        shifts: names of shifts that the test samples are predicted under, or ``all``; empty for none.
        threads: CPU threads of a cell; 0 for the profile's.
        keep_weights: whether models that support it are saved with their records.
    """

    profile: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    primary: str = ""
    columns: tuple[str, ...] = ()
    seeds: int = 0
    splits: int = 0
    folds: int = 0
    free_protocol: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    dataset_params: Mapping[str, Value] = field(default_factory=dict)
    drop_leaks: bool = False
    time_limit: float = 0.0
    shifts: tuple[str, ...] = ()
    threads: int = 0
    keep_weights: bool = True


def selected(
    kind: str,
    references: Sequence[str],
    patterns: Sequence[str],
    registry: Registry,
    labels: Mapping[str, str] | None = None,
) -> list[str]:
    """References chosen by ``--model``/``--dataset``: the suite's by label, name or pattern, or new ones.

    The name of a model stands for all its entries in the suite, with their parameters, and only where
    there is none for the model with its defaults. ``forest[]`` is the one without parameters. Several may be
    given with commas.

    Args:
        labels: reference -> label, of the entries that have one.
    """
    if not patterns:
        return list(references)
    chosen: list[str] = []
    named = set((labels or {}).values())  # a label may hold a comma
    separate = ([text] if text in named else split_references(text) or [text] for text in patterns)
    for pattern in itertools.chain.from_iterable(separate):
        matches = _matches(kind, pattern, references, labels or {}, registry)
        if not matches:
            if any(c in pattern for c in "*?") and "[" not in pattern:
                raise unknown(f"{kind} of this suite", pattern, references)
            registry.resolve(f"{kind}s", pattern)
            matches = [pattern]
        chosen += [r for r in matches if r not in chosen]
    return chosen


def _matches(
    kind: str, pattern: str, references: Sequence[str], labels: Mapping[str, str], registry: Registry
) -> list[str]:
    """The entries that a name, label or shell pattern stands for; empty for none."""
    by_label = [r for r in references if labels.get(r) == pattern]
    if by_label:
        return by_label
    if "[" in pattern:
        plain = str(parse_reference(pattern))
        return [r for r in references if r in (pattern, plain)]
    if kind == "dataset" and pattern in references:
        return [pattern]
    if any(c in pattern for c in "*?"):
        return [r for r in references if fnmatchcase(r, pattern) or fnmatchcase(labels.get(r, ""), pattern)]
    name = _current_name(kind, parse_reference(pattern), registry)
    return [r for r in references if name in _names(kind, r, registry)]


def _names(kind: str, reference: str, registry: Registry) -> tuple[str, ...]:
    """``timm:resnet10t`` and ``timm`` of ``timm:resnet10t[epochs=6]``."""
    parts = parse_reference(reference)
    return tuple(
        _current_name(kind, replace(parts, variant=variant), registry) for variant in (parts.variant, "")
    )


def _current_name(kind: str, parts: Reference, registry: Registry) -> str:
    """Name and variant; for an alias, the name that it stands for."""
    try:
        name = registry.get(f"{kind}s", parts.name).name
    except BadInput:
        name = parts.name
    return str(Reference(name, parts.variant))


def data_of(suite: Suite, data: Mapping[str, str]) -> dict[str, str]:
    """``--data``; the name of a suite stands for its dataset if it has one only."""
    names = {parse_reference(r).name for r in suite.datasets}
    (only,) = names if len(names) == 1 else ("",)
    return {only if only and n == suite.name and n not in names else n: path for n, path in data.items()}


def check_data_names(choices: Choices, datasets: Sequence[str]) -> None:
    """Raise BadInput where ``--data`` names none of these datasets."""
    names = [parse_reference(r).name for r in datasets]
    for name in choices.data:
        if name not in names:
            raise unknown("dataset of this suite", name, names, "--data NAME=PATH")


def check_settings(
    choices: Choices, models: Sequence[str], datasets: Sequence[str], registry: Registry
) -> None:
    """Raise BadInput where ``--data`` or ``--set`` names nothing in the plan."""
    check_data_names(choices, datasets)
    names = [parse_reference(r).name for r in (*models, *datasets)]
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
