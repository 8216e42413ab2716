"""Skeletons of plugins: small packages that can be installed, tested and run unchanged.

``common/`` and one folder per kind hold the templates, ``file/`` that of a model in one file. The suffix
``.txt`` is removed from their names, and words between ``@`` signs are replaced in names and texts.
"""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
from pathlib import Path

from hmcbench.errors import BadInput, unknown
from hmcbench.files import write_atomic
from hmcbench.registry.registry import Registry

KINDS = ("dataset", "model", "metric", "featurizer", "shift", "suite")
HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
_LONGEST = 60


def write(registry: Registry, name: str, kind: str, into: Path) -> list[Path]:
    """Write the package ``into/name``; returns its files, relative to it.

    The folder is complete when it appears.

    Raises:
        BadInput: a name that is invalid or taken, an unknown kind, a missing folder.
    """
    if kind not in KINDS:
        raise unknown("kind of plugin", kind, KINDS)
    words = _words(registry, name, kind)
    target = into / name
    _check_place(into, target)
    partial = into / f".{name}.{os.getpid()}.partial"
    try:
        for source, path in _files(kind):
            copy = partial / _filled(path, words)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(_filled(source.read_text(encoding="utf-8"), words), encoding="utf-8")
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())


def write_file(registry: Registry, name: str, into: Path) -> Path:
    """Write ``into/NAME.py``, a model in one file; returns its path.

    Raises:
        BadInput: as :func:`write` does.
    """
    words = _words(registry, name, "model")
    ((source, path),) = _of_folder("file")
    target = into / _filled(path, words)
    _check_place(into, target)
    write_atomic(target, _filled(source.read_text(encoding="utf-8"), words))
    return target


def _check_place(into: Path, target: Path) -> None:
    if not into.is_dir():
        raise BadInput(f"there is no folder {into}", hint="--into names the folder to write into")
    if target.exists() or target.is_symlink():
        raise BadInput(f"{target} exists already", hint="choose another name, or remove it")


def _files(kind: str) -> list[tuple[Path, str]]:
    """(template, path in the new package) of all files of a kind."""
    return [*_of_folder("common"), *_of_folder(kind)]


def _of_folder(folder: str) -> list[tuple[Path, str]]:
    paths = sorted((HERE / folder).rglob("*.txt"))
    return [(path, path.relative_to(HERE / folder).as_posix().removesuffix(".txt")) for path in paths]


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _words(registry: Registry, name: str, kind: str) -> dict[str, str]:
    """Word -> its replacement; raises BadInput for a name that would not work."""
    allowed = "lower-case letters, digits and single hyphens, a letter first, such as my-model"
    if not _NAME.match(name) or len(name) > _LONGEST:
        raise BadInput(f"the name {name!r} cannot be used", allowed=allowed)
    module = name.replace("-", "_")
    spec = module if kind == "metric" else name
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise BadInput(f"the name {name!r} is taken by a module of Python or of an installed package")
    if spec in {s.name for s in registry.specs(f"{kind}s")}:
        raise BadInput(f"there is a {kind} {spec!r} already", hint=f"hmcbench list {kind}s shows them")
    if name in {p.name for p in registry.manager.plugins}:
        raise BadInput(f"there is a plugin {name!r} already", hint="hmcbench list plugins shows them")
    title = "".join(part.capitalize() for part in name.split("-"))
    return {"name": name, "module": module, "spec": spec, "Class": title, "kind": kind}
