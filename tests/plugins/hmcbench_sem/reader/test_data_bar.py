"""The data bar: found in several styles, sizes and qualities; never seen where there is none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.reader.data_bar import bar_height
from hmcbench_sem.reader.images import grey
from PIL import Image, ImageDraw, ImageFont

STYLES = {"black": (0, 255), "white": (255, 0), "dark": (30, 230), "grey": (128, 255), "light": (200, 20)}
ROWS = 60


def _texture(seed: int = 0, size: tuple[int, int] = (1024, 768)) -> Image.Image:
    """Rough in all directions, as a fracture is."""
    noise = np.random.default_rng(seed).normal(120, 40, (size[1] // 4, size[0] // 4)).clip(0, 255)
    return Image.fromarray(noise.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def _columns(draw: ImageDraw.ImageDraw, top: int, width: int, ink: int) -> None:
    """Cells with a caption and a value, ruled and framed."""
    font = ImageFont.load_default(20)
    for i, (name, value) in enumerate(
        [("HV", "20.00 kV"), ("mag", "5 000 x"), ("WD", "10.1 mm"), ("det", "ETD")]
    ):
        x = 12 + i * width // 6
        draw.text((x, top + 4), name, fill=ink, font=font)
        draw.text((x, top + 32), value, fill=ink, font=font)
        draw.line((x - 6, top, x - 6, top + ROWS), fill=ink)
    draw.line((width * 0.7, top + 45, width * 0.95, top + 45), fill=ink, width=2)
    draw.rectangle((0, top, width - 1, top + ROWS - 1), outline=ink)


def _line(draw: ImageDraw.ImageDraw, top: int, width: int, ink: int) -> None:
    """One line of text, no frame."""
    text = "SEI   15kV   WD10mm  SS40    x1,000   10 um"
    draw.text((40, top + 12), text, fill=ink, font=ImageFont.load_default(28))


def _scale(draw: ImageDraw.ImageDraw, top: int, width: int, ink: int) -> None:
    """Nothing but a scale bar and its length."""
    draw.text((width * 0.85, top + 12), "50 um", fill=ink, font=ImageFont.load_default(26))
    draw.rectangle((width * 0.6, top + 24, width * 0.82, top + 34), fill=ink)


def _with_bar(layout: Callable[..., None], style: str, seed: int = 0) -> Image.Image:
    picture, (paper, ink) = _texture(seed), STYLES[style]
    whole = Image.new("L", (picture.width, picture.height + ROWS), paper)
    whole.paste(picture)
    layout(ImageDraw.Draw(whole), picture.height, picture.width, ink)
    return whole


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("layout", [_columns, _line, _scale])
def test_found_exactly(layout: Callable[..., None], style: str) -> None:
    assert bar_height(np.asarray(_with_bar(layout, style))) == ROWS


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("layout", [_columns, _line, _scale])
def test_found_after_reduction_and_jpeg(layout: Callable[..., None], style: str) -> None:
    image = _with_bar(layout, style, seed=1)
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    assert ROWS - 1 <= bar_height(np.asarray(_jpeg(image, 75))) <= ROWS + 2
    assert ROWS // 2 - 1 <= bar_height(np.asarray(_jpeg(small, 85))) <= ROWS // 2 + 2


@pytest.mark.parametrize("style", ["black", "white", "dark", "light"])
def test_found_below_an_even_picture(style: str) -> None:
    """A polished surface has as few details as a bar; only its grey level is another."""
    whole = np.asarray(_with_bar(_line, style)).copy()
    whole[:-ROWS] = 120 + (whole[:-ROWS].astype(int) - 120) // 8
    assert bar_height(whole) == ROWS


def test_nothing_where_there_is_none() -> None:
    plain = np.asarray(_texture())
    assert bar_height(plain) == 0
    for level in (0, 128, 255):
        margin = plain.copy()
        margin[-80:] = level  # a margin without text is no data bar
        assert bar_height(margin) == 0
    assert bar_height(np.zeros((480, 640), np.uint8)) == 0
    half = plain.copy()
    half[400:] = 0  # dark half: the specimen's edge, or a montage
    assert bar_height(half) == 0
    inset = _texture()
    draw = ImageDraw.Draw(inset)
    draw.rectangle((820, 720, 1010, 760), fill=0)
    draw.text((830, 725), "10 um", fill=255, font=ImageFont.load_default(24))
    assert bar_height(np.asarray(inset)) == 0  # not across the whole width


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (30, 30), (200, 20), (64, 64)])
def test_small_pictures_have_none(shape: tuple[int, int]) -> None:
    assert bar_height(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)) == 0


@pytest.mark.parametrize("name", ["xsdd", "neu_det", "fracture_sem_ti64", "fracture_sem_tiny"])
def test_no_false_alarm_on_real_pictures(shared: Callable[[str], Path], name: str) -> None:
    files = [
        p
        for p in sorted(shared(name).rglob("*.*"))
        if p.suffix in (".png", ".jpg") and p.parent.name != "masks"
    ]
    assert files
    hits = []
    for path in files[:: max(1, len(files) // 400)]:
        with Image.open(path) as image:
            if bar_height(grey(np.asarray(image))):
                hits.append(path.name)
    assert hits == []
