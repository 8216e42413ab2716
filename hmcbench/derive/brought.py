"""Records of predictions that another program, or a person, made.

Such a record has the same predictions, metrics and place on a board as that of a cell; its model is marked
``brought``, and its costs are those that its author states. Nothing is fitted but thresholds, on validation
predictions where there are some.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.derive.answers import RATER, Answers, matched, read_answers, rows_of, with_own_ids
from hmcbench.derive.new_records import NewRecord
from hmcbench.derive.places import NO_RECORD, Place, splits_of
from hmcbench.errors import BadInput
from hmcbench.execute.resources import git_revision
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.metrics.computing import compute_sides, parts_of
from hmcbench.metrics.decisions import Thresholds, rule_name, thresholds_of
from hmcbench.metrics.promise import ALPHA
from hmcbench.metrics.rules.scoring import find_rules, score_rules
from hmcbench.plan.suite import checked_label
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import SCHEMA, Record
from hmcbench.records.score_bits import bits_for, rounded
from hmcbench.registry.registry import Registry

NAME, VERSION = "brought", "1"
PERSON = "a person"
SETS_RULE = "label sets as they were brought, closed"
COSTS = ("fit", "predict", "total")  # seconds that may be stated
LEAST_TIMES, LEAST_TAIL = 6, 60  # samples for a median and for a 95th percentile, as for models


@dataclass(frozen=True)
class Stated:
    """What an author says of predictions.

    Attributes:
        name: of the row.
        seconds: ``fit``, ``predict``, ``total`` -> seconds of one cell.
        hardware: in words.
        note: where they come from: a paper, a program with its settings.
        deterministic: whether another run of the program would give the same predictions.
        threshold: what a score must reach, for several paths without validation predictions; None: 0.5.
        rater: whether a person made them.
    """

    name: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    hardware: str = ""
    note: str = ""
    deterministic: bool = False
    threshold: float | None = None
    rater: bool = False


@dataclass(frozen=True)
class Files:
    """The files of one split and seed."""

    place: Place
    seed: int
    predictions: Path
    validation: Path | None = None


def files_in(root: Path, places: Sequence[Place], *, only: bool = False) -> list[Files]:
    """The files in a folder of the form that ``export-task`` writes.

    ``DATASET/fold-K/seed-S/predictions.csv``, with ``validation.csv`` beside it where there is one.

    Args:
        root: the folder.
        places: the splits that may have files.
        only: whether other datasets of the folder may have some too.

    Raises:
        BadInput: no file of these splits, none for one of the splits of a dataset that has some (unless it
            may lack), or one for a fold that is none of them.
    """
    _check_task(root, places)
    _check_folds(root, places)
    all_files: list[Files] = []
    lacking: dict[str, list[Place]] = {}
    for place in places:
        paths = sorted((root / place.folder).glob("seed-*/predictions.csv"))
        if not paths and not place.optional:
            lacking.setdefault(place.dataset, []).append(place)
        for path in paths:
            seed = path.parent.name.removeprefix("seed-")
            if not _is_plain(seed):
                raise BadInput(f"{path.parent}: {seed!r} is no seed", allowed="seed-0, seed-1, ...")
            validation = path.with_name("validation.csv")
            all_files.append(Files(place, int(seed), path, validation if validation.is_file() else None))
    if not all_files:
        raise BadInput(
            f"{root} holds no predictions", allowed=f"{places[0].folder}/seed-0/predictions.csv in it"
        )
    known = {place.folder.partition("/")[0] for place in places}
    others = {path.parents[2].name for path in root.glob("*/fold-*/seed-*/predictions.csv")} - known
    if others and not only:
        raise BadInput(
            f"{root} has predictions for {min(others)}, of which there is no record",
            allowed=f"predictions for {', '.join(sorted(known))}",
            hint="--dataset NAME for one dataset of the suite",
        )
    for files in all_files:
        for place in lacking.get(files.place.dataset, ()):
            raise BadInput(
                f"{root / place.folder} has no seed-*/predictions.csv",
                allowed="predictions for every fold of a dataset",
            )
    return all_files


def _check_folds(root: Path, places: Sequence[Place]) -> None:
    """Raise BadInput where a folder has predictions for another fold of a dataset than these splits."""
    folders = {place.folder for place in places}
    of_dataset: dict[str, dict[int, Place]] = {}
    for place in places:
        of_dataset.setdefault(place.folder.partition("/")[0], {})[place.fold] = place
    for path in sorted(root.glob("*/fold-*/seed-*/predictions.csv")):
        dataset, fold = path.parts[-4:-2]
        if dataset in of_dataset and f"{dataset}/{fold}" not in folders:
            number = fold.removeprefix("fold-")
            planned = _is_plain(number) and int(number) < splits_of(of_dataset[dataset])
            raise BadInput(
                f"{path} is of {'a fold without a record' if planned else 'no fold of the suite'}",
                allowed=f"predictions for {', '.join(sorted(folders))}",
                hint=NO_RECORD if planned else "",
            )


def _is_plain(number: str) -> bool:
    """Whether this is a number as ``export-task`` writes it: ``02`` would be a second folder of 2."""
    return number.isdecimal() and number == str(int(number))


def _check_task(root: Path, places: Sequence[Place]) -> None:
    """Raise BadInput where a folder was exported from other data or other splits."""
    try:
        facts = json.loads((root / "task.json").read_text(encoding="utf-8"))
        exported = {d["reference"]: (d["fingerprint"], d["folds"]) for d in facts["datasets"]}
        for place in places:
            if place.dataset in exported:
                fingerprint, folds = exported[place.dataset]
                pairs = {
                    "data": (fingerprint, place.described["dataset"]["fingerprint"]),
                    "split": (folds[place.fold]["fingerprint"], place.described["split"]["fingerprint"]),
                }
                for what, (there, here) in pairs.items():
                    if there != here:
                        raise BadInput(
                            f"{root} was exported from another {what} of {place.text} ({there[:12]})",
                            allowed=f"the one of the board, {here[:12]}",
                            hint="export the task again, or bring to the runs that it belongs to",
                        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return  # no folder of export-task, or one that was edited: the ids decide


def make_records(
    files: Files, stated: Stated, registry: Registry, raters: Mapping[str, Path] | None = None
) -> list[NewRecord]:
    """The records of one split and seed; nothing is written.

    Args:
        files: predictions with a column ``rater`` make a record for each.
        stated: of all of them; ``name`` is replaced by that of a rater.
        registry: for metrics and decision rules.
        raters: name -> file, instead of ``files.predictions``.

    Raises:
        BadInput: anything wrong with a file.
    """
    task, place = files.place.wanted.task, files.place
    if isinstance(place.wanted.truth, LabelMaps):
        raise BadInput(f"{place.text} has label maps of pixels", allowed="predictions of whole samples")
    named = [(name, path) for name, path in raters.items()] if raters else [("", files.predictions)]
    answers = [(name, each) for name, path in named for each in read_answers(path, task)]
    validation = read_answers(files.validation, task) if files.validation is not None else []
    by_rater = {each.rater: each for each in validation}
    if len(answers) == 1 and set(by_rater) == {""}:  # no need to say whose they are
        by_rater = {answers[0][0] or answers[0][1].rater: validation[0]}
    records = []
    for name, each in answers:
        if name and each.rater:
            raise BadInput(f"{each.path} has a column {RATER}", allowed=f"--predictions {each.path}")
        who = name or each.rater
        if not (who or stated.name):
            raise BadInput(
                "the row has no name", allowed='--name "Clus 2.11", --rater NAME=FILE, or a column rater'
            )
        if who and stated.name:
            raise BadInput(
                f"--name {stated.name} with raters", allowed="one of them: a rater's name is the row's"
            )
        label = checked_label(who or stated.name, "the name of a row" if not who else "the name of a rater")
        beside = by_rater.pop(who, None)
        if validation and beside is None:
            raise BadInput(
                f"{files.validation} has no rows of {who or 'the same rater'}",
                allowed=f"a column {RATER} with the names of all raters" if who else f"no column {RATER}",
            )
        own = replace(stated, name=label, rater=stated.rater or bool(who))
        records.append(_record(files, own, each, beside, registry))
    if by_rater:
        raise BadInput(f"{files.validation} has rows of {next(iter(by_rater)) or 'no rater'} alone")
    labels = [record.data["model"]["label"] for record in records]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise BadInput(f"two raters are called {twice[0]!r} on {place.text}", allowed="one name for each")
    return records


def _record(
    files: Files, stated: Stated, answers: Answers, validation: Answers | None, registry: Registry
) -> NewRecord:
    place = files.place
    predictions = _predictions(place, answers, validation)
    task, per, specs = predictions.task, place.per, registry.specs("metrics")
    valid = predictions.of_side("validation")
    thresholds = None
    if not predictions.only_sets:
        thresholds = thresholds_of(valid.scores, valid.truth, task, per)
    if stated.threshold is not None:
        if thresholds is None or len(valid):
            beside = "--validation" if len(valid) else "these predictions"
            raise BadInput(
                f"--threshold {stated.threshold:g} with {beside}",
                allowed="scores of several paths without validation predictions, on which one is fitted",
            )
        thresholds = Thresholds(stated.threshold)
    rules = find_rules(registry, place.rules) if len(valid) and not predictions.only_sets else []
    names = list(place.names) if place.names is not None else None
    ruled = score_rules(rules, specs, predictions, thresholds, per, names)
    rule = SETS_RULE if predictions.only_sets else rule_name(task, thresholds, per)
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "key": _key(place, stated, files.seed, predictions),
        "status": "ok",
        "cause": None,
        "message": "",
        **place.described,
        "model": _model(stated, predictions, answers, validation),
        "seed": files.seed,
        "decision": {
            "rule": "predicted targets" if task.kind == "regression" else rule,
            "thresholds": None if thresholds is None else thresholds.to_json(),
            **({"per": per} if per != "shared" else {}),
            **({"alpha": predictions.alpha} if predictions.alpha != ALPHA else {}),
        },
        **parts_of(compute_sides(specs, predictions, thresholds, names)),
        **({"rules": ruled} if ruled else {}),
        "weights": None,
        **_costs(stated, answers),
        "versions": {},
        "git": git_revision(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return NewRecord(data, predictions)


def _predictions(place: Place, answers: Answers, validation: Answers | None) -> Predictions:
    """The samples of the split with these scores or sets, in the order of other records."""
    wanted, fingerprint = place.wanted, place.described["dataset"]["fingerprint"]
    answers = with_own_ids(answers, wanted, fingerprint)
    validation = None if validation is None else with_own_ids(validation, wanted, fingerprint)
    if validation is not None and validation.only_sets != answers.only_sets:
        kinds = ("sets", "scores") if answers.only_sets else ("scores", "sets")
        raise BadInput(f"{answers.path} has {kinds[0]}, {validation.path} has {kinds[1]}", allowed="one kind")
    if validation is not None and "validation" in place.absent:
        raise BadInput(
            f"{validation.path}: no record of {place.text} has its validation samples",
            allowed="predictions of test samples alone",
            hint="--suite FILE and --data NAME=PATH make the split anew",
        )
    others = [side for side in dict.fromkeys(wanted.side) if side not in ("test", "validation")]
    source = dict.fromkeys(matched(answers, wanted, ("test", *others), place.text), answers)
    if validation is not None:
        source |= dict.fromkeys(matched(validation, wanted, ("validation",), place.text), validation)
    parts = [wanted.of_side(side) for side in dict.fromkeys(wanted.side) if side in source]
    values = [source[part.side[0]].values[rows_of(source[part.side[0]], part.ids)] for part in parts]
    rows = np.flatnonzero([side in source for side in wanted.side])
    kind = np.float64 if wanted.task.kind == "regression" else np.float32
    scores = np.concatenate(values).astype(kind)
    plain = wanted.task.kind != "hmc" or answers.only_sets
    bits = 32 if plain else bits_for(scores, wanted.bits)  # as scores of the suite's models
    return replace(
        wanted.take(rows),
        scores=rounded(scores, bits) if bits < 32 else scores,
        bits=bits,
        only_sets=answers.only_sets,
    )


def _key(place: Place, stated: Stated, seed: int, predictions: Predictions) -> str:
    """A hash of the name, the split and the predictions themselves."""
    described = place.described
    digest = hashlib.sha256(np.ascontiguousarray(predictions.scores).tobytes())
    digest.update(json.dumps([list(predictions.side), list(predictions.ids)]).encode())
    parts = [
        [NAME, VERSION, stated.name, stated.threshold, predictions.only_sets],
        [described["suite"]["name"], described["suite"]["version"]],
        [described["dataset"]["fingerprint"], described["split"]["fingerprint"]],
        [described["profile"], place.fold, seed, digest.hexdigest()],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _model(
    stated: Stated, predictions: Predictions, answers: Answers, validation: Answers | None
) -> dict[str, Any]:
    paths = [answers.path, *([validation.path] if validation is not None else [])]
    return {
        "label": stated.name,
        "name": NAME,
        "version": VERSION,
        "params": {},
        "transductive": False,
        # the answers of a person are what is compared: no other training of that person could be drawn
        "deterministic": stated.deterministic or stated.rater,
        "parameters": None,
        "multiply_adds": None,
        "pretrained": None,
        "brought": {
            "kind": "rater" if stated.rater else "program",
            "form": "sets" if predictions.only_sets else "scores",
            "sides": list(dict.fromkeys(predictions.side)),
            "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths},
            "note": stated.note,
        },
    }


def _costs(stated: Stated, answers: Answers) -> dict[str, Any]:
    """Timing as stated, or measured by the author for every sample; hardware in words."""
    timing: dict[str, Any] = {f"{name}_s": value for name, value in stated.seconds.items()}
    if answers.seconds is not None:
        milliseconds = 1000 * answers.seconds
        timing.setdefault("predict_s", round(float(answers.seconds.sum()), 6))
        if len(milliseconds) >= LEAST_TIMES:
            timing["latency_p50_ms"] = round(float(np.median(milliseconds)), 3)
        if len(milliseconds) >= LEAST_TAIL:
            timing["latency_p95_ms"] = round(float(np.quantile(milliseconds, 0.95)), 3)
    if not timing:
        if stated.hardware:
            raise BadInput(
                "--hardware without times", allowed="--seconds S beside it, or a column seconds in the file"
            )
        return {"timing": {}, "memory": {}, "hardware": {}}
    words = stated.hardware or (PERSON if stated.rater else "")
    # without words no two programs are known to have run on one machine
    identity = f"stated {words}" if words else f"of {stated.name}"
    hardware = {
        "cpu": words or "hardware not stated",
        "stated": True,
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest()[:12],
    }
    return {"timing": timing, "memory": {}, "hardware": hardware}


# --------------------------------------------------------------------------- rows that are there


def older(records: Sequence[Record], new: Sequence[NewRecord], replacing: bool, folder: Path) -> list[Record]:
    """The records that new ones replace.

    Args:
        records: of the suite, with the labels of its boards.
        new: none of them is written yet.
        replacing: whether brought records of the same name and split may be replaced; equal ones may always.
        folder: of the suite, for errors.

    Raises:
        BadInput: a name that a model of the run has, or one that brought predictions have already.
    """
    replaced = []
    for new_record in new:
        label = new_record.data["model"]["label"]
        for record in (r for r in records if r.label == label):
            if not record.brought:
                raise BadInput(
                    f"{folder} has a row {label!r} that hmcbench made", allowed="--name with another name"
                )
            if _same_place(record.data, new_record.data):
                where = f"{record.dataset_reference}, fold {record.fold}, seed {record.seed}"
                if not replacing and not _same_but_for_its_making(record.data, new_record.data):
                    raise BadInput(
                        f"{folder} has predictions called {label!r} already ({where})",
                        hint="--replace puts the new ones in their place; --name NAME adds another row",
                    )
                replaced.append(record)
    return replaced


def _same_but_for_its_making(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether a record is the one that an earlier try, perhaps cut short, has written."""
    names = ("key", "model", "seed", "timing", "hardware", "decision")
    return all(left.get(name) == right.get(name) for name in names)


def _same_place(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    def place(data: Mapping[str, Any]) -> tuple[Any, ...]:
        dataset, split = data["dataset"], data["split"]
        return (
            data["suite"].get("version"),
            dataset.get("reference"),
            dataset.get("fingerprint"),
            split.get("fingerprint"),
            split.get("fold"),
            data["profile"],
            data["seed"],
        )

    return place(left) == place(right)
