"""Columns that a user should look at: those that give the label away, and those that look like groups."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.metrics import f1_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from hmcbench.data.columns import is_missing
from hmcbench_tables.content import OwnTable
from hmcbench_tables.problems import listed

GIVEN_AWAY = 0.98  # F1 or R2 of a small tree on one column
SAMPLE = 4_000  # rows that are looked at
CLASSES = 20  # most frequent classes that are looked at
LEAVES = 4
ANY = ""  # stands for having any class, among the names of classes
FEW = 10  # rows of a class below which nothing is concluded
_GROUPS = {
    "heat", "batch", "lot", "specimen", "coupon", "melt", "plate", "ingot", "wafer", "group", "subject",
    "patient", "machine", "site", "lab", "source", "study", "paper", "reference", "ref", "doi", "author",
    "system",
}  # fmt: skip
_NUMBERED = {"id", "no", "nr", "number", "name", "code"}  # behind the name of a group
_FORMULA = re.compile(r"(?=.*[A-Z][a-z])([A-Z][a-z]?|[()]|\d+(\.\d+)?)+\Z")

Suspect = tuple[str, str]  # kind and text of a warning


def give_away(content: OwnTable) -> Iterator[Suspect]:
    """Features of which one alone predicts a class, or a target, nearly without an error."""
    rows = np.array(content.report.usable)
    if len(rows) < 2 * FEW:
        return
    rows = np.random.default_rng(0).permutation(rows)[:SAMPLE]
    half = len(rows) // 2
    questions = list(_questions(content, rows, half))
    for column in content.features.columns:
        values = np.nan_to_num(column.values[rows], nan=-1e30)[:, None]
        predicted = [name for name, answers in questions if _score(values, answers, half) >= GIVEN_AWAY]
        if ANY in predicted:
            predicted.remove(ANY)
            yield "parent", f"column {column.name!r} says whether a row has any label: parent={column.name}?"
        if predicted:
            what = f"column {column.name!r} alone predicts {listed(predicted)} nearly without an error"
            yield "gives-away", f"{what}: is it known beforehand? if not, drop it"


def _questions(content: OwnTable, rows: np.ndarray, half: int) -> Iterator[tuple[str, np.ndarray]]:
    """Name and answers (n,) of every class, of having any class, or of every target."""
    if content.labels is None:
        yield from zip(content.targets, content.values[rows].T, strict=True)
        return
    hierarchy = content.labels.hierarchy
    truth = hierarchy.encode([content.labels.rows[row] for row in rows]).toarray()
    order = np.argsort(-truth.sum(axis=0), kind="stable")[:CLASSES]
    named = [(hierarchy.classes[k], truth[:, k]) for k in order]
    if content.labels.form == "columns" and hierarchy.depth == 1 and len(named) > 1:
        named.append((ANY, truth.any(axis=1)))
    for name, answers in named:
        if all(FEW <= part.sum() <= len(part) - FEW for part in (answers[:half], answers[half:])):
            yield name, answers


def _score(values: np.ndarray, answers: np.ndarray, half: int) -> float:
    """F1 of the rarer answer, or R2, of a tree with few leaves on the second half of the rows."""
    if answers.dtype == bool:
        rarer = answers if answers.sum() * 2 <= len(answers) else ~answers
        tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=0).fit(values[:half], rarer[:half])
        return float(f1_score(rarer[half:], tree.predict(values[half:]), zero_division=0.0))
    tree = DecisionTreeRegressor(min_samples_leaf=2, random_state=0).fit(values[:half], answers[:half])
    return float(tree.score(values[half:], answers[half:])) if np.ptp(answers[half:]) > 0 else 0.0


def groups(content: OwnTable) -> Iterator[Suspect]:
    """Columns that look like groups, where none is named: by their name, or because their values repeat."""
    if content.groups is not None:
        return
    names = [*content.features.unused, *(column.name for column in content.features.columns)]
    hits = [name for name in names if _repeats(content, name)]
    if hits:
        what = f"column{'s' * (len(hits) > 1)} {listed(map(repr, hits))} may be groups of rows that are alike"
        yield "group", f"{what}; --group keeps them in one partition of a split"


def _repeats(content: OwnTable, name: str) -> bool:
    """Whether a column is named like a group and its values repeat; or is text that repeats a few times."""
    cells = [content.table.column(name)[row] for row in content.report.usable]
    sizes = Counter(cell for cell in cells if not is_missing(cell)).values()
    if len(sizes) < FEW or len(sizes) > len(cells) / 2:
        return False
    text = content.features.unused.get(name, "").startswith("it holds text")
    return _is_group_name(name) or (text and _even(list(sizes)))


def _is_group_name(name: str) -> bool:
    """``Heat No.`` and ``scene_groups`` are; ``plate thickness`` is not."""
    words = re.findall("[a-z]+", name.casefold())
    while words and words[-1] in _NUMBERED:
        words.pop()
    return bool(words) and (words[-1] in _GROUPS or words[-1].removesuffix("s") in _GROUPS)


def _even(sizes: Sequence[int]) -> bool:
    """Whether no value is much more frequent than the others."""
    return max(sizes) <= 10 * (sum(sizes) / len(sizes))


def formulas(content: OwnTable) -> Iterator[Suspect]:
    """Columns of text that hold chemical formulas, which are no features before they are computed."""
    for name, reason in content.features.unused.items():
        cells = [cell for cell in content.table.column(name) if not is_missing(cell)]
        if reason.startswith("it holds text") and all(_FORMULA.match(cell) for cell in cells):
            options = shlex.join(["--from", content.table.source, "--column", name, "--out", "features.csv"])
            command = f"hmcbench data featurize descriptors {options}"
            yield "formula", f"column {name!r} holds formulas; features of them: {command}"
