"""CIFAR-100: a tiny archive, bad ones, and what torchvision would bring."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_timm.cifar100 import cifar100

from hmcbench.errors import BadInput


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    contents: dict[str, Any] = {
        "fine_names": np.array(["apple", "pear", "cod"]),
        "coarse_names": np.array(["fruit", "fish"]),
    }
    for side, fine in (("train", [0, 1, 2, 2]), ("test", [0, 2])):
        contents[f"x_{side}"] = rng.integers(0, 256, (len(fine), 32, 32, 3), dtype=np.uint8)
        contents[f"y_fine_{side}"] = np.array(fine)
        contents[f"y_coarse_{side}"] = np.array([f // 2 for f in fine])
    return contents | changes


def test_an_archive_gives_two_levels_and_the_official_sides(tmp_path: Path) -> None:
    np.savez(tmp_path / "archive.npz", **arrays())
    data = cifar100(path=str(tmp_path))
    assert data.task.hierarchy is not None and data.split == ["train"] * 4 + ["test"] * 2
    assert data.task.hierarchy.classes == ("fish", "fruit", "fish/cod", "fruit/apple", "fruit/pear")
    assert data.targets.toarray()[1].tolist() == [False, True, False, False, True]
    assert (data.views["image"][5].load() == arrays()["x_test"][1]).all()
    other = arrays()
    other["x_test"] = other["x_test"][::-1]
    np.savez(tmp_path / "archive.npz", **other)
    assert cifar100(path=str(tmp_path / "archive.npz")).fingerprint != data.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"y_fine_train": np.array([0, 1, 2, 3])},
        {"y_coarse_test": np.array([0, -1])},
        {"x_train": np.zeros((4, 32, 32))},
        {"x_test": np.zeros((3, 32, 32, 3), np.uint8)},
        {"fine_names": np.array([{"a": 1}, "b", "c"], dtype=object)},
    ],
)
def test_archives_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    np.savez(tmp_path / "a.npz", **arrays(**changes))
    with pytest.raises(BadInput):
        cifar100(path=str(tmp_path))


def test_nothing_is_fetched_unasked(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one of path and download"):
        cifar100()
    with pytest.raises(BadInput, match=r"0 \.npz files"):
        cifar100(path=str(tmp_path))


@pytest.mark.torch
def test_the_download_is_torchvisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that leaves the files which torchvision would; then one that has no network."""
    from torchvision import datasets

    contents = arrays()

    class Fake:
        base_folder = "cifar"

        def __init__(self, root: str, train: bool, download: bool) -> None:
            side = "train" if train else "test"
            self.data, self.targets = contents[f"x_{side}"], contents[f"y_fine_{side}"].tolist()
            self.classes = contents["fine_names"].tolist()
            folder = Path(root) / self.base_folder
            folder.mkdir(exist_ok=True)
            labels = {"coarse_labels": contents[f"y_coarse_{side}"].tolist()}
            (folder / side).write_bytes(pickle.dumps(labels))
            (folder / "meta").write_bytes(
                pickle.dumps({"coarse_label_names": contents["coarse_names"].tolist()})
            )

    monkeypatch.setattr(datasets, "CIFAR100", Fake)
    fetched = cifar100(download=str(tmp_path))
    np.savez(tmp_path / "a.npz", **contents)
    assert fetched.fingerprint == cifar100(path=str(tmp_path / "a.npz")).fingerprint

    def offline(*args: Any, **kwargs: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(datasets, "CIFAR100", offline)
    with pytest.raises(BadInput, match=r"could not be fetched.*no network"):
        cifar100(download=str(tmp_path))


def test_the_shared_archive(shared: Callable[[str], Path]) -> None:
    data = cifar100(path=str(shared("cifar100_subset")))
    assert data.task.hierarchy is not None and data.task.hierarchy.level_sizes.tolist() == [20, 100]
    assert data.split is not None and (data.split.count("train"), data.split.count("test")) == (10000, 2000)
