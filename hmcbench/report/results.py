"""Boards as Python objects: tables in a notebook, data frames, comparisons, figures."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from hmcbench.errors import BadInput, Unavailable, unknown
from hmcbench.leaderboard.board import Board, BoardCell
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.compare import compare_models
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.grouping import named_records
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.render.compared import compared_text
from hmcbench.leaderboard.render.console import print_console
from hmcbench.leaderboard.render.text import estimate_text, rank_text
from hmcbench.leaderboard.summary import trades, varied
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record
from hmcbench.records.row_names import chosen_row, labels_named, model_reference
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry
from hmcbench.report.figures.boards import trade_figure
from hmcbench.report.figures.record import predictions_of_side, record_figures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WIDTH = 120  # characters of the text


def pandas() -> Any:
    """The library; raises Unavailable with the command that installs it."""
    try:
        import pandas as library
    except ImportError:
        raise Unavailable("data frames need pandas", hint="pip install pandas") from None
    return library


class Leaderboards:
    """The boards of one or several suites; ``print`` shows them, a notebook shows tables.

    Attributes:
        folders: of the suites.
        boards: in the order in which they are shown.
        records: of the boards.
    """

    def __init__(self, folders: Sequence[Path], records: Sequence[Record] | None = None) -> None:
        """Read the boards of folders; or those of ``records`` alone, of the one folder."""
        self.folders = list(folders)
        if records is None:
            by_folder = [boards_of(folder) for folder in folders]
        else:
            info = read_info(self.folders[0])
            by_folder = [build(records, info, None, cache=DrawCache.open())]
        self.records: list[Record] = list(chain(*(boards.records for boards in by_folder)))
        self.boards = Boards(chain(*by_folder), self.records)

    def __len__(self) -> int:
        return len(self.boards)

    def __iter__(self) -> Iterator[Board]:
        return iter(self.boards)

    def __repr__(self) -> str:
        from rich.console import Console

        stream = io.StringIO()
        print_console(self.boards, Console(file=stream, width=WIDTH, color_system=None))
        return stream.getvalue().rstrip() or "no boards"

    def _repr_html_(self) -> str:
        from html import escape

        return "\n".join(f"<h4>{escape(board.title)}</h4>\n{_html(board)}" for board in self.boards)

    def to_frame(self) -> pd.DataFrame:
        """A row per model and board: rank, model, then the mean and interval of every metric, and costs.

        Columns: ``suite``, ``dataset``, ``profile``, ``rank`` (None where not ranked), ``model``, ``status``;
        ``<id>``, ``<id>_low``, ``<id>_high`` for a column of the board; costs under the mark of their
        hardware (``fit_s`` for the first).
        """
        rows = chain(*(self._frame(board) for board in self.boards))
        return pandas().DataFrame(list(rows))

    def _frame(self, board: Board) -> list[dict[str, Any]]:
        hardware = next(iter(board.hardware), "")
        return [
            {
                "suite": board.suite,
                "dataset": board.data,
                "profile": board.profile,
                "rank": row.rank,
                "model": row.model,
                "status": row.status,
                **_numbers({c.id: row.cells.get(c.id) for c in board.columns}),
                **_numbers({c.id: row.costs.get(hardware, {}).get(c.id) for c in board.cost_columns}),
            }
            for row in board.rows
        ]

    def compare(self, a: str, b: str, metrics: Sequence[str] = ()) -> str:
        """What can and cannot be concluded about two rows, as ``hmcbench compare`` prints it.

        Of several suites those count that have both rows.

        Raises:
            BadInput: a name of no row or of several, or of no metric.
        """
        specs = default_registry().specs("metrics")
        rows = {
            folder: [(record.label, model_reference(record)) for record in self._named(folder)]
            for folder in self.folders
        }
        places = {name: [f for f in self.folders if labels_named(name, rows[f])] for name in (a, b)}
        for name in (a, b):
            if not places[name]:
                chosen_row(name, chain(*rows.values()))
        results = []
        for folder in (folder for folder in places[a] if folder in places[b]):
            info, intervals = read_info(folder), Intervals.read(folder)
            compared = compare_models(
                self._of(folder),
                a,
                b,
                specs,
                info=info,
                names=metrics,
                intervals=intervals,
                cache=DrawCache.open(),
            )
            results.append(compared)
        return compared_text(results, {name: [f.name for f in found] for name, found in places.items()})

    def predictions(
        self, model: str, *, side: str = "test", fold: int = 0, seed: int = 0, dataset: str = ""
    ) -> pd.DataFrame:
        """What a model predicted: a row per sample, in stored order.

        Columns: ``id``; ``truth`` (where it is stored) and ``coherent``, classes joined by ``|``; the scores,
        a column per class. For a regression ``true NAME`` and ``NAME`` for every target.

        Args:
            model: a row of the board.
            side: ``test``, ``validation`` or a further test set.
            fold, seed: of the cell.
            dataset: of the cell, where the row is on several; see :meth:`record`.

        Raises:
            BadInput: no such row, cell, dataset or side, or label maps.
        """
        record = self.record(model, fold=fold, seed=seed, dataset=dataset)
        rows = predictions_of_side(record, side)
        columns: dict[str, Any] = {"id": list(rows.ids)}
        hierarchy = rows.task.hierarchy
        if rows.maps is not None:
            raise BadInput(f"{model} labels pixels: its predictions are label maps, no table")
        if hierarchy is None:
            for i, name in enumerate(rows.task.targets):
                if rows.truth is not None:
                    columns[f"true {name}"] = rows.truth[:, i]
                columns[name] = rows.scores[:, i]
            return pandas().DataFrame(columns)
        if rows.truth is not None:
            columns["truth"] = ["|".join(hierarchy.decode(row)) for row in rows.truth.toarray()]
        columns["coherent"] = ["|".join(hierarchy.decode(row)) for row in _decided(record, rows)]
        frame, library = pandas().DataFrame(columns), pandas()
        return library.concat([frame, library.DataFrame(rows.scores, columns=hierarchy.classes)], axis=1)

    def record(self, model: str, *, fold: int = 0, seed: int = 0, dataset: str = "") -> Record:
        """The record of one cell.

        Args:
            model: a row of the board.
            fold, seed: of the cell.
            dataset: a dataset, with or without its options; all by default.

        Raises:
            BadInput: no such row, cell or dataset, or several cells; the line names them.
        """
        known = self._on(dataset, [record for folder in self.folders for record in self._named(folder)])
        label = chosen_row(model, ((r.label, model_reference(r)) for r in known))
        of_row = [record for record in known if record.label == label]
        cells = [r for r in of_row if (r.fold, r.seed) == (fold, seed)]
        if not cells:
            have = ", ".join(sorted({f"fold {r.fold} seed {r.seed}" for r in of_row}))
            raise BadInput(f"no record of {label}, fold {fold}, seed {seed}", allowed=have)
        if len(cells) > 1:
            places = "; ".join(sorted(_place(r) for r in cells))
            several = len({record.dataset_reference for record in cells}) > 1
            by_dataset = "name a dataset with dataset=, or " if several else ""
            raise BadInput(
                f"{len(cells)} records of {label}, fold {fold}, seed {seed}: {places}",
                hint=f"{by_dataset}take one of .records",
            )
        return cells[0]

    def _named(self, folder: Path) -> list[Record]:
        """The records of a suite, named as its boards name their rows."""
        return named_records(self._of(folder), read_info(folder))

    @staticmethod
    def _on(dataset: str, records: list[Record]) -> list[Record]:
        """Those of a dataset; raises BadInput where there is none."""
        chosen = [r for r in records if dataset in ("", r.dataset_reference)]
        chosen = chosen or [r for r in records if r.dataset == dataset]
        if not chosen and records:
            raise unknown("dataset", dataset, sorted({r.dataset_reference for r in records}))
        return chosen

    def _of(self, folder: Path) -> list[Record]:
        return [record for record in self.records if record.path.parent.parent == folder]

    def figure(
        self, kind: str = "quality-cost", model: str = "", *, dataset: str = "", **cell: int
    ) -> Figure:
        """A figure as an object of matplotlib.

        Args:
            kind: ``quality-cost`` of the first board; or for the cell of a ``model``: ``training-curves``,
                ``reliability``, ``confusion-level1``, ``parity`` and others, as ``hmcbench figures`` writes.
            dataset: of the board or of the cell; see :meth:`record`.
            cell: ``fold`` and ``seed``.

        Raises:
            BadInput: no such figure of these results.
        """
        if model:
            figures = record_figures(self.record(model, dataset=dataset, **cell))
        else:
            boards = [b for b in self.boards if dataset in ("", b.data, b.dataset)]
            if not boards and dataset:
                raise unknown("dataset", dataset, sorted({board.data for board in self.boards}))
            pairs = [(board, trade) for board in boards for trade in trades(board)]
            figures = {"quality-cost": trade_figure(*pairs[0])} if pairs else {}
        if kind not in figures:
            raise unknown("figure", kind, figures, "" if model else "figures of a model need model=NAME")
        return figures[kind]


def _place(record: Record) -> str:
    """What tells its board apart, in words: suite, data, what the suite varies, profile."""
    made = varied(record.part("split")).values()
    return ", ".join([record.suite, record.dataset_reference, *made, f"profile {record.profile}"])


def _decided(record: Record, rows: Predictions) -> np.ndarray:
    """Boolean (N, C): the coherent decisions, also of classes that no metric counts; truth is not needed."""
    no_truth: Any = csr_array(rows.scores.shape, dtype=bool)
    whole = replace(rows, truth=no_truth, task=replace(rows.task, unscored=()))
    return np.asarray(Evaluation.of_predictions(whole, record.thresholds).closed)


def _numbers(cells: Mapping[str, BoardCell | None]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for name, cell in cells.items():
        values[name] = None if cell is None else cell.mean
        if cell is not None and cell.low is not None:
            values |= {f"{name}_low": cell.low, f"{name}_high": cell.high}
    return values


def _html(board: Board) -> str:
    """A table of rank, model, status and values with their intervals; costs of the first hardware."""
    from tabulate import tabulate

    hardware = next(iter(board.hardware), "")
    shown = [
        {
            "rank": rank_text(row),
            "model": row.model,
            "status": row.status,
            **{c.id: estimate_text(row.cells.get(c.id), c.style) for c in board.columns},
            **{
                c.id: estimate_text(row.costs.get(hardware, {}).get(c.id), c.style)
                for c in board.cost_columns
            },
        }
        for row in board.rows
    ]
    return str(tabulate(shown, headers="keys", tablefmt="html", disable_numparse=True))
