from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pluggy
import pytest

from hmcbench.errors import BadInput
from hmcbench.hookspecs import hookimpl
from hmcbench.registry.loading import Manager
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin


def loaded() -> Manager:
    manager = Manager()
    manager.load_entry_points()
    return manager


def test_own_plugins_load_sorted_by_name() -> None:
    names = [p.name for p in loaded().plugins]
    assert names == sorted(names)
    assert {"metrics", "sem", "toy"} <= set(names)
    assert all(not p.error for p in loaded().plugins)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import no_such_module", "no_such_module"),
        ("raise SystemExit(3)", "SystemExit"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("x = 1", "implements no hook"),
        (
            "from hmcbench import hookimpl\n@hookimpl\ndef hmcbench_modls(): return []",
            "unknown hook hmcbench_modls",
        ),
        ("from hmcbench import hookimpl\n@hookimpl\ndef hmcbench_models(config): return []", "config"),
    ],
)
def test_a_broken_plugin_is_named_and_the_rest_works(tmp_path: Path, source: str, says: str) -> None:
    with installed_plugin(tmp_path, "broken", source):
        manager = loaded()
        plugin = next(p for p in manager.plugins if p.name == "broken")
        assert says in plugin.error
        assert "\n" not in plugin.error
        assert default_registry().get("metrics", "hf1_samples")


def test_the_switch_leaves_strangers_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from hmcbench import hookimpl\n@hookimpl\ndef hmcbench_models(): return []"
    with installed_plugin(tmp_path, "stranger", source):
        assert "stranger" in [p.name for p in loaded().plugins]
        monkeypatch.setenv("HMCBENCH_PLUGINS", "builtin")
        assert "stranger" not in [p.name for p in loaded().plugins]
        monkeypatch.setenv("HMCBENCH_PLUGINS", "none")
        assert loaded().plugins == []
        monkeypatch.setenv("HMCBENCH_PLUGINS", "some")
        with pytest.raises(BadInput, match="builtin, none"):
            loaded()


def test_a_second_plugin_of_one_name_is_refused_and_names_the_first(tmp_path: Path) -> None:
    source = "from hmcbench import hookimpl\n@hookimpl\ndef hmcbench_models(): return []"
    info = "zz_second-0.0.dist-info"
    files = [
        (f"{info}/METADATA", "Metadata-Version: 2.1\nName: zz-second\nVersion: 0.0\n"),
        (f"{info}/entry_points.txt", "[hmcbench]\nstranger = zz_second\n"),
        ("zz_second.py", source),
    ]
    with installed_plugin(tmp_path, "stranger", source, files=files):
        both = [p for p in loaded().plugins if p.name == "stranger"]
    assert [bool(p.error) for p in both] == [False, True]
    assert "taken by stranger" in both[1].error


def test_registering_an_object_checks_its_hooks() -> None:
    manager = Manager()
    plugin = manager.register(SimpleNamespace(hmcbench_models=hookimpl(lambda: [])))
    assert plugin.hooks == ("hmcbench_models",)
    with pytest.raises(pluggy.PluginValidationError, match="no hook"):
        manager.register(SimpleNamespace(__name__="other"))
