from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmcbench.errors import BadInput, PluginError, Unavailable
from hmcbench.interfaces import MetricSpec, ModelSpec, Param
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.registry.registry import (
    Reference,
    Registry,
    _share_an_id,
    create,
    default_registry,
    load_object,
    parse_reference,
    unmet_needs,
)
from hmcbench.testing.helpers import temporary_plugin


def model(name: str = "mine", **values: Any) -> ModelSpec:
    defaults: dict[str, Any] = {
        "version": "1",
        "summary": "for tests",
        "factory": "hmcbench.testing.helpers:tiny_dataset",
        "params": {
            "depth": Param(2, low=1, high=9),
            "rate": Param(0.1),
            "kind": Param("a", choices=("a", "b")),
            "fast": Param(False),
            "limit": Param(None, type=int),
            "folder": Param("", cosmetic=True, aliases=("path",)),
            "net": Param(""),
        },
        "profiles": {"paper": {"depth": 7}},
        "variant": "net",
        "aliases": ("my-model",),
    }
    return ModelSpec(name=name, **(defaults | values))


def plugin(*specs: Any, name: str = "stranger") -> Any:
    def hmcbench_models() -> Any:
        return list(specs)

    return SimpleNamespace(__name__=name, hmcbench_models=hookimpl(hmcbench_models))


@pytest.fixture
def registry() -> Any:
    with temporary_plugin(plugin(model())) as registry:
        yield registry


def test_values_come_from_defaults_profile_reference_and_overrides_in_that_order(registry: Registry) -> None:
    assert registry.resolve("models", "mine")[1]["depth"] == 2
    assert registry.resolve("models", "mine", "paper")[1]["depth"] == 7
    assert registry.resolve("models", "mine[depth=3]", "paper")[1]["depth"] == 3
    assert registry.resolve("models", "mine[depth=3]", "paper", depth="4")[1]["depth"] == 4
    assert registry.resolve("models", "mine[path=here]")[1]["folder"] == "here"


def test_a_value_may_bring_others_along() -> None:
    pace = Param("slow", choices=("slow", "quick"), brings={"quick": {"depth": 1, "rate": 0.5}})
    spec = model(params={"depth": Param(2), "rate": Param(0.1), "pace": pace}, variant="")
    with temporary_plugin(plugin(spec)) as registry:
        _, params = registry.resolve("models", "mine", "paper", pace="quick")
        assert params == {"depth": 1, "rate": 0.5, "pace": "quick"}  # above the profile's depth of 7
        assert registry.label("models", spec, params, "paper") == "mine[pace=quick]"
        _, params = registry.resolve("models", "mine[pace=quick]", "paper", rate=0.2)
        assert params == {"depth": 1, "rate": 0.2, "pace": "quick"}  # below what is set by name
        assert registry.label("models", spec, params, "paper") == "mine[rate=0.2,pace=quick]"


def test_text_becomes_the_type_of_the_default(registry: Registry) -> None:
    _, params = registry.resolve("models", "mine:resnet[rate=1e-3,fast=true,limit=5,kind=b]")
    assert params == {
        "depth": 2,
        "rate": 0.001,
        "kind": "b",
        "fast": True,
        "limit": 5,
        "folder": "",
        "net": "resnet",
    }
    assert registry.resolve("models", "mine", limit="none")[1]["limit"] is None
    assert registry.resolve("models", "mine", rate=1)[1]["rate"] == 1.0


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("mine[depth=x]", "a whole number, at least 1, at most 9"),
        ("mine[depth=0]", "at least 1"),
        ("mine[depth=10]", "at most 9"),
        ("mine[rate=much]", "a number"),
        ("mine[rate=nan]", "rate"),
        ("mine[kind=c]", "one of a, b"),
        ("mine[fast=maybe]", "true or false"),
        ("mine[dept=3]", "did you mean 'depth'"),
        ("mine[depth]", "name[param=value"),
        ("mine[depth=3", "cannot read"),
        ("", "cannot read"),
        ("min", "did you mean 'mine'"),
    ],
)
def test_bad_references_say_what_is_allowed(registry: Registry, reference: str, says: str) -> None:
    with pytest.raises(BadInput) as error:
        registry.resolve("models", reference)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_number_that_no_float_can_hold_is_refused(registry: Registry) -> None:
    with pytest.raises(BadInput, match="a number"):
        registry.resolve("models", "mine", rate=10**400)


def test_none_is_a_value_where_it_is_the_default() -> None:
    spec = model(params={"limit": Param(None, type=int, choices=(1, 2))}, variant="", profiles={})
    with temporary_plugin(plugin(spec)) as registry:
        assert registry.resolve("models", "mine", limit=None)[1] == {"limit": None}
        with pytest.raises(BadInput, match="one of 1, 2"):
            registry.resolve("models", "mine", limit=3)


def test_a_variant_is_refused_where_there_is_none() -> None:
    with (
        temporary_plugin(plugin(model(variant=""))) as registry,
        pytest.raises(BadInput, match="takes no :variant"),
    ):
        registry.resolve("models", "mine:x")


def test_labels_are_the_shortest_reference_with_the_same_meaning(registry: Registry) -> None:
    for text in ("mine", "mine:net1", "mine[depth=3]", "mine:net1[fast=True,kind=b]"):
        spec, params = registry.resolve("models", text, "paper")
        label = registry.label("models", spec, params, "paper")
        assert registry.resolve("models", label, "paper")[1] == params
    spec, params = registry.resolve("models", "my-model", folder="/somewhere")
    assert registry.label("models", spec, params) == "mine"


def test_two_plugins_with_one_name_is_an_error_that_names_both() -> None:
    with temporary_plugin(
        plugin(model()), plugin(model("other", aliases=("mine",)), name="second")
    ) as registry:
        error = next(p.error for p in registry.manager.plugins if p.name == "stranger")
    assert "'mine'" in error
    assert "stranger" in error
    assert "second" in error


@pytest.mark.parametrize(
    ("specs", "says"),
    [
        ([model("Bad Name")], "not allowed"),
        (["text"], "returned a str"),
        ([model(profiles={"quick": {"nothing": 1}})], "unknown parameter 'nothing'"),
        (
            [model(params={"depth": Param(2, brings={3: {"nothing": 1}})}, variant="", profiles={})],
            "depth=3 sets an unknown parameter 'nothing'",
        ),
        ([model(variant="nothing")], "is no parameter"),
    ],
)
def test_a_wrong_spec_is_named_and_the_others_work(specs: list[Any], says: str) -> None:
    with temporary_plugin(plugin(*specs, model("fine"))) as registry:
        assert says in next(p.error for p in registry.manager.plugins if p.name == "stranger")
        assert registry.get("models", "fine")


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("hf1_micro_raw", "hf1_micro"),
        ("level1_accuracy", "level{k}_accuracy"),
        ("level2_accuracy_raw", "level{k}_accuracy"),
        ("class_f1_raw", "class_f1"),
        ("level{k}_accuracy_raw", "level{k}_accuracy"),
    ],
)
def test_a_metric_with_an_id_of_another_one_is_refused(name: str, of: str) -> None:
    over: Any = "levels" if "{k}" in name else ""
    wrong, right = (
        MetricSpec(name=n, version="1", summary="", factory="x:y", over=over) for n in (name, f"my_{name}")
    )
    stranger = SimpleNamespace(__name__="stranger", hmcbench_metrics=hookimpl(lambda: [wrong, right]))
    with temporary_plugin(stranger) as registry:
        problem = next(p.error for p in registry.manager.plugins if p.name == "stranger")
        assert f"{name!r}" in problem and f"has an id of {of!r}; give it another name" in problem
        assert registry.get("metrics", f"my_{name}") is right


def test_the_ids_of_our_metrics_differ() -> None:
    specs = default_registry().specs("metrics")
    assert not [(a.name, b.name) for a, b in itertools.combinations(specs, 2) if _share_an_id(a, b)]


def test_a_hook_that_raises_or_returns_something_else_is_named() -> None:
    def hmcbench_models() -> Any:
        raise RuntimeError("broken")

    def hmcbench_datasets() -> Any:
        return 5

    raises = SimpleNamespace(__name__="raises", hmcbench_models=hookimpl(hmcbench_models))
    wrong = SimpleNamespace(__name__="wrong", hmcbench_datasets=hookimpl(hmcbench_datasets))
    with temporary_plugin(raises, wrong) as registry:
        errors = {p.name: p.error for p in registry.manager.plugins}
    assert "RuntimeError: broken" in errors["raises"]
    assert "not a list" in errors["wrong"]


def test_missing_libraries_are_listed_with_the_command_that_installs_them() -> None:
    with pytest.raises(Unavailable, match=r"hmcbench\[vision\]"):
        create(model(requires=("no_such_library",), extra="vision"), {})


def test_unmet_needs_are_a_reason_in_words() -> None:
    assert unmet_needs(model(requires=("numpy",))) == ""
    reason = unmet_needs(model(requires=("numpy", "no_such_library"), extra="vision"))
    assert reason == "needs no_such_library (pip install 'hmcbench[vision]')"


def test_factories_are_loaded_by_path() -> None:
    assert load_object("hmcbench.registry.registry:Registry.resolve") is Registry.resolve
    assert load_object(len) is len
    with pytest.raises(PluginError, match=r"package.module:name"):
        load_object("hmcbench.registry.registry")


names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


@given(names, st.dictionaries(names, names, max_size=3), st.one_of(st.just(""), names))
def test_references_survive_a_round_trip(name: str, params: dict[str, str], variant: str) -> None:
    reference = Reference(name, variant, tuple(params.items()))
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("embedding[backbone=resnet18,weights=/home/me/w.pt]", "embedding[backbone=resnet18,weights=w.pt]"),
        ("embedding[weights=C:\\me\\w.pt,size=64]", "embedding[weights=w.pt,size=64]"),
        ("embedding[backbone=hf-hub:org/name]", "embedding[backbone=hf-hub:org/name]"),
    ],
)
def test_a_label_has_no_folders_of_files(given: str, shown: str) -> None:
    spec = model(params={"inputs": Param("auto")}, profiles={}, variant="")
    assert (
        Registry.label(Registry.__new__(Registry), "models", spec, {"inputs": given})
        == f"mine[inputs={shown}]"
    )
