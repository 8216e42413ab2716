"""Models that are fitted again from their records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hmcbench.apply.rebuild import refit
from hmcbench.errors import BadInput
from hmcbench.records.record import Record
from hmcbench.registry.registry import default_registry


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
    ]
    for change, says in changes:
        with pytest.raises(BadInput, match=says):
            refit(Record(record.path, {**record.data, **change}), default_registry())
    with pytest.raises(BadInput, match="reads no path"):
        refit(record, default_registry(), "somewhere")
    assert json.loads((record.path / "record.json").read_text())["status"] == "ok"
