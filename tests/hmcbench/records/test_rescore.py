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

from hmcbench.errors import BadInput
from hmcbench.files import host_tag, new_owner, this_host
from hmcbench.interfaces import MetricSpec, RuleSpec, Task
from hmcbench.interfaces.hookspecs import hookimpl
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
