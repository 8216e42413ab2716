"""Decodes one picture: PNG, JPEG, TIFF or BMP to uint8, whatever its extension claims.

What comes out is upright (EXIF orientation applied), grey (H, W) or colour (H, W, 3). Transparent
pixels show black, except where all are transparent: then alpha is ignored. Anything deeper than 8 bits
is stretched from its own darkest to its own brightest pixel, after the data bar has been cut. Of several
pages or frames the first is read.
"""

from __future__ import annotations

import ctypes
import logging
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError, _imaging

from hmcbench.errors import BadInput
from hmcbench_sem.reader import tiff_pixels
from hmcbench_sem.reader.deep_colour import read_deep_colour
from hmcbench_sem.reader.orientation import checked, load_upright, turn, upright_height
from hmcbench_sem.reader.stretch import to_uint8
from hmcbench_sem.reader.tiff_pixels import PixelType, PixelTypeError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")  # no other decoder is ever tried on a file
EXTENSIONS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
}
KNOWN_EXTENSIONS = frozenset(ending for endings in EXTENSIONS.values() for ending in endings)
MAX_PIXELS = 89_478_485  # Pillow's own limit
_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274

# What Pillow warns of is either found by the scan, or (odd metadata) does not touch the pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")
for _name in ("PIL", "tifffile"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


def _hush_libtiff() -> None:
    """Keep libtiff from printing to standard error: what it says there, Pillow raises as well."""
    with suppress(AttributeError, OSError):  # a Pillow whose libtiff cannot be reached goes on printing
        library = ctypes.CDLL(_imaging.__file__)  # finds the symbols of what it is linked with
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


_hush_libtiff()


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One picture on disk; decoded when asked, never kept.

    Attributes:
        path: the file.
        crop: rows to cut off at the bottom of the upright picture in full size.
        max_pixels: a picture of more is refused.
    """

    path: str
    crop: int = 0
    max_pixels: int = MAX_PIXELS

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Pixels (H, W) or (H, W, 3) uint8; JPEG may come reduced, to no less than ``min_side``.

        Raises:
            BadInput: the file cannot be read (it was readable when the dataset was scanned).
        """
        try:
            return to_uint8(decode(self.path, self.crop, min_side, self.max_pixels).array)
        except Exception as error:  # decoders raise whatever comes to hand
            raise BadInput(f"{self.path}: {reason(error)}", hint="has the file changed?") from None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded file.

    Attributes:
        array: (H, W) or (H, W, 3), upright and cut; uint8, or the deeper type of the file.
        format, mode: as decoded (``JPEG``, ``I;16``).
        pages: pages or frames in the file.
        pixel_type: name of pixels deeper than 8 bits (``uint16 RGB``), else empty.
        transparent: every pixel is fully transparent, so alpha was ignored.
        tags: of a TIFF, number -> value.
    """

    array: np.ndarray
    format: str
    mode: str
    pages: int = 1
    pixel_type: str = ""
    transparent: bool = False
    tags: Mapping[int, Any] = field(default_factory=dict)


class TooLarge(ValueError):
    """A picture of more pixels than are allowed."""

    def __init__(self, max_pixels: int) -> None:
        limit = f"{max_pixels / 1e6:.4g} million pixels"
        super().__init__(f"more than {limit}: a decompression bomb, or --max-pixels N allows it")


def decode(
    path: str | Path, crop: int = 0, min_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """Decode a file.

    Args:
        path: of any name; the content decides what it is.
        crop: rows of the full-size upright picture to cut off at the bottom.
        min_side: JPEG only: the shorter side may shrink to this, by 2, 4 or 8.
        max_pixels: a picture of more is refused before it is decoded.

    Raises:
        TooLarge, PixelTypeError, UnidentifiedImageError, OSError and what else Pillow raises.
    """
    if max_pixels > (PillowImage.MAX_IMAGE_PIXELS or max_pixels):
        PillowImage.MAX_IMAGE_PIXELS = max_pixels  # Pillow takes its limit from nowhere else
    # Given a path, Pillow 13.0 maps plain TIFFs into memory and scrambles those that lie on their side.
    with Path(path).open("rb") as stream:
        tags = tiff_pixels.read_tags(stream)
        kind = None if tags is None else tiff_pixels.pixel_type(tags)
        try:
            if kind is None or kind.read_by_pillow:
                return _by_pillow(stream, tags or {}, kind, (crop, min_side, max_pixels))
        except PillowImage.DecompressionBombError:
            raise TooLarge(max_pixels) from None
        except UnidentifiedImageError:
            if kind is None:
                raise
        assert tags is not None and kind is not None
        return _by_tifffile(stream, tags, kind, crop, max_pixels)


def _by_pillow(
    stream: IO[bytes], tags: Mapping[int, Any], kind: PixelType | None, how: tuple[int, int | None, int]
) -> Decoded:
    crop, min_side, max_pixels = how
    with PillowImage.open(stream, formats=FORMATS) as image:
        _check_size(image.width, image.height, max_pixels)
        form, mode = image.format or "", image.mode
        pages = getattr(image, "n_frames", 1) if form in ("TIFF", "PNG") else 1
        deep = read_deep_colour(stream, image)
        if deep is not None:
            array, transparent = _flat(*deep)
        else:
            crop = _reduce(image, crop, min_side)
            array, transparent = _pixels(load_upright(image), kind, tiff_pixels.eight_bit_colours(tags))
    name = "" if array.dtype == np.uint8 else f"{array.dtype.name} {'grey' if array.ndim == 2 else 'RGB'}"
    if kind is not None and kind.deep:
        name = kind.name
    return Decoded(array[: len(array) - crop], form, mode, pages, name, transparent, tags)


def _by_tifffile(
    stream: IO[bytes], tags: Mapping[int, Any], kind: PixelType, crop: int, max_pixels: int
) -> Decoded:
    """A TIFF that Pillow does not read, or reads wrongly."""
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise UnidentifiedImageError
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    _check_size(width, height, max_pixels)
    if width * height > kind.pixels_in(Path(stream.name).stat().st_size):
        raise PixelTypeError("damaged: the file is too short for its pixels")
    colour, alpha, pages = tiff_pixels.read_page(stream, kind)
    array, transparent = _flat(colour, alpha)
    array = turn(array, checked(tags.get(_ORIENTATION, 1)))
    name = kind.name if kind.deep else ""
    return Decoded(
        array[: len(array) - crop], "TIFF", f"{kind.kind}{kind.bits}", pages, name, transparent, tags
    )


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooLarge(max_pixels)


def _reduce(image: PillowImage.Image, crop: int, min_side: int | None) -> int:
    """Have a JPEG decoded smaller, if ``min_side`` allows it; the rows to cut off then."""
    if not min_side or image.format not in ("JPEG", "MPO"):
        return crop
    full = upright_height(image)
    scale = _reduction(min(full - crop, image.width + image.height - full), min_side)
    if scale == 1:
        return crop
    image.draft(None, (image.width // scale, image.height // scale))
    return -(-crop * upright_height(image) // full)  # rounded up


def _pixels(
    image: PillowImage.Image, kind: PixelType | None, colours: bytes | None
) -> tuple[np.ndarray, bool]:
    """A loaded picture as (H, W), of any depth, or (H, W, 3) uint8; and whether alpha is zero everywhere."""
    mode = image.mode
    if mode in ("I", "F") or mode.startswith("I;"):
        array = np.asarray(image)
        return (tiff_pixels.invert(array) if kind is not None and kind.white_is_zero else array), False
    if colours is not None and mode == "P":
        image.putpalette(colours)
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        transparent = whole.getchannel("A").getextrema() == (0, 0)
        if not transparent:
            black = PillowImage.new("RGBA", whole.size, (0, 0, 0, 255))
            whole = PillowImage.alpha_composite(black, whole)
        flat = whole.convert("RGB")
        return np.asarray(flat.convert("L") if mode in ("L", "LA", "La", "1") else flat), transparent
    if mode not in ("L", "RGB"):
        image = image.convert("L" if mode == "1" else "RGB")
    return np.asarray(image), False


def _flat(colour: np.ndarray, alpha: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """Lay it over black; and whether alpha is zero everywhere (then it is ignored)."""
    if alpha is None:
        return colour, False
    if not alpha.any():
        return colour, True
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1.0
    share = alpha / full
    if (share == 1).all():
        return colour, False
    flat = colour * (share if colour.ndim == 2 else share[..., None])
    return (np.rint(flat) if colour.dtype.kind in "ui" else flat).astype(colour.dtype), False


def grey(array: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 to (H, W), Rec. 601; three equal channels give exactly that channel."""
    if array.ndim == 2:
        return array
    return np.asarray(PillowImage.fromarray(array).convert("L"))


def reason(error: Exception) -> str:
    """What a decoder's exception means, in a few words."""
    if isinstance(error, (TooLarge, PixelTypeError)):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return f"not an image that can be read ({', '.join(FORMATS)})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())[:120]
    return f"damaged: {text}" if text else f"damaged ({type(error).__name__})"


def _reduction(side: int, min_side: int) -> int:
    return next(scale for scale in (8, 4, 2, 1) if scale == 1 or side // scale >= min_side)
