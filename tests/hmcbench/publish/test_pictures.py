"""What `publish` draws and copies, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from hmcbench.leaderboard.build import build
from hmcbench.publish.publish import copy_drawn, figures_text, first_cells, publish
from hmcbench.records.record import Record
from hmcbench.report.figures.boards import board_figures, draw_boards
from hmcbench.verify.tree import verify_results

Fabricate = Callable[..., Record]


def pictured(record: Record, *names: str) -> None:
    """As `hmcbench figures` leaves them beside the runs' records."""
    folder = record.path.parent.parent / "figures" / record.path.name
    folder.mkdir(parents=True)
    for name in names:
        Figure(figsize=(1, 1)).savefig(folder / f"{name}.png", dpi=20)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_whole_tree(fabricate: Fabricate, tmp_path: Path) -> None:
    first = fabricate("a", 0.9, timing={"total_s": 100.0})
    fabricate("b", 0.7, timing={"total_s": 1.0})
    (first.path / "history.csv").write_text("step,train_loss\n1,0.5\n2,0.4\n")
    runs, results = tmp_path / "runs", tmp_path / "results"
    written = publish(runs, results, figures=True)
    drawn = sorted(p.name for p in written if p.suffix == ".png")
    assert drawn[:4] == ["confusion-level1.png", "confusion-level2.png", drawn[2], "reliability.png"]
    assert drawn[2].startswith("quality-cost-toy-quick-dddddddd") and drawn[4] == "training-curves.png"
    page = (results / "smoke" / "README.md").read_text(encoding="utf-8")
    assert page.count("](figures/") == 5 and f"](figures/{first.path.name}/reliability.png)" in page
    assert "[index.html](index.html)" in page
    report = verify_results([results / "smoke"], index=results)
    assert report.clean, [str(f) for _, f in report.all_findings()]
    before = tree(results)
    stray = results / "smoke" / "figures" / "mine.png"
    stray.write_bytes(b"")
    found = [str(f) for _, f in verify_results([results / "smoke"]).all_findings()]
    assert found == ["figures/mine.png: a picture of no board"]
    publish(runs, results, figures=True)  # again: what is new is drawn, what is a stranger goes
    assert tree(results) == before


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ({"synthetic": True}, {"mistakes", "parity", "training-curves"}),
        ({"synthetic": False}, {"parity", "training-curves"}),
        ({"synthetic": False, "share_targets": False}, {"training-curves"}),
        ({"synthetic": True, "share_targets": False}, {"training-curves"}),
    ],
)
def test_pictures_of_samples_are_copied_of_synthetic_data_alone(
    fabricate: Fabricate, tmp_path: Path, dataset: dict[str, bool], expected: set[str]
) -> None:
    record = fabricate("a", dataset=dataset)
    pictured(record, "mistakes", "parity", "training-curves")
    copy_drawn([record], tmp_path / "to")
    assert {p.stem for p in (tmp_path / "to").rglob("*.png")} == expected
    if "mistakes" in expected:
        assert "mistakes" not in figures_text(tmp_path / "to", build([record]))


def test_the_first_cell_of_the_first_model(fabricate: Fabricate) -> None:
    records = [fabricate(m, acc, seed=s) for m, acc in (("a", 0.5), ("b", 0.9)) for s in (1, 0)]
    (one,) = first_cells(build(records))
    assert (one.data["model"]["label"], one.data["seed"]) == ("b", 0)


def test_pictures_of_boards(fabricate: Fabricate, tmp_path: Path) -> None:
    records = [
        fabricate(
            m, acc, dataset={"name": d, "fingerprint": f * 64}, timing={"total_s": t}, sizes={"test": 40}
        )
        for d, f in (("$x$ <b>", "1"), ("other", "2"))
        for m, acc, t in (("m$1$", 0.9, 100.0), ("n", 0.7, 0.1), ("o", 0.5, 50.0))
    ]
    boards = build(records)
    names = board_figures(boards)
    written = draw_boards(boards, tmp_path)
    assert {p.name for p in written} == set(names) and len(names) == 3
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in written if p.suffix == ".png")
    (drawn,) = tmp_path.glob("*.svg")
    assert drawn.name == "critical-difference-quick-hf1_samples.svg"
    assert drawn.read_text().startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert board_figures(build(records[:1])) == {}
