"""Published records and the user's data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from hmcbench.data.loading import load_dataset
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, DatasetSpec, Param
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.interfaces.objects import FAR
from hmcbench.records import given_data
from hmcbench.records.given_data import Given, WithTruth
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset

PROTOCOL = Protocol("holdout", test=0.3, validation=0.2)


def from_path(path: str) -> Dataset:
    if path == "denied":
        raise PermissionError(path)
    if not path.isdecimal():
        raise BadInput(f"{path} has no column 'hardness'", allowed="columns")
    return tiny_dataset(60, seed=int(path))


@pytest.fixture
def registry() -> Iterator[Registry]:
    about: dict[str, Any] = {"version": "1", "summary": "", "factory": from_path}
    path = Param("", cosmetic=True)
    specs = [DatasetSpec(name="files", params={"path": path}, path_param="path", **about)]
    plugin = SimpleNamespace(__name__="given", hmcbench_datasets=hookimpl(lambda: specs))
    with temporary_plugin(plugin) as registry:
        yield registry


@pytest.fixture
def record(registry: Registry, fabricate: Callable[..., Record]) -> Record:
    """A record of the dataset ``files`` with the path 1, without its truth."""
    dataset = load_dataset(registry, registry.get("datasets", "files"), {"path": "1"})
    split = make_split(dataset, PROTOCOL, 0)
    sides = [side for side in ("validation", "test") for _ in split.sides[side]]
    rows = np.concatenate([split.sides[side] for side in ("validation", "test")])
    scores = np.full((len(rows), dataset.targets.shape[1]), 0.5, dtype=np.float32)
    predictions = Predictions([dataset.ids[i] for i in rows], sides, scores, dataset.task)
    return fabricate(
        "prior",
        predictions=predictions,
        metrics={"test": {"hf1_samples": 0.5}},
        dataset={"name": "files", "reference": "files", "fingerprint": dataset.fingerprint},
        split={**asdict(PROTOCOL), "fingerprint": split.fingerprint},
    )


def join(given: Given, record: Record, predictions: Predictions | None = None) -> tuple[Any, str, list[str]]:
    """Truth, reason, and the differences that were reported."""
    differences: list[str] = []
    joined, reason = given.join(
        record,
        predictions or record.predictions(),
        lambda _where, what, _record, _data: differences.append(what),
    )
    return joined.truth, reason, differences


def test_truth_comes_from_the_data_of_the_record(registry: Registry, record: Record) -> None:
    truth, reason, differences = join(Given(registry, {"files": "1"}), record)
    assert (reason, differences) == ("", [])
    dataset = from_path("1")
    rows = [dataset.ids.index(sample) for sample in record.predictions().ids]
    assert np.array_equal(truth, dataset.targets[rows])
    assert WithTruth(record.path, record.data, truth).predictions().truth is truth


@pytest.mark.parametrize("sparse", [False, True])
def test_samples_of_other_data_have_no_class(
    registry: Registry, record: Record, monkeypatch: pytest.MonkeyPatch, sparse: bool
) -> None:
    """Their ids are of that data: they may be those of samples here, and need not be."""
    stored = record.predictions()
    other = [stored.ids[0], "elsewhere"]
    predictions = replace(
        stored,
        ids=[*stored.ids, *other],
        side=[*stored.side, FAR, FAR],
        scores=np.concatenate([stored.scores, stored.scores[:2]]),
    )
    given = Given(registry, {"files": "1"})
    expected, _, _ = join(given, record)
    if sparse:
        read = {key: replace(data, targets=csr_array(data.targets)) for key, data in given._read.items()}
        monkeypatch.setattr(given, "_read", read)
    truth, reason, differences = join(given, record, predictions)
    assert (reason, differences) == ("", [])
    truth = truth.toarray() if sparse else truth
    assert truth.dtype == bool and not truth[-2:].any()
    assert np.array_equal(truth[:-2], expected)
    beside = replace(predictions, side=[*stored.side, FAR, "test"])
    assert join(given, record, beside)[1] == "the data given are not theirs"


def test_a_suite_of_one_dataset_may_be_named_instead(registry: Registry, record: Record) -> None:
    """Several suites have the dataset ``images``, each with files of its own."""
    given = Given(registry, {"smoke": "1", "files": "2"})
    given.check_names([record])
    assert join(given, record)[1:] == ("", [])
    other = replace(record, data={**record.data, "suite": {**record.data["suite"], "name": "other"}})
    assert join(given, other)[2] == ["fingerprint of the data given as --data files"]
    both = replace(record, data={**record.data, "dataset": {**record.data["dataset"], "name": "toy"}})
    with pytest.raises(BadInput, match=r"--data smoke=\.\.\.: no record is of this dataset"):
        given.check_names([record, both])


def test_of_several_data_a_record_has_its_own(registry: Registry, record: Record) -> None:
    """A suite of ``images`` on two folders could be verified on one of them alone."""
    for paths in (["1", "2"], ["2", "1"]):
        given = Given(registry, {"files": paths})
        given.check_names([record])
        assert given.path_of(record) == "1"
        assert join(given, record)[1:] == ("", [])
    others = Given(registry, {"files": ["2", "3"]})
    assert join(others, record)[2] == ["fingerprint of the data given as --data files"]


def test_a_path_of_other_records_that_cannot_be_read_is_passed_over(
    registry: Registry, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of another target have another table: it has no column of the first, in whatever order."""
    reads: list[str] = []

    def counted(own_registry: Registry, spec: DatasetSpec, params: dict[str, Any]) -> Dataset:
        reads.append(params["path"])
        return load_dataset(own_registry, spec, params)

    monkeypatch.setattr(given_data, "load_dataset", counted)
    given = Given(registry, {"files": ["other", "denied", "1", "last"]})
    for _ in range(3):  # of as many records
        assert given.path_of(record) == "1"
        assert join(given, record)[1:] == ("", [])
    assert reads == ["other", "denied", "1"]


def test_where_no_path_fits_those_that_cannot_be_read_are_told(registry: Registry, record: Record) -> None:
    """One of them may be misspelt."""
    changed = Given(registry, {"files": ["other", "2", "3"]})
    assert changed.path_of(record) == "2"
    text = "fingerprint of the data given as --data files (other has no column 'hardness')"
    assert join(changed, record)[1:] == ("the data given are not theirs", [text])
    none = Given(registry, {"files": ["other", "denied"]})
    for _ in range(2):
        assert none.path_of(record) == "other"
        told = r"with its options \(other has no column 'hardness'; denied\)"
        with pytest.raises(BadInput, match=told):
            join(none, record)
    with pytest.raises(BadInput, match=r"other has no column 'hardness'. Allowed: columns"):
        join(Given(registry, {"files": ["other"]}), record)


def test_without_data_the_reason_names_the_option(registry: Registry, record: Record) -> None:
    truth, reason, differences = join(Given(registry), record)
    assert (truth, differences) == (None, [])
    assert reason == "their truth was not published: --data files=PATH"


def test_other_data_are_not_used(registry: Registry, record: Record) -> None:
    truth, reason, differences = join(Given(registry, {"files": "2"}), record)
    assert (truth, reason) == (None, "the data given are not theirs")
    assert differences == ["fingerprint of the data given as --data files"]


def test_another_split_other_samples_and_another_truth_are_reported(
    registry: Registry, record: Record
) -> None:
    given = Given(registry, {"files": "1"})
    other = Record(record.path, {**record.data, "split": {**record.data["split"], "fingerprint": "f" * 64}})
    assert join(given, other)[2] == ["split"]
    predictions = record.predictions()
    fewer = predictions.take(np.arange(len(predictions) - 1))
    assert join(given, record, fewer)[2] == ["its test samples are not those of the split"]
    wrong = replace(predictions, truth=np.zeros(predictions.scores.shape, dtype=bool))
    assert join(given, record, wrong)[2] == ["the stored truth is not that of the data given"]


def test_names_of_no_record_are_errors(registry: Registry, record: Record) -> None:
    Given(registry, {"files": "1"}).check_names([record])
    with pytest.raises(BadInput, match=r"--data file=.*: no record is of this dataset. Allowed: files"):
        Given(registry, {"file": "1"}).check_names([record])
    toy = Record(record.path, {**record.data, "dataset": {"name": "toy-tree"}})
    with pytest.raises(BadInput, match="toy-tree reads no path"):
        Given(registry, {"toy-tree": "1"}).check_names([toy])


def test_an_old_record_names_its_data_without_options(registry: Registry, record: Record) -> None:
    named = {name: value for name, value in record.data["dataset"].items() if name != "reference"}
    old = replace(record, data={**record.data, "dataset": named})
    assert join(Given(registry, {"files": "1"}), old)[1:] == ("", [])
