"""Decoding: every format, depth and oddity that the documentation promises."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.reader.images import MAX_PIXELS, ImageFile, decode, grey
from PIL import Image

from hmcbench.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
Picture = Callable[..., np.ndarray]


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "tiff"])
def test_grey_and_colour_come_back_exactly(tmp_path: Path, picture: Picture, ending: str) -> None:
    plain = picture(1)
    colour = np.stack([picture(k) for k in range(3)], axis=-1)
    for array in (plain, colour):
        Image.fromarray(array).save(tmp_path / f"p.{ending}")
        loaded = ImageFile(str(tmp_path / f"p.{ending}")).load()
        assert loaded.dtype == np.uint8
        np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiff(tmp_path: Path, picture: Picture, compression: str) -> None:
    Image.fromarray(picture(1)).save(tmp_path / "p.tif", compression=compression)
    assert abs(ImageFile(str(tmp_path / "p.tif")).load().astype(int) - picture(1)).max() < 12


@pytest.mark.parametrize("name", ["p.png", "p.tif"])
def test_16_bit_is_stretched_to_its_own_range(tmp_path: Path, picture: Picture, name: str) -> None:
    deep = picture(1).astype(np.uint16) * 20 + 1000
    Image.fromarray(deep).save(tmp_path / name)
    loaded = ImageFile(str(tmp_path / name)).load()
    expected = (deep - deep.min()) / (int(deep.max()) - int(deep.min())) * 255
    assert (loaded.min(), loaded.max()) == (0, 255)
    assert abs(loaded - expected).max() <= 0.51


def test_deep_picture_is_stretched_after_the_bar_is_cut(tmp_path: Path) -> None:
    deep = np.full((40, 50), 2000, np.uint16)
    deep[:10] = 1000
    deep[30:] = 65535
    Image.fromarray(deep).save(tmp_path / "p.tif")
    loaded = ImageFile(str(tmp_path / "p.tif"), crop=10).load()
    assert loaded.shape == (30, 50)
    assert set(np.unique(loaded)) == {0, 255}


def test_transparent_pixels_show_black(tmp_path: Path) -> None:
    for mode, value, expected in (
        ("RGBA", (200, 100, 40, 255), (200, 100, 40)),
        ("RGBA", (200, 100, 40, 0), (0, 0, 0)),
        ("LA", (200, 0), 0),
        ("LA", (200, 255), 200),
    ):
        image = Image.new(mode, (4, 3), value)
        image.putpixel((3, 2), (*value[:-1], 255))  # where all is transparent, alpha is ignored
        image.save(tmp_path / "p.png")
        loaded = ImageFile(str(tmp_path / "p.png")).load()
        assert loaded.shape == ((3, 4, 3) if mode == "RGBA" else (3, 4))
        assert np.array_equal(loaded[0, 0], expected)


@pytest.mark.parametrize("name", ["p.png", "p.tif"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_that_is_zero_everywhere_is_no_transparency(
    tmp_path: Path, picture: Picture, name: str, mode: str
) -> None:
    plain = Image.fromarray(picture(1)).convert(mode)
    plain.putalpha(0)
    plain.save(tmp_path / name)
    decoded = decode(tmp_path / name)
    assert decoded.transparent
    np.testing.assert_array_equal(grey(decoded.array), picture(1))


def test_palette_bilevel_and_cmyk(tmp_path: Path, picture: Picture) -> None:
    plain = Image.fromarray(picture(1))
    plain.convert("RGB").quantize(64).save(tmp_path / "p.png")
    plain.convert("1").save(tmp_path / "one.png")
    plain.convert("CMYK").save(tmp_path / "c.jpg")
    assert ImageFile(str(tmp_path / "p.png")).load().shape == (32, 40, 3)
    assert set(np.unique(ImageFile(str(tmp_path / "one.png")).load())) == {0, 255}
    assert ImageFile(str(tmp_path / "c.jpg")).load().shape == (32, 40, 3)


def test_palette_with_a_transparent_entry(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30, 250, 250, 250])
    image.putpixel((0, 0), 2)
    image.save(tmp_path / "p.png", transparency=2)
    loaded = ImageFile(str(tmp_path / "p.png")).load()
    assert loaded[0, 0].tolist() == [0, 0, 0]
    assert loaded[1, 1].tolist() == [10, 20, 30]


def test_a_png_that_is_really_a_jpeg(tmp_path: Path, picture: Picture) -> None:
    Image.fromarray(picture(1)).save(tmp_path / "p.png", format="JPEG", quality=95)
    assert abs(ImageFile(str(tmp_path / "p.png")).load().astype(int) - picture(1)).max() < 12


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.tif"])
def test_exif_orientation_is_applied(tmp_path: Path, picture: Picture, name: str) -> None:
    upright = picture(1, 32, 48)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    Image.fromarray(np.rot90(upright)).save(tmp_path / name, exif=exif)
    loaded = ImageFile(str(tmp_path / name)).load()
    assert loaded.shape == upright.shape
    assert abs(loaded.astype(int) - upright).max() < 12
    cut = ImageFile(str(tmp_path / name), crop=8).load()
    np.testing.assert_array_equal(cut, loaded[:-8])


def test_first_page_of_several(tmp_path: Path, picture: Picture) -> None:
    first, second = (Image.fromarray(picture(k)) for k in (1, 2))
    first.save(tmp_path / "p.tif", save_all=True, append_images=[second])
    np.testing.assert_array_equal(ImageFile(str(tmp_path / "p.tif")).load(), picture(1))


def test_jpeg_is_reduced_but_never_below_the_shorter_side(tmp_path: Path, picture: Picture) -> None:
    Image.fromarray(picture(1, 480, 640)).save(tmp_path / "p.jpg", quality=95)
    file = ImageFile(str(tmp_path / "p.jpg"))
    whole = file.load()
    for side, height in ((60, 60), (61, 120), (240, 240), (241, 480), (1000, 480)):
        assert file.load(min_side=side).shape == (height, height * 4 // 3)
    small = np.asarray(Image.fromarray(whole).resize((160, 120), Image.Resampling.BOX))
    assert abs(file.load(min_side=120).astype(int) - small).mean() < 2


def test_reduced_jpeg_is_cut_in_proportion(tmp_path: Path, picture: Picture) -> None:
    array = picture(1, 480, 640).copy()
    array[440:] = 255
    Image.fromarray(array).save(tmp_path / "p.jpg", quality=95)
    small = ImageFile(str(tmp_path / "p.jpg"), crop=44).load(min_side=50)
    assert small.shape == (54, 80)  # 436 / 8, rounded down
    assert small.max() < 245


def test_three_equal_channels_give_exactly_that_channel(picture: Picture) -> None:
    plain = picture(3)
    np.testing.assert_array_equal(grey(np.stack([plain] * 3, axis=-1)), plain)


def _bomb(side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [int(MAX_PIXELS**0.5) + 1, 60_000])
def test_decompression_bomb_is_refused_before_decoding(tmp_path: Path, side: int) -> None:
    (tmp_path / "p.png").write_bytes(_bomb(side))
    with pytest.raises(BadInput, match="million pixels"):
        ImageFile(str(tmp_path / "p.png")).load()


def test_a_larger_limit_may_be_named(tmp_path: Path, picture: Picture) -> None:
    Image.fromarray(picture(1)).save(tmp_path / "p.png")  # 1,280 pixels
    assert ImageFile(str(tmp_path / "p.png"), max_pixels=1280).load().shape == (32, 40)
    with pytest.raises(BadInput, match="--max-pixels N allows it"):
        ImageFile(str(tmp_path / "p.png"), max_pixels=1279).load()


def test_a_stitched_image_is_read_beyond_the_limit_of_pillow(
    tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)  # Pillow refuses twice that
    Image.fromarray(picture(1)).save(tmp_path / "p.png")
    assert decode(tmp_path / "p.png", max_pixels=1280).array.shape == (32, 40)
    assert Image.MAX_IMAGE_PIXELS == 1280


def test_a_file_that_changed_is_one_clear_error(tmp_path: Path, picture: Picture) -> None:
    stream = io.BytesIO()
    Image.fromarray(picture(1)).save(stream, "PNG")
    (tmp_path / "p.png").write_bytes(stream.getvalue()[:-60])
    with pytest.raises(BadInput, match=r"p\.png: damaged"):
        ImageFile(str(tmp_path / "p.png")).load()
    with pytest.raises(BadInput, match="No such file"):
        ImageFile(str(tmp_path / "gone.png")).load()


def test_other_formats_are_never_tried(tmp_path: Path, picture: Picture) -> None:
    Image.fromarray(picture(1)).save(tmp_path / "p.png", format="GIF")
    with pytest.raises(OSError, match="cannot identify"):
        decode(tmp_path / "p.png")
