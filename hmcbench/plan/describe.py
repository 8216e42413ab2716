"""The parts of a record on data, split and model, which are known before the cell runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from hmcbench.data.featurize import ViewPlan
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import Split
from hmcbench.errors import NotApplicable, Unavailable
from hmcbench.interfaces import Dataset, DatasetSpec, ModelSpec, Value
from hmcbench.interfaces.objects import FAR
from hmcbench.registry.registry import Registry, file_digest, parse_reference, shown


def describe_dataset(
    spec: DatasetSpec, dataset: Dataset, reference: str, given: bool = False
) -> dict[str, Any]:
    """The dataset's part of a record.

    Args:
        reference: its name with the parameters that differ.
        given: whether ``--data`` brought it.
    """
    task = dataset.task
    hierarchy = task.hierarchy
    return {
        "name": spec.name,
        "reference": reference,
        "fingerprint": dataset.fingerprint,
        "synthetic": dataset.synthetic,
        "given": given,
        "share_targets": dataset.share_targets,
        "samples": len(dataset.ids),
        "task": task.kind,
        "paths": task.paths,
        "depth": task.depth,
        "classes": hierarchy.n if hierarchy is not None else 0,
        "levels": hierarchy.depth if hierarchy is not None else 0,
        "hierarchy": hierarchy.fingerprint if hierarchy is not None else "",
        "targets": list(task.targets),
        **({"unscored": list(task.unscored)} if task.unscored else {}),
        **({"unit": task.unit} if task.unit != "sample" else {}),
        "notes": list(dataset.notes),
    }


def describe_split(protocol: Protocol, fold: int, split: Split, far: Dataset | None = None) -> dict[str, Any]:
    """The split's part of a record; ``far``: the far unknowns."""
    counts = {name: len(rows) for name, rows in split.sides.items()}
    return {
        **protocol.to_json(),
        "fold": fold,
        "fingerprint": split.fingerprint,
        "counts": counts if far is None else {**counts, FAR: len(far.ids)},
        "notes": list(split.notes),
        **({} if far is None else {"far_fingerprint": far.fingerprint}),
    }


def describe_model(
    registry: Registry,
    spec: ModelSpec,
    params: Mapping[str, Value],
    profile: str,
    constants: Mapping[str, Any],
) -> dict[str, Any]:
    """The model's part of a record, before it is fitted; ``constants`` of :func:`constants_of`."""
    owner = registry.owner("models", spec.name)
    source = registry.origin("models", spec.name)[2:]
    files = {
        name: {"name": Path(value).name, "sha256": file_digest(value)}
        for name, value in params.items()
        if spec.params[name].file and isinstance(value, str)
    }
    return {
        "label": registry.label("models", spec, params, profile),
        "name": spec.name,
        "version": spec.version,
        "params": {name: shown(spec.params[name], value) for name, value in params.items()},
        "plugin": {
            "name": PurePath(owner.name).name,  # Python objects come from a file of a temporary folder
            "distribution": owner.distribution,
            "version": owner.version,
            **({"source": source[0]} if source else {}),
        },
        "transductive": spec.transductive,
        "deterministic": is_deterministic(spec, params),
        "parameters": None,
        "multiply_adds": None,
        "pretrained": None,
        **({"constants": dict(constants)} if constants else {}),
        **({"files": files} if files else {}),
    }


def is_deterministic(spec: ModelSpec, params: Mapping[str, Value]) -> bool:
    """Whether the model with these parameters is declared to be the same for every seed."""
    declared = spec.deterministic
    if isinstance(declared, bool):
        return declared
    return all(params[name] in values for name, values in declared.items())


def constants_of(views: Sequence[ViewPlan]) -> dict[str, dict[str, str]]:
    """Featurizer -> digest and origin of constants (such as an element table) that its values depend on.

    Raises:
        NotApplicable: where they need a library that is not installed.
    """
    try:
        constants = {step.spec.name: step.constants() for view in views for step in view.steps}
    except Unavailable as error:
        raise NotApplicable(str(error)) from None
    return {name: {"digest": pair[0], "origin": pair[1]} for name, pair in constants.items() if pair}


def origins_of(
    registry: Registry,
    dataset: DatasetSpec,
    model: ModelSpec,
    params: Mapping[str, Value],
    views: Sequence[ViewPlan],
) -> dict[str, tuple[str, ...]]:
    """Spec -> origin (:meth:`Registry.origin`) of dataset, model and featurizers of third-party plugins.

    Of models that ``params`` name also the version (:attr:`hmcbench.Param.model`).

    Raises:
        BadInput: they name a model that there is not.
    """
    naming = [name for name, param in model.params.items() if param.model and name in params]
    inner = [registry.get("models", parse_reference(str(params[name])).name) for name in naming]
    origins = {
        **{f"{i.name} in {model.name}": (i.version, *registry.origin("models", i.name)) for i in inner},
        f"dataset {dataset.name}": registry.origin("datasets", dataset.name),
        f"model {model.name}": registry.origin("models", model.name),
        **{f"featurizer {step.spec.name}": step.origin for view in views for step in view.steps},
    }
    return {name: origin for name, origin in origins.items() if origin}
