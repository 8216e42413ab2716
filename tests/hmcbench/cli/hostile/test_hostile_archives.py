"""Archives with members that lead out of their folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ESCAPES = {"up": "../escaped", "deep": "a/../../escaped", "absolute": "/{here}/escaped"}


def zipped(kind: str, here: Path) -> bytes:
    """A zip file with a member that leads out of its folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        if kind == "link":
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "..")
            archive.writestr("link/escaped", b"x")
        else:
            archive.writestr(ESCAPES[kind].format(here=here.parent), b"x")
    return file.getvalue()


def tarred(kind: str, here: Path) -> bytes:
    """The same as a tar file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        if kind == "link":
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, ".."
            archive.addfile(link)
        name = "link/escaped" if kind == "link" else ESCAPES[kind].format(here=here.parent)
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    return file.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("kind", [*ESCAPES, "link"])
def test_they_are_refused(refused: Callable[..., str], here: Path, pack: Any, kind: str) -> None:
    (here / "a.npz").write_bytes(pack(kind, here))
    message = refused("run", "--suite", "cifar100-h", "--model", "prior", "--data", "cifar100=a.npz")
    assert "a.npz cannot be used" in message
    for name in ("a.zip", "a.tar.gz"):
        (here / name).write_bytes(pack(kind, here))
        assert name in refused("data", "lint", name)
        args = ("run", "--suite", "sem-failure", "--model", "prior", "--data", f"sem-failure={name}")
        assert name in refused(*args)
