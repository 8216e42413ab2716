"""The datasets of a plan: chosen, loaded and split, once for every variant of the protocol."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from hmcbench.data.far import far_samples
from hmcbench.data.loading import plan_dataset
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import Split
from hmcbench.data.variants import CannotBeUnknown, can_be_unknown, divide
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, DatasetSpec, Value
from hmcbench.metrics.promise import least_samples
from hmcbench.plan.choices import Choices, selected, settings_of
from hmcbench.plan.small_data import notes_of, protocol_of
from hmcbench.plan.suite import Suite
from hmcbench.registry.registry import Registry, parse_reference


class PlannedDataset(NamedTuple):
    """A dataset that the plan loaded, its spec and parameters, and its splits, one per fold or repeat.

    Attributes:
        reference: the shortest that resolves to these parameters.
        protocol: of the splits: the suite's, or another for small data of the user.
        notes: for the plan.
        far: name and parameters of the dataset of far unknowns, and the samples that are taken of it.
    """

    spec: DatasetSpec
    params: dict[str, Value]
    reference: str
    dataset: Dataset
    protocol: Protocol
    splits: Sequence[Split]
    notes: Sequence[str]
    far: tuple[str, dict[str, Value], Dataset] | None = None


def chosen_datasets(suite: Suite, registry: Registry, choices: Choices) -> tuple[list[str], list[str]]:
    """The references of the datasets that are chosen, or whose data are there; and a note on the others."""
    if not choices.datasets:
        return _at_hand(registry, suite, choices)
    references = (*suite.datasets, *suite.without_data)
    return selected("dataset", references, choices.datasets, registry), []


def _at_hand(registry: Registry, suite: Suite, choices: Choices) -> tuple[list[str], list[str]]:
    """The suite's datasets whose data are there, or those that run without data; and a note on the others."""
    there: list[str] = []
    absent: list[str] = []
    for reference in suite.datasets:
        (there if is_at_hand(registry, reference, choices) else absent).append(reference)
    if not absent:
        return there, []
    names = ", ".join(absent[:4]) + (f" and {len(absent) - 4} more" if len(absent) > 4 else "")
    name = parse_reference(absent[0]).name
    fetch = f", or hmcbench data fetch {name}" if registry.get("datasets", name).fetch else ""
    note = f"left out, as their data are not here: {names} (--data {name}=PATH{fetch})"
    if not there and not suite.without_data:
        return list(suite.datasets), []  # loading them says what is missing
    return there or list(suite.without_data), [note]


def is_at_hand(registry: Registry, reference: str, choices: Choices) -> bool:
    """Whether the data of a dataset are there, as far as its spec tells without loading them."""
    spec, params = _dataset_params(registry, reference, choices)
    return not spec.at_hand or bool(registry.call("datasets", spec, spec.at_hand, params))


def _dataset_params(
    registry: Registry, reference: str, choices: Choices
) -> tuple[DatasetSpec, dict[str, Value]]:
    spec = registry.get("datasets", parse_reference(reference).name)
    extra: dict[str, Value] = {k: v for k, v in choices.dataset_params.items() if k in spec.params}
    if spec.name in choices.data:
        if not spec.path_param:
            raise BadInput(
                f"--data {spec.name}=...: this dataset reads no path",
                hint=f"hmcbench show dataset {spec.name}",
            )
        extra[spec.path_param] = choices.data[spec.name]
    settings = extra | settings_of(choices, reference)
    return registry.resolve("datasets", reference, choices.profile, **settings)


def load_datasets(
    registry: Registry, protocol: Protocol, reference: str, choices: Choices
) -> list[PlannedDataset]:
    """The dataset with its splits, once for every variant of the protocol."""
    spec, params = _dataset_params(registry, reference, choices)
    dataset = plan_dataset(registry, spec, params, reference)
    notes = list(dataset.notes)
    if choices.free_protocol and spec.name in choices.data and not (choices.splits or choices.folds):
        protocol, changed = protocol_of(dataset, protocol)
        notes += changed
    label = registry.label("datasets", spec, params, choices.profile)
    far = _far(registry, dataset, protocol.far_unknown, choices) if protocol.far_unknown else None
    planned = []
    for variant in _variants(dataset, protocol, notes):
        divided = [divide(dataset, variant, fold) for fold in range(variant.splits)]
        splits = [split for _, split in divided]
        more = [*splits[0].notes, *notes_of(dataset, variant, splits)]
        notes_of_it = [*notes, *more]
        planned.append(PlannedDataset(spec, params, label, divided[0][0], variant, splits, notes_of_it, far))
    return planned


def _far(
    registry: Registry, dataset: Dataset, reference: str, choices: Choices
) -> tuple[str, dict[str, Value], Dataset]:
    spec, params = _dataset_params(registry, reference, choices)
    return spec.name, params, far_samples(dataset, plan_dataset(registry, spec, params, reference), reference)


def check_far(data: PlannedDataset, model: str, sources: Collection[str]) -> None:
    """Raise BadInput where the far unknowns lack a view of the data that a model reads."""
    lacking = sorted(set(sources) - set(data.far[2].views)) if data.far is not None else []
    if lacking:
        raise BadInput(
            f"far_unknown = {data.protocol.far_unknown}: it has no view {lacking[0]} like that of"
            f" {data.reference}, which {model} reads",
            allowed="a dataset with the views that the models read",
        )


def _variants(dataset: Dataset, protocol: Protocol, notes: list[str]) -> list[Protocol]:
    """The protocols of single cells; leaves that cannot be unknown in turn are named in ``notes``."""
    if not protocol.each:
        return protocol.variants()
    hierarchy = dataset.task.hierarchy
    if hierarchy is None:
        raise BadInput('unknown = "each": the dataset is a regression', allowed="a dataset with classes")
    leaves, left_out = [], []
    for column in hierarchy.leaves.tolist():
        name = hierarchy.classes[column]
        alone = replace(protocol, unknown=(name,), train_share=(), label_noise=())
        try:
            if can_be_unknown(hierarchy, name):
                for fold in range(protocol.splits):
                    divide(dataset, alone, fold)
                leaves.append(name)
                continue
        except CannotBeUnknown:
            pass
        left_out.append(name)
    if left_out:
        notes.append(f"never unknown, as they have no sibling or no test sample: {', '.join(left_out)}")
    if not leaves:
        raise BadInput('unknown = "each": no leaf has a sibling and a test sample', allowed="other data")
    return protocol.variants(leaves)


def check_calibration(data: PlannedDataset, alpha: float) -> None:
    """Raise BadInput where too few samples are put apart for any promise at this alpha."""
    if data.dataset.task.kind != "hmc" or not data.protocol.calibration:
        return
    fewest, least = min(len(split.sides["calibration"]) for split in data.splits), least_samples(alpha)
    if fewest < least:
        raise BadInput(
            f"{data.reference}: calibration = {data.protocol.calibration:g} puts {fewest} samples apart,"
            f" too few for alpha = {alpha:g}",
            allowed=f"at least {least} samples: a larger calibration, or a larger alpha under [decisions]",
        )
