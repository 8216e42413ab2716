"""What ``hmcbench data lint`` says about images with masks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from hmcbench.interfaces import DataReport
from hmcbench_masks.datasets import TI64
from hmcbench_masks.reader import checks
from hmcbench_masks.reader.content import MaskFolder, Options, read_folder


def lint(*, path: str = "", overlap: str = "several", max_pixels: int = 0, **_more: Any) -> DataReport:
    """The report on a folder.

    Raises:
        BadInput: a folder that cannot be read.
    """
    return report(read_folder(path, Options(overlap, max_pixels, look=True)))


def lint_ti64(*, path: str = "", **_more: Any) -> DataReport:
    """The report on the Ti-6Al-4V micrographs."""
    return report(read_folder(path, Options(table=TI64, look=True)))


def report(content: MaskFolder) -> DataReport:
    """Counts and problems of a folder."""
    problems = [*content.problems, *checks.displaced(content.displaced)]
    return DataReport(str(content.root), _facts(content), problems)


def _facts(content: MaskFolder) -> dict[str, str]:
    images, hierarchy = content.images, content.hierarchy
    facts = {"images": f"{len(images):,}"}
    sizes = Counter(image.shape for image in images)
    shown = [f"{width} x {height} ({n})" for (height, width), n in sizes.most_common(4)]
    facts["sizes"] = ", ".join(shown) + ", ..." * (len(sizes) > 4)
    groups = {image.pair.group for image in images} - {""}
    if groups:
        facts["groups"] = f"{len(groups):,}"
    facts["classes"] = f"{hierarchy.n} on {hierarchy.depth} level{'s' * (hierarchy.depth > 1)}"
    if not images:
        return facts
    counts = np.array([image.counts for image in images])
    legend = hierarchy.encode(content.sets).toarray().astype(np.int64)
    pixels, held = counts[:, :-1].sum(axis=0) @ legend, (counts[:, :-1] @ legend > 0).sum(axis=0)
    labelled = counts[:, :-1].sum()
    for name, n, in_images in zip(hierarchy.classes, pixels, held, strict=True):
        facts[f"class {name}"] = f"{n / labelled:.1%} of the pixels, in {in_images} images"
    facts["not labelled"] = f"{counts[:, -1].sum() / counts.sum():.1%} of the pixels"
    return facts
