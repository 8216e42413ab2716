"""Kept trees send samples to the leaves that scikit-learn sends them to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hmcbench_hmc.models.kept_trees import kept_trees, splits_of
from hmcbench_hmc.models.trees import Pct, PctForest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from hmcbench.errors import BadInput
from hmcbench.interfaces import Run
from hmcbench.testing.helpers import fitted, inputs, tiny_dataset


@given(seed=st.integers(0, 2**16), missing=st.sampled_from([0.0, 0.3]), depth=st.integers(1, 6))
def test_leaves_are_those_of_scikit_learn(seed: int, missing: float, depth: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.integers(0, 5, (40, 4)).astype(np.float32)
    rows[random.random(rows.shape) < missing] = np.nan
    targets = [random.integers(0, 3, (40, 2)), np.zeros((40, 2))]  # of equal targets: one leaf
    trees = [DecisionTreeRegressor(max_depth=depth, random_state=0).fit(rows, y).tree_ for y in targets]
    for kept, tree in zip(kept_trees(splits_of(trees)), trees, strict=True):
        np.testing.assert_array_equal(kept.apply(rows), tree.apply(rows))


@pytest.mark.parametrize("model", [PctForest(trees=4), Pct()], ids=["forest", "tree"])
def test_missing_values_and_damaged_files(model: PctForest | Pct, tmp_path: Path) -> None:
    dataset = tiny_dataset(60, "multiple")
    dataset.views["table"][::7, 0] = np.nan  # type: ignore[index]
    fitted(model, dataset)
    model.save(tmp_path)
    loaded = type(model)()
    loaded.load(tmp_path, Run(dataset.task))
    np.testing.assert_array_equal(
        loaded.predict(inputs(dataset)).values, model.predict(inputs(dataset)).values
    )
    (tmp_path / "trees.npz").write_bytes(b"torn")
    with pytest.raises(BadInput, match="cannot be read"):
        loaded.load(tmp_path, Run(dataset.task))
