"""How the pictures are drawn: fields, cells, instruments, and a golden sample of them.

``python tests/plugins/hmcbench_sem/test_fractograph_scenes.py`` renews the golden file; raise
``VERSION`` in fractographs.py when it changes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hmcbench_sem.cells import Cells
from hmcbench_sem.detector import AWAY, HOME, Surface, expose
from hmcbench_sem.fields import View, noise, turned
from hmcbench_sem.fractographs import VERSION, fractographs
from hmcbench_sem.scenes import SCENES, clutter, meet, render
from hmcbench_sem.taxonomy import LEAF_IDS

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
    fine = blocks(render((3,), [leaf], 128, HOME))
    image = render((3,), [leaf], size, HOME).astype(float)
    at = ((np.arange(128) + 0.5) * size / 128).astype(int)
    other = blocks(image[np.ix_(at, at)])
    assert np.corrcoef(fine.ravel(), other.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("instrument", [HOME, AWAY])
def test_no_picture_is_blank_or_burnt_out(instrument):
    for k, leaf in enumerate(LEAF_IDS * 3):
        image = render((11, k), [leaf], 64, instrument)
        assert image.std() > 12
        assert np.mean((image == 0) | (image == 255)) < 0.15


@pytest.mark.parametrize(("low", "high", "slope"), [(1, 8, 1.0), (6, 36, 0.5), (3, 20, 2.0)])
def test_noise_is_standard(low, high, slope):
    rng, view = np.random.default_rng(0), View.of(64, 1.0, 0.0)
    fields = np.stack([noise(rng, view, low, high, slope) for _ in range(60)])
    assert fields.dtype == np.float32
    assert abs(fields.mean()) < 0.1
    assert fields.std() == pytest.approx(1, abs=0.1)
    band = np.abs(np.fft.rfft2(fields * np.hanning(64) * np.hanning(64)[:, None])) ** 2
    k = np.hypot(np.fft.fftfreq(64, 1 / 64)[:, None], np.arange(33)[None, :])
    assert band[:, (k >= low - 2) & (k <= high + 2)].sum() > 0.95 * band.sum()


@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_cells_against_brute_force(spread):
    view = View.of(48, 0.7, 0.5)
    x, y = turned(view, 0.7)
    cells = Cells(np.random.default_rng(1), view, x, y, 0.13, spread=spread)
    power = (x[..., None] - cells.seed_x) ** 2 + (y[..., None] - cells.seed_y) ** 2 + cells._handicap
    nearest = power.argmin(axis=-1)
    assert np.mean(nearest == cells.nearest) > 0.999
    pixel = np.hypot(x[0, 1] - x[0, 0], y[0, 1] - y[0, 0])
    apart = np.hypot(x.ravel()[:, None] - x.ravel(), y.ravel()[:, None] - y.ravel())

    def reach(label):
        """Distance of every pixel to the nearest one with another label."""
        mine = label[cells.nearest].ravel()
        return np.where(mine[:, None] != mine, apart, np.inf).min(axis=1).reshape(x.shape)

    steps = reach(np.arange(cells.count)) - cells.edge
    assert np.quantile(steps, 0.001) > -1e-4
    assert np.quantile(steps, 0.999) < 3 * pixel
    label = np.random.default_rng(2).integers(0, 3, cells.count)
    beside = reach(label) < 1.01 * pixel
    assert 0.1 < beside.mean() < 0.9
    assert cells.edge_between(label)[beside].max() < 1.1 * pixel
    assert np.all(cells.edge_between(label) >= cells.edge)
    assert cells.edge_between(np.zeros(cells.count)).min() > 100


def test_two_surfaces_both_stay_in_sight():
    view = View.of(64, 1.0, 0.3)
    none, all_ = (Surface(flat, flat) for flat in (np.zeros_like(view.x), np.ones_like(view.x)))
    shares = [meet(np.random.default_rng(k), view, none, all_).tone.mean() for k in range(60)]
    assert 0.2 < min(shares) < 0.4 < 0.6 < max(shares) < 0.8


def test_the_tone_curve_hides_the_material():
    """Whatever the signal was, most of the picture takes the grey levels that the operator chose."""
    view = View.of(128, 1.0, 0.0)
    field = noise(np.random.default_rng(0), view, 1, 30, 0.5)
    signals = [field, np.exp(field), np.where(field > 1, field, 0.01 * field)]
    levels = [np.quantile(expose(np.random.default_rng(4), s, HOME), [0.1, 0.5, 0.9]) for s in signals]
    np.testing.assert_allclose(levels[1:], [levels[0]] * 2, atol=0.06)


@pytest.mark.slow
def test_grey_levels_alone_do_not_tell_the_class():
    from sklearn.ensemble import RandomForestClassifier

    data = fractographs(size=64, shifted=False)
    used = np.r_[0:1771:2, 1771:1964]
    pictures = np.stack([data.images[i].load() for i in used])
    truth, test = np.array([data.labels[i][0] for i in used]), used >= 1771
    grey = np.stack([np.bincount(p.ravel() // 4, minlength=64) for p in pictures])
    forest = RandomForestClassifier(100, random_state=0).fit(grey[~test], truth[~test])
    assert forest.score(grey[test], truth[test]) <= 0.55


if __name__ == "__main__":
    means = {name: value.round(1).tolist() for name, value in sample().items()}
    GOLDEN.write_text(json.dumps({"version": VERSION, "blocks": means}) + "\n", encoding="utf-8")
