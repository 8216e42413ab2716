"""``suite.json``, beside the records: the suite and the planned cells, so that boards need no plugin.

A planned cell without a record is a row of the board. It stays there when the next command in the same
folder names other models: a plan replaces the entries of the pairs of dataset and model that it names,
under its profile, and keeps those of other pairs. So do the short labels of rows: those of an earlier plan
stay, unless this plan gives them to another model. Where epochs are scaled, ``row_names`` has the names of
rows on all data of all plans, and the labels are those of them that are one model's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput, unknown
from hmcbench.files import write_atomic
from hmcbench.records.former_ids import renamed_column
from hmcbench.records.record import SUITE, short_key, suite_folder
from hmcbench.registry.unique_names import unique_names

KINDS = "cells", "not_applicable"
LabelOf = dict[str, str]


def suite_folders(runs: Path, suite: str = "") -> list[Path]:
    """Folders that hold ``records/``: ``runs`` itself, or the suites below it."""
    if not runs.is_dir():
        raise BadInput(f"no folder {runs}", hint="hmcbench run --suite NAME writes records to runs/NAME")
    if (runs / "records").is_dir():
        names = list(dict.fromkeys(filter(None, (suite_name(runs), runs.resolve().name))))
        if suite and not {suite, suite_folder(suite)} & set(names):
            raise unknown(f"suite in {runs}", suite, names[:1])
        return [runs]
    folders = sorted(p.parent for p in runs.glob("*/records") if p.is_dir())
    if suite:
        chosen = [p for p in folders if p.name in (suite, suite_folder(suite))]
        if not chosen:
            raise unknown(f"suite in {runs}", suite, [p.name for p in folders])
        return chosen
    if not folders:
        raise BadInput(
            f"{runs} holds no records", hint="hmcbench run --suite NAME writes records to runs/NAME"
        )
    return folders


def read_info(folder: Path) -> Mapping[str, Any] | None:
    """``suite.json`` of a suite's folder, or None where it is missing or damaged.

    What a user's edit has made invalid is left out: a ``suite`` that is no table, cells without a model.
    """
    try:
        data = json.loads((folder / SUITE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    suite = data.pop("suite", None)
    known = {"suite": _with_current_ids(suite)} if isinstance(suite, dict) else {}
    return data | known | {kind: _entries(data, kind) for kind in KINDS}


def _with_current_ids(suite: Mapping[str, Any]) -> dict[str, Any]:
    """The suite with the ids of its metrics as they are today."""
    current: dict[str, Any] = {"primary": renamed_column(str(suite["primary"]))} if "primary" in suite else {}
    if isinstance(suite.get("columns"), list):
        current["columns"] = list(dict.fromkeys(renamed_column(str(name)) for name in suite["columns"]))
    return {**suite, **current}


def suite_name(folder: Path) -> str:
    """The suite that a folder holds; empty where ``suite.json`` does not tell."""
    return str(((read_info(folder) or {}).get("suite") or {}).get("name", ""))


def save_info(info: Mapping[str, Any], folder: Path, recorded: Collection[str]) -> None:
    """Write a plan, with entries of earlier plans of the folder that still have no record.

    Args:
        info: :meth:`hmcbench.plan.cells.Plan.info`.
        folder: of the suite.
        recorded: short keys of the cells that have a record.
    """
    info = with_earlier(info, read_info(folder), recorded)
    write_atomic(folder / SUITE, json.dumps(info, indent=1, sort_keys=True, default=list) + "\n")


def with_earlier(
    info: Mapping[str, Any], before: Mapping[str, Any] | None, recorded: Collection[str]
) -> dict[str, Any]:
    """A plan with what an earlier one of the same suite and version adds: open cells, pairs, labels.

    Args:
        info: the content of ``suite.json``.
        before: that of the earlier plan; None for none.
        recorded: short keys of the cells that have a record.
    """
    merged = {**info, **{kind: list(info[kind]) for kind in KINDS}}
    if before is None or _version(before) != _version(info):  # another version has its own boards
        return merged
    named = {_pair(entry) for kind in KINDS for entry in info[kind]}
    for kind in KINDS:
        for entry in before[kind]:
            if _pair(entry) not in named and short_key(str(entry.get("key", ""))) not in recorded:
                merged[kind].append(entry)
    names = _with_earlier_names(info, before)
    labels = _with_earlier_labels(info, before, names)
    merged |= {"row_names": names} if names else {}
    return merged | ({"labels": labels} if labels or "labels" in info else {})


def _with_earlier_names(info: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, dict[str, LabelOf]]:
    """Profile -> data -> model -> name of its row, of both plans.

    An earlier name goes where this plan gives it to another model on the same data, as ``--set`` does.
    """
    names = _row_names(info)
    for profile, on_data in _row_names(before).items():
        new = names.setdefault(profile, {})
        for data, old in on_data.items():
            now = new.get(data, {})
            kept = {model: model if name in now.values() else name for model, name in old.items()}
            new[data] = now | {m: name for m, name in kept.items() if now.get(m, m) == m}
    return names


def _with_earlier_labels(
    info: Mapping[str, Any], before: Mapping[str, Any], names: Mapping[str, Mapping[str, LabelOf]]
) -> dict[str, LabelOf]:
    """Profile -> reference -> label of both plans; no label stands for models of the one and of the other.

    An earlier label goes where this plan shows cells under it (``--set`` has changed the model), or where the
    entry that has it now is another one than before. The models of ``names`` have those that they get there.
    """
    labels, earlier = _labels(info), _labels(before)
    for profile, old in earlier.items():
        new = labels.get(profile, {})
        models = {str(cell["model"]) for cell in info["cells"] if cell.get("profile") == profile}
        shown = {new.get(model, model) for model in models}
        moved = set(new.values()) - {label for reference, label in new.items() if old.get(reference) == label}
        kept = {reference: label for reference, label in old.items() if label not in shown | moved}
        if kept or new:
            labels[profile] = kept | new
    for profile, on_data in names.items():
        unique = unique_names(list(on_data.values()))
        others = {ref: label for ref, label in labels.pop(profile, {}).items() if ref not in unique}
        if all_labels := others | {model: name for model, name in unique.items() if name != model}:
            labels[profile] = all_labels
    return labels


def _labels(info: Mapping[str, Any]) -> dict[str, LabelOf]:
    """The valid labels of a file that the user may have edited."""
    return {profile: _texts(of_profile) for profile, of_profile in _tables(info.get("labels")).items()}


def _row_names(info: Mapping[str, Any]) -> dict[str, dict[str, LabelOf]]:
    """The valid names of rows of such a file."""
    return {
        profile: {data: _texts(names) for data, names in _tables(on_data).items()}
        for profile, on_data in _tables(info.get("row_names")).items()
    }


def _tables(value: Any) -> dict[str, Any]:
    """The tables in a value of such a file."""
    of_value = value.items() if isinstance(value, Mapping) else ()
    return {name: table for name, table in of_value if isinstance(table, Mapping)}


def _texts(table: Mapping[str, Any]) -> LabelOf:
    return {name: text for name, text in table.items() if isinstance(text, str)}


def _entries(info: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The valid entries of a file that the user may have edited."""
    listed = info.get(kind)
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    entries = [{"profile": str(info.get("profile") or ""), **e} for e in entries]
    return [
        e
        for e in entries
        if all(isinstance(e.get(k), str) for k in ("dataset", "model", "profile"))
        and all(isinstance(e.get(k, 0), int) for k in ("fold", "seed"))
    ]


def _pair(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """The row that an entry belongs to: dataset with its options (older files: its name), model, profile."""
    return str(entry.get("reference") or entry["dataset"]), entry["model"], entry["profile"]


def _version(info: Mapping[str, Any]) -> Any:
    return (info.get("suite") or {}).get("version")
