"""Pictures that would fill the memory, or are none."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.cli import main


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(side: int, *more: bytes) -> bytes:
    """A picture that says it has so many pixels along a side, in a few bytes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (side + 1) * min(side, 64))
    body = (chunk(b"IHDR", header), *more, chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


BOMB = zlib.compress(bytes(80_000_000), 9)
PICTURES = {
    "60,000 x 60,000": (png(60_000), "more than 89.48 million pixels"),
    "text that unpacks to 80 MB": (
        png(32, chunk(b"zTXt", b"note\0\0" + BOMB)),
        "damaged: Decompressed data too large",
    ),
    "a profile that unpacks to 80 MB": (
        png(32, chunk(b"iCCP", b"note\0\0" + BOMB)),
        "damaged: Decompressed data too large",
    ),
    "a pickle": (pickle.dumps([1]), "not an image that can be read"),
}


def torn_tiff() -> bytes:
    """Its compressed pixels are damaged: libtiff, which decodes them, would print a line of its own."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (12, 14), dtype=np.uint8)
    Image.fromarray(noise).save(file, "TIFF", compression="tiff_deflate")
    content = bytearray(file.getvalue())
    content[60] ^= 255
    return bytes(content)


@pytest.mark.parametrize("kind", PICTURES)
def test_in_a_data_set(cli: Callable[..., Any], refused: Callable[..., str], here: Path, kind: str) -> None:
    content, says = PICTURES[kind]
    (here / "images" / "a").mkdir(parents=True)
    (here / "images" / "a" / "x.png").write_bytes(content)
    before = sorted(here.rglob("*"))
    lint = cli("data", "lint", "images")
    assert lint.status == 2 and not lint.err
    assert f"error    a/x.png: {says}" in lint.out, lint.out
    assert sorted(here.rglob("*")) == before
    args = ("run", "--suite", "sem-failure", "--model", "prior", "--data", "sem-failure=images")
    assert "a/x.png" in refused(*args)


def test_a_damaged_tiff_is_one_line(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of the whole process, libraries in C included."""
    (here / "images" / "a").mkdir(parents=True)
    (here / "images" / "a" / "x.tif").write_bytes(torn_tiff())
    args = ("run", "--suite", "sem-failure", "--model", "prior", "--data", "sem-failure=images")
    with pytest.raises(SystemExit):
        main(args)
    output = capfd.readouterr()
    assert not output.out and output.err.count("\n") == 1
    assert output.err.startswith("hmcbench: images: a/x.tif: damaged: ")


@pytest.mark.torch
@pytest.mark.parametrize("kind", PICTURES)
def test_to_predict(cli: Callable[..., Any], trained_run: Any, here: Path, kind: str) -> None:
    content, says = PICTURES[kind]
    (here / "x.png").write_bytes(content)
    before = sorted(here.rglob("*"))
    ended = cli("predict", trained_run.record, "x.png")
    assert ended.status == 2 and not ended.out
    model, unreadable, last = ended.err.splitlines()
    assert model.startswith("model timm:test_resnet")
    assert unreadable.startswith("unreadable  x.png: ") and says in unreadable
    assert last == "hmcbench: none of the files could be read as an image."
    assert sorted(here.rglob("*")) == before
