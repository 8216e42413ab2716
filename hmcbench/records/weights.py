"""Trained models on disk: saved with their records, and loaded again.

A record folder may contain ``model/``, written by the model's own ``save``. Nothing in it is executed:
models save numbers (safetensors, ``.npy``), plain JSON, or skops archives of trusted types, and the installed
plugin with the name and version of the record reads them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmcbench.data.prepare import Preparation, read_preparations, write_preparations
from hmcbench.data.protocol import VARIED, Protocol
from hmcbench.errors import BadInput, HmcbenchError, unknown
from hmcbench.interfaces import ModelSpec, Run, Task, Value
from hmcbench.metrics.decisions import Thresholds
from hmcbench.records.record import RUN_HINT, Record, is_record, read_all, read_record
from hmcbench.records.row_names import chosen_row, model_reference, name_of_version, with_labels
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import Registry, create, default_registry

if TYPE_CHECKING:
    from hmcbench.interfaces import Model

MODEL_FOLDER = "model"
INPUTS = "inputs.json"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model of a record.

    Attributes:
        model: ready for ``predict``.
        record: the record that it comes from.
        spec, params: of the model; ``spec.views`` with ``params`` are the views that it reads.
        task: with the hierarchy of the run.
        thresholds: of the record; None for single paths.
        device: ``cpu`` or ``cuda:0``.
        preparations: view of the dataset -> its columns, and how they were prepared.
    """

    model: Model
    record: Record
    spec: ModelSpec
    params: Mapping[str, Value]
    task: Task
    thresholds: Thresholds | None
    device: str
    preparations: Mapping[str, Preparation]


def save_model(
    model: Any, folder: Path, preparations: Mapping[str, Preparation] | None = None
) -> dict[str, Any] | None:
    """Save a model in ``folder``; returns the entry of the record, None if the model cannot be saved.

    Where that fails, on a full disk or for a part that cannot be kept, the folder is removed and the reason
    recorded.

    Args:
        preparations: view -> how its columns were prepared (``inputs.json``).
    """
    if not hasattr(model, "save"):
        return None
    try:
        folder.mkdir()
        model.save(folder)
        if preparations:
            write_preparations(folder / INPUTS, preparations)
        return {
            "bytes": sum(file.stat().st_size for file in _files(folder)),
            "sha256": weights_digest(folder),
        }
    except OSError as error:
        reason = error.strerror or str(error)
    except HmcbenchError as error:
        reason = str(error).rstrip(".")
    shutil.rmtree(folder, ignore_errors=True)
    return {"bytes": 0, "sha256": None, "problem": reason}


def weights_digest(folder: Path) -> str:
    """Hex digest over names and contents of a model's files; defines "the same weights"."""
    whole = hashlib.sha256()
    for file in _files(folder):
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    return whole.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def find_record(path: Path, *, first: bool = False) -> Record:
    """The record at a path: its folder, the start of its name, a folder that contains one record, or a row.

    A row is named in the folder of its suite, as the board names it: ``runs/sem-failure/HFFNet-2d``.

    Args:
        first: whether a row with several folds or seeds stands for the first of them that ended well.

    Raises:
        BadInput: no record, several records or rows (they are named), a row of several datasets or profiles,
            or a failed cell.
    """
    if _names_a_row(path):
        records = _current(path, _records_of_row(path))[: 1 if first else None]
    elif not path.exists():
        records = _records_named(path)
    elif not path.is_dir():
        raise BadInput(f"{path} is a file", allowed="a record folder written by hmcbench run")
    else:
        records = read_all(path)
    if not records:
        raise BadInput(f"{path} holds no record", hint=RUN_HINT)
    if len(records) > 1:
        names = ", ".join(record.path.name for record in records[:6]) + (", ..." if len(records) > 6 else "")
        raise BadInput(f"{path} stands for {len(records)} records", allowed=f"one of {names}")
    if not records[0].ok:
        raise BadInput(f"the cell of {records[0].path.name} failed ({records[0].cause})")
    return records[0]


def _names_a_row(path: Path) -> bool:
    return not path.exists() and (path.parent / "records").is_dir()


def _records_of_row(path: Path) -> list[Record]:
    """All records of a row, of every version, profile and dataset; raises BadInput where there is none."""
    records = with_labels(read_all(path.parent / "records"), read_info(path.parent))
    versions: dict[str, set[str]] = {}
    for record in records:
        versions.setdefault(record.label, set()).add(str(record.data["model"].get("version") or ""))
    names = [_names(record, len(versions[record.label]) > 1) for record in records]
    label = chosen_row(path.name, chain(*names), f" in {path.parent}")
    return [r for r, known in zip(records, names, strict=True) if label in [name for name, _ in known]]


def _names(record: Record, several: bool) -> list[tuple[str, str]]:
    """Its label, and where several versions of the model have that, also ``label v2``, as boards show it.

    With the reference that stands for the label; none for that with the version.
    """
    version = str(record.data["model"].get("version"))
    return [
        (record.label, model_reference(record)),
        *([(name_of_version(record.label, version), "")] if several else []),
    ]


def _current(path: Path, records: Sequence[Record]) -> list[Record]:
    """Of a row the newest record of every fold and seed, by fold and seed; failed ones where no other is.

    What was made with an earlier version of the model or the suite, other data of that name or another split
    than the newest record is outdated.
    """
    records = [record for record in records if record.ok] or records
    places = list(dict.fromkeys(map(_place, records)))
    if len(places) > 1:
        shown = "; ".join(places[:6]) + ("; ..." if len(places) > 6 else "")
        example = path.parent / "records" / records[0].path.name
        raise BadInput(f"{path} is a row of {len(places)} boards: {shown}", hint=f"name a record: {example}")
    by_age = sorted(records, key=lambda r: (r.created, r.key))
    newest = {r.fold_seed: r for r in by_age if _made_with(r) == _made_with(by_age[-1])}
    return [newest[fold_seed] for fold_seed in sorted(newest)]


def _place(record: Record) -> str:
    """What a user tells models of one name apart by: the data, what the suite varies, and the profile."""
    split = record.part("split")
    varied = [f"{name} {', '.join(map(str, split[name]))}" for name in VARIED[:3] if split.get(name)]
    return ", ".join((record.dataset_reference, *varied, f"profile {record.profile}"))


def _made_with(record: Record) -> tuple[object, ...]:
    """The versions of suite and model, the data and the split: what the cells of a row have in common."""
    data = record.data
    protocol = replace(Protocol.of_record(record.part("split")), repeats=1)
    versions = data["suite"].get("version"), data["model"].get("version")
    return *versions, data["dataset"].get("fingerprint"), protocol


def spec_of(record: Record, registry: Registry) -> ModelSpec:
    """The installed spec of a record's model.

    Raises:
        BadInput: there is none; the line says which file it came from.
    """
    stored = record.data["model"]
    plugin = stored.get("plugin")
    file = str(plugin.get("distribution", "")) if isinstance(plugin, Mapping) else ""
    if file.endswith(".py") and stored["name"] not in [spec.name for spec in registry.specs("models")]:
        raise BadInput(
            f"the model {stored['name']} of {record.path.name} is in the file {file}", hint=f"--plugin {file}"
        )
    spec: ModelSpec = registry.get("models", stored["name"])
    return spec


def _records_named(path: Path) -> list[Record]:
    """The records whose folders start with the last part of a path that does not exist."""
    folders = sorted(p for p in path.parent.iterdir() if is_record(p)) if path.parent.is_dir() else []
    if not folders:
        raise BadInput(f"no record at {path}", hint=RUN_HINT)
    records = [read_record(p) for p in folders if p.name.startswith(path.name)]
    if not records:
        raise unknown("record", path.name, [p.name for p in folders])
    return records


def with_model(record: Record) -> Record:
    """The record; raises BadInput where no model made its predictions here."""
    if record.brought:
        who = "a person" if record.brought.get("kind") == "rater" else "another program"
        raise BadInput(
            f"the predictions of {record.label} were brought from {who}: there is no model of them here",
            allowed="a row that hmcbench run made",
        )
    if members := record.part("model").get("members"):
        names = ", ".join(dict.fromkeys(str(member["label"]) for member in members))
        raise BadInput(
            f"{record.label} is a mean of stored predictions: there is no trained model of it",
            allowed=f"its members: {names}",
        )
    return record


def weights_folder(record: Record) -> Path:
    """``model/`` of a record; raises BadInput, with the reason, where there is none."""
    folder = with_model(record).path / MODEL_FOLDER
    if not folder.is_dir():
        raise BadInput(
            f"{record.path.name} holds no trained model: {_why_not(record)}",
            hint="" if record.part("weights") else "hmcbench run ... --rerun all fits the cell again",
        )
    return folder


def load_trained(
    path: Path, device: str = "cpu", registry: Registry | None = None, *, threads: int = 0
) -> Trained:
    """The model of a record, ready to predict.

    Args:
        path: see :func:`find_record`.
        device: ``cpu`` or ``cuda:0``.
        registry: the installed plugins by default.
        threads: of the model; 0 for one per core.

    Raises:
        BadInput: no such record, no weights in it, damaged ones, or a plugin of another version.
    """
    registry = registry or default_registry()
    record = with_model(find_record(path))
    stored = record.data["model"]
    folder = weights_folder(record)
    spec = spec_of(record, registry)
    if spec.version != stored["version"]:
        raise BadInput(
            f"{record.path.name} was made by version {stored['version']} of {spec.name}",
            allowed=f"version {spec.version}, which is installed",
            hint="run the cell again, or install the plugin that made it",
        )
    spec, params = _params(registry, spec, stored)
    predictions = record.predictions()
    model = create(spec, params)
    if not hasattr(model, "load"):
        raise BadInput(f"{spec.name} cannot load what it has saved")
    threads = threads or os.cpu_count() or 1
    model.load(folder, Run(predictions.task, record.seed, device, threads, record.profile))
    preparations = read_preparations(folder / INPUTS)
    return Trained(model, record, spec, params, predictions.task, record.thresholds, device, preparations)


def _params(
    registry: Registry, spec: ModelSpec, stored: Mapping[str, Any]
) -> tuple[ModelSpec, dict[str, Value]]:
    """The spec and the record's parameters; without pretrained weights, so that nothing is downloaded.

    A parameter that was added after the record was made has its default.
    """
    values: Mapping[str, Any] = stored["params"]
    if spec.of_variant:
        return registry.resolve("models", stored["name"], **values)
    known = {name for name, param in spec.params.items() if not param.added}
    if not known <= set(values) <= set(spec.params):
        names = ", ".join(sorted(known - set(values) | set(values) - set(spec.params)))
        raise BadInput(f"the record and the installed {spec.name} differ in the parameters {names}")
    defaults = {name: param.default for name, param in spec.params.items()}
    return spec, defaults | dict(values) | ({"pretrained": False} if "pretrained" in spec.params else {})


def _why_not(record: Record) -> str:
    weights = record.part("weights")
    if weights.get("problem"):
        return f"it could not be kept: {weights['problem']}"
    if weights:
        return "it was published or copied without its weights; use the record in the runs folder"
    name = record.data["model"]["name"]
    return f"{name} saved none when the record was made, or the run had the option --no-weights"
