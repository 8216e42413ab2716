"""The suite ``augment-ti64``, and what is refused while a run is planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hmcbench.errors import BadInput
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry, parse_reference

REGISTRY = default_registry()


def plan(folder: Path, *models: str, shares: tuple[float, ...] = (0.1, 1.0)) -> Plan:
    suite = load_suite(REGISTRY, "augment-ti64")
    assert suite.protocol.train_share == (0.1, 1.0)
    suite = replace(suite, protocol=replace(suite.protocol, train_share=shares))
    return make_plan(suite, REGISTRY, Choices(data={"images": str(folder)}, models=models))


@pytest.fixture
def patches(gallery: Callable[..., Path]) -> Path:
    """Ten groups of four small pictures with the classes of ti64."""
    sets = ("ductile", "brittle", "background", "ductile|brittle")
    names = [f"{group}-{k}.png" for group in range(10) for k in range(4)]
    rows = [f"{name},{sets[i % 4]},{name[0]}" for i, name in enumerate(names)]
    hierarchy = "parent,child\n,fracture\n,background\nfracture,ductile\nfracture,brittle\n"
    index = "\n".join(["file,labels,group", *rows, ""])
    return gallery({name: i for i, name in enumerate(names)}, index, hierarchy)


@pytest.mark.torch
def test_rows_with_and_without_procedural_images_have_the_same_budget(patches: Path) -> None:
    cells = plan(patches).cells
    rows = list(dict.fromkeys(cell.row for cell in cells))
    assert rows == [
        "resnet10t",
        "resnet10t + 25 % procedural",
        "resnet10t + 50 % procedural",
        "forest",
        "forest + 50 % procedural",
        "prior",
    ]
    assert len(cells) == len(rows) * 5 * 2  # folds, and shares of the training data
    own = {"model", "share", "drawn", "side", "looks", "architecture"}
    networks = [cell for cell in cells if "resnet10t" in cell.row]
    budgets: dict[tuple[int, str], list[object]] = {}
    for cell in networks:
        share = str(cell.record["split"].get("train_share"))
        budget = {name: value for name, value in cell.model_params.items() if name not in own}
        budgets.setdefault((cell.fold, share), []).append(budget)
    assert len(budgets) == 10
    assert all(len(of_fold) == 3 and of_fold.count(of_fold[0]) == 3 for of_fold in budgets.values())
    tested = {row: [cell.record["split"]["fingerprint"] for cell in cells if cell.row == row] for row in rows}
    assert all(splits == tested["prior"] for splits in tested.values())
    assert len(set(tested["prior"])) == 10


def test_a_task_of_other_classes_is_refused_while_the_run_is_planned(tree: Path) -> None:
    with pytest.raises(BadInput, match=r"none of the classes a, b can be drawn by its name\. Allowed: names"):
        plan(tree, "procedural:forest[]", shares=(1.0,))
    with pytest.raises(BadInput, match="unknown class in looks 'c'"):
        plan(tree, "procedural:forest[looks=c:dimples]", shares=(1.0,))
    (row, *_) = plan(tree, "procedural:forest[looks=a:dimples]", shares=(1.0,)).cells
    assert row.label == "procedural:forest[looks=a:dimples]"


@pytest.mark.torch
def test_the_model_checks_its_parameters_while_the_run_is_planned(patches: Path) -> None:
    with pytest.raises(BadInput, match="unknown timm architecture 'resnet1t'"):
        plan(patches, "procedural:timm:resnet1t")


def test_all_rows_name_the_same_looks() -> None:
    suite = load_suite(REGISTRY, "augment-ti64")
    named = [dict(parse_reference(model).params).get("looks") for model in suite.profiles["quick"].models]
    assert len({looks for looks in named if looks}) == 1 and named.count(None) == 3
