"""Folders with masks: formats, names, classes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hmcbench_masks.datasets import masks, ti64
from hmcbench_masks.lint import lint
from hmcbench_masks.reader.checks import displaced, displacement
from hmcbench_masks.reader.classes import COLOUR, read_classes, value_of, value_text
from PIL import Image

from hmcbench.errors import BadInput, DataProblems
from hmcbench.interfaces import Dataset
from hmcbench.testing.label_maps import tiny_maps

from .conftest import Folder, rewrite

TRUTH = tiny_maps(4, (24, 32)).targets


def kinds(root: Path) -> set[str]:
    return {problem.kind for problem in lint(path=str(root)).problems}


def same_maps(dataset: Dataset) -> bool:
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    assert hierarchy.classes == ("a", "b", "a/x", "a/y")
    return bool(dataset.targets.same(TRUTH))


def test_a_folder_is_read(folder: Folder) -> None:
    root = folder()
    dataset = masks(path=str(root))
    assert same_maps(dataset)
    assert dataset.ids == ["m0", "m1", "m2", "m3"]
    assert dataset.views["image"][0].load().shape == (24, 32)
    assert dataset.targets.objects == ("b",)
    assert (dataset.task.unit, dataset.task.paths, dataset.task.depth) == ("pixel", "single", "full")
    assert dataset.notes == ["1.3% of the pixels are not labelled and count nowhere"]
    assert not kinds(root)
    assert masks(path=str(root)).fingerprint == dataset.fingerprint
    rewrite(root / "masks" / "m0.png", lambda m: np.where(m == 0, 1, m).astype(np.uint8))
    assert masks(path=str(root)).fingerprint != dataset.fingerprint


def test_other_depths_palettes_and_colours_are_the_same_maps(folder: Folder) -> None:
    root = folder()
    for i in range(4):
        file, image = root / "masks" / f"m{i}.png", root / "images" / f"m{i}.png"
        values = np.array(Image.open(file))
        pixels = np.array(Image.open(image))
        if i == 0:  # 16 bits
            file.unlink()
            tifffile.imwrite(file.with_suffix(".tif"), values.astype(np.uint16))
            image.unlink()
            tifffile.imwrite(image.with_suffix(".tif"), pixels.astype(np.uint16) * 200)
        elif i == 1:  # a palette
            indexed = Image.fromarray(values)
            indexed.putpalette([9, 9, 9, 250, 1, 2, 3, 250, 4] + 247 * [0, 0, 1] + [7, 7, 7] * 6)
            indexed.save(file)
        elif i == 2:  # three equal channels
            Image.fromarray(np.stack([values] * 3, axis=2)).save(file)
        else:  # colours, and an image in colour
            table = np.zeros((256, 3), np.uint8)
            table[[0, 1, 2]] = (255, 0, 0), (0, 128, 255), (10, 20, 30)
            Image.fromarray(table[values]).save(file)
            Image.fromarray(np.stack([pixels] * 3, axis=2)).save(image)
    with (root / "classes.csv").open("a") as table_file:
        table_file.write('#ff0000,a/x,\n"0 128 255",a/y,\n#0A141E,b,\n#000000,ignore,\n')
    assert same_maps(masks(path=str(root)))


def test_names_with_words_belong_together(folder: Folder) -> None:
    root = folder()
    for i in range(4):
        (root / "images" / f"m{i}.png").rename(root / "images" / f"image_{i}.png")
        (root / "masks" / f"m{i}.png").rename(root / "masks" / f"mask{i}.png")
    assert same_maps(masks(path=str(root)))


def test_groups_splits_and_the_size_of_a_pixel(folder: Folder) -> None:
    root = folder()
    rows = ["file,group,split,pixel_um", *(f"m{i}.png,g{i % 2},{'test' * (i == 3)},0.5" for i in range(4))]
    (root / "images.csv").write_text("\n".join(rows) + "\n")
    dataset = masks(path=str(root), tolerance_um=1.5)
    assert dataset.groups == ["g0", "g1", "g0", "g1"]
    assert dataset.split == ["", "", "", "test"]
    assert dataset.targets.tolerance.tolist() == [3.0] * 4
    (root / "images.csv").write_text("file,group\nm0.png,g\n")
    with pytest.raises(BadInput, match="size of a pixel of m0"):
        masks(path=str(root), tolerance_um=1.5)
    (root / "images.csv").write_text("file,pixel_um\nm0.png,x\n")
    with pytest.raises(BadInput, match="pixel_um 'x'"):
        masks(path=str(root))


def test_a_row_of_images_csv_names_its_image_in_several_ways(folder: Folder) -> None:
    root = folder()
    (root / "images" / "sub").mkdir()
    (root / "masks" / "sub").mkdir()
    for part in ("images", "masks"):
        (root / part / "m3.png").rename(root / part / "sub" / "m3.png")
    rows = ["file,group", "images/m0.png,a", "m1,b", "./m2.tif,c", "sub\\m3.png,d"]
    (root / "images.csv").write_text("\n".join(rows) + "\n")
    assert masks(path=str(root)).groups == ["a", "b", "c", "d"]


def test_rows_of_images_csv_that_match_no_image_are_named(folder: Folder) -> None:
    root = folder()
    (root / "masks" / "m3.png").unlink()  # its image stays, and a row may name it
    rows = ["file,group", "m0.png,a", "sub/m1.png,b", "m3.png,c", "m9.png,d"]
    (root / "images.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataProblems) as error:
        masks(path=str(root))
    assert [(p.where, p.what) for p in error.value.problems if p.kind == "no-image"] == [
        ("images.csv:3", "no image sub/m1.png in this folder"),
        ("images.csv:5", "no image m9.png in this folder"),
    ]
    assert masks(path=str(root), skip_bad=True).groups == ["a", "m1", "m2"]
    (root / "images.csv").write_text("file,group\nm0.png,a\nimages/m0.png,a\nm0,b\n")
    with pytest.raises(DataProblems, match=r"images\.csv:4: says something else of m0 than line 2"):
        masks(path=str(root), skip_bad=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"file,group\nm0.png,a\nm1.png,Pr\xfcfling\n", r"images\.csv:3: .*byte 0xfc is not UTF-8"),
        (b"group,file\na\n", r"images\.csv:2: no file"),
        (b"file,group\n,a\n", r"images\.csv:2: no file"),
        (b'file,group\n"m0.png,a\n', r"images\.csv:2: cannot be read as CSV"),
    ],
)
def test_a_bad_images_csv_is_named_by_its_line(folder: Folder, content: bytes, said: str) -> None:
    root = folder()
    (root / "images.csv").write_bytes(content)
    with pytest.raises(BadInput, match=said):
        masks(path=str(root))


def test_a_set_of_classes_without_pixels_is_not_in_the_legend(folder: Folder) -> None:
    root = folder()
    plain = masks(path=str(root))
    (root / "classes.csv").write_text("value,path\n5,a/x|b\n0,a/x\n1,a/y\n7,a\n2,b\n255,ignore\n")
    dataset = masks(path=str(root))
    assert same_maps(dataset) and (dataset.task.paths, dataset.task.depth) == ("single", "full")
    assert (dataset.targets.legend == plain.targets.legend).all()
    assert (dataset.targets.counts == plain.targets.counts).all()
    assert (dataset.targets.present == plain.targets.present).all()


def test_classes_may_end_at_any_level_or_be_several(folder: Folder) -> None:
    root = folder()
    (root / "classes.csv").write_text("value;path\n0;a\n1;a/y|b\n2;b\n255;ignore\n")
    dataset = masks(path=str(root))
    assert (dataset.task.paths, dataset.task.depth) == ("multiple", "ragged")
    (root / "classes.csv").write_text("value,path\n0,a\n1,a/y\n2,b\n255,ignore\n")
    dataset = masks(path=str(root))
    assert (dataset.task.paths, dataset.task.depth) == ("single", "ragged")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda m: np.where(m == 2, 7, m).astype(np.uint8), "unknown-value"),
        (lambda m: m[:-1], "size"),
        (lambda m: np.full_like(m, 255), "empty-mask"),
        (lambda m: np.full_like(m, 1), "one-class"),
        (lambda m: m[::-1] // 2 + m // 2 + np.arange(32, dtype=np.uint8), "unknown-value"),
    ],
)
def test_lint_finds_bad_masks(folder: Folder, change: object, kind: str) -> None:
    root = folder()
    rewrite(root / "masks" / "m1.png", change)  # type: ignore[arg-type]
    assert kinds(root) == {kind}
    if kind == "one-class":
        masks(path=str(root))
        return
    with pytest.raises(DataProblems, match="m1"):
        masks(path=str(root))
    dataset = masks(path=str(root), skip_bad=True)
    assert dataset.ids == ["m0", "m2", "m3"]
    assert "left out, 1 problems" in " ".join(dataset.notes)


def test_lint_names_files_without_partner_and_jpeg(folder: Folder) -> None:
    root = folder()
    (root / "masks" / "m0.png").unlink()
    values = np.array(Image.open(root / "masks" / "m1.png"))
    (root / "masks" / "m1.png").unlink()
    Image.fromarray(values * 100).save(root / "masks" / "m1.jpg", quality=50)
    (root / "masks" / "other.png").write_bytes((root / "masks" / "m2.png").read_bytes())
    (root / "masks" / "m2.png").write_bytes(b"no picture")
    report = lint(path=str(root))
    texts = {
        problem.kind: problem.what for problem in report.problems if problem.fatal or "no-" in problem.kind
    }
    assert {"no-mask", "no-image", "unknown-value", "unreadable"} <= set(texts)
    assert "JPEG" in texts["unknown-value"]


def test_two_files_of_one_name_are_named(folder: Folder) -> None:
    root = folder()
    Image.open(root / "images" / "m0.png").save(root / "images" / "m0.tif")
    Image.open(root / "masks" / "m2.png").save(root / "masks" / "m2.bmp")
    with pytest.raises(DataProblems) as error:
        masks(path=str(root))
    assert [(p.where, p.what, p.kind) for p in error.value.problems] == [
        ("images/m0.png", "has the same name as images/m0.tif; rename one", "same-name"),
        ("masks/m2.bmp", "has the same name as masks/m2.png; rename one", "same-name"),
    ]
    assert masks(path=str(root), skip_bad=True).ids == ["m1", "m3"]


def test_smoothed_edges_are_named(folder: Folder) -> None:
    root = folder(size=(120, 160))
    file = root / "masks" / "m1.png"
    picture = Image.fromarray(np.array(Image.open(file)) * 40)
    picture.resize((150, 100), Image.Resampling.BICUBIC).resize((160, 120), Image.Resampling.BICUBIC).save(
        file
    )
    (root / "classes.csv").write_text("value,path\n0,a/x\n1,a/y\n2,b\n40,a/y\n80,b\n255,ignore\n")
    (problem,) = [p for p in lint(path=str(root)).problems if p.kind == "unknown-value"]
    assert "smoothed" in problem.what


def test_masks_beside_their_images_are_noticed() -> None:
    rng = np.random.default_rng(0)
    tables = {}
    for shift in (0, 1):
        moved = []
        for picture, labels in zip(
            tiny_maps(8, (90, 90)).views["image"], tiny_maps(8, (90, 90)).targets, strict=True
        ):
            pixels = picture.load() + rng.integers(0, 9, (90, 90)).astype(np.uint8) // 3
            moved.append(displacement(np.roll(pixels, shift, axis=1), np.where(labels == 255, 0, labels)))
        tables[shift] = displaced(moved)
    assert not tables[0]
    (problem,) = tables[1]
    assert "moved by 1 pixels to the right and 0 down" in problem.what


def test_bad_folders_and_tables_say_what_is_allowed(folder: Folder, tmp_path: Path) -> None:
    for path, said in (
        ("", "needs a folder"),
        (str(tmp_path / "no"), "no folder"),
        (str(tmp_path), "no polygons"),
    ):
        with pytest.raises(BadInput, match=said):
            masks(path=path)
    with pytest.raises(BadInput, match="--data ti64-masks=PATH"):
        ti64()
    root = folder()
    for text, said in (
        ("value\n0\n", "its columns are value"),
        ("value,path\n0,a\n0,b\n", "stands here twice"),
        ("value,path\n0,a//b\n", "has a gap"),
        ("value,path\n,a\n", "no value"),
        ('value,path\n"300 0 0",a\n', "three numbers"),
        (f"value,path\n{'9' * 5000},a\n", "up to 10 digits"),
        ("value,path\n0,ignore\n", "names no class"),
    ):
        (root / "classes.csv").write_text(text)
        with pytest.raises(BadInput, match=said):
            masks(path=str(root))
    (root / "classes.csv").unlink()
    with pytest.raises(BadInput, match=r"hold the values 0, 1, 2, 255"):
        masks(path=str(root))


def test_a_table_that_names_no_value_of_its_own(folder: Folder) -> None:
    root = folder()
    (root / "classes.csv").write_text("value,path\nother,a/x\n")
    dataset = masks(path=str(root))
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.classes == ("a", "a/x")
    assert np.unique(dataset.targets.load(0)).size == 1


def test_values_are_numbers_colours_or_names(tmp_path: Path) -> None:
    assert [value_of(t, "x") for t in ("7", "#0000ff", "0000ff", "crack")] == [
        7,
        COLOUR + 255,
        COLOUR + 255,
        "crack",
    ]
    assert [value_text(v) for v in (7, COLOUR + 255, "crack")] == ["7", "#0000ff", "crack"]
    (tmp_path / "classes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        read_classes(tmp_path / "classes.csv")


def test_the_titanium_micrographs(shared: object) -> None:
    root = shared("fracture_sem_ti64") / "annotated"  # type: ignore[operator]
    dataset = ti64(path=str(root))
    assert len(dataset.ids) == 19
    assert not dataset.share_targets
    share = dataset.targets.class_pixels.sum(axis=0) / dataset.targets.counts.sum()
    assert share.round(3).tolist() == [0.178, 0.822, 0.225, 0.596]
