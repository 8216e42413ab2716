"""Loads a dataset, or lets its plugin check the files first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hmcbench.data import contract
from hmcbench.errors import BadInput, DataProblems, PluginError
from hmcbench.hierarchy.csv_rows import csv_rows
from hmcbench.interfaces import Dataset, DatasetSpec, Value
from hmcbench.registry.registry import Registry, check_installed, create, parse_reference

HEADER = 1_000_000  # bytes that are read to see the names of columns


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


def dataset_of_file(registry: Registry, path: Path) -> str:
    """The dataset that a file is read as where none is named (:attr:`DatasetSpec.files`); empty for none.

    Raises:
        BadInput: several datasets claim the file alike.
    """
    name = path.name.lower()
    claims = [
        (len(ending), {column.lower() for column in columns}, spec.name)
        for spec in registry.specs("datasets")
        for ending, columns in spec.files.items()
        if name == ending.lower() or (ending.startswith(".") and name.endswith(ending.lower()))
    ]
    if not claims or not path.is_file():
        return ""
    header = _header(path) if any(columns for _, columns, _ in claims) else set()
    ranks = [((length, len(columns)), of) for length, columns, of in claims if columns <= header]
    highest = max((rank for rank, _ in ranks), default=None)
    best = sorted({of for rank, of in ranks if rank == highest})
    if len(best) > 1:
        what = f"{path} may be a file of {' or '.join(best)}"
        raise BadInput(what, allowed="a file of one dataset", hint=f"--dataset {best[0]}")
    return best[0] if best else ""


def _header(path: Path) -> set[str]:
    """The names of the columns of a text file, in small letters; none where it cannot be read."""
    try:
        with path.open("rb") as stream:
            data = stream.read(HEADER)
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        _line, names = next(csv_rows(data.decode(encoding, errors="replace"), str(path)), (0, []))
    except (OSError, BadInput):  # each reader says what is wrong with it
        return set()
    return {name.lower() for name in names}


def lint_dataset(registry: Registry, reference: str, path: str, **params: Value) -> Any:
    """The DataReport of a dataset that can lint; raises BadInput where it cannot."""
    spec = registry.get("datasets", parse_reference(reference).name)
    if not spec.linter or not spec.path_param:
        able = [s.name for s in registry.specs("datasets") if s.linter]
        raise BadInput(f"dataset {spec.name} reads no files", allowed=f"data for {', '.join(able)}")
    params = {k: v for k, v in params.items() if k in spec.params}
    _, resolved = registry.resolve("datasets", reference, "", **(params | {spec.path_param: path}))
    return registry.call("datasets", spec, spec.linter, resolved)
