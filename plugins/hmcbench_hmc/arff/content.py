"""The files of one dataset, read together: which they are, and whether they fit each other."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hmcbench.errors import BadInput, DataProblems, Problem
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench_hmc.arff import SUFFIXES
from hmcbench_hmc.arff.classes import ClassList, LabelReader, hierarchy_of, read_classes
from hmcbench_hmc.arff.header import Attribute, read_header
from hmcbench_hmc.arff.mulan import read_labels
from hmcbench_hmc.arff.rows import ArffRows, RowReader
from hmcbench_hmc.arff.text import ArffFile

ALLOWED = "an .arff or .arff.gz file, or a folder with train, valid and test files"
_SIDES = {
    "train": ("train", "training", "trn"),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "tst"),
}


@dataclass(frozen=True)
class ArffPart:
    """One file as read.

    Attributes:
        features: its numeric and nominal attributes, in order.
        labels: the classes of every row of ``rows``.
    """

    file: ArffFile
    features: Sequence[Attribute]
    rows: ArffRows
    classes: ClassList
    labels: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class ArffContent:
    """All files of a dataset.

    Attributes:
        parts: side -> file; ``""`` where one file holds all samples.
        features: the attributes of all files; nominal ones with the values of all.
        problems: of all files, those that are listed.
    """

    source: str
    parts: Mapping[str, ArffPart]
    features: Sequence[Attribute]
    hierarchy: Hierarchy
    problems: Sequence[Problem]

    @property
    def more(self) -> Mapping[tuple[str, bool], int]:
        """Kind of a problem, and whether it is fatal -> how many of all files are not listed."""
        counts: Counter[tuple[str, bool]] = Counter()
        for part in self.parts.values():
            counts.update(part.file.more)
        return counts


def find_files(path: Path, name: str = "") -> dict[str, Path]:
    """Side -> file of a folder, or ``""`` -> the file itself.

    Args:
        name: of the set, where a folder holds several: what its files' names have before the side.

    Raises:
        BadInput: no such files, or several sets.
    """
    if path.is_file():
        return {"": path}
    if not path.is_dir():
        raise BadInput(f"{path}: no such file or folder", allowed=ALLOWED)
    sets: dict[str, dict[str, Path]] = defaultdict(dict)
    for file in sorted(path.iterdir()):
        hidden = file.name.startswith(".")  # macOS puts ._x.arff beside x.arff on other disks
        if file.name.lower().endswith(SUFFIXES) and not hidden:
            stem, side = side_of(file.name)
            if side in sets[stem]:
                raise BadInput(
                    f"{path}: {sets[stem][side].name} and {file.name} are the same side of one set"
                )
            sets[stem][side] = file
    if name:
        sets = {stem: files for stem, files in sets.items() if stem == name}
    if len(sets) != 1:
        names = ", ".join(sorted(sets)[:30]) or "none"
        what = (
            f"the files of {len(sets)} datasets" if sets else "no such ARFF files" if name else "no ARFF file"
        )
        raise BadInput(f"{path}: {what}", allowed=ALLOWED, hint=f"arff[path=...,name=...] chooses of {names}")
    (by_side,) = sets.values()
    files = {side: by_side[side] for side in ("", *_SIDES) if side in by_side}
    if "" in files and len(files) > 1:
        raise BadInput(f"{path}: {files[''].name} is neither train, valid nor test", allowed=ALLOWED)
    return files


def side_of(name: str) -> tuple[str, str]:
    """The set and the side that the name of a file says.

    >>> side_of("cellcycle_FUN.valid.arff.gz"), side_of("Diatoms_train.arff"), side_of("all.arff")
    (('cellcycle_FUN', 'validation'), ('Diatoms', 'train'), ('all', ''))
    """
    stem = re.sub(r"\.arff(\.gz)?\Z", "", name, flags=re.I)
    head, separator, last = re.fullmatch(r"(.*?)([._-]?)([^._-]*)", stem).groups()  # type: ignore[union-attr]
    for side, words in _SIDES.items():
        if last.lower() in words and (separator or not head):
            return head, side
    return stem, ""


def read_content(
    files: Mapping[str, Path], source: str, xml: str = "", confidence: float = 0.5
) -> ArffContent:
    """Read all files of a dataset.

    Args:
        files: side -> file.
        source: how reports name it.
        xml: the file with the hierarchy, in Mulan's form; where no attribute is hierarchical, one beside the
            ARFF file is found.
        confidence: the least confidence of a label that counts.

    Raises:
        DataProblems: a file that cannot be read at all, or files that do not fit each other.
    """
    parts: dict[str, ArffPart] = {}
    errors: list[DataProblems] = []
    for side, path in files.items():
        try:
            parts[side] = read_part(path, xml, confidence)
        except DataProblems as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(files) == 1 else _error_of_all(source, parts.values(), errors)
    features = _common(source, list(parts.values()))
    hierarchy = hierarchy_of([part.classes for part in parts.values()])
    parts = {side: _with_values(part, features) for side, part in parts.items()}
    problems = [problem for part in parts.values() for problem in part.file.problems]
    lists = {part.classes.names for part in parts.values()}
    if len(lists) > 1:
        what = (
            f"its files list {' and '.join(sorted(str(len(names)) for names in lists))} classes; all are used"
        )
        problems.append(Problem(".", what, "class", fatal=False))
    return ArffContent(source, parts, features, hierarchy, problems)


def _error_of_all(
    source: str,
    parts: Iterable[ArffPart],
    errors: Sequence[DataProblems] = (),
    problems: Sequence[Problem] = (),
) -> DataProblems:
    """The error of all files together: of those that can be read, of the others, and of what they share."""
    files = [part.file for part in parts]
    noted = [problem for file in files for problem in file.noted]
    noted += [problem for error in errors for problem in error.problems]
    unlisted = sum(file.fatal_unlisted for file in files) + sum(error.unlisted for error in errors)
    return DataProblems(source, [*noted, *problems], unlisted=unlisted)


def _labels_of_xml(file: ArffFile, xml: str, classes_known: bool) -> list[tuple[str, str]]:
    """Those of the file that is named, else of one beside the ARFF file where these are its classes."""
    beside = file.path.with_name(side_of(file.path.name)[0] + ".xml")
    if not xml and (classes_known or not beside.is_file()):
        return []
    try:
        return read_labels(Path(xml) if xml else beside)
    except DataProblems as error:
        raise file.error(error.problems) from None


def read_part(path: Path, xml: str, confidence: float) -> ArffPart:
    """One file: header, rows, classes; rows with problems are left out and noted."""
    file = ArffFile(path, path.name)
    lines = file.lines()
    attributes = read_header(file, lines)
    class_attribute = next((a for a in attributes if a.kind == "class"), None)
    labels_of_xml = _labels_of_xml(file, xml, class_attribute is not None)
    if class_attribute is None and not labels_of_xml:
        hint = "@attribute class hierarchical ..., or an .xml file of labels beside it"
        raise file.stop(attributes[-1].line, f"no attribute is hierarchical; needed: {hint}", "header")
    rows = RowReader(file, attributes).read(lines)
    if not rows.lines and not any(problem.fatal for problem in file.problems):
        raise file.stop(attributes[-1].line, "there are no rows after @data", "truncated")
    features = [a for a in attributes if a.kind in ("numeric", "nominal")]
    if class_attribute is None:
        return _mulan(file, features, rows, labels_of_xml)
    classes = read_classes(file, class_attribute.line, class_attribute.values, rows.labels[:100])
    reader = LabelReader(file, classes, confidence)
    labels = [reader.read(line, text) for line, text in zip(rows.lines, rows.labels, strict=True)]
    return _kept(ArffPart(file, features, rows, classes, []), labels)


def _kept(part: ArffPart, labels: Sequence[tuple[str, ...] | None]) -> ArffPart:
    """The rows whose labels could be read."""
    rows = part.rows
    keep = [i for i, label in enumerate(labels) if label is not None]
    lists = ([values[i] for i in keep] for values in (rows.labels, rows.keys, rows.lines))
    kept = ArffRows(rows.table[keep], *lists)  # type: ignore[arg-type]
    return replace(part, rows=kept, labels=[label for label in labels if label is not None])


def _mulan(
    file: ArffFile, features: Sequence[Attribute], rows: ArffRows, edges: Sequence[tuple[str, str]]
) -> ArffPart:
    """Columns of 0 and 1 as labels."""
    place = {a.name: i for i, a in enumerate(features)}
    names = [child for _, child in edges]
    absent = [name for name in names if name not in place]
    if absent:
        raise file.stop(features[-1].line, f"the label {absent[0]!r} of the XML is no attribute", "class")
    columns = [place[name] for name in names]
    for name, column in zip(names, columns, strict=True):
        attribute = features[column]
        if attribute.kind == "nominal" and sorted(attribute.values) != ["0", "1"]:
            raise file.stop(attribute.line, f"the label {name!r} has other values than 0 and 1", "class")
    signs = [float(features[c].values.index("1")) if features[c].values else 1.0 for c in columns]
    table = rows.table[:, columns]
    chosen = table == np.array(signs)
    labels: list[tuple[str, ...] | None] = []
    for line, row, numbers in zip(rows.lines, chosen, table, strict=True):
        fine = bool(np.isin(numbers, (0.0, 1.0)).all())
        if not fine:
            file.add(line, "a label is missing, or neither 0 nor 1", "label")
        labels.append(tuple(names[i] for i in np.flatnonzero(row)) if fine else None)
    others = [i for i in range(len(features)) if i not in set(columns)]
    rows = replace(rows, table=rows.table[:, others])
    classes = ClassList("pairs", tuple(edges), frozenset(names))
    return _kept(ArffPart(file, [features[i] for i in others], rows, classes, []), labels)


def _common(source: str, parts: Sequence[ArffPart]) -> list[Attribute]:
    """The attributes of all files, nominal ones with all values; raises DataProblems if they differ."""
    first = parts[0]
    merged = list(first.features)
    for part in parts[1:]:
        if len(part.features) != len(merged):
            what = f"{len(part.features)} features where {first.file.label} has {len(merged)}"
            differs = Problem(part.file.label, what, "differs", skippable=False)
            raise _error_of_all(source, parts, problems=[differs])
        for i, (a, b) in enumerate(zip(merged, part.features, strict=True)):
            if (a.name, a.kind) != (b.name, b.kind):
                what = f"{b.name!r} ({b.kind}) where {first.file.label} has {a.name!r} ({a.kind})"
                differs = Problem(f"{part.file.label}:{b.line}", what, "differs", skippable=False)
                raise _error_of_all(source, parts, problems=[differs])
            if a.values != b.values:
                merged[i] = replace(a, values=tuple(dict.fromkeys((*a.values, *b.values))))
                what = f"{b.name!r} has other values than in {first.file.label}; those of both are used"
                part.file.add(b.line, what, "differs", fatal=False)
    return merged


def _with_values(part: ArffPart, features: Sequence[Attribute]) -> ArffPart:
    """The table with positions in the values of all files."""
    table = part.rows.table.copy()
    for i, (own, common) in enumerate(zip(part.features, features, strict=True)):
        if own.values != common.values:
            position = np.array([common.values.index(value) for value in own.values], dtype=np.float64)
            known = ~np.isnan(table[:, i])
            table[known, i] = position[table[known, i].astype(np.int64)]
    return replace(part, rows=replace(part.rows, table=table))
