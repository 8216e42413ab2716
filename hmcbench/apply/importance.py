"""Which columns of a table a model relies on: permutation importance, SHAP values, their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.apply.rebuild import Refitted
from hmcbench.errors import Unavailable
from hmcbench.metrics.regression import r2
from hmcbench.metrics.sets import hf1_samples

BACKGROUND = 50  # training samples whose values replace an unknown column in SHAP


@dataclass(frozen=True, eq=False)
class Importance:
    """The importance of every column.

    Attributes:
        method: ``permutation`` or ``shap``.
        unit: unit of the values, in words.
        columns: names of the F columns.
        outputs: names of the O explained quantities: the metric, or targets or classes.
        values: float (F, O): the mean over repeats, or over samples of the absolute SHAP value.
        spread: float (F, O): standard deviation over repeats; zeros for SHAP.
        samples: float (N, F, O) SHAP values, and ``table`` (N, F) the rows they explain; else None.
    """

    method: str
    unit: str
    columns: Sequence[str]
    outputs: Sequence[str]
    values: np.ndarray
    spread: np.ndarray
    samples: np.ndarray | None = None
    table: np.ndarray | None = None

    def order(self) -> np.ndarray:
        """Columns, the most important first, by the mean over outputs."""
        return np.argsort(-self.values.mean(axis=1), kind="stable")


def permutation(refitted: Refitted, repeats: int = 10, seed: int = 0) -> Importance:
    """The loss of the metric when one column of the test samples is shuffled (scikit-learn).

    The metric is ``r2``, or ``hf1_samples`` with the decisions of the record: its thresholds, and the model's
    own decisions where it makes them [Breiman 2001].
    """
    from sklearn.inspection import permutation_importance

    task = refitted.task
    metric: Any = r2 if task.kind == "regression" else hf1_samples

    def score(_model: Any, table: np.ndarray, truth: Any) -> float:
        return float(metric(refitted.evaluation(truth, table)))

    class Fitted:
        def fit(self) -> None:
            """Only there because scikit-learn asks for an estimator."""

    truth = refitted.truth.toarray() if hasattr(refitted.truth, "toarray") else np.asarray(refitted.truth)
    result = permutation_importance(
        Fitted(), refitted.test, truth, scoring=score, n_repeats=repeats, random_state=seed
    )
    name = "r2" if task.kind == "regression" else "hf1_samples"
    return Importance(
        "permutation",
        f"loss of {name} when the column is shuffled",
        refitted.columns,
        (name,),
        result.importances_mean[:, None],
        result.importances_std[:, None],
    )


def shap_values(refitted: Refitted, samples: int = 60, seed: int = 0) -> Importance:
    """SHAP values of the first test samples, by permutations of the columns [Lundberg & Lee 2017].

    An unknown column takes the values of training samples (at most ``BACKGROUND``).

    Raises:
        Unavailable: the library shap is not installed.
    """
    try:
        import shap
    except ImportError:
        raise Unavailable("SHAP values need shap", hint="pip install 'hmcbench[shap]'") from None
    rng = np.random.default_rng(seed)
    background = np.sort(rng.permutation(len(refitted.train))[:BACKGROUND])
    masker = shap.maskers.Independent(refitted.train[background], max_samples=BACKGROUND)
    explainer = shap.explainers.Permutation(refitted.predict, masker, seed=seed)
    rows = refitted.test[:samples]
    result = explainer(rows, max_evals=2 * rows.shape[1] + 1, silent=True)
    values = np.asarray(result.values).reshape(*rows.shape, -1)
    hierarchy = refitted.task.hierarchy
    outputs = refitted.task.targets if hierarchy is None else hierarchy.classes
    mean = np.abs(values).mean(axis=0)
    unit = f"mean absolute SHAP value over {len(rows)} samples, in units of the prediction"
    return Importance("shap", unit, refitted.columns, outputs, mean, np.zeros_like(mean), values, rows)


def draw(importance: Importance, path: Path, title: str) -> None:
    """A PNG of the 15 most important columns: bars, or a dot per sample; a panel per output (at most six)."""
    from hmcbench.report.figures import style

    panels = min(6, len(importance.outputs))
    order = importance.order()[:15][::-1]
    heights = np.arange(len(order))
    with style.styled():
        size = 2.2 + 2.6 * panels, 0.9 + 0.24 * len(order)
        figure, axes = style.figure(*size, columns=panels, sharey=True)
        for i, ax in enumerate(axes[0]):
            if importance.samples is None or importance.table is None:
                values, spread = importance.values[order, i], importance.spread[order, i]
                ax.barh(heights, values, xerr=spread, color=style.BLUE, height=0.7)
            else:
                _swarm(ax, importance.samples[:, order, i], importance.table[:, order])
            ax.axvline(0, color=style.GREY, linewidth=0.6)
            ax.set_title(style.plain(importance.outputs[i]))
        axes[0, 0].set_yticks(heights, [style.plain(importance.columns[k]) for k in order])
        swarm = "SHAP value; colour: the column's value, low (dark) to high"
        figure.supxlabel(importance.unit if importance.samples is None else swarm, size=8)
        figure.suptitle(style.plain(title))
    style.save(figure, path)


def _swarm(ax: Any, values: np.ndarray, table: np.ndarray) -> None:
    """One dot per sample and column, coloured by the rank of the column's value."""
    from hmcbench.report.figures import style

    rng = np.random.default_rng(0)
    for k in range(values.shape[1]):
        ranks = np.argsort(np.argsort(table[:, k])) / max(1, len(table) - 1)
        height = k + rng.uniform(-0.25, 0.25, len(values))
        ax.scatter(values[:, k], height, c=ranks, cmap=style.SEQUENTIAL, s=7, linewidths=0)
