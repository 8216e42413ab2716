"""Repairs of scores by one pass over the hierarchy: maximum, minimum, product."""

from __future__ import annotations

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.interfaces import Task
from hmcbench.metrics.decisions import hierarchy_of


def maximum(scores: np.ndarray, task: Task) -> np.ndarray:
    """s'_c = max of s over c and its descendants [Giunchiglia and Lukasiewicz 2020].

    A class is at least as likely as every class below it. Cost: one pass over the edges, O(N E).

    Args:
        scores: float (N, C).
        task: hmc.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> task = Task(hierarchy=Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")]))
    >>> maximum(np.array([[0.5, 0.75, 0.25]]), task)
    array([[0.75, 0.75, 0.25]])
    """
    return hierarchy_of(task).cohere(scores)


def minimum(scores: np.ndarray, task: Task) -> np.ndarray:
    """s'_c = min of s over c and its ancestors [HTD of Notaro et al. 2017].

    A class is at most as likely as every class above it. Cost: one pass over the edges, O(N E).

    Args:
        scores: float (N, C).
        task: hmc.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> task = Task(hierarchy=Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")]))
    >>> minimum(np.array([[0.5, 0.75, 0.25]]), task)
    array([[0.5 , 0.5 , 0.25]])
    """
    return hierarchy_of(task).minima(scores)


def product(scores: np.ndarray, task: Task) -> np.ndarray:
    """s'_c = product of s over c and its ancestors, each once: the chain rule [Dumais and Chen 2000].

    It is the probability of c where every score is that of a class given all its parents, as local
    classifiers give them: on a tree the product along the path; in a DAG every ancestor is one factor.
    Sums of logarithms in 64 bits. Cost: O(N A), A the pairs of class and ancestor.

    Args:
        scores: float (N, C), probabilities.
        task: hmc.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> task = Task(hierarchy=Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")]))
    >>> product(np.array([[0.5, 0.75, 0.25]]), task)
    array([[0.5  , 0.375, 0.125]])
    """
    hierarchy = hierarchy_of(task)
    check_probabilities(scores)
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(scores.T, 0), dtype=np.float64)
    products = np.exp(hierarchy.ancestors @ logs).T.astype(scores.dtype)
    return hierarchy.minima(products)  # rounding of sums in another order must break no edge


def check_probabilities(scores: np.ndarray) -> None:
    """Raise NotApplicable where scores are outside [0, 1], as those of models that only rank are."""
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise NotApplicable("it reads probabilities, and these scores only rank")
