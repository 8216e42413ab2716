"""Which image of a folder is meant by a file that names it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from hmcbench.files import listed_path
from hmcbench_masks.reader.files import IMAGES, composed, image_files

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
        by_composed: the same in composed form, but for paths that two images then share.
        by_name: composed name without its folders -> images.
        folders: those of the paths.
    """

    root: Path
    folder: Path
    files: Sequence[Path]
    by_path: Mapping[str, Path]
    by_composed: Mapping[str, Path]
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
            by_name.setdefault(composed(path.name), []).append(path)
        folders = {composed(Path(name).parent.as_posix()) for name in by_path}
        return cls(root, folder, files, by_path, _composed(by_path), by_name, folders)

    def path_of(self, text: str) -> Path:
        """A path that a file names, of any system; a backslash stays where it is in the name of an image.

        Raises:
            NotUsable: it ends in no name.
        """
        path = Path(text) if self._at(Path(text)) else Path(listed_path(text))
        if path.name.strip() in ("", ".."):
            raise NotUsable(f"the path {text!r:.40} names no image", "no-image")
        return path

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
            image = self._at(tail)
            if image is not None:
                return image
            named = i == 0 and not of_its_file and self._is_folder(tail.parent)
            if named or composed(tail.parent.as_posix()) in self.folders:
                raise self._none(path)
        image = self._at(Path(names[0])) if len(names) == 1 else None
        same = self._same(path) if image is None else [image]
        if len(same) != 1:
            raise self._none(path)
        return same[0]

    def _at(self, path: Path) -> Path | None:
        """The image of exactly this path, else the only one in another form of Unicode."""
        name = path.as_posix()
        return self.by_path.get(name) or self.by_composed.get(composed(name))

    def _same(self, path: Path) -> Sequence[Path]:
        return self.by_name.get(composed(path.name), ())

    def _is_folder(self, folder: Path) -> bool:
        forms = [folder, *(Path(unicodedata.normalize(form, str(folder))) for form in ("NFC", "NFD"))]
        try:
            return any((start / each).is_dir() for start in (self.root, self.folder) for each in forms)
        except OSError:  # a name that is too long
            return False

    def _none(self, path: Path) -> NotUsable:
        same = [str(image.relative_to(self.root)) for image in self._same(path)]
        if not same:
            return NotUsable(f"no image {path.name} below {self.root}", "no-image")
        listed = ", ".join(same[:SHOWN]) + ", ..." * (len(same) > SHOWN)
        what = f"no image {path.as_posix()} below {self.root}; images of this name: {listed}"
        return NotUsable(what, "no-image")

    def beside(self, file: Path) -> list[Path]:
        """The images that have the name of a file, but for the ending: those at its place, else all."""
        stem = _stem(file.relative_to(self.root))
        alone = composed(file.stem)
        same = {name: image for name, image in self.by_path.items() if composed(image.stem) == alone}
        nearest = {image for name, image in same.items() if _stem(Path(name)) == stem}
        return sorted(nearest or set(same.values()))


def _stem(path: Path) -> str:
    return composed(path.with_suffix("").as_posix())


def _composed(by_path: Mapping[str, Path]) -> dict[str, Path]:
    images_of: dict[str, set[Path]] = {}
    for name, image in by_path.items():
        images_of.setdefault(composed(name), set()).add(image)
    return {name: image for name, (image, *more) in images_of.items() if not more}
