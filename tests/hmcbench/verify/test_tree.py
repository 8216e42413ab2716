"""A published tree is clean; whatever is changed in it afterwards is found."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.interfaces import MetricSpec, Task
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import rows as rows_of
from hmcbench.leaderboard.inference import prediction_interval
from hmcbench.leaderboard.verdicts import joint_level
from hmcbench.metrics.base import SampleMetric
from hmcbench.metrics.builtin import SPECS
from hmcbench.publish.publish import publish
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import JSON, NPZ, Record, read_all
from hmcbench.records.rescore import rescore
from hmcbench.testing.helpers import temporary_plugin, tiny_hierarchy
from hmcbench.verify import Finding
from hmcbench.verify.findings import same
from hmcbench.verify.pages import _parts
from hmcbench.verify.tree import verify_results

mine = SampleMetric(lambda e: np.full((len(e), 1), 0.25), lambda sums: sums[..., 0] / 60)
Fabricate = Callable[..., Record]


@pytest.fixture
def results(fabricate: Fabricate, tmp_path: Path) -> Path:
    """Two models and a failure, published."""
    small = {"sizes": {"validation": 20, "test": 60}, "split": {"counts": {"validation": 20, "test": 60}}}
    fabricate("a", 0.9, **small)
    fabricate("b", 0.7, **small)
    fabricate("c", status="failed", cause="time-out", split=small["split"])
    info = {"suite": {"name": "smoke", "columns": ["exact_match"]}, "published": [], "cells": []}
    (tmp_path / "runs" / "smoke" / "suite.json").write_text(json.dumps(info))
    publish(tmp_path / "runs", tmp_path / "results")
    return tmp_path / "results"


def findings_of(results: Path, *, files: bool = False) -> list[Finding]:
    """The findings; ``files``: those on changed files alone, else the others."""
    folders = sorted(path.parent for path in results.glob("*/records"))
    findings = [finding for _, finding in verify_results(folders, index=results).all_findings()]
    return [finding for finding in findings if (finding.kind == "changed") == files]


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def record(results: Path, model: str) -> Path:
    (path,) = (results / "smoke" / "records").glob(f"toy--{model}--*")
    return path


def test_what_was_published_is_clean(results: Path) -> None:
    report = verify_results([results / "smoke"], index=results)
    (suite,) = report.suites
    assert report.clean and list(report.all_findings()) == []
    assert (suite.records, suite.checked, suite.failed, suite.unchecked) == (2, 2, 1, {})
    values = sum(
        len(v) for m in "ab" for v in json.loads((record(results, m) / JSON).read_text())["metrics"].values()
    )
    assert suite.recomputed > values > 100 and suite.compared > 0 and suite.uncheckable == 0
    files = [path for path in results.glob("smoke/**/*") if path.is_file()]
    assert report.status == 0 and suite.files == len(files) - 1


def test_a_metric_that_does_not_follow_from_the_predictions(results: Path) -> None:
    changed(record(results, "a") / JSON, lambda d: d["metrics"]["test"].update(level1_accuracy=0.999))
    findings = findings_of(results)
    assert findings[0].kind == "differs" and findings[0].what == "test level1_accuracy"
    assert findings[0].published == 0.999 and findings[0].recomputed < 0.96
    assert "level1_accuracy: published 0.999, recomputed 0.9" in str(findings[0])


def test_boards_follow_from_recomputed_metrics_not_from_stored_ones(results: Path) -> None:
    """A forged record whose forged board agrees with it."""
    changed(record(results, "b") / JSON, lambda d: d["metrics"]["test"].update(hf1_samples=0.99))
    publish(results, results)
    assert (
        json.loads((results / "smoke" / "leaderboard.json").read_text())["boards"][0]["rows"][0]["model"]
        == "b"
    )
    what = {(f.kind, f.what.partition(".")[0]) for f in findings_of(results)}
    assert (
        ("differs", "test hf1_samples") in what
        and ("differs", "cells") in what
        and ("differs", "rank") in what
    )


def test_predictions_that_were_changed(results: Path) -> None:
    place = record(results, "a") / NPZ
    predictions = Predictions.load(place)
    replace(predictions, scores=np.roll(predictions.scores, 1, axis=0)).save(place)
    assert {f.kind for f in findings_of(results)} == {"differs"}


def _value(board: dict[str, Any]) -> None:
    board["rows"][0]["cells"]["hf1_samples"]["mean"] += 0.001


def _interval(board: dict[str, Any]) -> None:
    board["rows"][1]["cells"]["exact_match"]["high"] = 0.99


def _bold(board: dict[str, Any]) -> None:
    board["rows"][1]["cells"]["exact_match"]["best"] = True


def _cost(board: dict[str, Any]) -> None:
    board["rows"][0]["costs"]["A"]["fit_s"]["mean"] = 1.0


def _note(board: dict[str, Any]) -> None:
    board["notes"].append("peer reviewed")


def _fact(board: dict[str, Any]) -> None:
    board["facts"][0][1] = "other data"


def _row(board: dict[str, Any]) -> None:
    board["rows"].append({**board["rows"][0], "model": "mine", "keys": ["f" * 64]})


def _lacks(board: dict[str, Any]) -> None:
    del board["rows"][1]


def _data(board: dict[str, Any]) -> None:
    board["fingerprint"] = "e" * 64


def _version(board: dict[str, Any]) -> None:
    board["version"] = "2"


def _profile(board: dict[str, Any]) -> None:
    board["profile"], board["dataset"] = "paper", "other"


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (_value, "differs", "cells.hf1_samples.mean"),
        (_interval, "differs", "cells.exact_match.high"),
        (_bold, "differs", "cells.exact_match.best"),
        (_cost, "differs", "costs.A.fit_s.mean"),
        (_note, "differs", "nothing in the records says (notes) peer reviewed"),
        (_fact, "differs", "nothing in the records says (facts) data: other data"),
        (_row, "no record", "row mine"),
        (_lacks, "differs", "lacks the row b"),
        (_data, "data", "data fingerprint does not match its records"),
        (_version, "version", "version does not match its records"),
        (_profile, "no record", "no record is of this suite version"),
    ],
)
def test_a_board_that_does_not_follow_from_its_records(
    results: Path, change: Callable[[dict[str, Any]], None], kind: str, says: str
) -> None:
    changed(results / "smoke" / "leaderboard.json", lambda d: change(d["boards"][0]))
    assert any(f.kind == kind and says in f.what for f in findings_of(results)), list(
        map(str, findings_of(results))
    )


@pytest.mark.parametrize(
    "name", ["smoke/README.md", "smoke/leaderboard.csv", "smoke/index.html", "README.md", "index.html"]
)
def test_a_number_changed_by_hand(results: Path, name: str) -> None:
    text = (results / name).read_text(encoding="utf-8")
    number = re.findall(r"0\.\d{3}", text)[-1]
    (results / name).write_text(text.replace(number, "0.111", 1), encoding="utf-8")
    (finding,) = findings_of(results)
    assert finding.kind == "differs" and finding.where.startswith(Path(name).name)
    assert "0.111" in str(finding)


def test_the_data_of_the_page_and_its_script(results: Path) -> None:
    page = results / "smoke" / "index.html"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace('"rank":1', '"rank":9'), encoding="utf-8")
    assert [(f.kind, f.what) for f in findings_of(results)] == [
        ("differs", "data of the page, boards[0].rows[0].rank")
    ]
    page.write_text(text.replace("use strict", "use other"), encoding="utf-8")
    report = verify_results([results / "smoke"])
    assert [f.kind for _, f in report.all_findings()] == ["changed"]
    assert "are not those of this version" in report.suites[0].notes[0]
    page.write_text("<html></html>", encoding="utf-8")
    assert [f.kind for f in findings_of(results)] == ["unreadable"]


def test_a_line_added_by_hand(results: Path) -> None:
    with (results / "smoke" / "README.md").open("a", encoding="utf-8") as file:
        file.write("We are the best.\n")
    (finding,) = findings_of(results)
    assert finding.published == "We are the best." and "lines instead of" in finding.what


def test_a_row_whose_record_is_gone(results: Path) -> None:
    shutil.rmtree(record(results, "b"))
    findings = findings_of(results)
    assert any(f.kind == "no record" and f.what == "row b" for f in findings)


def measured(results: Path) -> dict[str, Any]:
    """Mean and prediction interval of row ``a``, as a table of a paper has them."""
    rows = [row for row in rows_of(read_all(results / "smoke" / "records"))[0] if row.ok]
    estimator = Estimator(rows, ["hf1_samples"], (), SPECS)
    estimate = estimator.row(next(row for row in rows if row.label == "a"))["hf1_samples"]
    low, high = prediction_interval(estimate, joint_level(1)) or (None, None)
    return {"mean": estimate.mean, "low": low, "high": None if high is None else min(high, 1.0)}


def test_pictures_and_tables_need_records(results: Path) -> None:
    good, bad = (
        results / "smoke" / "figures" / record(results, "a").name,
        results / "smoke" / "figures" / "gone",
    )
    for folder in (good, bad):
        folder.mkdir(parents=True)
        (folder / "reliability.png").write_bytes(b"")
    publish(results, results)
    assert good.is_dir() and not bad.exists()
    bad.mkdir()
    (bad / "reliability.png").write_bytes(b"")
    value = {"published": 0.9, **measured(results), "verdict": "reproduced"}
    wrong = {**value, "mean": 0.5}
    alone = {"published": 0.9, "mean": None, "low": None, "high": None, "verdict": "not testable"}
    rows = [
        {"label": "ours", "model": "a", "values": [value]},
        {"label": "theirs", "model": "none", "values": [alone]},
        {"label": "wrong", "model": "a", "values": [wrong]},
        {"label": "lost", "model": "none", "values": [value]},
    ]
    (results / "smoke" / "tables").mkdir()
    (results / "smoke" / "tables" / "paper-1.json").write_text(
        json.dumps({"metrics": ["hf1_samples"], "rows": rows})
    )
    (results / "smoke" / "tables" / "other-figure-2.png").write_bytes(b"")
    (results / "smoke" / "tables" / "torn.json").write_text("{}")
    assert [(f.kind, f.where, f.what) for f in findings_of(results)] == [
        ("no record", "figures/gone", "pictures without a record"),
        ("differs", "tables/paper-1.json", "wrong hf1_samples mean"),
        ("no record", "tables/paper-1.json", "row lost (none)"),
        ("unreadable", "tables/torn.json", "is no table ('metrics')"),
        ("no record", "tables/other-figure-2.png", "there is no other.json"),
    ]


def test_a_table_that_names_its_records_is_checked_against_those_alone(results: Path) -> None:
    (results / "smoke" / "tables").mkdir()
    path = results / "smoke" / "tables" / "paper-1.json"
    value = {"published": 0.9, "mean": 0.5, "low": None, "high": None}
    rows = [{"label": "ours", "model": "a", "values": [value]}]
    table = {"metrics": ["hf1_samples"], "rows": rows, "records": [record(results, "a").name]}
    path.write_text(json.dumps(table))
    assert ("differs", "ours hf1_samples mean") in [(f.kind, f.what) for f in findings_of(results)]
    path.write_text(json.dumps({**table, "records": [record(results, "b").name]}))
    assert [(f.kind, f.what) for f in findings_of(results)] == [("no record", "row ours (a)")]
    path.write_text(json.dumps({**table, "records": ["gone"]}))
    assert ("no record", "gone") in [(f.kind, f.what) for f in findings_of(results)]


def test_a_threshold_that_validation_does_not_give(fabricate: Fabricate, tmp_path: Path) -> None:
    hierarchy = tiny_hierarchy("multiple")
    rng = np.random.default_rng(0)
    truth = hierarchy.close(rng.random((60, hierarchy.n)) < 0.3)
    truth = truth.toarray() if hasattr(truth, "toarray") else truth
    scores = np.clip(truth * 0.4 + rng.random(truth.shape) * 0.5, 0, 1).astype(np.float32)
    side = ["validation"] * 30 + ["test"] * 30
    task = Task(paths="multiple", hierarchy=hierarchy)
    predictions = Predictions([f"s{i}" for i in range(60)], side, scores, task, truth)
    split = {"counts": {"validation": 30, "test": 30}}
    fabricate("cheat", predictions=predictions, decision={"thresholds": 0.9}, split=split)
    findings = [f for _, f in verify_results([tmp_path / "runs" / "smoke"]).all_findings()]
    assert any("threshold is not the one" in f.what and f.published == 0.9 for f in findings)


def test_what_is_damaged_is_named_and_the_rest_is_checked(results: Path) -> None:
    (record(results, "a") / NPZ).write_bytes(b"PK torn")
    (record(results, "c") / JSON).write_text("{")
    (results / "smoke" / "leaderboard.json").write_text("[]")
    report = verify_results([results / "smoke"], index=results)
    assert report.suites[0].checked == 1
    said = [f"{f.kind} {f.where} {f.what}" for _, f in report.all_findings()]
    assert [line.split()[0] for line in said].count("unreadable") == 3
    for part in (
        "predictions.npz cannot be read",
        "record.json cannot be read",
        "leaderboard.json is no leaderboard",
    ):
        assert any(part in line for line in said), said


def test_values_of_a_metric_that_is_not_installed_are_no_difference(results: Path) -> None:
    changed(record(results, "a") / JSON, lambda d: d["metrics"]["test"].update(of_an_absent_plugin=3.0))
    publish(results, results)
    report = verify_results([results / "smoke"], index=results)
    assert report.clean
    assert "of_an_absent_plugin is not installed" in report.suites[0].notes[0]


@pytest.mark.parametrize("role", ["a column", "the primary metric"])
def test_a_board_with_a_metric_that_is_not_installed(
    fabricate: Fabricate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    """What needs it is not compared and not checkable; the other columns are."""

    class Plugin:
        @hookimpl
        def hmcbench_metrics(self) -> list[MetricSpec]:
            return [MetricSpec(name="mine", version="1", summary="", factory=mine, decided=False)]

    small = {"sizes": {"validation": 20, "test": 60}, "split": {"counts": {"validation": 20, "test": 60}}}
    names = ["mine", "exact_match"] if "primary" in role else ["exact_match", "mine"]
    suite = {"name": "smoke", "primary": names[0]}
    with temporary_plugin(Plugin()) as registry, monkeypatch.context() as patch:
        patch.setattr("hmcbench.leaderboard.build.default_registry", lambda: registry)
        for name, accuracy in (("a", 0.9), ("b", 0.7)):
            fabricate(name, accuracy, suite=suite, **small)
        info = {"suite": {**suite, "columns": names, "reference": "a"}, "published": [], "cells": []}
        (tmp_path / "runs" / "smoke" / "suite.json").write_text(json.dumps(info))
        rescore(tmp_path / "runs" / "smoke" / "records", specs=registry.specs("metrics"))
        publish(tmp_path / "runs", tmp_path / "results")
        assert verify_results([tmp_path / "results" / "smoke"], registry=registry).clean
    results = tmp_path / "results"
    report = verify_results([results / "smoke"])
    assert report.clean, list(map(str, findings_of(results)))
    assert "metric mine is not installed: its values are not checkable here" in report.suites[0].notes
    assert report.suites[0].uncheckable == 4  # two records, two partitions
    board = json.loads((results / "smoke" / "leaderboard.json").read_text())["boards"][0]
    assert board["columns"][0]["id"] == names[0] and board["rows"][0]["cells"]["mine"]["mean"] < 1
    changed(
        results / "smoke" / "leaderboard.json",
        lambda d: d["boards"][0]["rows"][0]["cells"]["exact_match"].update(mean=0.123),
    )
    assert ("differs", "cells.exact_match.mean", 0.123) in [
        (f.kind, f.what, f.published) for f in findings_of(results)
    ]


def test_planned_sets_of_one_dataset_that_have_not_run_yet(fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("a", 0.9)
    cell = {"key": "0" * 64, "dataset": "toy", "model": "a", "fold": 0, "seed": 0, "profile": "quick"}
    cells = [{**cell, "key": str(i) * 64, "reference": f"toy:{name}"} for i, name in enumerate("bcd")]
    info = {"suite": {"name": "smoke"}, "published": [], "cells": cells, "profile": "quick"}
    (tmp_path / "runs" / "smoke" / "suite.json").write_text(json.dumps(info))
    publish(tmp_path / "runs", tmp_path / "results")
    text = (tmp_path / "results" / "smoke" / "README.md").read_text()
    assert all(f"toy:{name}" in text for name in "bcd")
    assert findings_of(tmp_path / "results") == []


def test_boards_of_one_split_that_differ_in_their_protocol(fabricate: Fabricate, tmp_path: Path) -> None:
    """The later one took the place of the first, which had no record then."""
    fabricate("a", 0.9)
    fabricate("a", 0.8, split={"label_noise": [0.1], "noise_to": "sibling"})
    fabricate("a", 0.7, split={"refit": True})
    publish(tmp_path / "runs", tmp_path / "results")
    assert findings_of(tmp_path / "results") == []
    place = tmp_path / "results" / "smoke" / "leaderboard.json"
    changed(place, lambda data: data["boards"][0]["traits"].update(division="another one"))
    (differs,) = [f for f in findings_of(tmp_path / "results") if f.what.startswith("traits")]
    assert (differs.published, differs.recomputed) == ("another one", "one random split")
    changed(place, lambda data: data["boards"].pop(1))
    (lacks,) = [f for f in findings_of(tmp_path / "results") if f.kind == "differs" and "lacks" in f.what]
    assert "lacks the board" in lacks.what


def test_numbers_in_the_text_of_a_table(results: Path) -> None:
    value = {"published": 0.94, **measured(results)}
    rows = [{"label": "Ours, 2.5 Ni", "model": "a", "values": [value]}]
    tables = results / "smoke" / "tables"
    tables.mkdir()
    (tables / "paper-1.json").write_text(json.dumps({"metrics": ["hf1_samples"], "rows": rows}))
    shown = "0.940 / {mean:.3f} \\[{low:.3f}, {high:.3f}\\] =".format(**value)
    verdict = "undecided: fold 1 failed after 12.5 s \\| 3.25 GB"  # no numbers of the row
    head = "| row | our model | F1 | verdict |\n|:--|:--|:--|:--|\n"
    text = f"{head}| Ours, 2.5 Ni | `a` | {shown} | {verdict} |\n"
    (tables / "paper-1.md").write_text(text)
    assert findings_of(results) == []
    (tables / "paper-1.md").write_text(text.replace(f"{value['mean']:.3f}", "0.999"))
    (finding,) = findings_of(results)
    assert (finding.kind, finding.where) == ("differs", "tables/paper-1.md")
    assert finding.what == "Ours, 2.5 Ni: 0.999 is no number of paper-1.json"


def test_counts_and_hierarchy_of_the_record_are_those_of_its_predictions(results: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["split"]["counts"]["test"] = 999
        data["dataset"]["hierarchy"] = "e" * 64

    changed(record(results, "a") / JSON, change)
    assert {(f.kind, f.what) for f in findings_of(results)} >= {
        ("differs", "samples per side"),
        ("data", "hierarchy fingerprint"),
    }


def test_another_version_of_a_model_is_a_note(fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("prior", model={"version": "0"})
    report = verify_results([tmp_path / "runs" / "smoke"])
    assert report.clean
    assert "model prior: published by version 0, installed is" in report.suites[0].notes[0]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 1.0 + 1e-12, True),
        (0.0, 1e-10, True),
        (1e6, 1e6 + 1e-4, True),
        (0.5, 0.5001, False),
        (1e6, 1e6 + 1, False),
        (1, True, True),
        (None, 0.0, False),
        ("a", "a", True),
        (float("inf"), float("inf"), True),
        (float("nan"), float("nan"), True),
        (float("nan"), 0.5, False),
    ],
)
def test_same(a: Any, b: Any, expected: bool) -> None:
    assert same(a, b) is expected


def test_a_line_that_differs_in_its_padding_alone_is_shown_whole() -> None:
    assert _parts("|  a | b |", "| a | b |") == ("|  a | b |", "| a | b |")
    assert _parts("|  a | b |", "| a | c |") == ("b", "c")
