from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.leaderboard.inference import Contrast, Estimate, Kept, best, contrast
from hmcbench.leaderboard.intervals import FILE, SCHEMA, SETTINGS, Intervals, digest, digests
from hmcbench.records.record import JSON, NPZ, Record

Fabricate = Callable[..., Record]


def written(folder: Path, rows: list[dict[str, Any]], **head: Any) -> Intervals:
    data = {"schema": SCHEMA, **SETTINGS, "boards": [{"board": "x", "rows": rows}], **head}
    (folder / FILE).write_text(json.dumps(data), encoding="utf-8")
    return Intervals.read(folder)


def row(records: list[Record], model: str, **differences: list[float | None]) -> dict[str, Any]:
    return {
        "model": model,
        "made": "2026-01-02",
        "records": digests(records),
        "columns": {"m": {"low": 0.1, "high": 0.3, "support": 50, "constant": False, "values": [0.2]}},
        "differences": {other: {"m": values} for other, values in differences.items()},
    }


def test_a_difference_stands_once_and_is_read_from_both_sides(fabricate: Fabricate, tmp_path: Path) -> None:
    a, b = fabricate("a"), fabricate("b")
    intervals = written(tmp_path, [row([a], "a"), row([b], "b", a=[0.1, 0.4, 0.02])])
    first, other = intervals.of([a]), intervals.of([b])
    assert first is not None and other is not None
    assert first.columns["m"] == Kept("a", 0.1, 0.3, {"b": (-0.4, -0.1, 0.02)}, 50)
    assert other.columns["m"].against == {"a": (0.1, 0.4, 0.02)}
    assert (first.values, first.made) == ({"m": [0.2]}, "2026-01-02")


def test_a_difference_without_an_interval_keeps_its_p(fabricate: Fabricate, tmp_path: Path) -> None:
    a, b = fabricate("a"), fabricate("b")
    kept = written(tmp_path, [row([a], "a"), row([b], "b", a=[None, None, 1.0])]).of([a])
    assert kept is not None and kept.columns["m"].against == {"b": (None, None, 1.0)}


def test_only_the_very_records_of_a_row_are_its_records(fabricate: Fabricate, tmp_path: Path) -> None:
    a, b, c = fabricate("a"), fabricate("a", seed=1), fabricate("c")
    intervals = written(tmp_path, [row([a, b], "a")])
    assert intervals.of([b, a]) is not None
    assert intervals.of([a]) is None and intervals.knows([a])
    assert intervals.of([a, b, c]) is None
    assert intervals.of([c]) is None and not intervals.knows([c])


@pytest.mark.parametrize("name", [JSON, NPZ])
def test_a_digest_is_of_both_files(fabricate: Fabricate, name: str) -> None:
    record = fabricate("a")
    before = digest(record)
    assert before == digest(record) and len(before) == 64
    with (record.path / name).open("ab") as file:
        file.write(b"\n")
    assert digest(record) != before
    (record.path / name).unlink()
    assert digest(record) == ""


def test_without_the_file_or_with_other_draws_nothing_is_known(fabricate: Fabricate, tmp_path: Path) -> None:
    a = fabricate("a")
    assert Intervals.read(tmp_path).of([a]) is None
    assert written(tmp_path, [row([a], "a")]).of([a]) is not None
    assert written(tmp_path, [row([a], "a")], draws=200).of([a]) is None
    assert written(tmp_path, [row([a], "a")], seed=1).of([a]) is None
    assert written(tmp_path, [row([a], "a")], schema=SCHEMA + 1).of([a]) is None
    assert written(tmp_path, [row([a], "a")], schema=2).of([a]) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", f'{{"schema": {SCHEMA}}}', "[" * 100_000, "\udcff"],
    ids=lambda text: text[:13],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=FILE):
        Intervals.read(tmp_path)


@pytest.mark.parametrize("part", ["model", "made", "records", "columns", "differences"])
def test_a_row_that_lacks_a_part_is_damage(fabricate: Fabricate, tmp_path: Path, part: str) -> None:
    entry = row([fabricate("a")], "a")
    del entry[part]
    with pytest.raises(BadInput, match=part):
        written(tmp_path, [entry])


@pytest.mark.parametrize("value", ["0.1", True, [0.1], {}, float("nan"), float("inf"), 10**400])
@pytest.mark.parametrize("place", ["low", "high", "support", "values", "p"])
def test_a_number_that_is_none_is_damage(
    fabricate: Fabricate, tmp_path: Path, place: str, value: object
) -> None:
    a, b = fabricate("a"), fabricate("b")
    entry = row([b], "b", a=[0.1, 0.2, value if place == "p" else 0.5])  # type: ignore[list-item]
    if place != "p":
        entry["columns"]["m"][place] = [value] if place == "values" else value
    if (place, value) in (("values", "0.1"), ("values", True)):
        entry["columns"]["m"][place] = []
    with pytest.raises(BadInput, match="cannot be read"):
        written(tmp_path, [row([a], "a"), entry])


def test_estimates_of_kept_rows_are_compared_by_what_is_kept() -> None:
    import numpy as np

    def estimate(mean: float, row: str, **against: tuple[float, float, float]) -> Estimate:
        return Estimate(np.array([mean, mean]), kept=Kept(row, mean - 0.1, mean + 0.1, against))

    a = estimate(0.9, "a", b=(0.1, 0.3, 0.01))
    b = estimate(0.7, "b", a=(-0.3, -0.1, 0.01))
    c = estimate(0.5, "c")
    assert a.interval() == (0.8, 1.0)
    assert contrast(b, a) == Contrast(pytest.approx(-0.2), -0.3, -0.1, 0.01)
    assert contrast(a, c).p is None and contrast(a, c).low is None
    assert best([b, a], "higher") == 1
    assert best([a, b, c], "higher") is None  # c was never paired
    drawn = Estimate(np.array([0.5]), draws=np.zeros(10))
    assert contrast(a, drawn).p is None
    never = [x.never_compared(y) for x, y in ((a, b), (a, c), (c, a), (a, drawn), (drawn, drawn))]
    assert never == [False, True, True, True, False]
    assert not a.never_compared(Estimate(np.array([0.5, 0.6])))  # of seeds alone
