"""Files of polygons that cannot be used: what is said, and what ``skip_bad`` leaves out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hmcbench_masks.datasets import masks
from hmcbench_masks.lint import lint

from hmcbench.errors import BadInput, DataProblems

from .conftest import RING, SQUARE, coco, image


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


def test_other_json_is_refused(tmp_path: Path) -> None:
    image(tmp_path, "p.png")
    for text in ("[]", "{", '{"a": 1}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(BadInput, match=r"x\.json"):
            masks(path=str(tmp_path))


def test_two_images_of_one_name_are_named(tmp_path: Path) -> None:
    root = coco(tmp_path, images=[{"id": i, "file_name": n} for i, n in enumerate(("p.png", "p.tif"))])
    image(root, "p.tif")
    with pytest.raises(DataProblems, match=r"images/p\.png: has the same name as images/p\.tif; rename one"):
        masks(path=str(root))
    coco(tmp_path, images=[{"id": i, "file_name": "p.png"} for i in range(2)])
    with pytest.raises(DataProblems, match=r"images/p\.png: is listed several times"):
        masks(path=str(root))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("images", [7]),
        ("images", None),
        ("categories", None),
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
        ({"file_name": ""}, "annotations.json", "image 0 has no file_name"),
        ({"file_name": " "}, "annotations.json", "image 0 has no file_name"),
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


def labelme(file: Path, named: str, **changes: Any) -> None:
    content = {"imagePath": named, "shapes": [{"label": "a", "points": SQUARE}], **changes}
    file.write_text(json.dumps(content))


def told(root: Path) -> set[tuple[str, str]]:
    """Where and what kind the problems are that a run refuses."""
    return {(problem.where, problem.kind) for problem in lint(path=str(root)).problems if problem.fatal}


@pytest.mark.parametrize("second", ["p.png", "p.tif"])
@pytest.mark.parametrize(
    ("image_1", "note_1", "kind"),
    [
        ({}, {}, "same-name"),
        ({}, {"segmentation": [RING[1:]]}, "no-polygon"),
        ({}, {"segmentation": {"counts": []}}, "run-length"),
        ({}, {"category_id": 9}, "unknown-class"),
        ({"height": "high"}, {}, "size"),
        ({"id": None}, {}, "no-id"),
    ],
)
def test_an_image_with_two_descriptions_in_coco_is_left_out_if_only_one_is_good(
    tmp_path: Path, second: str, image_1: dict[str, Any], note_1: dict[str, Any], kind: str
) -> None:
    names = ("p.png", second, "qq.png")
    images = [{"id": i, "file_name": name, "height": 20, "width": 30} for i, name in enumerate(names)]
    notes = [{"image_id": i, "category_id": 1, "segmentation": [RING]} for i in range(3)]
    images[1] |= image_1
    notes[1] |= note_1
    image(tmp_path, second)
    root = coco(tmp_path, images=images, annotations=notes)
    assert {("images/p.png", "same-name"), (f"images/{second}", kind)} - told(root) <= {
        (f"images/{second}", "same-name")
    }
    assert masks(path=str(root), skip_bad=True).ids == ["qq"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shapes": None},
        {"shapes": [{"label": "a", "points": SQUARE, "shape_type": "circle"}]},
        {"shapes": [{"label": "", "points": SQUARE}]},
        {"shapes": [{"label": "a|b", "points": SQUARE}]},
        {"imageHeight": "high"},
    ],
)
def test_so_is_one_with_two_files_of_labelme(tmp_path: Path, changes: dict[str, Any]) -> None:
    for name in ("p.png", "qq.png"):
        image(tmp_path, name)
        labelme((tmp_path / name).with_suffix(".json"), f"images/{name}")
    labelme(tmp_path / "p2.json", "images/p.png", **changes)
    assert ("images/p.png", "same-name") in told(tmp_path)
    assert masks(path=str(tmp_path), skip_bad=True).ids == ["qq"]


def test_so_is_one_whose_own_file_is_damaged(tmp_path: Path) -> None:
    for name in ("p.png", "qq.png"):
        image(tmp_path, name)
        labelme(tmp_path / f"{name}.json", f"images/{name}")
    for text, left in (('{"of": "another program"}', ["p", "qq"]), ('{"shapes": [', ["qq"])):
        (tmp_path / "images" / "p.json").write_text(text)
        assert masks(path=str(tmp_path), skip_bad=True).ids == left
    (tmp_path / "p.png.json").unlink()
    assert told(tmp_path) == {("images/p.json", "unreadable")}


@pytest.mark.parametrize("kind", ["coco", "labelme"])
@pytest.mark.parametrize(
    ("height", "width", "said"),
    [
        (20, 30, ""),
        (None, None, ""),
        ("absent", "absent", ""),
        (None, 30, "are no numbers (None, 30)"),
        (20, "absent", "are no numbers (20, None)"),
        (1e999, 30, "are no numbers (inf, 30)"),
        (20, "wide", "are no numbers (20, 'wide')"),
        (20, [], "are no numbers (20, [])"),
        (21, 30, "its polygons were drawn on 30 x 21"),
    ],
)
def test_the_size_of_an_image_may_be_left_open(
    tmp_path: Path, kind: str, height: Any, width: Any, said: str
) -> None:
    names = ("height", "width") if kind == "coco" else ("imageHeight", "imageWidth")
    size = {name: n for name, n in zip(names, (height, width), strict=True) if n != "absent"}
    coco(tmp_path, images=[{"id": 0, "file_name": "p.png", **size}, {"id": 1, "file_name": "qq.png"}])
    if kind == "labelme":
        (tmp_path / "annotations.json").unlink()
        labelme(tmp_path / "p.json", "images/p.png", **size)
        labelme(tmp_path / "qq.json", "images/qq.png")
    problems = [problem for problem in lint(path=str(tmp_path)).problems if problem.fatal]
    assert [problem.kind for problem in problems] == ["size"] * bool(said)
    assert all(said in problem.what for problem in problems)
    assert masks(path=str(tmp_path), skip_bad=True).ids == (["qq"] if said else ["p", "qq"])
