"""Decodes one picture: PNG, JPEG, TIFF or BMP to uint8, whatever its extension claims.

What comes out is upright (EXIF orientation applied), grey (H, W) or colour (H, W, 3). Transparent
pixels show black. Anything deeper than 8 bits is stretched from its own darkest to its own
brightest pixel, after the data bar has been cut. Of several pages or frames the first is read.
"""

from __future__ import annotations

import ctypes
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError, _imaging

from hmcbench.errors import BadInput

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")  # no other decoder is ever tried on a file
EXTENSIONS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
}
KNOWN_EXTENSIONS = frozenset(ending for endings in EXTENSIONS.values() for ending in endings)
MAX_PIXELS = PillowImage.MAX_IMAGE_PIXELS or 89_478_485
_ORIENTATION = 0x0112
_DEEP_MODES = ("I", "F")  # and all that begin with "I;"

# What Pillow warns of is either found by the scan, or (odd metadata) does not touch the pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


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
    """

    path: str
    crop: int = 0

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Pixels (H, W) or (H, W, 3) uint8; JPEG may come reduced, to no less than ``min_side``.

        Raises:
            BadInput: the file cannot be read (it was readable when the data set was scanned).
        """
        try:
            with open_image(self.path) as image:
                return to_uint8(pixels(image, self.crop, min_side))
        except Exception as error:  # decoders raise whatever comes to hand
            raise BadInput(f"{self.path}: {reason(error)}", hint="has the file changed?") from None


@contextmanager
def open_image(path: str | Path) -> Iterator[PillowImage.Image]:
    """Open without decoding; refuses more than ``MAX_PIXELS`` pixels.

    Raises:
        UnidentifiedImageError, DecompressionBombError, OSError and what else Pillow raises.
    """
    # Given a path, Pillow 13.0 maps plain TIFFs into memory and scrambles those that lie on their side.
    with Path(path).open("rb") as stream, PillowImage.open(stream, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise PillowImage.DecompressionBombError(f"{image.width} x {image.height} pixels")
        yield image


def pixels(image: PillowImage.Image, crop: int = 0, min_side: int | None = None) -> np.ndarray:
    """Decode: upright, ``crop`` rows cut off; uint8, or the deeper type of the file.

    Args:
        image: freshly opened.
        crop: rows of the full-size picture.
        min_side: JPEG only: the shorter side may shrink to this, by 2, 4 or 8.
    """
    cut = crop
    if min_side and image.format in ("JPEG", "MPO"):
        full = _upright_height(image)
        scale = _reduction(min(full - crop, image.width + image.height - full), min_side)
        if scale > 1:
            image.draft(None, (image.width // scale, image.height // scale))
            cut = -(-crop * _upright_height(image) // full)  # rounded up
    image.load()
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    array = _array(image)
    return array[: len(array) - cut]


def to_uint8(array: np.ndarray) -> np.ndarray:
    """uint8 as it is; anything deeper stretched from its own minimum to its own maximum."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    values = np.asarray(array, dtype=np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, values[finite].min() if finite.any() else 0)
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return ((values - low) * (255 / (high - low)) + 0.5).astype(np.uint8)


def grey(array: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 to (H, W), Rec. 601; three equal channels give exactly that channel."""
    if array.ndim == 2:
        return array
    return np.asarray(PillowImage.fromarray(array).convert("L"))


def reason(error: Exception) -> str:
    """What a decoder's exception means, in a few words."""
    if isinstance(error, (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning)):
        return f"more than {MAX_PIXELS // 10**6} million pixels: too large, or a decompression bomb"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image that can be read ({', '.join(FORMATS)})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())[:120]
    return f"damaged: {text}" if text else f"damaged ({type(error).__name__})"


def _array(image: PillowImage.Image) -> np.ndarray:
    """A decoded picture as (H, W), of any depth, or (H, W, 3) uint8."""
    mode = image.mode
    if mode in _DEEP_MODES or mode.startswith("I;"):
        return np.asarray(image)
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        black = PillowImage.new("RGBA", whole.size, (0, 0, 0, 255))
        flat = PillowImage.alpha_composite(black, whole).convert("RGB")
        return np.asarray(flat.convert("L") if mode in ("L", "LA", "La", "1") else flat)
    if mode not in ("L", "RGB"):
        image = image.convert("L" if mode == "1" else "RGB")
    return np.asarray(image)


def _orientation(image: PillowImage.Image) -> int:
    try:
        found: Any = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata do not make the pixels unreadable
        return 1
    return found if found in range(1, 9) else 1


def _upright_height(image: PillowImage.Image) -> int:
    return image.width if _orientation(image) >= 5 else image.height


def _reduction(side: int, min_side: int) -> int:
    return next(scale for scale in (8, 4, 2, 1) if scale == 1 or side // scale >= min_side)
