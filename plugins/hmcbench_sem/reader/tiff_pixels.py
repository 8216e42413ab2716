"""Tells from a TIFF's tags what its pixels are, and reads those that Pillow reads wrongly or not at all.

Pillow scrambles 16-bit colour whose planes lie apart, swaps no bytes of compressed
big-endian pixels of 16 and 32 bits, wraps int8 and uint32 around, and leaves white-is-zero
as it is from 16 bits on (seen with Pillow 13.0). So the tags decide who decodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 258, 259, 262, 277
_PLANAR, _COLOUR_MAP, _EXTRA, _FORMAT = 284, 320, 338, 339
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_KINDS = {1: "uint", 2: "int", 3: "float", 5: "complex-int", 6: "complex"}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_PHOTOMETRICS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "CIE Lab"}
_COMPRESSIONS = {1: "", 5: "LZW", 7: "JPEG", 8: "deflate", 32773: "PackBits", 32946: "deflate"}
_COMPRESSIONS |= {34887: "LERC", 34925: "LZMA", 50000: "zstd", 50001: "WebP", 34712: "JPEG 2000"}
_DENSEST = 1100  # deflate packs at most about so many bytes into one
_GREY_BY_PILLOW = {("uint", 12), ("uint", 16), ("int", 16), ("int", 32), ("float", 32)}


class PixelTypeError(ValueError):
    """A TIFF whose pixels cannot be read; the text names their type."""


@dataclass(frozen=True, slots=True)
class PixelType:
    """What the tags of a TIFF say of its pixels.

    Attributes:
        kind: ``uint``, ``int``, ``float``, or another name.
        bits: of one sample; 0 where the samples differ.
        samples: numbers per pixel.
        photometric, planar, compression: as in the tags.
        extra: what the samples beyond grey or RGB are; 1 and 2 are alpha.
        big_endian: byte order of the file.
    """

    kind: str
    bits: int
    samples: int = 1
    photometric: int = _BLACK_IS_ZERO
    planar: int = 1
    compression: int = 1
    extra: tuple[int, ...] = ()
    big_endian: bool = False

    @property
    def name(self) -> str:
        """``uint16 RGB, planes apart, LZW``."""
        colour = _PHOTOMETRICS.get(self.photometric, f"photometric {self.photometric}")
        plain = 3 if colour in ("RGB", "YCbCr", "CIE Lab") else 4 if colour == "CMYK" else 1
        parts = [f"{self.kind}{self.bits or ' (mixed bits)'} {colour}"]
        if self.samples != plain:
            parts.append(f"{self.samples} samples")
        if self.white_is_zero:
            parts.append("white is zero")
        if self.planar == 2 and self.samples > 1:
            parts.append("planes apart")
        packed = _COMPRESSIONS.get(self.compression, f"compression {self.compression}")
        return ", ".join(parts + [packed] * bool(packed))

    def pixels_in(self, size: int) -> int:
        """How many pixels a file of so many bytes can hold."""
        most = size * 8 * (1 if self.compression == 1 else _DENSEST)
        return most // max(1, self.bits * self.samples)

    @property
    def deep(self) -> bool:
        """Whether the pixels are more than unsigned 8-bit numbers."""
        return self.kind != "uint" or self.bits > 8 or self.bits == 0

    @property
    def read_by_pillow(self) -> bool:
        """Whether Pillow, if it opens the file, decodes it rightly."""
        if not self.deep:
            return True
        if (self.kind, self.bits) == ("uint", 16) and self.photometric == _RGB:
            return self.planar == 1
        unswapped = self.big_endian and self.compression != 1 and (self.kind, self.bits) != ("uint", 16)
        return self.samples == 1 and (self.kind, self.bits) in _GREY_BY_PILLOW and not unswapped

    @property
    def white_is_zero(self) -> bool:
        """Whether the smallest value is white."""
        return self.photometric == _WHITE_IS_ZERO


def read_tags(stream: IO[bytes]) -> Mapping[int, Any] | None:
    """The tags of the first page, None where the file is no TIFF; the stream is rewound.

    Raises:
        Exception: whatever Pillow raises for damaged tags.
    """
    stream.seek(0)
    header = stream.read(8)
    if header[:4] not in _MAGIC:
        stream.seek(0)
        return None
    if b"+" in header[:4]:
        header += stream.read(8)  # BigTIFF
    tags = ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    tags.load(stream)
    stream.seek(0)
    return tags


def pixel_type(tags: Mapping[int, Any]) -> PixelType:
    """What the tags of a page say of its pixels."""
    bits = set(_numbers(tags, _BITS, 1))
    kinds = set(_numbers(tags, _FORMAT, 1))
    kind = _KINDS.get(min(kinds), f"format {min(kinds)} of ") if len(kinds) == 1 else "mixed "
    return PixelType(
        kind=kind,
        bits=bits.pop() if len(bits) == 1 else 0,
        samples=_numbers(tags, _SAMPLES, 1)[0],
        photometric=_numbers(tags, _PHOTOMETRIC, _BLACK_IS_ZERO)[0],
        planar=_numbers(tags, _PLANAR, 1)[0],
        compression=_numbers(tags, _COMPRESSION, 1)[0],
        extra=_numbers(tags, _EXTRA) if _EXTRA in tags else (),
        big_endian=getattr(tags, "prefix", b"II") == b"MM",
    )


def eight_bit_colours(tags: Mapping[int, Any]) -> bytes | None:
    """A colour map written in 8 instead of 16 bits, as red, green, blue, red ...; None for any other.

    Decoders that follow the standard see such a picture black; libtiff guesses as is done here.
    """
    colours = _numbers(tags, _COLOUR_MAP) if _COLOUR_MAP in tags else ()
    if pixel_type(tags).photometric != _PALETTE or not colours or not 0 < max(colours) < 256:
        return None
    return np.array(colours, np.uint8).reshape(3, -1).T.tobytes()


def invert(array: np.ndarray) -> np.ndarray:
    """White-is-zero to black-is-zero."""
    if array.dtype.kind == "u":
        return np.iinfo(array.dtype).max - array
    return ~array if array.dtype.kind == "i" else -array


def read_page(stream: IO[bytes], kind: PixelType) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Decode the first page without Pillow.

    Returns:
        (H, W) or (H, W, 3) of the file's own type, black is zero; alpha (H, W) or None; and the
        number of pages.

    Raises:
        PixelTypeError: it cannot be decoded, or is neither grey nor colour.
    """
    _refuse_other_kinds(kind)
    import tifffile

    stream.seek(0)
    try:
        with tifffile.TiffFile(stream) as file:
            array, pages = np.asarray(file.pages.first.asarray()), len(file.pages)
    except Exception as error:  # whatever a decoder raises
        missing = isinstance(error, KeyError) or "imagecodecs" in str(error)
        raise _unreadable(kind) if missing else PixelTypeError(f"damaged: {error}") from None
    if kind.planar == 2 and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if kind.white_is_zero:
        array = invert(array)
    if array.ndim == 2:
        return array, None, pages
    if array.ndim != 3 or array.shape[2] != kind.samples:
        raise _unreadable(kind)
    count = 3 if kind.samples > 2 else 1
    colour = array[..., :3] if count == 3 else array[..., 0]
    alpha = array[..., count] if kind.extra[:1] == (2,) else None  # 1: the colours already lie over black
    return colour, alpha, pages


def _refuse_other_kinds(kind: PixelType) -> None:
    grey = kind.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
    if kind.kind not in ("uint", "int", "float") or not kind.bits or not grey or kind.samples > 4:
        raise _unreadable(kind)


def _unreadable(kind: PixelType) -> PixelTypeError:
    return PixelTypeError(
        f"a TIFF of {kind.name} pixels cannot be read: save it as 8- or 16-bit grey or RGB, uncompressed"
    )


def _numbers(tags: Mapping[int, Any], tag: int, default: int = 0) -> tuple[int, ...]:
    value = tags.get(tag, default)
    numbers = tuple(int(v) for v in (value if isinstance(value, tuple) else (value,)))
    return numbers or (default,)
