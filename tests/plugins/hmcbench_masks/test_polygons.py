"""Polygons of COCO and labelme become label maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_masks.datasets import masks
from hmcbench_masks.lint import lint
from hmcbench_masks.reader.polygons import Region
from hmcbench_masks.reader.shapes import drawn
from PIL import Image, ImageDraw

from hmcbench.errors import BadInput, DataProblems

from .conftest import RIGHT, SQUARE, coco, image


def test_coco_with_overlaps(tmp_path: Path) -> None:
    dataset = masks(path=str(coco(tmp_path)))
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    assert hierarchy.classes == ("background", "crack", "defect", "defect/pore")
    assert (dataset.task.paths, dataset.ids) == ("multiple", ["p", "qq"])
    assert set(dataset.targets.objects) == {"crack", "defect/pore"}
    first = dataset.targets.legend[dataset.targets.load(0)]
    assert [hierarchy.decode(first[i, j]) for i, j in ((0, 0), (5, 3), (5, 8), (5, 14))] == [
        ("background",),
        ("defect/pore",),
        ("crack", "defect/pore"),
        ("crack",),
    ]
    assert masks(path=str(tmp_path), overlap="last").task.paths == "single"


def test_labelme(tmp_path: Path) -> None:
    for name in ("p.png", "qq.png"):
        image(tmp_path, name)
        shapes = [
            {"label": "pore", "points": SQUARE, "shape_type": "polygon"},
            {"label": "dirt", "points": [[20, 5], [25, 9]], "shape_type": "rectangle"},
        ]
        content = {"imagePath": f"..\\images\\{name}", "imageHeight": 20, "imageWidth": 30, "shapes": shapes}
        (tmp_path / "images" / name).with_suffix(".json").write_text(json.dumps(content))
    (tmp_path / "classes.csv").write_text("value,path\npore,defect/pore\ndirt,ignore\nbackground,metal\n")
    dataset = masks(path=str(tmp_path))
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    assert hierarchy.classes == ("defect", "metal", "defect/pore")
    labels = dataset.targets.load(0)
    assert labels[7, 22] == 255
    assert hierarchy.decode(dataset.targets.legend[labels[5, 5]]) == ("defect/pore",)
    assert hierarchy.decode(dataset.targets.legend[labels[15, 3]]) == ("metal",)


def category(number: int, name: str, above: str = "none") -> dict[str, Any]:
    return {"id": number, "name": name, "supercategory": above}


def classes(root: Path) -> tuple[str, ...]:
    hierarchy = masks(path=str(root)).task.hierarchy
    assert hierarchy is not None
    return hierarchy.classes


def test_categories_of_one_name_below_two_others(tmp_path: Path) -> None:
    root = coco(tmp_path, categories=[category(1, "pore", "cast"), category(2, "pore", "weld")])
    assert classes(root) == ("background", "cast", "weld", "cast/pore", "weld/pore")
    assert (masks(path=str(root)).targets.class_pixels[1, [1, 2]] > 0).tolist() == [False, True]
    (root / "classes.csv").write_text("value,path\npore,pore\n")
    with pytest.raises(
        BadInput, match=r"pore is the name of 2 categories\. Allowed: cast/pore and weld/pore"
    ):
        masks(path=str(root))
    (root / "classes.csv").write_text("value,path\ncast/pore,gas\nweld/pore,metal/pore\n")
    assert classes(root) == ("background", "gas", "metal", "metal/pore")


def test_supercategories_have_supercategories(tmp_path: Path) -> None:
    chain = [category(1, "dimple", "ductile"), category(2, "ductile", "fracture"), category(3, "fracture")]
    root = coco(tmp_path, categories=chain)
    assert classes(root) == ("background", "fracture", "fracture/ductile", "fracture/ductile/dimple")
    for categories, said in (
        ([*chain[:2], category(3, "fracture", "dimple")], "category dimple lies below itself"),
        ([*chain, category(4, "ductile", "shear")], "supercategory ductile of dimple is the name of several"),
    ):
        with pytest.raises(BadInput, match=said):
            masks(path=str(coco(tmp_path, categories=categories)))


def test_names_of_categories_with_blanks(tmp_path: Path) -> None:
    root = coco(tmp_path, categories=[category(1, "crack ", " defect"), category(2, "crack / edge")])
    assert classes(root) == ("background", "crack", "defect", "crack/edge", "defect/crack")
    (root / "classes.csv").write_text("value,path\ncrack,line\ncrack / edge,line/edge\n")
    assert classes(root) == ("background", "line", "line/edge")
    (root / "classes.csv").unlink()
    with pytest.raises(BadInput, match=r"the category 'crack\|edge'.*contains '\|'"):
        masks(path=str(coco(tmp_path, categories=[category(1, "pore"), category(2, "crack|edge")])))


def test_images_without_polygons_are_counted(tmp_path: Path) -> None:
    root = coco(tmp_path)
    assert not [p for p in lint(path=str(root)).problems if p.kind == "no-polygons"]
    for name in ("rrr.png", "ssss.png"):
        image(root, name)
    (problem,) = [p for p in lint(path=str(root)).problems if p.kind == "no-polygons"]
    assert problem.what == "2 images have no polygons and are left out: images/rrr.png, ..."
    assert not problem.fatal
    dataset = masks(path=str(root))
    assert dataset.ids == ["p", "qq"] and problem.what in dataset.notes


def test_rows_of_images_csv_name_images_by_their_paths(tmp_path: Path) -> None:
    root = coco(tmp_path, images=[{"id": i, "file_name": n} for i, n in enumerate(("sub/p.png", "qq.png"))])
    (root / "images" / "sub").mkdir()
    (root / "images" / "p.png").rename(root / "images" / "sub" / "p.png")
    for row in ("sub/p.png", "images/sub/p.png", "p", "p.png"):
        (root / "images.csv").write_text(f"file,group\n{row},g\n")
        assert masks(path=str(root)).groups == ["g", "qq"]
    (root / "images.csv").write_text("file,group\nelse/p.png,g\n")
    with pytest.raises(DataProblems, match=r"images\.csv:2: no image else/p\.png"):
        masks(path=str(root))


def test_the_last_shape_lies_above() -> None:
    regions = [Region("a", [SQUARE]), Region("b", [RIGHT]), Region("a", [SQUARE])]
    pixels, names = drawn(20, 30, regions, "last")
    assert [set(names[pixels[5, x]]) for x in (3, 8, 12, 25)] == [{"a"}, {"a"}, {"b"}, set()]


def on_the_whole_image(polygons: list[list[tuple[float, float]]], height: int, width: int) -> np.ndarray:
    """The slow way: a canvas as large as the image."""
    canvas = Image.new("1", (width, height))
    for polygon in polygons:
        if len(polygon) >= 3:
            ImageDraw.Draw(canvas).polygon(polygon, fill=1)
    return np.array(canvas, dtype=bool)


def test_a_shape_in_its_box_is_that_on_the_whole_image() -> None:
    rng = np.random.default_rng(0)
    for _ in range(400):
        height, width = rng.integers(1, 200, 2).tolist()
        polygons = [  # some leave the image, some lie beside it, some are no polygon
            [tuple(point) for point in rng.uniform(-60, 260, 2) + rng.normal(0, scale, (corners, 2))]
            for scale, corners in zip(rng.choice([3, 30, 4000], 2), rng.integers(1, 9, 2), strict=True)
        ]
        part = Region("a", polygons).inside(height, width)
        whole = np.zeros((height, width), dtype=bool)
        whole[part.box] = part.mask
        assert (whole == on_the_whole_image(polygons, height, width)).all()


def test_a_small_shape_costs_as_much_as_its_box() -> None:
    assert Region("a", [SQUARE]).inside(3000, 4000).mask.size < 1000
    assert Region("a", [[(-9, -9), (-5, -9), (-5, -5)]]).inside(3000, 4000).mask.size < 1000


def test_a_label_that_cannot_be_a_class_may_have_a_row(tmp_path: Path) -> None:
    image(tmp_path, "p.png")
    content = {"imagePath": "images/p.png", "shapes": [{"label": "a//b", "points": SQUARE}]}
    (tmp_path / "p.json").write_text(json.dumps(content))
    (tmp_path / "classes.csv").write_text("value,path\na//b,edge\n")
    assert classes(tmp_path) == ("background", "edge")


def test_folders_named_like_files_are_none(tmp_path: Path) -> None:
    root = coco(tmp_path)
    for name in ("x.json", "x.csv", "images/x.png"):
        (root / name).mkdir()
    report = lint(path=str(root))
    assert report.facts["images"] == "2" and not report.problems
