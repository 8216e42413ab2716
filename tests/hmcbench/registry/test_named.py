"""Files and modules that the user names as plugins."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.registry.loading import Manager
from hmcbench.registry.named import SWITCH, add_plugins, split_file, switches
from hmcbench.registry.registry import Registry, create

MODEL = """
class Mine:
    '''The best model.'''
    views = "table"
    def __init__(self, width=32, name="a"):
        pass
    def fit(self, train, valid, run):
        pass
    def predict(self, inputs):
        pass


class _Hidden(Mine):
    pass
"""
HOOKS = """
from hmcbench import ModelSpec, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="hooked", version="1", summary="s", factory="x:y")]
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No plugins but those that the test names; imported files are forgotten afterwards."""
    monkeypatch.setenv(SWITCH, "none")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def registry() -> Registry:
    manager = Manager()
    manager.load_entry_points()
    return Registry(manager)


def test_a_class_in_a_file_is_a_model() -> None:
    Path("my_file.py").write_text(MODEL)
    add_plugins(["my_file.py"])
    spec, params = registry().resolve("models", "Mine[width=8]")
    assert params == {"width": 8, "name": "a"}
    assert (spec.summary, spec.views, spec.factory) == ("The best model.", ("table",), "my_file:Mine")
    assert [s.name for s in registry().specs("models")] == ["Mine"]


@pytest.mark.parametrize(
    ("reference", "file", "model"),
    [
        ("my_file.py:Mine[width=8]", "my_file.py", "Mine[width=8]"),
        ("../a b/c.py:Mine", "../a b/c.py", "Mine"),
        ("timm:resnet18[x=a.py:b]", "", "timm:resnet18[x=a.py:b]"),
        ("pri*", "", "pri*"),
    ],
)
def test_a_reference_may_name_a_file(reference: str, file: str, model: str) -> None:
    assert split_file(reference) == (file, model)


def test_hooks_and_modules_work_as_in_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("hooks_of_mine.py").write_text(HOOKS)
    monkeypatch.syspath_prepend(tmp_path)
    add_plugins(["hooks_of_mine"])
    assert registry().get("models", "hooked").name == "hooked"


def test_the_environment_names_files_by_their_whole_path() -> None:
    Path("my_file.py").write_text(MODEL)
    add_plugins(["my_file.py"])
    add_plugins(["my_file.py"])
    assert os.environ[SWITCH] == f"none,{Path('my_file.py').absolute()}"
    assert switches() == ("none", [str(Path("my_file.py").absolute())])


CLASSES = """
from __future__ import annotations

class Forest:
    views = ("texture",)
    def __init__(self, max_depth=None, features="sqrt", rate: float | None = None, note: str | None = None):
        pass
    def fit(self, X, y): pass
    def predict(self, X): pass
    def predict_proba(self, X): pass
    def get_params(self, deep=True): return {}

class Both:
    views = ("texture", "table")
    def fit(self, train, valid, run): pass
    def predict(self, inputs): pass
"""


def test_a_default_of_none_can_be_set() -> None:
    Path("forests.py").write_text(CLASSES)
    add_plugins(["forests.py"])
    known = registry()
    values = {"5": 5, "0.5": 0.5, "1e-3": 1e-3, "log2": "log2", "none": None, "true": True, "1_0": "1_0"}
    for text, value in values.items():
        chosen = known.resolve("models", f"Forest[max_depth={text}]")[1]["max_depth"]
        assert chosen == value and type(chosen) is type(value)
    spec, params = known.resolve("models", "Forest[rate=1,note=5]")
    assert (params["rate"], params["note"], params["max_depth"]) == (1.0, "5", None)
    assert known.label("models", spec, params) == "Forest[rate=1.0,note=5]"
    with pytest.raises(BadInput, match="a number"):
        known.resolve("models", "Forest[rate=much]")
    with pytest.raises(BadInput, match="cannot be used"):
        known.resolve("models", "Forest", max_depth=(1, 2))
    assert spec.params["max_depth"].added  # with the default, the key of a cell stays what it was


META = """
class Meta:
    def __init__(self, estimator=None, inputs={0!r}, strategy={0!r}, depth=3): pass
    def fit(self, X, y): pass
    def predict(self, X): pass
    def predict_proba(self, X): pass
    def get_params(self, deep=True): return {{}}
    def set_params(self, **params): return self
"""


@pytest.mark.parametrize("default", [None, "mean", 3])
def test_keywords_called_as_shared_parameters_keep_their_defaults(default: Any) -> None:
    """``estimator=None``, which every meta-estimator has, took the place of the import path."""
    Path("metas.py").write_text(META.format(default))
    add_plugins(["metas.py"])
    known = registry()
    spec, params = known.resolve("models", "Meta[depth=5]")
    shared = {"estimator": "metas.Meta", "inputs": "texture|table", "strategy": "flat"}
    assert params == {**shared, "depth": 5}
    assert known.label("models", spec, params) == "Meta[depth=5]"
    create(spec, params)


def test_views_may_be_a_text_or_several() -> None:
    Path("forests.py").write_text(CLASSES)
    add_plugins(["forests.py"])
    known = registry()
    assert known.get("models", "Both").views == ("texture", "table")
    assert known.get("models", "Forest").params["inputs"].default == "texture"


def test_a_comma_in_a_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    (folder / "mine.py").write_text(MODEL)
    monkeypatch.chdir(folder)
    with pytest.raises(BadInput, match="a name with a comma cannot be used"):
        add_plugins(["mine.py"])
    assert os.environ[SWITCH] == "none"


def test_a_second_file_of_one_name_is_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "mine.py").write_text(MODEL)
    add_plugins(["a/mine.py", "b/../a/mine.py"])  # one file, however it is named
    assert registry().get("models", "Mine")
    add_plugins(["b/mine.py"])
    with pytest.raises(BadInput) as error:
        registry()
    taken = f"the name is taken by mine.py ({tmp_path / 'a' / 'mine.py'}); give the file another name"
    assert str(error.value).rstrip(".") == f"plugin mine.py: {taken}"


def test_an_edited_file_makes_other_cells() -> None:
    path = Path("my_file.py")
    path.write_text(MODEL)
    add_plugins(["my_file.py"])
    before = registry().origin("models", "Mine")
    path.write_text(MODEL + "# edited\n")
    after = registry().origin("models", "Mine")
    assert before[:2] == after[:2] == ("my_file.py", "")
    assert before[2] != after[2]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("absent.py", None, "there is no file absent.py"),
        ("json.py", MODEL, "a module 'json' is installed already. give the file another name"),
        ("empty.py", "x = 1\n", "has no hook and no class with fit and predict"),
        ("broken.py", "def f(:\n", "SyntaxError"),
        ("raising.py", "raise SystemExit(3)\n", "SystemExit: 3"),
        ("needs.py", MODEL.replace("width=32", "width"), "Mine: parameter 'width' has no default"),
        ("upper.py", MODEL.replace("Mine", "Übung"), "model name 'Übung' is not allowed"),
        ("no_such_module_here", None, "No module named 'no_such_module_here'"),
        ("a,b.py", MODEL, "a name with a comma cannot be used"),
    ],
)
def test_a_bad_file_is_one_line(name: str, text: str | None, says: str) -> None:
    if text is not None:
        Path(name).write_text(text)
    with pytest.raises(BadInput) as error:
        add_plugins([name])
        registry()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_two_words_for_the_installed_plugins_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "all,builtin")
    with pytest.raises(BadInput, match="one of all, builtin, none, and files"):
        switches()
