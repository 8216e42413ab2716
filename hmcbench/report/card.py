"""A card per model: what a lab should know before it puts a model beside its instrument, from records alone.

It has numbers with their intervals and where they come from, and no judgement. A section whose numbers were
not measured says so, and what would measure them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from tabulate import tabulate

from hmcbench.errors import HmcbenchError
from hmcbench.interfaces.objects import FAR
from hmcbench.leaderboard.board import Board, BoardCell, Row, Style, drop_style
from hmcbench.leaderboard.build import Analysis, analyse
from hmcbench.leaderboard.columns import COSTS, split_side, wanted_metrics
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.grouping import groups, missing_records, named_records, newest
from hmcbench.leaderboard.learning import curves, table
from hmcbench.leaderboard.render.text import clean, estimate_text, markdown, status_text
from hmcbench.leaderboard.shifts import words
from hmcbench.leaderboard.summary import board_facts, varied
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.promise import ALPHA
from hmcbench.records.record import Record
from hmcbench.records.row_names import chosen_row, model_reference
from hmcbench.registry.registry import Registry

MOST_CLASSES = 30  # or targets
MOST_CONFUSED = 8
OF_TARGETS = ("target_r2", "target_mae", "target_rmse")
TRUST = (
    "risk_at_90",
    "backoff_risk",
    "backoff_coverage",
    "conformal_coverage",
    "conformal_size",
    "hierarchical_aurc",
)
OF_FAR = ("far_auroc", "far_fpr95", "far_named")
UNKNOWN = ("unknown_auroc", "unknown_fpr95", "unknown_parent_accuracy", "unknown_named")
EXPLAINED = {
    "risk_at_90": "share of wrong answers where nine tenths of the information are given",
    "backoff_risk": "share of wrong answers where it answers only as deep as it is sure enough",
    "backoff_coverage": "information of these answers (1: the most specific class, 0: refer)",
    "conformal_coverage": "share of sets that hold the truth",
    "conformal_size": "classes in a set, mean",
    "hierarchical_aurc": "area under risk against information",
    "unknown_auroc": "unknown samples are suspected more than known ones",
    "unknown_fpr95": "known samples suspected where 95 % of the unknown are",
    "unknown_parent_accuracy": "unknown samples that back-off stops right above their class",
    "unknown_named": "unknown samples given a wrong class with confidence over .9",
    "far_auroc": "samples of other data are suspected more than test samples",
    "far_fpr95": "test samples suspected where 95 % of the other data are",
    "far_named": "samples of other data given a class with confidence over .9",
}


@dataclass
class Section:
    """A heading, lines and a table."""

    title: str
    lines: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class ModelCard:
    """One model on one board.

    Attributes:
        model: as the board names the row: with the decision rule whose values it shows, if any.
        title: of the board.
    """

    model: str
    title: str
    sections: list[Section] = field(default_factory=list)


def cards(
    records: Sequence[Record], info: Mapping[str, Any] | None, name: str, registry: Registry
) -> list[ModelCard]:
    """A card for every board of a suite that has the model.

    Boards under unknown classes, training shares or wrong labels are sections of the card of the board
    without them, or of the first one where there is none.

    Raises:
        BadInput: a name of no row or of several.
    """
    info = info or {}
    latest = newest(records)
    planned = [*info.get("cells", ()), *info.get("not_applicable", ())]
    latest += missing_records(planned, latest, str(info.get("profile", "")), info)
    named = named_records(latest, info)
    label = chosen_row(name, [(r.label, model_reference(r)) for r in named if r.ok])
    boards: dict[tuple[str, str], list[list[Record]]] = {}
    for group in groups([record for record in named if record.label == label]):
        first = next((record for record in group if record.ok), None)
        if first is not None:
            boards.setdefault((first.dataset_reference, first.profile), []).append(group)
    model_cards = []
    for alike in boards.values():
        plain = [board for board in alike if not varied(_ok(board)[0].part("split"))] or alike[:1]
        others = [board for board in alike if board not in plain]
        model_cards += [_card(board, others, info, registry) for board in plain]
    return model_cards


def _ok(records: Sequence[Record]) -> list[Record]:
    """Those that ended well."""
    return [record for record in records if record.ok]


def _card(
    records: list[Record], others: list[list[Record]], info: Mapping[str, Any], registry: Registry
) -> ModelCard:
    """The card of one board: its cells of the model, also those that failed or are missing."""
    specs = registry.specs("metrics")
    names = _names(_ok(records), info)
    analysis = _analysed(records, info, specs, names)
    row, ok = analysis.board.rows[0], analysis.rows[0].ok  # the only row: all records are of this model
    card = ModelCard(row.shown, analysis.board.heading)
    card.sections += [
        _data(records, analysis.board, names[0]),
        _table("Quality", _quality(names), row.cells, _styles(analysis.board)),
        *_of_classes(ok, row),
        *_of_targets(ok[0], row, _styles(analysis.board)),
        *_confusions(ok),
        _trust(ok, row.cells, _styles(analysis.board)),
        _breaks(analysis, row),
        _unknown(ok[0], row.cells, [records, *others], info, specs),
        _learning([records, *others], info, specs),
        _costs(row, analysis),
        _sources(ok[0], registry),
    ]
    return card


def _data(records: Sequence[Record], board: Board, primary: str) -> Section:
    """The facts of the board, and the cells that did not end well."""
    section = Section("Data", [f"{name}: {text}" for name, text in board_facts(records, primary)])
    if board.rows[0].cause:
        section.lines.append(status_text(board.rows[0]))
    for row in board.rows[1:]:
        message = f": {row.message}" if row.message else ""
        section.lines.append(f"{row.runs}: {status_text(row)}{message}")
    return section


def _analysed(
    records: Sequence[Record], info: Mapping[str, Any], specs: Any, names: Sequence[str]
) -> Analysis:
    return analyse(records, info, specs=specs, cache=DrawCache.open(), primary=names[0], columns=tuple(names))


def _names(records: Sequence[Record], info: Mapping[str, Any]) -> list[str]:
    """The suite's columns, levels, what trust needs, single classes with the most samples, and targets."""
    values = records[0].metrics("test")
    levels = [
        name for name in values if name.startswith("level") and name.endswith(("_accuracy", "_coverage"))
    ]
    support = {n: v for n, v in values.items() if n.startswith("class_support[")}
    largest = sorted(support, key=lambda n: (-support[n], n))[:MOST_CLASSES]
    of_classes = [
        n.replace("class_support", f"class_{part}") for n in largest for part in ("recall", "precision")
    ]
    of_targets = [f"{name}[{target}]" for target in _targets(records[0]) for name in OF_TARGETS]
    wanted = [*wanted_metrics(records, info), *sorted(levels), *TRUST, *OF_FAR, *of_classes, *of_targets]
    return [name for name in dict.fromkeys(wanted) if name in values]


def _quality(names: Sequence[str]) -> list[str]:
    return [
        name
        for name in names
        if "[" not in name and name not in (*TRUST, *OF_FAR) and not name.endswith("_coverage")
    ]


def _styles(board: Board) -> dict[str, Style]:
    """How the values of each column are shown."""
    return {column.id: column.style for column in board.columns}


def _table(
    title: str, names: Sequence[str], cells: Mapping[str, BoardCell], styles: Mapping[str, Style]
) -> Section:
    rows = [[name, estimate_text(cells[name], styles[name])] for name in names if name in cells]
    return Section(title, heads=["metric", "mean and 95 % interval"], rows=rows)


def _targets(record: Record) -> list[str]:
    """The first targets of a regression with several; with one, the averages are its values."""
    targets = [str(target) for target in record.part("dataset").get("targets") or ()]
    return targets[:MOST_CLASSES] if len(targets) > 1 else []


def _of_targets(record: Record, row: Row, styles: Mapping[str, Style]) -> Iterator[Section]:
    rows = []
    for target in _targets(record):
        of_target = [f"{name}[{target}]" for name in OF_TARGETS]
        if any(name in row.cells for name in of_target):
            rows.append(
                [target, *(estimate_text(row.cells.get(n), styles.get(n, "number")) for n in of_target)]
            )
    if rows:
        heads = ["target", *(name.removeprefix("target_") for name in OF_TARGETS)]
        total = len(record.part("dataset")["targets"])
        yield Section("Targets", [f"the first {len(rows)} of {total}"] * (total > len(rows)), heads, rows)


def _predicts_numbers(record: Record) -> bool:
    return record.part("dataset").get("task") == "regression"


def _of_classes(records: Sequence[Record], row: Row) -> Iterator[Section]:
    classes = [name[13:-1] for name in row.cells if name.startswith("class_recall[")]
    if not classes:
        return
    support = [
        sum(float(r.metrics("test").get(f"class_support[{c}]", 0)) for r in _first_seed(records))
        for c in classes
    ]
    rows = [
        [
            c,
            f"{n:.0f}",
            estimate_text(row.cells.get(f"class_recall[{c}]")),
            estimate_text(row.cells.get(f"class_precision[{c}]")),
        ]
        for c, n in zip(classes, support, strict=True)
    ]
    total = sum(name.startswith("class_support[") for name in records[0].metrics("test"))
    lines = [f"the {len(rows)} classes with the most test samples of {total}"] if total > len(rows) else []
    yield Section("Classes", lines, ["class", "test samples", "recall", "precision"], rows)


def _first_seed(records: Sequence[Record]) -> list[Record]:
    seed = min(record.seed for record in records)
    return [record for record in records if record.seed == seed]


def _confusions(records: Sequence[Record]) -> Iterator[Section]:
    """The most frequent pairs of a true and another predicted class, over all folds of a seed."""
    pairs: Counter[tuple[str, str]] = Counter()
    of: Counter[str] = Counter()
    for record in _first_seed(records):
        try:
            test = record.predictions().of_side("test")
        except HmcbenchError:
            return
        if (
            test.maps is not None
            or test.truth is None
            or test.task.kind != "hmc"
            or test.task.paths != "single"
        ):
            return
        e = Evaluation.of_predictions(test, record.thresholds)
        names = [*e.hierarchy.classes, "no class"]
        for true, said in np.stack([e.deepest(e.truth), e.deepest(e.closed)], axis=1).tolist():
            of[names[true]] += 1
            if true != said:
                pairs[names[true], names[said]] += 1
    rows = [[a, b, f"{n} of {of[a]}"] for (a, b), n in sorted(pairs.items(), key=lambda i: (-i[1], i[0]))]
    yield Section(
        "What it confuses",
        [] if rows else ["no test sample"],
        ["true", "said", "samples"],
        rows[:MOST_CONFUSED],
    )


def _explained(name: str) -> str:
    if name in EXPLAINED:
        return EXPLAINED[name]
    if name.endswith("_conformal_coverage"):
        return "share of samples whose set reaches their class of this level"
    return "share of samples answered at this level"


def _trust(records: Sequence[Record], cells: Mapping[str, BoardCell], styles: Mapping[str, Style]) -> Section:
    names = [
        name for name in cells if name in TRUST or (name.startswith("level") and name.endswith("_coverage"))
    ]
    rows = [[name, estimate_text(cells[name], styles.get(name, "score")), _explained(name)] for name in names]
    section = Section("When to refer", heads=["metric", "mean and 95 % interval", "what it is"], rows=rows)
    alpha = float(records[0].part("decision").get("alpha", ALPHA))
    apart = records[0].counts.get("calibration", 0)
    if _predicts_numbers(records[0]):
        section.lines.append("no promise was measured: all are of classes, and the model predicts numbers")
    elif apart:
        section.lines.append(
            f"promised: at most {alpha:g} wrong answers, at least {1 - alpha:g} of the truths in the sets,"
            f" on samples like the {apart} put apart"
        )
    else:
        section.lines.append(
            "no promise was measured: the suite puts no samples apart ([protocol] calibration)"
        )
    return section


def _breaks(analysis: Analysis, row: Row) -> Section:
    names = [name for name in row.cells if split_side(name)[1]]
    titles = {column.id: column.title for column in analysis.board.columns}
    section = Section("How it breaks", heads=["test set", "mean and 95 % interval"])
    styles = _styles(analysis.board)
    section.rows = [[titles.get(name, name), estimate_text(row.cells[name], styles[name])] for name in names]
    table = analysis.board.shifts
    if table is not None and table.rows:
        shifted = table.rows[0]  # the only one, as of the board
        style = styles.get(table.metric, "score")
        of_drop = drop_style(style)
        section.lines.append(f"under shifts: {table.metric}, means over severities (docs/shifts.md)")
        section.lines += words(table)
        section.heads = ["", "mean and 95 % interval", "drop and 95 % interval"]
        section.rows = [[*line, ""] for line in section.rows]
        whole = [estimate_text(shifted.mean, style), estimate_text(shifted.drop, of_drop)]
        section.rows.append(["all shifts", *whole])
        section.rows += [
            [
                f"{shift}, {min(severities):g} to {max(severities):g} {unit}",
                estimate_text(mean, style),
                estimate_text(drop, of_drop),
            ]
            for shift, unit, severities, mean, drop in zip(
                table.shifts, table.units, table.severities, shifted.means, shifted.drops, strict=True
            )
        ]
    if not section.rows:
        section.lines.append("not measured: no further test set, no shifts (hmcbench run --shifts all)")
    return section


def _unknown(
    record: Record,
    cells: Mapping[str, BoardCell],
    boards: Sequence[Sequence[Record]],
    info: Mapping[str, Any],
    specs: Any,
) -> Section:
    section = Section("What it has never seen", heads=["never shown", *UNKNOWN])
    far = [name for name in OF_FAR if name in cells]
    if far:
        other = record.part("split").get("far_unknown")
        section.lines.append(f"{record.counts.get(FAR, 0):,} samples of other data: {other}")
        section.lines += [f"{name} {estimate_text(cells[name])}: {EXPLAINED[name]}" for name in far]
    for records in boards:
        first = _ok(records)[0]
        classes = first.part("split").get("unknown")
        names = [name for name in UNKNOWN if name in first.metrics("test")]
        if not classes or not names:
            continue
        board = _analysed(records, info, specs, names).board
        cells = board.rows[0].cells
        section.rows.append(
            [", ".join(map(str, classes)), *(estimate_text(cells.get(name)) for name in UNKNOWN)]
        )
    if section.rows:
        section.lines += [f"{name}: {EXPLAINED[name]}" for name in UNKNOWN]
    elif _predicts_numbers(record):
        section.lines.append("not measured: the model predicts numbers, and no class can be left out")
    elif not far:
        section.lines.append("not measured: the suite leaves no class out ([protocol] unknown)")
    return section


def _learning(boards: Sequence[Sequence[Record]], info: Mapping[str, Any], specs: Any) -> Section:
    section = Section("How much data it needs")
    analysed = [(board, analyse(board, info, specs=specs, cache=DrawCache.open())) for board in boards]
    for curve_set in curves(analysed):
        heads, rows = table(curve_set)
        section.lines += [
            f"{curve_set.metric}: {head}: {text}"
            for row in rows
            for head, text in zip(heads[1:], row[1:], strict=True)
        ]
    if not section.lines:
        section.lines.append(
            "not measured: the suite trains on one share of the samples ([protocol] train_share)"
        )
    return section


def _costs(row: Row, analysis: Analysis) -> Section:
    """Costs of one hardware do not compare with those of another: of several, each has its mark."""
    several = len(row.costs) > 1
    section = Section("What it costs", heads=["hardware"] * several + ["cost", "mean"])
    for mark, costs in row.costs.items():
        hardware = analysis.board.hardware.get(mark, mark)
        section.lines.append(f"hardware {mark}: {hardware}" if several else hardware)
        section.rows += [
            [mark] * several + [COSTS[name][1].title, f"{cell.mean:,.4g}"]
            for name, cell in costs.items()
            if cell.mean is not None
        ]
    return section


def _sources(record: Record, registry: Registry) -> Section:
    """Licences and citations of the dataset and of the model, and the code that made the record."""
    lines = []
    for kind, name in (("datasets", record.dataset), ("models", str(record.data["model"].get("name")))):
        spec = next((spec for spec in registry.specs(kind) if spec.name == name), None)
        word = kind.removesuffix("s")
        if spec is None:
            lines.append(f"{word} {name}: not installed here")
            continue
        lines.append(f"{word} {name}, version {spec.version}; licence: {spec.licence or 'not stated'}")
        lines += [f"cite for the {word}: {spec.citation}"] if spec.citation else []
    versions = ", ".join(f"{k} {v}" for k, v in sorted(record.part("versions").items()))
    lines += [f"made with {versions}"] if versions else []
    lines.append(
        f"model: {model_reference(record)}, profile {record.profile};"
        f" record {record.short_key}, {record.created}"
    )
    return Section("Licence, citation, origin", [clean(line) for line in lines])


# --------------------------------------------------------------------------- as text


def to_markdown(model_cards: Sequence[ModelCard]) -> str:
    """Cards one below the other."""
    parts = []
    for card in model_cards:
        parts.append(f"# {markdown(card.model)}\n\n{markdown(card.title)}")
        for section in card.sections:
            text = [f"## {section.title}"]
            text += ["\n".join(f"- {markdown(line)}" for line in section.lines)] if section.lines else []
            if section.rows:
                rows = [[markdown(cell) for cell in row] for row in section.rows]
                text.append(tabulate(rows, section.heads, tablefmt="pipe", disable_numparse=True))
            parts.append("\n\n".join(text))
    return "\n\n".join(parts) + "\n"


_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0}"
    "td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:left}"
    "h2{font-size:1.05rem;margin:1.2rem 0 .3rem}ul{margin:.3rem 0}"
)


def to_html(model_cards: Sequence[ModelCard]) -> str:
    """A page without scripts and without anything from elsewhere."""
    parts = []
    for card in model_cards:
        parts.append(f"<h1>{escape(card.model)}</h1><p>{escape(card.title)}</p>")
        for section in card.sections:
            parts.append(f"<h2>{escape(section.title)}</h2>")
            if section.lines:
                parts.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in section.lines) + "</ul>")
            if section.rows:
                parts.append(tabulate(section.rows, section.heads, tablefmt="html", disable_numparse=True))
    names = ", ".join(dict.fromkeys(card.model for card in model_cards))
    head = f'<meta charset="utf-8"><title>{escape(names)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'
