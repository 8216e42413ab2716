"""How the pictures are drawn: every class at every size, and a golden sample of them.

``python tests/plugins/hmcbench_sem/fractographs/test_scenes.py`` renews the golden file; raise
``VERSION`` in generate.py when it changes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.fractographs.detector import MAIN_LAB, OTHER_LAB, Surface
from hmcbench_sem.fractographs.fields import View
from hmcbench_sem.fractographs.generate import VERSION, fractographs
from hmcbench_sem.fractographs.scenes import SCENES, border, clutter, join, render
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS

GOLDEN = Path(__file__).with_name("golden_fractographs.json")


def blocks(image: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 blocks: blind to the last bit of a sine, not to another picture."""
    side = image.shape[0] // 8
    return image.reshape(8, side, 8, side).mean(axis=(1, 3))


def sample() -> dict[str, np.ndarray]:
    """One picture of every class, a shifted one, and one with two failures."""
    plain, mixed = fractographs(size=64), fractographs(size=64, composite=1.0)
    first = {label[0]: i for i, label in reversed(list(enumerate(plain.labels[:1771])))}
    chosen = {f"plain {plain.ids[i]}": plain.images[i] for i in [*first.values(), len(plain.ids) - 1]}
    chosen[f"composite {mixed.ids[3]}"] = mixed.images[3]
    return {name: blocks(image.load()) for name, image in chosen.items()}


def test_pictures_do_not_drift():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    now = sample()
    assert golden["version"] == VERSION
    assert set(golden["blocks"]) == set(now)
    for name, means in now.items():
        np.testing.assert_allclose(means, golden["blocks"][name], atol=2.0, err_msg=name)


def test_every_class_has_a_scene():
    assert set(SCENES) == set(LEAF_IDS)


@pytest.mark.parametrize("leaf", LEAF_IDS)
def test_surfaces_stay_in_single_precision(leaf):
    view = View.of(32, 1.1, 0.3)
    for k in range(4):
        rng = np.random.default_rng(k)
        surface = clutter(rng, view, SCENES[leaf](rng, view))
        assert surface.height.dtype == surface.tone.dtype == np.float32
        assert np.isfinite(surface.height).all()
        assert surface.tone.min() > -0.5


@pytest.mark.parametrize("leaf", LEAF_IDS)
@pytest.mark.parametrize("size", [33, 100])
def test_any_size_shows_the_same_scene(leaf, size):
    fine = blocks(render((3,), [leaf], 128, MAIN_LAB).grey)
    image = render((3,), [leaf], size, MAIN_LAB).grey.astype(float)
    at = ((np.arange(128) + 0.5) * size / 128).astype(int)
    other = blocks(image[np.ix_(at, at)])
    assert np.corrcoef(fine.ravel(), other.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("instrument", [MAIN_LAB, OTHER_LAB])
def test_no_picture_is_blank_or_burnt_out(instrument):
    for k, leaf in enumerate(LEAF_IDS * 3):
        image = render((11, k), [leaf], 64, instrument).grey
        assert image.std() > 12
        assert np.mean((image == 0) | (image == 255)) < 0.15


def test_two_surfaces_both_stay_in_sight():
    view = View.of(64, 1.0, 0.3)
    none, all_ = (Surface(flat, flat) for flat in (np.zeros_like(view.x), np.ones_like(view.x)))
    parts = [border(np.random.default_rng(k), view) for k in range(60)]
    shares = [join(none, all_, part).tone.mean() for part in parts]
    assert 0.2 < min(shares) < 0.4 < 0.6 < max(shares) < 0.8


if __name__ == "__main__":
    means = {name: value.round(1).tolist() for name, value in sample().items()}
    GOLDEN.write_text(json.dumps({"version": VERSION, "blocks": means}) + "\n", encoding="utf-8")
