"""Metrics of label maps against slow versions that look at every pixel, and against other libraries."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import find_boundaries
from sklearn.metrics import confusion_matrix, jaccard_score

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, sample_stats
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.fixtures import three_samples, two_maps
from hmcbench.metrics.ids import find_spec
from hmcbench.metrics.label_pairs import LabelPairs, count_pairs
from hmcbench.metrics.map_objects import border, border_f1, overlaps
from hmcbench.metrics.pixels import level_miou

HIERARCHY = Hierarchy.from_paths([("a", "x"), ("a", "y"), ("b",)])
SETS = [("a/x",), ("a/y",), ("b",), ("a",), ("a/x", "b")]
LEGEND = HIERARCHY.encode(SETS).toarray()
PIXELS = (
    "level{k}_miou",
    "level{k}_dice",
    "hierarchical_iou",
    "class_iou",
    "area_error",
    "boundary_f1",
    "aji",
)


def maps_of(pictures: list[np.ndarray], tolerance: float = 1.0) -> LabelMaps:
    return LabelMaps(pictures, LEGEND, np.full(len(pictures), tolerance), ("b", "a/x"))


@st.composite
def problems(draw: Any) -> Evaluation:
    """One to three images of up to 6 x 7 pixels; labels at any depth, on one path or two, and unlabelled."""
    seed, images = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 3))
    rng = np.random.default_rng(seed)
    sizes = [(rng.integers(1, 7), rng.integers(1, 8)) for _ in range(images)]
    truth = [rng.choice([0, 1, 2, 3, 4, 255], size).astype(np.uint8) for size in sizes]
    guess = [rng.integers(0, 5, size).astype(np.uint8) for size in sizes]
    task = Task("hmc", "multiple", "ragged", HIERARCHY, unit="pixel")
    return Evaluation.of_maps(task, maps_of(truth), maps_of(guess))


def images_of(e: Evaluation) -> list[list[tuple[set[str], set[str]]]]:
    """Per image the true and predicted set of classes of every labelled pixel."""
    assert e.pairs is not None
    closed = [{name for name, held in zip(HIERARCHY.classes, row, strict=True) if held} for row in LEGEND]
    pairs = zip(e.pairs.truth, e.pairs.predicted, strict=True)
    return [
        [(closed[t], closed[p]) for t, p in zip(a.ravel(), b.ravel(), strict=True) if t != 255]
        for a, b in pairs
    ]


def slow_iou(pixels: list[tuple[set[str], set[str]]], name: str) -> tuple[int, int, int]:
    both = sum(name in t and name in p for t, p in pixels)
    return both, sum(name in p for _, p in pixels), sum(name in t for t, _ in pixels)


def share(above: float, below: float) -> float:
    return above / below if below else 0.0


def slow_overlaps(e: Evaluation) -> dict[str, float]:
    images = images_of(e)
    pixels = [pixel for image in images for pixel in image]
    counts = {name: slow_iou(pixels, name) for name in HIERARCHY.classes}
    iou = {name: share(b, p + t - b) for name, (b, p, t) in counts.items()}
    out = {f"class_iou[{name}]": value for name, value in iou.items()}
    for k in (1, 2):
        level = [name for name in HIERARCHY.classes if name.count("/") == k - 1 and counts[name][2]]
        dice = [share(2 * counts[n][0], counts[n][1] + counts[n][2]) for n in level]
        out[f"level{k}_miou"] = share(sum(iou[n] for n in level), len(level))
        out[f"level{k}_dice"] = share(sum(dice), len(level))
    both, p, t = (sum(c[i] for c in counts.values()) for i in range(3))
    out["hierarchical_iou"] = share(both, p + t - both)
    for name in HIERARCHY.classes:
        errors = [
            100 * abs(sum(name in p for _, p in image) - sum(name in t for t, _ in image)) / len(image)
            for image in images
            if image
        ]
        out[f"area_error[{name}]"] = share(sum(errors), len(errors))
    return out


@given(e=problems())
def test_overlaps_and_areas(e: Evaluation) -> None:
    values = compute(SPECS, e, [name for name in PIXELS if name not in ("boundary_f1", "aji")])
    assert not values.failures
    assert values == pytest.approx(slow_overlaps(e), abs=1e-12)


def slow_border(mask: np.ndarray, known: np.ndarray) -> list[tuple[int, int]]:
    out = []
    for i, j in product(range(mask.shape[0]), range(mask.shape[1])):
        near = [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
        inside = [(a, b) for a, b in near if 0 <= a < mask.shape[0] and 0 <= b < mask.shape[1]]
        if mask[i, j] and known[i, j] and any(known[p] and not mask[p] for p in inside):
            out.append((i, j))
    return out


def slow_near(points: list[tuple[int, int]], others: list[tuple[int, int]], reach: float) -> float:
    hits = sum(any((a - c) ** 2 + (b - d) ** 2 <= reach**2 for c, d in others) for a, b in points)
    return share(hits, len(points))


@given(e=problems())
def test_borders(e: Evaluation) -> None:
    assert e.pairs is not None
    means = []
    for c in range(HIERARCHY.n):
        scores = []
        for truth, guess in zip(e.pairs.truth, e.pairs.predicted, strict=True):
            known = truth != 255
            of_class = np.append(LEGEND[:, c], [False] * 251)
            if not of_class[truth].any():
                continue
            true, said = slow_border(of_class[truth], known), slow_border(of_class[guess], known)
            if true or said:
                p, r = slow_near(said, true, 1.0), slow_near(true, said, 1.0)
                scores.append(share(2 * p * r, p + r))
        means += [float(np.mean(scores))] if scores else []
    values = compute(SPECS, e, ["boundary_f1"])
    assert values.get("boundary_f1") == (pytest.approx(np.mean(means)) if means else None)


def slow_aji(e: Evaluation, c: int) -> float | None:
    """As published: the true objects one by one, with the objects of scikit-image."""
    assert e.pairs is not None
    above = below = objects = 0
    of_class = np.append(LEGEND[:, c], [False] * 251)
    for truth, guess in zip(e.pairs.truth, e.pairs.predicted, strict=True):
        known = truth != 255
        true, said = (label(of_class[part] & known, connectivity=2) for part in (truth, guess))
        used = set()
        for i in range(1, true.max() + 1):
            objects += 1
            mask = true == i
            near = sorted(set(said[mask]) - {0})
            if not near:
                below += int(mask.sum())
                continue
            best = max(near, key=lambda j: share((mask & (said == j)).sum(), (mask | (said == j)).sum()))
            above += int((mask & (said == best)).sum())
            below += int((mask | (said == best)).sum())
            used.add(best)
        below += sum(int((said == j).sum()) for j in range(1, said.max() + 1) if j not in used)
    return share(above, below) if objects else None


@given(e=problems())
def test_objects(e: Evaluation) -> None:
    values = compute(SPECS, e, ["aji"])
    for c, name in enumerate(HIERARCHY.classes):
        wanted = slow_aji(e, c) if name in ("b", "a/x") else None
        assert values.get(f"aji[{name}]") == (None if wanted is None else pytest.approx(wanted))


@given(e=problems())
def test_metrics_of_samples_are_those_of_pixels(e: Evaluation) -> None:
    """The same numbers as with every pixel as a sample of its own."""
    pixels = [pixel for image in images_of(e) for pixel in image]
    rows = [HIERARCHY.encode([part[i] for part in pixels]).toarray() for i in (0, 1)]
    alone = Evaluation.of_sets(HIERARCHY, *rows)
    names = [s.name for s in SPECS if s.decided]
    wanted, values = (compute(SPECS, x, names) for x in (alone, e))
    assert values.keys() == wanted.keys()
    assert values == pytest.approx(dict(wanted), abs=1e-9)


@given(e=problems())
def test_sums_of_rows_are_the_metric(e: Evaluation) -> None:
    assert e.pairs is not None
    for name, value in compute(SPECS, e, [*PIXELS, "hf1_samples", "level1_accuracy", "class_f1"]).items():
        pair = sample_stats(find_spec(SPECS, name), e, name)
        assert pair is not None
        stats, reduce = pair
        assert stats.shape[0] == len(e.pairs)
        assert float(reduce(stats.sum(axis=0))) == pytest.approx(value, abs=1e-12)


def test_other_libraries_agree() -> None:
    rng = np.random.default_rng(0)
    truth, guess = (rng.integers(0, 3, (5, 40, 30)).astype(np.uint8) for _ in range(2))
    hierarchy = Hierarchy.from_edges([("", "p"), ("", "q"), ("", "r")])
    task, legend = Task("hmc", "single", "full", hierarchy, unit="pixel"), np.eye(3, dtype=bool)
    e = Evaluation.of_maps(task, LabelMaps(list(truth), legend), LabelMaps(list(guess), legend))
    values = compute(SPECS, e, ["level1_miou", "class_iou"])
    wanted = jaccard_score(truth.ravel(), guess.ravel(), average=None)
    assert [values[f"class_iou[{n}]"] for n in "pqr"] == pytest.approx(list(wanted))
    assert values["level1_miou"] == pytest.approx(wanted.mean())
    assert e.pairs is not None
    cells = confusion_matrix(truth.ravel(), guess.ravel())
    assert np.array_equal(e.pairs.pixels.reshape(3, 3), cells)


def test_borders_and_distances_are_those_of_scikit_image_and_scipy() -> None:
    rng = np.random.default_rng(1)
    first, second = (ndimage.gaussian_filter(rng.normal(size=(60, 50)), 3) > 0 for _ in range(2))
    known = np.ones(first.shape, dtype=bool)
    borders = [find_boundaries(mask, connectivity=1, mode="inner") & mask for mask in (first, second)]
    points = [border(mask, known) for mask in (first, second)]
    assert [len(p) for p in points] == [int(b.sum()) for b in borders]
    for reach in (0.0, 1.0, 2.0, 3.5):
        precision = (ndimage.distance_transform_edt(~borders[0]) <= reach)[borders[1]].mean()
        recall = (ndimage.distance_transform_edt(~borders[1]) <= reach)[borders[0]].mean()
        wanted = 2 * precision * recall / max(precision + recall, 1e-300)
        assert border_f1(points[0], points[1], reach) == pytest.approx(wanted)


def test_objects_are_counted_over_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    masks = [ndimage.gaussian_filter(rng.normal(size=(40, 30)), 2) > 0.05 for _ in range(2)]
    whole = overlaps(*masks)
    monkeypatch.setattr("hmcbench.metrics.map_objects.BAND", 70)
    assert all(np.array_equal(a, b) for a, b in zip(whole, overlaps(*masks), strict=True))


def test_numbers_without_a_row_and_other_sizes_are_refused() -> None:
    square = np.zeros((2, 2), np.uint8)
    for truth, guess, said in (
        (square, square[:1], "one size"),
        (square + 7, square, "legend lacks"),
        (square, square + 9, "has the number 9"),
    ):
        with pytest.raises(BadInput, match=said):
            count_pairs(truth, guess, 2, 2)


def test_many_labels_are_counted() -> None:
    truth = np.arange(600, dtype=np.uint16).reshape(20, 30)
    counts = count_pairs(truth, truth, 600, 600).reshape(600, 600)
    assert np.array_equal(counts, np.eye(600, dtype=np.int64))


def test_what_needs_scores_or_maps_says_so() -> None:
    values = compute(SPECS, two_maps())
    assert not values.failures
    assert {"auprc_micro", "level1_ece", "hf1_samples_raw", "incoherent_rate"} <= set(values.left_out)
    assert not [name for name in compute(SPECS, three_samples()) if find_spec(SPECS, name).unit == "pixel"]
    with pytest.raises(NotApplicable, match="label maps"):
        level_miou(three_samples(), 1)


LARGE = """
import sys
import numpy as np
sys.path[:0] = {path!r}
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
h = Hierarchy.from_paths([("a", "x"), ("a", "y"), ("b",)])
legend = h.encode([["a/x"], ["a/y"], ["b"]]).toarray()
grid = (np.arange(8000, dtype=np.uint16) // 400).astype(np.uint8)
truth = (grid[:, None] + grid[None]) % np.uint8(3)
guess = np.roll(truth, 5, axis=0)
e = Evaluation.of_maps(
    Task("hmc", "single", "full", h, unit="pixel"),
    LabelMaps([truth], legend, objects=("b",)), LabelMaps([guess], legend),
)
found = compute(SPECS, e)
assert not found.failures, found.failures
assert found["aji[b]"] > 0.9, found
status = open("/proc/self/status").read()  # getrusage would count the memory of the process that forked
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.slow
def test_a_map_of_8000_by_8000_is_scored_within_one_gibibyte() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", LARGE.format(path=sys.path)], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    assert int(completed.stdout) < 1024


def test_pairs_of_large_legends_take_the_memory_of_one_image() -> None:
    rng = np.random.default_rng(0)
    legend = rng.random((300, HIERARCHY.n)) < 0.5
    pictures = [rng.integers(0, 300, (8, 8)).astype(np.uint16) for _ in range(40)]
    maps = LabelMaps(pictures, legend, np.ones(40), ("b", "a/x"))
    tracemalloc.start()
    pairs = LabelPairs(maps, maps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (pairs.pairs[:, 0] == pairs.pairs[:, 1]).all() and pairs.counts.sum() == 40 * 64
    assert peak < 10 * 300 * 300 * 8, "40 dense rows would be four times as much"
