"""Folders as others publish them: run lengths in a CSV file, and images beside folders of their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hmcbench_masks.datasets import masks
from hmcbench_masks.lint import lint
from hmcbench_masks.reader.run_lengths import Runs
from PIL import Image

from hmcbench.errors import BadInput, DataProblems

HEADER = "ImageId,ClassId,EncodedPixels\n"
SIZE = (6, 8)  # rows, columns
RNG = np.random.default_rng(0)


def picture(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, SIZE).astype(np.uint8)).save(file)


def severstal(root: Path, rows: str, header: str = HEADER, folder: str = "train_images") -> Path:
    """Three images and a table."""
    for name in ("a_1.jpg", "b.jpg", "c.jpg"):
        picture(root / folder / name)
    picture(root / "test_images" / "d.jpg")
    (root / "train.csv").write_text(header + rows)
    (root / "sample_submission.csv").write_text("ImageId,EncodedPixels,ClassId\nd.jpg,1 1,1\n")
    return root


def decoded(text: str, height: int, width: int) -> np.ndarray:
    """A slow decoder, pixel by pixel."""
    inside = np.zeros((height, width), dtype=bool)
    numbers = [int(word) for word in text.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        for position in range(start - 1, start - 1 + length):
            inside[position % height, position // height] = True
    return inside


@pytest.mark.parametrize("text", ["1 1", "48 1", "1 48", "5 3 12 7", "3 9 5 2 40 8"])
def test_runs_go_down_the_columns(text: str) -> None:
    numbers = np.array(text.split(), dtype=np.int64).reshape(-1, 2)
    runs = Runs("1", "", numbers[:, 0] - 1, numbers[:, 1])
    part, whole = runs.inside(*SIZE), np.zeros(SIZE, dtype=bool)
    whole[part.box] = part.mask
    assert (whole == decoded(text, *SIZE)).all()
    assert part.mask.any(axis=0)[[0, -1]].all()  # no column too many
    assert not runs.problem(*SIZE)
    assert bool(runs.problem(6, 7)) == (int(numbers.sum(axis=1).max()) - 1 > 42)


@pytest.mark.parametrize("folder", ["images", "train_images"])
def test_run_lengths_are_label_maps(tmp_path: Path, folder: str) -> None:
    dataset = masks(
        path=str(severstal(tmp_path, "a_1.jpg,3,7 2\na_1.jpg,1,1 2 13 1\nb.jpg,3,20 4\n", folder=folder))
    )
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    assert hierarchy.classes == ("background", "defect", "defect/1", "defect/3")
    assert (dataset.ids, dataset.task.paths) == (["a_1", "b", "c"], "single")
    legend, first = dataset.targets.legend, dataset.targets.load(0)
    for text, name in (("1 2 13 1", "defect/1"), ("7 2", "defect/3")):
        column = hierarchy.classes.index(name)
        assert (legend[first][..., column] == decoded(text, *SIZE)).all()
    assert hierarchy.decode(legend[dataset.targets.load(2)[0, 0]]) == ("background",)  # no row: no defect


def test_the_first_edition_joins_image_and_class(tmp_path: Path) -> None:
    rows = "".join(
        f"{image}_{k},{'3 4' * (k == 2)}\n" for image in ("a_1.jpg", "b.jpg", "c.jpg") for k in (1, 2)
    )
    dataset = masks(path=str(severstal(tmp_path, rows, "ImageId_ClassId,EncodedPixels\n")))
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.classes == ("background", "defect", "defect/1", "defect/2")
    assert dataset.targets.class_pixels[:, 3].tolist() == [4, 4, 4]


def test_classes_of_run_lengths_and_overlaps(tmp_path: Path) -> None:
    root = severstal(tmp_path, "b.jpg,1,1 4\nb.jpg,2,3 4\n")
    (root / "classes.csv").write_text("value,path\n1,defect/line/scratch\n2,defect/pit\nbackground,steel\n")
    dataset = masks(path=str(root))
    assert dataset.task.hierarchy is not None
    assert dataset.task.paths == "multiple"
    classes = dataset.task.hierarchy.classes
    assert classes == ("defect", "steel", "defect/line", "defect/pit", "defect/line/scratch")
    shares = dict(zip(classes, dataset.targets.class_pixels[1].tolist(), strict=True))
    assert (shares["defect/line"], shares["defect/pit"], shares["defect"], shares["steel"]) == (4, 4, 6, 42)
    assert masks(path=str(root), overlap="last").task.paths == "single"
    (root / "classes.csv").write_text("value,path\n1,defect\n")
    with pytest.raises(DataProblems, match=r"category 2 is not in classes\.csv"):
        masks(path=str(root))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("b.jpg,1,1 2 3", "3 numbers, not pairs"),
        ("b.jpg,1,1 x", "'x', which is no whole number"),
        ("b.jpg,1,-4 2", "'-4', which is no whole number"),
        ("b.jpg,1,0 2", "count from 1"),
        ("b.jpg,1,4 0", "count from 1"),
        ("b.jpg,1,47 3", "the run 47 3 leaves the image of 8 x 6 pixels"),
        ("e.jpg,1,1 2", "no image e.jpg in train_images/"),
        ("b.jpg,a//b,1 2", "'defect/a//b' cannot be a class"),
        ("b.jpg,a|b,1 2", "'defect/a|b' cannot be a class"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: str, said: str) -> None:
    root = severstal(tmp_path, f"a_1.jpg,1,1 2\n{row}\nb.jpg,1,3 1\n")
    (problem,) = [p for p in lint(path=str(root)).problems if p.fatal]
    assert problem.where == "train.csv:3" and said in problem.what
    with pytest.raises(DataProblems, match=r"train\.csv:3"):
        masks(path=str(root))
    kept = masks(path=str(root), skip_bad=True)
    assert kept.ids == (["a_1", "b", "c"] if row.startswith("e") else ["a_1", "c"])


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("ImageId,EncodedPixels\n", "b.jpg,1 2\n", r"train\.csv:1: its columns are imageid, encodedpixels"),
        (HEADER, "b.jpg,1\n", r"train\.csv:2: 2 cells"),
        (HEADER, "b.jpg,,1 2\n", r"train\.csv:2: no image or no class"),
        (HEADER, 'b.jpg,"1,1 2\n', r"train\.csv:2: cannot be read as CSV"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, header: str, rows: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        masks(path=str(severstal(tmp_path, rows, header)))


def test_tables_without_images_or_two_of_them(tmp_path: Path) -> None:
    root = severstal(tmp_path, "b.jpg,1,1 2\n", folder="elsewhere")
    with pytest.raises(BadInput, match=r"train\.csv and no images"):
        masks(path=str(root))
    (root / "second.csv").write_text(HEADER)
    with pytest.raises(BadInput, match="2 CSV files of run lengths"):
        masks(path=str(root))


def micronet(root: Path, suffix: str, mask: np.ndarray, mode: str | None = None) -> Path:
    for folder in ("train", "val", "test", "different_test"):
        picture(root / folder / "s(1)#2.tif")
        file = root / f"{folder}_annot" / f"s(1)#2{suffix}.tif"
        file.parent.mkdir()
        Image.fromarray(mask, mode).save(file)
    return root


def painted() -> np.ndarray:
    """Red and blue precipitates, opaque, painted over a grey micrograph."""
    pixels = np.repeat(RNG.integers(1, 254, (*SIZE, 1)), 3, axis=2).astype(np.uint8)
    pixels[0, :3], pixels[3:5, 2:4] = (255, 0, 0), (0, 0, 255)
    return np.dstack([pixels, np.full(SIZE, 255, np.uint8)])


def test_superalloys_of_micronet(tmp_path: Path) -> None:
    dataset = masks(path=str(micronet(tmp_path, "_mask", painted())))
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.classes == (
        "matrix",
        "precipitate",
        "precipitate/secondary",
        "precipitate/tertiary",
    )
    assert dataset.ids == [f"{folder}/s(1)#2" for folder in ("different_test", "test", "train", "val")]
    assert dataset.split == ["shifted", "test", "train", "validation"]
    assert dataset.targets.class_pixels.tolist() == [[41, 7, 3, 4]] * 4


def test_coatings_of_micronet(tmp_path: Path) -> None:
    values = np.zeros(SIZE, dtype=np.uint8)
    values[2], values[3, :2] = 1, 2
    root = micronet(tmp_path, "", values)
    dataset = masks(path=str(root))
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.classes == ("background", "damage", "damage/crack", "damage/oxide")
    assert dataset.targets.class_pixels.tolist() == [[38, 10, 2, 8]] * 4
    (root / "classes.csv").write_text("value,path\n0,coating\n1,oxide\nother,crack\n")
    again = masks(path=str(root))
    assert again.task.hierarchy is not None
    assert again.task.hierarchy.classes == ("coating", "crack", "oxide")
    assert again.targets.class_pixels.tolist() == [[38, 2, 8]] * 4
    (root / "classes.csv").write_text("value,path\n0,coating\n1,oxide\nother,ignore\n")
    assert masks(path=str(root)).targets.counts[:, -1].tolist() == [2] * 4


def test_partitions_of_micronet_stay_beside_images_csv(tmp_path: Path) -> None:
    root = micronet(tmp_path, "_mask", painted())
    rows = [f"{folder}/s(1)#2.tif,2,,{folder[0]}" for folder in ("train", "val", "test")]
    (root / "images.csv").write_text("\n".join(["file,pixel_um,split,group", *rows]) + "\n")
    dataset = masks(path=str(root))
    assert dataset.split == ["shifted", "test", "train", "validation"]
    assert dataset.groups == ["different_test/s(1)#2", "t", "t", "v"]
    (root / "images.csv").write_text("file,split\nval/s(1)#2,train\n")
    assert masks(path=str(root)).split == ["shifted", "test", "train", "train"]


def test_groups_of_images_of_run_lengths(tmp_path: Path) -> None:
    root = severstal(tmp_path, "a_1.jpg,1,1 2\nb.jpg,1,3 4\n")
    (root / "images.csv").write_text("file,group\ntrain_images/a_1.jpg,g\nb.jpg,g\nd.jpg,h\n")
    with pytest.raises(DataProblems, match=r"images\.csv:4: no image d\.jpg"):
        masks(path=str(root))
    assert masks(path=str(root), skip_bad=True).groups == ["g", "g", "c"]


@pytest.mark.parametrize("name", ["007", "facade", "255 0 0", "crack / edge"])
def test_a_category_is_no_number_and_no_colour(tmp_path: Path, name: str) -> None:
    root = severstal(tmp_path, f"a_1.jpg,{name},1 2\nb.jpg,7,3 4\n")
    (root / "classes.csv").write_text(f"value,path\n7,pit\n{name},line\n")
    dataset = masks(path=str(root))
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.classes == ("background", "line", "pit")
    assert dataset.targets.class_pixels[:, 1:].tolist() == [[2, 0], [0, 4], [0, 0]]


def test_other_stands_for_categories_without_a_row(tmp_path: Path) -> None:
    root = severstal(tmp_path, "a_1.jpg,1,1 2\nb.jpg,2,3 4\nb.jpg,3,9 1\n")
    (root / "classes.csv").write_text("value,path\n1,line\nother,pit\n")
    dataset = masks(path=str(root))
    assert dataset.task.hierarchy is not None
    assert dataset.task.hierarchy.classes == ("background", "line", "pit")
    assert dataset.targets.class_pixels.tolist() == [[46, 2, 0], [43, 0, 5], [48, 0, 0]]
    (root / "classes.csv").write_text("value,path\n1,line\nother,ignore\n")
    assert masks(path=str(root)).targets.counts[:, -1].tolist() == [0, 5, 0]


def test_other_colours_need_a_table(tmp_path: Path) -> None:
    values = np.full(SIZE, 9, dtype=np.uint8)
    with pytest.raises(BadInput, match=r"has no classes\.csv; its masks hold the values 9"):
        masks(path=str(micronet(tmp_path, "", values)))


def test_what_is_missing_in_a_folder_of_micronet(tmp_path: Path) -> None:
    root = micronet(tmp_path, "_mask", painted())
    (root / "val_annot" / "s(1)#2_mask.tif").rename(root / "val_annot" / "other_mask.tif")
    (root / "test" / "s(1)#2.tif").unlink()
    Image.fromarray(RNG.integers(0, 255, (5, 8)).astype(np.uint8)).save(root / "test" / "s(1)#2.tif")
    problems = {problem.kind: problem for problem in lint(path=str(root)).problems}
    assert problems["no-mask"].where == "val/s(1)#2.tif" and "val_annot/" in problems["no-mask"].what
    assert problems["no-image"].where == "val_annot/other_mask.tif"
    assert "8 x 6 pixels, its image 8 x 5" in problems["size"].what


def test_masks_of_superalloys_have_16_bits_too(tmp_path: Path) -> None:
    root = micronet(tmp_path, "_mask", painted())
    tifffile.imwrite(root / "test_annot" / "s(1)#2_mask.tif", painted().astype(np.uint16) * 257)
    assert masks(path=str(root)).targets.class_pixels.tolist() == [[41, 7, 3, 4]] * 4


def same_names(root: Path) -> dict[str, str]:
    """Where and what of the problems of this kind, which are all that a run refuses."""
    with pytest.raises(DataProblems) as error:
        masks(path=str(root))
    assert {problem.kind for problem in error.value.problems} == {"same-name"}
    return {problem.where: problem.what for problem in error.value.problems}


def test_images_of_run_lengths_of_one_name_are_named(tmp_path: Path) -> None:
    root = severstal(tmp_path, "a_1.jpg,1,1 4\nb.jpg,1,1 4\nc.jpg,2,3 4\n")
    picture(root / "train_images" / "b.png")
    picture(root / "train_images" / "more" / "c.jpg")
    assert same_names(root) == {
        "train_images/b.jpg": "has the same name as train_images/b.png; rename one",
        "train_images/c.jpg": "has the same name as train_images/more/c.jpg; rename one",
    }
    assert masks(path=str(root), skip_bad=True).ids == ["a_1"]


def test_none_of_them_is_used_where_only_one_is_good(tmp_path: Path) -> None:
    root = severstal(tmp_path, "a_1.jpg,1,1 4\nb.jpg,1,1 4\nb.jpg,2,7\n")
    picture(root / "train_images" / "b.png")
    with pytest.raises(DataProblems) as error:
        masks(path=str(root))
    assert {(p.where, p.kind) for p in error.value.problems if p.fatal} == {
        ("train_images/b.jpg", "same-name"),
        ("train.csv:4", "run-length"),
    }
    assert masks(path=str(root), skip_bad=True).ids == ["a_1", "c"]


def test_images_of_micronet_of_one_name_are_named(tmp_path: Path) -> None:
    root = micronet(tmp_path, "_mask", painted())
    picture(root / "val" / "s(1)#2.png")
    tifffile.imwrite(root / "test_annot" / "s(1)#2.tif", painted())  # beside s(1)#2_mask.tif
    assert same_names(root) == {
        "test_annot/s(1)#2.tif": "has the same name as test_annot/s(1)#2_mask.tif; rename one",
        "val/s(1)#2.png": "has the same name as val/s(1)#2.tif; rename one",
    }


def test_a_csv_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    root = severstal(tmp_path, "b.jpg,1,1 2\n")
    (root / "x.csv").symlink_to("nowhere.csv")
    with pytest.raises(BadInput, match=r"x\.csv cannot be read \(No such file"):
        masks(path=str(root))


@pytest.mark.parametrize("named", ["train_images\\a_1.jpg", "train_images/a_1.jpg", ".\\a_1.jpg"])
def test_a_row_of_run_lengths_may_name_the_folder_of_its_image(tmp_path: Path, named: str) -> None:
    dataset = masks(path=str(severstal(tmp_path, f"{named},1,1 2\n")))
    assert dataset.ids == ["a_1", "b", "c"] and dataset.targets.load(0).any()
    for other in ("else\\a_1.jpg", "..\\test_images\\d.jpg"):
        with pytest.raises(DataProblems, match=r"train\.csv:2: no image "):
            masks(path=str(severstal(tmp_path, f"{other},1,1 2\n")))
