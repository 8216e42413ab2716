"""Where brought predictions belong: a dataset and a split of a suite, with its samples and their truth.

Records of the suite have all of that, so that neither data nor suite are needed where there are some. Without
records, the suite is planned and its data are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data.splits import Split
from hmcbench.errors import BadInput, HmcbenchError, unknown
from hmcbench.execute.predict import join_scores, predicted_sides
from hmcbench.interfaces import Dataset, FittedPer, Scores
from hmcbench.leaderboard.grouping import groups, newest
from hmcbench.plan.cells import Plan, labels_of, plan_data
from hmcbench.plan.choices import Choices
from hmcbench.plan.describe import describe_dataset, describe_split
from hmcbench.plan.suite import Suite
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record, slug
from hmcbench.records.rescore import named_by_suite
from hmcbench.registry.registry import Registry


@dataclass(frozen=True, eq=False)
class Place:
    """A dataset and one split of a suite.

    Attributes:
        described: the parts ``suite``, ``dataset``, ``split`` and ``profile`` of a record.
        wanted: the samples that are predicted, with their truth; its scores have no column.
        names: ids of the metrics to compute; None for all.
        rules: references of decision rules.
        per: what has a threshold of its own.
    """

    described: Mapping[str, Any]
    wanted: Predictions
    names: Sequence[str] | None
    rules: Sequence[str]
    per: FittedPer

    @property
    def dataset(self) -> str:
        """The reference of the dataset."""
        return str(self.described["dataset"]["reference"])

    @property
    def fold(self) -> int:
        return int(self.described["split"]["fold"])

    @property
    def text(self) -> str:
        """``toy-tree, fold 0``."""
        return f"{self.dataset}, fold {self.fold}"

    @property
    def folder(self) -> str:
        """Where ``export-task`` writes the split: ``toy-tree/fold-0``."""
        return f"{slug(self.dataset)}/fold-{self.fold}"


def places_of_records(
    records: Sequence[Record], registry: Registry, profile: str = "", dataset: str = ""
) -> list[Place]:
    """The splits of the boards that records make; of several boards of one dataset the latest.

    Args:
        records: of one suite.
        registry: for the ids of metrics.
        profile, dataset: only of these; empty for all.

    Returns:
        Splits whose truth some record has.

    Raises:
        BadInput: boards of several profiles.
    """
    ended = [r for r in newest(records) if r.ok]
    usable = [r for r in ended if not r.brought] or ended
    profiles = sorted({r.profile for r in usable})
    if not profile and len(profiles) > 1:
        raise BadInput(
            f"there are boards of {len(profiles)} profiles", allowed=f"--profile {' or '.join(profiles)}"
        )
    chosen = [r for r in usable if not profile or r.profile == profile]
    if dataset:
        chosen = [r for r in chosen if dataset in (r.dataset_reference, r.dataset)]
    latest: dict[str, list[Record]] = {}
    for board in sorted(groups(chosen), key=lambda board: max(r.created for r in board)):
        latest[board[0].dataset_reference] = board
    specs = registry.specs("metrics")
    folds = [
        [record for record in board if record.fold == fold]
        for _, board in sorted(latest.items())
        for fold in sorted({r.fold for r in board})
    ]
    with_truth = (next(filter(_has_truth, fold), None) for fold in folds)
    return [_of_record(record, specs) for record in with_truth if record is not None]


def _has_truth(record: Record) -> bool:
    try:
        return record.predictions().truth is not None
    except HmcbenchError:
        return False


def _of_record(record: Record, specs: Sequence[Any]) -> Place:
    predictions = record.predictions()
    nothing = np.zeros((len(predictions), 0))
    wanted = replace(predictions, scores=nothing, stop=None, decisions=None, only_sets=False, novelty=None)
    described = {name: record.data[name] for name in ("suite", "dataset", "split", "profile")}
    per: FittedPer = record.part("decision").get("per", "shared")
    return Place(described, wanted, named_by_suite(record, specs)[0], sorted(record.part("rules")), per)


def places_of_suite(suite: Suite, registry: Registry, choices: Choices) -> tuple[Plan, list[Place]]:
    """The splits of a suite that is planned, and a plan without cells for ``suite.json``.

    Raises:
        BadInput, DataProblems: as for a run.
    """
    suite, profile, loaded = plan_data(suite, registry, choices)
    places = []
    for data in loaded:
        given = data.spec.name in choices.data
        per: FittedPer = suite.decisions.thresholds if data.dataset.task.paths == "multiple" else "shared"
        for fold, split in enumerate(data.splits):
            described = {
                "suite": {"name": suite.name, "version": suite.version, "primary": suite.primary},
                "dataset": describe_dataset(data.spec, data.dataset, data.reference, given),
                "split": describe_split(data.protocol, fold, split),
                "profile": profile,
            }
            names, rules = suite.wanted or None, suite.decisions.rules
            wanted = replace(
                _wanted(data.dataset, split), bits=data.protocol.score_bits, alpha=suite.decisions.alpha
            )
            places.append(Place(described, wanted, names, rules, per))
    return Plan(suite, profile, [], [], labels=labels_of(suite, registry)), places


def _wanted(dataset: Dataset, split: Split) -> Predictions:
    nothing = {side: Scores(np.zeros((len(split.sides[side]), 0))) for side in predicted_sides(split)}
    return join_scores(dataset, split, nothing)


def find_places(
    folder: Path,
    records: Sequence[Record],
    suite: Any,
    registry: Registry,
    choices: Choices,
) -> tuple[Plan | None, list[Place]]:
    """The splits of a suite: of its records, else of the suite itself.

    Args:
        folder: of the suite.
        records: in it.
        suite: a function that returns the suite; called where there are no records to go by.
        choices: of the profile and the dataset; ``data`` where the suite is planned.

    Returns:
        A plan for ``suite.json``, or None where there are records; and the splits.
    """
    dataset = choices.datasets[0] if choices.datasets else ""
    if not choices.data:
        places = places_of_records(records, registry, choices.profile, dataset)
        if places:
            _check_protocol(places, choices, folder)
            return None, places
    if records and not choices.profile:
        choices = replace(choices, profile=records[0].profile)
    try:
        loaded = suite()
    except BadInput:
        if dataset and records:  # of a table or of images: its suite is nowhere but in its records
            raise unknown(
                "dataset of these records", dataset, {r.dataset_reference for r in records}
            ) from None
        raise
    plan, places = places_of_suite(loaded, registry, choices)
    if not places:
        raise BadInput(f"suite {folder.name} has no dataset", hint="hmcbench show suite NAME")
    return plan, places


def _check_protocol(places: Sequence[Place], choices: Choices, folder: Path) -> None:
    """Raise BadInput where other folds or splits are asked for than the records have."""
    for dataset in sorted({place.dataset for place in places}):
        splits = [place.described["split"] for place in places if place.dataset == dataset]
        folds = splits[0]["folds"] if splits[0]["kind"] == "kfold" else 0
        have = {"folds": folds, "splits": 0 if folds else len(splits)}
        for name, number in have.items():
            wanted = getattr(choices, name)
            if wanted and wanted != number:
                words = f"{folds} folds" if folds else f"{len(splits)} splits of kind {splits[0]['kind']}"
                raise BadInput(
                    f"--{name} {wanted}: the records in {folder} have {words}, where predictions belong",
                    allowed=f"no --{name}, or another folder of runs",
                )
