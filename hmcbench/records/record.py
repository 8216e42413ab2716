"""Records: the results of a cell. A folder with ``record.json``, ``predictions.npz``, ``history.csv``.

A record folder is filled under a temporary name and renamed, so it is always complete. Its name ends
with the cell's key, so a cell has one record at most. The schema is versioned; records of older schemas
are migrated when read.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hmcbench.errors import BadInput
from hmcbench.files import has_ended, new_owner, sync_folder, sync_names, write_atomic
from hmcbench.records.former_ids import renamed_column, renamed_values
from hmcbench.records.former_models import deterministic_before
from hmcbench.records.kinds import wrong_kind

if TYPE_CHECKING:
    from hmcbench.metrics.decisions import Thresholds
    from hmcbench.records.predictions import Predictions, PredictionsReader

SCHEMA = 2
JSON, NPZ, HISTORY = "record.json", "predictions.npz", "history.csv"
COMMIT_TRIES = 20  # of a record that other processes write at the same moment
SUITE = "suite.json"  # beside the folder of records, see suite_file
RUN_HINT = "hmcbench run --suite NAME writes records to runs/NAME"
_REQUIRED = ("schema", "key", "status", "suite", "dataset", "model", "profile", "seed", "metrics")


class FoldSeed(NamedTuple):
    """Identifies a cell among those of one model and dataset; sorted by fold, then by seed."""

    fold: int
    seed: int


class NotPublished(BadInput):
    """The predictions of a record were left out when it was published."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the predictions of {name} were not published")


@dataclass(frozen=True)
class Record:
    """One record: its folder and the content of ``record.json`` (see docs/records.md)."""

    path: Path
    data: Mapping[str, Any]

    @property
    def key(self) -> str:
        return str(self.data["key"])

    @property
    def short_key(self) -> str:
        """The end of the name of its folder."""
        return short_key(self.key)

    @property
    def ok(self) -> bool:
        """Whether its cell succeeded."""
        return bool(self.data["status"] == "ok")

    @property
    def cause(self) -> str:
        """Why its cell failed; empty where it succeeded."""
        return str(self.data.get("cause") or "")

    @property
    def message(self) -> str:
        """The message of the failure; empty where it succeeded."""
        return str(self.data.get("message") or "")

    @property
    def suite(self) -> str:
        return str(self.data["suite"]["name"])

    @property
    def dataset(self) -> str:
        """The name of the dataset, without its options."""
        return str(self.data["dataset"]["name"])

    @property
    def dataset_reference(self) -> str:
        """The dataset with its options, as ``toy-tree[noise=1]``."""
        return str(self.data["dataset"].get("reference") or self.dataset)

    @property
    def model(self) -> str:
        """The name of the model, without its parameters."""
        return str(self.data["model"]["name"])

    @property
    def label(self) -> str:
        """The model as leaderboards show it."""
        return str(self.data["model"]["label"])

    @property
    def pair(self) -> tuple[str, str]:
        """Dataset with its options and model label, as :attr:`hmcbench.plan.cells.Cell.pair`."""
        return self.dataset_reference, self.label

    @property
    def deterministic(self) -> bool:
        """Whether its model is the same for every seed, as its spec declared."""
        stated = self.data["model"].get("deterministic")
        return bool(deterministic_before(self.data["model"]) if stated is None else stated)

    @property
    def brought(self) -> Mapping[str, Any]:
        """How its predictions came from elsewhere (:mod:`hmcbench.derive.brought`); empty for other cells."""
        stated: Mapping[str, Any] = self.data["model"].get("brought") or {}
        return stated

    @property
    def profile(self) -> str:
        return str(self.data["profile"])

    @property
    def fold(self) -> int:
        return int(self.part("split").get("fold") or 0)

    @property
    def seed(self) -> int:
        return int(self.data["seed"])

    @property
    def fold_seed(self) -> FoldSeed:
        return FoldSeed(self.fold, self.seed)

    @property
    def created(self) -> str:
        """Time of its end, as ISO 8601; empty where unknown."""
        return str(self.data.get("created") or "")

    @property
    def share_targets(self) -> bool:
        """Whether the truth of its samples may be published."""
        return bool(self.data["dataset"].get("share_targets", True))

    @property
    def counts(self) -> Mapping[str, int]:
        """Partition -> number of samples; empty where the data were not split."""
        counts: Mapping[str, int] = self.part("split").get("counts") or {}
        return counts

    def metrics(self, side: str) -> Mapping[str, Any]:
        """Metric id -> value on one partition; empty where there are none."""
        values: Mapping[str, Any] = self.data["metrics"].get(side, {})
        return values

    def part(self, name: str) -> Mapping[str, Any]:
        """A part of the record such as ``split`` or ``timing``; empty where it is absent."""
        values: Mapping[str, Any] = self.data.get(name) or {}
        return values

    @property
    def thresholds(self) -> Thresholds | None:
        """The thresholds of its decisions; None where none were fitted."""
        from hmcbench.metrics.decisions import Thresholds

        stored = self.part("decision").get("thresholds")
        return None if stored is None else Thresholds.from_json(stored)

    def predictions(self, reader: PredictionsReader | None = None) -> Predictions:
        """Stored scores and truth; raises BadInput if missing or damaged. ``reader``: of many files.

        Under the decision rule ``applied_rule``, where a board shows the record under one.

        Raises:
            NotPublished: the record was published without them.
        """
        from hmcbench.records.predictions import Predictions

        if not self.has_predictions:
            raise NotPublished(self.path.name)
        predictions = Predictions.load(self.path / NPZ, reader)
        if "alpha" in self.part("decision"):
            predictions = replace(predictions, alpha=float(self.part("decision")["alpha"]))
        applied = self.part("applied_rule")
        if not applied:
            return predictions
        from hmcbench.metrics.rules.scoring import decide_again

        return decide_again(applied["rule"], applied["params"], predictions)

    @property
    def has_predictions(self) -> bool:
        """Whether it was written or published with its predictions (``hmcbench publish --predictions``)."""
        return not self.part("predictions").get("left_out", False)

    @property
    def predictions_folder(self) -> Path | None:
        """The folder with its predictions, and those under shifts; None if they were left out."""
        return self.path if self.has_predictions else None

    def predictions_digest(self) -> str:
        """SHA-256 of the stored predictions, and of the decision rule that is applied to them, if any.

        Empty where :meth:`predictions` gives more or nothing.
        """
        try:
            digest = hashlib.sha256((self.path / NPZ).read_bytes())
        except OSError:
            return ""
        applied, alpha = self.part("applied_rule"), self.part("decision").get("alpha")
        digest.update(json.dumps(applied, sort_keys=True).encode() if applied else b"")
        digest.update(f"alpha {alpha}".encode() if alpha is not None else b"")
        return digest.hexdigest()


def short_key(key: str) -> str:
    """The first 16 characters of a cell's key: enough to tell cells apart, short enough for file names."""
    return key[:16]


def slug(text: str) -> str:
    """The text as a file name: letters, digits, ``.``, ``_``, ``-``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60] or "x"


def folder_name(data: Mapping[str, Any]) -> str:
    """``dataset--model--f0-s0--key``, the dataset with its options; unique by its key."""
    fold = data.get("split", {}).get("fold", 0)
    dataset = data["dataset"].get("reference") or data["dataset"]["name"]
    parts = (slug(dataset), slug(data["model"]["label"]), f"f{fold}-s{data['seed']}")
    return "--".join((*parts, short_key(str(data["key"]))))


def suite_folder(suite: str) -> str:
    """The folder of a suite: its name, or where that is no plain file name, what is left of it and a digest.

    >>> suite_folder("sem-failure"), suite_folder("a/b"), suite_folder("a:b")
    ('sem-failure', 'a-b-c14cddc0', 'a-b-6783a31e')
    """
    name = slug(suite)
    return name if name == suite else f"{name[:51]}-{hashlib.sha256(suite.encode()).hexdigest()[:8]}"


def records_dir(out: Path, suite: str) -> Path:
    """``out/<folder of the suite>/records``."""
    return out / suite_folder(suite) / "records"


def begin_record(folder: Path, key: str, owner: str = "") -> Path:
    """An empty temporary folder for the cell ``key``, beside the records.

    Args:
        owner: the run (see :mod:`hmcbench.execute.locks`); this process by default.
    """
    temporary = folder / f".part-{short_key(key)}-{owner or new_owner()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    return temporary


def commit_record(temporary: Path, folder: Path, data: Mapping[str, Any], durable: bool = False) -> Record:
    """Write ``record.json`` into ``temporary`` and rename the folder to its final name.

    An earlier record of the same key (a failed cell that was run again) is renamed first and removed
    last. After a kill the old or the new record exists; after a kill between the two renames, the next
    :func:`sweep_killed` restores the old one. Of several processes that write the same record at the same
    moment (two ``publish`` into one folder) the last one wins.

    Args:
        durable: whether all of it is to be on the disk before it has its name: after a power failure the old
            or the new one exists. What can be made again in seconds need not be.
    """
    if durable:
        sync_folder(temporary)
    write_atomic(temporary / JSON, record_json(data))
    if durable:
        sync_names(temporary)
    final = folder / folder_name(data)
    aside = folder / f".old-{final.name}-{temporary.name.rpartition('-')[2]}"
    for tries_left in reversed(range(COMMIT_TRIES)):
        with suppress(FileNotFoundError):  # there is none, or another process has just moved it aside
            final.rename(aside)
        try:
            temporary.rename(final)
            break
        except OSError as error:
            if not tries_left or error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                with suppress(OSError):
                    aside.rename(final)
                raise
            shutil.rmtree(aside, ignore_errors=True)  # another process has put a later one there
    shutil.rmtree(aside, ignore_errors=True)
    return Record(final, data)


def remove_second(second: Path, kept: Path) -> bool:
    """Remove a record folder whose cell has the record ``kept`` too; False where it stays.

    It is renamed first: after a kill it is whole, or no record, and never a part that would be read. It stays
    where ``kept`` is gone: another process has just kept the second one instead.
    """
    if not second.is_dir():
        return False
    aside = kept.with_name(f".part-{kept.name.rpartition('--')[2]}-{new_owner()}")
    try:
        second.rename(aside)
    except OSError:  # as where another process has removed it
        return False
    if not is_record(kept):
        with suppress(OSError):
            aside.rename(second)
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def record_json(data: Mapping[str, Any]) -> str:
    """The text of ``record.json``: sorted keys, no NaN."""
    return json.dumps(data, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def read_record(folder: Path) -> Record:
    """Read and migrate one record folder; raises BadInput if it is not one."""
    import orjson  # three times as fast as json, for thousands of records

    path = folder / JSON
    try:
        data = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(
            f"{folder} holds no {JSON}", allowed="a record folder written by hmcbench run"
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read ({error})", hint="remove the folder and run again") from None
    return Record(folder, migrate(data, path))


def migrate(data: Any, path: Path) -> dict[str, Any]:
    """The content in the current schema; raises BadInput for newer schemas and other content."""
    if not isinstance(data, dict) or not isinstance(data.get("schema"), int):
        raise BadInput(f"{path} is not a record", allowed="a JSON object with a schema number")
    if data["schema"] > SCHEMA:
        raise BadInput(
            f"{path} has schema {data['schema']}",
            allowed=f"schemas up to {SCHEMA}, which this version reads",
            hint="upgrade hmcbench",
        )
    for schema in range(data["schema"], SCHEMA):
        step = _STEPS.get(schema)
        if step is None:
            raise BadInput(
                f"{path} has schema {schema}", allowed=f"{min(_STEPS)} to {SCHEMA}, which this version reads"
            )
        try:
            data = dict(step(data)) | {"schema": schema + 1}
        except (AttributeError, KeyError, TypeError):
            raise BadInput(f"{path} is no record of schema {schema}") from None
    absent = [name for name in _REQUIRED if name not in data]
    if absent:
        raise BadInput(f"{path} lacks {', '.join(absent)}", allowed="a record written by hmcbench run")
    wrong = wrong_kind(data)
    if wrong:
        raise BadInput(f"{path}: {wrong}", hint="remove the folder and run again")
    return dict(data)


def _from_0(data: dict[str, Any]) -> dict[str, Any]:
    """Schema 0, before the first release: metrics of the test side alone, and no cause of a failure."""
    cause = None if data["status"] == "ok" else "error"
    return {"cause": cause, "message": "", **data, "metrics": {"test": dict(data["metrics"])}}


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Schema 1: plain ids were those of raw decisions."""
    suite = data["suite"]
    if "primary" in suite:
        suite = {**suite, "primary": renamed_column(suite["primary"])}
    metrics = {side: renamed_values(values) for side, values in data["metrics"].items()}
    return {**data, "suite": suite, "metrics": metrics}


_STEPS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_0, 1: _from_1}
"""Schema -> the step to the next one."""


def is_record(folder: Path) -> bool:
    return (folder / JSON).is_file()


def record_folders(folder: Path) -> dict[str, Path]:
    """Short key -> record folder, of all in a records folder, from their names alone.

    Temporary folders are skipped. Empty where there is no such folder.
    """
    if not folder.is_dir():
        return {}
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name.rpartition("--")[2]: path for path in visible if is_record(path)}


def read_all(root: Path, known: Iterable[Record] = ()) -> list[Record]:
    """All records at or below ``root`` (a record, a records folder, a suite's or a runs folder).

    Sorted by folder name, without temporary folders. ``known`` records are not read again. A folder that
    another run renames in the meantime is looked for once more. Raises BadInput when there is no such folder.
    """
    with _no_collection():
        by_folder = {str(record.path): record for record in known}
        for again in (False, True):
            names = _ordered(root)
            for name in names:
                try:
                    by_folder[name] = by_folder.get(name) or read_record(Path(name))
                except BadInput:
                    if again and Path(name).is_dir():
                        raise
            if all(name in by_folder for name in names):
                break
        return [by_folder[name] for name in names if name in by_folder]


def each_record(root: Path) -> Iterator[Record]:
    """The same one after another: 50,000 of them take more than a gigabyte."""
    return (read_record(Path(name)) for name in _ordered(root))


def _ordered(root: Path) -> list[str]:
    """Record folders at or below ``root``, sorted."""
    if not root.is_dir():
        raise BadInput(f"no folder {root}", hint=RUN_HINT)
    if is_record(root):
        return [str(root)]
    return sorted(_folders(str(root)), key=lambda name: name.split(os.sep))  # noqa: PTH206 (as below)


def _folders(root: str) -> Iterator[str]:
    """Record folders below ``root``; their content is not searched, which would take most of the time."""
    with os.scandir(root) as entries:
        inside = [e.path for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
    for name in inside:
        if os.path.isfile(f"{name}/{JSON}"):  # noqa: PTH113 (ten thousand paths are slow to make)
            yield name
        else:
            yield from _folders(name)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Disable garbage collection, which would traverse all records again and again."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def sweep_killed(folder: Path, dead: Callable[[str], bool] = has_ended) -> None:
    """Remove incomplete folders of killed runs, and restore records that they had renamed.

    Args:
        dead: whether the owner of a temporary folder is known to be dead.
    """
    for path in folder.glob(".[po]*-*"):
        if dead(path.name.rpartition("-")[2]):
            _discard(path)


def sweep_run(folder: Path, owner: str) -> None:
    """Remove the temporary folders of one run, not those of others that still run."""
    for path in folder.glob(f".[po]*-{owner}"):
        _discard(path)


def sweep_cell(folder: Path, key: str) -> None:
    """Remove the temporary folders of a cell, of any run; only for the holder of its lock."""
    for path in folder.glob(f".[po]*-{short_key(key)}-*"):
        _discard(path)


def _discard(path: Path) -> None:
    if path.name.startswith(".old-"):
        final = path.with_name(path.name.removeprefix(".old-").rpartition("-")[0])
        if not final.exists():  # killed between the two renames of a commit
            with suppress(OSError):
                path.rename(final)
            return
    shutil.rmtree(path, ignore_errors=True)
