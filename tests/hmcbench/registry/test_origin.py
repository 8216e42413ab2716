"""The keys of cells hold where third-party plugins come from; those of built-in plugins do not change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmcbench.data.featurize import plan_view
from hmcbench.errors import BadInput
from hmcbench.execute import runner
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin, tiny_suite

MODEL = """
from hmcbench import FeaturizerSpec, ModelSpec, hookimpl

@hookimpl
def hmcbench_models():
    views = ("halved",)
    return [ModelSpec(name="mine", version="1", summary="", factory="NAME:Model", views=views)]

@hookimpl
def hmcbench_featurizers():
    return [FeaturizerSpec(name="halved", version="1", summary="", factory="NAME:Half", source="table")]

class Half:
    def transform(self, rows):
        return rows / 2

class Model:
    def fit(self, train, valid, run):
        self.columns = run.task.hierarchy.n

    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.full((len(inputs), self.columns), 0.5))
"""


def plan(model: str = "mine") -> Plan:
    return make_plan(parse_suite(tiny_suite("origin", [model]), "s.toml"), default_registry(), Choices())


def planned(
    folder: Path, name: str, text: str = MODEL, *, copied: bool = False, version: str = "0.0"
) -> Plan:
    """The plan while a plugin is installed: as a copy, or as a module that lies on the path."""
    info = f"{name}-0.0.dist-info"
    files = [(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")]
    files += [(f"{info}/RECORD", f"{name}.py,,\n")] * copied
    with installed_plugin(folder, name, text.replace("NAME", name), files=files):
        return plan()


def test_two_plugins_with_a_model_of_one_name_and_version_share_no_record(tmp_path: Path) -> None:
    for copied in (False, True):
        keys = {planned(tmp_path / f"{n}-{copied}", n, copied=copied).cells[0].key for n in ("one", "two")}
        assert len(keys) == 2


def test_an_edited_model_under_development_is_not_done(tmp_path: Path) -> None:
    before = planned(tmp_path / "plugin", "mine")
    outcome = runner.execute  # of the same command, before and after the edit
    with installed_plugin(tmp_path / "plugin", "mine", MODEL.replace("NAME", "mine")):
        assert not outcome(plan(), tmp_path / "runs", device="cpu").failed
        again = plan()
        assert not runner.pending(again, runner.existing(again, tmp_path / "runs").records, "missing")
    edited = planned(tmp_path / "plugin", "mine", MODEL.replace("0.5", "0.7"))
    assert runner.pending(edited, runner.existing(edited, tmp_path / "runs").records, "missing")
    assert before.cells[0].key == again.cells[0].key != edited.cells[0].key
    assert len(before.cells[0].record["model"]["plugin"]["source"]) == 64


def test_an_installed_copy_has_its_version_in_the_key_and_no_digest(tmp_path: Path) -> None:
    first = planned(tmp_path / "1", "mine", copied=True).cells[0]
    edited = planned(tmp_path / "2", "mine", MODEL + "# a comment\n", copied=True).cells[0]
    later = planned(tmp_path / "3", "mine", copied=True, version="0.1").cells[0]
    assert first.key == edited.key != later.key
    assert "source" not in first.record["model"]["plugin"]


def test_an_editable_installation_is_under_development(tmp_path: Path) -> None:
    keys = []
    for number, text in enumerate((MODEL, MODEL + "# edited\n")):
        info, folder = "mine-0.0.dist-info", tmp_path / str(number)
        editable = '{"url": "file:///mine", "dir_info": {"editable": true}}'
        files = [(f"{info}/RECORD", ""), (f"{info}/direct_url.json", editable)]
        with installed_plugin(folder, "mine", text.replace("NAME", "mine"), files=files):
            keys.append(plan().cells[0].key)
    assert keys[0] != keys[1]


def test_all_files_of_a_package_count(tmp_path: Path) -> None:
    keys = []
    for number, depth in enumerate((1, 2, 2)):
        folder, text = tmp_path / str(number), MODEL.replace("NAME:Model", "inner.part:Model")
        files = [("inner/__init__.py", ""), ("inner/part.py", f"DEPTH = {depth}\n")]
        with installed_plugin(folder, "mine", text.replace("NAME", "mine"), files=files):
            keys.append(plan().cells[0].key)
    assert keys[0] != keys[1] == keys[2]


def test_a_cached_view_of_an_edited_featurizer_is_computed_again(tmp_path: Path) -> None:
    keys = []
    for number, text in enumerate((MODEL, MODEL.replace("/ 2", "/ 3"))):
        with installed_plugin(tmp_path / str(number), "mine", text.replace("NAME", "mine")):
            keys.append(plan_view(default_registry(), ("table",), "halved", ()).key("data"))
    assert keys[0] != keys[1]


def test_keys_of_built_in_plugins_stay_those_of_earlier_records() -> None:
    """Records of earlier versions still count as done: see docs/records.md."""
    assert [cell.key[:16] for cell in plan("prior").cells] == ["ac4d546a60038eec"]
    with pytest.raises(BadInput, match="unknown model"):
        plan("mine")
