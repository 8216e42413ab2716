"""Pictures and labels together: damaged files, copies, small classes, cutting, the report."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.datasets import images
from hmcbench_sem.lint import lint_images
from hmcbench_sem.reader.collection import collect, parse_crop
from PIL import Image

from hmcbench.errors import BadInput, DataProblems

Gallery = Callable[..., Path]
Picture = Callable[..., np.ndarray]


def _encoded(picture: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind)
    return stream.getvalue()


BAD_FILES: dict[str, tuple[Callable[[np.ndarray], bytes], str, str]] = {
    "empty": (lambda _: b"", "empty-file", "0 bytes"),
    "text": (lambda _: b"not an image at all", "unreadable", "not an image"),
    "header only": (lambda p: _encoded(p, "PNG")[:20], "unreadable", ""),
    "truncated PNG": (lambda p: _encoded(p, "PNG")[:-60], "unreadable", "damaged"),
    "truncated JPEG": (lambda p: _encoded(p, "JPEG")[:-80], "unreadable", "truncated"),
    "truncated BMP": (lambda p: _encoded(p, "BMP")[:-80], "unreadable", "truncated"),
    "truncated TIFF": (lambda p: _encoded(p, "TIFF")[:-200], "unreadable", ""),
    "damaged PNG": (lambda p: _encoded(p, "PNG").replace(b"IDAT", b"IDXT"), "unreadable", ""),
    "GIF": (lambda p: _encoded(p, "GIF"), "unreadable", "PNG, JPEG, TIFF, BMP"),
    "zeroes": (lambda _: bytes(1000), "unreadable", "not an image"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_listed_and_can_be_left_out(tree: Path, picture: Picture, case: str) -> None:
    make, kind, message = BAD_FILES[case]
    (tree / "a" / "bad.png").write_bytes(make(picture(99)))
    (problem,) = collect(str(tree)).problems
    assert (problem.where, problem.kind, problem.fatal) == ("a/bad.png", kind, True)
    assert message in problem.what
    assert "\n" not in problem.what
    with pytest.raises(DataProblems, match=r"a/bad\.png.*--skip-bad"):
        images(path=str(tree))
    data = images(path=str(tree), skip_bad=True)
    assert len(data.ids) == 8
    assert "a/bad.png" in data.notes[0]


def test_all_problems_come_in_one_report_worst_first(tree: Path) -> None:
    (tree / "a" / "bad.png").write_bytes(b"")
    (tree / "b" / "text.jpg").write_bytes(b"text")
    (tree / "b" / "notes.txt").write_text("x")
    (tree / "c").mkdir()
    problems = lint_images(path=str(tree)).problems
    assert [(p.where, p.fatal) for p in problems] == [
        ("c", True),
        ("a/bad.png", True),
        ("b/text.jpg", True),
        ("b/notes.txt", False),
    ]


def test_a_class_too_small_to_split(gallery: Gallery) -> None:
    sizes = {"m/x": 3, "m/y": 2, "t": 4, "m": 1}
    root = gallery(
        {f"{name}/{k}.png": 10 * i + k for i, (name, n) in enumerate(sizes.items()) for k in range(n)}
    )
    (problem,) = collect(str(root)).problems
    assert (problem.where, problem.kind, problem.fatal) == ("m/y", "small-class", True)
    data = images(path=str(root), skip_bad=True)
    assert data.task.hierarchy is not None
    assert data.task.hierarchy.classes == ("m", "t", "m/x")  # m itself has x's images below it
    assert data.task.depth == "ragged"


def test_groups_and_copies_count_once(gallery: Gallery) -> None:
    rows = [f"{k}.png,{'x' if k < 4 else 'y'},{'s' if k < 3 else k}" for k in range(8)]
    root = gallery({f"{k}.png": k for k in range(8)}, "file,labels,group\n" + "\n".join(rows))
    problem = collect(str(root)).problems[0]
    assert (problem.kind, problem.where) == ("small-class", "x")
    assert "4 images in 2 units" in problem.what


def test_what_is_left_after_leaving_out_must_still_be_a_task(gallery: Gallery) -> None:
    root = gallery({**{f"x/{k}.png": k for k in range(4)}, "y/9.png": 9})
    with pytest.raises(DataProblems, match="nothing to tell apart"):
        images(path=str(root), skip_bad=True)


def test_no_usable_image(gallery: Gallery) -> None:
    root = gallery({})
    (root / "x").mkdir()
    (root / "x" / "0.png").write_bytes(b"")
    with pytest.raises(DataProblems, match="no image is left"):
        images(path=str(root), skip_bad=True)


def test_small_classes_do_not_matter_where_the_split_is_given(
    indexed: Callable[..., Path], picture: Picture
) -> None:
    root = indexed("8.png,t,,test", "file,level1,level2,split")
    Image.fromarray(picture(8)).save(root / "8.png")
    data = images(path=str(root))
    assert data.split is not None
    assert (data.split[0], data.split[8]) == ("", "test")
    assert data.task.depth == "full"


def test_copies_are_found_across_formats_and_modes(gallery: Gallery, picture: Picture) -> None:
    root = gallery({f"{name}/{k}.png": 10 * i + k for i, name in enumerate("ab") for k in range(4)})
    plain = picture(0)
    Image.fromarray(plain).save(root / "a" / "copy.bmp")
    Image.fromarray(np.stack([plain] * 3, axis=-1)).save(root / "a" / "colour.tif")
    Image.fromarray(plain).convert("LA").save(root / "b" / "other.png")
    Image.fromarray(plain.reshape(40, 32)).save(root / "a" / "reshaped.png")
    collection = collect(str(root))
    (problem,) = collection.problems
    assert (problem.where, problem.kind, problem.fatal) == ("a/0.png", "clash", False)
    assert problem.what == (
        "pixel-identical with a/colour.tif, a/copy.bmp, b/other.png, but the labels differ: a and b"
    )
    data = images(path=str(root))
    assert data.duplicates is not None
    same = [name for name, key in zip(data.ids, data.duplicates, strict=True) if key == data.duplicates[0]]
    assert same == ["a/0.png", "a/colour.tif", "a/copy.bmp", "b/other.png"]
    assert any("different labels" in note for note in data.notes)


def test_fingerprint_is_of_contents_not_of_place_or_order(gallery: Gallery, tmp_path: Path) -> None:
    rows = [f"{k}.png,m,{'x' if k < 4 else 'y'}" for k in range(8)]
    header = "file,level1,level2\n"
    root = gallery({f"{k}.png": k for k in range(8)}, header + "\n".join(rows))
    first = images(path=str(root)).fingerprint
    (root / "index.csv").write_text(header + "\n".join(rows[::-1]))
    assert images(path=str(root)).fingerprint == first
    root.rename(tmp_path / "elsewhere")
    assert images(path=str(tmp_path / "elsewhere"), crop_bottom="auto").fingerprint == first
    assert images(path=str(tmp_path / "elsewhere"), crop_bottom="4").fingerprint != first
    rows[0] = "0.png,m,y"
    (tmp_path / "elsewhere" / "index.csv").write_text(header + "\n".join(rows))
    assert images(path=str(tmp_path / "elsewhere")).fingerprint != first


# --------------------------------------------------------------------------- the bottom of the pictures


@pytest.fixture
def barred(gallery: Gallery, draw_bar: Callable[[np.ndarray], np.ndarray]) -> Path:
    """Two classes of four large pictures; those of ``a`` have a data bar, one of them a copy's."""
    root = gallery({})
    for i, name in enumerate("ab"):
        (root / name).mkdir()
        for k in range(4):
            noise = np.random.default_rng(10 * i + k).integers(20, 230, (200, 320)).astype(np.uint8)
            Image.fromarray(draw_bar(noise) if name == "a" else noise).save(root / name / f"{k}.png")
    return root


@pytest.fixture
def draw_bar() -> Callable[[np.ndarray], np.ndarray]:
    """Adds 24 rows of a black bar with white text."""

    def draw(array: np.ndarray) -> np.ndarray:
        from PIL import ImageDraw, ImageFont

        height, width = array.shape
        whole = Image.new("L", (width, height + 24), 0)
        whole.paste(Image.fromarray(array))
        text = "20 kV  x1,000  WD 10 mm  50 um"
        ImageDraw.Draw(whole).text((8, height + 3), text, fill=255, font=ImageFont.load_default(14))
        return np.asarray(whole)

    return draw


def test_data_bars_are_listed_and_cut_on_request(barred: Path) -> None:
    report = lint_images(path=str(barred))
    assert [(p.where, p.kind, p.fatal) for p in report.problems] == [
        (f"a/{k}.png", "data-bar", False) for k in range(4)
    ]
    assert report.facts["data bars"] == "4 of 8 images, 24 rows"
    assert any("not cut" in note for note in images(path=str(barred)).notes)

    data = images(path=str(barred), crop_bottom="auto")
    assert data.notes == ["24 rows cut off at the bottom of 4 of 8 images"]
    assert {data.views["image"][i].load().shape for i in range(8)} == {(200, 320)}
    assert lint_images(path=str(barred), crop_bottom="auto").problems == []
    assert images(path=str(barred)).fingerprint != data.fingerprint


def test_pictures_that_differ_in_the_bar_alone_are_copies_once_it_is_cut(barred: Path) -> None:
    with Image.open(barred / "a" / "0.png") as image:
        Image.fromarray(np.asarray(image)[:-24]).save(barred / "a" / "bare.png")
    assert "duplicate" not in {p.kind for p in collect(str(barred)).problems}
    assert [p.kind for p in collect(str(barred), "auto").problems] == ["duplicate"]


def test_a_fixed_number_of_rows_is_cut_everywhere(barred: Path) -> None:
    data = images(path=str(barred), crop_bottom="30")
    assert data.notes == ["30 rows cut off at the bottom of 8 of 8 images"]
    assert {data.views["image"][i].load().shape[0] for i in range(8)} == {194, 170}


def test_cutting_must_leave_a_picture(tree: Path) -> None:
    problems = collect(str(tree), "20").problems
    assert {(p.kind, p.fatal) for p in problems if p.where != "."} == {("crop", True)}
    assert "leaves less than 16" in problems[0].what


@pytest.mark.parametrize("text", ["-1", "1.5", "ten", "", "1e3", "٣", "99999999"])
def test_crop_bottom_is_checked(text: str, tree: Path) -> None:
    with pytest.raises(BadInput, match="crop_bottom"):
        images(path=str(tree), crop_bottom=text)


def test_crop_bottom_forms() -> None:
    assert [parse_crop(text) for text in ("0", " AUTO ", "060")] == ["0", "auto", "60"]


# --------------------------------------------------------------------------- several pages, the report


def test_pages_depths_and_misleading_names_are_told(tree: Path, picture: Picture) -> None:
    first, second = Image.fromarray(picture(50)), Image.fromarray(picture(51))
    first.save(tree / "a" / "pages.tif", save_all=True, append_images=[second])
    Image.fromarray(picture(52).astype(np.uint16) * 9).save(tree / "a" / "deep.png")
    Image.fromarray(picture(53)).save(tree / "b" / "jpeg.png", format="JPEG")
    report = lint_images(path=str(tree))
    assert [(p.where, p.kind, p.fatal) for p in report.problems] == [("a/pages.tif", "pages", False)]
    facts = report.facts
    assert facts["formats"] == "PNG 9, TIFF 1, JPEG 1"
    assert facts["modes"] == "L 10, I;16 1"
    assert facts["misleading extension"].startswith("1 of 11")
    assert facts["level 1"] == "a 6, b 5"
    notes = images(path=str(tree)).notes
    assert notes[0].startswith("1 images deeper than 8 bits")
    assert notes[1].startswith("1 files have several pages")


def test_look_alike_classes_are_a_warning(gallery: Gallery) -> None:
    root = gallery(
        {f"{name}/{k}.png": 10 * i + k for i, name in enumerate(("Fatigue", "fatigue ")) for k in range(3)}
    )
    (problem,) = collect(str(root)).problems
    assert (problem.kind, problem.fatal) == ("alike", False)
    assert "differ only in case" in problem.what
