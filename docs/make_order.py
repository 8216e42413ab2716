"""Writes docs/order.md from the published records of the suites whose names end in ``-trust``.

python docs/make_order.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from hmcbench.leaderboard.build import Analysis, analyse
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.grouping import groups, newest
from hmcbench.leaderboard.inference import Estimate
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.leaderboard.order import OrderChange, changes
from hmcbench.leaderboard.shift_draws import MEAN, PLAIN
from hmcbench.records.record import read_all
from hmcbench.records.row_names import with_labels
from hmcbench.records.suite_file import read_info
from hmcbench.registry.registry import default_registry

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "results"
TOLD = 2  # changes of a suite that are told
PAGE = """<!-- made by docs/make_order.py from results/*-trust -->

# Does the order of models change?

From the published records of
{suites}.
[When to trust](trust.md) and [How it breaks](shifts.md) say what is measured. A pair *changes places* where
the first model is ahead before and behind after. It is
*clear* where the difference before and the difference after both have p below .05 on these samples. For
models that were trained once, *clear* says nothing about another training. Values are means with 95 %
intervals.

Under shifts the first model stays first on {shifts_kept} sets, with little data on {shares_kept}.

## Under shifts

Before: the test samples that see the shifts, as they are. After: the mean over all shifts and severities.

{shifts}

{shift_sentences}

## With little data

Before: all training samples. After: the share that is named.

{shares}

{share_sentences}
"""
HEAD = ["data", "models", "pairs that change", "clear", "first before", "first after"]


@dataclass(frozen=True)
class Compared:
    """A suite before and after.

    Attributes:
        rows: label -> estimates before and after.
        after: what comes after, for sentences.
    """

    data: str
    rows: Mapping[str, tuple[Estimate, Estimate]]
    sign: float
    after: str

    @property
    def changes(self) -> list[OrderChange]:
        return changes(self.rows, self.sign)

    @property
    def first(self) -> tuple[str, str]:
        """The label of the first model before and after."""
        places = [max(self.rows, key=lambda name: self.sign * self.rows[name][i].mean) for i in (0, 1)]
        return places[0], places[1]

    def line(self) -> list[str]:
        """A row of the table."""
        n, changed = len(self.rows), self.changes
        clear = sum(all(change.clear) for change in changed)
        return [
            self.data,
            str(n),
            f"{len(changed)} of {n * (n - 1) // 2}",
            str(clear),
            *(self._first(place) for place in (0, 1)),
        ]

    def _first(self, place: int) -> str:
        label = self.first[place]
        estimate = self.rows[label][place]
        low, high = estimate.interval() or (None, None)
        reach = "" if low is None else f" [{low:.3f}, {high:.3f}]"
        return f"{label} {estimate.mean:.3f}{reach}"

    def sentences(self, before: str) -> Iterator[str]:
        for change in self.changes[:TOLD]:
            yield f"- {self.data}: {change.told(before, self.after)}"


def analyses(folder: Path) -> list[tuple[Mapping[str, Any], Analysis]]:
    """The split of every board of a published suite, and the board."""
    info = read_info(folder) or {}
    records = newest(with_labels(read_all(folder / "records"), info))
    specs, kept = default_registry().specs("metrics"), Intervals.read(folder)
    out = []
    for group in groups(records):
        ok = [record for record in group if record.ok]
        if ok:
            analysis = analyse(group, info, specs=specs, intervals=kept, cache=DrawCache.open())
            out.append((ok[0].part("split"), analysis))
    return out


def compared(folder: Path) -> tuple[Compared | None, Compared | None]:
    """A suite without and under shifts, and with all training samples and with the least of them."""
    plain, least, share = None, None, 1.0
    for split, analysis in analyses(folder):
        if split.get("unknown") or split.get("label_noise"):
            continue
        shares = split.get("train_share")
        if not shares:
            plain = analysis
        elif float(shares[0]) < share:
            least, share = analysis, float(shares[0])
    if plain is None:
        return None, None
    board = plain.board
    sign = _sign(board.primary_column.better)
    data = folder.name.removesuffix("-trust") if board.data == "images" else board.data
    name = f"{data}, {board.primary}"
    shifted = little = None
    if plain.shifted is not None:
        pairs = _distinct({label: (row[PLAIN], row[MEAN]) for label, row in plain.shifted.rows.items()})
        shifted = Compared(
            f"{data}, {plain.shifted.metric}", pairs, _sign(plain.shifted.better), "under shifts"
        )
    if least is not None:
        rows = {
            label: (values[board.primary], least.estimates[label][board.primary])
            for label, values in plain.estimates.items()
            if board.primary in values and board.primary in least.estimates.get(label, {})
        }
        rows = _distinct(rows)
        little = Compared(f"{name}, {100 * share:.3g} %", rows, sign, f"with {100 * share:.3g} % of them")
    return shifted, little


def _distinct(rows: Mapping[str, tuple[Estimate, Estimate]]) -> dict[str, tuple[Estimate, Estimate]]:
    """Without rows that predict as an earlier one does: novelty changes no prediction."""
    first: dict[tuple[float, float], str] = {}
    for label, (before, after) in rows.items():
        first.setdefault((before.mean, after.mean), label)
    return {label: rows[label] for label in first.values()}


def _sign(better: str) -> float:
    return -1.0 if better == "lower" else 1.0


def text() -> str:
    """The page as it should be."""
    folders = sorted(path for path in RESULTS.glob("*-trust") if path.is_dir())
    pairs = [compared(folder) for folder in folders]
    shifted = [pair[0] for pair in pairs if pair[0] is not None]
    little = [pair[1] for pair in pairs if pair[1] is not None]
    links = ", ".join(f"`results/{folder.name}`" for folder in folders)

    def table(suites: list[Compared]) -> str:
        return tabulate([suite.line() for suite in suites], HEAD, tablefmt="github", disable_numparse=True)

    def told(suites: list[Compared], before: str) -> str:
        lines = [line for suite in suites for line in suite.sentences(before)]
        return "\n".join(lines) or "No pair changes places."

    def kept(suites: list[Compared]) -> str:
        return f"{sum(len(set(suite.first)) == 1 for suite in suites)} of {len(suites)}"

    return PAGE.format(
        suites=links,
        shifts_kept=kept(shifted),
        shares_kept=kept(little),
        shifts=table(shifted),
        shift_sentences=told(shifted, "without a shift"),
        shares=table(little),
        share_sentences=told(little, "with all training samples"),
    )


if __name__ == "__main__":
    (DOCS / "order.md").write_text(text(), encoding="utf-8")
