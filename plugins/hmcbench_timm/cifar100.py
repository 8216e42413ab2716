"""CIFAR-100 with both of its label levels, 20 superclasses of 5 classes each (Krizhevsky 2009).

Read from a file of the user, or downloaded by torchvision on request only.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task

ARRAYS = ("x_train", "y_fine_train", "y_coarse_train", "x_test", "y_fine_test", "y_coarse_test")
LARGEST = 1 << 30
"""Most bytes that an archive may unpack to; CIFAR-100 takes 184 million."""
ALLOWED = "a .npz file, or a folder with one, that holds " + ", ".join(ARRAYS) + ", fine_names, coarse_names"


@dataclass(frozen=True)
class CifarImage:
    """One image, uint8 (32, 32, 3), of a larger array."""

    pixels: np.ndarray

    def load(self, min_side: int | None = None) -> np.ndarray:
        """The pixels; ``min_side`` is ignored, as 32 px are not reduced."""
        return self.pixels


def cifar100(*, path: str = "", download: str = "") -> Dataset:
    """The official training and test samples.

    Args:
        path: the archive (:data:`ALLOWED`).
        download: a folder into which torchvision downloads the set, unless it is there.

    Raises:
        BadInput: neither or both are given, or the files cannot be used.
    """
    if bool(path) == bool(download):
        raise BadInput(
            "the dataset cifar100 needs its images: one of path and download",
            allowed=ALLOWED,
            hint="add --data cifar100=PATH, or name cifar100[download=FOLDER] in a suite file",
        )
    arrays = read_archive(Path(path)) if path else fetch(Path(download))
    coarse, fine = (list(map(str, arrays[f"{k}_names"])) for k in ("coarse", "fine"))
    sides = ("train", "test")
    labels = [
        (coarse[c], fine[f])
        for side in sides
        for c, f in zip(arrays[f"y_coarse_{side}"], arrays[f"y_fine_{side}"], strict=True)
    ]
    hierarchy = Hierarchy.from_paths(set(labels))
    digest = hashlib.sha256()
    for side in sides:
        digest.update(np.ascontiguousarray(arrays[f"x_{side}"]).tobytes())
    digest.update(repr(labels).encode())
    images = [CifarImage(pixels) for side in sides for pixels in arrays[f"x_{side}"]]
    split = [side for side in sides for _ in arrays[f"x_{side}"]]
    return Dataset(
        ids=[f"{side}-{k:05d}" for side in sides for k in range(len(arrays[f"x_{side}"]))],
        views={"image": images},
        targets=hierarchy.encode([["/".join(label)] for label in labels]),
        task=Task(paths="single", depth="full", hierarchy=hierarchy),
        fingerprint=digest.hexdigest(),
        duplicates=[hashlib.sha256(image.pixels.tobytes()).hexdigest() for image in images],
        split=split,
        notes=[f"CIFAR-100, {split.count('train'):,} of 50,000 and {split.count('test'):,} of 10,000 images"],
    )


def read_archive(path: Path) -> dict[str, Any]:
    """The arrays of an ``.npz`` file; nothing in it is executed (no pickles)."""
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if len(files) != 1 or not files[0].is_file():
        raise BadInput(f"{path} holds {len(files) if path.is_dir() else 0} .npz files", allowed=ALLOWED)
    try:
        with files[0].open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            unpacked = sum(member.file_size for member in archive.zip.infolist())
            if unpacked > LARGEST:
                raise ValueError(f"it unpacks to {unpacked:,} bytes, more than {LARGEST:,}")
            arrays = {name: archive[name] for name in (*ARRAYS, "fine_names", "coarse_names")}
    except Exception as error:  # zipfile, zlib, numpy and its parser raise many types
        raise BadInput(f"{files[0]} cannot be used ({str(error)[:120]})", allowed=ALLOWED) from None
    for side in ("train", "test"):
        check(files[0], arrays, side)
    return arrays


def check(path: Path, arrays: dict[str, Any], side: str) -> None:
    """Raise BadInput unless images and labels of a side fit each other."""
    images = arrays[f"x_{side}"]
    valid = images.dtype == np.uint8 and images.shape[1:] == (32, 32, 3)
    for level in ("fine", "coarse"):
        labels, names = arrays[f"y_{level}_{side}"], arrays[f"{level}_names"]
        integer = np.issubdtype(labels.dtype, np.integer)
        valid = valid and integer and labels.shape == (len(images),)
        valid = valid and bool(((labels >= 0) & (labels < len(names))).all())
    if not valid:
        raise BadInput(
            f"{path}: the arrays of side {side} do not fit each other",
            allowed="uint8 (N, 32, 32, 3) and N whole numbers that count the names",
        )


def fetch(folder: Path) -> dict[str, Any]:
    """The set through torchvision, which checks every file's digest and downloads once."""
    from torchvision.datasets import CIFAR100

    arrays: dict[str, Any] = {}
    for side in ("train", "test"):
        try:
            dataset = CIFAR100(str(folder), train=side == "train", download=True)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
            raise BadInput(
                f"CIFAR-100 could not be fetched into {folder} ({reason})",
                hint="put the archive there yourself, or give --data cifar100=PATH",
            ) from None
        arrays[f"y_fine_{side}"] = np.asarray(dataset.targets)
        # superclasses are not in torchvision's object, but in the files whose digests it has checked
        arrays[f"x_{side}"], unpacked = dataset.data, folder / dataset.base_folder
        arrays[f"y_coarse_{side}"] = np.asarray(_unpickled(unpacked / side)["coarse_labels"])
        arrays["fine_names"] = dataset.classes
        arrays["coarse_names"] = _unpickled(unpacked / "meta")["coarse_label_names"]
    return arrays


def _unpickled(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file, encoding="latin1")
