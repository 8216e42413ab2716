"""A suite for data of one's own: TOML text with a split, models and metrics that suit the data.

``hmcbench suite new`` writes the text to a file, ``hmcbench run --table`` and ``--images`` run it at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmcbench.data.loading import plan_dataset
from hmcbench.interfaces import Task, Value
from hmcbench.registry.registry import Registry, parse_reference

if TYPE_CHECKING:
    from hmcbench.interfaces import Dataset

RARE = 0.05  # share of the samples below which a class is rare
LARGE_SHARE = 0.8  # of the most frequent class: from here on accuracy says little
MANY_CLASSES = 50  # from here on one estimator per class takes too long
LARGE = 50_000  # samples from which k-NN, MLP and linear models take too long for a first board
SHOWN_LEVELS = 3  # levels and targets with a column of their own
_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Facts:
    """What the choice of split, models and metrics depends on.

    Attributes:
        samples: N.
        units: groups, or samples that are no copies of each other: a split can make so many parts.
        grouped: whether the data have groups.
        own_split: whether the data bring a test partition of their own.
        shares: share of the samples for every class that has any; empty for a regression.
    """

    task: Task
    views: Sequence[str]
    samples: int
    units: int
    grouped: bool
    own_split: bool
    shares: Sequence[float] = ()

    @property
    def rare(self) -> bool:
        """Whether a class is rare, or most samples are of one class."""
        return bool(self.shares) and (min(self.shares) < RARE or max(self.shares) > LARGE_SHARE)

    @property
    def images(self) -> bool:
        return "image" in self.views

    @property
    def levels(self) -> int:
        return self.task.hierarchy.depth if self.task.hierarchy is not None else 0


def reference_of(dataset: str, **params: str) -> str:
    """``table[path=a.csv,labels=x;y]``; what a reference cannot hold is written as ``%2C``.

    Lists are joined by ``;`` beforehand (:func:`joined`).
    """
    pairs = [f"{name}={_escaped(text, ',')}" for name, text in params.items() if text]
    return f"{dataset}[{','.join(pairs)}]"


def joined(names: Sequence[str]) -> str:
    """Names as one parameter: ``a;b``. A comma, semicolon or per cent sign in a name is escaped.

    >>> joined(["C, wt%", "b"])
    'C%2C wt%25;b'
    """
    return ";".join(_escaped(_escaped(name, "%"), ",;") for name in names)


def _escaped(text: str, characters: str) -> str:
    for character in characters:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def suite_text(registry: Registry, reference: str, **params: Value) -> str:
    """A suite for one dataset as TOML text (docs/suites.md), for :func:`hmcbench.plan.suite.parse_suite`.

    The data are read for it; the text is the same whenever data and installed models are.

    Args:
        reference: of the dataset, with its path.
        params: further parameters that the dataset is read with (``skip_bad``), where it has them.

    Raises:
        BadInput, DataProblems: data that cannot be used.
    """
    spec = registry.get("datasets", parse_reference(reference).name)
    known = {name: value for name, value in params.items() if name in spec.params}
    spec, resolved = registry.resolve("datasets", reference, "", **known)
    facts = facts_of(plan_dataset(registry, spec, resolved, reference))
    path = str(resolved[spec.path_param])
    columns = metrics(facts)
    lines = [
        "# Written by hmcbench for these data: change what you like, then hmcbench run --suite THIS_FILE",
        "[suite]",
        f"name = {_toml(suite_name(registry, path))}",
        "version = 1",
        f"summary = {_toml(_summary(Path(path).name, facts))}",
        f"datasets = [{_toml(reference)}]",
        f"primary = {_toml(columns[0])}",
        f"columns = {_toml(columns)}",
        "",
        "[protocol]",
        *(f"{name} = {_toml(value)}" for name, value in protocol(facts).items()),
        "",
        *_profiles(models(registry, facts), threads=2 if facts.images else 1),
    ]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Texts, numbers and lists of texts are written alike in TOML and JSON."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def suite_name(registry: Registry, path: str) -> str:
    """The name of the file or folder, in letters that suites have; never that of an installed suite."""
    stem = _NAME.sub("-", Path(path).absolute().stem.lower()).strip("-") or "own-data"
    taken = any(spec.name == stem for spec in registry.specs("suites"))
    return f"my-{stem}" if taken or not stem[0].isalpha() else stem


def _summary(file: str, facts: Facts) -> str:
    hierarchy = facts.task.hierarchy
    what = f"targets {', '.join(facts.task.targets)}"
    if hierarchy is not None:
        what = f"{hierarchy.n} classes on {hierarchy.depth} level{'s' * (hierarchy.depth > 1)}"
    return f"{file}: {facts.samples:,} samples, {what}"


def facts_of(dataset: Dataset) -> Facts:
    """The facts of a dataset."""
    import numpy as np

    samples, shares = len(dataset.ids), []
    if dataset.task.hierarchy is not None:
        counts = np.asarray(dataset.targets.sum(axis=0)).ravel()
        shares = [float(count) / samples for count in counts if count]
    sizes = [len({key or f"sample {i}" for i, key in enumerate(keys)}) for keys in _keys(dataset)]
    return Facts(
        task=dataset.task,
        views=tuple(dataset.views),
        samples=samples,
        units=min([samples, *sizes]),
        grouped=dataset.groups is not None,
        own_split=dataset.split is not None and "test" in dataset.split,
        shares=shares,
    )


def _keys(dataset: Dataset) -> list[Sequence[str]]:
    return [keys for keys in (dataset.groups, dataset.duplicates) if keys is not None]


def protocol(facts: Facts) -> Mapping[str, Value]:
    """The split: the data's own, else folds, fewer where the data are large."""
    validation = 0.2 if facts.task.paths == "multiple" or facts.rare else 0.15  # thresholds are chosen on it
    if facts.own_split:
        return {"kind": "predefined", "validation": validation, "seed": 0}
    large, few = (1_000, 0) if facts.images else (20_000, 2_000)  # a fold of images takes minutes
    if facts.samples >= large and facts.units >= 20:
        return {"kind": "holdout", "test": 0.2, "validation": validation, "seed": 0}
    folds = min(5 if facts.samples < few else 3, facts.units)
    return {"kind": "kfold", "folds": folds, "validation": validation, "seed": 0}


def metrics(facts: Facts) -> tuple[str, ...]:
    """The columns of the board; the first one ranks."""
    task = facts.task
    if task.kind == "regression":
        several = task.targets if 1 < len(task.targets) <= SHOWN_LEVELS * 2 else ()
        return ("r2", *(f"target_r2[{name}]" for name in several), "rmse", "mae")
    levels = range(1, min(facts.levels, SHOWN_LEVELS) + 1)
    if task.paths == "multiple":
        first = ("auprc_macro", "hf1_macro", "hf1_micro") if facts.rare else ("hf1_samples", "hf1_macro")
        columns = (*first, "auprc_micro", "hp_micro", "hr_micro")
    elif facts.levels == 1:
        first = ("level1_f1_macro", "level1_accuracy")
        columns = (*(first if facts.rare else first[::-1]), "auprc_macro")
    else:
        first = ("hf1_macro", "hf1_samples") if facts.rare else ("hf1_samples", "hf1_macro")
        columns = (*first, *(f"level{k}_accuracy" for k in levels))
    return (*columns, "violation_rate") if facts.levels > 1 else columns


def models(registry: Registry, facts: Facts) -> tuple[str, ...]:
    """References of models that suit the data, cheap ones first; only registered ones."""
    wanted = _image_models(facts) if facts.images else _table_models(facts)
    known = {name for spec in registry.specs("models") for name in (spec.name, *spec.aliases)}
    return tuple(model for model in wanted if parse_reference(model).name in known)


def _table_models(facts: Facts) -> list[str]:
    task, classes = facts.task, len(facts.shares)
    linear = "ridge" if task.kind == "regression" else "logistic-regression"
    per_class = task.kind == "hmc" and classes > MANY_CLASSES
    wanted = ["prior", "forest"]
    if per_class:
        wanted.append("pct-forest")
    else:
        wanted += ["hist-gradient-boosting", "xgboost"]
    if facts.samples < LARGE:
        wanted += ["knn", "mlp"] if per_class else ["knn", linear, "mlp"]
    if task.kind == "hmc" and facts.levels > 1 and not per_class and _is_tree(task):
        wanted.append("forest[strategy=parent]")
    return wanted


def _is_tree(task: Task) -> bool:
    return task.hierarchy is not None and task.hierarchy.is_tree


def _image_models(facts: Facts) -> list[str]:
    epochs = 20 if facts.samples < 1_000 else 7  # few images need more passes over them
    return [
        "prior",
        "forest",
        f"timm:resnet10t[stem_stride=keep,epochs={epochs}]",
        f"timm:mobilenetv3_small_050[epochs={epochs + 3}]",
        f"hffnet-2d[epochs={epochs}]",
    ]


def _profiles(models: Sequence[str], threads: int) -> list[str]:
    """``quick`` with one seed; ``standard`` with the recipes and searches of an hour, and three seeds."""
    lines: list[str] = []
    trained = tuple(re.sub(r"epochs=\d+,?|,epochs=\d+", "", model).replace("[]", "") for model in models)
    rows = (("quick", models, 600, threads, 1), ("standard", trained, 3600, 2, 3))
    for name, references, limit, cores, seeds in rows:
        lines += [
            f"[profiles.{name}]",
            f"models = {_toml(tuple(references))}",
            f"time_limit = {limit}",
            f"threads = {cores}",
            f"seeds = {seeds}",
            "",
        ]
    return lines[:-1]
