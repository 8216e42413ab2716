from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.files import host_tag, new_owner, this_host
from hmcbench.interfaces import MetricSpec, RuleSpec, Task
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.metrics import computing
from hmcbench.metrics.base import SampleMetric
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rules.scoring import Rule, find_rules
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import JSON, NPZ, Record, read_record
from hmcbench.records.rescore import rescore
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import temporary_plugin, tiny_hierarchy

Fabricate = Callable[..., Record]


def samples(evaluation: Evaluation) -> float:
    return float(len(evaluation))


def failing(_evaluation: Evaluation) -> float:
    raise RuntimeError("no")


mine = SampleMetric(lambda e: np.ones((len(e), 1)), lambda sums: sums[..., 0])
NEW = MetricSpec(name="samples", version="1", summary="", factory=samples, high=None, decided=False)


def stored(record: Record) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, float]] = read_record(record.path).data["metrics"]
    return values


def test_a_new_metric_reaches_old_records_on_every_side(fabricate: Fabricate) -> None:
    record = fabricate("a", 0.8)
    before = stored(record)
    result = rescore(record.path, specs=[*SPECS, NEW])
    after = stored(record)
    assert (result.records, result.new, result.changed) == (1, 2, 0)
    assert {side: values.pop("samples") for side, values in after.items()} == {"validation": 30, "test": 200}
    assert after == before


def test_the_metrics_of_a_plugin_are_included(fabricate: Fabricate) -> None:
    class Plugin:
        @hookimpl
        def hmcbench_metrics(self) -> list[MetricSpec]:
            return [replace(NEW, name="mine", factory=mine)]

    record = fabricate("a")
    with temporary_plugin(Plugin()) as registry:
        rescore(record.path.parent, specs=registry.specs("metrics"))
    assert stored(record)["test"]["mine"] == 200


def test_wrong_values_are_mended_and_only_new_leaves_them(fabricate: Fabricate) -> None:
    record = fabricate("a", 0.8)
    right = stored(record)["test"]["hf1_samples"]
    data = json.loads((record.path / JSON).read_text())
    data["metrics"]["test"]["hf1_samples"] = 0.123
    data["metrics"]["test"]["of_an_absent_plugin"] = 7.0
    (record.path / JSON).write_text(json.dumps(data))
    assert rescore(record.path, only_new=True).changed == 0
    assert stored(record)["test"]["hf1_samples"] == 0.123
    assert rescore(record.path, ["hf1_samples"]).changed == 1
    assert stored(record)["test"]["hf1_samples"] == right
    assert stored(record)["test"]["of_an_absent_plugin"] == 7.0


def test_a_value_that_is_undefined_now_goes(fabricate: Fabricate) -> None:
    record = fabricate("a", metrics={"test": {"samples": 200.0}})
    gone = replace(NEW, factory=lambda _e: float("nan"))
    assert rescore(record.path, ["samples"], specs=[gone]).changed == 1
    assert stored(record)["test"] == {}


def test_nothing_is_written_where_nothing_changes(fabricate: Fabricate) -> None:
    path = fabricate("a").path / JSON
    before = path.stat().st_mtime_ns
    assert str(rescore(path.parent)) == "1 records rescored, 0 new values, 0 changed"
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(("thresholds", "recall"), [(None, 0.0), (0.3, 1.0)])
def test_thresholds_come_from_the_record(
    fabricate: Fabricate, thresholds: float | None, recall: float
) -> None:
    hierarchy = tiny_hierarchy("multiple")
    scores = np.full((4, hierarchy.n), 0.4, dtype=np.float32)
    task = Task(paths="multiple", hierarchy=hierarchy)
    predictions = Predictions(list("abcd"), ["test"] * 4, scores, task, np.ones_like(scores, dtype=bool))
    decision = {"thresholds": thresholds}
    record = fabricate(
        "a", predictions=predictions, metrics={"test": {"hf1_samples": 2.0}}, decision=decision
    )
    rescore(record.path, ["hr_micro"])
    assert stored(record)["test"]["hr_micro"] == recall


def test_what_cannot_be_scored_is_listed_and_left_alone(fabricate: Fabricate) -> None:
    good, torn, blind = fabricate("good"), fabricate("torn"), fabricate("blind")
    fabricate("failed", status="failed", cause="crash")
    (torn.path / NPZ).write_bytes(b"PK torn")
    replace(blind.predictions(), truth=None).save(blind.path / NPZ)
    before = {r.path: (r.path / JSON).read_bytes() for r in (torn, blind)}
    result = rescore(good.path.parent, specs=[*SPECS, NEW])
    assert result.records == 1
    assert [name for name, _ in result.skipped] == [blind.path.name]
    assert [name for name, _ in result.damaged] == [torn.path.name] and not result.complete
    assert "stored without truth" in str(result) and "cannot be read" in str(result)
    assert {path: (path / JSON).read_bytes() for path in before} == before


def test_a_failing_metric_is_named_and_stops_nothing(fabricate: Fabricate) -> None:
    record = fabricate("a")
    result = rescore(record.path, specs=[*SPECS, NEW, replace(NEW, name="broken", factory=failing)])
    assert result.failures == {"broken": "RuntimeError: no"}
    assert "broken (RuntimeError: no)" in str(result) and not result.complete
    assert stored(record)["test"]["samples"] == 200
    assert failures(record) == {side: {"broken": "RuntimeError: no"} for side in ("validation", "test")}


def failures(record: Record) -> dict[str, Any]:
    return dict(read_record(record.path).part("metric_failures"))


def test_a_failure_goes_when_the_metric_is_mended(fabricate: Fabricate) -> None:
    record, broken = fabricate("a"), replace(NEW, name="broken", factory=failing)
    rescore(record.path, specs=[broken, replace(broken, name="other")])
    rescore(record.path, ["broken"], specs=[replace(broken, factory=samples)])
    assert failures(record) == {side: {"other": "RuntimeError: no"} for side in ("validation", "test")}
    rescore(record.path, specs=[replace(broken, name="other", factory=samples)])
    assert "metric_failures" not in read_record(record.path).data


def test_so_does_that_of_a_metric_of_single_classes(fabricate: Fabricate) -> None:
    record = fabricate("a", metrics={"test": {}, "validation": {}})
    broken = [replace(spec, factory=failing) if spec.name == "class_f1" else spec for spec in SPECS]
    rescore(record.path, ["class_f1"], specs=broken)
    assert failures(record)["test"] == {"class_f1": "RuntimeError: no"}
    rescore(record.path, ["class_f1"], specs=SPECS)
    assert not failures(record)


# --------------------------------------------------------------------------- of single classes

CLASSES = tiny_hierarchy().classes
A, B = (f"class_mine[{name}]" for name in CLASSES[:2])
OUTSIDE = "returned 2.0, outside [0, 1]"


def of_classes(*first: float) -> MetricSpec:
    """A metric with these values of the first classes, and 0.5 of the others."""
    values = np.array([*first, *[0.5] * (len(CLASSES) - len(first))])
    return replace(NEW, name="class_mine", factory=lambda _evaluation: values, over="classes", high=1.0)


def test_the_failure_of_a_class_stays_where_other_classes_have_values(fabricate: Fabricate) -> None:
    record = fabricate("a")
    rescore(record.path, specs=[*SPECS, of_classes(2.0)])
    assert failures(record)["test"] == {A: OUTSIDE} and A not in stored(record)["test"]
    rescore(record.path, specs=[*SPECS, of_classes(2.0)])
    assert failures(record)["test"] == {A: OUTSIDE} and stored(record)["test"][B] == 0.5
    rescore(record.path, [B], specs=[*SPECS, of_classes(0.7, 0.7)])
    assert failures(record)["test"] == {A: OUTSIDE}, "it is not computed again"
    line = str(rescore(record.path, specs=[*SPECS, of_classes(3.0, 3.0)]))
    assert line.endswith(f"failed: {A} and 1 more of its ids (returned 3.0, outside [0, 1])")
    assert failures(record)["test"] == {A: "returned 3.0, outside [0, 1]"}, "the other keeps its value"
    assert stored(record)["test"][B] == 0.7
    rescore(record.path, [A], specs=[*SPECS, of_classes(float("nan"))])
    assert not failures(record) and A not in stored(record)["test"]


def test_where_a_metric_fails_as_a_whole_no_class_is_told_twice(fabricate: Fabricate) -> None:
    record, broken = fabricate("a"), replace(of_classes(), factory=failing)
    rescore(record.path, [A], specs=[*SPECS, of_classes(2.0)])
    rescore(record.path, [B], specs=[*SPECS, broken])
    assert failures(record)["test"] == {A: OUTSIDE, B: "RuntimeError: no"}
    rescore(record.path, specs=[*SPECS, broken])
    assert failures(record)["test"] == {"class_mine": "RuntimeError: no"}
    rescore(record.path, specs=[*SPECS, of_classes(2.0)])
    assert failures(record)["test"] == {A: OUTSIDE}
    rescore(record.path, specs=[*SPECS, broken])
    assert failures(record)["test"] == {A: OUTSIDE}, "the other classes keep their values"


def test_classes_that_have_to_be_asked_for_stay(
    fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, specs = fabricate("a", metrics={"test": {}, "validation": {}}), [of_classes(2.0)]
    rescore(record.path, [A, B], specs=specs)
    before = read_record(record.path).data
    monkeypatch.setattr(computing, "MANY_CLASSES", 1)
    rescore(record.path, specs=specs)
    assert read_record(record.path).data == before and failures(record)["test"] == {A: OUTSIDE}


# --------------------------------------------------------------------------- what no longer applies

NARROW = {"paths": ("multiple",)}, {"unit": "pixel"}


@pytest.mark.parametrize("narrow", NARROW)
def test_values_and_failures_of_a_metric_that_does_not_apply_go(fabricate: Fabricate, narrow: Any) -> None:
    record = fabricate("a", metrics={"test": {}, "validation": {}})
    parts = ("fine", NEW), ("mine", replace(NEW, factory=failing)), ("class_mine", of_classes(2.0))
    specs = [replace(spec, name=name, decided=True) for name, spec in parts]
    specs += [replace(NEW, name=f"level{{k}}_{name}", factory=of, over="levels") for name, of in OF_LEVELS]
    rescore(record.path, specs=specs)
    raw = A.replace("class_mine", "class_mine_raw")
    assert {*failures(record)["test"]} == {"mine", "mine_raw", A, raw, "level1_mine", "level2_mine"}
    assert {"fine", "fine_raw", B, "level1_fine"} < stored(record)["test"].keys()
    narrowed = [replace(spec, **narrow) for spec in specs]
    before = read_record(record.path).data
    rescore(record.path, ["level3_mine", f"class_mine[{CLASSES[2]}x]"], specs=narrowed)
    assert read_record(record.path).data == before, "others were asked for"
    rescore(record.path, ["mine_raw", "fine_raw", B, "level1_mine"], specs=narrowed)
    assert {*failures(record)["test"]} == {"mine", A, raw, "level2_mine"}
    assert not {"fine_raw", B} & stored(record)["test"].keys()
    assert rescore(record.path, specs=narrowed, only_new=True).changed == 0
    assert not failures(record) and {"fine", "level1_fine"} < stored(record)["test"].keys()
    assert rescore(record.path, specs=narrowed).changed
    assert stored(record) == {"test": {}, "validation": {}}


def failing_at_levels(_evaluation: Evaluation, _k: int) -> float:
    raise RuntimeError("no")


OF_LEVELS = ("fine", lambda _evaluation, _k: 0.5), ("mine", failing_at_levels)


def test_a_metric_that_does_not_apply_as_a_whole_has_no_values_of_classes(fabricate: Fabricate) -> None:
    def unfit(_evaluation: Evaluation) -> float:
        raise NotApplicable("not today")

    record, away = fabricate("a", metrics={"test": {}, "validation": {}}), of_classes(2.0)
    rescore(record.path, specs=[away])
    rescore(record.path, [A], specs=[replace(away, factory=unfit)])
    assert not failures(record) and stored(record)["test"][B] == 0.5
    rescore(record.path, specs=[replace(away, factory=unfit)])
    assert stored(record)["test"] == {}


# --------------------------------------------------------------------------- under rules


def rule_of(factory: Any, **changes: Any) -> Rule:
    spec = RuleSpec(name="mine", version="1", summary="", factory=factory, makes="scores", **changes)
    return Rule("mine", spec, {})


HALVED = rule_of(lambda scores, task: scores / 2)


def of_high_scores(evaluation: Evaluation) -> float:
    if evaluation.scores.max() < 0.5:
        raise RuntimeError("too low")
    return 1.0


def test_a_metric_that_fails_under_a_rule_alone_is_in_the_line(fabricate: Fabricate) -> None:
    broken = replace(NEW, name="broken", factory=of_high_scores)
    result = rescore(fabricate("a").path, specs=[*SPECS, broken], rules=[HALVED])
    assert result.failures == {"broken": "under mine: RuntimeError: too low"} and not result.complete
    assert "failed: broken (under mine: RuntimeError: too low)" in str(result)


def test_a_rule_that_does_not_apply_to_the_scores_now_has_no_values(fabricate: Fabricate) -> None:
    def unfit(scores: np.ndarray, task: Task) -> np.ndarray:
        raise NotApplicable("these scores only rank")

    record = fabricate("a")
    rescore(record.path, rules=[HALVED])
    assert rescore(record.path, rules=[rule_of(unfit)]).complete
    block = read_record(record.path).part("rules")["mine"]
    assert block.keys() == {"version", "left_out", "seconds"} and "only rank" in block["left_out"]
    rescore(record.path, rules=[HALVED])
    assert "metrics" in read_record(record.path).part("rules")["mine"]


@pytest.mark.parametrize("factory", [HALVED.spec.factory, lambda scores, task: scores[:, 1:]])
def test_a_rule_of_other_paths_has_no_block(fabricate: Fabricate, factory: Any) -> None:
    record = fabricate("a")
    rescore(record.path, rules=[rule_of(factory)])
    assert "mine" in read_record(record.path).part("rules")
    rescore(record.path, rules=[rule_of(factory, paths=("multiple",))])
    assert not read_record(record.path).part("rules")


@pytest.mark.parametrize("factory", [samples, of_high_scores])
def test_what_does_not_apply_goes_under_the_rules_too(
    fabricate: Fabricate, factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, spec = fabricate("a"), replace(NEW, name="broken", factory=factory, decided=True)
    part = "metric_failures" if factory is of_high_scores else "metrics"
    block = lambda: read_record(record.path).part("rules")["mine"].get(part, {}).get("test", {})  # noqa: E731
    rescore(record.path, specs=[*SPECS, spec], rules=[HALVED])
    assert "broken" in block()
    monkeypatch.setattr("hmcbench.records.rescore._installed", lambda labels: [HALVED])
    rescore(record.path, specs=[*SPECS, replace(spec, paths=("multiple",))])
    assert "broken" not in block()


def test_a_metric_that_fails_under_a_rule_is_named_there(fabricate: Fabricate) -> None:
    record, broken = fabricate("a"), replace(NEW, name="broken", factory=failing, decided=True)
    (rule,) = find_rules(default_registry(), ["map"])
    block = lambda: read_record(record.path).part("rules")["map"]  # noqa: E731
    rescore(record.path, specs=[*SPECS, broken], rules=[rule])
    assert block()["metric_failures"]["test"] == {"broken": "RuntimeError: no"}
    rescore(record.path, ["hf1_samples"], specs=SPECS, rules=[rule])
    assert block()["metric_failures"]["test"] == {"broken": "RuntimeError: no"}, "it is not computed again"
    rescore(record.path, specs=[*SPECS, replace(broken, factory=samples)], rules=[rule])
    assert "metric_failures" not in block()


# --------------------------------------------------------------------------- under shifts

FEW = 50


def of_many(evaluation: Evaluation) -> float:
    """Fails under the shift ``noise``, which few test samples see."""
    if len(evaluation) == FEW:
        raise RuntimeError("too few")
    return samples(evaluation)


BROKEN = replace(NEW, name="broken", factory=of_many)
MENDED = replace(NEW, name="broken", factory=samples)
EVERYWHERE = {severity: {"broken": "RuntimeError: too few"} for severity in ("0", "0.5", "1")}


@pytest.fixture
def shifted(fabricate: Fabricate, shift: Callable[..., Record]) -> Record:
    return shift(fabricate("a", 0.8), 0.9, seen={"noise": range(FEW)})


def blocks(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = read_record(record.path).part("shifts")["of"]
    return found


def test_a_metric_that_fails_under_a_shift_alone_is_named_there(shifted: Record) -> None:
    result = rescore(shifted.path, ["broken"], specs=[*SPECS, BROKEN])
    assert result.failures == {"broken": "under noise: RuntimeError: too few"} and not result.complete
    assert blocks(shifted)["noise"]["metric_failures"] == EVERYWHERE
    assert "metric_failures" not in blocks(shifted)["blur"] and not failures(shifted)
    assert [values["broken"] for values in blocks(shifted)["blur"]["metrics"]] == [200, 200]
    rescore(shifted.path, ["hf1_samples"], specs=[*SPECS, MENDED])
    assert blocks(shifted)["noise"]["metric_failures"] == EVERYWHERE, "it is not computed again"
    assert rescore(shifted.path, specs=[*SPECS, MENDED]).complete
    noise = blocks(shifted)["noise"]
    assert "metric_failures" not in noise and noise["before"]["broken"] == FEW


def test_under_a_shift_too_a_metric_that_fails_keeps_what_stood(shifted: Record) -> None:
    rescore(shifted.path, ["broken"], specs=[*SPECS, MENDED])
    before = blocks(shifted)
    assert "under noise" in rescore(shifted.path, specs=[*SPECS, BROKEN]).failures["broken"]
    assert blocks(shifted) == before
    undefined = replace(NEW, name="broken", factory=lambda _evaluation: float("nan"))
    assert rescore(shifted.path, ["broken"], only_new=True, specs=[undefined]).changed == 0
    assert blocks(shifted) == before
    assert rescore(shifted.path, ["broken"], specs=[undefined]).changed == 2 + 3 + 2, "2: without a shift"
    assert not any("broken" in values for values in blocks(shifted)["noise"]["metrics"])


def test_under_a_shift_too_the_failure_of_a_class_stays(shifted: Record) -> None:
    def at(part: str) -> Any:
        return blocks(shifted)["blur"].get(part)

    rescore(shifted.path, ["class_mine"], specs=[*SPECS, of_classes(2.0)])
    told = {severity: {A: OUTSIDE} for severity in ("0.5", "1")}
    rescore(shifted.path, specs=[*SPECS, of_classes(2.0)])
    assert at("metric_failures") == told and at("metrics")[0][B] == 0.5
    rescore(shifted.path, [B], specs=[*SPECS, of_classes(0.7, 0.7)])
    assert at("metric_failures") == told and at("metrics")[0][B] == 0.7
    rescore(shifted.path, [A, B], specs=[*SPECS, replace(of_classes(2.0), **NARROW[0])])
    assert at("metric_failures") is None and not {A, B} & at("metrics")[0].keys()


@pytest.mark.parametrize("columns", [["hf1_samples", "broken", "of_an_absent_plugin"], None])
def test_the_columns_of_the_suite_are_computed_under_shifts_of_older_records(
    shifted: Record, columns: Any
) -> None:
    """They have no word of a metric that failed."""
    suite = {"name": "smoke", "primary": "hf1_samples", "columns": columns}
    (shifted.path.parent.parent / "suite.json").write_text(json.dumps({"suite": suite}))
    assert rescore(shifted.path, specs=[*SPECS, BROKEN]).complete == (columns is None)
    assert blocks(shifted)["noise"].get("metric_failures", {}) == (EVERYWHERE if columns else {})


def test_a_metric_that_is_undefined_now_has_not_failed(fabricate: Fabricate) -> None:
    record, broken = fabricate("a"), replace(NEW, name="broken", factory=failing, decided=True)
    (rule,) = find_rules(default_registry(), ["map"])
    rescore(record.path, specs=[*SPECS, broken], rules=[rule])
    undefined = replace(broken, factory=lambda _evaluation: float("nan"))
    rescore(record.path, specs=[*SPECS, undefined], rules=[rule])
    assert not failures(record)
    assert "metric_failures" not in read_record(record.path).part("rules")["map"]


def test_a_metric_that_fails_keeps_what_stood(fabricate: Fabricate) -> None:
    record = fabricate("a")
    kept = stored(record)["test"]["hf1_samples"]
    specs = [replace(spec, factory=failing) if spec.name == "hf1_samples" else spec for spec in SPECS]
    assert rescore(record.path, specs=specs).failures["hf1_samples"] == "RuntimeError: no"
    assert stored(record)["test"]["hf1_samples"] == kept
    assert not failures(record), "it has a value"


def test_a_suite_that_names_metrics_gets_these_alone(fabricate: Fabricate) -> None:
    record = fabricate("a", metrics={"test": {"hp_micro": 0.123, "of_an_absent_plugin": 7.0}})
    suite = {"name": "smoke", "primary": "hf1_samples", "columns": ["level{k}_accuracy"]}
    suite["metrics"] = ["class_f1", "of_an_absent_plugin"]
    place = record.path.parent.parent / "suite.json"
    place.write_text(json.dumps({"suite": suite}))
    result = rescore(record.path)
    values = stored(record)["test"]
    assert {name.partition("[")[0] for name in values} == {
        *("class_f1", "hf1_samples", "level1_accuracy", "level2_accuracy"),
        *("hp_micro", "of_an_absent_plugin"),
    }
    assert values["hp_micro"] == 0.123 and values["of_an_absent_plugin"] == 7.0
    assert result.unknown == {"of_an_absent_plugin"} and "not installed: of_an_absent" in str(result)
    place.write_text(json.dumps({"suite": {**suite, "metrics": []}}))
    rescore(record.path)
    assert "auprc_micro" in stored(record)["test"]


def test_rules_reach_old_records_and_stay(fabricate: Fabricate) -> None:
    record = fabricate("a", 0.8)
    rules = find_rules(default_registry(), ["isotonic", "map", "product"])
    result = rescore(record.path, rules=rules)
    assert (result.new, result.changed, result.rules) == (0, 0, ["isotonic", "map"])  # product: several paths
    assert "under isotonic, map" in str(result)
    blocks = read_record(record.path).data["rules"]
    assert blocks["map"]["metrics"]["test"].keys() < stored(record)["test"].keys()
    rescore(record.path, rules=rules[:1])
    rescore(record.path)
    assert read_record(record.path).data["rules"].keys() == {"isotonic", "map"}


def test_metrics_that_move_move_under_the_rules_too(fabricate: Fabricate) -> None:
    """A new metric had no value under a rule, so that a board showed the one without it."""
    record = fabricate("a", 0.8)
    rescore(record.path, rules=find_rules(default_registry(), ["map"]))
    place = record.path / JSON
    data = json.loads(place.read_text())
    right = data["rules"]["map"]["metrics"]["test"]
    moved = {**right, "hf1_samples": 0.1}
    del moved["hf1_micro"]
    data["rules"]["map"]["metrics"]["test"] = moved
    place.write_text(json.dumps(data))
    rescore(record.path)  # nothing new without rules: nothing is computed under them
    assert read_record(record.path).data["rules"]["map"]["metrics"]["test"] == moved
    del data["metrics"]["test"]["hf1_micro"]
    place.write_text(json.dumps(data))
    assert rescore(record.path).rules == ["map"]
    assert read_record(record.path).data["rules"]["map"]["metrics"]["test"] == right


def test_a_rule_that_fails_keeps_its_values(fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch) -> None:
    record = fabricate("a", 0.8)
    (rule,) = find_rules(default_registry(), ["map"])
    rescore(record.path, rules=[rule])
    before = read_record(record.path).data["rules"]
    wrong = RuleSpec(name="map", version="1", summary="", factory=lambda scores, task: scores[:, 1:])
    assert "map" in rescore(record.path, rules=[Rule("map", wrong, {})]).failures
    assert read_record(record.path).data["rules"] == before
    rescore(record.path, ["exact_match"], rules=[rule])
    assert read_record(record.path).data["rules"]["map"]["metrics"] == before["map"]["metrics"]


def test_a_rule_that_fails_is_named(fabricate: Fabricate) -> None:
    spec = RuleSpec(name="wrong", version="1", summary="", factory=lambda scores, task: scores[:, 1:])
    result = rescore(fabricate("a").path, rules=[Rule("wrong", spec, {})])
    assert "of shape" in result.failures["wrong"]


def test_bad_input(tmp_path: Path, fabricate: Fabricate) -> None:
    with pytest.raises(BadInput, match="no folder"):
        rescore(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="holds no records"):
        rescore(tmp_path)
    with pytest.raises(BadInput, match="did you mean 'hf1_samples'"):
        rescore(fabricate("a").path, ["hf1_sample"])


def test_neither_plugins_nor_data_are_touched(fabricate: Fabricate) -> None:
    record = fabricate("a")
    code = (
        "import sys; from pathlib import Path; from hmcbench.records.rescore import rescore;"
        f"print(rescore(Path({str(record.path)!r})).records,"
        " sorted({'torch', 'PIL', 'hmcbench.data.splits', 'hmcbench.execute.runner'} & set(sys.modules)))"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "1 []"


def test_the_alpha_of_the_suite_is_taken_over(fabricate: Callable[..., Record]) -> None:
    record = fabricate("net", 0.8, sizes={"validation": 20, "calibration": 60, "test": 80})
    folder = record.path.parent.parent
    suite = {"name": "smoke", "decisions": {"alpha": 0.2}}
    (folder / "suite.json").write_text(json.dumps({"suite": suite}))
    rescore(folder)
    changed = read_record(record.path)
    assert changed.data["decision"]["alpha"] == 0.2
    assert changed.metrics("test")["backoff_coverage"] > record.metrics("test")["backoff_coverage"]
    assert changed.predictions().alpha == 0.2
    assert changed.predictions_digest() != record.predictions_digest()
    (folder / "suite.json").write_text(json.dumps({"suite": {"name": "smoke"}}))
    rescore(folder)
    assert read_record(record.path).data == record.data


def test_what_a_killed_rescore_left_goes_with_the_next(fabricate: Fabricate) -> None:
    record = fabricate("a", 0.8)
    command = [sys.executable, "-c", "import os; print(os.getpid())"]
    pid = int(subprocess.run(command, capture_output=True, check=True).stdout)
    left = record.path / f".{JSON}-{pid}.{host_tag(this_host())}.abc.tmp"
    works = record.path / f".{JSON}-{new_owner()}.tmp"
    for path in (left, works):
        path.write_text("half")
    rescore(record.path)
    assert not left.exists()
    assert works.exists()
