"""Which shifts a plan asks for: ``--shifts`` and ``[[shifts]]``; what cannot work is refused."""

from __future__ import annotations

import pytest

from hmcbench import BadInput
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import default_registry

SUITE = """
[suite]
name = "shifted"
version = 1
datasets = ["toy-tree"]
primary = "hf1_samples"
columns = ["hf1_samples", "level{k}_accuracy"]
%s
[profiles.quick]
models = ["knn", "prior"]
"""
OWN = """
[[shifts]]
name = "noise"
severities = [0.5, 2]
[[shifts]]
name = "changed-unit"
"""


def planned(own: str, *names: str, **choices: tuple[str, ...]) -> Plan:
    suite = parse_suite(SUITE % own, "file")
    return make_plan(suite, default_registry(), Choices(shifts=names, **choices))


def labels(plan: Plan) -> list[tuple[str, tuple[float, ...]]]:
    assert all(cell.shifts == plan.cells[0].shifts for cell in plan.cells)
    return [(shift.label, shift.severities) for shift in plan.cells[0].shifts]


def test_none_is_the_default_even_where_the_suite_names_some() -> None:
    assert labels(planned(OWN)) == labels(planned(OWN, "none")) == []
    assert planned(OWN, "none").drop_shifts
    assert not planned(OWN).drop_shifts


def test_all_are_those_of_the_suite_or_all_that_change_what_is_read() -> None:
    assert labels(planned(OWN, "all")) == [("noise", (0.5, 2.0)), ("changed-unit", (0.5, 1.0, 1.4, 2.0, 3.0))]
    names = [label for label, _ in labels(planned("", "all"))]
    assert {"noise", "missing-values", "eds-drift"} <= set(names) and "defocus" not in names


def test_cells_with_fewer_samples_have_shifts_only_where_there_are_no_others() -> None:
    def shifted(shares: str) -> dict[tuple[float, ...], bool]:
        plan = planned(f"{OWN}[protocol]\ntrain_share = {shares}", "all")
        return {tuple(cell.record["split"].get("train_share", ())): bool(cell.shifts) for cell in plan.cells}

    assert shifted("[0.5, 1.0]") == {(0.5,): False, (): True}
    assert shifted("[0.5]") == {(0.5,): True}


def test_a_suite_may_say_how_many_samples_see_a_shift() -> None:
    suite = OWN.replace("severities = [0.5, 2]", "samples = 7")
    assert [shift.samples for shift in planned(suite, "all").cells[0].shifts] == [7, None]
    with pytest.raises(BadInput, match="samples 0"):
        planned(suite.replace("7", "0"), "all")


def test_names_of_the_suite_have_its_severities() -> None:
    assert labels(planned(OWN, "noise")) == [("noise", (0.5, 2.0))]
    assert labels(planned("", "noise"))[0][1] == (0.05, 0.1, 0.2, 0.5, 1.0)
    assert [name for name, _ in labels(planned("", "missing-*"))] == ["missing-columns", "missing-values"]
    assert [name for name, _ in labels(planned(OWN, "missing-values", "noise"))] == [
        "missing-values",
        "noise",
    ]


def test_shifts_are_no_part_of_a_key() -> None:
    keys = [[cell.key for cell in planned(own, *names).cells] for own, *names in (("",), (OWN, "all"))]
    assert keys[0] == keys[1]
    assert planned(OWN, "all").cells[0].shift_metrics == ("hf1_samples", "level{k}_accuracy")


def test_the_suite_as_plain_data_has_them_only_where_there_are_any() -> None:
    assert "shifts" not in planned("").info()["suite"]
    assert [entry["name"] for entry in planned(OWN).info()["suite"]["shifts"]] == ["noise", "changed-unit"]


@pytest.mark.parametrize(
    ("own", "names", "models", "pattern"),
    [
        ("", ("nois",), (), "unknown shift 'nois'; did you mean 'noise'"),
        ("", ("noise[a=1]",), (), "unknown parameter of noise"),
        (
            "",
            ("defocus",),
            (),
            "the shift defocus changes image, which no model here reads.* shifts of table",
        ),
        ("", ("noise",), ("prior",), "no model here reads.*models that read a view"),
        ("", ("all",), ("prior",), "no model here reads"),
        ("", ("all", "noise"), (), "none, all, or names of shifts"),
        ("", ("none", "noise"), (), "none, all, or names of shifts"),
        (OWN.replace("noise", "nois"), (), (), r"suite shifted \[\[shifts\]\]: unknown shift 'nois'"),
        (OWN.replace("0.5, 2", "2, 0.5"), (), (), r"shift noise: severities 2, 0.5.*rising"),
        (OWN.replace("changed-unit", "noise"), (), (), "noise is named twice"),
        ('[[shifts]]\nname = "tilt"\n', ("all",), (), "the shift tilt changes image"),
        ('[[shifts]]\nname = "noise"\nseverity = 1\n', (), (), r"unknown key in file \[\[shifts\]\]"),
        ("[[shifts]]\nseverities = [1.0]\n", (), (), "lacks name"),
        ('[[shifts]]\nname = "noise"\nseverities = 1\n', (), (), "severities must be a list"),
        ('[shifts]\nname = "noise"\n', (), (), r"\[\[shifts\]\]"),
    ],
)
def test_what_cannot_work_is_refused(
    own: str, names: tuple[str, ...], models: tuple[str, ...], pattern: str
) -> None:
    with pytest.raises(BadInput, match=pattern) as error:
        planned(own, *names, models=models)
    assert "\n" not in str(error.value)


def test_a_suite_may_name_what_only_other_chosen_models_read() -> None:
    own = OWN + '[[shifts]]\nname = "tilt"\n'
    assert [name for name, _ in labels(planned(own, "all", models=("knn",)))] == ["noise", "changed-unit"]
