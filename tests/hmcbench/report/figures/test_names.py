"""Figures that differ have different files, and a figure alone has its short name."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.files import boards_of
from hmcbench.report.figures.boards import board_figures, draw_boards
from hmcbench.report.figures.names import told_apart
from hmcbench.report.figures.selection import draw_risks
from hmcbench.report.figures.shifts import draw_shifts

SIZES = {"validation": 30, "test": 40}


def test_only_equal_names_become_longer() -> None:
    noisy = {"label_noise": "0.2 of the labels"}
    assert told_apart(["a", "b", "b"], [noisy, {}, noisy]) == ["a", "b", "b-0.2-of-the-labels"]
    assert told_apart(["a", "a", "a-2"], [{}, {}, {}]) == ["a", "a-2", "a-2-2"]


def records_of(
    fabricate: Callable[..., Any], models: str = "mno", tag: str = "1", **changes: Any
) -> list[Any]:
    """A record of every model; those of one tag and dataset have keys of their own."""
    data = str(changes.get("dataset", {}).get("name")) + str(changes.get("split"))
    return [
        fabricate(
            model,
            0.9 - i / 10,
            sizes=SIZES,
            timing={"total_s": 10.0 + i},
            key=sha256(f"{tag} {data} {model}".encode()).hexdigest(),
            **changes,
        )
        for i, model in enumerate(models)
    ]


def test_versions_and_wrong_labels_have_figures_of_their_own(
    fabricate: Callable[..., Any], tmp_path: Path
) -> None:
    records = records_of(fabricate)
    (alone,) = board_figures(build(records))
    noisy = records_of(fabricate, split={"label_noise": [0.2], "noise_to": "any"})
    second = records_of(fabricate, tag="2", suite={"version": 2})
    boards = build([*records, *noisy, *second])
    names = board_figures(boards)
    assert len(boards) == len(names) == 3
    assert alone not in names and all(name.startswith(alone.removesuffix(".png")) for name in names)
    assert sum("version-2" in name for name in names) == 1
    assert sum("0.2-of-the-training-labels" in name for name in names) == 1
    assert {path.name for path in draw_boards(boards, tmp_path)} == set(names)
    assert {path.name for path in tmp_path.glob("*.*")} == set(names)


def test_critical_differences_of_two_versions(fabricate: Callable[..., Any]) -> None:
    records = [
        record
        for version in (1, 2)
        for name in ("x", "y")
        for record in records_of(
            fabricate,
            tag=str(version),
            dataset={"name": name, "fingerprint": name * 64},
            suite={"version": version},
        )
    ]
    names = [name for name in board_figures(build(records)) if name.startswith("critical")]
    short = "critical-difference-quick-hf1_samples"
    assert names == [f"{short}.svg", f"{short}-2.svg"]


def test_suites_drawn_into_one_folder(fabricate: Callable[..., Any], shift: Any, tmp_path: Path) -> None:
    records = {
        suite: records_of(fabricate, "mn", suite={"name": suite}, folder=tmp_path / suite / "records")
        for suite in ("first", "second")
    }
    both = [*records["first"], *records["second"]]
    alone = draw_risks(records["first"], tmp_path / "alone")[0].name
    risks = draw_risks(both, tmp_path / "risks")
    assert len({path.name for path in risks}) == 2 and alone not in {path.name for path in risks}
    beside = draw_risks(both)
    assert {path.name for path in beside} == {alone} and len({path.parent for path in beside}) == 2
    for record in both:
        shift(record, 0.5, ["noise"])
    boards = [board for suite in records for board in boards_of(tmp_path / suite)]
    drawn = draw_shifts(boards, tmp_path / "shifts")
    assert len(set(drawn)) == 2 and {"suite-first", "suite-second"} <= {
        name for path in drawn for name in ("suite-first", "suite-second") if name in path.name
    }
