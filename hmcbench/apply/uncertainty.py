"""How uncertain a prediction is, and how much of that stems from the model, from several passes.

Total uncertainty is the entropy of the mean prediction. Its epistemic part is what it exceeds the mean
entropy of the passes by: their disagreement [Gal 2016; Depeweg et al. 2018]. Both are shares of the largest
entropy.
"""

from __future__ import annotations

import numpy as np

from hmcbench.interfaces import Scores, Task
from hmcbench.metrics.decisions import path_shares


def uncertainties(scores: Scores, task: Task) -> tuple[np.ndarray, np.ndarray] | None:
    """Total and epistemic uncertainty of every sample, float64 (N,), from 0 to 1; None without passes.

    Single paths: of the distribution over the admissible paths, with the empty one where the model gives it a
    share. Several paths: the mean over classes.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> task = Task(paths="multiple", hierarchy=Hierarchy.from_edges([("", "a"), ("", "b")]))
    >>> sure, torn = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    >>> both = Scores((sure + torn) / 2, passes=(Scores(sure), Scores(torn)))
    >>> uncertainties(both, task), uncertainties(Scores(sure), task)
    ((array([1.]), array([1.])), None)
    """
    if len(scores.passes) < 2 or task.hierarchy is None:
        return None
    if task.paths == "multiple":
        total = _binary(scores.values)
        within = np.mean([_binary(one_pass.values) for one_pass in scores.passes], axis=0)
    else:
        shares = [path_shares(p.values, p.stop, task)[1] for p in scores.passes]
        most = np.log(max(2, shares[0].shape[1]))
        total = _entropy(np.mean(shares, axis=0)) / most
        within = np.mean([_entropy(part) for part in shares], axis=0) / most
    return total, np.maximum(total - within, 0.0)


def _entropy(shares: np.ndarray) -> np.ndarray:
    """Natural entropy of every row."""
    known = np.clip(shares, 1e-300, 1.0)
    entropy: np.ndarray = -(shares * np.log(known)).sum(axis=1)
    return entropy


def _binary(scores: np.ndarray) -> np.ndarray:
    """Mean over classes of the entropy of a yes or no, in bits."""
    yes = np.asarray(scores, dtype=np.float64)
    both = np.stack([yes, 1 - yes])
    mean: np.ndarray = -(both * np.log2(np.clip(both, 1e-300, 1.0))).sum(axis=0).mean(axis=1)
    return mean
