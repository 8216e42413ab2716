"""Figures of boards: quality against cost, and critical differences over datasets."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from hmcbench.files import write_atomic
from hmcbench.leaderboard.across import Across
from hmcbench.leaderboard.across import heading as across_heading
from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.render.diagram import diagram
from hmcbench.leaderboard.summary import Trade, trades
from hmcbench.records.record import slug
from hmcbench.report.figures.names import board_traits, told_apart
from hmcbench.report.figures.style import BLUE, GREEN, GREY, figure, plain, save, styled

_WIDE = 20  # costs that differ by more are drawn on a logarithmic axis


def board_figures(boards: Boards) -> dict[str, str]:
    """File name -> caption of every figure of these boards."""
    captions = {
        name: f"{board.title}: {trade.quality.title} against {trade.cost.title}"
        for name, board, trade in _trades(boards)
    }
    return captions | {name: across_heading(comparison) for name, comparison in _comparisons(boards)}


def draw_boards(boards: Boards, folder: Path) -> list[Path]:
    """Draw them into an existing ``folder``: PNG, and SVG for critical differences."""
    written = [save(trade_figure(board, trade), folder / name) for name, board, trade in _trades(boards)]
    for name, comparison in _comparisons(boards):
        write_atomic(folder / name, diagram(comparison, alone=True) + "\n")
        written.append(folder / name)
    return written


def trade_figure(board: Board, trade: Trade) -> Figure:
    """Quality against one cost, in the style of all figures."""
    with styled():
        return quality_against_cost(board, trade)


def quality_against_cost(board: Board, trade: Trade) -> Figure:
    """One numbered point per ranked model, with its interval; the Pareto front joined."""
    fig, axes = figure(8.4, 3.8)
    ax = axes[0, 0]
    numbers = [cost for _, _, cost in trade.rows]
    if min(numbers) > 0 and max(numbers) / min(numbers) > _WIDE:
        ax.set_xscale("log")
    line = [trade.rows[i] for i in trade.front]
    ax.plot([c for _, _, c in line], [q for _, q, _ in line], "--", color=GREEN, linewidth=1, zorder=1)
    for i, (row, quality, cost) in enumerate(trade.rows):
        cell = row.cells[trade.quality.id]
        if cell.low is not None and cell.high is not None:
            ax.plot([cost, cost], [cell.low, cell.high], color=GREY, linewidth=1, zorder=2)
        colour = GREEN if i in trade.front else BLUE
        label = plain(f"{row.rank}  {row.model}"[:60])
        ax.plot(
            cost, quality, "o", color=colour, markersize=11, markeredgecolor="white", zorder=3, label=label
        )
        ax.annotate(
            str(row.rank), (cost, quality), color="white", fontsize=7, ha="center", va="center", zorder=4
        )
    ax.set_xlabel(plain(trade.cost.title))
    ax.set_ylabel(plain(trade.quality.title))
    ax.grid(alpha=0.3)
    made_up = ", synthetic data" if board.synthetic else ""
    ax.set_title(plain(f"{board.suite} {board.version}: {board.data}{made_up}, profile {board.profile}"))
    fig.legend(loc="outside right center", handlelength=0.8, fontsize=7, markerscale=0.7)
    return fig


def _trades(boards: Boards) -> list[tuple[str, Board, Trade]]:
    """Every trade of the boards, with the name of its file."""
    pairs = [(board, trade) for board in boards for trade in trades(board)]
    names = told_apart([_trade_name(*pair) for pair in pairs], [board_traits(board) for board, _ in pairs])
    return [(f"{name}.png", *pair) for name, pair in zip(names, pairs, strict=True)]


def _trade_name(board: Board, trade: Trade) -> str:
    split = board.split[0] if board.split else ""
    parts = (board.dataset, board.profile, board.fingerprint[:8], split[:8], trade.mark)
    return f"quality-cost-{'-'.join(slug(part) for part in parts)}"


def _comparisons(boards: Boards) -> list[tuple[str, Across]]:
    """Every comparison over datasets that has a figure, with the name of its file."""
    drawn = [comparison for comparison in boards.across if comparison.distance is not None]
    names = [f"critical-difference-{slug(c.profile)}-{slug(c.metric)}" for c in drawn]
    apart = told_apart(names, [{"suite": f"suite {c.suite}"} for c in drawn])
    return [(f"{name}.svg", comparison) for name, comparison in zip(apart, drawn, strict=True)]
