"""Epochs scaled to the number of training samples."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmcbench.interfaces import ModelSpec, Param
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.plan.cells import Plan, _of_epochs, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.epochs import factor
from hmcbench.plan.names import ModelNames, wanted_names
from hmcbench.plan.suite import load_suite, parse_suite
from hmcbench.records.suite_file import with_earlier
from hmcbench.registry.registry import Registry, default_registry
from hmcbench.testing.helpers import temporary_plugin, tiny_suite

TRAIN = 126  # of the dataset of tiny_suite


@pytest.fixture
def registry() -> Iterator[Registry]:
    params = {"epochs": Param(8, low=2, passes=True, aliases=("e",)), "rounds": Param(8)}
    net = ModelSpec(name="net", version="1", summary="", factory=object, views=("table",), params=params)
    plugin = SimpleNamespace(__name__="nets", hmcbench_models=hookimpl(lambda: [net]))
    with temporary_plugin(plugin) as own_registry:
        yield own_registry


LABELS = {"net[rounds=3]": "Net", "net[rounds=5]": "small", "net[epochs=4,rounds=5]": "tiny"}


def plan_of(registry: Registry, *models: str, epochs_for: int = 2 * TRAIN, **choices: Any) -> Plan:
    text = tiny_suite("scaled", models, epochs_for=epochs_for)
    for reference, label in LABELS.items():
        text = text.replace(f'"{reference}"', f'{{ model = "{reference}", label = "{label}" }}')
    return make_plan(parse_suite(text, "s"), registry, Choices(**choices))


def epochs_of(plan: Plan) -> list[Any]:
    return [cell.model_params["epochs"] for cell in plan.cells]


@pytest.mark.parametrize(
    ("model", "epochs_for", "expected"),
    [
        ("net", 2 * TRAIN, 16),
        ("net[epochs=5]", 2 * TRAIN, 10),
        ("net[e=5]", TRAIN // 2, 2),
        ("net[epochs=5]", TRAIN, 5),
        ("net[epochs=5]", 10**6, 50),
        ("net[epochs=5]", 1, 1),
        ("net[epochs=5]", 0, 5),
    ],
)
def test_entries_of_the_suite_are_scaled(
    registry: Registry, model: str, epochs_for: int, expected: int
) -> None:
    plan = plan_of(registry, model, epochs_for=epochs_for)
    assert plan.cells[0].record["split"]["counts"]["train"] == TRAIN
    assert epochs_of(plan) == [expected] and plan.cells[0].model_params["rounds"] == 8


@pytest.mark.parametrize(
    "choices",
    [{"settings": {"net.epochs": "5"}}, {"settings": {"net.e": "5"}}, {"models": ("net[epochs=5]",)}],
)
def test_what_the_user_sets_stays(registry: Registry, choices: Any) -> None:
    assert epochs_of(plan_of(registry, "net", **choices)) == [5]


@pytest.mark.parametrize(("epochs_for", "told"), [(19, True), (20, False), (21, True)])
def test_a_factor_is_told_from_five_percent_on(epochs_for: int, told: bool) -> None:
    profile, sides = SimpleNamespace(epochs_for=epochs_for), {"train": range(20)}
    data = SimpleNamespace(splits=[SimpleNamespace(sides=sides)], reference="toy")
    notes = _of_epochs(profile, [data])  # type: ignore[arg-type, list-item]
    assert bool(notes) == told


def test_the_plan_names_the_factor_and_the_row_keeps_its_label(registry: Registry) -> None:
    plan = plan_of(registry, "net[rounds=3]", "prior")
    assert [cell.row for cell in plan.cells] == ["Net", "prior"]
    assert plan.cells[0].label == "net[epochs=16,rounds=3]"
    assert plan.info()["labels"]["quick"]["net[epochs=16,rounds=3]"] == "Net"
    (note,) = [note for note in plan.notes if "epochs" in note]
    assert note.startswith("toy-tree: epochs of networks x 2: ")
    assert note.endswith("those of the suite are meant for 252 training samples, here are 126")
    for other in (plan_of(registry, "prior"), plan_of(registry, "net", epochs_for=TRAIN)):
        assert not any("epochs" in line for line in other.notes)


def test_keys_depend_on_the_scaled_epochs_alone(registry: Registry) -> None:
    (doubled,) = plan_of(registry, "net[epochs=8]").cells
    (set_by_hand,) = plan_of(registry, "net[epochs=16]", epochs_for=0).cells
    assert doubled.key == set_by_hand.key


def test_images_of_the_suites_are_what_their_epochs_are_meant_for() -> None:
    assert factor(0, 5) == 1 and factor(5, 0) == 1
    meant = {"sem-failure": 1594, "sem-failure-ablation": 1594, "recipe-ablation": 1594, "x-sdd": 979}
    for name, train in meant.items():
        assert load_suite(default_registry(), name).profiles["quick"].epochs_for == train


SHARES = "[protocol]\ntrain_share = [0.5, 1.0]"


def test_the_factor_of_every_training_share_is_told(registry: Registry) -> None:
    text = tiny_suite("scaled", ["net"], epochs_for=TRAIN).replace("[protocol]", SHARES)
    (note,) = [n for n in make_plan(parse_suite(text, "s"), registry, Choices()).notes if "epochs" in n]
    assert note == (
        "toy-tree: epochs of networks x 1 to 2: those of the suite are meant for 126 training samples,"
        " here are 63 to 126"
    )


def test_a_model_has_one_row_whatever_the_training_share(registry: Registry) -> None:
    """Its epochs are scaled to each share, and its record names them; a learning curve needs one name."""
    text = tiny_suite("scaled", ["net[epochs=4]", "prior"], epochs_for=TRAIN).replace("[protocol]", SHARES)
    plan = make_plan(parse_suite(text, "s"), registry, Choices())
    rows = {(cell.label, cell.row) for cell in plan.cells}
    assert rows == {("net", "net[epochs=4]"), ("net[epochs=4]", "net[epochs=4]"), ("prior", "prior")}
    assert plan.info()["labels"]["quick"] == {"net": "net[epochs=4]"}


def test_two_models_are_never_one_row(registry: Registry) -> None:
    """Epochs that the user typed stay, so that this model has the name that the other would get."""
    text = tiny_suite("scaled", ["net[epochs=4]"], epochs_for=TRAIN).replace("[protocol]", SHARES)
    typed = Choices(models=("net[epochs=4]", "net[e=4]"))
    plan = make_plan(parse_suite(text, "s"), registry, typed)
    assert all(cell.row == cell.label for cell in plan.cells)
    assert len({cell.key for cell in plan.cells}) == len(plan.cells) == 3
    assert "toy-tree x net[epochs=4] is named twice: it runs once" in plan.notes


def test_a_model_that_scaling_makes_another_one_keeps_its_own_name(registry: Registry) -> None:
    """On one share alone both are one model; on the other their records would have had one row."""
    text = tiny_suite("scaled", ["net"], epochs_for=TRAIN).replace("[protocol]", SHARES)
    plan = make_plan(parse_suite(text, "s"), registry, Choices(models=("net", "net[epochs=16]")))
    assert len(plan.cells) == 3 and plan.info()["labels"] == {}
    assert all(cell.row == cell.label for cell in plan.cells)


def test_nor_does_an_entry_give_its_label_to_another_model(registry: Registry) -> None:
    plan = plan_of(registry, "net[rounds=3]", models=("net[rounds=3]", "net[rounds=3,epochs=8]"))
    assert [(cell.label, cell.row) for cell in plan.cells] == [
        ("net[epochs=16,rounds=3]", "Net"),
        ("net[rounds=3]", "net[rounds=3]"),
    ]


ENTRIES = ("net[rounds=5]", "net[epochs=4,rounds=5]")  # at half the samples the second is called as the first


@pytest.mark.parametrize("order", [("small", "tiny"), ("tiny", "small"), ("small", "tiny", "small")])
def test_entries_of_two_plans_keep_their_rows(registry: Registry, order: tuple[str, ...]) -> None:
    """The record of tiny had the label of small, which the other plan alone had run."""
    both = plan_of(registry, *ENTRIES)
    assert {cell.label: cell.row for cell in both.cells} == {
        **{"net[epochs=16,rounds=5]": "small", "net[rounds=5]": "tiny"},
    }
    info = None
    for label in order:
        plan = plan_of(registry, *ENTRIES, models=(label,))
        assert {cell.row for cell in plan.cells} == {label}
        info = with_earlier(plan.info(), info, ())
    assert info is not None and info["labels"] == both.info()["labels"]
    assert info["row_names"] == both.info()["row_names"]


def test_a_model_that_two_entries_are_on_other_data_has_the_name_of_none(registry: Registry) -> None:
    """On the larger data it is small, on the smaller ones tiny; so it was small on both."""
    plans = [plan_of(registry, *ENTRIES, epochs_for=times * TRAIN) for times in (1, 2)]
    smaller = plans[1].info()
    (names,) = smaller["row_names"]["quick"].values()  # as of other data
    smaller |= {"row_names": {"quick": {"toy-tree, 63 training samples": names}}}
    for info in (with_earlier(plans[0].info(), smaller, ()), with_earlier(smaller, plans[0].info(), ())):
        assert info["labels"]["quick"] == {
            **{"net[epochs=16,rounds=5]": "small", "net[epochs=4,rounds=5]": "tiny"},
        }


def test_a_pair_that_cannot_meet_is_called_as_its_record_would_be(registry: Registry) -> None:
    """By its entry it would have had the row of another one."""
    net = registry.get("models", "net")
    net.tasks = ("regression",)
    plan = plan_of(registry, *ENTRIES)
    refused = [pair["model"] for pair in plan.info()["not_applicable"]]
    assert refused == ["net[epochs=16,rounds=5]", "net[rounds=5]"]
    labels = plan.info()["labels"]["quick"]
    assert [labels[model] for model in refused] == ["small", "tiny"]
    assert [pair.model for pair in plan.not_applicable] == list(ENTRIES)


PRIOR = '"prior"'


def test_another_profile_says_nothing_of_scaled_epochs(registry: Registry) -> None:
    text = tiny_suite("scaled", ["prior"], epochs_for=252)
    models = '{ model = "net", label = "Net" }, { model = "net[e=9]", label = "Nine" }'
    profile = text[text.index("[profiles.quick]") :]
    text = f"{text}\n{profile.replace('quick', 'paper').replace(PRIOR, models)}"
    plan = make_plan(parse_suite(text, "s"), registry, Choices())
    assert plan.info()["labels"] == {"paper": {"net[e=9]": "Nine"}} and "row_names" not in plan.info()


EPOCHS = st.lists(st.sampled_from([2, 4, 8, 16, 32]), unique=True, max_size=3)
PLANS = st.tuples(
    st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=1, max_size=3, unique=True), EPOCHS, EPOCHS
)


def called(epochs: float) -> str:
    return "net" if epochs == 8 else f"net[epochs={epochs:g}]"


@given(st.lists(PLANS, min_size=1, max_size=4), EPOCHS)
def test_models_of_one_board_never_share_a_row(
    plans: list[tuple[list[float], list[int], list[int]]], labelled: list[int]
) -> None:
    """In whatever order entries of the suite and typed models are planned on data of several sizes."""
    of_suite = {f"net[epochs={n}]": f"row {n}" for n in labelled}
    profile: Any = SimpleNamespace(labels=of_suite)
    boards: dict[str, set[str]] = {}
    entries: dict[tuple[str, str], set[str]] = {}  # data and label -> what has been planned there
    info: dict[str, Any] | None = None
    for factors, planned, typed in plans:
        names_of = {
            f"net[epochs={n}]": [ModelNames(f"{x}", called(n * x), called(n), True) for x in factors]
            for n in planned
        }
        names_of |= {
            f"net[e={n}]": [ModelNames(f"{x}", called(n), called(n), True) for x in factors] for n in typed
        }
        for reference, names in names_of.items():
            for each in names:
                boards.setdefault(each.data, set()).add(each.label)
                entries.setdefault((each.data, each.label), set()).add(of_suite.get(reference, each.label))
        row_names = {"quick": wanted_names(profile, names_of)}
        new = {"suite": {"version": 1}, "cells": [], "not_applicable": [], "row_names": row_names}
        info = with_earlier(new, info or {**new, "row_names": {}}, ())
    labels = info["labels"].get("quick", {}) if info and "labels" in info else {}
    for data, models in boards.items():
        shown = {model: labels.get(model, model) for model in models}
        assert len(set(shown.values())) == len(models)
        for model, name in shown.items():
            assert not name.startswith("row") or name in entries[data, model]
