"""Group records into boards and rows.

A board never mixes suite versions, data fingerprints, splits or profiles: each combination is a
group, and so is each reference to the same data (``alloys[split_by=system]``). A cell that was never
run, or failed before its data were read, joins the latest group that agrees with what is known of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hmcbench.data.protocol import VARIED
from hmcbench.errors import BadInput
from hmcbench.leaderboard.render.text import clean
from hmcbench.records.record import FoldSeed, Record
from hmcbench.records.row_names import chosen_row, model_reference, name_of_version, with_labels

_PROTOCOL = (
    *("kind", "folds", "seed", "test", "validation", "drop_leaks", "refit", "calibration", "far_unknown"),
    *VARIED,
)
_KNOWN = ("suite", "version", "dataset", "fingerprint", "profile", "reference", *_PROTOCOL, "split")


@dataclass
class RowRecords:
    """The records of one model on one board: those that ended well, and the others.

    ``rule``: the decision rule that those that ended well are under; empty for none.
    """

    label: str
    version: str
    ok: list[Record] = field(default_factory=list)
    others: list[Record] = field(default_factory=list)
    rule: str = ""

    @property
    def reference(self) -> str:
        """The model with its options."""
        return model_reference((self.ok or self.others)[0])


def missing_records(
    expected: Iterable[Mapping[str, Any]],
    records: Sequence[Record],
    profile: str,
    info: Mapping[str, Any] | None = None,
) -> list[Record]:
    """Stand-ins for planned cells without a record, and for models that are not applicable to a dataset.

    Args:
        expected: the ``cells`` and ``not_applicable`` of ``suite.json``: ``{"key", "dataset",
            "model", "fold", "seed", "profile"}`` and ``{"dataset", "model", "reason"}``, with
            ``reference``, the dataset with its options, where the file is not an old one.
        records: of the suite.
        profile: of cells without one.
        info: ``suite.json``, whose suite has planned them; without it that of the newest record has.
    """
    keys = {record.key for record in records}
    newest_record = max(records, key=lambda record: record.created, default=None)
    stated = (info or {}).get("suite") or {}
    suite = {
        **(newest_record.data["suite"] if newest_record is not None else {}),
        **{name: stated[name] for name in ("name", "version", "primary") if name in stated},
    }
    out: list[Record] = []
    for cell in expected:
        key = str(cell.get("key", ""))
        if key and key in keys:
            continue
        reason = str(cell.get("reason", ""))
        reference = str(cell.get("reference") or cell["dataset"])
        data = {
            "key": key,
            "status": "missing",
            "cause": "not applicable" if reason else "not run",
            "message": reason,
            "suite": suite,
            "profile": cell.get("profile", profile),
            "split": {"fold": cell.get("fold", 0), **(cell.get("varied") or {})},
            "dataset": {
                "name": str(cell["dataset"]).partition("[")[0],
                "reference": reference,
                "as_written": "reference" not in cell,
            },
            "model": {"label": cell["model"]},
            "seed": cell.get("seed", 0),
            "metrics": {},
        }
        out.append(Record(Path(), data))
    return out


def newest(records: Iterable[Record]) -> list[Record]:
    """One record per key, the latest; sorted by key."""
    by_key: dict[tuple[str, str], Record] = {}
    for record in sorted(records, key=lambda r: (r.created, str(r.path))):
        by_key[record.key, "" if record.key else record.label] = record
    return [by_key[key] for key in sorted(by_key)]


def place_of(record: Record) -> dict[str, str]:
    """The facts in which all records of a board agree, as text; empty where unknown (failed records)."""
    data = record.data
    split = data.get("split") or {}
    values = (
        data["suite"].get("name"),
        data["suite"].get("version"),
        data["dataset"].get("name"),
        data["dataset"].get("fingerprint"),
        data["profile"],
        data["dataset"].get("reference"),
        *(split.get(name) for name in _PROTOCOL),
        split.get("fingerprint"),
    )
    return {k: "" if v is None else str(v) for k, v in zip(_KNOWN, values, strict=True)}


def groups(records: Sequence[Record]) -> list[list[Record]]:
    """Records that may be compared, one list per board, in the order of their headings."""
    placed = [(place_of(record), record) for record in records]
    complete = [(p, r) for p, r in placed if p["fingerprint"] and p["split"]]
    by_place: dict[tuple[str, ...], list[tuple[dict[str, str], Record]]] = {}
    for place, record in complete:
        by_place.setdefault(tuple(place[k] for k in _KNOWN[:-1]), []).append((place, record))
    boards = [_ComparableRecords(board) for key in sorted(by_place) for board in _by_split(by_place[key])]
    unplaced: dict[tuple[str, ...], list[Record]] = {}
    for place, record in placed:
        if place["fingerprint"] and place["split"]:
            continue
        fitting = [board for board in boards if board.fits(place, record.fold)]
        if not fitting and record.data["dataset"].get("as_written"):  # may differ from the resolved one
            anywhere = place | {"reference": ""}
            fitting = [board for board in boards if board.fits(anywhere, record.fold)]
        if fitting:
            max(fitting, key=lambda board: board.latest).add(place, record)
        else:
            unplaced.setdefault(tuple(place[k] for k in _KNOWN[:6]), []).append(record)
    return [*(board.records for board in boards), *(unplaced[key] for key in sorted(unplaced))]


class _ComparableRecords:
    """Records that may be compared, with what a further one is held against: thousands may come.

    Attributes:
        place: of the first record.
        splits: fold -> fingerprints of its splits.
        latest: when the last of the records was made.
    """

    def __init__(self, placed: Sequence[tuple[dict[str, str], Record]]) -> None:
        self.place = placed[0][0]
        self.records: list[Record] = []
        self.splits: dict[int, set[str]] = {}
        self.latest = ""
        for place, record in placed:
            self.add(place, record)

    def add(self, place: Mapping[str, str], record: Record) -> None:
        self.records.append(record)
        self.splits.setdefault(record.fold, set()).add(place["split"])
        self.latest = max(self.latest, record.created)

    def fits(self, place: Mapping[str, str], fold: int) -> bool:
        """Whether the known facts agree; a split is compared with the same fold's only."""
        same_fold = self.splits.get(fold)
        split_fits = not place["split"] or not same_fold or place["split"] in same_fold
        same_data = all(place[k] == self.place[k] for k in VARIED)  # absent means all samples, right labels
        same_facts = all(not place[k] or place[k] == self.place[k] for k in _KNOWN[:-1])
        return split_fits and same_data and same_facts


def _by_split(placed: list[tuple[dict[str, str], Record]]) -> list[list[tuple[dict[str, str], Record]]]:
    """All folds as one board; a board per split if a fold has two fingerprints."""
    prints: dict[int, set[str]] = {}
    for place, record in placed:
        prints.setdefault(record.fold, set()).add(place["split"])
    if all(len(names_of_fold) == 1 for names_of_fold in prints.values()):
        return [placed]
    names = sorted({place["split"] for place, _ in placed})
    return [[(p, r) for p, r in placed if p["split"] == name] for name in names]


def rows(records: Sequence[Record]) -> tuple[list[RowRecords], list[str]]:
    """Records of one board by model, sorted by label; and notes on records left out."""
    by_model: dict[tuple[str, str], RowRecords] = {}
    notes: list[str] = []
    for record in records:
        identity = (record.label, str(record.data["model"].get("version") or ""))
        row = by_model.setdefault(identity, RowRecords(*identity))
        (row.ok if record.ok else row.others).append(record)
    _adopt_versionless(by_model)
    for row in by_model.values():
        kept: dict[FoldSeed, Record] = {}
        for record in sorted(row.ok, key=lambda r: (r.created, r.key)):
            kept[record.fold_seed] = record
        failed = [r for r in row.others if r.created and r.fold_seed in kept]  # missing cells have no date
        mended = [r for r in failed if r.created < kept[r.fold_seed].created]  # by an edit of the model
        older = len(row.ok) - len(kept) + len(mended)
        if older:
            notes.append(f"{row.label}: {older} older record(s) of the same fold and seed left out")
        row.ok = [kept[key] for key in sorted(kept)]
        row.others = [record for record in row.others if record not in mended]
        row.others.sort(key=lambda record: record.fold_seed)
    ordered = [by_model[key] for key in sorted(by_model)]
    labels = [row.label for row in ordered]
    for row in ordered:
        if labels.count(row.label) > 1:
            row.label = name_of_version(row.label, row.version)
    return ordered, notes


def with_row_names(records: Sequence[Record]) -> list[Record]:
    """Records named after their rows: of two versions of a model on one board, ``svm v1`` and ``svm v2``.

    Records that a later one of the same row, fold and seed replaces are left out.
    """
    return [
        replace(record, data={**record.data, "model": {**record.data["model"], **names}})
        for board in groups(records)
        for row in rows(board)[0]
        for record in (*row.ok, *row.others)
        for names in [{"label": row.label, "reference": model_reference(record)}]
    ]


def named_records(records: Iterable[Record], info: Mapping[str, Any] | None) -> list[Record]:
    """Records named as boards name rows: by the labels of ``suite.json``, and :func:`with_row_names`."""
    return with_row_names(with_labels(records, info))


def row_named(name: str, rows: Iterable[RowRecords]) -> str:
    """The label of the row that a suite names; the name itself where it stands for none or for several."""
    try:
        return clean(chosen_row(name, ((row.label, row.reference) for row in rows))) if name else ""
    except BadInput:
        return clean(name)


def _adopt_versionless(by_model: dict[tuple[str, str], RowRecords]) -> None:
    """Move cells without a model version, which never ran, into the latest row of the same model."""

    def latest(identity: tuple[str, str]) -> tuple[str, str]:
        row = by_model[identity]
        return max(record.created for record in (*row.ok, *row.others)), identity[1]

    for identity in [i for i in by_model if not i[1]]:
        versions = [i for i in by_model if i[0] == identity[0] and i[1]]
        if versions:
            unversioned = by_model.pop(identity)
            adopting = by_model[max(versions, key=latest)]
            adopting.others += unversioned.others
            adopting.ok += unversioned.ok


def numbers(values: Sequence[int]) -> str:
    """``0, 3, 4``; three or more in a row as ``0-4``."""
    if len(values) > 2 and list(values) == list(range(values[0], values[-1] + 1)):
        return f"{values[0]}-{values[-1]}"
    return ", ".join(map(str, values))


def _counted(noun: str, values: Sequence[int]) -> str:
    return f"{noun}{'s' * (len(values) > 1)} {numbers(values)}"


def runs_text(records: Sequence[Record]) -> str:
    """``seeds 0-4``, ``folds 0-4, seeds 0, 1`` or ``fold 0 seed 1, fold 2 seed 0``: which cells."""
    cells = sorted({record.fold_seed for record in records})
    if all(cell.fold == 0 for cell in cells):
        return _counted("seed", [cell.seed for cell in cells])
    folds, seeds = sorted({cell.fold for cell in cells}), sorted({cell.seed for cell in cells})
    if len(cells) == len(folds) * len(seeds) > 1:
        return f"{_counted('fold', folds)}, {_counted('seed', seeds)}"
    shown = ", ".join(f"fold {fold} seed {seed}" for fold, seed in cells[:6])
    return shown + (f" and {len(cells) - 6} more" if len(cells) > 6 else "")
