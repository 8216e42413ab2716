from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.records.predictions import Predictions
from hmcbench.testing.helpers import tiny_dataset


def example(kind: str = "tree") -> Predictions:
    dataset = tiny_dataset(20, kind)  # type: ignore[arg-type]
    assert dataset.task.hierarchy is not None
    rng = np.random.default_rng(0)
    return Predictions(
        ids=list(dataset.ids),
        side=["validation"] * 8 + ["test"] * 12,
        scores=rng.random((20, dataset.task.hierarchy.n), dtype=np.float32),
        task=dataset.task,
        truth=dataset.targets,
        stop=rng.random((20, dataset.task.hierarchy.depth), dtype=np.float32),
        groups=[f"g{i // 3}" for i in range(20)],
    )


@pytest.mark.parametrize("kind", ["tree", "ragged", "dag"])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, kind: str) -> None:
    before = example(kind)
    before.save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert after.ids == list(before.ids)
    assert after.side == list(before.side)
    assert after.groups == list(before.groups or [])
    assert np.array_equal(after.scores, before.scores)
    assert after.stop is not None
    assert before.stop is not None
    assert np.array_equal(after.stop, before.stop)
    truth = before.truth.toarray() if hasattr(before.truth, "toarray") else before.truth
    assert np.array_equal(after.truth.toarray(), truth)
    assert after.task.hierarchy == before.task.hierarchy
    assert (after.task.paths, after.task.depth) == (before.task.paths, before.task.depth)


def test_the_same_numbers_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        example().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_sides_are_taken_apart(tmp_path: Path) -> None:
    test = example().of_side("test")
    assert len(test) == 12
    assert set(test.side) == {"test"}
    assert test.truth.shape[0] == 12


def test_regression_keeps_double_precision(tmp_path: Path) -> None:
    values = np.array([[1.0 + 1e-12, 2.0]])
    before = Predictions(["a"], ["test"], values, Task("regression", targets=("x", "y")), truth=values * 2)
    before.save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert np.array_equal(after.scores, values)
    assert np.array_equal(after.truth, values * 2)
    assert after.task.targets == ("x", "y")


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    with pytest.raises(BadInput, match="is missing"):
        Predictions.load(path)
    example().save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"PK", whole[: len(whole) // 2], b"\x80\x04N."):
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match="cannot be read"):
            Predictions.load(path)


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(BadInput, match="cannot be read"):
        Predictions.load(tmp_path / "p.npz")
