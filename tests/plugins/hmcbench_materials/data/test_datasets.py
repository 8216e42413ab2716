"""The datasets: real files where they are, synthetic ones anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_materials.composition.periodic_table import COLUMN
from hmcbench_materials.data.datasets import KINDS, load
from hmcbench_materials.data.steel import _heats

from hmcbench.interfaces import Dataset
from hmcbench.registry.registry import create, default_registry


@pytest.mark.parametrize("name", KINDS)
def test_every_dataset_has_a_synthetic_stand_in_that_says_so(name: str) -> None:
    spec = default_registry().get("datasets", name)
    dataset: Dataset = create(spec, {k: p.default for k, p in spec.params.items()} | {"source": "synthetic"})
    again = load(name, source="synthetic")
    other = load(name, source="synthetic", seed=1)
    assert dataset.synthetic and dataset.share_targets
    assert "synthetic" in dataset.notes[0]
    assert dataset.fingerprint == again.fingerprint != other.fingerprint
    assert tuple(dataset.views) == spec.views
    assert dataset.task.kind == spec.task
    assert 80 <= len(dataset.ids) == len(set(dataset.ids)) <= 300
    for view in dataset.views.values():
        assert view.shape[0] == len(dataset.ids) and np.isfinite(view).all()
    assert len(dataset.columns["table"]) == dataset.views["table"].shape[1]
    assert dataset.targets.shape[0] == len(dataset.ids)


def test_synthetic_alloys_have_every_class() -> None:
    for name in ("metallic-glass", "steel-plates"):
        dataset = load(name, source="synthetic")
        assert dataset.targets.sum(axis=0).min() >= 10
    paths = load("hea-phases", source="synthetic")
    assert (paths.task.paths, paths.task.depth) == ("single", "ragged")
    sets = load("hea-phases", source="synthetic", labels="phases")
    assert (sets.task.paths, sets.task.depth) == ("multiple", "ragged")


def test_nims(shared: Callable[[str], Path]) -> None:
    dataset = load("nims-steel", path=str(shared("nims_fatigue")))
    assert dataset.views["table"].shape == (360, 16)
    assert dataset.targets.shape == (360, 4)
    assert dataset.targets[0].tolist() == [397, 736, 1482, 235]
    assert not dataset.synthetic and not dataset.share_targets
    iron = 25  # atomic number less 1
    assert (dataset.views["composition"][:, iron] == 0).all()
    filled = dataset.views["composition_Fe_wt"]
    np.testing.assert_allclose(filled.sum(axis=1), 100)
    np.testing.assert_allclose(
        filled[0, iron], 100 - (0.35 + 0.21 + 0.77 + 0.021 + 0.022 + 0.01 + 0.01 + 0.02)
    )
    np.testing.assert_allclose(dataset.views["composition_Fe_at"].sum(axis=1), 100)


def test_heats_are_compositions(shared: Callable[[str], Path]) -> None:
    steels = np.zeros((5, 118))
    carbon, chromium, molybdenum = (COLUMN[symbol] for symbol in ("C", "Cr", "Mo"))
    steels[:, carbon] = 0.3
    steels[[0, 2], chromium] = steels[[1, 3], molybdenum] = 0.5
    first, other, same, also, plain = _heats(steels)
    assert (first, other) == (same, also) and len({first, other, plain}) == 3
    dataset = load("nims-steel", path=str(shared("nims_fatigue")), split_by="heat")
    alike = np.unique(dataset.views["composition_wt"], axis=0, return_inverse=True)[1]
    assert len(set(dataset.groups or ())) == len(set(zip(dataset.groups or (), alike, strict=True))) == 120


def test_metallic_glass(shared: Callable[[str], Path]) -> None:
    folder = shared("amorphous_alloys")
    dataset = load("metallic-glass", path=str(folder))
    by_file = load("metallic-glass", path=str(folder / "GFA.csv"))
    assert dataset.fingerprint == by_file.fingerprint
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    counts = dict(zip(hierarchy.classes, dataset.targets.sum(axis=0).tolist(), strict=True))
    assert counts["amorphous/RMG"] == 3708 and counts["amorphous/BMG"] == 1210
    assert counts["crystalline/CRA"] == 1552 - 1  # one formula cannot be read
    assert any("GFA.csv:1233: Alloy: 'Al40Cu60T': 'T' is no element" in note for note in dataset.notes)
    assert dataset.groups is None
    grouped = load("metallic-glass", path=str(folder), split_by="system")
    assert grouped.groups is not None
    assert Counter(grouped.groups)["Al-Cu-Zr"] == 18
    np.testing.assert_allclose(dataset.views["composition"].sum(axis=1), 100)


PUBLISHED = [  # dataset, its folder, its fingerprint in results/
    ("nims-steel", "nims_fatigue", {}, "68a281a8777c0cde"),
    ("metallic-glass", "amorphous_alloys", {}, "a2db8c00d0cf90c8"),
    ("hea-phases", "cca_phases", {}, "fde1bc3900c54c11"),
    ("hea-phases", "cca_phases", {"labels": "phases"}, "0e23a34b0fe0341b"),
    ("hea-hardness", "cca_phases", {}, "324206935c8617a1"),
    ("steel-plates", "steel_plates_faults", {}, "cb8f7f9995364846"),
]


@pytest.mark.parametrize(("name", "folder", "options", "fingerprint"), PUBLISHED)
def test_published_data_are_read_as_they_were(
    name: str, folder: str, options: dict[str, Any], fingerprint: str, shared: Callable[[str], Path]
) -> None:
    """Formulas and phases of the published results; another fingerprint means that all must be run anew."""
    assert load(name, path=str(shared(folder)), **options).fingerprint.startswith(fingerprint)


def test_hea(shared: Callable[[str], Path]) -> None:
    folder = str(shared("cca_phases"))
    paths = load("hea-phases", path=folder)
    hierarchy = paths.task.hierarchy
    assert hierarchy is not None
    assert (paths.task.paths, paths.task.depth) == ("single", "ragged")
    ends = Counter(hierarchy.decode(row)[0] for row in paths.targets)
    assert ends == {
        "MP/IM": 235,
        "SP/SS/BCC": 76,
        "MP/SS/MSS": 64,
        "AM": 61,
        "SP/SS/FCC": 58,
        "SP/IM": 31,
        "MP/SS/BCC": 20,
        "MP/SS/FCC": 10,
        "SP/SS/HCP": 2,
    }
    sets = load("hea-phases", path=folder, labels="phases")
    assert sets.task.hierarchy is not None
    total = dict(zip(sets.task.hierarchy.classes, sets.targets.sum(axis=0).tolist(), strict=True))
    assert total["solid-solution/BCC"] == 288 and total["solid-solution/FCC"] == 268
    assert total["intermetallic/ordered/B2"] == 108 and total["amorphous"] == 61
    assert total["intermetallic/Laves/C14"] == 26 and total["intermetallic/sigma"] == 34
    hardness = load("hea-hardness", path=folder)
    assert hardness.targets.shape == (290, 1)


def test_steel_plates_with_and_without_a_header(shared: Callable[[str], Path], tmp_path: Path) -> None:
    file = shared("steel_plates_faults") / "steel_plates_faults.csv"
    dataset = load("steel-plates", path=str(file))
    assert dataset.views["table"].shape == (1941, 27)
    assert not dataset.share_targets  # as in the published records
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    assert [len(hierarchy.level_classes(k)) for k in (1, 2)] == [4, 7]
    lines = file.read_text().splitlines()[1:]
    (tmp_path / "Faults.NNA").write_text("\n".join("\t".join(li.split(",")[:34]) for li in lines))
    original = load("steel-plates", path=str(tmp_path))
    assert np.array_equal(original.views["table"], dataset.views["table"])
    assert (original.targets != dataset.targets).nnz == 0
