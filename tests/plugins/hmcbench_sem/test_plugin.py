"""The plugin's specs, and its suite."""

from __future__ import annotations

import subprocess
import sys

from hmcbench_sem.fractographs.taxonomy import LEAF_IDS, LEAVES

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
        precision, recall, f1 = (row["metrics"][f"h{k}_samples_raw"] for k in ("p", "r", "f1"))
        agrees = abs(2 * precision * recall / (precision + recall) - f1) <= 1e-4
        assert agrees == (row["model"] != MISPRINT)
        assert agrees or "does not follow" in row["note"]
