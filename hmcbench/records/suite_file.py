"""``suite.json``, beside the records: the suite and the planned cells, so that boards need no plugin.

A planned cell without a record is a row of the board. It stays there when the next command in the same
folder names other models: a plan replaces the entries of the pairs of dataset and model that it names,
under its profile, and keeps those of other pairs.
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

KINDS = "cells", "not_applicable"


def suite_folders(runs: Path, suite: str = "") -> list[Path]:
    """Folders that hold ``records/``: ``runs`` itself, or the suites below it."""
    if not runs.is_dir():
        raise BadInput(f"no folder {runs}", hint="hmcbench run --suite NAME writes records to runs/NAME")
    if (runs / "records").is_dir():
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
    """``suite.json`` of a suite's folder, or None where it is missing or damaged."""
    try:
        data = json.loads((folder / SUITE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    suite = data.get("suite")
    return data | {"suite": _with_current_ids(suite)} if isinstance(suite, dict) else data


def _with_current_ids(suite: Mapping[str, Any]) -> dict[str, Any]:
    """The suite with the ids of its metrics as they are today."""
    current: dict[str, Any] = {"primary": renamed_column(str(suite["primary"]))} if "primary" in suite else {}
    if isinstance(suite.get("columns"), list):
        current["columns"] = list(dict.fromkeys(renamed_column(str(name)) for name in suite["columns"]))
    return {**suite, **current}


def suite_name(folder: Path) -> str:
    """The suite that a folder holds; empty where ``suite.json`` does not tell."""
    suite = (read_info(folder) or {}).get("suite")
    return str(suite.get("name", "")) if isinstance(suite, dict) else ""


def save_info(info: Mapping[str, Any], folder: Path, recorded: Collection[str]) -> None:
    """Write a plan, with entries of earlier plans of the folder that still have no record.

    Args:
        info: :meth:`hmcbench.plan.cells.Plan.info`.
        folder: of the suite.
        recorded: short keys of the cells that have a record.
    """
    info = {**info, **{kind: list(info[kind]) for kind in KINDS}}
    before = read_info(folder)
    if before is not None and _version(before) == _version(info):  # another version has its own boards
        _keep_open(info, before, recorded)
    write_atomic(folder / SUITE, json.dumps(info, indent=1, sort_keys=True, default=list) + "\n")


def _keep_open(info: Mapping[str, Any], before: Mapping[str, Any], recorded: Collection[str]) -> None:
    """Add the entries of an earlier plan for pairs that this one does not name."""
    named = {_pair(entry) for kind in KINDS for entry in info[kind]}
    for kind in KINDS:
        for entry in _entries(before, kind):
            if _pair(entry) not in named and short_key(str(entry.get("key", ""))) not in recorded:
                info[kind].append(entry)


def _entries(info: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The valid entries of a file that the user may have edited."""
    listed = info.get(kind)
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    entries = [{"profile": info.get("profile"), **e} for e in entries]
    return [e for e in entries if all(isinstance(e.get(k), str) for k in ("dataset", "model", "profile"))]


def _pair(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """The row that an entry belongs to: dataset with its options (older files: its name), model, profile."""
    return str(entry.get("reference") or entry["dataset"]), entry["model"], entry["profile"]


def _version(info: Mapping[str, Any]) -> Any:
    suite = info.get("suite")
    return suite.get("version") if isinstance(suite, dict) else None
