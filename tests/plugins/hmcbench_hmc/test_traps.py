"""What docs/auprc.md calls traps: each test that it names is there, and those that stand here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from auprc_traps import ClassicSet
from hmcbench_hmc.classic.dataset import classic
from sklearn.metrics import average_precision_score

from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.registry.registry import default_registry
from hmcbench.reproduce.tables import find_table

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "auprc.md").read_text(encoding="utf-8")
AREAS = ["auprc_micro", "auprc_pooled_clus", "auprc_macro", "auprc_weighted"]


def scored(seed: int = 0) -> tuple[Task, np.ndarray, np.ndarray]:
    """The synthetic tree: task, truth of 60 samples, and scores that know something of it."""
    data = classic(set="synthetic-tree")
    truth = np.asarray(data.targets[:60], dtype=bool)
    rng = np.random.default_rng(seed)
    known = 0.3 * truth + truth.mean(axis=0)  # and of frequencies
    return data.task, truth, (known + rng.random(truth.shape)).astype(np.float32)


def areas(task: Task, truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return dict(compute(SPECS, Evaluation.of(task, truth, scores), names=AREAS))


def test_every_trap_names_a_test_that_there_is() -> None:
    traps = re.findall(r"^\*\*[^*]+\.\*\* ", PAGE, re.MULTILINE)
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(traps) == len(named) == 10
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), name


def test_classes_without_a_test_positive() -> None:
    """A pooled stepwise area keeps them, that of Clus drops them; means over classes are over the others."""
    task, truth, scores = scored()
    kept = areas(task, truth, scores)
    silent = np.flatnonzero(~truth.any(axis=0))
    assert 0 < len(silent) < truth.shape[1]
    louder = scores.copy()
    louder[:, silent] = 1.0
    loud = areas(task, truth, louder)
    assert loud["auprc_micro"] < kept["auprc_micro"]
    assert {k: v for k, v in loud.items() if k != "auprc_micro"} == {
        k: v for k, v in kept.items() if k != "auprc_micro"
    }


def test_a_mean_over_samples_is_another_number() -> None:
    task, truth, scores = scored()
    mean = float(average_precision_score(truth, scores, average="samples"))
    values = areas(task, truth, scores)
    assert values["auprc_micro"] == pytest.approx(average_precision_score(truth, scores, average="micro"))
    assert all(abs(value - mean) > 0.01 for value in values.values())


def test_an_outlier_reverses_the_order_of_two_means() -> None:
    """As docs/auprc.md prints them."""
    table = find_table(default_registry(), "hmc-classic")
    sets = [name for name in table.headers if name.endswith("_GO")]
    values = {
        row.label: dict(zip(table.headers, row.values, strict=True)) for row in table.rows if row.values
    }

    def mean(method: str, names: list[str]) -> float:
        return float(np.mean([values[method][name] for name in names]))

    others = [name for name in sets if name != "gasch2_GO"]
    assert mean("HMCN-F", sets) > mean("C-HMCNN", sets)
    assert mean("HMCN-F", others) < mean("C-HMCNN", others)
    for method in values:
        line = f"| {method} | {mean(method, sets):.4f} | {values[method]['gasch2_GO']:.3f} | "
        assert line + f"{mean(method, others):.4f} |" in PAGE


@pytest.mark.parametrize("name", ["ImCLEF07A", "Diatoms", "cellcycle_FUN"])
def test_single_paths_are_read_from_the_labels(name: str, shared: Callable[[str], Path]) -> None:
    data = classic(set=name, path=str(shared("hmc_classic")))
    assert data.task.paths == ("multiple" if name.endswith("FUN") else "single")


def test_the_script_of_the_page_fills_in_means_of_the_samples_that_it_is_given(
    shared: Callable[[str], Path],
) -> None:
    of = ClassicSet("cellcycle_FUN", str(shared("hmc_classic")))
    train = of.sides["train"]
    kept, filled = (of.views(train, missing=missing)["table"] for missing in (True, False))
    absent = np.isnan(kept)
    means = np.broadcast_to(np.nanmean(kept[train], axis=0, dtype=np.float64), kept.shape)
    assert absent.any()
    np.testing.assert_allclose(filled[absent], means[absent], rtol=1e-5, atol=1e-7)
