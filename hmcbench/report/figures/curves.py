"""Training curves: loss, level accuracies and other validation metrics by epoch (paper, figure 3)."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hmcbench.errors import BadInput
from hmcbench.report.figures.style import MARKERS, OKABE_ITO, figure

History = Mapping[str, Sequence[float]]
_ACCURACY = re.compile(r"(?P<side>train_|valid_)?level(?P<k>\d+)_accuracy")  # without a side: validation
_MERITS = {"valid_miou": "mean IoU", "valid_precision": "average precision"}  # others by their column
_FEW = 25  # up to so many epochs, each has a marker


def read_history(path: Path) -> History:
    """Columns of a ``history.csv``; an empty cell is nan. Raises BadInput for anything else."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        names = list(rows[0]) if rows else []
        return {name: [float(row[name] or "nan") for row in rows] for name in names}
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise BadInput(
            f"{path} cannot be read ({error})", allowed="a history written by hmcbench run"
        ) from None


def curves(history: History, title: str) -> Figure | None:
    """Losses left, then level accuracies, then what else was measured on validation; None without any."""
    losses = [name for name in ("train_loss", "valid_loss") if name in history]
    accuracies = [name for name in history if _ACCURACY.fullmatch(name)]
    merits = [name for name in history if name.startswith("valid_") and name not in (*losses, *accuracies)]
    panels = [part for part in (losses, accuracies, merits) if part]
    if not panels:
        return None
    fig, axes = figure(4.6 * len(panels), 3.4, columns=len(panels))
    fig.suptitle(title)
    for ax, names in zip(axes[0], panels, strict=True):
        for number, name in enumerate(names):
            _line(ax, history, name, number if names is merits else 0)
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend()
        ax.grid(alpha=0.3)
        if names is accuracies:
            ax.set_ylabel("accuracy")
            ax.set_ylim(min(0.5, ax.get_ylim()[0]), 1.01)
        elif names is merits:
            ax.set_ylabel(_merit(names[0]) if len(names) == 1 else "validation metrics")
        else:
            ax.set_ylabel("loss")
            ax.set_ylim(bottom=0)
    return fig


def _line(ax: Axes, history: History, name: str, number: int) -> None:
    """One column: colour and marker by level (else by ``number``), dashed for training."""
    match = _ACCURACY.fullmatch(name)
    style = int(match["k"]) if match else number
    training = name.startswith("train_")
    side = "training" if training else "validation"
    what = f"level {match['k']}" if match else "" if name.endswith("_loss") else _merit(name)
    epochs = history.get("step") or range(1, len(history[name]) + 1)
    ax.plot(
        epochs,
        history[name],
        "--" if training else "-",
        color=OKABE_ITO[style % len(OKABE_ITO)],
        marker=MARKERS[style % len(MARKERS)] if len(history[name]) <= _FEW else None,
        markersize=4,
        markerfacecolor="white" if training else None,
        label=f"{what}, {side}" if what else side,
    )


def _merit(name: str) -> str:
    """What a validation metric of a history is called."""
    return _MERITS.get(name, name.removeprefix("valid_").replace("_", " "))
