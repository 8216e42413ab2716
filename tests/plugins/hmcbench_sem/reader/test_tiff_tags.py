"""Pixel sizes from TIFF tags, as microscopes and ImageJ write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.reader.scan import scan_one
from hmcbench_sem.reader.tiff_tags import pixel_size
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

FEI = "[User]\r\nDate=01/02/2020\r\n[Scan]\r\nPixelWidth=1.35e-008\r\nPixelHeight=1.35e-008\r\n"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({34682: FEI}, 0.0135),
        ({34682: FEI.encode()}, 0.0135),
        ({34682: (FEI,), 282: 300.0}, 0.0135),
        ({34118: "AP_WD\r\nWD = 8.5 mm\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 21.34 nm\r\n"}, 0.02134),
        ({34118: "AP_PIXEL_SIZE\r\nPixel Size = 1.116 \u00b5m\r\n"}, 1.116),
        ({282: 1e6, 296: 3}, 0.01),
        ({282: 25_400.0, 296: 2}, 1.0),
        ({282: 4.0, 296: 1, 270: "ImageJ=1.53\nunit=micron\n"}, 0.25),
        ({282: 4.0, 296: 1, 270: "ImageJ=1.53\nunit=\\u00B5m\n"}, 0.25),
        ({282: 72.0, 296: 2}, None),  # a printer's resolution
        ({282: 300.0}, None),
        ({282: 4.0, 296: 1}, None),  # no unit
        ({282: 0.0, 296: 3}, None),
        ({282: "many", 296: 3}, None),
        ({34682: "[Scan]\nPixelWidth=\n"}, None),
        ({34118: "Pixel Size = 3 parsec"}, None),
        ({}, None),
    ],
)
def test_pixel_size(tags: dict[int, object], expected: float | None) -> None:
    size = pixel_size(tags)
    assert size == pytest.approx(expected, rel=1e-9) if expected is not None else size is None


def test_read_from_a_file(tmp_path: Path) -> None:
    tags = ImageFileDirectory_v2()
    tags.tagtype[34682] = 2  # text
    tags[34682] = FEI
    picture = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
    Image.fromarray(picture).save(tmp_path / "p.tif", tiffinfo=tags)
    scan = scan_one(tmp_path / "p.tif", "0")
    assert scan.pixel_um == pytest.approx(0.0135)
    assert (scan.format, scan.mode, scan.width, scan.height) == ("TIFF", "I;16", 50, 40)
