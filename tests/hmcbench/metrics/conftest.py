"""Random problems, and a slow version of the metrics written with Python sets, straight from their
definitions: it shares no code with hmcbench.metrics."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import strategies as st

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.evaluation import Evaluation

Classes = frozenset[str]


@dataclass
class Problem:
    """Samples over a random hierarchy.

    Attributes:
        parents: class -> classes right above it.
        truth: closed boolean (N, C); rows may be empty where the task is ragged.
        scores: float32 (N, C) on a coarse grid, so that there are ties.
    """

    parents: dict[str, list[str]]
    task: Task
    truth: np.ndarray
    scores: np.ndarray

    @property
    def hierarchy(self) -> Hierarchy:
        assert self.task.hierarchy is not None
        return self.task.hierarchy

    def evaluation(self, rows: Any = slice(None)) -> Evaluation:
        return Evaluation.of(self.task, self.truth[rows], self.scores[rows])

    def sets(self, matrix: Any) -> list[Classes]:
        """Rows of a boolean matrix, dense or sparse, as sets of ids."""
        dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        return [
            frozenset(c for c, has in zip(self.hierarchy.classes, row, strict=True) if has) for row in dense
        ]


def _random_parents(rng: np.random.Generator, n: int, most: int) -> dict[str, list[str]]:
    names = [f"c{i}" for i in rng.permutation(n)]
    return {
        name: sorted({names[rng.integers(i)] for _ in range(min(most, i)) if rng.random() < 0.7})
        for i, name in enumerate(names)
    }


@st.composite
def _problems(
    draw: st.DrawFn,
    kinds: tuple[str, ...] = ("tree", "dag"),
    paths: tuple[Literal["single", "multiple"], ...] = ("single", "multiple"),
    least: int = 0,
) -> Problem:
    kind = draw(st.sampled_from(kinds))
    path = draw(st.sampled_from(paths)) if kind == "tree" else "multiple"
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    samples, n = draw(st.integers(least, 7)), draw(st.integers(1, 9))
    parents = _random_parents(rng, n, 1 if kind == "tree" else 3)
    edges = [(p, c) for c, above in parents.items() for p in (above or [""])]
    hierarchy = Hierarchy.from_edges(edges)
    counts = rng.integers(0, 2 if path == "single" else 4, samples)
    labels = [rng.choice(hierarchy.classes, size=min(k, n), replace=False).tolist() for k in counts]
    scores = (rng.integers(0, 5, (samples, n)) / 4).astype(np.float32)
    task = Task("hmc", path, "ragged", hierarchy)
    return Problem(parents, task, hierarchy.encode(labels).toarray(), scores)


@pytest.fixture(scope="session")
def problems() -> Callable[..., st.SearchStrategy[Problem]]:
    """A strategy; draw from it with ``data.draw(problems(...))``."""
    return _problems


def div(a: float, b: float) -> float:
    return a / b if b else 0.0


def mean(values: list[float]) -> float:
    return div(sum(values), len(values))


def f1(p: float, r: float) -> float:
    return div(2 * p * r, p + r)


def closure(parents: dict[str, list[str]], labels: Classes) -> Classes:
    out = set(labels)
    while more := {p for c in out for p in parents[c]} - out:
        out |= more
    return frozenset(out)


class Slow:
    """Metrics by id, of closed true sets Y, raw predictions R, and scores."""

    def __init__(self, problem: Problem, raw: list[Classes], scores: np.ndarray | None) -> None:
        self.parents, self.classes = problem.parents, problem.hierarchy.classes
        self.Y, self.R, self.scores = problem.sets(problem.truth), raw, scores
        self.P = [self.closure(r) for r in raw]
        self.single = problem.task.paths == "single"

    def closure(self, labels: Classes) -> Classes:
        return closure(self.parents, labels)

    def level(self, c: str) -> int:
        return 1 + max((self.level(p) for p in self.parents[c]), default=0)

    def height(self, c: str) -> int:
        return max((1 + self.height(d) for d, above in self.parents.items() if c in above), default=0)

    def values(self) -> dict[str, float]:
        depth = max(map(self.level, self.classes))
        out = {**self.set_metrics(), **self.structure(depth), **self.pairs()}
        for k in range(1, depth + 1):
            out.update(self.level_metrics(k))
        for c in self.classes:
            p, r, support = self.of_class(c)
            out.update({f"class_precision[{c}]": p, f"class_recall[{c}]": r, f"class_support[{c}]": support})
            out[f"class_f1[{c}]"] = f1(p, r)
        return out

    def set_metrics(self) -> dict[str, float]:
        pairs = list(zip(self.Y, self.P, strict=True))
        some = [(y, p) for y, p in pairs if y or p]
        hp = mean([div(len(y & p), len(p)) for y, p in some])
        hr = mean([len(y & p) / len(y) for y, p in some if y])
        inter, n_pred, n_true = (sum(map(len, v)) for v in ([y & p for y, p in pairs], self.P, self.Y))
        present = [c for c in self.classes if self.of_class(c)[2]]
        return {
            "hp_samples": hp,
            "hr_samples": hr,
            "hf1_samples": f1(hp, hr),
            "hf1_samples_mean": mean([div(2 * len(y & p), len(y) + len(p)) for y, p in some]),
            "hp_micro": div(inter, n_pred),
            "hr_micro": div(inter, n_true),
            "hf1_micro": f1(div(inter, n_pred), div(inter, n_true)),
            "hf1_macro": mean([f1(*self.of_class(c)[:2]) for c in present]),
            "exact_match": mean([float(y == p) for y, p in pairs]),
            "empty_pairs": len(pairs) - len(some),
            "empty_predictions": sum(1 for y, p in some if not p),
            "empty_truths": sum(1 for y, p in some if not y),
        }

    def of_class(self, c: str) -> tuple[float, float, int]:
        both = sum(c in y and c in p for y, p in zip(self.Y, self.P, strict=True))
        said, true = sum(c in p for p in self.P), sum(c in y for y in self.Y)
        return div(both, said), div(both, true), true

    def level_metrics(self, k: int) -> dict[str, float]:
        here = frozenset(c for c in self.classes if self.level(c) == k)
        cut = [(y & here, p & here) for y, p in zip(self.Y, self.P, strict=True)]
        rates = [self.of_class(c)[:2] for c in sorted(here) if self.of_class(c)[2]]
        out = {
            f"level{k}_accuracy": mean([float(y == p) for y, p in cut if y or p]),
            f"level{k}_precision_macro": mean([p for p, _ in rates]),
            f"level{k}_recall_macro": mean([r for _, r in rates]),
            f"level{k}_f1_macro": mean([f1(p, r) for p, r in rates]),
        }
        if self.single and self.scores is not None:
            hits = [float(y & here == r & here) for y, r in zip(self.Y, self.R, strict=True) if y & here]
            out[f"level{k}_argmax_accuracy"] = mean(hits)
            out.update({f"level{k}_{name}": v for name, v in self.probabilities(here).items()})
        return out

    def probabilities(self, here: Classes) -> dict[str, float]:
        """Of the classes of one level; samples without a true class there are left out."""
        assert self.scores is not None
        columns = [i for i, c in enumerate(self.classes) if c in here]
        rows = [
            ([float(row[i]) for i in columns], [float(self.classes[i] in y) for i in columns])
            for row, y in zip(self.scores, self.Y, strict=True)
            if y & here
        ]
        if not rows:
            return {}
        tops = [(max(s), t[s.index(max(s))]) for s, t in rows]
        bins = [
            [(c, hit) for c, hit in tops if b <= 15 * c < b + 1 or (b == 14 and c == 1)] for b in range(15)
        ]
        orders = [self.risk([hit for _, hit in order]) for order in self.orders(tops)]
        return {
            "ece": sum(abs(sum(c - hit for c, hit in b)) for b in bins) / len(rows),
            "brier": mean([sum((p - y) ** 2 for p, y in zip(*row, strict=True)) for row in rows]),
            "log_loss": mean([-math.log(max(1e-7, s[t.index(1)])) for s, t in rows]),
            "aurc": mean(orders),
        }

    def pairs(self) -> dict[str, float]:
        """Of all (sample, class) pairs of several paths."""
        if self.single or self.scores is None or not len(self.scores):
            return {}
        each = [
            (float(s), float(c in y))
            for row, y in zip(self.scores, self.Y, strict=True)
            for s, c in zip(row, self.classes, strict=True)
        ]
        bins = [[(s, t) for s, t in each if b <= 15 * s < b + 1 or (b == 14 and s == 1)] for b in range(15)]
        return {
            "multi_ece": sum(abs(sum(s - t for s, t in b)) for b in bins) / len(each),
            "multi_brier": mean([(s - t) ** 2 for s, t in each]),
            "multi_log_loss": mean([-math.log(max(1e-7, s if t else 1 - s)) for s, t in each]),
        }

    def orders(self, tops: list[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
        """All orders by falling confidence: tied samples in every order there is."""
        tied = [[top for top in tops if top[0] == c] for c in sorted({c for c, _ in tops}, reverse=True)]
        for choice in itertools.product(*(itertools.permutations(group) for group in tied)):
            yield [top for group in choice for top in group]

    def risk(self, hits: list[float]) -> float:
        return mean([1 - mean(hits[: n + 1]) for n in range(len(hits))])

    def structure(self, depth: int) -> dict[str, float]:
        out = {"incoherent_rate": mean([float(r != p) for r, p in zip(self.R, self.P, strict=True)])}
        edges = [(p, c) for c, above in self.parents.items() for p in above]
        if self.scores is not None:
            rows = [dict(zip(self.classes, row, strict=True)) for row in self.scores.tolist()]
            out["violation_rate"] = mean([float(s[c] > s[p] + 1e-6) for s in rows for p, c in edges])
        if not self.single:
            return out
        distances, severities = [], []
        for y, r in zip(self.Y, self.R, strict=True):
            p, t = (max(s, key=self.level, default="") for s in (r, y))
            above_p, above_t = (self.closure(frozenset({c} - {""})) for c in (p, t))
            common = above_p & above_t
            distances.append(float(len(above_p) + len(above_t) - 2 * len(common)))
            if p != t:
                lca = max(common, key=self.level, default="")
                severities.append(float(self.height(lca) if lca else depth))
        out["tree_path_distance"] = mean(distances)
        if severities:
            out["mistake_severity"] = mean(severities)
        return out


@pytest.fixture(scope="session")
def slow() -> Callable[[Problem, list[Classes], np.ndarray | None], dict[str, float]]:
    """``slow(problem, raw sets, scores or None)``: what every metric should be, by id."""
    return lambda problem, raw, scores: Slow(problem, raw, scores).values()


def _coherent(problem: Problem) -> list[Classes]:
    """Classes with a descendant of at least 0.5; or the likeliest path of a tree, which may end anywhere.

    A level below the end of a path has the factor that its scores leave of 1.
    """
    names = problem.hierarchy.classes
    rows = [dict(zip(names, map(Fraction, row), strict=True)) for row in problem.scores.tolist()]
    if problem.task.paths == "multiple":
        return [closure(problem.parents, frozenset(c for c in names if s[c] >= 0.5)) for s in rows]
    paths = [closure(problem.parents, frozenset({c})) for c in names]
    level = {c: len(path) for c, path in zip(names, paths, strict=True)}

    def product(path: Classes, s: dict[str, Fraction]) -> Fraction:
        below = range(len(path) + 1, max(level.values()) + 1)
        left = [max(Fraction(0), 1 - sum(s[c] for c in names if level[c] == k)) for k in below]
        return math.prod([*(s[c] for c in path), *left], start=Fraction(1))

    return [max(paths, key=lambda path: product(path, s)) for s in rows]


@pytest.fixture(scope="session")
def slow_coherent() -> Callable[[Problem], list[Classes]]:
    """``slow_coherent(problem)``: the coherent decision of every sample; it shares no code with hmcbench."""
    return _coherent
