"""What a suite says of its datasets: parameters for each, and what runs where the data are not there."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.interfaces import DatasetSpec, ModelSpec, Param, Task
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.plan.cells import _check_applicable, make_plan, plan_data
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import Suite, parse_suite
from hmcbench.registry.registry import convert
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset, tiny_hierarchy

TEXT = """
[suite]
name = "s"
version = 1
datasets = ["sets:first", "sets:second"]
without_data = ["sets:third"]
primary = "hf1_micro"
[profiles.quick]
models = ["wide", "wide[hidden=7]", "prior"]
[datasets."first".params]
wide.hidden = [30, 20]
[datasets."sets:second".params]
wide = { hidden = [5], rate = 0.5 }
"""


def make(*, which: str) -> Any:
    return tiny_dataset(60, "multiple", seed=len(which), split=["train", "test"] * 30)


class Plugin:
    there = ("first", "second")

    @hookimpl
    def hmcbench_datasets(self) -> list[DatasetSpec]:
        which = Param("first", choices=("first", "second", "third"))
        at_hand: Any = lambda which: which in (*Plugin.there, "third")  # noqa: E731
        return [
            DatasetSpec(
                name="sets",
                version="1",
                summary="three",
                factory=make,
                params={"which": which},
                variant="which",
                views=("table",),
                at_hand=at_hand,
            )
        ]

    @hookimpl
    def hmcbench_models(self) -> list[ModelSpec]:
        params = {"hidden": Param((100, 50), low=1), "rate": Param(0.1)}
        return [ModelSpec(name="wide", version="1", summary="m", factory="m:m", params=params)]


def planned(there: tuple[str, ...], text: str = TEXT, **choices: Any) -> Any:
    Plugin.there = there
    with temporary_plugin(Plugin()) as registry:
        return make_plan(parse_suite(text, "s.toml"), registry, Choices(**choices))


def test_parameters_per_dataset_are_not_in_the_label() -> None:
    plan = planned(("first", "second"))
    params = {(c.record["dataset"]["reference"], c.label): dict(c.model_params) for c in plan.cells}
    assert params["sets:first", "wide"] == {"hidden": (30, 20), "rate": 0.1}
    assert params["sets:second", "wide"] == {"hidden": (5,), "rate": 0.5}
    # what an entry of the suite sets by itself counts
    assert params["sets:first", "wide[hidden=7]"] == {"hidden": (7,), "rate": 0.1}
    assert params["sets:second", "wide[hidden=7]"] == {"hidden": (7,), "rate": 0.5}


def test_the_command_line_has_the_last_word() -> None:
    plan = planned(("first", "second"), settings={"wide.hidden": "9;8"})
    assert {c.model_params["hidden"] for c in plan.cells if c.model == "wide"} == {(9, 8)}


@pytest.mark.parametrize(
    ("there", "runs", "note"),
    [
        (("first", "second"), {"first", "second"}, ""),
        (("second",), {"second"}, "left out, as their data are not here: sets:first"),
        ((), {"third"}, "left out, as their data are not here: sets:first, sets:second"),
    ],
)
def test_datasets_without_data_are_left_out(there: tuple[str, ...], runs: set[str], note: str) -> None:
    plan = planned(there)
    assert {c.record["dataset"]["reference"].partition(":")[2] for c in plan.cells} == runs
    assert any(note in line for line in plan.notes) if note else not any("left out" in n for n in plan.notes)


def test_a_dataset_that_is_named_runs_or_says_why_not() -> None:
    plan = planned((), datasets=("sets:first",))
    assert {c.record["dataset"]["reference"] for c in plan.cells} == {"sets:first"}


def test_notes_name_the_dataset_where_there_are_several() -> None:
    own = "the dataset's own sides were set aside for a holdout split"
    assert {f"sets:first: {own}", f"sets:second: {own}"} <= set(planned(("first", "second")).notes)
    assert own in planned((), datasets=("sets:first",)).notes


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[datasets."fourth".params]\nwide.rate = 1.0', "unknown dataset in s.toml"),
        ('[datasets."first"]\nrate = 1.0', "cannot be read. Allowed: MODEL.PARAMETER = VALUE"),
        ('[datasets."first".params]\nwide = 1.0', "cannot be read"),
        ('[datasets."first".params]\nwide.depth = 1', "unknown parameter of wide 'depth'"),
        ('[datasets."first".params]\nbroad.rate = 1.0', "unknown model 'broad'"),
        ('[datasets."first".params]\nwide.hidden = ["x"]', "hidden='x' cannot be used"),
    ],
)
def test_bad_parameters(table: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        planned(("first",), TEXT.partition("[datasets")[0] + table)


def test_a_suite_without_them_is_stored_as_before() -> None:
    suite = parse_suite(
        TEXT.partition("[datasets")[0].replace('without_data = ["sets:third"]\n', ""), "s.toml"
    )
    assert not {"params", "without_data"} & set(suite.info()["suite"])
    whole: Suite = parse_suite(TEXT, "s.toml")
    assert whole.info()["suite"]["without_data"] == ("sets:third",)


@pytest.mark.parametrize(
    ("value", "expected"), [("500;20", (500, 20)), ("5", (5,)), (7, (7,)), ((1, 2), (1, 2)), ([3], (3,))]
)
def test_tuples(value: Any, expected: tuple[int, ...]) -> None:
    assert convert("m", "hidden", Param((1,), low=1), value) == expected


@pytest.mark.parametrize("value", ["", "1;", "1,2", "a;b", "0;1", ()])
def test_bad_tuples(value: Any) -> None:
    with pytest.raises(BadInput):
        convert("m", "hidden", Param((1,), low=1), value)


def test_a_label_writes_tuples_as_references_do() -> None:
    Plugin.there = ()
    with temporary_plugin(Plugin()) as registry:
        spec, params = registry.resolve("models", "wide[hidden=9;8]")
        assert registry.label("models", spec, params) == "wide[hidden=9;8]"


def spec(**changes: Any) -> ModelSpec:
    return ModelSpec(name="m", version="1", summary="m", factory="m:m", **changes)


DAG = Task("hmc", "multiple", "ragged", tiny_hierarchy("dag"))
TREE = Task("hmc", "single", "full", tiny_hierarchy("tree"))


@pytest.mark.parametrize(
    ("changes", "task", "says"),
    [
        ({"hierarchies": ("tree",)}, DAG, "takes trees, the hierarchy is a DAG"),
        ({"hierarchies": ("dag",)}, TREE, "takes DAGs only"),
        ({"scores": "ranking"}, TREE, "single label paths need probabilities"),
        ({"unit": "pixel"}, TREE, "labels pixels, the dataset has labels of every sample"),
        ({}, replace(TREE, unit="pixel"), "labels images, the dataset has labels of every pixel"),
        ({"applicable": lambda task: f"not for {task.paths} paths"}, DAG, "not for multiple paths"),
    ],
)
def test_a_model_says_what_it_applies_to(changes: dict[str, Any], task: Task, says: str) -> None:
    with pytest.raises(NotApplicable, match=says):
        _check_applicable(spec(**changes), task)


def test_and_else_it_applies() -> None:
    for task in (DAG, TREE):
        _check_applicable(spec(applicable=lambda _task: ""), task)
    _check_applicable(spec(scores="ranking"), DAG)


def test_what_a_model_says_of_classes_does_not_count_for_regression() -> None:
    task = Task("regression", targets=("x",))
    for limits in (
        {"paths": ("multiple",)},
        {"depths": ("ragged",)},
        {"hierarchies": ("dag",)},
        {"scores": "ranking"},
    ):
        _check_applicable(spec(tasks=("regression",), **limits), task)


def test_options_may_name_a_dataset_that_was_chosen_and_is_none_of_the_suite() -> None:
    options = {"datasets": ("toy-tree",), "settings": {"toy-tree.noise": "1"}}
    (reference,) = {cell.dataset_reference for cell in planned(("first",), **options).cells}
    assert reference == "toy-tree[noise=1.0]"
    suite = parse_suite(TEXT, "s.toml")
    with temporary_plugin(Plugin()) as registry:
        assert [data.reference for data in plan_data(suite, registry, Choices(**options))[2]] == [reference]
    with pytest.raises(BadInput, match="this dataset reads no path"):
        planned(("first",), datasets=("toy-tree",), data={"toy-tree": "x"})


def test_a_dataset_that_is_named_twice_runs_once() -> None:
    twice = TEXT.partition("[datasets")[0].replace("sets:second", "sets[which=first]")
    plan = planned(("first",), twice)
    assert len({cell.key for cell in plan.cells}) == len(plan.cells) == 3
    assert "sets:first x prior is named twice: it runs once" in plan.notes


@pytest.mark.parametrize(
    ("protocol", "says"),
    [
        ('kind = "kfold"\nfolds = 70', "60 samples in 60 units cannot be divided into 70 parts"),
        ('kind = "predefined"', "the dataset's own split has no test side"),
    ],
)
def test_why_no_split_can_be_made_is_told_where_each_leaf_is_unknown(protocol: str, says: str) -> None:
    text = TEXT.replace('datasets = ["sets:first", "sets:second"]', 'datasets = ["tiny"]').partition(
        "[datasets"
    )[0]
    text = text.replace("[profiles.quick]", f'[protocol]\nunknown = "each"\n{protocol}\n[profiles.quick]')
    text = text.replace('without_data = ["sets:third"]\n', "")
    split = ["train", "validation"] * 30
    tiny = DatasetSpec(
        name="tiny",
        version="1",
        summary="",
        factory=lambda: tiny_dataset(60, split=split),
        views=("table",),
    )
    plugin = SimpleNamespace(__name__="of-tiny", hmcbench_datasets=hookimpl(lambda: [tiny]))
    with temporary_plugin(plugin) as registry, pytest.raises(BadInput, match=says):
        make_plan(parse_suite(text, "s.toml"), registry, Choices(models=("prior",)))
