"""Label maps on the page: what is shown, where it may be shown, and what a reader sees."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.leaderboard.build import build
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.report.figures.label_maps import SHEET
from hmcbench.report.figures.thumbnails import (
    MOST_IMAGES,
    THUMBNAILS,
    chosen_rows,
    thumbnail_name,
    write_thumbnails,
)
from hmcbench.report.page import page_of
from hmcbench.report.page.details import cell_details
from hmcbench.report.page.overlays import overlays
from hmcbench.testing.label_maps import tiny_maps
from hmcbench.verify.pages import check_page

from .conftest import SCRIPT, of_pixels

STRIPED = {(0, 0, 0, 255), (213, 94, 0, 255)}


def pixels_of(source: str) -> np.ndarray:
    """RGBA (H, W, 4) of a ``data:`` URL."""
    content = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def colours_in(pixels: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(part) for part in colour) for colour in pixels.reshape(-1, 4)}


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


def test_a_mistake_is_striped_and_counted(tmp_path: Path) -> None:
    shown = overlays(of_pixels(), tmp_path)
    assert len(shown) == 3 and all(image["image"] == "" for image in shown)
    for image in shown:
        first, second = image["levels"]
        labelled = 48 * 64 - 10
        assert first["share"] == second["share"] == pytest.approx(100 / labelled, abs=1e-4)
        assert [name for name, _ in first["legend"]] == ["a", "b"]
        assert [name for name, _ in second["legend"]] == ["x", "y"]
        striped = pixels_of(second["wrong"])
        assert colours_in(striped[10:20, :10]) == STRIPED
        assert not striped[20:, :, 3].any() and not striped[:, 10:, 3].any()
        truth = pixels_of(second["truth"])
        assert tuple(truth[0, 0, :3]) == (0, 0, 0)  # not labelled
        x = dict(second["legend"])["x"]
        assert "#" + truth[30, 0, :3].tobytes().hex() == x
        assert tuple(pixels_of(second["predicted"])[15, 5, :3]) == (255, 255, 255)  # b ends above level 2


def test_several_classes_in_a_pixel(tmp_path: Path) -> None:
    predictions = of_pixels(1, paths="multiple")
    first = overlays(predictions, tmp_path)[0]["levels"][0]
    assert [name for name, _ in first["legend"]] == ["a", "b"]
    both = pixels_of(first["truth"])[predictions.truth.load(0) == 3]
    single = {f"{colour}ff" for _, colour in first["legend"]}
    mixed = {"#" + bytes(colour).hex() for colour in colours_in(both)}
    assert len(mixed) == 1 and not mixed & single


@pytest.mark.parametrize("size", [(700, 500), (257, 900), (256, 256)])
def test_no_picture_is_larger_than_256_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    predictions = of_pixels(1, size)
    pictures = tiny_maps(1, size).views["image"]
    (path,) = write_thumbnails(predictions.ids, lambda row: pictures[row].load(), tmp_path)
    assert path == tmp_path / THUMBNAILS / thumbnail_name(predictions.ids[0])
    (image,) = overlays(predictions, tmp_path)
    level = image["levels"][0]
    shapes = {pixels_of(source).shape for source in (image["image"], level["truth"], level["wrong"])}
    assert len(shapes) == 1 and max(shapes.pop()) <= 256


def test_the_choice_of_images_does_not_depend_on_their_order() -> None:
    ids = [str(i) for i in range(50)]
    chosen = [ids[i] for i in chosen_rows(ids)]
    assert len(chosen) == MOST_IMAGES and chosen != ids[:MOST_IMAGES]
    assert [ids[::-1][i] for i in chosen_rows(ids[::-1], 5)] == chosen[:5]


def test_they_are_shown_where_pictures_may_be(pixel_record: Callable[..., Record]) -> None:
    own, made_up = pixel_record(), pixel_record("b", dataset={"synthetic": True, "fingerprint": "f" * 64})
    assert "sources" not in data_of(page_of(build([own])))
    for page in (page_of(build([own]), pictures=True), page_of(build([made_up]))):
        (cell,) = data_of(page)["cells"]
        assert len(cell["overlays"]) == 3
        assert SCRIPT not in page.split('id="data"')[0]


def test_the_sheet_of_label_maps_is_not_shown_a_second_time(
    pixel_record: Callable[..., Record], tmp_path: Path
) -> None:
    record = pixel_record()
    for name in (SHEET, "mine"):
        Image.new("L", (2, 2)).save(tmp_path / f"{name}.png")
    shown = cell_details(record, tmp_path, images=1)
    assert shown["overlays"] and [picture["name"] for picture in shown["pictures"]] == ["mine"]
    without = cell_details(record, tmp_path, images=0)
    assert [picture["name"] for picture in without["pictures"]] == [SHEET, "mine"]


def test_withheld_truth_shows_nothing(
    fabricate: Callable[..., Record], pixel_record: Callable[..., Record]
) -> None:
    predictions = of_pixels()
    record = pixel_record()
    Predictions(
        predictions.ids, predictions.side, predictions.scores, predictions.task, maps=predictions.maps
    ).save(record.path / "predictions.npz")
    data = data_of(page_of(build([record]), pictures=True))
    assert "sources" not in data and "overlays" not in data["cells"][0]
    assert "may not be redistributed" in data["cells"][0]["notes"][0]


def test_a_board_shows_twelve_images_and_rows_share_them(pixel_record: Callable[..., Record]) -> None:
    records = [
        pixel_record(model, 20, fold=fold, seed=seed) for model in "ab" for fold in (0, 1) for seed in (0, 1)
    ]
    data = data_of(page_of(build(records), pictures=True))
    numbers = {cell["label"]: len(cell.get("overlays", ())) for cell in data["cells"]}
    assert numbers == {
        "fold 0, seed 0": 6,
        "fold 1, seed 0": 6,
        "fold 0, seed 1": 0,
        "fold 1, seed 1": 0,
    }
    assert len(data["sources"]) == len(set(data["sources"]))
    shown = [cell["overlays"] for cell in data["cells"] if "overlays" in cell]
    assert len(shown) == 4 and shown.count(shown[0]) >= 2  # the same numbers: shared pictures


def test_a_page_has_a_size(monkeypatch: pytest.MonkeyPatch, pixel_record: Callable[..., Record]) -> None:
    monkeypatch.setattr("hmcbench.report.page.render.MOST_OVERLAY_BYTES", 100)
    data = data_of(page_of(build([pixel_record()]), pictures=True))
    assert "sources" not in data and "too large" in " ".join(data["cells"][0]["notes"])


def test_what_is_no_small_image_is_left_out(tmp_path: Path) -> None:
    predictions = of_pixels(1)
    place = tmp_path / THUMBNAILS / thumbnail_name(predictions.ids[0])
    place.parent.mkdir()
    for content in (b"GIF89a", b"\x89PNG\r\n" + bytes(500_000)):
        place.write_bytes(content)
        assert overlays(predictions, tmp_path)[0]["image"] == ""


@pytest.mark.parametrize("change", ["packing", "pixel", "torn"])
def test_verify_compares_pixels(pixel_record: Callable[..., Record], tmp_path: Path, change: str) -> None:
    """Another version of a library packs a picture otherwise; another pixel is a difference."""
    page = page_of(build([pixel_record(dataset={"synthetic": True})]))
    source = data_of(page)["sources"][0]
    pixels = np.array(pixels_of(source))
    if change == "pixel":
        pixels[0, 0, 0] ^= 1
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=1)
    packed = content.getvalue()[: -40 if change == "torn" else None]
    other = "data:image/png;base64," + base64.b64encode(packed).decode()
    assert other != source
    (tmp_path / "index.html").write_text(page.replace(source, other), encoding="utf-8")
    findings: list[Any] = []
    check_page(tmp_path / "index.html", page, findings, [])
    assert len(findings) == (0 if change == "packing" else 1)
