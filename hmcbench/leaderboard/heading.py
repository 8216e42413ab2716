"""The facts above a board and the warnings below it."""

from __future__ import annotations

from collections.abc import Sequence

from hmcbench.leaderboard.grouping import numbers
from hmcbench.leaderboard.render.text import clean
from hmcbench.records.record import Record


def facts(records: Sequence[Record], primary: str) -> list[tuple[str, str]]:
    """(name, value) lines: data, task, split, cells."""
    known = next((r for r in records if r.ok), records[0])
    dataset, split = known.data["dataset"], known.part("split")
    kind = "synthetic" if dataset.get("synthetic") else ""
    samples = f"{dataset['samples']:,} samples" if dataset.get("samples") else ""
    print_ = f"fingerprint {str(dataset.get('fingerprint') or 'unknown')[:12]}"
    lines = [("data", _joined(dataset.get("reference") or dataset.get("name"), kind, samples, print_))]
    if dataset.get("task") == "regression":
        lines.append(("task", f"regression of {_joined(*dataset.get('targets', ()))}"))
    elif dataset.get("classes"):
        classes = f"{dataset['classes']:,} classes on {dataset.get('levels')} levels"
        paths = f"{dataset.get('paths')} label path(s) of {dataset.get('depth')} depth"
        lines.append(("task", _joined(classes, paths)))
    sides = sorted(known.counts.items(), key=lambda item: (_side_rank(item[0]), item[0]))
    counts = ", ".join(f"{name} {count:,}" for name, count in sides)
    folds = sorted({r.fold for r in records})
    many = "random splits" if split.get("kind") == "holdout" else "folds"
    which = f"{len(folds)} {many}" if len(folds) > 1 else ""
    if split.get("kind") == "kfold" and len(folds) == 1:
        which = f"fold {folds[0]} alone"
    lines.append(("split", _joined(split.get("kind") or "unknown", which, counts)))
    cells = [r for r in records if r.cause != "not applicable"]
    done, seeds = sum(r.ok for r in cells), sorted({r.seed for r in cells})
    lines.append(("cells", f"{done} of {len(cells)} ended well; seeds {numbers(seeds)}"))
    lines.append(("ranked by", f"{primary}, mean over seeds"))
    notes = dict.fromkeys(note for r in records for p in ("dataset", "split") for note in _notes(r, p))
    lines += [("note", note) for note in notes]
    return [(name, clean(value)) for name, value in lines]


def _side_rank(side: str) -> int:
    order = ("train", "validation", "test")
    return order.index(side) if side in order else len(order)


def _notes(record: Record, part: str) -> list[str]:
    return [str(note) for note in record.part(part).get("notes") or ()]


def _joined(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part)


def hardware_text(record: Record) -> str:
    """``Xeon, 2 cores, 8 GB, no GPU (fingerprint 12ab)``."""
    facts_ = record.part("hardware")
    if not facts_.get("fingerprint"):
        return "unknown hardware"
    cores = f"{facts_['cores']} cores" if facts_.get("cores") else ""
    memory = f"{facts_['memory_gb']} GB" if facts_.get("memory_gb") else ""
    gpu = facts_.get("gpu") or "no GPU used"
    what = _joined(facts_.get("cpu"), cores, memory, gpu)
    return clean(f"{what} (fingerprint {str(facts_['fingerprint'])[:12]})")


def mixtures(records: Sequence[Record]) -> list[str]:
    """Warnings where one table rests on several code revisions or package versions."""
    out = []
    revisions = _counted([str(r.data.get("git") or "none recorded") for r in records])
    if len(revisions) > 1:
        out.append(f"mixed code revisions: {_listed(revisions)}")
    versions = [r.part("versions") for r in records]
    for name in sorted({name for some in versions for name in some}):
        found = _counted([str(some[name]) for some in versions if name in some])
        if len(found) > 1:
            out.append(f"mixed versions of {name}: {_listed(found)}")
    return out


def _counted(values: Sequence[str]) -> dict[str, int]:
    return {value: values.count(value) for value in sorted(set(values))}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{value} ({count} cell{'s' * (count > 1)})" for value, count in counts.items())
