"""Synthetic pictures are drawn once, into the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
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
    generated = sem_failure(size=32, shifted=False)
    read = with_drawn_pictures(generated, {"image"}, threads=2)
    for i in (0, 64, len(generated.ids) - 1):
        assert (read.views["image"][i].load() == generated.views["image"][i].load()).all()


@pytest.mark.parametrize("parts", [1, 3])
def test_processes_draw_the_same_pictures(
    parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawn, "LONG_S", 0.0)
    synthetic = sem_failure(size=32, shifted=False)
    some = replace(synthetic, ids=synthetic.ids[:10], views={"image": synthetic.views["image"][:10]})
    calls = spy(monkeypatch)
    read = with_drawn_pictures(some, {"image"}, threads=parts)
    assert calls == ([] if parts == 1 else [True])
    for i in range(10):
        assert (read.views["image"][i].load() == synthetic.views["image"][i].load()).all()


class Broken(Drawing):
    """A picture that is drawn by the process which made it, and by no other."""

    def __init__(self, grey: int) -> None:
        super().__init__(grey)
        self.process = os.getpid()

    def load(self, min_side: int | None = None) -> np.ndarray:
        assert os.getpid() == self.process
        return super().load()


class Unsent(Drawing):
    """A picture that cannot be sent to a process."""

    def __reduce__(self) -> Any:
        raise TypeError("not to be pickled")


@pytest.mark.parametrize("kind", [Broken, Unsent])
def test_threads_draw_what_processes_cannot(kind: Any, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "LONG_S", 0.0)
    calls = spy(monkeypatch)
    read = with_drawn_pictures(dataset([kind(i) for i in range(5)]), {"image"}, threads=2)
    assert calls == [False]
    assert [int(picture.load()[0, 0]) for picture in read.views["image"][:]] == [0, 1, 2, 3, 4]
    assert len(list(cache.rglob("*"))) == 2, "the folder and the file"


def test_an_error_of_a_picture_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "LONG_S", 0.0)
    pictures: list[Any] = [Drawing(1), Failing(2)]
    with pytest.raises(ZeroDivisionError):
        with_drawn_pictures(dataset(pictures), {"image"}, threads=2)
    assert not list(cache.rglob("*.npy*"))


class Failing(Drawing):
    """A picture that cannot be drawn."""

    def load(self, min_side: int | None = None) -> np.ndarray:
        raise ZeroDivisionError


def spy(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether processes drew all pictures, for every time they were asked."""
    results: list[bool] = []
    ask = drawn._in_processes

    def asked(rows: Any, places: Any) -> bool:
        results.append(ask(rows, places))
        return results[-1]

    monkeypatch.setattr(drawn, "_in_processes", asked)
    return results


@pytest.mark.parametrize("case", ["sizes", "measured", "numbers", "bytes"])
def test_what_does_not_suit_a_file_stays(case: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[Any] = [Drawing(1), Drawing(2, side=4 if case == "sizes" else 3)]
    if case == "numbers":
        pictures = [np.zeros(3), np.zeros(3)]
    if case == "bytes":
        monkeypatch.setattr(drawn, "MOST_BYTES", 10)
    generated = dataset(pictures, synthetic=case != "measured")
    assert with_drawn_pictures(generated, {"image"}).views["image"] is pictures
    assert not list(cache.rglob("*.npy*"))


def test_a_damaged_file_is_left_out_and_drawn_again(cache: Path) -> None:
    pictures = [Drawing(1), Drawing(2)]
    with_drawn_pictures(dataset(pictures), {"image"})
    (file,) = cache.rglob("*.npy")
    file.write_bytes(b"torn")
    assert with_drawn_pictures(dataset(pictures), {"image"}).views["image"] is pictures
    assert len(with_drawn_pictures(dataset(pictures), {"image"}).views["image"]) == 2
    assert file.exists()


SCRIPT = """
from dataclasses import replace
from hmcbench_sem.datasets import sem_failure
from hmcbench.data import drawn

drawn.LONG_S = 0.0
ask = drawn._in_processes
drawn._in_processes = lambda *args: print("drawn in processes:", ask(*args)) or True
made = sem_failure(size=32, shifted=False)
some = replace(made, ids=made.ids[:4], views={"image": made.views["image"][:4]})
read = drawn.with_drawn_pictures(some, {"image"}, threads=2)
print("pictures:", len(read.views["image"]))
"""


def test_a_script_without_a_guard_is_not_run_by_the_processes(cache: Path) -> None:
    """As of a run with ``in_process=True``."""
    script = cache / "mine.py"
    script.write_text(SCRIPT)
    completed = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert completed.stdout == "drawn in processes: True\npictures: 4\n", completed.stderr
