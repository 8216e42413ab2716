"""Every look of version 3 at every size, its masks, and a golden sample.

``python tests/plugins/hmcbench_sem/surfaces/test_pictures.py`` renews the golden file; raise ``VERSION`` in
generate.py when it changes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from hmcbench_sem.surfaces.frame import Frame
from hmcbench_sem.surfaces.generate import VERSION
from hmcbench_sem.surfaces.looks import BY_NAME, LOOKS, of_leaf
from hmcbench_sem.surfaces.microscope import MAIN_LAB, OTHER_LAB
from hmcbench_sem.surfaces.pictures import clutter, render

GOLDEN = Path(__file__).with_name("golden_pictures.json")
NAMES = sorted(BY_NAME)


def blocks(image: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 blocks: blind to the last bit of a sine, not to another picture."""
    side = image.shape[0] // 8
    return image.reshape(8, side, 8, side).mean(axis=(1, 3))


def sample() -> dict[str, np.ndarray]:
    """One picture of every look, one of another lab, and one with two mechanisms."""
    drawn = {name: render((5, k), [name], 64, MAIN_LAB) for k, name in enumerate(NAMES)}
    drawn["other lab"] = render((6,), ["dimples"], 64, OTHER_LAB)
    drawn["two"] = render((7,), ["dimples", "intergranular"], 64, MAIN_LAB)
    return {name: blocks(picture.grey) for name, picture in drawn.items()}


def test_pictures_do_not_drift():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    now = sample()
    assert golden["version"] == VERSION
    assert set(golden["blocks"]) == set(now)
    for name, means in now.items():
        np.testing.assert_allclose(means, golden["blocks"][name], atol=2.0, err_msg=name)


def test_every_class_has_looks_whose_shares_add_up():
    assert {look.leaf for look in LOOKS} == set(LEAF_IDS)
    for leaf in LEAF_IDS:
        assert sum(look.share for look in of_leaf(leaf)) == pytest.approx(1)


def test_striations_and_beach_marks_belong_to_other_magnifications():
    fine, coarse = BY_NAME["striations"].width, BY_NAME["beach-marks"].width
    assert coarse[0] > 10 * fine[1]
    pixel = [render((1,), [name], 32, MAIN_LAB).pixel for name in ("striations", "beach-marks")]
    assert pixel[1] > 10 * pixel[0]


@pytest.mark.parametrize("name", NAMES)
def test_surfaces_stay_in_single_precision(name):
    frame = Frame(32, 100.0, 0.4)
    for k in range(4):
        rng = np.random.default_rng(k)
        surface = clutter(rng, frame, BY_NAME[name].draw(rng, frame))
        for field in (surface.height, surface.tone, surface.heavy, surface.shown):
            assert field.dtype == np.float32
            assert field.shape == (frame.rows, frame.size)
            assert np.isfinite(field).all()
        assert surface.tone.min() > -0.5
        assert 0 <= surface.shown.min() <= surface.shown.max() <= 1 + 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_any_size_shows_the_same_scene(name):
    alike = []
    for k in range(4):
        fine, coarse = (blocks(render((4, k), [name], size, MAIN_LAB).grey).ravel() for size in (128, 80))
        alike.append(np.corrcoef(fine, coarse)[0, 1])
    assert np.mean(alike) > 0.7


@pytest.mark.parametrize("instrument", [MAIN_LAB, OTHER_LAB])
def test_no_picture_is_blank_or_burnt_out(instrument):
    for k, name in enumerate(NAMES * 2):
        image = render((11, k), [name], 64, instrument).grey
        assert image.std() > 8
        assert np.mean((image == 0) | (image == 255)) < 0.2


def test_masks_say_where_each_mechanism_is():
    shares = []
    for k in range(30):
        masks = render((12, k), ["crack-network", "intergranular"], 32, MAIN_LAB).masks
        assert set(masks) == {"crack-network", "intergranular"}
        assert not (masks["crack-network"] & masks["intergranular"]).any()
        shares.append([mask.mean() for mask in masks.values()])
    assert np.min(np.mean(shares, axis=0)) > 0.25
    assert not render((13,), ["machined"], 32, MAIN_LAB).masks["machined"].any()
    assert render((13,), ["spalled-scale"], 32, MAIN_LAB).masks["spalled-scale"].all()


def test_a_mask_lies_on_what_it_names():
    """Where grains meet a machined surface, the side that the mask names is the rougher one."""
    rougher = []
    for k in range(20):
        picture = render((14, k), ["intergranular", "machined"], 64, MAIN_LAB)
        mask = picture.masks["intergranular"]
        rough = np.abs(np.diff(picture.grey.astype(float), axis=1, append=0))
        rougher.append(rough[:, :-1][mask[:, :-1]].mean() > rough[:, :-1][~mask[:, :-1]].mean())
    assert np.mean(rougher) > 0.6


if __name__ == "__main__":
    means = {name: value.round(1).tolist() for name, value in sample().items()}
    GOLDEN.write_text(json.dumps({"version": VERSION, "blocks": means}) + "\n", encoding="utf-8")
