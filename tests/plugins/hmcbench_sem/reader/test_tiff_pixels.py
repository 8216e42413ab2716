"""TIFFs of every pixel type: read as written, or refused by the name of the type."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_sem.lint import lint_images
from hmcbench_sem.reader.images import ImageFile, decode
from hmcbench_sem.reader.scan import scan_one
from hmcbench_sem.reader.stretch import to_uint8
from PIL import Image, TiffImagePlugin

from hmcbench.errors import BadInput

tifffile = pytest.importorskip("tifffile")
Gallery = Callable[..., Path]
Picture = Callable[..., np.ndarray]

TYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
LAYOUTS: dict[str, dict[str, Any]] = {
    "grey": {"photometric": "minisblack"},
    "white is zero": {"photometric": "miniswhite"},
    "colour": {"photometric": "rgb"},
    "planes apart": {"photometric": "rgb", "planarconfig": "separate"},
    "alpha": {"photometric": "rgb", "extrasamples": ["unassalpha"]},
}


def _numbers(kind: str, colour: bool) -> np.ndarray:
    """Numbers over the whole range of the type; no fill values among them."""
    shape = (40, 48, 3) if colour else (40, 48)
    rng = np.random.default_rng(3)
    if kind[0] == "f":
        return rng.random(shape).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)


def _write(path: Path, array: np.ndarray, layout: str, **how: Any) -> None:
    if layout == "white is zero":
        array = np.iinfo(array.dtype).max - array if array.dtype.kind == "u" else -array
    if layout == "planes apart":
        array = np.moveaxis(array, -1, 0)
    if layout == "alpha":
        opaque = 1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max
        array = np.concatenate([array, np.full_like(array[..., :1], opaque)], axis=-1)
    tifffile.imwrite(path, array, metadata=None, **LAYOUTS[layout], **how)


@pytest.mark.parametrize("packed", [None, "zlib"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_read_as_written(
    tmp_path: Path, kind: str, layout: str, order: str, packed: str | None
) -> None:
    array = _numbers(kind, layout not in ("grey", "white is zero"))
    array[array == np.iinfo(kind).min if kind[0] == "i" else array < 0] = 0  # its negative does not exist
    for tile in (None, (32, 16)):
        _write(tmp_path / "p.tif", array, layout, byteorder=order, compression=packed, tile=tile)
        expected = array if kind == "u1" else to_uint8(array)
        np.testing.assert_array_equal(ImageFile(str(tmp_path / "p.tif")).load(), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_one_picture_are_pixel_identical_for_lint(gallery: Gallery, layout: str) -> None:
    root = gallery({f"{name}/{k}.png": 10 * i + k for i, name in enumerate("ab") for k in range(3)})
    plain = "grey" if layout in ("grey", "white is zero") else "colour"
    array = _numbers("u2", plain == "colour")
    _write(root / "a" / "plain.tif", array, plain)
    _write(root / "a" / "other.tif", array, layout, bigtiff=True)
    problems = lint_images(path=str(root)).problems
    assert [(p.where, p.what) for p in problems] == [("a/other.tif", "pixel-identical with a/plain.tif")]


@pytest.mark.parametrize("kind", ["u4", "i4", "f4", "f8"])
def test_grey_of_any_depth_is_a_copy_of_16_bit_grey(gallery: Gallery, picture: Picture, kind: str) -> None:
    root = gallery({f"{name}/{k}.png": 10 * i + k for i, name in enumerate("ab") for k in range(3)})
    deep = picture(50).astype(np.uint16) * 37
    Image.fromarray(deep).save(root / "a" / "deep.png")
    tifffile.imwrite(root / "a" / "same.tif", deep.astype(kind), photometric="minisblack")
    tifffile.imwrite(root / "a" / "three.tif", np.stack([deep] * 3, -1), photometric="rgb")
    (problem,) = lint_images(path=str(root)).problems
    assert problem.what == "pixel-identical with a/same.tif, a/three.tif"


def _tagged(path: Path, array: np.ndarray, **tags: int) -> None:
    """An uncompressed TIFF with tags of its own: what no library writes."""
    planar = "contig" if array.ndim == 3 else None
    tifffile.imwrite(path, array, photometric="minisblack", planarconfig=planar, metadata=None)
    codes = {"photometric": 262, "format": 339, "compression": 259}
    with tifffile.TiffFile(path, mode="r+") as file:
        for name, value in tags.items():
            file.pages.first.tags[codes[name]].overwrite(value)


@pytest.mark.parametrize(
    ("array", "tags", "name"),
    [
        (np.zeros((20, 20), np.complex64), {}, "complex64 grey"),
        (np.zeros((20, 20), np.uint16), {"photometric": 3}, "uint16 palette"),
        (np.zeros((20, 20), np.float64), {"compression": 5}, "float64 grey, LZW"),
        (np.zeros((20, 20, 7), np.uint16), {}, "uint16 grey, 7 samples"),
        (np.zeros((20, 20), np.float32), {"format": 4}, "format 4 of 32 grey"),
    ],
)
def test_other_types_are_refused_by_name(
    tmp_path: Path, array: np.ndarray, tags: dict[str, int], name: str
) -> None:
    _tagged(tmp_path / "p.tif", array, **tags)
    scan = scan_one(tmp_path / "p.tif", "0")
    assert scan.kind == "unreadable"
    assert scan.problem == (
        f"a TIFF of {name} pixels cannot be read: save it as 8- or 16-bit grey or RGB, uncompressed"
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["f8", "u2"])
def test_orientation_of_deep_pixels(tmp_path: Path, orientation: int, kind: str) -> None:
    array = (_numbers("f8", True) * 60_000).astype(kind)
    tifffile.imwrite(tmp_path / "p.tif", array, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(to_uint8(array)).save(tmp_path / "p.png", exif=exif)
    turned = ImageFile(str(tmp_path / "p.png")).load()
    np.testing.assert_array_equal(ImageFile(str(tmp_path / "p.tif")).load(), turned)


def test_a_colour_map_in_8_bits_is_read_as_one(tmp_path: Path, picture: Picture) -> None:
    levels = picture(1) // 4
    colours = np.random.default_rng(0).integers(1, 256, (3, 256)).astype(np.uint16)
    for factor, name in ((1, "eight.tif"), (257, "sixteen.tif")):
        tifffile.imwrite(tmp_path / name, levels, photometric="palette", colormap=colours * factor)
    eight, sixteen = (ImageFile(str(tmp_path / name)).load() for name in ("eight.tif", "sixteen.tif"))
    np.testing.assert_array_equal(eight, colours.T.astype(np.uint8)[levels])
    np.testing.assert_array_equal(eight, sixteen)


@pytest.mark.parametrize("damage", [10, 60, 200, 2000])
def test_truncated_deep_tiffs_are_unreadable(tmp_path: Path, damage: int) -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, _numbers("f8", False), photometric="minisblack")
    (tmp_path / "p.tif").write_bytes(stream.getvalue()[:-damage])
    assert scan_one(tmp_path / "p.tif", "0").kind == "unreadable"
    with pytest.raises(BadInput, match=r"p\.tif"):
        ImageFile(str(tmp_path / "p.tif")).load()


@pytest.mark.parametrize("packed", [None, "zlib"])
def test_a_size_that_the_file_cannot_hold_is_refused_before_it_is_decoded(
    tmp_path: Path, packed: str | None
) -> None:
    tifffile.imwrite(tmp_path / "p.tif", _numbers("f8", False), photometric="minisblack", compression=packed)
    with tifffile.TiffFile(tmp_path / "p.tif", mode="r+") as file:
        file.pages.first.tags[256].overwrite(9_000)
        file.pages.first.tags[257].overwrite(9_000)
    assert scan_one(tmp_path / "p.tif", "0").problem == "damaged: the file is too short for its pixels"


def test_pages_and_size_of_a_deep_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "p.tif", np.stack([_numbers("f8", False)] * 3), photometric="minisblack")
    assert scan_one(tmp_path / "p.tif", "0").pages == 3
    assert decode(tmp_path / "p.tif").array.shape == (40, 48)
    scan = scan_one(tmp_path / "p.tif", "0", max_pixels=1000)
    assert scan.problem.startswith("more than 0.001 million pixels")


# --------------------------------------------------------------------------- 16-bit colour


def _png_of_16_bits(array: np.ndarray, colour_type: int) -> bytes:
    """A PNG of 16 bits a channel: Pillow writes none."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 16, colour_type, 0, 0, 0)
    packed = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + packed


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("name", ["p.png", "alpha.png", "p.tif", "planes.tif", "alpha.tif", "big.tif"])
def test_16_bit_colour_keeps_all_its_grey_levels(tmp_path: Path, name: str, bits: int) -> None:
    array = _numbers("u2", True) >> (16 - bits)
    opaque = np.full((40, 48, 1), 65535, np.uint16)
    if name.endswith("png"):
        whole = np.concatenate([array, opaque], axis=-1) if name == "alpha.png" else array
        (tmp_path / name).write_bytes(_png_of_16_bits(whole, 6 if name == "alpha.png" else 2))
    else:
        layout = {"planes.tif": "planes apart", "alpha.tif": "alpha"}.get(name, "colour")
        _write(tmp_path / name, array, layout, byteorder=">" if name == "big.tif" else "<")
    np.testing.assert_array_equal(ImageFile(str(tmp_path / name)).load(), to_uint8(array))
    scan = scan_one(tmp_path / name, "0")
    assert scan.pixel_type.startswith("uint16 RGB")
    assert scan.bits_used == bits


def test_16_bit_grey_with_alpha(tmp_path: Path) -> None:
    array = _numbers("u2", False)
    for alpha in (0, 65535):
        whole = np.stack([array, np.full_like(array, alpha)], axis=-1)
        (tmp_path / "p.png").write_bytes(_png_of_16_bits(whole, 4))
        np.testing.assert_array_equal(ImageFile(str(tmp_path / "p.png")).load(), to_uint8(array))
        assert scan_one(tmp_path / "p.png", "0").transparent == (alpha == 0)
        tifffile.imwrite(tmp_path / "p.tif", whole, photometric="minisblack", extrasamples=["unassalpha"])
        np.testing.assert_array_equal(ImageFile(str(tmp_path / "p.tif")).load(), to_uint8(array))


def test_half_transparent_16_bit_colour_is_laid_over_black(tmp_path: Path) -> None:
    array = _numbers("u2", True) // 2 * 2
    whole = np.concatenate([array, np.full((40, 48, 1), 65535, np.uint16)], axis=-1)
    whole[:20, :, 3] = 0
    (tmp_path / "p.png").write_bytes(_png_of_16_bits(whole, 6))
    expected = np.concatenate([np.zeros_like(array[:20]), array[20:]])
    np.testing.assert_array_equal(decode(tmp_path / "p.png").array, expected)


# --------------------------------------------------------------------------- blank pictures


def _blank(kind: str, path: Path) -> None:
    if kind == "NaN":
        tifffile.imwrite(path, np.full((20, 20), np.nan, np.float32))
    elif kind == "one colour":
        Image.new("RGB", (20, 20), (3, 60, 90)).save(path, "PNG")
    elif kind == "16 bit":
        tifffile.imwrite(path, np.full((20, 20), 700, np.uint16))
    elif kind == "transparent and black":
        Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(path, "PNG")
    else:
        black = {TiffImagePlugin.COLORMAP: (0,) * 768}
        Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20) % 200).save(path, "TIFF")
        image = Image.open(path).convert("P")
        image.putpalette(bytes(768))
        image.save(path, "TIFF", tiffinfo=black)


@pytest.mark.parametrize("kind", ["NaN", "one colour", "16 bit", "transparent and black", "black palette"])
def test_a_constant_picture_is_a_warning(gallery: Gallery, kind: str) -> None:
    root = gallery({f"{name}/{k}.png": 10 * i + k for i, name in enumerate("ab") for k in range(3)})
    _blank(kind, root / "a" / "blank.tif")
    problems = lint_images(path=str(root)).problems
    assert ("a/blank.tif", "blank", False) in {(p.where, p.kind, p.fatal) for p in problems}
