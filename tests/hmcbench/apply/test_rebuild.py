"""Models that are fitted again from their records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.apply.rebuild import _check, refit
from hmcbench.cli import main
from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.metrics.sets import hf1_samples
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record, read_all
from hmcbench.records.score_bits import rounded
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin


def test_another_model_than_that_of_the_record_is_refused(record_of: Callable[[str], Record]) -> None:
    record = record_of("ridge")
    model = record.data["model"]
    stronger = {**model["params"], "alpha": 50.0}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"model": {**model, "version": "0"}}, "made by version 0"),
        ({"dataset": {**record.data["dataset"], "fingerprint": "0" * 64}}, "not the data of the record"),
        ({"split": {**record.data["split"], "fingerprint": "0"}}, "split is not that"),
        ({"status": "failed", "cause": "crash"}, "failed"),
        ({"model": {**model, "params": stronger}}, "does not predict as in its record"),
        ({"model": {**model, "name": "Mine", "plugin": {"distribution": "mine.py"}}}, "--plugin mine.py"),
    ]
    for change, says in changes:
        with pytest.raises(BadInput, match=says):
            refit(Record(record.path, {**record.data, **change}), default_registry())
    with pytest.raises(BadInput, match="reads no path"):
        refit(record, default_registry(), "somewhere")
    assert json.loads((record.path / "record.json").read_text())["status"] == "ok"


PLUGIN = """
from hmcbench import DatasetSpec, ModelSpec, hookimpl

@hookimpl
def hmcbench_datasets():
    return [DatasetSpec(name="several", version="1", summary="", factory="several:several",
                        paths="multiple", depth="ragged", views=("table",))]

@hookimpl
def hmcbench_models():
    return [ModelSpec(name=name, version="1", summary="", factory=f"several:{name}", views=("table",),
                      scores=scores) for name, scores in (("logits", "logit"), ("decider", "probability"))]

def several():
    from hmcbench.testing.helpers import tiny_dataset
    return tiny_dataset(80, "dag", noise=2.0)

class Logits:
    def fit(self, train, valid, run):
        import numpy as np
        table = np.asarray(train.views["table"][:], dtype=float)
        targets = train.targets.toarray() if hasattr(train.targets, "toarray") else train.targets
        self.weights = np.linalg.lstsq(table, 6.0 * targets - 4.0, rcond=None)[0]

    def predict(self, samples):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.asarray(samples.views["table"][:], dtype=float) @ self.weights)

class Decider(Logits):
    def predict(self, samples):
        from hmcbench import Scores
        logits = super().predict(samples).values
        return Scores(1 / (1 + 2.718281828 ** -logits), decisions=logits > -1.5)

logits, decider = Logits, Decider
"""
SUITE = """
[suite]
name = "several"
version = 1
datasets = ["several"]
primary = "hf1_samples"

[protocol]
test = 0.3
validation = 0.2
score_bits = 16

[profiles.quick]
models = ["logits", "decider"]
threads = 1
"""


def test_rounded_scores_logits_and_own_decisions_are_those_of_the_record(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "plugin").mkdir()
    with installed_plugin(tmp_path / "plugin", "several", PLUGIN):
        with pytest.raises(SystemExit):
            main(["run", "--suite", str(tmp_path / "suite.toml"), "--out", str(tmp_path), "--json"])
        records = read_all(tmp_path)
        assert [record.label for record in records] == ["decider", "logits"]
        for record in records:
            refitted = refit(record, default_registry())
            whole = float(hf1_samples(refitted.evaluation(refitted.truth, refitted.test)))
            assert whole == record.metrics("test")["hf1_samples"], record.label
            predicted = refitted.predict(refitted.test)
            assert np.array_equal(predicted, record.predictions().of_side("test").scores), record.label


def test_half_a_step_of_stored_scores_is_no_difference() -> None:
    exact = np.array([[0.70001, 0.3]], dtype=np.float32)
    stored = Predictions(["a"], ["test"], rounded(exact, 16), Task(), bits=16)
    _check(stored, ["a"], exact)
    with pytest.raises(BadInput, match="does not predict as in its record"):
        _check(stored, ["a"], exact + 4e-4)
    with pytest.raises(BadInput, match="does not predict as in its record"):
        _check(replace(stored, bits=32), ["a"], exact)
