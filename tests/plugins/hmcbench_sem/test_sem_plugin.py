"""The plugin's specs, its suite, its taxonomy, and the synthetic default."""

from __future__ import annotations

import subprocess
import sys

from hmcbench_sem.dataset import failure_hierarchy, sem_failure
from hmcbench_sem.lint import lint_failure
from hmcbench_sem.taxonomy import CLASSES, LEAF_IDS, LEAVES

from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import create, default_registry

MISPRINT = "HFF_CNN_VT"


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = "import sys, hmcbench_sem; hmcbench_sem.hmcbench_datasets(); print(sorted(sys.modules))"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"'numpy'", "'PIL'", "'scipy'", "'torch'"} & set(listed.strip("[]\n").split(", "))


def test_specs_resolve_and_create() -> None:
    registry = default_registry()
    spec, params = registry.resolve("featurizers", "pixels[size=32,channels=3]")
    assert create(spec, params).size == 32
    for name in ("sem-failure", "images"):
        spec, params = registry.resolve("datasets", name)
        assert spec.path_param in params
        assert spec.params[spec.path_param].cosmetic


def test_taxonomy_is_table_1() -> None:
    assert [leaf.test for leaf in LEAVES] == [32, 36, 13, 72, 20, 20]
    assert [leaf.train + leaf.test for leaf in LEAVES] == [327, 365, 137, 727, 206, 202]
    hierarchy = failure_hierarchy()
    assert hierarchy.level_sizes.tolist() == [2, 6]
    assert set(hierarchy.descriptions) == {c.id for c in CLASSES}


def test_synthetic_default() -> None:
    data = sem_failure(size=32, seed=1)
    assert data.synthetic
    assert (data.task.paths, data.task.depth) == ("single", "full")
    assert data.split is not None
    assert {side: data.split.count(side) for side in set(data.split)} == {
        "train": 1771,
        "test": 193,
        "shifted": 193,
    }
    assert "synthetic" in data.notes[0]
    assert data.views["image"][0].load().shape == (32, 32)
    assert sem_failure(size=32, composite=0.5, shifted=False).task.paths == "multiple"
    report = lint_failure(size=32)
    assert report.facts["classes"] == "2 + 6, a tree"
    assert report.problems == []


def test_suite_is_readable_and_names_what_exists() -> None:
    suite = load_suite(default_registry(), "sem-failure")
    assert suite.primary in suite.columns
    assert list(suite.profiles) == ["quick", "standard", "paper"]
    assert all("prior" in profile.models for profile in suite.profiles.values())
    assert tuple(c.id for c in LEAVES) == LEAF_IDS


def test_published_f_follows_from_p_and_r_unless_the_note_says_so() -> None:
    published = load_suite(default_registry(), "sem-failure").published
    assert len(published) == 5
    for row in published:
        precision, recall, f1 = (row["metrics"][f"h{k}_samples"] for k in ("p", "r", "f1"))
        agrees = abs(2 * precision * recall / (precision + recall) - f1) <= 1e-4
        assert agrees == (row["model"] != MISPRINT)
        assert agrees or "does not follow" in row["note"]
