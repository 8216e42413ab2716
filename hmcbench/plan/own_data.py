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
from hmcbench.data.stratify import SplitUnits
from hmcbench.interfaces import Task, Value
from hmcbench.registry.registry import Registry, parse_reference

if TYPE_CHECKING:
    from hmcbench.interfaces import Dataset

RARE = 0.05  # share of the samples below which a class is rare
LARGE_SHARE = 0.8  # of the most frequent class: from here on accuracy says little
MANY_CLASSES = 50  # from here on one estimator per class takes too long
LARGE = 50_000  # samples from which k-NN, MLP and linear models take too long for a first board
SHOWN_TARGETS = 6  # targets with a column of their own
EPOCHS_FOR = 1600  # training images that the epochs below are meant for; they are scaled to those there are
_NAME = re.compile(r"[^a-z0-9]+")
_EPOCHS = re.compile(r"epochs=\d+,?|,epochs=\d+")


@dataclass(frozen=True)
class Facts:
    """What the choice of split, models and metrics depends on.

    Attributes:
        samples: N.
        units: of a split: groups, or samples that are no copies of each other.
        own_split: whether the data bring a test partition of their own.
        shares: share of the samples for every class that has any; empty for a regression.
    """

    task: Task
    views: Sequence[str]
    samples: int
    units: int
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
        *decisions(facts),
        *_profiles(models(registry, facts), facts.images),
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
    return Facts(
        task=dataset.task,
        views=tuple(dataset.views),
        samples=samples,
        units=len(set(SplitUnits(dataset, 0).unit_of)),
        own_split="test" in (dataset.split or ()),
        shares=shares,
    )


def protocol(facts: Facts) -> Mapping[str, Value]:
    """The split: the data's own, else folds, fewer where the data are large."""
    validation = 0.2 if facts.task.paths == "multiple" or facts.rare else 0.15  # thresholds are chosen on it
    if facts.own_split:
        return {"kind": "predefined", "validation": validation, "seed": 0}
    large, few = (1_000, 0) if facts.images else (5_000, 2_000)  # a first board in two minutes
    if facts.samples >= large and facts.units >= 20:
        return {"kind": "holdout", "test": 0.2, "validation": validation, "seed": 0}
    folds = min(5 if facts.samples < few else 3, facts.units)
    return {"kind": "kfold", "folds": folds, "validation": validation, "seed": 0}


def decisions(facts: Facts) -> list[str]:
    """A threshold per class where classes are rare: a shared one would follow the frequent ones."""
    per_class = facts.rare and facts.task.paths == "multiple"
    return ["[decisions]", 'thresholds = "per_class"', ""] if per_class else []


def metrics(facts: Facts) -> tuple[str, ...]:
    """The columns of the board; the first one ranks."""
    task = facts.task
    if task.kind == "regression":
        several = task.targets if 1 < len(task.targets) <= SHOWN_TARGETS else ()
        return ("r2", *(f"target_r2[{name}]" for name in several), "rmse", "mae")
    if task.paths == "multiple":
        first = ("auprc_macro", "hf1_macro", "hf1_micro") if facts.rare else ("hf1_samples", "hf1_macro")
        columns = (*first, "auprc_micro", "hp_micro", "hr_micro")
    elif facts.levels == 1:
        first = ("level1_f1_macro", "level1_accuracy")
        columns = (*(first if facts.rare else first[::-1]), "auprc_macro")
    else:
        first = ("hf1_macro", "hf1_samples") if facts.rare else ("hf1_samples", "hf1_macro")
        columns = (*first, "level{k}_accuracy")
    return (*columns, "violation_rate") if facts.levels > 1 else columns


BOTH_VIEWS = {  # models of images that have a table too, and their labels
    "forest[inputs=table]": "forest, table",
    "forest[inputs=texture+table]": "forest, texture and table",
    "fusion[stem_stride=keep,epochs=6]": "fusion",
}


def models(registry: Registry, facts: Facts) -> tuple[str, ...]:
    """References of models that suit the data, cheap ones first; only registered ones."""
    wanted = [*_image_models(), *BOTH_VIEWS] if facts.images else _table_models(facts)
    wanted = [model for model in wanted if model not in BOTH_VIEWS or "table" in facts.views]
    known = {name for spec in registry.specs("models") for name in (spec.name, *spec.aliases)}
    return tuple(model for model in wanted if parse_reference(model).name in known)


def _table_models(facts: Facts) -> list[str]:
    """With many classes no boosting, and with several paths nothing that is fitted once for each class."""
    task, many, small = facts.task, len(facts.shares) > MANY_CLASSES, facts.samples < LARGE
    linear = "ridge" if task.kind == "regression" else "logistic-regression"
    wanted = ["prior", "forest", *(["pct-forest"] if many else ["hist-gradient-boosting", "xgboost"])]
    wanted += ["knn"] * small
    if many and task.paths == "multiple":
        return [*wanted, "mlp-bce", "c-hmcnn"]
    wanted += [linear, "mlp"] * small
    if task.kind == "hmc" and facts.levels > 1 and not many and _is_tree(task):
        wanted.append("forest[strategy=parent]")
    return wanted


def _is_tree(task: Task) -> bool:
    return task.hierarchy is not None and task.hierarchy.is_tree


def _image_models() -> tuple[str, ...]:
    return (
        "prior",
        "forest",
        "timm:resnet10t[stem_stride=keep,epochs=6]",
        "timm:mobilenetv3_small_050[epochs=10]",
        "hffnet-2d[epochs=7]",
    )


def _profiles(models: Sequence[str], images: bool) -> list[str]:
    """``quick`` with one seed; ``standard`` with the recipes and searches of an hour, and three seeds."""
    full = tuple(_EPOCHS.sub("", model).replace("[]", "") for model in models)
    quick = {"time_limit": 600, "threads": 2 if images else 1, "seeds": 1}
    if images:
        quick["epochs_for"] = EPOCHS_FOR
    standard = {"time_limit": 3600, "threads": 2, "seeds": 3}
    lines: list[str] = []
    for name, references, budget in (("quick", models, quick), ("standard", full, standard)):
        lines += [f"[profiles.{name}]", f"models = [{', '.join(map(_entry, references))}]"]
        lines += [*(f"{key} = {value}" for key, value in budget.items()), ""]
    return lines[:-1]


def _entry(model: str) -> str:
    """A model, with a short name for its row where its reference is longer than its name."""
    if model in BOTH_VIEWS:
        return f"{{ model = {_toml(model)}, label = {_toml(BOTH_VIEWS[model])} }}"
    reference = parse_reference(model)
    names = {"forest": "forest, per parent", "hffnet-2d": "HFFNet-2d", "fusion": "fusion"}
    label = names.get(reference.name, reference.variant) if "[" in model or reference.variant else ""
    return f"{{ model = {_toml(model)}, label = {_toml(label)} }}" if label else _toml(model)
