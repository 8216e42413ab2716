"""``hmcbench publish``: records and their leaderboard, copied to where they can be committed.

What is published names no machine (:mod:`hmcbench.publish.anonymise`). Truth stays behind where it may not be
redistributed; the intervals that need it are kept (:mod:`hmcbench.leaderboard.intervals`). Records that
others published stay; only those with the same keys are replaced.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from hmcbench.errors import BadInput, unknown
from hmcbench.files import write_atomic
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.files import boards_of, write_boards
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.publish.anonymise import scrub
from hmcbench.publish.index import PAGE, README, write_index
from hmcbench.publish.withheld_truth import Truths, keep_intervals, truth_at_hand
from hmcbench.records.given_data import Given
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import (
    HISTORY,
    NPZ,
    SUITE,
    Record,
    begin_record,
    commit_record,
    read_all,
    suite_folder,
)
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry
from hmcbench.report.figures.boards import board_figures, draw_boards
from hmcbench.report.figures.record import draw_record
from hmcbench.report.page import page_of
from hmcbench.report.page.details import DRAWN
from hmcbench.report.page.render import FIGURES

TABLES = "tables"  # published tables run again (hmcbench reproduce): numbers, verdicts, figures


def publish(
    runs: Path,
    target: Path,
    suite: str = "",
    *,
    figures: bool = False,
    truth: bool = True,
    given: Given | None = None,
) -> list[Path]:
    """Copy the records below ``runs`` to ``target/<suite>/records`` and write the tables.

    Args:
        runs: a runs folder, a suite's folder or a records folder; ``target`` itself or a suite
            in it has its tables written anew from the records that are there.
        target: made if it is not there; published records in it stay.
        suite: only this suite.
        figures: draw them too, and copy those that lie beside the records.
        truth: False leaves it out of all that is copied, whatever the data sets allow.
        given: data of the user, for the intervals of records that lie here without truth.

    Returns:
        The files written: per suite ``README.md``, ``leaderboard.csv``, ``leaderboard.json`` and the
        page ``index.html``, ``intervals.json`` where truth stays behind, figures, and the index
        ``README.md`` and ``index.html`` of ``target``.

    Raises:
        BadInput: no records, none that ended well, an unknown suite, predictions that cannot be
            read, or data that are not those of the records; nothing has been written then.
    """
    inside = target.resolve()
    if inside in (runs.resolve(), *runs.resolve().parents):
        return _again(runs, target, suite, figures, given)
    found = [r for r in read_all(runs) if inside not in r.path.resolve().parents]
    names = sorted({r.suite for r in found})
    if suite and suite not in names:
        raise unknown(f"suite in {runs}", suite, names)
    chosen = [r for r in found if not suite or r.suite == suite]
    if not any(r.ok for r in chosen):
        what = "only failed records" if chosen else "no records"
        raise BadInput(
            f"nothing to publish: {runs} holds {what}", hint="hmcbench run --suite NAME --out RUNS"
        )
    if not truth:
        kept_back = {"share_targets": False}
        chosen = [replace(r, data={**r.data, "dataset": {**r.data["dataset"], **kept_back}}) for r in chosen]
    suites = {name: target / suite_folder(name) for name in names if not suite or name == suite}
    truths = truth_at_hand(chosen, None)  # refuse before anything is written
    if given is not None:
        truths = _given_truth([*_there(suites.values()), *chosen], given)
    written: list[Path] = []
    for name, folder in suites.items():
        some = [r for r in chosen if r.suite == name]
        written += _publish_suite(some, folder, figures, truths)
    return [*written, *write_index(target)]


def _there(folders: Iterable[Path]) -> list[Record]:
    """What is published in suites' folders, where there is something."""
    places = [folder / "records" for folder in folders]
    return [record for place in places if place.is_dir() for record in read_all(place)]


def _given_truth(found: Sequence[Record], given: Given) -> Truths:
    given.check_names(found)
    return truth_at_hand(found, given)


def _again(runs: Path, target: Path, suite: str, figures: bool, given: Given | None) -> list[Path]:
    """The tables of what is published, written anew: this version may say more, or a record is gone."""
    folders = [p.parent for p in sorted(target.glob("*/records")) if p.is_dir()]
    if runs.resolve() != target.resolve():
        place = runs.resolve()
        folders = [p for p in folders if p.resolve() in (place, *place.parents)]
    named = [p for p in folders if not suite or p.name in (suite, suite_folder(suite))]
    if suite and not named:
        raise unknown(f"suite in {runs}", suite, [p.name for p in folders])
    if not folders:
        raise BadInput(f"nothing to publish: {runs} holds no records", hint="hmcbench publish RUNS --to DIR")
    folders = named
    truths = {} if given is None else _given_truth(_there(folders), given)
    written = []
    for folder in folders:
        written += [*keep_intervals(folder, truths), *_write_pages(folder, figures)]
    return [*written, *write_index(target)]


def _publish_suite(found: Sequence[Record], folder: Path, figures: bool, truths: Truths) -> list[Path]:
    there = folder / "records"
    _make(there)
    for record in found:
        _publish_record(record, there)
    sources = sorted({r.path.parent.parent for r in found})
    for source in sources:
        if (source / TABLES).is_dir():
            shutil.copytree(source / TABLES, folder / TABLES, dirs_exist_ok=True)
    info = next((i for r in found if (i := read_info(r.path.parent.parent)) is not None), None)
    if info is not None:
        write_atomic(
            folder / SUITE, json.dumps(scrub(info), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        )
    kept = keep_intervals(folder, truths, sources)
    if figures:
        copy_drawn(found, folder)
    return [*kept, *_write_pages(folder, figures)]


def _write_pages(folder: Path, figures: bool) -> list[Path]:
    """The tables of one suite, in every format, from its published records alone."""
    boards = boards_of(folder)
    drawn = draw(folder, boards) if figures else []
    return [
        *write_boards(folder, boards, {README: suite_text(folder, boards), PAGE: page_of(boards)}),
        *drawn,
    ]


def suite_text(folder: Path, boards: Boards) -> str:
    """``README.md`` of a suite: its boards, and the pictures that lie beside it."""
    more = f"The same with the details of every cell: [{PAGE}]({PAGE}), a file that any browser shows."
    shown = figures_text(folder, boards)
    return "\n".join([to_markdown(boards), more + "\n", *([shown] if shown else [])])


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be made ({error.strerror})", hint="--to DIR names another folder"
        ) from None


def _publish_record(record: Record, there: Path) -> None:
    """Fill a temporary folder, rename it, and remove an older record of the same key."""
    data = scrub(record.data)
    part = begin_record(there, record.key)
    if record.ok:
        if record.share_targets:
            shutil.copyfile(record.path / NPZ, part / NPZ)
        else:
            replace(Predictions.load(record.path / NPZ), truth=None).save(part / NPZ)
    if (record.path / HISTORY).is_file():
        shutil.copyfile(record.path / HISTORY, part / HISTORY)
    done = commit_record(part, there, data)
    for other in there.glob(f"*--{done.short_key}"):
        if other != done.path:
            shutil.rmtree(other)


# --------------------------------------------------------------------------- figures


def copy_drawn(found: Sequence[Record], folder: Path) -> None:
    """Copy what was drawn beside the runs' records, but nothing that shows samples or truth of others."""
    for record in found:
        source = record.path.parent.parent / FIGURES / record.path.name
        data = record.data["dataset"]
        for path in sorted(source.glob("*.png")) if record.ok else ():
            shared = data.get("share_targets", True) or path.stem == "training-curves"
            if shared and (data.get("synthetic") or DRAWN.fullmatch(path.stem)):
                there = folder / FIGURES / record.path.name
                there.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, there / path.name)


def draw(folder: Path, boards: Boards) -> list[Path]:
    """Draw the boards, and the first cell of each board's first model, from published records.

    What was drawn of boards or records that are gone is removed.
    """
    place = folder / FIGURES
    place.mkdir(exist_ok=True)
    known = {record.path.name for record in boards.records}
    for old in place.iterdir():
        if old.is_dir() and old.name not in known:
            shutil.rmtree(old)
        elif old.is_file() and old.name not in board_figures(boards):
            old.unlink()
    written = draw_boards(boards, place)
    for record in first_cells(boards):
        made, _ = draw_record(record, place / record.path.name, default_registry(), {}, pictures=False)
        written += made
    return written


def first_cells(boards: Boards) -> list[Record]:
    """Of every board, the first cell (fold, then seed) of the model that ranks first."""
    out = []
    for board in boards:
        keys = {key for row in board.rows if row.rank == 1 for key in row.keys}
        cells = sorted((r for r in boards.records if r.key in keys), key=lambda r: r.fold_seed)
        out += cells[:1]
    return out


def figures_text(folder: Path, boards: Boards) -> str:
    """Markdown that shows the pictures that are there; empty without any."""
    lines = []
    for name, caption in board_figures(boards).items():
        if (folder / FIGURES / name).is_file():
            lines.append(f"![{esc(caption)}]({FIGURES}/{name})")
    for record in first_cells(boards):
        place = folder / FIGURES / record.path.name
        names = [path.name for path in sorted(place.glob("*.png")) if DRAWN.fullmatch(path.stem)]
        label = f"{record.label}, fold {record.fold}, seed {record.seed}"
        lines += [
            f"![{esc(label)}: {name.removesuffix('.png')}]({FIGURES}/{place.name}/{name})" for name in names
        ]
    return "## Figures\n\n" + "\n\n".join(lines) + "\n" if lines else ""
