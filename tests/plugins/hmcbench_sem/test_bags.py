"""Images of one group as one sample, and synthetic specimens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.bags import PixelSeries, image_bags, sem_series

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.errors import BadInput, DataProblems

Gallery = Callable[..., Path]
FILES = {f"{k}.png": k for k in range(12)}


def index(label: Callable[[int], str], group: Callable[[int], str], header: str = "level1") -> str:
    return "\n".join([f"file,{header},group", *(f"{k}.png,{label(k)},{group(k)}" for k in range(12)), ""])


def test_a_group_is_one_sample(gallery: Gallery) -> None:
    root = gallery(FILES, index(lambda k: "ab"[k // 2 % 2], lambda k: f"g{k // 2}"))
    data = image_bags(path=str(root))
    assert sorted(data.ids) == [f"g{k}" for k in range(6)] and data.targets.shape == (6, 2)
    assert [len(bag) for bag in data.views["images"]] == [2] * 6
    assert data.notes == ["6 samples of 2 images"] and list(data.views) == ["images"]
    other = image_bags(path=str(gallery(FILES, index(lambda k: "ab"[k // 2 % 2], lambda k: f"h{k // 2}"))))
    assert other.fingerprint != data.fingerprint


def test_images_of_a_series_are_in_the_order_of_their_numbers(gallery: Gallery) -> None:
    names = [f"s{k + i}" for k in (100, 0, 10) for i in range(1, 7)]
    rows = [f"{name}.png,{'ab'[int(name[-1]) % 2]},g{name[-1]}" for name in names]
    root = gallery({f"{name}.png": int(name[1:]) for name in names}, "\n".join(["file,level1,group", *rows]))
    data = image_bags(path=str(root))
    assert data.ids == [f"g{i}" for i in range(1, 7)]
    bags = [[Path(image.path).stem for image in bag] for bag in data.views["images"]]
    assert bags == [[f"s{i}", f"s{10 + i}", f"s{100 + i}"] for i in range(1, 7)]


def test_bags_of_the_same_pictures_stay_on_one_side(gallery: Gallery) -> None:
    files = {f"{k}.png": {22: 1, 23: 0}.get(k, k) for k in range(24)}  # g11 shows g0, in another order
    rows = [f"{k}.png,{'ab'[k // 2 in (2, 4, 6, 8)]},g{k // 2}" for k in range(24)]
    data = image_bags(path=str(gallery(files, "\n".join(["file,level1,group", *rows]))))
    keys = dict(zip(data.ids, data.duplicates or (), strict=True))
    assert keys["g0"] == keys["g11"] and len(set(keys.values())) == 11


def test_bags_that_share_a_picture_stay_on_one_side(gallery: Gallery) -> None:
    """Also by way of a third one; a bag of their own pictures is in no group."""
    files = {f"{k}.png": {9: 0, 17: 8}.get(k, k) for k in range(48)}  # g0 and g4 share one, g4 and g8 another
    rows = [f"{k}.png,{'ab'[k // 2 % 2]},g{k // 2}" for k in range(48)]
    data = image_bags(path=str(gallery(files, "\n".join(["file,level1,group", *rows]))))
    joined = dict(zip(data.ids, data.groups or (), strict=True))
    assert {name for name, group in joined.items() if group} == {"g0", "g4", "g8"}
    assert joined["g0"] == joined["g4"] == joined["g8"] and len(set(data.duplicates or ())) == 24
    for fold in range(4):
        split = make_split(data, Protocol(kind="kfold", folds=4, repeats=1), fold)
        sides = {data.ids[row]: side for side, rows in split.sides.items() for row in rows}
        assert len({sides[name] for name in ("g0", "g4", "g8")}) == 1


def test_warnings_of_the_images_are_passed_on(gallery: Gallery) -> None:
    rows = [f"{k}.png,{'ab'[k // 2 % 2]},{'G1' if k // 2 == 5 else f'g{k // 2}'}" for k in range(12)]
    data = image_bags(path=str(gallery(FILES, "\n".join(["file,level1,group", *rows]))))
    assert any("look like another one" in note for note in data.notes)


def test_classes_that_become_too_small_are_left_out_too(gallery: Gallery) -> None:
    names = [f"{k}.png" for k in range(24)]
    labels = ["abc"[k // 2 % 3] for k in range(24)]  # four groups of each
    labels[0] = labels[6] = "c"  # two groups of a are now of two kinds
    rows = [f"{name},{label},g{k // 2}" for k, (name, label) in enumerate(zip(names, labels, strict=True))]
    path = str(gallery({n: k for k, n in enumerate(names)}, "\n".join(["file,level1,group", *rows])))
    data = image_bags(path=path, skip_bad=True)
    assert data.task.hierarchy is not None and set(data.task.hierarchy.classes) == {"b", "c"}
    assert len(data.ids) == 8
    (note,) = [note for note in data.notes if note.startswith("left out")]
    assert "g0 (the images of this group differ" in note and "class 'a' has 4 images in 2 units" in note


def test_no_group_that_is_left_is_one_clear_error(gallery: Gallery) -> None:
    root = str(gallery(FILES, index(lambda k: "ab"[k % 2], lambda k: f"g{k // 2}")))
    with pytest.raises(BadInput, match=r"no group of .* is left"):
        image_bags(path=root, skip_bad=True)
    root = str(gallery(FILES, index(lambda k: "b" if k in (0, 1) else "ab"[k % 2], lambda k: f"g{k // 2}")))
    with pytest.raises(DataProblems, match="no image is left"):
        image_bags(path=root, skip_bad=True)


def test_targets_of_a_group_make_a_regression(gallery: Gallery) -> None:
    root = gallery(FILES, index(lambda k: str(k // 2), lambda k: f"g{k // 2}", "target:x"))
    data = image_bags(path=str(root))
    assert data.task.targets == ("x",) and sorted(data.targets[:, 0].tolist()) == [0, 1, 2, 3, 4, 5]


def test_groups_of_two_kinds_are_refused_or_left_out(gallery: Gallery) -> None:
    rows = [f"{k}.png,{'ab'[k // 2 % 2] if k else 'b'},g{k // 2}" for k in range(14)]
    root = gallery({f"{k}.png": k for k in range(14)}, "\n".join(["file,level1,group", *rows]))
    with pytest.raises(DataProblems, match="differ in labels"):
        image_bags(path=str(root))
    assert "g0" not in image_bags(path=str(root), skip_bad=True).ids
    root = gallery(FILES, index(lambda k: "ab"[k % 2], lambda k: "" if k == 3 else f"g{k % 6}"))
    with pytest.raises(BadInput, match=r"1 images .* have no group"):
        image_bags(path=str(root))


def test_specimens_have_one_class_each_and_share_no_picture() -> None:
    data = sem_series(size=32, train=40, test=30)
    images = [image for bag in data.views["images"] for image in bag]
    assert len(set(images)) == len(images) and {len(bag) for bag in data.views["images"]} <= {2, 3, 4, 5, 6}
    assert len(set(data.ids)) == 70 and list(data.split or ()).count("test") == 30
    for bag, row in zip(data.views["images"], data.targets.toarray(), strict=True):
        assert data.task.hierarchy is not None
        assert {image.classes for image in bag} == {tuple(c for c in data.task.hierarchy.decode(row))}


def test_a_series_is_filled_with_black_or_thinned_out() -> None:
    (bag,) = sem_series(size=32, train=12, test=12).views["images"][:1]
    full = PixelSeries(32, len(bag)).transform([bag])[0]
    np.testing.assert_array_equal(full[:, :, 0], bag[0].load())
    longer = PixelSeries(32, 8).transform([bag])[0]
    np.testing.assert_array_equal(longer[:, :, : len(bag)], full)
    assert not longer[:, :, len(bag) :].any()
    np.testing.assert_array_equal(PixelSeries(32, 1).transform([bag])[0], full[:, :, :1])
