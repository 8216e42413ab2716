"""Plugins are loaded one by one; errors of a third-party plugin affect nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest

from hmcbench.errors import BadInput
from hmcbench.interfaces import ModelSpec
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.registry import loading
from hmcbench.registry.loading import Manager, Plugin
from hmcbench.registry.registry import Registry, default_registry
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


HALF_RIGHT = """
from hmcbench import hookimpl

@hookimpl
def hmcbench_datasets(): return []

@hookimpl
def hmcbench_models(config): return []
"""


@pytest.mark.parametrize("late", [False, True])
def test_of_a_plugin_with_a_wrong_hook_no_hook_is_called(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook before the wrong one stayed registered, without a plugin, and ended every command."""
    register = pluggy.PluginManager.register

    def hooks_first(self: pluggy.PluginManager, module: object, name: str | None = None) -> None:
        """As pluggy before 1.7: hooks are added until one is wrong."""
        with monkeypatch.context() as patch:
            patch.setattr(pluggy.PluginManager, "_verify_hook", lambda *_: None)
            register(self, module, name)
        if name == "stranger":
            raise pluggy.PluginValidationError(module, "Argument(s) {'config'}")

    if late:
        monkeypatch.setattr(pluggy.PluginManager, "register", hooks_first)
    registry, plugin = third_party(tmp_path, HALF_RIGHT)
    assert "config" in plugin.error and plugin.hooks == ()
    assert not registry.manager.pm.has_plugin("stranger")
    assert plugin not in [owner for owner, _ in registry.manager.hook_results("hmcbench_datasets")]


def test_the_same_object_twice_leaves_the_first_registered() -> None:
    manager, thing = Manager(), SimpleNamespace(hmcbench_models=hookimpl(lambda: []))
    manager.register(thing)
    with pytest.raises(ValueError, match="registered"):
        manager.register(thing)
    assert len(manager.hook_results("hmcbench_models")) == 1


def test_the_switch_leaves_third_party_plugins_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from hmcbench import hookimpl\n@hookimpl\ndef hmcbench_models(): return []"
    with installed_plugin(tmp_path, "stranger", source):
        assert "stranger" in [p.name for p in loaded().plugins]
        monkeypatch.setenv("HMCBENCH_PLUGINS", "builtin")
        assert "stranger" not in [p.name for p in loaded().plugins]
        monkeypatch.setenv("HMCBENCH_PLUGINS", "none")
        assert loaded().plugins == []
        monkeypatch.setenv("HMCBENCH_PLUGINS", "all,none")
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


MODEL = """
from hmcbench import ModelSpec, Param, hookimpl
BEFORE

@hookimpl
def hmcbench_models():
    WITHIN
    return [ModelSpec(name="good", version="1", summary="...", factory="stranger:f"), SPEC]
"""
GOOD = 'ModelSpec(name="better", version="1", summary="...", factory="stranger:f")'


def source(before: str = "", within: str = "pass", spec: str = GOOD) -> str:
    return MODEL.replace("BEFORE", before).replace("WITHIN", within).replace("SPEC]", f"{spec}]")


def third_party(folder: Path, text: str) -> tuple[Registry, Plugin]:
    """The registry and the plugin as they are while it is installed."""
    with installed_plugin(folder, "stranger", text):
        manager = Manager()
        manager.load_entry_points()
        registry = Registry(manager)
    assert registry.get("models", "prior") and registry.get("metrics", "hf1_samples")
    return registry, next(p for p in manager.plugins if p.name == "stranger")


def models(registry: Registry) -> set[str]:
    return {s.name for s in registry.specs("models")} & {"good", "better"}


ENDLESS = [
    ("while True: pass", "pass"),
    ("import time; time.sleep(1e6)", "pass"),
    ("while True:\n    try: [0 for _ in range(99)]\n    except Exception: pass", "pass"),
    ("", "while True: pass"),
]


@pytest.mark.parametrize(("before", "within"), ENDLESS)
def test_an_endless_plugin_is_ended_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, within: str
) -> None:
    monkeypatch.setattr(loading, "LIMIT_S", 0.2)
    handler = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    registry, plugin = third_party(tmp_path, source(before, within))
    assert time.monotonic() - began < 5
    assert "take more than 0.2 s; HMCBENCH_PLUGINS=builtin" in plugin.error
    assert models(registry) == set()
    assert signal.getsignal(signal.SIGALRM) == handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_slow_plugin_works_and_is_listed(cli: Callable[..., Any], tmp_path: Path) -> None:
    with installed_plugin(tmp_path, "stranger", source("import time; time.sleep(1.05)")):
        rows = json.loads(cli("list", "plugins", "--json").out)
        assert next(r["status"] for r in rows if r["plugin"] == "stranger").startswith("slow: 1.")
        ended = cli("doctor", "--fast")
    assert ended.status == 0 and "every command waits 1." in ended.out


def test_there_is_no_alarm_where_there_cannot_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LIMIT_S", 0.05)
    ended = []

    def elsewhere() -> None:
        with loading.guarded(0, loading.LIMIT_S):
            time.sleep(0.1)
        ended.append(True)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert ended
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        with loading.guarded(0, loading.LIMIT_S):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_a_plugin_may_print_and_change_the_working_directory(tmp_path: Path) -> None:
    """In a process of its own, as a user would see it."""
    loud = source('import os; print("{}"); os.chdir("/")', 'print("more")')
    with installed_plugin(tmp_path, "stranger", loud):
        code = "from hmcbench.cli import main; main(['list', 'models', '--json'])"
        completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "good" in {row["name"] for row in json.loads(completed.stdout)}
    assert completed.stderr.split() == ["{}", "more"]
    before = os.getcwd()  # noqa: PTH109
    registry, plugin = third_party(tmp_path, loud)
    assert os.getcwd() == before and not plugin.error and models(registry) == {"good", "better"}  # noqa: PTH109


def test_what_is_written_to_file_descriptors_at_import_does_not_break_json(tmp_path: Path) -> None:
    """In a process of its own: pytest has redirected the descriptors of this one."""
    loud = source('import os, sys; os.write(1, b"raw "); os.write(2, b"two "); sys.__stdout__.write("own ")')
    with installed_plugin(tmp_path, "stranger", loud):
        code = "from hmcbench.cli import main; main(['list', 'models', '--json'])"
        completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "good" in {row["name"] for row in json.loads(completed.stdout)}
    assert completed.stderr.split() == ["raw", "two", "own"]


def test_a_plugin_that_hangs_is_skipped_for_the_rest_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "LIMIT_S", 0.5)
    with installed_plugin(tmp_path, "stranger", source("while True: pass")):
        loaded()
        began = time.monotonic()
        again = next(p for p in loaded().plugins if p.name == "stranger")
        assert time.monotonic() - began < 0.4
        assert again.error.startswith("skipped: its import and hooks take more than 0.5 s")
        code = "from hmcbench.registry.registry import default_registry as r; r()"
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True)  # a worker, which would wait for 10 s
        assert time.monotonic() - began < 9
    with installed_plugin(tmp_path, "stranger", source()):
        assert not next(p for p in loaded().plugins if p.name == "stranger").error  # of the next command


def test_a_hook_that_raises_anything_is_named(tmp_path: Path) -> None:
    for number, what in enumerate(("SystemExit(3)", "ValueError('x\\x1b[2J')", "GeneratorExit")):
        _, plugin = third_party(tmp_path / str(number), source(within=f"raise {what}"))
        assert plugin.error.startswith(f"hmcbench_models raised {what.partition('(')[0]}")
        assert plugin.error.isprintable()


def test_a_plugin_that_would_end_every_command_is_named(tmp_path: Path) -> None:
    leave = os._exit
    _, plugin = third_party(tmp_path / "import", source("import os; os._exit(3)"))
    assert plugin.error == "SystemExit: os._exit(3), which would end every command"
    forks = "import os; child = os.fork()\n    if not child: os._exit(5)\n    os.waitpid(child, 0)"
    registry, plugin = third_party(tmp_path / "child", source(within=forks))
    assert not plugin.error and models(registry) == {"good", "better"}
    assert os._exit is leave


def test_a_field_of_a_newer_version_is_a_warning(cli: Callable[..., Any], tmp_path: Path) -> None:
    newer = GOOD.replace(")", ', params={"k": Param(1, unit="mm")}, gpus=2, licences=())')
    registry, plugin = third_party(tmp_path, source(spec=newer))
    assert models(registry) == {"good", "better"} and not plugin.error
    ignores = "this version of hmcbench ignores"
    warnings = f"model 'better': {ignores} gpus, licences; model 'better', parameter 'k': {ignores} unit"
    assert plugin.warning == warnings
    with installed_plugin(tmp_path, "stranger", source(spec=newer)):
        rows = json.loads(cli("list", "plugins", "--json").out)
        assert next(r["status"] for r in rows if r["plugin"] == "stranger") == f"warning: {warnings}"
        assert cli("doctor", "--fast").status == 0
        assert cli("plugin", "check", "stranger").status == 1


def test_other_wrong_keywords_of_a_spec_are_errors_as_before() -> None:
    with pytest.raises(TypeError, match="missing"):
        ModelSpec(name="x", gpus=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        ModelSpec("x")  # type: ignore[call-arg,misc]


WRONG_SPECS = [
    ("3", "returned a int"),
    ("None", "returned a NoneType"),
    ("ModelSpec", "returned a type"),
    (GOOD.replace('"better"', "7"), "name is int 7, not text"),
    (GOOD.replace('"1"', "1"), "version is int 1, not text"),
    (GOOD.replace('"..."', "None"), "summary is NoneType None, not text"),
    (GOOD.replace('"..."', r'"\x1b[2Jgone"'), "control characters"),
    (GOOD.replace('"..."', r'"two\nlines"'), "control characters"),
    (GOOD.replace('"stranger:f"', "9"), "factory is int 9"),
    (GOOD.replace(")", ', views="table")'), "views is str 'table', not a list of text"),
    (GOOD.replace(")", ', aliases="abc")'), "aliases is str 'abc', not a list of text"),
    (GOOD.replace(")", ", requires=(1,))"), "requires[0] is int 1, not text"),
    (GOOD.replace(")", ', tasks=("hcm",))'), "tasks[0] is str 'hcm', not 'hmc' or 'regression'"),
    (GOOD.replace(")", ', scores="odds")'), "scores is str 'odds', not 'probability' or 'logit'"),
    (GOOD.replace(")", ", transductive=1)"), "transductive is int 1, not true or false"),
    (GOOD.replace(")", ", params=[1])"), "params is list"),
    (GOOD.replace(")", ', params={"k": 3})'), "params['k'] is int 3, not a Param"),
    (GOOD.replace(")", ', params={"a b": Param(3)})'), "params has 'a b', which is no keyword"),
    (GOOD.replace(")", ', params={"k": Param([])})'), "params['k'].default is list [], not true or false or"),
    (
        GOOD.replace(")", ', params={"k": Param(1, low="0")})'),
        "params['k'].low is str '0', not a number or None",
    ),
    (GOOD.replace(")", ', params={"k": Param(1, choices=1)})'), "params['k'].choices is int 1, not a list"),
    (
        GOOD.replace(")", ', params={"k": Param(1, brings={1: 2})})'),
        "params['k'].brings[1] is int 2, not a table",
    ),
    (GOOD.replace(")", ', params={"k": Param(1, type=1)})'), "params['k'].type is int 1, not a type or None"),
    (GOOD.replace(")", ', profiles={"fast": {}})'), "profiles has 'fast'; allowed: quick, standard, paper"),
    (GOOD.replace(")", ', profiles={"quick": 1})'), "profiles['quick'] is int 1, not a table"),
    (GOOD.replace(")", ", profiles={1: {}})"), "a key of profiles is int 1, not text"),
    (GOOD.replace('"better"', '"../up"'), "is not allowed"),
    (GOOD.replace('"better"', '"prior"'), "already defined by toy (hmcbench)"),
    (GOOD.replace('"better"', '"good"'), "already defined by stranger"),
]


@pytest.mark.parametrize(("spec", "says"), WRONG_SPECS, ids=[says for _, says in WRONG_SPECS])
def test_a_wrong_spec_is_named_and_a_good_one_beside_it_works(tmp_path: Path, spec: str, says: str) -> None:
    registry, plugin = third_party(tmp_path, source(spec=spec))
    assert says in plugin.error and plugin.error.isprintable()
    assert models(registry) == {"good"}


def test_a_third_party_plugin_takes_no_built_in_name(tmp_path: Path) -> None:
    """Third-party plugins come last, whatever their names are."""
    info = "aaa-0.0.dist-info"
    files = [
        (f"{info}/METADATA", "Metadata-Version: 2.1\nName: aaa\nVersion: 0.0\n"),
        (f"{info}/entry_points.txt", "[hmcbench]\naaa = aaa\ntoy = aaa\n"),
        ("aaa.py", source(spec=GOOD.replace('"better"', '"prior"'))),
    ]
    with installed_plugin(tmp_path, "stranger", source(), files=files):
        registry = default_registry()
        plugins = registry.manager.plugins
    assert registry.owner("models", "prior").builtin
    errors = {(p.name, p.distribution): p.error for p in plugins}
    assert not errors["toy", "hmcbench"] and "taken by hmcbench" in errors["toy", "aaa"]
    assert "already defined by toy" in errors["aaa", "aaa"]
    assert [p.name for p in plugins] == sorted(p.name for p in plugins)


def test_lists_and_the_doctor_say_what_is_wrong(cli: Callable[..., Any], tmp_path: Path) -> None:
    with installed_plugin(tmp_path, "stranger", source(spec="3")):
        assert "broken: hmcbench_models returned a int" in cli("list", "plugins").out
        assert "good" in cli("list", "models").out
        ended = cli("doctor", "--fast")
        assert ended.status == 1 and "FAILED  plugin stranger: hmcbench_models returned a int" in ended.out
