"""Synthetic pictures are drawn once, into the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_sem.datasets import sem_failure

from hmcbench.data import drawn
from hmcbench.data.drawn import with_drawn_pictures
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task


class Drawing:
    """A picture that counts how often it is drawn."""

    times = 0

    def __init__(self, grey: int, side: int = 3) -> None:
        self.grey, self.side = grey, side

    def load(self, min_side: int | None = None) -> np.ndarray:
        Drawing.times += 1
        return np.full((self.side, self.side), self.grey, np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path))
    Drawing.times = 0
    return tmp_path


def dataset(pictures: list[Any], synthetic: bool = True) -> Dataset:
    hierarchy = Hierarchy.from_paths([["a"], ["b"]])
    return Dataset(
        ids=[str(i) for i in range(len(pictures))],
        views={"image": pictures, "table": np.zeros((len(pictures), 2))},
        targets=hierarchy.encode([["a"]] * len(pictures)),
        task=Task(paths="single", depth="full", hierarchy=hierarchy),
        fingerprint="f" * 64,
        synthetic=synthetic,
    )


def test_every_picture_is_drawn_once_for_all_cells(cache: Path) -> None:
    pictures = [Drawing(i % 256) for i in range(150)]
    for _ in range(2):
        read = with_drawn_pictures(dataset(pictures), {"image", "table"}, threads=2)
        view = read.views["image"]
        assert len(view) == 150 and [int(view[i].load()[0, 0]) for i in (0, 149)] == [0, 149]
        assert [int(picture.load()[0, 0]) for picture in view[5:7]] == [5, 6]
    assert Drawing.times == 151, "each once, and the first also for its size"
    assert read.views["table"] is not view
    view[0].load()[:] = 9  # a model may write into what it got
    assert view[0].load().max() == 0


def test_the_pictures_are_those_of_the_dataset() -> None:
    made = sem_failure(size=32, shifted=False)
    read = with_drawn_pictures(made, {"image"}, threads=2)
    for i in (0, 64, len(made.ids) - 1):
        assert (read.views["image"][i].load() == made.views["image"][i].load()).all()


@pytest.mark.parametrize("case", ["sizes", "measured", "numbers", "bytes"])
def test_what_does_not_suit_a_file_stays(case: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[Any] = [Drawing(1), Drawing(2, side=4 if case == "sizes" else 3)]
    if case == "numbers":
        pictures = [np.zeros(3), np.zeros(3)]
    if case == "bytes":
        monkeypatch.setattr(drawn, "MOST_BYTES", 10)
    made = dataset(pictures, synthetic=case != "measured")
    assert with_drawn_pictures(made, {"image"}).views["image"] is pictures
    assert not list(cache.rglob("*.npy*"))


def test_a_damaged_file_is_left_out_and_drawn_again(cache: Path) -> None:
    pictures = [Drawing(1), Drawing(2)]
    with_drawn_pictures(dataset(pictures), {"image"})
    (file,) = cache.rglob("*.npy")
    file.write_bytes(b"torn")
    assert with_drawn_pictures(dataset(pictures), {"image"}).views["image"] is pictures
    assert len(with_drawn_pictures(dataset(pictures), {"image"}).views["image"]) == 2
    assert file.exists()
