"""Grey levels of a micrograph."""

from __future__ import annotations

import numpy as np
from hmcbench_sem.fractographs.detector import MAIN_LAB, expose
from hmcbench_sem.fractographs.fields import View, noise


def test_the_tone_curve_hides_the_material():
    """Whatever the signal was, most of the picture takes the grey levels that the operator chose."""
    view = View.of(128, 1.0, 0.0)
    field = noise(np.random.default_rng(0), view, 1, 30, 0.5)
    signals = [field, np.exp(field), np.where(field > 1, field, 0.01 * field)]
    levels = [np.quantile(expose(np.random.default_rng(4), s, MAIN_LAB), [0.1, 0.5, 0.9]) for s in signals]
    np.testing.assert_allclose(levels[1:], [levels[0]] * 2, atol=0.06)
