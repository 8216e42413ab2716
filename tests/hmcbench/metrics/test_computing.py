"""compute(): which ids there are, and what becomes of metrics that do not apply or are broken."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import MetricSpec, Task
from hmcbench.metrics import computing
from hmcbench.metrics.base import SampleMetric
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute, compute_sides, sample_stats
from hmcbench.metrics.decisions import Thresholds
from hmcbench.metrics.evaluation import Apart, Evaluation
from hmcbench.metrics.fixtures import confusion_matrices, four_scores, three_samples
from hmcbench.metrics.ids import find_spec
from hmcbench.records.predictions import Predictions
from hmcbench.registry.registry import default_registry


def spec(factory: Any, name: str = "odd", **more: Any) -> MetricSpec:
    return MetricSpec(name=name, version="1", summary="for a test", factory=factory, **more)


def raises(error: Exception) -> Callable[..., float]:
    def metric(_evaluation: Evaluation) -> float:
        raise error

    return metric


def test_every_side_is_scored_by_itself_with_the_same_thresholds() -> None:
    hierarchy = Hierarchy.from_edges([("", "a"), ("", "b")])
    scores = np.array([[0.4, 0.1], [0.4, 0.1], [0.2, 0.4]], dtype=np.float32)
    truth = np.array([[True, False], [False, True], [False, True]])
    task = Task("hmc", "multiple", "full", hierarchy)
    stored = Predictions(["v", "s", "t"], ["validation", "test", "test"], scores, task, truth)
    scored = compute_sides(SPECS, stored, Thresholds(0.3), ["hf1_micro", "exact_match"])
    assert list(scored) == ["validation", "test"]
    assert scored["validation"] == {"hf1_micro": 1.0, "exact_match": 1.0}
    assert scored["test"] == {"hf1_micro": 0.5, "exact_match": 0.5}
    assert set(compute_sides(SPECS, stored)["test"]) > {"hf1_micro", "auprc_micro"}
    with pytest.raises(BadInput, match="did you mean"):
        compute_sides(SPECS, stored, names=["hf1_micr"])


def test_the_registry_has_them_all() -> None:
    registry = default_registry()
    assert {s.name for s in registry.specs("metrics")} >= {s.name for s in SPECS}
    assert registry.owner("metrics", "hf1_samples").name == "metrics"


def test_importing_the_specs_is_light() -> None:
    heavy = ("numpy", "scipy", "sklearn")
    code = (
        "import sys, hmcbench.metrics.builtin, hmcbench.metrics.ids\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_ids_of_a_single_path_task() -> None:
    e = confusion_matrices()
    apart = Apart([str(i) for i in range(len(e))], None)
    calibration = Evaluation.of(e.task, e.truth, e.scores, apart=apart)
    apart = replace(apart, calibration=calibration)
    values = compute(SPECS, Evaluation.of(e.task, e.truth, e.scores, apart=apart))
    assert not values.failures
    for s in SPECS:
        if s.name == "class_mondrian_coverage":  # of classes where a path may end
            assert f"{s.name}[thermal/3]" in values
        elif s.name.startswith(("far_", "unknown_")):  # of samples without a class
            continue
        elif s.task == "hmc" and "single" in s.paths and s.unit == "sample":
            stem = s.name.replace("{k}", "2")
            members = [f"[{c}]" for c in ("mechanical", "thermal/3")] if s.over == "classes" else [""]
            for suffix in ("", "_raw") if s.decided else ("",):
                assert all(stem + suffix + member in values for member in members), stem + suffix
    assert not any("argmax_accuracy_raw" in name or "level3" in name for name in values)
    assert all(type(value) is float and math.isfinite(value) for value in values.values())


def test_single_path_metrics_are_left_out_of_several_paths() -> None:
    values = compute(SPECS, four_scores())
    for name in ("tree_path_distance", "mistake_severity", "level{k}_argmax_accuracy"):
        assert values.left_out[name] == "defined for single paths only"
    assert not any("argmax" in name or "severity" in name for name in values)


def test_sets_have_no_raw_decisions_and_no_rankings() -> None:
    values = compute(SPECS, three_samples())
    assert not any("_raw" in name for name in values)
    assert {"hf1_micro_raw", "fpa"} <= set(values.left_out)
    assert {"auprc_micro", "violation_rate", "level1_argmax_accuracy"} <= set(values.left_out)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["hf1_micro"], ["hf1_micro"]),
        (["hf1_micro_raw"], ["hf1_micro_raw"]),
        (["level{k}_accuracy"], ["level1_accuracy", "level2_accuracy"]),
        (["level{k}_accuracy_raw"], ["level1_accuracy_raw", "level2_accuracy_raw"]),
        (["level2_accuracy", "level7_accuracy"], ["level2_accuracy"]),
        (["class_f1[thermal/2]"], ["class_f1[thermal/2]"]),
        (["class_f1_raw[thermal]"], ["class_f1_raw[thermal]"]),
        (["class_f1[nobody]"], []),
        (["r2"], []),
        ([], []),
    ],
)
def test_names_choose(names: list[str], expected: list[str]) -> None:
    assert sorted(compute(SPECS, confusion_matrices(), names)) == sorted(expected)


def test_all_classes_by_name() -> None:
    assert len(compute(SPECS, confusion_matrices(), ["class_support"])) == 8


@pytest.mark.parametrize(
    "name",
    [
        "hf1",
        "hf1_micr",
        "level_accuracy",
        "level0_accuracy",
        "auprc_micro_raw",
        "auprc_micro_coherent",
        "hf1_micro[a]",
        "",
    ],
)
def test_unknown_names_are_bad_input(name: str) -> None:
    with pytest.raises(BadInput, match="unknown metric"):
        compute(SPECS, three_samples(), [name])


def test_an_unknown_name_has_close_matches() -> None:
    with pytest.raises(BadInput, match="did you mean 'hf1_micro'"):
        find_spec(SPECS, "hf1_mikro")


@pytest.mark.parametrize("suffix", ["_raw", "_coherent"])
def test_a_plugin_may_end_a_name_as_it_likes(suffix: str) -> None:
    specs = [*SPECS, spec(lambda e: 0.5, name="hf1_micro" + suffix, decided=False)]
    assert find_spec(specs, "hf1_micro" + suffix).summary == "for a test"


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("hf1_micro_coherent", "'hf1_micro'"),
        ("level2_accuracy_coherent", "'level2_accuracy'"),
        ("level{k}_accuracy_coherent", "'level{k}_accuracy'"),
        ("class_f1_coherent[a_coherent/b]", "'class_f1[a_coherent/b]'"),
    ],
)
def test_an_id_of_before_is_one_line_with_that_of_today(name: str, now: str) -> None:
    with pytest.raises(BadInput, match="unknown metric") as error:
        find_spec(SPECS, name)
    assert f"{now}, which reads the coherent decision" in str(error.value)
    assert "\n" not in str(error.value)


def test_many_classes_are_listed_only_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "MANY_CLASSES", 7)
    values = compute(SPECS, confusion_matrices())
    assert not any("[" in name for name in values)
    assert "ask for it by name" in values.left_out["class_f1"]
    assert len(compute(SPECS, confusion_matrices(), ["class_f1"])) == 8


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (spec(raises(ValueError("no\nway"))), "ValueError: no"),
        (spec(raises(MemoryError())), "MemoryError"),
        (spec(lambda e: "much"), "could not convert"),
        (spec(lambda e: None), "TypeError"),
        (spec(lambda e: math.inf), "returned inf"),
        (spec(lambda e: 1.5), r"outside \[0, 1\]"),
        (spec(lambda e: -1.0, high=None), r"outside \[0, inf\]"),
        (spec(lambda e: np.zeros(4), over="classes"), "returned shape"),
        (spec(lambda e: 1.0), ""),
        (spec("nowhere.at_all:metric"), "ModuleNotFoundError"),
        (spec("hmcbench.metrics.sets:nothing"), "AttributeError"),
        (spec("nonsense"), "PluginError"),
        (spec(lambda e: 1.0, requires=("no_such_module",)), "needs no_such_module"),
        (spec(SampleMetric(lambda e: np.ones(len(e)), lambda s: s[..., 0])), "statistics of shape"),
        (spec(SampleMetric(lambda e: np.ones((len(e), 1)), lambda s: s)), ""),
    ],
)
def test_a_broken_metric_stops_nothing(odd: MetricSpec, said: str) -> None:
    usual = compute(SPECS, four_scores())
    values = compute([odd, *SPECS], four_scores())
    assert {k: v for k, v in values.items() if "odd" not in k} == usual
    if said:
        assert "odd" not in values
        assert re.search(said, values.failures["odd"])
        assert "\n" not in values.failures["odd"]


def test_not_applicable_and_undefined_are_no_failures() -> None:
    specs = [spec(raises(NotApplicable("not today"))), spec(lambda e: math.nan, name="blank", decided=False)]
    values = compute(specs, four_scores())
    assert not values
    assert not values.failures
    assert values.left_out == {"odd": "not today.", "odd_raw": "not today.", "blank": "undefined here"}


@pytest.mark.parametrize("names", [["odd[thermal]", "odd[thermal/2]"], ["odd", "odd[thermal]"], None])
def test_a_class_that_was_asked_for_by_name_fails_by_its_id(names: list[str] | None) -> None:
    ids = {"odd"} if names is None or "odd" in names else {*names}
    broken = spec(raises(ValueError("no")), over="classes", decided=False)
    values = compute([broken], confusion_matrices(), names)
    assert values.failures == dict.fromkeys(ids, "ValueError: no") and not values.undefined
    values = compute([replace(broken, factory=raises(NotApplicable("no")))], confusion_matrices(), names)
    assert values.left_out == dict.fromkeys(ids, "no.") and values.undefined == ids
    assert values.is_undefined("odd[thermal]")
    assert values.is_undefined("odd[mechanical]") == ("odd" in ids)


def test_ids_that_have_no_value_here_are_told_from_those_nobody_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(computing, "MANY_CLASSES", 7)
    names = ["level{k}_argmax_accuracy", "mistake_severity", "class_f1[nobody]"]
    values = compute(SPECS, four_scores(), names)
    assert values.undefined == {"level1_argmax_accuracy", "level2_argmax_accuracy", "mistake_severity"}
    assert set(values.left_out) == {"level{k}_argmax_accuracy", "mistake_severity"}
    values = compute(SPECS, confusion_matrices())
    assert "class_f1" in values.left_out and not values.is_undefined("class_f1[thermal]")
    of_pixels = next(spec for spec in SPECS if spec.unit == "pixel" and not spec.over)
    assert values.is_undefined(of_pixels.name) and of_pixels.name not in values.left_out
    assert not values.is_undefined("r2"), "it is a metric of another kind of task"


def test_statistics_of_a_broken_metric_are_none() -> None:
    broken = spec(SampleMetric(raises(ValueError("no")), lambda s: s), name="odd")
    assert sample_stats(broken, four_scores(), "odd") is None
    assert sample_stats(spec("nowhere.at_all:metric"), four_scores(), "odd") is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("paths", ["single", "multiple"])
def test_bad_scores_are_an_error_and_never_a_value(bad: float, paths: Any) -> None:
    hierarchy = Hierarchy.from_edges([("a", "b"), ("a", "c")])
    truth = hierarchy.encode([["b"], ["c"]])
    scores, task = np.array([[0.9, bad, 0.1], [0.8, 0.3, 0.6]]), Task("hmc", paths, "full", hierarchy)
    stored = Predictions(["s", "t"], ["test"] * 2, scores, task, truth)
    for build in (
        lambda: Evaluation.of(task, truth, scores),
        lambda: Evaluation.of(task, truth, np.abs(np.nan_to_num(scores)), np.full((2, 2), bad)),
        lambda: Evaluation.of_blocks(task, truth, [scores[1:], scores[:1]]),
        lambda: Evaluation.of_regression(Task("regression", targets=tuple("tuv")), truth.toarray(), scores),
        lambda: compute_sides(SPECS, stored),
    ):
        with pytest.raises(BadInput, match=r"scores of \d of \d samples are NaN or infinite") as error:
            build()
        assert "\n" not in str(error.value)
