"""``hmcbench publish``: copy records and their leaderboard to a folder that can be committed.

Published files name no machine (:mod:`hmcbench.publish.anonymise`). Truth that may not be redistributed is
left out; the intervals that need it are kept (:mod:`hmcbench.leaderboard.intervals`). Published records stay,
unless a new record has the same key, whatever the name of their folder: a cell has one record. One that
ended well is not replaced by one that failed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from hmcbench.errors import BadInput, unknown
from hmcbench.files import sweep_temporary, write_atomic
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.files import boards_of, write_boards
from hmcbench.leaderboard.grouping import newest
from hmcbench.leaderboard.intervals import Intervals, check_kept
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.leaderboard.render.text import markdown as esc
from hmcbench.publish.anonymise import scrub
from hmcbench.publish.index import PAGE, README, check_index, write_index
from hmcbench.publish.sums import write_sums
from hmcbench.publish.withheld_truth import Truths, keep_intervals, truth_at_hand, withheld
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
    record_folders,
    remove_second,
    suite_folder,
    sweep_killed,
)
from hmcbench.records.row_names import model_reference, with_labels
from hmcbench.records.shifts import FILE as SHIFTS
from hmcbench.records.suite_file import read_info, with_earlier
from hmcbench.registry.registry import default_registry
from hmcbench.report.figures.boards import board_figures, draw_boards
from hmcbench.report.figures.record import draw_record
from hmcbench.report.figures.thumbnails import THUMBNAILS
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
    predictions: Sequence[str] = ("*",),
    on_choice: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Copy the records below ``runs`` to ``target/<suite>/records`` and write the tables.

    Args:
        runs: a runs folder, a suite's folder or a records folder. For ``target`` itself, or a suite
            in it, only the tables are written anew.
        target: created if it is missing; published records in it stay.
        suite: only this suite.
        figures: draw figures, and copy those beside the records.
        truth: False leaves the truth out of all records, even where the datasets allow it.
        given: the user's data, for the intervals of published records without truth.
        predictions: patterns of models or rows whose predictions are published; of the others only a digest,
            the metrics and the intervals are. An empty sequence: none.
        on_choice: called with one line for every suite where records were removed because others, in
            folders of other names, are of the same cells: published now, or newer; and with one where
            published records were not replaced, because those of the runs failed.

    Returns:
        The files written: per suite ``README.md``, ``leaderboard.csv``, ``leaderboard.json`` and the
        page ``index.html``, ``intervals.json`` where truth is left out, figures, ``SHA256SUMS`` of all
        files, and the index ``README.md`` and ``index.html`` of ``target``.

    Raises:
        BadInput: no records, none that ended well, an unknown suite, a pattern that fits no row,
            predictions that cannot be read, or data that are not those of the records; then nothing has
            been written.
    """
    inside = target.resolve()
    if inside in (runs.resolve(), *runs.resolve().parents):
        if not truth or tuple(predictions) != ("*",):
            raise BadInput(
                f"{runs} is published already: its records stay as they are",
                hint="to leave out truth or predictions, publish the runs, or this into another folder",
            )
        return _rewrite(runs, target, suite, figures, given, on_choice)
    records = [r for r in read_all(runs) if inside not in r.path.resolve().parents]
    names = sorted({r.suite for r in records})
    if suite and suite not in names:
        raise unknown(f"suite in {runs}", suite, names)
    chosen = [r for name in names if not suite or name == suite for r in _of_suite(records, name)]
    if not any(r.ok for r in chosen):
        text = "only failed records" if chosen else "no records"
        raise BadInput(
            f"nothing to publish: {runs} holds {text}", hint="hmcbench run --suite NAME --out RUNS"
        )
    if not truth:
        chosen = [
            replace(r, data={**r.data, "dataset": {**r.data["dataset"], "share_targets": False}})
            for r in chosen
        ]
    suites = {name: target / suite_folder(name) for name in names if not suite or name == suite}
    named = _named(chosen, predictions)
    left_out = {r.key: r for r in chosen if r.ok and r.has_predictions and r.key not in named}
    truths = truth_at_hand(chosen, None)  # refuse before anything is written
    if given is not None:
        truths = truth_at_hand([*_published_records(suites.values()), *chosen], given)
    for folder in {*suites.values(), *(r.path.parent.parent for r in chosen)}:
        _check_intervals(folder, given)
    check_index(target, suites.values())
    written: list[Path] = []
    for name, folder in suites.items():
        of_suite = [r for r in chosen if r.suite == name]
        written += _publish_suite(of_suite, folder, figures, truths, left_out, on_choice)
    return [*written, *write_index(target)]


def _of_suite(records: Iterable[Record], suite: str) -> list[Record]:
    """The records of a suite that are published, one of every cell."""
    return _best(record for record in records if record.suite == suite)


def _best(records: Iterable[Record]) -> list[Record]:
    """Of every cell the newest record that ended well; of one that never did, the newest.

    Boards show the newest, but what ended well is not lost to what failed.
    """
    everything = list(records)
    good = {record.key for record in everything if record.ok and record.key}
    return newest(record for record in everything if record.ok or record.key not in good)


def _published_records(folders: Iterable[Path]) -> list[Record]:
    """The records in suites' folders, one of every cell; a folder may be missing."""
    return [
        record
        for folder in folders
        if (folder / "records").is_dir()
        for record in _best(read_all(folder / "records"))
    ]


def _rewrite(
    runs: Path,
    target: Path,
    suite: str,
    figures: bool,
    given: Given | None,
    on_choice: Callable[[str], None],
) -> list[Path]:
    """Write the tables of published records anew: this version may show more, or a record was removed."""
    folders = [p.parent for p in sorted(target.glob("*/records")) if p.is_dir()]
    if runs.resolve() != target.resolve():
        place = runs.resolve()
        folders = [p for p in folders if p.resolve() in (place, *place.parents)]
    named = [p for p in folders if not suite or p.name in (suite, suite_folder(suite))]
    if suite and not named:
        raise unknown(f"suite in {runs}", suite, [p.name for p in folders])
    if not named:
        raise BadInput(f"nothing to publish: {runs} holds no records", hint="hmcbench publish RUNS --to DIR")
    for folder in named:
        sweep_killed(folder / "records")
    truths = truth_at_hand(_published_records(named), given)
    for folder in named:
        _check_intervals(folder, given)
    check_index(target, named)
    written = []
    for folder in named:
        _one_per_cell(folder / "records", {}, on_choice)
        written += [*keep_intervals(folder, truths), *_write_pages(folder, figures), write_sums(folder)]
    return [*written, *write_index(target)]


def _check_intervals(folder: Path, given: Given | None) -> None:
    """Raise BadInput where kept intervals cannot be read, or would be lost because nothing computes them."""
    withheld_records = [record for record in _published_records([folder]) if withheld(record)]
    if given is None or any(not r.has_predictions or given.path_of(r) is None for r in withheld_records):
        check_kept(folder)
    else:
        Intervals.read(folder)


def _named(records: Sequence[Record], patterns: Sequence[str]) -> set[str]:
    """Keys of the records whose row or model one of the patterns names; a name need not be a pattern."""
    labelled = [
        record
        for source in sorted({r.path.parent.parent for r in records})
        for record in with_labels([r for r in records if r.path.parent.parent == source], read_info(source))
    ]
    keys: set[str] = set()
    for pattern in patterns:
        fitting = {
            r.key
            for r in labelled
            if any(name == pattern or fnmatchcase(name, pattern) for name in _names(r))
        }
        if not fitting:
            raise unknown("row whose predictions are published", pattern, {r.label for r in labelled})
        keys |= fitting
    return keys


def _names(record: Record) -> tuple[str, str, str]:
    """Of its row, of the model with its options, of the model."""
    return record.label, model_reference(record), record.model


def _publish_suite(
    records: Sequence[Record],
    folder: Path,
    figures: bool,
    truths: Truths,
    left_out: Mapping[str, Record],
    on_choice: Callable[[str], None],
) -> list[Path]:
    folder_of_records = folder / "records"
    _make_folder(folder_of_records)
    sweep_killed(folder_of_records)
    sources = sorted({r.path.parent.parent for r in records})
    records = _without_failed_again(records, folder, on_choice)
    published = {r.key: _publish_record(r, folder_of_records, r.key in left_out).path for r in records}
    _one_per_cell(folder_of_records, published, on_choice)
    for source in sources:
        _copy_tables(source / TABLES, folder / TABLES)
    _write_info(sources, folder)
    kept = keep_intervals(folder, truths, sources, left_out, {r.key: r for r in records})
    if figures:
        copy_drawn(records, folder)
    return [*kept, *_write_pages(folder, figures), write_sums(folder)]


def _copy_tables(source: Path, target: Path) -> None:
    """Copy published tables that were run again; the reasons of failed cells in them may name a machine."""
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".json", ".md"):
            write_atomic(place, _without_machine(path))
        else:
            shutil.copyfile(path, place)


def _without_machine(path: Path) -> str:
    """The JSON or the text of a table; the JSON beside a text knows paths that hold spaces."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        table = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # verify says so
        table = None
    cleaned = scrub({"table": table, "message": text})
    if path.suffix == ".md" or table is None:
        return str(cleaned["message"])
    same = cleaned["table"] == table
    return text if same else json.dumps(cleaned["table"], indent=1, ensure_ascii=False) + "\n"


def _write_info(sources: Iterable[Path], folder: Path) -> None:
    """Write ``suite.json``: that of the first source, with what the others and the published one add."""
    infos = [scrub(info) for source in sources if (info := read_info(source)) is not None]
    if not infos:
        return
    recorded = record_folders(folder / "records")
    first, *others = infos
    for other in (*others, read_info(folder)):
        first = with_earlier(first, other, recorded)
    write_atomic(folder / SUITE, json.dumps(first, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _write_pages(folder: Path, figures: bool) -> list[Path]:
    """Write the tables of one suite, in every format, from its published records."""
    boards = boards_of(folder)
    drawn = draw(folder, boards) if figures else []
    if not figures:
        remove_outdated(folder / FIGURES, boards, of_boards=_changed(folder, boards))
    pages = {README: suite_text(folder, boards), PAGE: page_of(boards)}
    return [*write_boards(folder, boards, pages), *drawn]


def _changed(folder: Path, boards: Boards) -> bool:
    """Whether the boards are not those that were written last."""
    path = folder / "leaderboard.json"
    return not path.is_file() or path.read_text(encoding="utf-8") != to_json(boards)


def suite_text(folder: Path, boards: Boards) -> str:
    """``README.md`` of a suite: its boards and figures."""
    more = f"The same with the details of every cell: [{PAGE}]({PAGE}), a file that any browser shows."
    shown = figures_text(folder, boards)
    return "\n".join([to_markdown(boards), more + "\n", *([shown] if shown else [])])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be made ({error.strerror})", hint="--to DIR names another folder"
        ) from None


def _publish_record(record: Record, records: Path, leave_out: bool) -> Record:
    """Fill a temporary folder and rename it; the published record."""
    data = scrub(record.data)
    part = begin_record(records, record.key)
    if leave_out:
        content = (record.path / NPZ).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        data["predictions"] = {"left_out": True, "sha256": digest, "bytes": len(content)}
    elif record.ok and record.has_predictions:
        if record.share_targets:
            shutil.copyfile(record.path / NPZ, part / NPZ)
        else:
            replace(Predictions.load(record.path / NPZ), truth=None).save(part / NPZ)
        if (record.path / SHIFTS).is_file():
            shutil.copyfile(record.path / SHIFTS, part / SHIFTS)
    if (record.path / HISTORY).is_file():
        shutil.copyfile(record.path / HISTORY, part / HISTORY)
    return commit_record(part, records, data)


def _without_failed_again(
    records: Sequence[Record], folder: Path, on_choice: Callable[[str], None]
) -> list[Record]:
    """The records without those that failed where the published one of the cell ended well; a line says so.

    A failure, as on another machine or with less memory, says nothing against the numbers there.
    """
    failed = {record.key for record in records if not record.ok and record.key}
    published = _published_records([folder]) if failed else ()
    kept = {record.key: record.path for record in published if record.ok and record.key in failed}
    if kept:
        place = folder / "records"
        first = min(kept.values()).relative_to(place).as_posix()
        more, ones = (f" and {len(kept) - 1} more", "ones") if len(kept) > 1 else ("", "one")
        on_choice(f"kept         {first}{more} in {place}, as the new {ones} failed")
    return [record for record in records if record.ok or record.key not in kept]


def _one_per_cell(records: Path, published: Mapping[str, Path], on_choice: Callable[[str], None]) -> None:
    """Remove the records whose cell has another one in the folder, and say so in one line.

    Their folders have another name, as the model or the data were named otherwise, an earlier version named
    folders otherwise, or somebody renamed them; or a publish was killed before it came here.

    Args:
        published: key -> record that was published just now, which stays. Of other cells the newest stays,
            and one that ended well before one that failed.
    """
    of_cell: dict[str, list[Record]] = {}
    for record in read_all(records):
        of_cell.setdefault(record.key, []).append(record)
    pairs = [
        (record.path, kept)
        for key, same in of_cell.items()
        if key and len(same) > 1
        for kept in [published.get(key) or _best(same)[0].path]
        for record in same
        if record.path != kept
    ]
    names = [
        f"{second.relative_to(records).as_posix()} by {kept.relative_to(records).as_posix()}"
        for second, kept in pairs
        if remove_second(second, kept)
    ]
    if names:
        more = f" and {len(names) - 1} more, of the same cells" if len(names) > 1 else ", of the same cell"
        on_choice(f"replaced     in {records}: {names[0]}{more}")


# --------------------------------------------------------------------------- figures


def copy_drawn(records: Sequence[Record], folder: Path) -> None:
    """Copy figures of the runs, but none that shows samples or truth that may not be redistributed."""
    for record in records:
        source = record.path.parent.parent / FIGURES / record.path.name
        data = record.data["dataset"]
        for path in sorted(source.glob("*.png")) if record.ok else ():
            shared = data.get("share_targets", True) or path.stem == "training-curves"
            if shared and (data.get("synthetic") or DRAWN.fullmatch(path.stem)):
                place = folder / FIGURES / record.path.name
                place.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place / path.name)
        small = source / THUMBNAILS
        if record.ok and data.get("synthetic") and data.get("share_targets", True) and small.is_dir():
            place = folder / FIGURES / record.path.name / THUMBNAILS
            place.mkdir(parents=True, exist_ok=True)
            for path in sorted(small.glob("*.png")):
                shutil.copyfile(path, place / path.name)


def draw(folder: Path, boards: Boards) -> list[Path]:
    """Draw the boards, and the first cell of each board's first model; remove outdated figures."""
    place = folder / FIGURES
    place.mkdir(exist_ok=True)
    remove_outdated(place, boards)
    written = draw_boards(boards, place)
    for record in (r for r in first_cells(boards) if r.has_predictions):
        paths, _ = draw_record(record, place / record.path.name, default_registry(), {}, pictures=False)
        written += paths
    if not any(place.iterdir()):
        place.rmdir()
    return written


def remove_outdated(place: Path, boards: Boards, of_boards: bool = False) -> None:
    """Remove figures of records and boards that are no longer there; ``of_boards``: those of all boards."""
    if not place.is_dir():
        return
    sweep_temporary(place)
    known = {record.path.name for record in boards.records}
    drawn = {} if of_boards else board_figures(boards)
    for old in place.iterdir():
        if old.is_dir() and old.name not in known:
            shutil.rmtree(old)
        elif old.is_file() and old.name not in drawn:
            old.unlink()


def first_cells(boards: Boards) -> list[Record]:
    """The first cell (by fold, then seed) of the model that ranks first, of every board."""
    first = []
    for board in boards:
        keys = {key for row in board.rows if row.rank == 1 for key in row.keys}
        cells = sorted((r for r in boards.records if r.key in keys), key=lambda r: r.fold_seed)
        first += cells[:1]
    return first


def figures_text(folder: Path, boards: Boards) -> str:
    """Markdown that shows the figures in the folder; empty without any."""
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
