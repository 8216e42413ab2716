"""The user's data for published records: adds their truth, compares fingerprints and splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from hmcbench.data.loading import load_dataset
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import Split
from hmcbench.data.variants import divide
from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset
from hmcbench.interfaces.objects import FAR
from hmcbench.records.predictions import Predictions, PredictionsReader
from hmcbench.records.record import Record
from hmcbench.registry.registry import Registry

Mismatch = Callable[[str, str, Any, Any], None]
"""Called with a difference between record and data: record, kind, and both values (or twice None)."""


DataPaths = str | Sequence[str]
"""One path, or several."""


@dataclass
class Given:
    """Datasets that the user named with ``--data``; each is read once.

    Attributes:
        registry: the installed plugins.
        paths: dataset name -> path, or several: a record has that of its fingerprint. A name that is a
            suite's alone stands for the dataset of that suite, if it has one only, and comes before the name
            of the dataset.
    """

    registry: Registry
    paths: Mapping[str, DataPaths] = field(default_factory=dict)
    _read: dict[tuple[str, str, str], Dataset] = field(default_factory=dict)
    _unread: dict[tuple[str, str, str], HmcbenchError | OSError] = field(default_factory=dict)

    def check_names(self, records: Sequence[Record]) -> None:
        """Raise BadInput for a name of no record, or of a dataset that reads no path."""
        of_suite: dict[str, set[str]] = {}
        for record in records:
            of_suite.setdefault(record.suite, set()).add(record.dataset)
        datasets = {suite: only for suite, (only, *others) in of_suite.items() if not others}
        datasets |= {record.dataset: record.dataset for record in records}
        for name in self.paths:
            if name not in datasets:
                allowed = ", ".join(sorted(datasets))
                raise BadInput(f"--data {name}=...: no record is of this dataset", allowed=allowed)
            if not self.registry.get("datasets", datasets[name]).path_param:
                raise BadInput(f"--data {name}=...: {datasets[name]} reads no path")

    def paths_of(self, record: Record) -> list[str]:
        """Where the user said that the record's data may be; empty where nothing was said."""
        datasets = {spec.name for spec in self.registry.specs("datasets")}
        of_suite = None if record.suite in datasets else self.paths.get(record.suite)
        paths = of_suite if of_suite is not None else self.paths.get(record.dataset, ())
        return [paths] if isinstance(paths, str) else list(paths)

    def path_of(self, record: Record) -> str | None:
        """Where the record's data are, if the user said so; of several paths, that of its fingerprint.

        Where none is: the first that can be read with the options of the record, else the first. One that
        cannot be read may be that of other records, with other options.
        """
        paths = self.paths_of(record)
        if len(paths) < 2:
            return paths[0] if paths else None
        stated, readable = record.data["dataset"].get("fingerprint"), []
        for path in paths:
            try:
                dataset = self._dataset(record, path)
            except (HmcbenchError, OSError):  # kept; ``join`` tells it where no path fits
                continue
            if dataset.fingerprint == stated:
                return path
            readable.append(path)
        return (readable or paths)[0]

    def join(self, record: Record, predictions: Predictions, mismatch: Mismatch) -> tuple[Predictions, str]:
        """Predictions with the truth of the user's data, or the reason why there is none.

        ``mismatch`` is called for a fingerprint, split or stored truth that differs from the data.

        Raises:
            HmcbenchError, OSError: the one path of the record cannot be read, or none of several.
        """
        name, path = record.dataset, self.path_of(record)
        if path is None:
            spec = next((s for s in self.registry.specs("datasets") if s.name == name), None)
            how = f": --data {name}=PATH" if spec is not None and spec.path_param else ""
            return predictions, f"their truth was not published{how}"
        where, paths = record.path.name, self.paths_of(record)
        if len(paths) > 1 and all(_key(record, p) in self._unread for p in paths):
            what = f"{where}: no data given as --data {name} can be read with its options"
            raise BadInput(what + self._not_read(record))
        dataset = self._dataset(record, path)
        stated = str(record.data["dataset"].get("fingerprint") or "")
        if dataset.fingerprint != stated:
            what = f"fingerprint of the data given as --data {name}{self._not_read(record)}"
            mismatch(where, what, stated[:12], dataset.fingerprint[:12])
            return predictions, "the data given are not theirs"
        dataset, split = divide(dataset, Protocol.of_record(record.data["split"]), record.fold)
        self._check_split(record, dataset, split, predictions, mismatch)
        truth = _truth(dataset, predictions)
        if truth is None:
            mismatch(where, "some of its samples are not in the data given", None, None)
            return predictions, "the data given are not theirs"
        if predictions.truth is not None and not _equal(predictions.truth, truth):
            mismatch(where, "the stored truth is not that of the data given", None, None)
        return replace(predictions, truth=truth), ""

    def _dataset(self, record: Record, path: str) -> Dataset:
        """The dataset with the record's parameters, read from the user's path, or not, once."""
        key = _key(record, path)
        if key in self._unread:
            raise self._unread[key]
        if key not in self._read:
            try:
                self._read[key] = self._load(record, path)
            except (HmcbenchError, OSError) as error:
                self._unread[key] = error
                raise
        return self._read[key]

    def _load(self, record: Record, path: str) -> Dataset:
        spec = self.registry.get("datasets", record.dataset)
        given = {spec.path_param: path}
        _, params = self.registry.resolve("datasets", record.dataset_reference, record.profile, **given)
        return load_dataset(self.registry, spec, params)

    def _not_read(self, record: Record) -> str:
        """Why some of the record's paths cannot be read, in brackets; one of them may be the right one."""
        errors = [self._unread.get(_key(record, path)) for path in self.paths_of(record)]
        reasons = [e.what if isinstance(e, HmcbenchError) else str(e) for e in errors if e is not None]
        return f" ({'; '.join(reasons)})" if reasons else ""

    def _check_split(
        self, record: Record, dataset: Dataset, split: Split, predictions: Predictions, mismatch: Mismatch
    ) -> None:
        """Compare the split and the samples of the predictions with those of the protocol."""
        stored = record.data["split"]
        where = record.path.name
        if split.fingerprint != stored.get("fingerprint"):
            stated = str(stored.get("fingerprint") or "")[:12]
            mismatch(where, "split", stated, split.fingerprint[:12])
            return
        for side in dict.fromkeys(side for side in predictions.side if side != FAR):
            wanted = {dataset.ids[i] for i in split.sides.get(side, ())}
            if wanted != set(predictions.of_side(side).ids):
                mismatch(where, f"its {side} samples are not those of the split", None, None)


def _key(record: Record, path: str) -> tuple[str, str, str]:
    """What a dataset depends on that is read from the user's path."""
    return record.dataset_reference, record.profile, path


def _truth(dataset: Dataset, predictions: Predictions) -> Any:
    """The truth of every sample, no class for those of other data; None where a sample is missing."""
    rows = {sample: i for i, sample in enumerate(dataset.ids)}
    far = np.array([side == FAR for side in predictions.side], dtype=bool)
    places = [0 if other else rows.get(s, -1) for s, other in zip(predictions.ids, far, strict=True)]
    if -1 in places:
        return None
    truth = dataset.targets[np.array(places, dtype=np.int64)]
    if not far.any():
        return truth
    if issparse(truth):
        return csr_array(truth.multiply(~far[:, None]))
    truth[far] = False
    return truth


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, LabelMaps):
        return a.same(b)
    a, b = (x.toarray() if issparse(x) else np.asarray(x) for x in (a, b))
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


@dataclass(frozen=True)
class WithTruth(Record):
    """A published record with truth that was added in memory."""

    truth: Any = None

    def predictions(self, reader: PredictionsReader | None = None) -> Predictions:
        return replace(super().predictions(reader), truth=self.truth)

    def predictions_digest(self) -> str:
        return ""


@dataclass(frozen=True)
class LeftOut(Record):
    """A published record without predictions, with those of the record that it was copied from.

    Attributes:
        source: that record.
        truth: of its predictions, in their order, where they hold none; None: theirs.
    """

    source: Record = field(kw_only=True)
    truth: Any = None

    @property
    def predictions_folder(self) -> Path | None:
        return self.source.predictions_folder

    def predictions(self, reader: PredictionsReader | None = None) -> Predictions:
        """Those of the source, under the decision rule of this record."""
        under = {name: self.data[name] for name in ("decision", "applied_rule") if name in self.data}
        stored = replace(self.source, data={**self.source.data, **under}).predictions(reader)
        return stored if self.truth is None else replace(stored, truth=self.truth)

    def predictions_digest(self) -> str:
        return ""
