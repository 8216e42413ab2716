"""Categories of a COCO file that cannot be classes cost the images that have them, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_masks.datasets import masks
from hmcbench_masks.lint import lint
from PIL import Image

from hmcbench.errors import BadInput, DataProblems

RING = [2, 2, 9, 2, 9, 9, 2, 9]
GOOD = [{"id": 1, "name": "pore", "supercategory": "defect"}, {"id": 2, "name": "crack"}]


def coco(root: Path, categories: list[Any], *used: int) -> Path:
    """Two images: ``p`` has the categories 1 and ``used``, ``qq`` has 2."""
    (root / "images").mkdir(exist_ok=True)
    for k, name in enumerate(("p", "qq")):
        Image.fromarray(np.full((20, 30), k, np.uint8)).save(root / "images" / f"{name}.png")
    has = [(0, 1), (1, 2), *((0, number) for number in used)]
    content = {
        "images": [{"id": i, "file_name": f"{name}.png"} for i, name in enumerate(("p", "qq"))],
        "categories": categories,
        "annotations": [
            {"id": i, "image_id": of, "category_id": number, "segmentation": [RING]}
            for i, (of, number) in enumerate(has)
        ],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def classes(root: Path, **options: Any) -> tuple[str, ...]:
    hierarchy = masks(path=str(root), **options).task.hierarchy
    assert hierarchy is not None
    return hierarchy.classes


def category(number: Any, name: Any, above: Any = None) -> dict[str, Any]:
    return {"id": number, "name": name, "supercategory": above}


CIRCLE = [category(3, "a", "b"), category(4, "b", "c"), category(5, "c", "a")]
TWICE = [category(3, "a", "b"), category(4, "b", "x"), category(5, "b", "y")]
BAD: list[tuple[str, list[dict[str, Any]], str]] = [
    ("a bar", [category(3, "a|b")], "the category 'a|b' cannot be a class: .*contains '|'"),
    (
        "a gap",
        [category(3, "a//b")],
        "the category 'a//b' cannot be a class: .*it has a gap; a row of",
    ),
    ("above it a bar", [category(3, "a", "x|y")], "the category 'x|y/a' cannot be a class"),
    ("a circle", CIRCLE, "the category 'a' cannot be a class: the category a lies below itself"),
    ("below a circle", [*CIRCLE[1:], category(3, "d", "b"), category(6, "a", "b")], "b lies below itself"),
    (
        "above it two of a name",
        TWICE,
        "'a' cannot be a class: the supercategory b of a is the name of",
    ),
    ("above it no name", [category(3, "a", ["b"])], "the supercategory of a is no name"),
    ("no name", [category(3, None)], "category 3 has no name"),
    ("an empty name", [category(3, " ")], "category 3 has no name"),
    ("a list as a name", [category(3, ["a"])], "category 3 has no name"),
    ("two of an id", [category(3, "a"), category(3, "b")], "several categories have the id 3"),
]


@pytest.mark.parametrize(("categories", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_category_that_cannot_be_a_class(
    tmp_path: Path, categories: list[dict[str, Any]], said: str
) -> None:
    said = said.replace("|", r"\|").replace("[", r"\[")
    good = classes(coco(tmp_path, GOOD))
    root = coco(tmp_path, [*GOOD, *categories])
    problems = [p for p in lint(path=str(root)).problems if p.kind == "unused-category"]
    assert {(p.where, p.fatal) for p in problems} == {("annotations.json", False)}
    assert all(p.what.endswith("; it is left out, as no image has it") for p in problems)
    assert set(good) <= set(classes(root))
    (note,) = [note for note in masks(path=str(root)).notes if "left out, as no image" in note]
    with pytest.raises(DataProblems, match=rf"images/p\.png: annotation 2: .*{said}") as error:
        masks(path=str(coco(tmp_path, [*GOOD, *categories], 3)))
    assert "--skip-bad" in str(error.value) and "\n" not in str(error.value) + note
    assert masks(path=str(root), skip_bad=True).ids == ["qq"]
    assert [p.where for p in error.value.problems] == ["images/p.png"]


def test_every_category_that_is_left_out_is_told(tmp_path: Path) -> None:
    root = coco(tmp_path, [*GOOD, *CIRCLE, category(6, "a|b"), {"name": "without"}, None, category([], "d")])
    problems = [p for p in lint(path=str(root)).problems if p.kind == "unused-category"]
    assert [p.what.partition("; ")[0] for p in problems] == [
        *(f"the category '{c}' cannot be a class: the category {c} lies below itself" for c in "abc"),
        "the category 'a|b' cannot be a class: the path 'a|b' cannot be used: class name 'a|b' contains '|', "
        "which joins labels",
        "category number 7 has no id",
        "category number 8 has no id",
        "category number 9 has no id",
    ]
    assert classes(root) == ("background", "crack", "defect", "defect/pore")
    (note,) = masks(path=str(root)).notes
    assert note.startswith("the category 'a' cannot be a class") and note.endswith("; and 2 more")


def test_good_categories_without_an_image_stay_classes(tmp_path: Path) -> None:
    root = coco(tmp_path, [*GOOD, category(3, "dirt", "other"), category(3, "dirt", "other")])
    assert "other/dirt" in classes(root)
    (problem,) = [p for p in lint(path=str(root)).problems if "other/dirt" in p.what]
    assert (problem.kind, problem.fatal) == ("no-positive", False)


def test_an_annotation_of_no_image_does_not_use_its_category(tmp_path: Path) -> None:
    root = coco(tmp_path, [*GOOD, category(3, "a|b")])
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"].append({"image_id": 9, "category_id": 3, "segmentation": [RING]})
    (root / "annotations.json").write_text(json.dumps(content))
    assert {p.kind for p in lint(path=str(root)).problems} >= {"unused-category", "no-image"}
    assert masks(path=str(root), skip_bad=True).ids == ["p", "qq"]


def test_where_all_images_are_left_out_the_cause_is_told(tmp_path: Path) -> None:
    root = coco(tmp_path, [category(1, "a|b"), category(2, "c//d")])
    with pytest.raises(DataProblems, match=r"images/p\.png: annotation 0: the category 'a\|b'") as error:
        masks(path=str(root), skip_bad=True)
    assert "--skip-bad" not in str(error.value)


def test_classes_csv_names_a_category_whatever_its_path(tmp_path: Path) -> None:
    root = coco(tmp_path, [*GOOD, *CIRCLE, category(6, "a|b")], 3, 4, 6)
    (root / "classes.csv").write_text("value,path\npore,pore\ncrack,crack\na,x/a\nb,x/b\na|b,x/c\n")
    assert classes(root) == ("background", "crack", "pore", "x", "x/a", "x/b", "x/c")
    root = coco(tmp_path, [*GOOD, *TWICE, category(6, "a", "d")], 3)  # of two of one name the path is needed
    with pytest.raises(DataProblems, match="the supercategory b of a is the name of several"):
        masks(path=str(root))
    assert masks(path=str(root), skip_bad=True).ids == ["qq"]


def test_a_row_of_classes_csv_is_not_ambiguous_where_images_have_one_category(tmp_path: Path) -> None:
    root = coco(tmp_path, [*GOOD, category(3, "pore", "weld")])
    (root / "classes.csv").write_text("value,path\npore,gas\ncrack,crack\n")
    assert classes(root) == ("background", "crack", "gas")
    assert masks(path=str(root)).targets.class_pixels[0].tolist() == [536, 0, 64]
    with pytest.raises(BadInput, match=r"pore is the name of 2 categories\. Allowed: defect/pore and "):
        masks(path=str(coco(tmp_path, [*GOOD, category(3, "pore", "weld")], 3)))


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("images", "image number 3 has no file_name"),
        ("annotations", "annotation number 3 (image_id None) is of no image that the file lists"),
    ],
)
def test_what_is_no_object_in_a_list_is_left_out_alone(tmp_path: Path, part: str, what: str) -> None:
    root = coco(tmp_path, GOOD)
    content = json.loads((root / "annotations.json").read_text())
    content[part].append(None)
    (root / "annotations.json").write_text(json.dumps(content))
    (problem,) = [p for p in lint(path=str(root)).problems if p.fatal]
    assert (problem.where, problem.what, problem.skippable) == ("annotations.json", what, True)
    assert masks(path=str(root), skip_bad=True).ids == ["p", "qq"]
