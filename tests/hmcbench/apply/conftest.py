"""Records of table models on data whose important columns are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hmcbench.records.record import Record, read_record
from hmcbench.testing.helpers import installed_plugin

PLUGIN = """
from hmcbench import DatasetSpec, Param, hookimpl

@hookimpl
def hmcbench_datasets():
    return [DatasetSpec(name="planted", version="1", summary="", factory="planting:planted",
                        task="regression", views=("table",), params={"shift": Param(0.0, cosmetic=True)})]

def planted(shift):
    import numpy as np
    from dataclasses import replace
    from hmcbench.testing.helpers import tiny_dataset
    data = tiny_dataset(80, "regression")
    table = np.asarray(data.views["table"], dtype=float)
    strength, hardness = 5 * table[:, 2] + table[:, 6], 3 * table[:, 4]
    data = replace(data, targets=np.column_stack([strength, hardness]) + shift)
    return replace(data, fingerprint="%016x" % int(shift))
"""
SUITE = """
[suite]
name = "planted"
version = 1
datasets = ["planted"]
primary = "r2"

[protocol]
test = 0.3
validation = 0.2

[profiles.quick]
models = ["ridge", "forest[n_estimators=20]"]
threads = 1
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    from hmcbench.cli import main

    folder = tmp_path_factory.mktemp("planted")
    (folder / "suite.toml").write_text(SUITE)
    (folder / "plugin").mkdir()
    with installed_plugin(folder / "plugin", "planting", PLUGIN):
        with pytest.raises(SystemExit):
            main(["run", "--suite", str(folder / "suite.toml"), "--out", str(folder), "--json"])
        yield folder / "planted" / "records"


@pytest.fixture(scope="module")
def record_of(runs: Path) -> Callable[[str], Record]:
    """``record_of(model)``: the record of that model."""
    return lambda model: read_record(next(runs.glob(f"planted--{model}*")))
