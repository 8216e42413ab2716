"""What happens on the way to the file: JPEG compression, a data bar."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PillowImage

from hmcbench import ShiftInputs
from hmcbench_sem.shifts.base import Grey, ShiftedImage, shifted_images

GLYPHS = 28  # in a line of a data bar


def jpeg(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """Saved as JPEG; ``severity``: 100 minus the quality."""

    def change(grey: Grey, severity: float, _rng: np.random.Generator) -> Grey:
        stream = io.BytesIO()
        picture = PillowImage.fromarray(np.rint(grey).astype(np.uint8))
        picture.save(stream, format="JPEG", quality=max(1, round(100 - severity)))
        return np.asarray(PillowImage.open(stream), dtype=np.float32)

    return shifted_images(inputs, severity, change)


def data_bar(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """The lowest rows are covered by a black bar with light signs; ``severity``: % of the height."""

    def change(grey: Grey, severity: float, rng: np.random.Generator) -> Grey:
        height, width = grey.shape[:2]
        rows = min(height, max(1, round(severity / 100 * height)))
        bar = np.zeros((rows, width), dtype=np.float32)
        lines = slice(rows // 4, max(rows // 4 + 1, rows - rows // 4))
        for place, present, share in rng.random((GLYPHS, 3)) + np.arange(GLYPHS)[:, None] * [1, 0, 0]:
            left = int(place / GLYPHS * width)
            if present < 0.7:
                bar[lines, left : left + max(1, int(width / GLYPHS * (0.3 + 0.4 * share)))] = 235
        covered = grey.copy()
        covered[height - rows :] = bar[..., None] if grey.ndim == 3 else bar
        return covered

    return shifted_images(inputs, severity, change)
