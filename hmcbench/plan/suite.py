"""Suites: TOML -> :class:`Suite`. Unknown keys are errors.

A suite names datasets, models per profile, the split protocol, the columns of its leaderboard and
published reference rows. docs/suites.md shows a whole file.
"""

from __future__ import annotations

import importlib.util
import math
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict, cast

from hmcbench.data.protocol import Protocol
from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import PROFILES, FittedPer, Value
from hmcbench.metrics.promise import ALPHA
from hmcbench.registry.registry import Registry, is_named, parse_reference
from hmcbench.registry.validation import problem_of, types_of, words


@dataclass(frozen=True)
class Profile:
    """A named budget.

    Attributes:
        models: references, in the order in which they run.
        labels: reference -> the short name of its row on boards.
        time_limit: seconds for all phases of one cell.
        threads: CPU threads of one cell.
        seeds: how many seeds, counted from 0.
        memory_mb: limit for the anonymous memory of one cell; 0: nine tenths of the machine's.
        epochs_for: number of training samples that the epochs of its models are meant for: with fewer or
            more they are scaled (:func:`hmcbench.plan.epochs.scaled`); 0: never.
    """

    models: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    time_limit: float = 3600.0
    threads: int = 2
    seeds: int = 1
    memory_mb: int = 0
    epochs_for: int = 0


@dataclass(frozen=True)
class Decisions:
    """How decisions are made from scores.

    Attributes:
        thresholds: for several paths, fitted on validation: one for all classes, one per level, or per class.
        rules: references of decision rules; every row is also scored under each of them.
        alpha: the bound on risk that back-off and conformal sets promise, where samples are put apart for it.
    """

    thresholds: FittedPer = "shared"
    rules: tuple[str, ...] = ()
    alpha: float = ALPHA


class PaperRow(TypedDict, total=False):
    """A row of a paper, on ``dataset``: a reference of this suite, its only one by default.

    Rows that name a model of this suite (``measured``) get a verdict, under the conditions ``fingerprint``
    (of the data; absent if they are not public), ``pretrained`` and ``profile``.
    """

    model: str
    source: str
    data: str
    dataset: str
    metrics: Mapping[str, float]
    note: str
    fingerprint: str
    measured: str
    pretrained: bool
    profile: str


class ShiftEntry(TypedDict, total=False):
    """An entry of ``[[shifts]]``: a reference, and severities and samples instead of the shift's own."""

    name: str
    severities: tuple[float, ...]
    samples: int


@dataclass(frozen=True)
class Suite:
    """One suite as read from its file.

    Attributes:
        primary: id of the metric that ranks.
        question: what the suite asks, in one line.
        columns: ids of the leaderboard's columns; ``{k}`` in an id stands for every level.
        metrics: ids of the metrics to compute, beside ``primary`` and ``columns``; empty for all.
        reference: label of the model that every other model is compared with, or empty.
        without_data: what runs instead of ``datasets`` where the data of none of them are there.
        published: rows of papers.
        shifts: what ``--shifts all`` stands for; empty for all that are installed.
        params: dataset (as a whole, by name or by variant) -> model -> parameters, from the tables
            ``[datasets.NAME.params]``.
    """

    name: str
    version: int
    datasets: tuple[str, ...]
    primary: str
    columns: tuple[str, ...]
    profiles: Mapping[str, Profile]
    protocol: Protocol = field(default_factory=Protocol)
    decisions: Decisions = field(default_factory=Decisions)
    summary: str = ""
    question: str = ""
    metrics: tuple[str, ...] = ()
    reference: str = ""
    without_data: tuple[str, ...] = ()
    published: Sequence[PaperRow] = ()
    shifts: Sequence[ShiftEntry] = ()
    params: Mapping[str, Mapping[str, Mapping[str, Value]]] = field(default_factory=dict)

    def params_of(self, dataset: str, model: str) -> dict[str, Value]:
        """The parameters that the suite sets for a model on a dataset, both as references."""
        values: dict[str, Value] = {}
        for name, models in self.params.items():
            if is_named(dataset, name):
                for key, params in models.items():
                    values |= params if key in (model, parse_reference(model).name) else {}
        reference = parse_reference(model)
        return {k: v for k, v in values.items() if k not in dict(reference.params)}

    @property
    def wanted(self) -> tuple[str, ...]:
        """The ids to compute; empty for all metrics that are installed."""
        return tuple(dict.fromkeys((*self.metrics, self.primary, *self.columns))) if self.metrics else ()

    @property
    def default_profile(self) -> str:
        return next(iter(self.profiles))

    def info(self) -> dict[str, Any]:
        """What a leaderboard needs, as plain data."""
        data = asdict(self)
        if self.decisions == Decisions():
            del data["decisions"]
        elif self.decisions.alpha == ALPHA:
            del data["decisions"]["alpha"]
        published, profiles, protocol = data.pop("published"), data.pop("profiles"), data.pop("protocol")
        for name in ("without_data", "params", "shifts"):
            if not data[name]:
                del data[name]
        return {"suite": data, "protocol": protocol, "profiles": profiles, "published": list(published)}


LONGEST_LABEL = 40
_TABLES = ("protocol", "decisions", "profiles", "published", "shifts", "params")  # fields of Suite
_NAMES = ("suite", "protocol", "decisions", "profiles", "published", "shifts", "datasets")


def _checked(where: str, table: Any, types: Mapping[str, Any]) -> dict[str, Any]:
    """The table; raises BadInput for an unknown key or a wrong type."""
    if not isinstance(table, dict):
        raise BadInput(f"{where} must be a table")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in types:
            raise unknown(f"key in {where}", key, types)
        if problem_of(value, types[key], key):
            raise BadInput(f"{where}: {key} = {value!r}", allowed=f"{key} must be {words(types[key])}")
        values[key] = tuple(value) if isinstance(value, list) else value
        if types[key] is float:
            values[key] = float(value)
    return values


def _need(where: str, table: Mapping[str, Any], *keys: str) -> None:
    for key in keys:
        if not table.get(key):
            raise BadInput(f"{where} lacks {key}", allowed=f"a table with {', '.join(keys)}")


def parse_suite(text: str, where: str) -> Suite:
    """Read TOML text; ``where`` names the file in errors."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib raises both, beside TOMLDecodeError
        raise BadInput(f"{where} is not TOML ({error})") from None
    for key in data:
        if key not in _NAMES:
            raise unknown(f"table in {where}", key, _NAMES)
    types = {name: kind for name, kind in types_of(Suite).items() if name not in _TABLES}
    head = _checked(f"{where} [suite]", data.get("suite", {}), types)
    _need(f"{where} [suite]", head, "name", "version", "datasets", "primary")
    head["name"] = unicodedata.normalize("NFC", head["name"])  # one suite in both forms of Unicode
    protocol = Protocol(**_checked(f"{where} [protocol]", _protocol(where, data), types_of(Protocol)))
    protocol.check(where)
    decisions = Decisions(**_checked(f"{where} [decisions]", data.get("decisions", {}), types_of(Decisions)))
    if not 0 < decisions.alpha < 1:
        raise BadInput(f"{where} [decisions]: alpha = {decisions.alpha}", allowed="above 0 and below 1")
    profiles: dict[str, Profile] = {}
    tables = data.get("profiles", {})
    if not isinstance(tables, dict):
        raise BadInput(f"{where}: profiles must be tables", allowed="[profiles.NAME]")
    for name, table in tables.items():
        if name not in PROFILES:
            raise unknown(f"profile in {where}", name, PROFILES)
        profiles[name] = _profile(f"{where} [profiles.{name}]", table)
    if not profiles:
        raise BadInput(f"{where} has no [profiles.NAME]", allowed=f"NAME is one of {', '.join(PROFILES)}")
    _check_labels(where, profiles)
    rows = [_paper_row(where, row, head["datasets"]) for row in _listed(where, data, "published")]
    published = cast(Sequence[PaperRow], tuple(rows))
    shifts = [_shift_entry(where, entry) for entry in _listed(where, data, "shifts")]
    head.setdefault("columns", (head["primary"],))
    params = _params(where, data.get("datasets", {}), (*head["datasets"], *head.get("without_data", ())))
    return Suite(
        **head,
        protocol=protocol,
        decisions=decisions,
        profiles=profiles,
        published=published,
        shifts=tuple(shifts),
        params=params,
    )


def _listed(where: str, data: Mapping[str, Any], name: str) -> list[Any]:
    entries = data.get(name, [])
    if not isinstance(entries, list):
        raise BadInput(f"{where}: {name} must be tables", allowed=f"[[{name}]]")
    return entries


def _shift_entry(where: str, entry: Any) -> ShiftEntry:
    place = f"{where} [[shifts]]"
    values = _checked(place, entry, {"name": str, "severities": tuple[float, ...], "samples": int})
    _need(place, values, "name")
    return cast(ShiftEntry, values)


def _protocol(where: str, data: Mapping[str, Any]) -> Any:
    """``unknown = "each"`` as a list."""
    table = data.get("protocol", {})
    classes = table.get("unknown") if isinstance(table, dict) else None
    if isinstance(classes, str):
        return {**table, "unknown": [classes]}
    if classes is not None and not (isinstance(classes, list) and all(isinstance(c, str) for c in classes)):
        raise BadInput(
            f"{where} [protocol]: unknown = {classes!r}", allowed='"each", or names of classes in brackets'
        )
    return table


def _params(where: str, tables: Any, references: Sequence[str]) -> dict[str, dict[str, dict[str, Value]]]:
    """``[datasets.NAME.params]``: model -> parameters; raises BadInput for anything else."""
    params: dict[str, dict[str, dict[str, Value]]] = {}
    for name, table in (tables if isinstance(tables, dict) else {"": tables}).items():
        place = f'{where} [datasets."{name}".params]'
        if not any(is_named(reference, name) for reference in references):
            raise unknown(f"dataset in {place}", name, references)
        models = table.get("params") if isinstance(table, dict) and len(table) == 1 else None
        if not isinstance(models, dict) or not all(isinstance(values, dict) for values in models.values()):
            raise BadInput(f"{place} cannot be read", allowed="MODEL.PARAMETER = VALUE")
        params[name] = {
            model: {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            for model, values in models.items()
        }
    return params


def _profile(where: str, table: Any) -> Profile:
    types = {name: kind for name, kind in types_of(Profile).items() if name != "labels"}
    labels: dict[str, str] = {}
    if isinstance(table, dict) and isinstance(table.get("models"), list):
        entries = [_entry(where, entry) for entry in table["models"]]
        labels = {reference: label for reference, label in entries if label}
        table = {**table, "models": [reference for reference, _ in entries]}
    values = _checked(where, table, types)
    _need(where, values, "models")
    repeated = [reference for reference, n in Counter(values["models"]).items() if n > 1]
    if repeated:
        raise BadInput(
            f"{where}: models names {repeated[0]} twice", allowed="every model once, with one label"
        )
    if not all(0 < values.get(name, 1) < math.inf for name in ("threads", "seeds", "time_limit")):
        raise BadInput(f"{where}: threads, seeds and time_limit must be positive")
    for name in ("memory_mb", "epochs_for"):
        if values.get(name, 0) < 0:
            raise BadInput(f"{where}: {name} = {values[name]}", allowed="0 or more")
    return Profile(**values, labels=labels)


def _entry(where: str, entry: Any) -> tuple[Any, str]:
    """Reference and label of ``"forest"`` or ``{ model = "forest", label = "Random forest" }``."""
    if not isinstance(entry, dict):
        return entry, ""
    values = _checked(f"{where} models", entry, {"model": str, "label": str})
    _need(f"{where} models", values, "model", "label")
    return values["model"], checked_label(values["label"], f"{where}: label")


def checked_label(text: str, where: str) -> str:
    """The name of a row, in composed Unicode; raises BadInput, with ``where`` in front, for what is none."""
    label = unicodedata.normalize("NFC", text)
    if not label or not label.isprintable() or label != label.strip() or len(label) > LONGEST_LABEL:
        allowed = f"up to {LONGEST_LABEL} printable characters, no blanks around them"
        raise BadInput(f"{where} {label!r}", allowed=allowed)
    return label


def _check_labels(where: str, profiles: Mapping[str, Profile]) -> None:
    """Raise BadInput where a label names two models: two of a profile, or other ones in another profile."""
    model_of: dict[str, str] = {}
    for name, profile in profiles.items():
        taken = dict.fromkeys((r for r in profile.models if r not in profile.labels), "")
        for reference, label in profile.labels.items():
            if label in taken:
                raise BadInput(
                    f"{where} [profiles.{name}]: two models are called {label!r}",
                    allowed="labels that differ from each other and from the names of the other models",
                )
            taken[label] = reference
            model = reference.partition("[")[0]
            if model_of.setdefault(label, model) != model:
                raise BadInput(
                    f"{where}: the label {label!r} stands for {model_of[label]} and for {model}",
                    allowed="one model for a label, whatever its parameters",
                )


def _paper_row(where: str, row: Any, datasets: Sequence[str]) -> dict[str, Any]:
    values = _checked(f"{where} [[published]]", row, types_of(PaperRow))
    if "dataset" in values and values["dataset"] not in datasets:
        raise unknown(f"dataset of a row in {where} [[published]]", values["dataset"], datasets)
    if "dataset" not in values and len(datasets) > 1:
        model = values.get("model", "a row")
        raise BadInput(
            f"{where} [[published]]: {model} names no dataset",
            allowed=f"dataset = one of {', '.join(datasets)}",
        )
    return {"dataset": datasets[0], **values}


def load_suite(registry: Registry, name: str) -> Suite:
    """The suite of that name, or in that ``.toml`` file."""
    if name.endswith(".toml") or "/" in name:
        path = Path(name)
        try:
            return parse_suite(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise BadInput(f"suite file {name} cannot be read ({reason})") from None
    spec = registry.get("suites", name)
    package, _, file = spec.source.partition(":")
    module = importlib.util.find_spec(package)
    if module is None or not module.submodule_search_locations:
        raise BadInput(f"suite {name}: no package {package}")
    path = Path(next(iter(module.submodule_search_locations))) / file
    return parse_suite(path.read_text(encoding="utf-8"), file)
