"""Polygons of COCO and labelme become label maps."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_masks.datasets import masks
from hmcbench_masks.lint import lint
from hmcbench_masks.reader.named_images import NamedImages
from hmcbench_masks.reader.polygons import Region
from hmcbench_masks.reader.shapes import drawn
from PIL import Image, ImageDraw

from hmcbench.errors import BadInput, DataProblems

SQUARE = [(2, 2), (9, 2), (9, 9), (2, 9)]
RIGHT = [(6, 2), (15, 2), (15, 9), (6, 9)]
RING = np.ravel(SQUARE).tolist()


def image(root: Path, name: str) -> None:
    (root / "images").mkdir(exist_ok=True, parents=True)
    pixels = np.random.default_rng(len(name)).integers(0, 255, (20, 30)).astype(np.uint8)
    Image.fromarray(pixels).save(root / "images" / name)


def coco(root: Path, **changes: Any) -> Path:
    for name in ("p.png", "qq.png"):
        image(root, name)
    content = {
        "images": [
            {"id": i, "file_name": n, "height": 20, "width": 30} for i, n in enumerate(("p.png", "qq.png"))
        ],
        "categories": [{"id": 1, "name": "pore", "supercategory": "defect"}, {"id": 2, "name": "crack"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [np.ravel(SQUARE).tolist()]},
            {"id": 2, "image_id": 0, "category_id": 2, "segmentation": [np.ravel(RIGHT).tolist()]},
            {"id": 3, "image_id": 1, "category_id": 2, "segmentation": [np.ravel(SQUARE).tolist()]},
        ],
        **changes,
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"annotations": [{"id": 7, "image_id": 0, "category_id": 1, "segmentation": {"counts": []}}]},
            "run length",
        ),
        ({"annotations": [{"image_id": 9, "category_id": 1, "segmentation": []}]}, "image_id 9"),
        ({"images": [{"id": 0, "file_name": "none.png"}], "annotations": []}, "no image none.png"),
        ({"images": 3}, "no COCO file"),
    ],
)
def test_bad_coco_files_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        masks(path=str(coco(tmp_path, **changes)))


def test_other_sizes_and_categories_are_problems_of_files(tmp_path: Path) -> None:
    root = coco(
        tmp_path,
        images=[
            {"id": i, "file_name": n, "height": 21, "width": 30} for i, n in enumerate(("p.png", "qq.png"))
        ],
    )
    with pytest.raises(DataProblems, match="30 x 21"):
        masks(path=str(root))
    coco(tmp_path)
    (root / "classes.csv").write_text("value,path\npore,pore\n")
    with pytest.raises(DataProblems, match=r"category crack is not in classes\.csv"):
        masks(path=str(root))


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


@pytest.mark.parametrize("rings", [[], [[]], [[1, 2, 3, 4], [5, 6]]])
def test_a_region_without_a_polygon_is_a_problem_of_its_image(tmp_path: Path, rings: list[Any]) -> None:
    notes = [
        {"id": i, "image_id": 0, "category_id": 1, "segmentation": r} for i, r in enumerate((rings, [RING]))
    ]
    root = coco(tmp_path, annotations=notes)
    with pytest.raises(
        DataProblems, match=r"p\.png: annotation 0 \(pore\) has no polygon of 3 corners or more"
    ):
        masks(path=str(root))
    assert masks(path=str(root), skip_bad=True).ids == ["qq"]


def test_so_is_a_shape_of_labelme(tmp_path: Path) -> None:
    image(tmp_path, "p.png")
    shape = {"label": "a", "points": [[1, 2]], "shape_type": "rectangle"}
    (tmp_path / "p.json").write_text(json.dumps({"imagePath": "images/p.png", "shapes": [shape]}))
    (problem,) = [p for p in lint(path=str(tmp_path)).problems if p.kind == "no-polygon"]
    assert (problem.where, problem.fatal) == ("images/p.png", True)


@pytest.mark.parametrize("label", [None, "", " "])
def test_a_shape_of_labelme_without_a_label(tmp_path: Path, label: str | None) -> None:
    image(tmp_path, "p.png")
    shape = {"label": label, "points": [[1, 2], [5, 6]], "shape_type": "rectangle"}
    (tmp_path / "p.json").write_text(json.dumps({"imagePath": "images/p.png", "shapes": [shape]}))
    with pytest.raises(BadInput, match=r"p\.json: it has a shape without a label"):
        masks(path=str(tmp_path))


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


@pytest.mark.parametrize("place", ["p.json", "images/p.json"])
def test_a_labelme_file_without_the_name_of_its_image(tmp_path: Path, place: str) -> None:
    image(tmp_path, "p.PNG")
    file = tmp_path / place
    file.write_text(json.dumps({"shapes": [{"label": "a", "points": SQUARE}]}))
    assert masks(path=str(tmp_path)).ids == ["p"]
    image(tmp_path, "p.tif")
    with pytest.raises(BadInput, match=r"it has no imagePath, and images/p\.PNG and images/p\.tif could be"):
        masks(path=str(tmp_path))
    file.rename(file.with_name("q.json"))
    with pytest.raises(BadInput, match="it has no imagePath, and no image q below"):
        masks(path=str(tmp_path))


def test_other_json_is_refused(tmp_path: Path) -> None:
    image(tmp_path, "p.png")
    for text in ("[]", "{", '{"a": 1}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(BadInput, match=r"x\.json"):
            masks(path=str(tmp_path))


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


def test_two_images_of_one_name_are_named(tmp_path: Path) -> None:
    root = coco(tmp_path, images=[{"id": i, "file_name": n} for i, n in enumerate(("p.png", "p.tif"))])
    image(root, "p.tif")
    with pytest.raises(DataProblems, match=r"images/p\.png: has the same name as images/p\.tif; rename one"):
        masks(path=str(root))
    coco(tmp_path, images=[{"id": i, "file_name": "p.png"} for i in range(2)])
    with pytest.raises(DataProblems, match=r"images/p\.png: is listed several times"):
        masks(path=str(root))


def test_an_image_is_that_of_its_folder(tmp_path: Path) -> None:
    root = coco(tmp_path, images=[{"id": i, "file_name": n} for i, n in enumerate(("sub/p.png", "qq.png"))])
    (root / "images" / "sub").mkdir()
    Image.new("L", (40, 40)).save(root / "images" / "sub" / "p.png")
    assert masks(path=str(root)).targets.load(0).shape == (40, 40)
    (root / "annotations.json").unlink()
    for name in ("p", "sub/p"):
        content = {"imagePath": "p.png", "shapes": [{"label": "a", "points": SQUARE}]}
        (root / "images" / name).with_suffix(".json").write_text(json.dumps(content))
    with pytest.raises(DataProblems, match=r"images/p\.png: has the same name as images/sub/p\.png"):
        masks(path=str(root))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("images", [7]),
        ("images", None),
        ("categories", [{"id": [], "name": "pore"}]),
        ("categories", ["pore"]),
        ("annotations", [["id"]]),
        ("annotations", {}),
    ],
)
def test_values_of_another_kind_are_named_in_one_line(tmp_path: Path, part: str, value: Any) -> None:
    with pytest.raises(BadInput, match=r"annotations\.json is no COCO file") as error:
        masks(path=str(coco(tmp_path, **{part: value})), skip_bad=True)
    assert "\n" not in str(error.value) and not isinstance(error.value, DataProblems)


@pytest.mark.parametrize(
    ("image_0", "where", "what"),
    [
        ({"file_name": 5}, "annotations.json", "image 0 has no file_name"),
        ({"file_name": "\0"}, "annotations.json", "no image"),
        ({"file_name": "x" * 300 + "/y"}, "annotations.json", "no image y"),
        ({"id": []}, "images/p.png", "it has no id in annotations.json"),
        ({"id": 1}, "images/p.png", "several images have its id 1"),
        (
            {"height": None},
            "images/p.png",
            "its height and width in annotations.json are no numbers (None, 30)",
        ),
        ({"height": 1e999}, "images/p.png", "(inf, 30)"),
        ({"width": "wide"}, "images/p.png", "(20, 'wide')"),
    ],
)
def test_a_bad_image_of_coco_is_a_problem_of_its_own(
    tmp_path: Path, image_0: dict[str, Any], where: str, what: str
) -> None:
    images = [
        {"id": i, "file_name": name, "height": 20, "width": 30}
        for i, name in enumerate(("p.png", "qq.png", "rrr.png"))
    ]
    image(tmp_path, "rrr.png")
    root = coco(tmp_path, images=[{**images[0], **image_0}, *images[1:]])
    with pytest.raises(DataProblems) as error:
        masks(path=str(root))
    assert where in [p.where for p in error.value.problems if what in p.what]
    assert "\n" not in str(error.value)
    assert "rrr" in masks(path=str(root), skip_bad=True).ids


@pytest.mark.parametrize(
    ("note", "what"),
    [
        ({"category_id": 9}, "annotation 7 is of category 9, which the file lacks"),
        ({"category_id": []}, "annotation 7 is of category [], which the file lacks"),
        ({"segmentation": None}, "annotation 7 has no polygons; allowed: a segmentation that lists them"),
        ({"segmentation": ""}, "annotation 7 has no polygons; allowed: a segmentation that lists them"),
        ({"segmentation": {"counts": ""}}, "annotation 7 is a run length; allowed: polygons"),
        ({"segmentation": RING}, "annotation 7 has a polygon that cannot be read: 2 is no list of numbers"),
        ({"segmentation": [RING[1:]]}, "7 numbers are no pairs of x and y"),
        ({"segmentation": [["x", *RING[1:]]]}, "'x', 2 is no place in pixels"),
        ({"segmentation": [[None, *RING[1:]]]}, "None, 2 is no place in pixels"),
        ({"segmentation": [[math.nan, *RING[1:]]]}, "nan, 2 is no place in pixels"),
        ({"segmentation": [[1e9, *RING[1:]]]}, "1000000000.0, 2 is no place in pixels"),
        ({"segmentation": [[10**400, *RING[1:]]]}, "10000000000000000000, 2 is no place in pixels"),
        ({"image_id": 9}, "annotation 7 (image_id 9) is of no image that the file lists"),
        ({"image_id": {}}, "annotation 7 (image_id {}) is of no image that the file lists"),
    ],
)
def test_a_bad_annotation_of_coco_is_a_problem_of_its_image(
    tmp_path: Path, note: dict[str, Any], what: str
) -> None:
    good = {"id": 6, "image_id": 0, "category_id": 1, "segmentation": [RING]}
    root = coco(tmp_path, annotations=[good, {**good, "id": 7, **note}])
    (problem,) = [p for p in lint(path=str(root)).problems if p.fatal]
    stray = "image_id" in note
    assert problem.where == ("annotations.json" if stray else "images/p.png") and what in problem.what
    with pytest.raises(DataProblems) as error:
        masks(path=str(root))
    assert "\n" not in str(error.value) and "--skip-bad" in str(error.value)
    assert masks(path=str(root), skip_bad=True).ids == (["p", "qq"] if stray else ["qq"])


def test_annotations_of_no_image_are_one_problem(tmp_path: Path) -> None:
    notes = [{"image_id": 5 + i, "category_id": 1, "segmentation": [RING]} for i in range(3)]
    (problem,) = [p for p in lint(path=str(coco(tmp_path, annotations=notes))).problems if p.fatal]
    assert problem.what == "annotation number 1 (image_id 5) and 2 more are of no image that the file lists"


@pytest.mark.parametrize(
    "content",
    [
        {"shapes": [1]},
        {"shapes": None},
        {"shapes": [{"label": "a", "points": [["x", 1]]}]},
        {"shapes": [{"label": "a", "points": [[1, 2, 3]]}]},
        {"shapes": [{"label": "a", "points": [[1, -math.inf]]}]},
        {"shapes": [], "imageHeight": 1e999, "imageWidth": 3},
        {"shapes": [], "imageHeight": None, "imageWidth": 3},
    ],
)
def test_so_are_those_of_labelme(tmp_path: Path, content: Any) -> None:
    image(tmp_path, "p.png")
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"p\.json: it is no labelme file"):
        masks(path=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"shapes": null, "imagePath": "images/p.png"}', "p.json: it is no labelme file"),
        (
            '{"shapes": [{"label": "a", "shape_type": "circle"}], "imagePath": "images/p.png"}',
            "of type circle",
        ),
        ('{"shapes": [{"label": "a//b", "points": []}], "imagePath": "images/p.png"}', "'a//b' cannot be"),
        (
            '{"shapes": [{"label": " / ", "points": []}], "imagePath": "images/p.png"}',
            "'/' cannot be a class",
        ),
        ('{"shapes": [{"label": "a|b", "points": []}], "imagePath": "images/p.png"}', "contains '|'"),
        ('{"shapes": [], "imagePath": "images/none.png"}', "no image none.png"),
        ('{"shapes": [], "imagePath": "\\u0000"}', "no image|imagePath"),
        ("{", "p.json: it cannot be read as JSON"),
        ('{"of": "another program"}', "p.json: it holds no polygons"),
    ],
)
def test_one_labelme_file_that_cannot_be_used_can_be_left_out(tmp_path: Path, text: str, said: str) -> None:
    image(tmp_path, "p.png")
    (tmp_path / "p.json").write_text(text)
    image(tmp_path, "qq.png")
    shapes = [{"label": "a", "points": SQUARE}]
    (tmp_path / "q.json").write_text(json.dumps({"imagePath": "images/qq.png", "shapes": shapes}))
    with pytest.raises(DataProblems, match=said) as error:
        masks(path=str(tmp_path))
    assert "--skip-bad" in str(error.value) and "\n" not in str(error.value)
    assert masks(path=str(tmp_path), skip_bad=True).ids == ["qq"]


def test_one_image_of_coco_that_cannot_be_used_can_be_left_out(tmp_path: Path) -> None:
    notes = [{"id": 7, "image_id": 0, "category_id": 1, "segmentation": {"counts": []}}]
    notes.append({"id": 8, "image_id": 1, "category_id": 2, "segmentation": [RING]})
    images = [{"id": i, "file_name": n} for i, n in enumerate(("p.png", "qq.png", "none.png"))]
    root = coco(tmp_path, annotations=notes, images=images)
    problems = sorted((p.where, p.what) for p in lint(path=str(root)).problems if p.fatal)
    assert problems == [
        ("annotations.json", f"no image none.png below {root}"),
        ("images/p.png", "annotation 7 is a run length; allowed: polygons"),
    ]
    assert masks(path=str(root), skip_bad=True).ids == ["qq"]


def test_a_shape_without_a_type_and_json_without_a_bottom_are_named(tmp_path: Path) -> None:
    image(tmp_path, "p.png")
    shape = {"label": "a", "points": SQUARE, "shape_type": None}
    (tmp_path / "p.json").write_text(json.dumps({"shapes": [shape, {**shape, "shape_type": "circle"}]}))
    with pytest.raises(BadInput, match="shapes of type None, circle"):
        masks(path=str(tmp_path))
    (tmp_path / "p.json").write_text('{"shapes":' * 100_000)
    with pytest.raises(BadInput, match="cannot be read"):
        masks(path=str(tmp_path))


def test_a_label_that_cannot_be_a_class_may_have_a_row(tmp_path: Path) -> None:
    image(tmp_path, "p.png")
    content = {"imagePath": "images/p.png", "shapes": [{"label": "a//b", "points": SQUARE}]}
    (tmp_path / "p.json").write_text(json.dumps(content))
    (tmp_path / "classes.csv").write_text("value,path\na//b,edge\n")
    assert classes(tmp_path) == ("background", "edge")


def spread(root: Path, *names: str) -> Path:
    """Images in folders of ``images/``."""
    for name in names:
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (30, 20)).save(root / "images" / name)
    return root


@pytest.mark.parametrize(
    ("named", "meant"),
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
    tmp_path: Path, named: str, meant: str | None
) -> None:
    spread(tmp_path, "val/x.png", "train/y.png", "test/y.png")
    (tmp_path / "images" / "empty").mkdir()
    notes = [{"id": 1, "image_id": 0, "category_id": 1, "segmentation": [RING]}]
    root = coco(tmp_path, images=[{"id": 0, "file_name": named}], annotations=notes)
    images = NamedImages.below(root)
    if meant:
        assert masks(path=str(root)).ids == [Path(meant).stem]
        assert images.find(Path(named)) == root / "images" / meant
        return
    with pytest.raises(DataProblems, match=rf"no image {re.escape(named)} below .*; images of this name: "):
        masks(path=str(root))


@pytest.mark.parametrize(
    ("place", "named", "meant"),
    [
        ("images/train/x.json", "x.png", None),
        ("images/train/x.json", "", None),
        ("images/train/x.json", "../val/x.png", "val/x.png"),
        ("labels/x.json", "x.png", "val/x.png"),
        ("labels/x.json", "", "val/x.png"),
        ("labels/x.json", "../images/train/x.png", None),
        ("x.json", "C:\\data\\val\\x.png", "val/x.png"),
        ("labels/y.json", "y.png", None),
    ],
)
def test_so_is_that_of_a_labelme_file(tmp_path: Path, place: str, named: str, meant: str | None) -> None:
    spread(tmp_path, "val/x.png", "train/y.png", "test/y.png")
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"imagePath": named, "shapes": [{"label": "a", "points": SQUARE}]}))
    if meant:
        assert masks(path=str(tmp_path)).ids == [Path(meant).stem]
        return
    with pytest.raises(DataProblems, match=r"no image .*; images of this name: "):
        masks(path=str(tmp_path))


def test_json_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    root = tmp_path
    for name in ("p.png", "qq.png"):
        image(root, name)
    good = {"imagePath": "images/qq.png", "shapes": [{"label": "a", "points": SQUARE}]}
    (root / "qq.json").write_text("\ufeff" + json.dumps(good), encoding="utf-8")  # as Notepad writes it
    for text in ("{", '{"of": "another program"}'):
        (root / "images" / "p.json").write_text(text)
        (problem,) = [p for p in lint(path=str(root)).problems if p.fatal or p.kind == "no-polygons"]
        assert (problem.where, problem.kind) == ("images/p.json", "unreadable")
        (note,) = masks(path=str(root), skip_bad=True).notes
        assert note.startswith("left out, 1 problems: images/p.json (it ")


def test_with_skip_bad_too_the_cause_is_told_where_nothing_is_left(tmp_path: Path) -> None:
    root = coco(
        tmp_path,
        annotations=[
            {"id": i, "image_id": i, "category_id": 1, "segmentation": [RING[1:]]} for i in range(2)
        ],
    )
    with pytest.raises(DataProblems, match=r"p\.png: annotation 0 has a polygon") as error:
        masks(path=str(root), skip_bad=True)
    assert "--skip-bad" not in str(error.value)
    (root / "annotations.json").write_text("{")
    with pytest.raises(BadInput, match=r"annotations\.json: it cannot be read as JSON"):
        masks(path=str(root), skip_bad=True)


def test_folders_named_like_files_are_none(tmp_path: Path) -> None:
    root = coco(tmp_path)
    for name in ("x.json", "x.csv", "images/x.png"):
        (root / name).mkdir()
    report = lint(path=str(root))
    assert report.facts["images"] == "2" and not report.problems
