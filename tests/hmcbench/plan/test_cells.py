from __future__ import annotations

from typing import Any

import pytest

from hmcbench.data import featurize
from hmcbench.plan.cells import make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry


def test_views_are_planned_once_for_all_folds_and_seeds_of_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[tuple[str, ...]] = []
    plan_views = featurize.plan_views

    def counted(registry: Any, available: Any, views: Any, params: Any) -> Any:
        wanted.append(tuple(views))
        return plan_views(registry, available, views, params)

    monkeypatch.setattr(featurize, "plan_views", counted)
    registry = default_registry()
    suite = load_suite(registry, "smoke")
    plan = make_plan(suite, registry, Choices(datasets=("toy-tree",), seeds=3, splits=2))
    pairs = {(cell.dataset, cell.label) for cell in plan.cells}
    assert len(plan.cells) == 6 * len(pairs) > 6
    assert len(wanted) == len(pairs)


def test_a_fold_and_a_seed_change_the_key_and_nothing_else_that_a_pair_says() -> None:
    registry = default_registry()
    suite = load_suite(registry, "smoke")
    plan = make_plan(suite, registry, Choices(datasets=("toy-tree",), models=("prior",), seeds=2, splits=2))
    assert [(cell.seed, cell.fold) for cell in plan.cells] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({cell.key for cell in plan.cells}) == 4
    for cell in plan.cells:
        assert cell.record["seed"] == cell.seed
        assert cell.record["split"]["fold"] == cell.fold
        assert cell.record["model"] == plan.cells[0].record["model"]
