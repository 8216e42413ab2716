"""A dataset that is not passed on, and a record of it, published without its truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hmcbench.data import contract
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, DatasetSpec, Param
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.publish.publish import publish
from hmcbench.records.record import Record
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin

MADE: dict[str, Dataset] = {}


def factory(path: str) -> Dataset:
    if path not in MADE:
        raise BadInput(f"{path}: no such folder")
    return MADE[path]


class Plugin:
    @hookimpl
    def hmcbench_datasets(self) -> list[DatasetSpec]:
        params = {"path": Param(default="", help="")}
        return [
            DatasetSpec(
                name="private", version="1", summary="", factory=factory, params=params, path_param="path"
            )
        ]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    # the author's part alone, as of a built-in dataset: differences beside the fingerprint are tried too
    monkeypatch.setattr(contract, "full_fingerprint", lambda dataset: dataset.fingerprint)
    with temporary_plugin(Plugin()) as own_registry:
        yield own_registry
    MADE.clear()


@pytest.fixture
def datasets() -> dict[str, Dataset]:
    """Path -> dataset: what ``--data private=PATH`` reads."""
    return MADE


@pytest.fixture
def private(fabricate: Callable[..., Record], tmp_path: Path) -> Path:
    """One record whose truth stays behind; ``MADE["here"]`` are its data."""
    seen = fabricate("throw away").predictions()
    trained = [f"train-{i}" for i in range(600)]
    truth = seen.truth.toarray()
    targets = np.concatenate([truth[:1].repeat(600, axis=0), truth])
    order = np.random.default_rng(0).permutation(len(targets))
    ids, side = [*trained, *seen.ids], ["train"] * 600 + list(seen.side)
    dataset = Dataset(
        ids=[ids[i] for i in order],
        views={},
        targets=targets[order],
        task=seen.task,
        fingerprint="d" * 64,
        split=[side[i] for i in order],
        share_targets=False,
    )
    MADE["here"] = dataset
    split = make_split(dataset, Protocol(kind="predefined"))
    described = {"name": "private", "reference": "private[path=here]", "share_targets": False}
    fabricate(
        "a",
        folder=tmp_path / "mine" / "records",
        dataset=described,
        split={"kind": "predefined", "fingerprint": split.fingerprint, "test": 0.1, "validation": 0.1},
    )
    publish(tmp_path / "mine", tmp_path / "private")
    return tmp_path / "private"
