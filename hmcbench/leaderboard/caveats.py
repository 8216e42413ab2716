"""The small print of a comparison: how much it rests on, and what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hmcbench.errors import HmcbenchError
from hmcbench.leaderboard.board import Board, Difference
from hmcbench.leaderboard.estimates import Estimator
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.render.text import clean, number
from hmcbench.leaderboard.statistics import DRAWS, LEVEL, Estimate
from hmcbench.leaderboard.wins import win_rates

RowPair = tuple[RowRecords, RowRecords]
_COSTS = {"total_s": "time of a whole cell", "fit_s": "time to fit", "latency_p50_ms": "time for one sample"}


def sizes(pair: RowPair, estimator: Estimator) -> str:
    """``193 test samples, the same for both; 1 seed each; 1 split``."""
    seeds = [len({r.seed for r in estimator.complete(row)}) for row in pair]
    each = (
        f"{seeds[0]} seed{'s' * (seeds[0] > 1)} each"
        if seeds[0] == seeds[1]
        else f"{seeds[0]} and {seeds[1]} seeds"
    )
    kind = "random splits" if estimator.repeated else "folds"
    folds = f"{len(estimator.folds)} {kind}" if len(estimator.folds) > 1 else "1 split"
    return f"{_samples(pair, estimator)}; {each}; {folds}"


def _samples(pair: RowPair, estimator: Estimator) -> str:
    seed = min(r.seed for r in estimator.complete(pair[0]))
    cells = [r for r in estimator.complete(pair[0]) if r.seed == seed]
    counts = [int(r.counts.get("test") or 0) for r in cells]
    if estimator.repeated:
        return f"{min(counts):,} test samples in every split, the same for both"
    text = f"{sum(counts):,} test samples, the same for both"
    try:
        groups = {g for r in cells for g in r.predictions().of_side("test").groups or ()}
    except HmcbenchError:
        groups = set()
    return f"{text}, in {len(groups):,} groups" if groups else text


def method(estimates: Sequence[Mapping[str, Estimate]], tests: int, estimator: Estimator) -> str:
    """What stands behind intervals and p-values."""
    first = next(iter(estimates[0].values()))
    if all(e.over_samples for some in estimates for e in some.values()):
        text = f"paired bootstrap, {DRAWS:,} draws of the same test samples for both"
        text += ", seeds drawn too" if len(first.seeds) > 1 else ""
        text += ", kept from when the truth was at hand" if first.kept is not None else ""
    elif estimator.repeated:
        text = "paired t over the splits, widened for their common training samples (Nadeau and Bengio)"
    elif min(len(e.seeds) for some in estimates for e in some.values()) > 1:
        text = "Welch's test over seeds, not paired: no predictions with truth are stored for both"
    else:
        text = "nothing: no predictions with truth are stored for both, and there is one seed"
    holm = f"; p adjusted for {tests} metrics (Holm)" if tests > 1 else ""
    return text + holm


def wins(board: Board, pair: RowPair, estimator: Estimator) -> list[str]:
    """Over several cells, how often the first is better: no model of chance, but everybody can count."""
    column = next((c for c in board.columns if c.id == board.primary), None)
    values = {
        clean(row.label): {
            r.fold_seed: float(r.metrics("test").get(board.primary, "nan")) for r in estimator.complete(row)
        }
        for row in pair
    }
    found = win_rates(values, column.better if column else "")
    if not found:
        return []
    first = found[0]
    share = f"{100 * first.rate:.0f} % of {first.cells} cells"
    return [f"{board.primary}: {first.model} is better in {share} of the same fold and seed"]


def costs(board: Board, a: str, b: str) -> list[str]:
    """Ratios of times within one hardware."""
    rows = {row.model: row for row in board.rows if row.status in ("ok", "partial")}
    if a not in rows or b not in rows:
        return []
    common = [mark for mark in rows[a].costs if mark in rows[b].costs]
    if not common:
        return ["their costs do not compare: they were measured on different hardware"]
    out = []
    for name, title in _COSTS.items():
        cells = [rows[label].costs[common[0]].get(name) for label in (a, b)]
        values = [cell.mean for cell in cells if cell is not None and cell.mean]
        if len(values) == 2:
            ratio = values[0] / values[1]
            words = f"{_number(ratio)} times" if ratio >= 1 else f"1/{_number(1 / ratio)} of"
            both = " against ".join(map(_number, values))
            out.append(f"{title}: {a} takes {words} that of {b} ({both})")
    return out


def _number(value: float) -> str:
    return number(value, "number")


def caveats(board: Board, pair: RowPair, estimator: Estimator, found: Sequence[Difference]) -> list[str]:
    """What the comparison does not say, the gravest first."""
    out = list(_data(board))
    out += [
        f"{clean(row.label)}: {len(row.others)} of its {len(row.others) + len(row.ok)} cells failed or are "
        "missing; one that survives on some only looks better than it is"
        for row in pair
        if row.others
    ]
    if min(len({r.seed for r in estimator.complete(row)}) for row in pair) == 1:
        many = len(estimator.folds) > 1
        what = (
            "training was repeated over the folds alone"
            if many
            else "it tells two trained models apart, not two methods"
        )
        out.append(f"one seed: {what}; --seeds 5 says more")
    if len(estimator.folds) == 1:
        out.append("one split: another division of the same data may come out otherwise (folds or --splits)")
    if not any(line.p is not None and line.p < 1 - LEVEL for line in found):
        reach = [
            (line.high - line.low) / 2 for line in found if line.low is not None and line.high is not None
        ]
        if reach:
            out.append(f"with so many samples a difference below about {min(reach):.3f} cannot be seen")
    out.append("if the two were picked because of their ranks on this board, p is too small")
    return out


def _data(board: Board) -> list[str]:
    out = []
    if board.synthetic:
        out.append("these samples are synthetic: nothing is said of real ones")
    if board.profile != "paper":
        out.append(f"profile {board.profile}: with a larger budget the order may be another")
    return out
