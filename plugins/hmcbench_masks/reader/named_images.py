"""Which image of a folder is meant by a file that names it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from hmcbench_masks.reader.files import IMAGES, image_files

SHOWN = 3  # images that a message lists


class NotUsable(Exception):
    """Why an image or its file of polygons cannot be used, and the kind of problem."""

    def __init__(self, what: str, kind: str) -> None:
        super().__init__(what)
        self.kind = kind


@dataclass(frozen=True)
class NamedImages:
    """The images below a folder.

    Attributes:
        folder: that of the images: ``images/`` where there is one, else the root.
        files: all images.
        by_path: path below the root or below ``folder`` -> image.
        by_name: name without its folders -> images.
        folders: those of the paths.
    """

    root: Path
    folder: Path
    files: Sequence[Path]
    by_path: Mapping[str, Path]
    by_name: Mapping[str, Sequence[Path]]
    folders: Set[str]

    @classmethod
    def below(cls, root: Path) -> NamedImages:
        """All images of a folder."""
        folder = root / IMAGES if (root / IMAGES).is_dir() else root
        files = image_files(folder)
        by_path = {path.relative_to(start).as_posix(): path for start in (root, folder) for path in files}
        by_name: dict[str, list[Path]] = {}
        for path in files:
            by_name.setdefault(path.name, []).append(path)
        return cls(root, folder, files, by_path, by_name, {Path(name).parent.as_posix() for name in by_path})

    def find(self, path: Path, *, of_its_file: bool = False) -> Path:
        """The image of this path; folders that are not here may stand before those that are.

        Where none of its folders is here, it is the only image of its name. An image that a folder lacks is
        not looked for in others: an image of the same name may show something else.

        Args:
            of_its_file: the folder is that of the file which names the image, and may hold no images at all.

        Raises:
            NotUsable: no such image, or several of its name.
        """
        inside = Path(os.path.normpath(path))  # only at its beginning are there two points now
        names = [part for part in inside.parts if part not in (inside.anchor, "..")]
        for i in range(len(names) - 1):
            tail = Path(*names[i:])
            if tail.as_posix() in self.by_path:
                return self.by_path[tail.as_posix()]
            named = i == 0 and not of_its_file and self._is_folder(tail.parent)
            if named or tail.parent.as_posix() in self.folders:
                raise self._none(path)
        if len(names) == 1 and path.name in self.by_path:
            return self.by_path[path.name]
        same = self.by_name.get(path.name, ())
        if len(same) != 1:
            raise self._none(path)
        return same[0]

    def _is_folder(self, folder: Path) -> bool:
        try:
            return any((start / folder).is_dir() for start in (self.root, self.folder))
        except OSError:  # a name that is too long
            return False

    def _none(self, path: Path) -> NotUsable:
        same = [str(image.relative_to(self.root)) for image in self.by_name.get(path.name, ())]
        if not same:
            return NotUsable(f"no image {path.name} below {self.root}", "no-image")
        listed = ", ".join(same[:SHOWN]) + ", ..." * (len(same) > SHOWN)
        what = f"no image {path.as_posix()} below {self.root}; images of this name: {listed}"
        return NotUsable(what, "no-image")

    def beside(self, file: Path) -> list[Path]:
        """The images that have the name of a file, but for the ending: those at its place, else all."""
        stem = file.relative_to(self.root).with_suffix("").as_posix()
        same = {name: image for name, image in self.by_path.items() if image.stem == file.stem}
        nearest = {image for name, image in same.items() if Path(name).with_suffix("").as_posix() == stem}
        return sorted(nearest or set(same.values()))
