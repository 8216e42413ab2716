"""Suite + choices -> cells with keys. Reads the data (for fingerprints), trains nothing.

A cell's key hashes everything that may change its result: data, split and hierarchy fingerprints,
model id, version and resolved parameters, profile, fold, seed, protocol, and the constants that its
views are made with (an element table). It does not hash metrics, other models, where files lie, the
device or package versions; those are recorded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from hmcbench.data import featurize
from hmcbench.data.loading import plan_dataset
from hmcbench.data.splits import Split, make_split
from hmcbench.errors import BadInput, NotApplicable, unknown
from hmcbench.interfaces import Dataset, DatasetSpec, ModelSpec, Value
from hmcbench.metrics import find_spec
from hmcbench.plan.choices import Choices, check_settings, data_of, selected, settings_of
from hmcbench.plan.describe import constants_of, describe_dataset, describe_model, describe_split
from hmcbench.plan.suite import Profile, Protocol, Suite, check_protocol
from hmcbench.registry.registry import Registry, missing, parse_reference


@dataclass(frozen=True)
class Cell:
    """One pairing, with all that a worker needs. Plain data; travels as JSON."""

    key: str
    record: Mapping[str, Any]  # what the record says however the cell ends
    dataset: str
    dataset_params: Mapping[str, Value]
    model: str
    model_params: Mapping[str, Value]
    profile: str
    fold: int
    seed: int
    protocol: Mapping[str, Any]
    threads: int
    time_limit: float
    memory_mb: int
    preload: tuple[str, ...] = ()
    accelerated: bool = False
    keep_weights: bool = True
    init_from: str = ""  # the record folder of a trained model to start from
    group: str = ""  # cells of one group, if it has a name, are fitted together in one process

    @property
    def label(self) -> str:
        """The model as leaderboards show it."""
        return str(self.record["model"]["label"])

    @property
    def pair(self) -> tuple[str, str]:
        """Dataset and model label: cells of one pair cost about the same."""
        return self.dataset, self.label


@dataclass(frozen=True)
class NotPaired:
    """A dataset and a model that cannot meet, and why."""

    dataset: str
    model: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """All cells of one command, in running order, and the pairs left out."""

    suite: Suite
    profile: str
    cells: Sequence[Cell]
    not_applicable: Sequence[NotPaired]
    notes: Sequence[str] = field(default=())


class Paired(NamedTuple):
    """A model that can meet a dataset: its spec, its parameters, and what its views depend on beside them."""

    spec: ModelSpec
    params: dict[str, Value]
    constants: dict[str, dict[str, str]]


def make_plan(suite: Suite, registry: Registry, choices: Choices) -> Plan:
    """Resolve every reference, load and split every dataset, pair them, and key the cells.

    Raises BadInput or DataProblems for anything that the user can mend before a run starts.
    """
    for column in (suite.primary, *suite.columns):
        find_spec(registry.specs("metrics"), column)
    name = choices.profile or suite.default_profile
    if name not in suite.profiles:
        raise unknown(f"profile of suite {suite.name}", name, suite.profiles)
    profile = suite.profiles[name]
    if choices.time_limit:
        profile = replace(profile, time_limit=choices.time_limit)
    if choices.drop_leaks:
        suite = replace(suite, protocol=replace(suite.protocol, drop_leaks=True))
    if choices.splits:
        suite = replace(suite, protocol=replace(suite.protocol, repeats=choices.splits))
        check_protocol(f"--splits {choices.splits}", suite.protocol)
    choices = replace(choices, data=data_of(suite, choices.data))
    models = selected("model", profile.models, choices.models, registry)
    datasets = selected("dataset", suite.datasets, choices.datasets, registry)
    check_settings(choices, models, suite.datasets, registry)
    cells: list[Cell] = []
    skipped: list[NotPaired] = []
    notes: list[str] = []
    for dataset_ref in datasets:
        spec, params = _resolve_dataset(registry, dataset_ref, name, choices)
        dataset = plan_dataset(registry, spec, params, dataset_ref)
        splits = make_splits(dataset, suite.protocol)
        notes += [f"{dataset_ref}: {note}" for note in (*dataset.notes, *splits[0].notes)]
        for model_ref in models:
            try:
                resolved = _pair(registry, spec, dataset, model_ref, name, choices)
            except NotApplicable as error:
                skipped.append(NotPaired(dataset_ref, model_ref, str(error).rstrip(".")))
                continue
            seeds = range(choices.seeds or profile.seeds)
            cells += [
                _cell(registry, suite, spec, params, dataset, resolved, profile, name, fold, split, seed)
                for seed in seeds
                for fold, split in enumerate(splits)
            ]
    if not choices.keep_weights:
        cells = [replace(cell, keep_weights=False) for cell in cells]
    return Plan(suite, name, cells, skipped, notes)


def make_splits(dataset: Dataset, protocol: Protocol) -> list[Split]:
    """One split, or one per fold or repeat."""
    return [make_split(dataset, protocol, fold) for fold in range(protocol.splits)]


def _resolve_dataset(
    registry: Registry, reference: str, profile: str, choices: Choices
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
    resolved: tuple[DatasetSpec, dict[str, Value]]
    resolved = registry.resolve("datasets", reference, profile, **(extra | settings_of(choices, reference)))
    return resolved


def _pair(
    registry: Registry, data: DatasetSpec, dataset: Dataset, reference: str, profile: str, choices: Choices
) -> Paired:
    """The model with its parameters, or NotApplicable with the reason."""
    spec, params = registry.resolve("models", reference, profile, **settings_of(choices, reference))
    task = dataset.task
    if task.kind not in spec.tasks:
        raise NotApplicable(f"does {' and '.join(spec.tasks)}, the dataset is {task.kind}")
    if task.kind == "hmc" and task.paths not in spec.paths:
        raise NotApplicable(f"takes {' or '.join(spec.paths)} label paths, the dataset has {task.paths}")
    if task.kind == "hmc" and task.depth not in spec.depths:
        raise NotApplicable(
            f"takes labels of {' or '.join(spec.depths)} depth, the dataset's are {task.depth}"
        )
    absent = missing(spec)
    if absent:
        extra = f" (pip install 'hmcbench[{spec.extra}]')" if spec.extra else ""
        raise NotApplicable(f"needs {', '.join(absent)}{extra}")
    if spec.check:
        registry.ask("models", spec, spec.check, params)
    views = featurize.plan_views(registry, data.views, spec.views, params)
    return Paired(spec, params, constants_of(views))


def _cell(
    registry: Registry,
    suite: Suite,
    data: DatasetSpec,
    data_params: Mapping[str, Value],
    dataset: Dataset,
    model: Paired,
    profile: Profile,
    profile_name: str,
    fold: int,
    split: Split,
    seed: int,
) -> Cell:
    spec, params = model.spec, model.params
    hierarchy = dataset.task.hierarchy
    identity = [
        dataset.fingerprint,
        split.fingerprint,
        hierarchy.fingerprint if hierarchy is not None else "",
        [spec.name, spec.version, {k: v for k, v in params.items() if not spec.params[k].cosmetic}],
        [profile_name, fold, seed, {k: v for k, v in asdict(suite.protocol).items() if k != "repeats"}],
        *([{k: v["digest"] for k, v in model.constants.items()}] if model.constants else []),
    ]
    return Cell(
        key=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        record={
            "suite": {"name": suite.name, "version": suite.version, "primary": suite.primary},
            "dataset": describe_dataset(
                data, dataset, registry.label("datasets", data, data_params, profile_name)
            ),
            "split": describe_split(suite.protocol, fold, split),
            "model": describe_model(registry, spec, params, profile_name, model.constants),
            "profile": profile_name,
            "seed": seed,
        },
        dataset=data.name,
        dataset_params=dict(data_params),
        model=spec.name,
        model_params=params,
        profile=profile_name,
        fold=fold,
        seed=seed,
        protocol=asdict(suite.protocol),
        threads=profile.threads,
        time_limit=profile.time_limit,
        memory_mb=profile.memory_mb,
        preload=_preload(registry, spec, params, data),
        accelerated=spec.accelerated,
        group=f"{dataset.fingerprint} {spec.name}" if spec.fit_many else "",
    )


def _preload(
    registry: Registry, spec: ModelSpec, params: Mapping[str, Value], data: DatasetSpec
) -> tuple[str, ...]:
    """Modules that the fork server should have imported before this cell starts."""
    steps = [s for v in featurize.plan_views(registry, data.views, spec.views, params) for s in v.steps]
    modules: dict[str, None] = dict.fromkeys(spec.requires)
    for source in (spec, data, *(step.spec for step in steps)):
        modules.update(dict.fromkeys(source.requires))
        if isinstance(source.factory, str):
            modules[source.factory.partition(":")[0]] = None
    return tuple(modules)
