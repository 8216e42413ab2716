"""Synthetic fractographs with simulated EDS."""

from __future__ import annotations

import numpy as np
import pytest
from hmcbench_sem.eds import COLUMNS, ELEMENTS, INCOMPLETE, sem_eds, spectrum

from hmcbench.data.protocol import Protocol
from hmcbench.data.variants import divide
from hmcbench.errors import BadInput


def test_the_incomplete_set_is_the_test_set_without_some_views() -> None:
    data = sem_eds(size=32, train=12, test=40, missing=0.3)
    split, table = np.array(data.split), data.views["table"]
    complete, incomplete = np.flatnonzero(split == "test"), np.flatnonzero(split == INCOMPLETE)
    assert [f"{data.ids[i]}-incomplete" for i in complete] == [data.ids[i] for i in incomplete]
    assert (data.targets[complete] != data.targets[incomplete]).nnz == 0
    no_table = np.isnan(table[incomplete]).all(1)
    black = np.array([not data.views["image"][i].load().any() for i in incomplete])
    assert no_table.sum() == black.sum() == 6 and not (no_table & black).any()
    for a, b, lacks in zip(complete, incomplete, no_table | black, strict=True):
        if not lacks:
            np.testing.assert_array_equal(table[a], table[b])
            assert data.views["image"][a] == data.views["image"][b]
    assert data.synthetic and "simulated" in data.notes[0]
    assert all("simulated" in name for name in COLUMNS[2:])


def test_no_sample_lacks_both_views_and_all_may_lack_one() -> None:
    for test in (6, 7, 9):
        data = sem_eds(size=32, train=12, test=test, missing=1.0)
        rows = np.flatnonzero(np.array(data.split) == INCOMPLETE)
        no_table = np.isnan(data.views["table"][rows]).all(1)
        black = np.array([not data.views["image"][i].load().any() for i in rows])
        assert not (no_table & black).any()
        assert no_table.sum() + black.sum() >= test - 1


def test_no_fold_trains_on_a_picture_of_the_incomplete_set() -> None:
    data = sem_eds(size=32, train=30, test=40)
    shown: list[int] = []
    for fold in range(5):
        split = divide(data, Protocol("kfold", folds=5, validation=0.2), fold)[1]
        originals = [
            data.ids.index(data.ids[row].removesuffix("-incomplete")) for row in split.sides[INCOMPLETE]
        ]
        assert set(originals) <= set(split.sides["test"].tolist())
        shown += originals
    assert sorted(shown) == list(range(30, 70))
    own = divide(data, Protocol("predefined"))[1]
    assert sorted(own.sides[INCOMPLETE].tolist()) == list(range(70, 110))
    assert not any("copies" in note for note in own.notes)


def test_spectra_sum_to_a_hundred_and_show_the_failure() -> None:
    def mean(leaf: str) -> np.ndarray:
        return np.nanmean([spectrum((0, i), [leaf]) for i in range(200)], axis=0)[2:]

    chlorine, oxygen, sodium = (ELEMENTS.index(name) for name in ("Cl", "O", "Na"))
    fatigue, corrosion = mean("mechanical/fatigue"), mean("mechanical/stress-corrosion-cracking")
    deposit = mean("thermal/deposit-corrosion")
    assert abs(fatigue.sum() - 100) < 2
    assert corrosion[chlorine] > fatigue[chlorine] + 0.5
    assert deposit[sodium] > fatigue[sodium] + 1 and deposit[oxygen] > 2 * fatigue[oxygen]


def test_every_value_decides_the_fingerprint() -> None:
    common = {"size": 32, "train": 12, "test": 12}
    prints = [sem_eds(**common, **more).fingerprint for more in ({}, {"seed": 1}, {"missing": 0.5})]
    assert len(set(prints)) == 3 and prints[0] == sem_eds(**common).fingerprint


@pytest.mark.parametrize("values", [{"missing": 1.5}, {"train": 5000}])
def test_ranges(values: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        sem_eds(**values)  # type: ignore[arg-type]
