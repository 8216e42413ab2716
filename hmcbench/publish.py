"""``hmcbench publish``: records and their leaderboard, copied to where they can be committed.

What is published names no machine: absolute paths shrink to their last part, the host's name goes.
Truth stays behind where it may not be redistributed; the intervals that need it are kept
(:mod:`hmcbench.leaderboard.intervals`). Records that others published stay; only those with the same
keys are replaced.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from tabulate import tabulate

from hmcbench import pictures, records
from hmcbench.cache import write_atomic
from hmcbench.errors import BadInput, unknown
from hmcbench.leaderboard import to_markdown
from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.files import boards_of, write_boards
from hmcbench.leaderboard.text import markdown as esc
from hmcbench.leaderboard.text import number
from hmcbench.page import index_page, page_of
from hmcbench.planned import read_info
from hmcbench.predictions import Predictions
from hmcbench.records import HISTORY, NPZ, SUITE, Record
from hmcbench.truth import Given
from hmcbench.withheld import Truths, keep_intervals, truth_at_hand

README, PAGE = "README.md", "index.html"
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
    found = [r for r in records.read_all(runs) if inside not in r.path.resolve().parents]
    names = sorted({str(r.data["suite"]["name"]) for r in found})
    if suite and suite not in names:
        raise unknown(f"suite in {runs}", suite, names)
    chosen = [r for r in found if not suite or r.data["suite"]["name"] == suite]
    if not any(r.ok for r in chosen):
        what = "only failed records" if chosen else "no records"
        raise BadInput(
            f"nothing to publish: {runs} holds {what}", hint="hmcbench run --suite NAME --out RUNS"
        )
    if not truth:
        kept_back = {"share_targets": False}
        chosen = [replace(r, data={**r.data, "dataset": {**r.data["dataset"], **kept_back}}) for r in chosen]
    suites = {name: target / records.slug(name) for name in names if not suite or name == suite}
    truths = truth_at_hand(chosen, None)  # refuse before anything is written
    if given is not None:
        truths = _given_truth([*_there(suites.values()), *chosen], given)
    written: list[Path] = []
    for name, folder in suites.items():
        some = [r for r in chosen if r.data["suite"]["name"] == name]
        written += _publish_suite(some, folder, figures, truths)
    return [*written, *_write_index(target)]


def _there(folders: Iterable[Path]) -> list[Record]:
    """What is published in suites' folders, where there is something."""
    places = [folder / "records" for folder in folders]
    return [record for place in places if place.is_dir() for record in records.read_all(place)]


def _given_truth(found: Sequence[Record], given: Given) -> Truths:
    given.check_names(found)
    return truth_at_hand(found, given)


def _again(runs: Path, target: Path, suite: str, figures: bool, given: Given | None) -> list[Path]:
    """The tables of what is published, written anew: this version may say more, or a record is gone."""
    folders = [p.parent for p in sorted(target.glob("*/records")) if p.is_dir()]
    if runs.resolve() != target.resolve():
        place = runs.resolve()
        folders = [p for p in folders if p.resolve() in (place, *place.parents)]
    if suite and suite not in {p.name for p in folders}:
        raise unknown(f"suite in {runs}", suite, [p.name for p in folders])
    if not folders:
        raise BadInput(f"nothing to publish: {runs} holds no records", hint="hmcbench publish RUNS --to DIR")
    folders = [p for p in folders if not suite or p.name == suite]
    truths = {} if given is None else _given_truth(_there(folders), given)
    written = []
    for folder in folders:
        written += [*keep_intervals(folder, truths), *_write_pages(folder, figures)]
    return [*written, *_write_index(target)]


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
        pictures.copy_drawn(found, folder)
    return [*kept, *_write_pages(folder, figures)]


def _write_pages(folder: Path, figures: bool) -> list[Path]:
    """The tables of one suite, in every format, from its published records alone."""
    boards, found = boards_of(folder), records.read_all(folder / "records")
    drawn = pictures.draw(folder, boards, found) if figures else []
    written = write_boards(folder, boards, README)
    write_atomic(folder / README, suite_text(folder, boards, found))
    write_atomic(folder / PAGE, page_of(boards, found))
    return [*written, folder / PAGE, *drawn]


def suite_text(folder: Path, boards: Sequence[Board], found: Sequence[Record]) -> str:
    """``README.md`` of a suite: its boards, and the pictures that lie beside it."""
    more = f"The same with the details of every cell: [{PAGE}]({PAGE}), a file that any browser shows."
    shown = pictures.figures_text(folder, boards, found)
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
    part = records.begin(there, record.key)
    if record.ok:
        if record.data["dataset"].get("share_targets", True):
            shutil.copyfile(record.path / NPZ, part / NPZ)
        else:
            replace(Predictions.load(record.path / NPZ), truth=None).save(part / NPZ)
    if (record.path / HISTORY).is_file():
        shutil.copyfile(record.path / HISTORY, part / HISTORY)
    done = records.commit(part, there, data)
    ending = done.path.name.rpartition("--")[2]
    for other in there.glob(f"*--{ending}"):
        if other != done.path:
            shutil.rmtree(other)


# --------------------------------------------------------------------------- index


HEAD = ("suite", "data", "profile", "first by mean", "value", "models")


def index_text(target: Path) -> str:
    """``README.md`` of the target: one line per board of every suite published there."""
    lines = [
        [f"[{esc(line[0])}]({folder}/{README})", *map(esc, line[1:])] for folder, line in _index_lines(target)
    ]
    table = tabulate(lines, headers=HEAD, tablefmt="pipe", disable_numparse=True)
    intro = "Written by `hmcbench publish`. The records lie beside each table."
    return f"# Published results\n\n{intro}\n\n{table}\n"


def index_html(target: Path) -> str:
    """The same as a page that links to the suites' pages."""
    lines = [[(line[0], f"{folder}/{PAGE}"), *line[1:]] for folder, line in _index_lines(target)]
    return index_page("Published results", HEAD, lines)


def _write_index(target: Path) -> list[Path]:
    write_atomic(target / README, index_text(target))
    write_atomic(target / PAGE, index_html(target))
    return [target / README, target / PAGE]


def _index_lines(target: Path) -> list[tuple[str, list[str]]]:
    """(folder, cells as plain text) of every board."""
    out = []
    for path in sorted(target.glob("*/leaderboard.json")):
        boards = json.loads(path.read_text(encoding="utf-8"))["boards"]
        out += [(path.parent.name, _index_line(board)) for board in boards]
    return out


def _index_line(board: Mapping[str, Any]) -> list[str]:
    first = next((row for row in board["rows"] if row["rank"] == 1), None)
    style = next((c["style"] for c in board["columns"] if c["id"] == board["primary"]), "number")
    value = number(first["cells"][board["primary"]]["mean"], style) if first else "-"
    return [
        f"{board['suite']} {board['version']}",
        board.get("data", board["dataset"]) + (" (synthetic)" if board["synthetic"] else ""),
        board["profile"],
        first["model"] if first else "-",
        f"{board['primary']} {value}",
        str(len({row["model"] for row in board["rows"]})),
    ]


# --------------------------------------------------------------------------- no machine in what is published

_START = r"(?:~?/|[A-Za-z]:[\\/]|\\\\)"
_BEFORE = r"(?<![\w.)\]/\\])"  # what a path may not follow, or it is a part of something relative
_URL = r"(?P<url>\b(?!file:)[a-z][a-z0-9+.-]*://(?!/)[^\s'\"<>]*)"
_QUOTED = r"(?P<quote>['\"])(?P<inside>" + _START + r"[^'\"\n]*)(?P=quote)"
_BARE = _BEFORE + r"(?P<bare>(?:file://|" + _START + r")[^\s'\",;:\]\)}|<>]+)"
_PATHS = re.compile(f"{_URL}|{_QUOTED}|{_BARE}")
_FREE_TEXT = ("message", "notes", "note", "log")


def scrub(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record (or any JSON object) without absolute paths and host names.

    A path is replaced by its last part: ``/home/me/images`` by ``images``. Class ids such as
    ``MP/SS/BCC``, relative paths and web addresses stay.
    """
    whole = sorted({v for v in _texts(data) if _is_path(v)}, key=len, reverse=True)
    cleaned: dict[str, Any] = _scrubbed(dict(data), whole, socket.gethostname(), free=False)
    return cleaned


def _texts(value: Any) -> list[str]:
    """All texts in it that are values, not prose."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = [item for key, item in value.items() if key not in _FREE_TEXT]
    return [text for item in value for text in _texts(item)] if isinstance(value, (list, tuple)) else []


def _is_path(text: str) -> bool:
    """Whether the whole text is an absolute path (which may hold spaces)."""
    return bool(re.match(_START + r"[^\s/]", text)) and "\n" not in text


def _last(path: str) -> str:
    kind = PureWindowsPath if "\\" in path or re.match(r"[A-Za-z]:", path) else PurePosixPath
    return kind(path.rstrip("/\\")).name or "."


def _scrubbed(value: Any, whole: Sequence[str], host: str, free: bool) -> Any:
    if isinstance(value, Mapping):
        return {k: _scrubbed(v, whole, host, free or k in _FREE_TEXT) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrubbed(item, whole, host, free) for item in value]
    if not isinstance(value, str):
        return value
    for path in whole:
        value = re.sub(_BEFORE + re.escape(path) + r"(?!\w)", _last(path).replace("\\", r"\\"), value)
    value = _PATHS.sub(_shorten, value)
    if free and len(host) > 3 and host != "localhost":
        value = re.sub(rf"(?<!\w){re.escape(host)}(?!\w)", "host", value)
    return value


def _shorten(match: re.Match[str]) -> str:
    if match["url"]:
        return match["url"]
    if match["quote"]:
        return match["quote"] + _last(match["inside"]) + match["quote"]
    return _last(match["bare"].removeprefix("file://"))
