"""What the models of a plan are called: by records, and by the rows of boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hmcbench.errors import BadInput
from hmcbench.plan.choices import Choices, settings_of
from hmcbench.plan.datasets import PlannedDataset
from hmcbench.plan.epochs import resolve_model, scales
from hmcbench.plan.suite import Profile, Suite
from hmcbench.registry.registry import Registry
from hmcbench.registry.unique_names import unique_names


@dataclass(frozen=True)
class ModelNames:
    """What a model is called on some data.

    Attributes:
        data: the dataset with its options and its number of training samples, to which epochs are scaled.
        label: the model as records call it.
        unscaled: the same with the epochs of the suite.
        scaled: whether the profile scales its epochs.
    """

    data: str
    label: str
    unscaled: str
    scaled: bool


def names_on(
    registry: Registry, suite: Suite, data: PlannedDataset, reference: str, choices: Choices
) -> ModelNames:
    """What the model of a reference is called on this data."""
    profile = choices.profile
    spec, params = resolve_model(registry, suite, data, reference, choices, {})
    unscaled = registry.resolve("models", reference, profile, **settings_of(choices, reference))[1]
    return ModelNames(
        data=f"{data.reference}, {len(data.splits[0].sides['train'])} training samples",
        label=registry.label("models", spec, params, profile),
        unscaled=registry.label("models", spec, unscaled, profile),
        scaled=scales(suite.profiles[profile], spec),
    )


def wanted_names(profile: Profile, names_of: Mapping[str, Sequence[ModelNames]]) -> dict[str, dict[str, str]]:
    """Data -> the model as records call it -> the name that its row should have, or itself.

    It is the label of an entry of the suite. Without one, a model whose epochs are scaled differently on the
    data of the plan has one row all the same, with the epochs of the suite.

    Args:
        names_of: reference of a model -> its names on all data.
    """
    wanted: dict[str, dict[str, str]] = {}
    for reference, names in names_of.items():
        several = len({each.label for each in names}) > 1
        for each in names:
            on_data = wanted.setdefault(each.data, {})
            name = profile.labels.get(reference) or (each.unscaled if several else each.label)
            if on_data.get(each.label, each.label) == each.label:  # else it is the model of an earlier entry
                on_data[each.label] = name
    return wanted


def labels_of_plan(
    suite: Suite, registry: Registry, choices: Choices, names_of: Mapping[str, Sequence[ModelNames]]
) -> dict[str, dict[str, str]]:
    """As :func:`labels_of`, with the models of a plan as its data and ``--set`` make them.

    Args:
        names_of: see :func:`wanted_names`.
    """
    labels = labels_of(suite, registry)
    profile = suite.profiles[choices.profile]
    changed = {profile.labels.get(model) for model in names_of if settings_of(choices, model)}
    of_entries = {
        ref: label for ref, label in labels.pop(choices.profile, {}).items() if label not in changed
    }
    names = unique_names(list(wanted_names(profile, names_of).values()))
    of_plan = of_entries | {model: name for model, name in names.items() if name != model}
    return labels | ({choices.profile: of_plan} if of_plan else {})


def labels_of(suite: Suite, registry: Registry) -> dict[str, dict[str, str]]:
    """Profile -> reference -> label, for references as written and as records have them."""
    labels: dict[str, dict[str, str]] = {}
    for name, profile in suite.profiles.items():
        for entry, label in profile.labels.items():
            for reference in _references(registry, profile, name, entry):
                labels.setdefault(name, {})[reference] = label
    return labels


def _references(registry: Registry, profile: Profile, name: str, entry: str) -> set[str]:
    """An entry of a profile as written, and as records have it.

    Records of a model whose epochs are scaled have it in a way that depends on the data: the model that is
    called as this entry is before may be that of another one.
    """
    try:
        spec, params = registry.resolve("models", entry, name)
    except BadInput:  # a model that is not installed
        return {entry}
    label = registry.label("models", spec, params, name)
    return {entry} - {label} if scales(profile, spec) else {entry, label}
