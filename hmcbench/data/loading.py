"""Loads a dataset, or lets its plugin check the files first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hmcbench.data import contract
from hmcbench.errors import BadInput, DataProblems, PluginError
from hmcbench.interfaces import Dataset, DatasetSpec, Value
from hmcbench.registry.registry import Registry, check_installed, create, parse_reference


def load_dataset(registry: Registry, spec: DatasetSpec, params: Mapping[str, Value]) -> Dataset:
    """The dataset with these parameters.

    The fingerprint of a third-party dataset is replaced by one of the core's own and the author's part
    (:func:`hmcbench.data.contract.full_fingerprint`).

    Raises:
        PluginError: the factory returned something else, or a dataset that breaks the contract.
    """
    return _checked(registry, spec, create(spec, params))


def plan_dataset(
    registry: Registry, spec: DatasetSpec, params: Mapping[str, Value], reference: str
) -> Dataset:
    """:func:`load_dataset` before any cell runs.

    Args:
        reference: how the user named it, for the command that lists the problems of its files.

    Raises:
        DataProblems: files that cannot be used.
        PluginError: any other error of the factory, in one line that names its plugin.
    """
    check_installed(spec)
    try:
        return _checked(registry, spec, registry.call("datasets", spec, spec.factory, params))
    except DataProblems as error:
        raise DataProblems(
            error.source, error.problems, reference if spec.linter else "", error.unlisted
        ) from None


def _checked(registry: Registry, spec: DatasetSpec, product: Any) -> Dataset:
    if not isinstance(product, Dataset):
        raise PluginError(f"dataset {spec.name} made a {type(product).__name__}, not a Dataset")
    contract.check(product, spec)
    if registry.owner("datasets", spec.name).builtin:
        return product  # its fingerprint is held by tests, and is in the keys of published records
    return replace(product, fingerprint=contract.full_fingerprint(product))


def lint_dataset(registry: Registry, reference: str, path: str, **params: Value) -> Any:
    """The DataReport of a dataset that can lint; raises BadInput where it cannot."""
    spec = registry.get("datasets", parse_reference(reference).name)
    if not spec.linter or not spec.path_param:
        able = [s.name for s in registry.specs("datasets") if s.linter]
        raise BadInput(f"dataset {spec.name} reads no files", allowed=f"data for {', '.join(able)}")
    params = {k: v for k, v in params.items() if k in spec.params}
    _, resolved = registry.resolve("datasets", reference, "", **(params | {spec.path_param: path}))
    return registry.call("datasets", spec, spec.linter, resolved)
