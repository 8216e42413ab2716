"""Where brought predictions belong: a dataset and a split of a suite, with its samples and their truth.

Records of the suite have all of that, so that neither data nor suite are needed where there are some. Without
records, or where they lack folds or partitions, the suite is planned and its data are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.data.protocol import VARIED, Protocol
from hmcbench.data.splits import Split
from hmcbench.errors import BadInput, HmcbenchError, unknown
from hmcbench.execute.predict import join_scores, predicted_sides
from hmcbench.interfaces import Dataset, FittedPer, Scores
from hmcbench.leaderboard.grouping import groups, newest, place_of
from hmcbench.plan.cells import Plan, plan_data
from hmcbench.plan.choices import Choices
from hmcbench.plan.describe import describe_dataset, describe_split
from hmcbench.plan.names import labels_of
from hmcbench.plan.suite import Suite
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record, slug
from hmcbench.records.rescore import named_by_suite
from hmcbench.registry.registry import Registry

NO_RECORD = "for one without records add --suite FILE.toml, and --data NAME=PATH, or run its cells"
"""A hint where predictions are of a split that no record has and that cannot be planned."""


@dataclass(frozen=True, eq=False)
class Place:
    """A dataset and one split of a suite.

    Attributes:
        described: the parts ``suite``, ``dataset``, ``split`` and ``profile`` of a record.
        wanted: the samples that are predicted, with their truth; its scores have no column.
        names: ids of the metrics to compute; None for all.
        rules: references of decision rules.
        per: what has a threshold of its own.
        optional: whether predictions of it may lack: other splits of the dataset have records, it has none.
    """

    described: Mapping[str, Any]
    wanted: Predictions
    names: Sequence[str] | None
    rules: Sequence[str]
    per: FittedPer
    optional: bool = False

    @property
    def dataset(self) -> str:
        """The reference of the dataset."""
        return str(self.described["dataset"]["reference"])

    @property
    def fold(self) -> int:
        return int(self.described["split"]["fold"])

    @property
    def absent(self) -> set[str]:
        """The sides of the split that :attr:`wanted` lacks: brought records may have the test side alone."""
        counts: Mapping[str, int] = self.described["split"].get("counts") or {}
        return {side for side, count in counts.items() if count and side != "train"} - set(self.wanted.side)

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
        Splits whose truth some record has, with all sides where one has them.

    Raises:
        BadInput: boards of several profiles, or of several variants of one dataset.
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
    boards: dict[str, list[list[Record]]] = {}
    for board in sorted(groups(chosen), key=lambda board: max(r.created for r in board)):
        boards.setdefault(board[0].dataset_reference, []).append(board)
    specs = registry.specs("metrics")
    places = []
    for _, of_dataset in sorted(boards.items()):
        _check_variants(of_dataset)
        for fold in sorted({record.fold for record in of_dataset[-1]}):
            place = _of_records([record for record in of_dataset[-1] if record.fold == fold], specs)
            places += [] if place is None else [place]
    return places


def _check_variants(boards: Sequence[Sequence[Record]]) -> None:
    """Raise BadInput where boards of one dataset, the latest last, differ in what a suite varies."""
    names = ("suite", "version", "fingerprint")
    latest, *others = [place_of(board[0]) for board in reversed(boards)]
    of_suite = [latest, *(place for place in others if all(place[n] == latest[n] for n in names))]
    variants = {tuple(place[name] for name in VARIED) for place in of_suite}
    if len(variants) > 1:
        raise BadInput(
            f"{latest['suite']} has {len(variants)} boards of {latest['reference']}, which vary the samples",
            allowed=f"a suite with one value of {', '.join(VARIED[:3])}",
        )


def _of_records(records: Sequence[Record], specs: Sequence[Any]) -> Place | None:
    """The split of records of one fold: by the first with truth and all sides, else the first with truth."""
    incomplete = None
    for record in records:
        try:
            predictions = record.predictions()
        except HmcbenchError:
            continue
        if predictions.truth is not None:
            place = _of_record(record, predictions, specs)
            if not place.absent:
                return place
            incomplete = incomplete or place
    return incomplete


def _of_record(record: Record, predictions: Predictions, specs: Sequence[Any]) -> Place:
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
        suite: a function that returns the suite; called where records lack folds or sides, or there are none.
        choices: of the profile and the dataset; ``data`` where the suite is planned.

    Returns:
        A plan for ``suite.json``, or None where there are records; and the splits.

    Raises:
        BadInput: boards of several profiles or variants, another protocol than that of the records, an
            unknown dataset; anything that planning the suite refuses.
    """
    dataset = choices.datasets[0] if choices.datasets else ""
    if not choices.data:
        places = places_of_records(records, registry, choices.profile, dataset)
        if places:
            places = _completed(places, suite, registry)
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


def _completed(places: Sequence[Place], suite: Any, registry: Registry) -> list[Place]:
    """The splits of records, with the folds and sides that they lack, where the suite can be planned here.

    A run may have been interrupted after some folds, and brought records may have no validation samples.
    """
    completed: list[Place] = []
    for dataset in dict.fromkeys(place.dataset for place in places):
        own = {place.fold: place for place in places if place.dataset == dataset}
        if len(own) < splits_of(own) or any(place.absent for place in own.values()):
            try:
                planned = _planned_as(next(iter(own.values())), suite(), registry)
            except HmcbenchError:  # its file or its data are not at hand: the records have to do
                planned = []
            prints = {fold: place.described["split"].get("fingerprint") for fold, place in own.items()}
            if all(
                p.described["split"]["fingerprint"] == prints.get(p.fold) for p in planned if p.fold in own
            ):
                own |= {
                    p.fold: replace(p, optional=p.fold not in own)
                    for p in planned
                    if p.fold not in own or own[p.fold].absent
                }
        completed += [own[fold] for fold in sorted(own)]
    return completed


def splits_of(own: Mapping[int, Place]) -> int:
    """The number of splits that the protocol of records asks for."""
    protocols = [Protocol.of_record(place.described["split"]) for place in own.values()]
    return max(protocol.splits for protocol in protocols)


def _planned_as(place: Place, suite: Suite, registry: Registry) -> list[Place]:
    """The splits of the dataset of a record, planned with its protocol; none where the data are others."""
    described = place.described
    suite = replace(suite, protocol=Protocol.of_record(described["split"]))
    choices = Choices(profile=described["profile"], datasets=(place.dataset,))
    _, planned = places_of_suite(suite, registry, choices)
    parts = (("suite", "version"), ("dataset", "reference"), ("dataset", "fingerprint"))
    return [
        replace(place, described=other.described, wanted=replace(other.wanted, alpha=place.wanted.alpha))
        for other in planned
        if all(other.described[part].get(name) == described[part].get(name) for part, name in parts)
    ]


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
