"""Suite + choices -> cells with keys. Loads the data (for fingerprints), trains nothing.

A cell's key hashes everything that may change its result: data, split and hierarchy fingerprints,
model id, version and resolved parameters, profile, fold, seed, protocol, the constants of its views
(an element table), and the origins of third-party plugins. Thresholds per
level or per class are part of it where labels have several paths. It does not hash metrics, decision rules,
other models, file paths, the device or package versions; those are recorded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hmcbench.data import featurize
from hmcbench.data.protocol import VARIED
from hmcbench.data.shifts import ShiftChoice
from hmcbench.errors import BadInput, NotApplicable, unknown
from hmcbench.interfaces import FittedPer, ModelSpec, Spec, Task, Value
from hmcbench.metrics.ids import find_spec, parse_id
from hmcbench.metrics.promise import ALPHA
from hmcbench.plan.choices import Choices, check_settings, data_of, selected
from hmcbench.plan.datasets import (
    PlannedDataset,
    check_calibration,
    check_far,
    chosen_datasets,
    load_datasets,
)
from hmcbench.plan.describe import (
    constants_of,
    describe_dataset,
    describe_model,
    describe_split,
    origins_of,
)
from hmcbench.plan.epochs import factor, resolve_model
from hmcbench.plan.names import ModelNames, labels_of_plan, names_on, wanted_names
from hmcbench.plan.shifts import NONE, applicable_shifts, chosen_shifts
from hmcbench.plan.suite import PaperRow, Profile, Suite
from hmcbench.registry.registry import Registry, file_digest, load_object, unmet_needs


@dataclass(frozen=True)
class Cell:
    """Dataset, model, fold, seed and profile, with all that a worker needs. Plain data."""

    key: str
    record: Mapping[str, Any]  # the content of the record that is known before the cell runs
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
    metrics: tuple[str, ...] = ()  # ids to compute; empty for all
    row: str = ""  # the label of the model in the suite, else as ``label``
    per: FittedPer = "shared"  # what has a threshold of its own
    rules: tuple[str, ...] = ()  # references of decision rules
    alpha: float = ALPHA  # the bound on risk
    shifts: tuple[ShiftChoice, ...] = ()  # that the test samples are predicted under
    shift_metrics: tuple[str, ...] = ()  # ids of what is computed there
    far: tuple[str, Mapping[str, Value]] | None = None  # dataset of the far unknowns, and its parameters
    kept: str = ""  # the record folder of this cell, whose kept model predicts the shifts
    computation: Mapping[str, Value] | None = None  # of an earlier fit of this cell; see Run
    group: str = ""  # cells of one group are fitted together in one process; empty for none
    at_a_time: int = 1  # cells that share the device, whose costs suffer

    @property
    def label(self) -> str:
        """The model with its options: the shortest reference that resolves to its parameters."""
        return str(self.record["model"]["label"])

    @property
    def dataset_reference(self) -> str:
        """The dataset with its options, as ``toy-tree[noise=1]``."""
        return str(self.record["dataset"]["reference"])

    @property
    def pair(self) -> tuple[str, str]:
        """Dataset with its options and model label: cells of one pair cost about the same."""
        return self.dataset_reference, self.label


@dataclass(frozen=True)
class NotPaired:
    """A dataset and a model that does not apply to it, both with their options, and why.

    Attributes:
        label: the model as records would call it; empty: as ``model``.
    """

    dataset: str
    model: str
    reason: str
    label: str = ""


@dataclass(frozen=True)
class Plan:
    """All cells of one command, in running order, and the pairs that are not applicable."""

    suite: Suite
    profile: str
    cells: Sequence[Cell]
    not_applicable: Sequence[NotPaired]
    notes: Sequence[str] = field(default=())
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # see labels_of_plan
    row_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # wanted_names of scaled models
    drop_shifts: bool = False  # whether cells that run again lose the shifts of their records

    def info(self) -> dict[str, Any]:
        """The content of ``suite.json``, as plain data."""
        names = ("key", "dataset", "fold", "seed", "profile")
        cells = [
            {name: getattr(c, name) for name in names}
            | {"model": c.label, "reference": c.dataset_reference}
            | ({"varied": varied} if (varied := _varied(c)) else {})
            for c in self.cells
        ]
        pairs = [
            {
                "dataset": pair.dataset,
                "reference": pair.dataset,
                "model": pair.label or pair.model,
                "reason": pair.reason,
                "profile": self.profile,
            }
            for pair in self.not_applicable
        ]
        plan = {"profile": self.profile, "cells": cells, "not_applicable": pairs, "labels": self.labels}
        row_names = {"row_names": {self.profile: self.row_names}} if self.row_names else {}
        return self.suite.info() | plan | row_names


def _varied(cell: Cell) -> dict[str, Any]:
    """What the suite varies from cell to cell, of this one."""
    split = cell.record["split"]
    return {name: split[name] for name in VARIED if name in split}


@dataclass(frozen=True, eq=False)
class Pair:
    """A dataset and a model that applies to it, and all that their cells have in common.

    Attributes:
        profile: the name of ``budget`` in the suite.
        spec, params: of the model.
        constants: see :func:`hmcbench.plan.describe.constants_of`.
        origins: of the plugins of dataset, model and featurizers that are not built in, and of models that
            the model names.
        described: the parts of a cell's record that do not depend on fold and seed.
        sources: the views of the dataset that the model's are made of.
        preload: modules that the fork server imports before a cell starts.
        joint: whether the cells are fitted together in one process (:attr:`ModelSpec.fit_many`).
    """

    per: FittedPer
    profile: str
    budget: Profile
    data: PlannedDataset
    spec: ModelSpec
    params: dict[str, Value]
    constants: Mapping[str, Mapping[str, str]]
    origins: Mapping[str, Sequence[str]]
    described: Mapping[str, Any]
    sources: frozenset[str]
    preload: tuple[str, ...]
    joint: bool

    @property
    def label(self) -> str:
        """The model as records name it."""
        return str(self.described["model"]["label"])

    def cell(self, fold: int, seed: int) -> Cell:
        """The cell of one fold and one seed."""
        far = self.data.far
        split = describe_split(
            self.data.protocol, fold, self.data.splits[fold], None if far is None else far[2]
        )
        return Cell(
            key=self._key(fold, seed),
            record={**self.described, "split": split, "seed": seed},
            far=None if far is None else far[:2],
            dataset=self.data.spec.name,
            dataset_params=self.data.params,
            model=self.spec.name,
            model_params=self.params,
            profile=self.profile,
            fold=fold,
            seed=seed,
            protocol=asdict(self.data.protocol),
            threads=self.budget.threads,
            time_limit=self.budget.time_limit,
            memory_mb=self.budget.memory_mb,
            preload=self.preload,
            accelerated=self.spec.accelerated,
            per=self.per,
            group=self._group() if self.joint else "",
        )

    def _group(self) -> str:
        """Names the cells that are fitted together: those of the same samples with the same labels."""
        varied = [getattr(self.data.protocol, name) for name in VARIED]
        return f"{self.data.dataset.fingerprint} {self.spec.name} {varied}"

    def _hashed_params(self) -> dict[str, Any]:
        """The parameters that may change the result; added ones only where they have another value.

        Of a file its digest counts.
        """
        declared = self.spec.params
        return {
            name: {"sha256": file_digest(value)} if declared[name].file and isinstance(value, str) else value
            for name, value in self.params.items()
            if not declared[name].cosmetic and (not declared[name].added or value != declared[name].default)
        }

    def _key(self, fold: int, seed: int) -> str:
        spec, hierarchy = self.spec, self.data.dataset.task.hierarchy
        protocol = {k: v for k, v in self.data.protocol.to_json().items() if k != "repeats"}
        identity = [
            self.data.dataset.fingerprint,
            self.data.splits[fold].fingerprint,
            hierarchy.fingerprint if hierarchy is not None else "",
            [spec.name, spec.version, self._hashed_params()],
            [self.profile, fold, seed, protocol],
            *([{k: v["digest"] for k, v in self.constants.items()}] if self.constants else []),
            *([self.origins] if self.origins else []),
            *([{"thresholds": self.per}] if self.per != "shared" else []),
            *([{"far": self.data.far[2].fingerprint}] if self.data.far is not None else []),
        ]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def make_plan(suite: Suite, registry: Registry, choices: Choices) -> Plan:
    """Resolve every reference, load and split every dataset, and make the cells of every pair.

    Raises BadInput or DataProblems for anything that the user can mend before a run starts.
    """
    suite, choices = _resolved(suite, registry, choices)
    profile_name = choices.profile
    profile = suite.profiles[profile_name]
    models = selected("model", profile.models, choices.models, registry, profile.labels)
    datasets, notes = chosen_datasets(suite, registry, choices)
    far = (suite.protocol.far_unknown,) if suite.protocol.far_unknown else ()
    check_settings(choices, models, (*_references(suite, datasets), *far), registry)
    _check_params(suite, registry)
    cells: list[Cell] = []
    skipped: list[NotPaired] = []
    notes += _of_no_entry(suite, profile_name, models)
    names_of: dict[str, list[ModelNames]] = {}
    tasks: list[Task] = []
    shifts = chosen_shifts(suite, registry, choices.shifts)
    read: dict[str, frozenset[str]] = {}  # dataset -> its views that models read
    for dataset_ref in datasets:
        variants = load_datasets(registry, suite.protocol, dataset_ref, choices)
        owner = f"{variants[0].reference}: " if len(datasets) > 1 else ""
        for data in variants:
            check_calibration(data, suite.decisions.alpha)
            tasks.append(data.dataset.task)
            notes += [note for n in data.notes if (note := owner + n) not in notes]
        trained = False
        for model_ref in models:
            names = [names_on(registry, suite, data, model_ref, choices) for data in variants]
            names_of.setdefault(model_ref, []).extend(names)
            try:
                pairs = [_pair(registry, suite, data, model_ref, choices) for data in variants]
            except NotApplicable as error:
                reason = str(error).rstrip(".")
                skipped.append(NotPaired(variants[0].reference, model_ref, reason, names[0].label))
                continue
            check_far(data, pairs[0].label, pairs[0].sources)
            if data.dataset.task.unit == "sample":
                read[data.reference] = read.get(data.reference, frozenset()) | pairs[0].sources
            trained |= any(param.passes for param in pairs[0].spec.params.values())
            for seed in range(choices.seeds or profile.seeds):
                cells += [pair.cell(fold, seed) for pair in pairs for fold in range(len(pair.data.splits))]
        notes += _of_epochs(profile, variants) if trained else []
    _check_typed_ids(registry, (choices.primary, *choices.columns), tasks)
    suite = replace(suite, published=_resolved_rows(suite, registry, profile_name))
    shifts_of = applicable_shifts(suite, choices, shifts, read)
    cells, repeated = _distinct(cells)
    notes += repeated
    plain = not all(map(_varied, cells))
    labels = labels_of_plan(suite, registry, choices, names_of)
    row_names = labels.get(profile_name, {})
    cells = [
        replace(
            cell,
            keep_weights=choices.keep_weights,
            metrics=suite.wanted,
            rules=suite.decisions.rules,
            alpha=suite.decisions.alpha,
            shifts=() if _varied(cell) and plain else shifts_of.get(cell.dataset_reference, ()),
            shift_metrics=tuple(dict.fromkeys((suite.primary, *suite.columns))),
            row=row_names.get(cell.label, cell.label),
        )
        for cell in cells
    ]
    scaled = {model: [each for each in names if each.scaled] for model, names in names_of.items()}
    wanted = wanted_names(profile, scaled)
    return Plan(suite, profile_name, cells, skipped, notes, labels, wanted, choices.shifts == (NONE,))


def _distinct(cells: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """The cells without those that an earlier one is the same as; and notes on their models."""
    first: dict[str, Cell] = {}
    notes: list[str] = []
    for cell in cells:
        if cell.key in first:
            notes.append(f"{cell.dataset_reference} x {cell.label} is named twice: it runs once")
        first.setdefault(cell.key, cell)
    return list(first.values()), list(dict.fromkeys(notes))


def _references(suite: Suite, chosen: Sequence[str]) -> tuple[str, ...]:
    """Datasets that an option may name: those of the suite, and others that were chosen."""
    return tuple(dict.fromkeys((*suite.datasets, *suite.without_data, *chosen)))


def plan_data(suite: Suite, registry: Registry, choices: Choices) -> tuple[Suite, str, list[PlannedDataset]]:
    """What :func:`make_plan` does without models: the suite as changed, the profile, and the datasets.

    Raises BadInput or DataProblems as there, and where the protocol makes several tasks of one dataset.
    """
    suite, choices = _resolved(suite, registry, choices)
    references, _ = chosen_datasets(suite, registry, choices)
    check_settings(choices, (), _references(suite, references), registry)
    data = []
    for reference in references:
        variants = load_datasets(registry, suite.protocol, reference, choices)
        if len(variants) > 1:
            raise BadInput(
                f"suite {suite.name} makes {len(variants)} tasks of {reference}",
                allowed="one value of unknown, train_share and label_noise",
            )
        data += variants
    published = _resolved_rows(suite, registry, choices.profile)
    return replace(suite, published=published), choices.profile, data


def _resolved(suite: Suite, registry: Registry, choices: Choices) -> tuple[Suite, Choices]:
    """The suite with the typed protocol and columns, and the choices with a profile of it."""
    suite = _changed(suite, choices)
    for name in (suite.primary, *suite.columns, *suite.metrics):
        find_spec(registry.specs("metrics"), name)
    for reference in suite.decisions.rules:
        registry.resolve("rules", reference)
    profile = choices.profile or suite.default_profile
    if profile not in suite.profiles:
        raise unknown(f"profile of suite {suite.name}", profile, suite.profiles)
    return suite, replace(choices, profile=profile, data=data_of(suite, choices.data))


def _check_typed_ids(registry: Registry, names: Sequence[str], tasks: Sequence[Task]) -> None:
    """Raise BadInput for a typed id of a level, class or target that no dataset of the plan has.

    A suite's own columns may name what only some data have.
    """
    members = [m for t in tasks for m in (t.hierarchy.classes if t.hierarchy is not None else t.targets)]
    depth = max((t.hierarchy.depth for t in tasks if t.hierarchy is not None), default=0)
    for name in filter(None, names):
        metric_id = parse_id(find_spec(registry.specs("metrics"), name), name)
        if metric_id is None:  # of all levels or classes
            continue
        if metric_id.member and metric_id.member not in members:
            raise unknown(f"class or target in {name}", metric_id.member, dict.fromkeys(members))
        if metric_id.k > depth:
            raise BadInput(f"{name}: the data have {depth} levels", allowed=f"levels 1 to {depth}")


def _resolved_rows(suite: Suite, registry: Registry, profile: str) -> tuple[PaperRow, ...]:
    """The published rows, with their datasets as records name them."""
    rows: list[PaperRow] = []
    for row in suite.published:
        spec, params = registry.resolve("datasets", row["dataset"], profile)
        rows.append({**row, "dataset": registry.label("datasets", spec, params, profile)})
    return tuple(rows)


def _of_no_entry(suite: Suite, profile: str, models: Sequence[str]) -> list[str]:
    """A note for every model that was named without parameters and has no entry in the suite."""
    entries = suite.profiles[profile].models
    return [
        f"{model} has no entry in suite {suite.name}, profile {profile}: it runs with its own defaults"
        for model in models
        if model not in entries and "[" not in model
    ]


def _of_epochs(profile: Profile, variants: Sequence[PlannedDataset]) -> list[str]:
    """A note where the epochs of the suite's models are scaled, by how much in all variants of the data."""
    samples = sorted({len(data.splits[0].sides["train"]) for data in variants})
    times = [factor(profile.epochs_for, n) for n in reversed(samples)]
    if all(0.95 < each < 1.05 for each in times):
        return []
    here = " to ".join(dict.fromkeys(f"{n:,}" for n in (samples[0], samples[-1])))
    scale = " to ".join(dict.fromkeys(f"{x:.2g}" for x in (times[0], times[-1])))
    meant = f"those of the suite are meant for {profile.epochs_for:,} training samples, here are {here}"
    return [f"{variants[0].reference}: epochs of networks x {scale}: {meant}"]


def _check_params(suite: Suite, registry: Registry) -> None:
    """Raise BadInput where the suite sets a parameter, for one of its datasets, that no model has."""
    for models in suite.params.values():
        for model, params in models.items():
            registry.resolve("models", model, "", **params)


def _changed(suite: Suite, choices: Choices) -> Suite:
    """The suite with the protocol and the columns that the command line asks for."""
    if choices.primary or choices.columns:
        primary = choices.primary or suite.primary
        suite = replace(suite, primary=primary, columns=choices.columns or (primary, *suite.columns))
    protocol = suite.protocol
    if choices.drop_leaks:
        protocol = replace(protocol, drop_leaks=True)
    if choices.splits and choices.folds:
        raise BadInput(f"--splits {choices.splits} and --folds {choices.folds}", allowed="one of them")
    if choices.folds:
        protocol = replace(protocol, kind="kfold", folds=choices.folds, repeats=1)
        protocol.check(f"--folds {choices.folds}")
    if choices.splits:
        other = choices.free_protocol and (choices.splits > 1 or protocol.kind == "kfold")
        protocol = replace(protocol, kind="holdout" if other else protocol.kind, repeats=choices.splits)
        protocol.check(f"--splits {choices.splits}")
    return replace(suite, protocol=protocol)


def _check_parameters(registry: Registry, spec: ModelSpec, params: Mapping[str, Any], task: Task) -> None:
    """Have a model check its parameters; its error names the model, of several in a suite."""
    try:
        if spec.check:
            registry.call("models", spec, spec.check, params)
        if spec.check_task:
            registry.call("models", spec, spec.check_task, {**params, "task": task})
    except BadInput as error:
        if spec.name in error.what:
            raise
        raise BadInput(f"{spec.name}: {error.what}", allowed=error.allowed, hint=error.hint) from None


def _pair(registry: Registry, suite: Suite, data: PlannedDataset, reference: str, choices: Choices) -> Pair:
    """The dataset with a model and its parameters, or NotApplicable with the reason."""
    profile = choices.profile
    own = suite.params_of(data.reference, reference)
    spec, shown = resolve_model(registry, suite, data, reference, choices, {})
    params = resolve_model(registry, suite, data, reference, choices, own)[1] if own else shown
    _check_applicable(spec, data.dataset.task)
    _check_parameters(registry, spec, params, data.dataset.task)
    views = featurize.plan_views(registry, tuple(data.dataset.views), spec.views, params)
    constants = constants_of(views)
    origins = origins_of(registry, data.spec, spec, params, views)
    described = {
        "suite": {"name": suite.name, "version": suite.version, "primary": suite.primary},
        "dataset": describe_dataset(data.spec, data.dataset, data.reference, data.spec.name in choices.data),
        # a suite's parameters for a dataset are not in the label: the row is the same model on all datasets
        "model": describe_model(registry, spec, params, profile, constants)
        | {"label": registry.label("models", spec, shown, profile)},
        "profile": profile,
    }
    typed: dict[str, Any] = {"time_limit": choices.time_limit, "threads": choices.threads}
    budget = replace(suite.profiles[profile], **{name: value for name, value in typed.items() if value})
    steps = (step.spec for view in views for step in view.steps)
    named = {plugin.module for plugin in registry.manager.plugins if plugin.named}  # loaded as files
    preload = tuple(module for module in _modules(spec, data.spec, *steps) if module not in named)
    if choices.keep_weights and "sklearn" in spec.requires:
        preload += ("skops.io",)  # what keeps it, where installed: four seconds once, and not for every cell
    if "torch" in preload:
        preload += ("torch._dynamo",)  # what the first optimizer imports: seconds once, and not in every fit
    joint = bool(spec.fit_many)
    if joint and spec.joint:
        joint = bool(registry.call("models", spec, spec.joint, params))
    per = suite.decisions.thresholds if data.dataset.task.paths == "multiple" else "shared"
    sources = frozenset(view.source for view in views)
    common = (constants, origins, described, sources, preload, joint)
    return Pair(per, profile, budget, data, spec, params, *common)


def _check_applicable(spec: ModelSpec, task: Task) -> None:
    """Raise NotApplicable, with the reason, where a model does not support a task or lacks a library."""
    if task.kind not in spec.tasks:
        raise NotApplicable(f"does {' and '.join(spec.tasks)}, the dataset is {task.kind}")
    if task.unit != spec.unit:
        units = "images" if spec.unit == "sample" else "pixels"
        raise NotApplicable(f"labels {units}, the dataset has labels of every {task.unit}")
    if task.kind == "hmc" and task.paths not in spec.paths:
        raise NotApplicable(f"takes {' or '.join(spec.paths)} label paths, the dataset has {task.paths}")
    if task.kind == "hmc" and task.depth not in spec.depths:
        raise NotApplicable(
            f"takes labels of {' or '.join(spec.depths)} depth, the dataset's are {task.depth}"
        )
    shape = "dag" if task.hierarchy is not None and not task.hierarchy.is_tree else "tree"
    if task.kind == "hmc" and shape not in spec.hierarchies:
        raise NotApplicable("takes trees, the hierarchy is a DAG" if shape == "dag" else "takes DAGs only")
    if task.paths == "single" and task.kind == "hmc" and spec.scores == "ranking":
        raise NotApplicable("its scores only rank; single label paths need probabilities")
    needs = unmet_needs(spec)
    if needs:
        raise NotApplicable(needs)
    reason = load_object(spec.applicable)(task) if spec.applicable else ""
    if reason:
        raise NotApplicable(str(reason))


def _modules(model: ModelSpec, *sources: Spec) -> tuple[str, ...]:
    """Modules that the specs require and modules of their factories; those of the model first."""
    modules: dict[str, None] = dict.fromkeys(model.requires)
    for spec in (model, *sources):
        modules.update(dict.fromkeys(spec.requires))
        if isinstance(spec.factory, str):
            modules[spec.factory.partition(":")[0]] = None
    return tuple(modules)
