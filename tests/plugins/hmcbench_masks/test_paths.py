"""Which image a path in a file of polygons means, whichever system wrote it; none leads out of its folder."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hmcbench_masks.datasets import masks
from hmcbench_masks.lint import lint
from hmcbench_masks.reader.named_images import NamedImages
from PIL import Image

from hmcbench.errors import BadInput, DataProblems

from .conftest import RING, SQUARE

KINDS = ("coco", "labelme")


def image(file: Path) -> None:
    file.parent.mkdir(exist_ok=True, parents=True)
    Image.new("L", (30, 20)).save(file)


def labelme(file: Path, named: str) -> None:
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(json.dumps({"imagePath": named, "shapes": [{"label": "a", "points": SQUARE}]}))


def spread(root: Path, *names: str) -> Path:
    """Images in folders of ``images/``."""
    for name in names:
        image(root / "images" / name)
    return root


def named(root: Path, kind: str, *paths: str) -> Path:
    """A folder whose polygons name images by these paths."""
    for i, path in enumerate(paths):
        if kind == "labelme":
            labelme(root / f"{i}.json", path)
    coco = {
        "images": [{"id": i, "file_name": path} for i, path in enumerate(paths)],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "segmentation": [RING]} for i in range(len(paths))
        ],
    }
    if kind == "coco":
        (root / "annotations.json").write_text(json.dumps(coco))
    return root


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["images\\p.png", ".\\p.png", "C:\\data\\images\\p.png", "..\\images/p.png"])
def test_a_path_of_windows_finds_its_image(tmp_path: Path, kind: str, path: str) -> None:
    image(tmp_path / "images" / "p.png")
    root = named(tmp_path, kind, path)
    assert masks(path=str(root)).ids == ["p"]
    assert not [problem for problem in lint(path=str(root)).problems if problem.fatal]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "path", ["../../{}/x.png", "..\\..\\{}\\x.png", "..\\{}/x.png", "../x.png", "..\\x.png"]
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, kind: str, path: str) -> None:
    image(tmp_path / "x.png")
    image(tmp_path / "data" / "images" / "p.png")
    root = named(tmp_path / "data", kind, path.format(tmp_path.name), "images/p.png")
    with pytest.raises(DataProblems, match=r"no image x\.png below"):
        masks(path=str(root))
    assert masks(path=str(root), skip_bad=True).ids == ["p"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_backslash_may_be_in_the_name_of_an_image(tmp_path: Path, kind: str) -> None:
    """So some programs unpack archives that were made on Windows."""
    image(tmp_path / "images" / "a\\p.png")
    assert masks(path=str(named(tmp_path, kind, "a\\p.png"))).ids == ["a\\p"]
    image(tmp_path / "images" / unicodedata.normalize("NFD", "a\\ü.png"))
    assert masks(path=str(named(tmp_path, kind, "a\\ü.png"))).ids == ["a\\ü"]


@pytest.mark.parametrize("place", ["p.json", "images/p.json"])
@pytest.mark.parametrize("blank", ["", " "])
def test_a_labelme_file_without_the_name_of_its_image(tmp_path: Path, place: str, blank: str) -> None:
    spread(tmp_path, "p.PNG")
    file = tmp_path / place
    labelme(file, blank)
    assert masks(path=str(tmp_path)).ids == ["p"]
    spread(tmp_path, "p.tif")
    with pytest.raises(BadInput, match=r"it has no imagePath, and images/p\.PNG and images/p\.tif could be"):
        masks(path=str(tmp_path))
    file.rename(file.with_name("q.json"))
    with pytest.raises(BadInput, match="it has no imagePath, and no image q below"):
        masks(path=str(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", [".", "/", "\\", "..", "a/.."])
def test_a_path_that_ends_in_no_name_is_shown(tmp_path: Path, kind: str, path: str) -> None:
    root = named(spread(tmp_path, "p.png"), kind, path, "images/p.png")
    (problem,) = [problem for problem in lint(path=str(root)).problems if problem.fatal]
    assert problem.what == f"the path {path!r} names no image"
    assert masks(path=str(root), skip_bad=True).ids == ["p"]


def test_an_image_is_that_of_its_folder(tmp_path: Path) -> None:
    root = named(spread(tmp_path, "p.png", "qq.png"), "coco", "sub/p.png", "qq.png")
    (root / "images" / "sub").mkdir()
    Image.new("L", (40, 40)).save(root / "images" / "sub" / "p.png")
    assert masks(path=str(root)).targets.load(0).shape == (40, 40)
    images = NamedImages.below(root)
    assert {images.find(Path(f"{before}p.png")) for before in ("", "../", "/")} == {root / "images" / "p.png"}
    (root / "annotations.json").unlink()
    for name in ("p", "sub/p"):
        labelme((root / "images" / name).with_suffix(".json"), "p.png")
    with pytest.raises(DataProblems, match=r"images/p\.png: has the same name as images/sub/p\.png"):
        masks(path=str(root))


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("val/x.png", "val/x.png"),
        ("old/place/val/x.png", "val/x.png"),
        ("/home/me/images/val/x.png", "val/x.png"),
        ("../images/val/x.png", "val/x.png"),
        ("train/x.png", None),
        ("images/train/x.png", None),
        ("/home/me/train/x.png", None),
        ("empty/x.png", None),
        ("else/x.png", "val/x.png"),
        ("val/../train/x.png", None),
        ("x.png", "val/x.png"),
        ("else/y.png", None),
        ("y.png", None),
        ("test/y.png", "test/y.png"),
    ],
)
def test_an_image_that_its_folder_lacks_is_not_taken_from_another(
    tmp_path: Path, path: str, meant: str | None
) -> None:
    root = named(spread(tmp_path, "val/x.png", "train/y.png", "test/y.png"), "coco", path)
    (root / "images" / "empty").mkdir()
    images = NamedImages.below(root)
    if meant:
        assert images.find(images.path_of(path.replace("/", "\\"))) == root / "images" / meant
        assert masks(path=str(root)).ids == [Path(meant).stem]
        assert images.find(Path(path)) == root / "images" / meant
        return
    with pytest.raises(DataProblems, match=rf"no image {re.escape(path)} below .*; images of this name: "):
        masks(path=str(root))


@pytest.mark.parametrize(
    ("place", "path", "meant"),
    [
        ("images/train/x.json", "x.png", None),
        ("images/train/x.json", "", None),
        ("images/train/x.json", "../val/x.png", "val/x.png"),
        ("images/train/x.json", "../train/x.png", None),
        ("labels/x.json", "x.png", "val/x.png"),
        ("labels/x.json", "./x.png", "val/x.png"),
        ("labels/x.json", "../labels/x.png", "val/x.png"),
        ("labels/x.json", "..\\labels\\x.png", "val/x.png"),
        ("labels/x.json", "../images/../labels/x.png", "val/x.png"),
        ("labels/x.json", "{root}/labels/x.png", "val/x.png"),
        ("labels/a/x.json", "../a/x.png", "val/x.png"),
        ("labels/a/x.json", "../x.png", None),
        ("labels/x.json", "", "val/x.png"),
        ("labels/x.json", "../images/train/x.png", None),
        ("x.json", "C:\\data\\val\\x.png", "val/x.png"),
        ("labels/y.json", "y.png", None),
        ("labels/y.json", "../labels/y.png", None),
    ],
)
def test_so_is_that_of_a_labelme_file(tmp_path: Path, place: str, path: str, meant: str | None) -> None:
    spread(tmp_path, "val/x.png", "train/y.png", "test/y.png")
    labelme(tmp_path / place, path.format(root=tmp_path))
    if meant:
        assert masks(path=str(tmp_path)).ids == [Path(meant).stem]
        return
    with pytest.raises(DataProblems, match=r"no image .*; images of this name: "):
        masks(path=str(tmp_path))


# --------------------------------------------------------------------------- forms of Unicode

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "ö/ü.png") for form in ("NFC", "NFD"))
FORMS = pytest.mark.parametrize(("on_disk", "listed"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", ["", "images/", "/home/me/"])
@FORMS
def test_a_name_is_found_in_another_form_of_unicode(
    tmp_path: Path, kind: str, before: str, on_disk: str, listed: str
) -> None:
    """Macs store decomposed names, other programs write composed ones."""
    root = named(spread(tmp_path, on_disk, "else/p.png"), kind, before + listed, "p.png")
    assert masks(path=str(root)).ids == ["p", "ü"]
    named(root, kind, Path(listed).name, "p.png")
    assert masks(path=str(root)).ids == ["p", "ü"]
    named(root, kind, f"{before}{Path(listed).parent}/p.png", before + listed)  # the folder lacks p.png
    assert masks(path=str(root), skip_bad=True).ids == ["ü"]


@pytest.mark.parametrize("kind", KINDS)
@FORMS
def test_so_is_a_folder_without_images(tmp_path: Path, kind: str, on_disk: str, listed: str) -> None:
    root = named(spread(tmp_path, "else/p.png"), kind, f"{Path(listed).parent}/p.png")
    (root / "images" / on_disk).mkdir(parents=True)
    with pytest.raises(DataProblems, match=r"no image .*/p\.png below .*; images of this name: "):
        masks(path=str(root))


@FORMS
def test_so_is_the_image_beside_a_labelme_file(tmp_path: Path, on_disk: str, listed: str) -> None:
    spread(tmp_path, on_disk)
    labelme((tmp_path / "images" / on_disk).with_name(Path(listed).with_suffix(".json").name), "")
    assert masks(path=str(tmp_path)).ids == ["ü"]


@pytest.mark.parametrize("images", ["images", "train_images"])
@FORMS
def test_so_is_an_image_of_run_lengths(tmp_path: Path, images: str, on_disk: str, listed: str) -> None:
    image(tmp_path / images / on_disk)
    for path in (Path(listed).name, listed):
        (tmp_path / "train.csv").write_text(f"ImageId,ClassId,EncodedPixels\n{path},1,1 2\n")
        dataset = masks(path=str(tmp_path))
        assert dataset.ids == ["ü"] and dataset.targets.load(0).any()


@pytest.mark.parametrize(
    ("images", "of_masks", "sample"),
    [("images", "masks", "ö/ü"), ("train", "train_annot", "train/ü")],
)
@FORMS
def test_so_is_a_mask(
    tmp_path: Path, images: str, of_masks: str, sample: str, on_disk: str, listed: str
) -> None:
    image(tmp_path / images / on_disk)
    mask = tmp_path / of_masks / listed
    mask.parent.mkdir(parents=True)
    Image.fromarray(np.eye(20, 30, dtype=np.uint8)).save(mask)
    (tmp_path / "classes.csv").write_text("value,path\n0,a\n1,b\n")
    assert masks(path=str(tmp_path)).ids == [sample]


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_forms_of_one_name_the_one_that_is_written_is_meant(tmp_path: Path, kind: str) -> None:
    for k, name in enumerate((COMPOSED, DECOMPOSED)):
        image(tmp_path / "images" / name)
        Image.new("L", (30, 20 + k)).save(tmp_path / "images" / name)
    if len(list((tmp_path / "images").iterdir())) == 1:
        pytest.skip("this file system takes both forms for one name")
    for k, name in enumerate((COMPOSED, DECOMPOSED)):
        assert masks(path=str(named(tmp_path, kind, name))).targets.load(0).shape == (20 + k, 30)
    named(tmp_path, kind, COMPOSED, DECOMPOSED)
    with pytest.raises(DataProblems, match=r"has the same name as .* in another form of Unicode"):
        masks(path=str(tmp_path))
    named(tmp_path, kind, unicodedata.normalize("NFC", "ö/") + unicodedata.normalize("NFD", "ü.png"))
    (tmp_path / "1.json").unlink(missing_ok=True)
    with pytest.raises(DataProblems, match=r"no image ö/u.\.png below .*; images of this name: "):
        masks(path=str(tmp_path))
