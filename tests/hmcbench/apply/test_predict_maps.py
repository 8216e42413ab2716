"""Label maps of new images as files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hmcbench.apply.predict_maps import MapFolder, PredictedMap, map_names
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy

HIERARCHY = Hierarchy.from_paths([["a", "x"], ["a", "y"], ["b"]])
SETS = [["a/x"], ["b"], ["a/x", "b"], []]


def predicted(path: str, labels: list[list[int]], sets: int = 4) -> PredictedMap:
    legend = HIERARCHY.encode(SETS[:sets]).toarray()
    maps = np.array(labels, dtype=np.uint8)
    return PredictedMap(path, np.full((*maps.shape, 3), 100, np.uint8), maps, legend)


def test_areas_of_parents_are_those_of_their_parts() -> None:
    areas = dict(zip(HIERARCHY.classes, predicted("i", [[0, 1, 2, 3], [0, 0, 0, 0]]).areas(), strict=True))
    assert areas == {"a": 0.75, "b": 0.25, "a/x": 0.75, "a/y": 0.0}


def test_what_is_written(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("in/one.tif", "in/more/two.png")]
    folder = MapFolder(tmp_path / "out", paths, HIERARCHY)
    assert not (tmp_path / "out").exists()
    folder.write(predicted(paths[0], [[0, 1], [1, 0]], sets=2))
    folder.write(predicted(paths[1], [[0, 1], [2, 3]]))
    written = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*"))
    names = ["more/two.png", "one.png"]
    assert written == ["classes.csv", *(f"{kind}/{n}" for kind in ("masks", "overlays") for n in names)]
    with Image.open(tmp_path / "out" / "masks" / "more" / "two.png") as image:
        assert image.mode == "P" and np.asarray(image).tolist() == [[0, 1], [2, 3]]
    with (tmp_path / "out" / "classes.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["value", "path"], ["0", "a/x"], ["1", "b"], ["2", "b|a/x"], ["3", "ignore"]]
    with Image.open(tmp_path / "out" / "overlays" / "more" / "two.png") as image:
        drawn = np.asarray(image)
    assert drawn[1, 1].tolist() == [178] * 3  # no class: half of white on the grey level 100
    assert len({tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}) == 4


def test_nothing_that_exists_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    with pytest.raises(BadInput, match="holds files already"):
        MapFolder(tmp_path, ["a.png"], HIERARCHY)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="holds files already"):
        MapFolder(tmp_path / "file", ["a.png"], HIERARCHY)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["d/a.tif"], ["a.png"]),
        (["d/a.tif", "e/a.tif"], ["d/a.png", "e/a.png"]),
        (["d/a.tif", "d/a.png"], ["a.tif.png", "a.png.png"]),
        (["../d/a.tif", "b.png"], None),
        ([], []),
    ],
)
def test_names_lead_nowhere_else(paths: list[str], names: list[str] | None) -> None:
    file_names = list(map_names(paths).values())
    assert len(set(file_names)) == len(paths) and not any(".." in Path(name).parts for name in file_names)
    assert names is None or file_names == names
