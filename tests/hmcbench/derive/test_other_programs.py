"""Predictions of other software have the metrics of a run with the same estimator, to the last digit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hmcbench
from hmcbench.records.record import Record, read_all
from hmcbench.testing.helpers import shared_data

pytest.importorskip("pandas", reason="the scripts read tables with it")
DOCS = Path(__file__).parents[3] / "docs" / "bring.md"

HICLASS = """
import pandas as pd
from hiclass import LocalClassifierPerLevel
from sklearn.tree import DecisionTreeClassifier
train, test = (pd.read_csv(f"task/toy-tree/fold-0/{s}/table.csv", index_col="id") for s in ("train", "test"))
labels = pd.read_csv("task/toy-tree/fold-0/train/labels.csv", index_col="id")["labels"]
tree = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
model = LocalClassifierPerLevel(tree).fit(train.to_numpy(), [[name[0], name] for name in labels])
levels = [(c.predict_proba(test.to_numpy()), c.classes_) for c in model.local_classifiers_]
scores = pd.concat([pd.DataFrame(shares, test.index, names) for shares, names in levels], axis=1)
scores.rename(columns=lambda name: name.rpartition("::")[2]).to_csv("p.csv")
"""

SEVERAL = """
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
def table(name): return pd.read_csv(f"task/toy-dag/fold-0/{name}.csv", index_col="id")
edges = pd.read_csv("task/toy-dag/hierarchy.csv", keep_default_na=False)
above = {c: {p for p in edges.parent[edges.child == c] if p} for c in edges.child}
def closure(name): return {name}.union(*map(closure, above[name]))
said = [set().union(*map(closure, row.split("|"))) for row in table("train/labels")["labels"]]
truth = [[c in row for c in CLASSES] for row in said]
model = ExtraTreesClassifier(random_state=0).fit(table("train/table"), truth)
for side, name in (("test", "p.csv"), ("validation", "v.csv")):
    shares = {c: s[:, 1] for c, s in zip(CLASSES, model.predict_proba(table(f"{side}/table")), strict=True)}
    pd.DataFrame(shares, table(f"{side}/table").index).to_csv(name)
"""


def rows(runs: Path) -> tuple[list[Record], list[Record]]:
    """The records of the run, and those that were brought, by fold."""
    records = sorted(read_all(runs), key=lambda record: record.fold)
    return [r for r in records if not r.brought], [r for r in records if r.brought]


def test_the_script_of_the_page(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steel plates by plain scikit-learn, in two folds of their five to save time."""
    data = {"steel-plates": shared_data("steel_plates_faults")}
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(r"<!-- script: scikit-learn -->\n```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    named = f"steel-plates={data['steel-plates']}"
    assert cli("export-task", "steel-plates", "--to", "task", "--data", named, "--folds", "2").status == 0
    exec(script.replace("range(5)", "range(2)"), {})
    model = "sklearn:sklearn.ensemble.RandomForestClassifier[n_estimators=20]"
    hmcbench.run("steel-plates", models=[model], data=data, folds=2, in_process=True, progress=False)
    ended = cli("bring", "runs", "--suite", "steel-plates", "--name", "mine", "--predictions", "task")
    assert ended.status == 0, ended.err
    measured, brought = rows(Path("runs"))
    assert [r.fold for r in brought] == [0, 1]
    for ours, theirs in zip(measured, brought, strict=True):
        assert theirs.metrics("test") == ours.metrics("test")
        test = ours.predictions().of_side("test")
        assert theirs.predictions().ids == test.ids
        assert (theirs.predictions().scores == test.scores).all()


def test_hiclass(cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hiclass", reason="needs the extra hmc")
    monkeypatch.chdir(tmp_path)
    assert cli("export-task", "smoke", "--dataset", "toy-tree", "--to", "task").status == 0
    exec(HICLASS, {})
    model = "hiclass[local=level,classifier=decision-tree]"
    hmcbench.run("smoke", datasets=["toy-tree"], models=[model], in_process=True, progress=False)
    ended = cli("bring", "runs", "--suite", "smoke", "--name", "hiclass 5", "--predictions", "p.csv")
    assert ended.status == 0, ended.err
    (ours,), (theirs,) = rows(Path("runs"))
    assert theirs.metrics("test") == ours.metrics("test")


def test_several_paths_with_a_threshold_of_validation(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("export-task", "smoke", "--dataset", "toy-dag", "--to", "task").status == 0
    from hmcbench.testing.helpers import tiny_hierarchy

    exec(SEVERAL, {"CLASSES": tiny_hierarchy("dag").classes})
    model = "sklearn:sklearn.ensemble.ExtraTreesClassifier"
    hmcbench.run("smoke", datasets=["toy-dag"], models=[model], in_process=True, progress=False)
    args = ("--name", "mine", "--predictions", "p.csv", "--validation", "v.csv")
    ended = cli("bring", "runs", "--suite", "smoke", *args)
    assert ended.status == 0, ended.err
    (ours,), (theirs,) = rows(Path("runs"))
    assert theirs.data["decision"] == ours.data["decision"]
    assert theirs.data["metrics"] == ours.data["metrics"]
