"""A dataset made by its plugin, or looked over by it before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmcbench.errors import BadInput, DataProblems, PluginError
from hmcbench.interfaces import Dataset, DatasetSpec, Value
from hmcbench.registry.registry import Registry, check_installed, create, parse_reference


def load_dataset(spec: DatasetSpec, params: Mapping[str, Value]) -> Dataset:
    """The dataset with these parameters; raises PluginError where the factory makes something else."""
    return _checked(spec, create(spec, params))


def plan_dataset(
    registry: Registry, spec: DatasetSpec, params: Mapping[str, Value], reference: str
) -> Dataset:
    """The same before any cell runs.

    Args:
        reference: how the user named it, for the line that says how to list what is wrong with its files.

    Raises:
        DataProblems: files that cannot be used.
        PluginError: whatever else the factory raises, in one line that names its plugin.
    """
    check_installed(spec)
    try:
        return _checked(spec, registry.call("datasets", spec, spec.factory, params))
    except DataProblems as error:
        raise DataProblems(error.source, error.problems, reference if spec.linter else "") from None


def _checked(spec: DatasetSpec, made: Any) -> Dataset:
    if not isinstance(made, Dataset):
        raise PluginError(f"dataset {spec.name} made a {type(made).__name__}, not a Dataset")
    return made


def lint_dataset(registry: Registry, reference: str, path: str, **params: Value) -> Any:
    """The DataReport of a dataset that can lint; raises BadInput where it cannot."""
    spec = registry.get("datasets", parse_reference(reference).name)
    if not spec.linter or not spec.path_param:
        able = [s.name for s in registry.specs("datasets") if s.linter]
        raise BadInput(f"dataset {spec.name} reads no files", allowed=f"data for {', '.join(able)}")
    params = {k: v for k, v in params.items() if k in spec.params}
    _, resolved = registry.resolve("datasets", reference, "", **(params | {spec.path_param: path}))
    return registry.call("datasets", spec, spec.linter, resolved)
