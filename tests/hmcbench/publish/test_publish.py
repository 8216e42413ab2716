from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from hmcbench.errors import BadInput
from hmcbench.files import host_tag, this_host
from hmcbench.leaderboard import files as files_module
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.files import boards_of
from hmcbench.publish.publish import copy_drawn, figures_text, first_cells, publish
from hmcbench.records.record import JSON, NPZ, Record, read_all
from hmcbench.registry.registry import default_registry
from hmcbench.report.figures.boards import board_figures, draw_boards
from hmcbench.report.figures.record import draw_record
from hmcbench.verify.tree import verify_results

Fabricate = Callable[..., Record]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_file_of_a_suite_is_written_once(
    fabricate: Fabricate, runs: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricate("a", 0.9)
    written = []
    write = files_module.write_atomic

    def counted(path: Path, data: bytes | str) -> None:
        written.append(path.name)
        write(path, data)

    monkeypatch.setattr(files_module, "write_atomic", counted)
    publish(runs, results)
    assert sorted(written) == ["README.md", "index.html", "leaderboard.csv", "leaderboard.json"]
    assert "The same with the details" in (results / "smoke" / "README.md").read_text()


def test_records_and_tables_of_every_suite(fabricate: Fabricate, runs: Path, results: Path) -> None:
    first = fabricate("a", 0.9)
    (first.path / "history.csv").write_text("step,loss\n1,0.5\n")
    (first.path / "log.txt").write_text("/home/me/secret")
    failed = fabricate("b", status="failed", cause="time-out")
    other = fabricate("a", folder=runs / "more" / "records", suite={"name": "more"}, key="a" * 64)
    info = {"suite": {"name": "smoke", "columns": ["exact_match"]}, "published": [], "cells": []}
    (runs / "smoke" / "suite.json").write_text(json.dumps(info))
    (runs / "smoke" / "tables").mkdir()
    (runs / "smoke" / "tables" / "paper-1.md").write_text("# paper-1")
    written = publish(runs, results)
    assert [str(p.relative_to(results)) for p in written] == [
        "more/README.md",
        "more/index.html",
        "more/leaderboard.csv",
        "more/leaderboard.json",
        "more/SHA256SUMS",
        "smoke/README.md",
        "smoke/index.html",
        "smoke/leaderboard.csv",
        "smoke/leaderboard.json",
        "smoke/SHA256SUMS",
        "README.md",
        "index.html",
    ]
    assert files(results) == {str(p.relative_to(results)) for p in written} | {
        "smoke/suite.json",
        "smoke/tables/paper-1.md",
        f"smoke/records/{first.path.name}/record.json",
        f"smoke/records/{first.path.name}/predictions.npz",
        f"smoke/records/{first.path.name}/history.csv",
        f"smoke/records/{failed.path.name}/record.json",
        f"more/records/{other.path.name}/record.json",
        f"more/records/{other.path.name}/predictions.npz",
    }
    assert "exact_match ↑" in (results / "smoke" / "README.md").read_text(encoding="utf-8")
    assert 'href="smoke/index.html"' in (results / "index.html").read_text(encoding="utf-8")
    index = (results / "README.md").read_text(encoding="utf-8")
    assert "[smoke 1](smoke/README.md)" in index and "[more 1](more/README.md)" in index


def test_publishing_twice_changes_nothing(fabricate: Fabricate, runs: Path, results: Path) -> None:
    fabricate("a")
    publish(runs, results)
    before = {name: (results / name).read_bytes() for name in files(results)}
    publish(runs, results)
    assert {name: (results / name).read_bytes() for name in files(results)} == before


def test_tables_are_written_anew_from_what_is_published(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    fabricate("a")
    publish(runs, results)
    before = {name: (results / name).read_bytes() for name in files(results)}
    (results / "smoke" / "README.md").write_text("of an older version")
    (results / "README.md").unlink()
    written = publish(results, results)
    assert {name: (results / name).read_bytes() for name in files(results)} == before
    assert publish(results / "smoke", results) == written == publish(results, results, "smoke")
    with pytest.raises(BadInput, match="did you mean 'smoke'"):
        publish(results, results, "smok")
    (results / "other").mkdir()
    with pytest.raises(BadInput, match="holds no records"):
        publish(results / "other", results)


def test_what_others_published_stays(fabricate: Fabricate, runs: Path, results: Path, tmp_path: Path) -> None:
    theirs = fabricate("theirs", folder=tmp_path / "elsewhere" / "smoke" / "records")
    renamed = fabricate("old-name", folder=tmp_path / "elsewhere" / "smoke" / "records", key="c" * 64)
    publish(tmp_path / "elsewhere", results)
    (results / "notes.txt").write_text("keep me")
    ours = fabricate("new-name", 0.5, key="c" * 64)
    publish(runs, results)
    there = {path.name for path in (results / "smoke" / "records").iterdir()}
    assert there == {theirs.path.name, ours.path.name}
    assert renamed.path.name not in there
    assert (results / "notes.txt").read_text() == "keep me"
    models = [row.model for row in boards_of(results / "smoke")[0].rows]
    assert models == ["theirs", "new-name"]


def test_only_one_suite(fabricate: Fabricate, runs: Path, results: Path) -> None:
    fabricate("a")
    fabricate("a", folder=runs / "more" / "records", suite={"name": "more"}, key="a" * 64)
    publish(runs, results, "more")
    assert not (results / "smoke").exists()
    with pytest.raises(BadInput, match="did you mean 'smoke'"):
        publish(runs, results, "smok")


def test_truth_stays_behind_where_it_may_not_be_shared(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    record = fabricate("a", 0.8, dataset={"share_targets": False})
    publish(runs, results)
    public = read_all(results)[0].predictions()
    assert public.truth is None
    assert (public.scores == record.predictions().scores).all()
    assert record.predictions().truth is not None
    row = boards_of(results / "smoke")[0].rows[0]
    assert row.cells["hf1_samples"].mean == record.data["metrics"]["test"]["hf1_samples"]
    assert row.cells["hf1_samples"].low is not None  # kept: see test_withheld


def test_truth_may_be_left_out_of_everything(fabricate: Fabricate, runs: Path, results: Path) -> None:
    record = fabricate("a", 0.8)
    publish(runs, results, truth=False)
    (public,) = read_all(results)
    assert public.predictions().truth is None
    assert public.data["dataset"]["share_targets"] is False
    assert record.predictions().truth is not None


def test_published_records_read_as_the_originals(fabricate: Fabricate, runs: Path, results: Path) -> None:
    record = fabricate("a", 0.8)
    publish(runs, results)
    public = read_all(results)[0]
    assert public.data == record.data
    assert (public.path / NPZ).read_bytes() == (record.path / NPZ).read_bytes()


def test_no_machine_is_named(fabricate: Fabricate, runs: Path, results: Path) -> None:
    host = socket.gethostname()
    fabricate(
        "a",
        dataset={"reference": "toy[path=/home/me/my images/steel,size=64]", "notes": [f"read on {host}"]},
        model={"params": {"path": "/home/me/my images/steel", "weights": "C:\\Users\\me\\w.pt"}},
        status="ok",
    )
    fabricate("b", status="failed", cause="error", message='File "/opt/x/y.py", line 3; see /tmp/a/log.txt.')
    publish(runs, results)
    texts = [path for path in results.rglob("*.*") if path.suffix in (".md", ".json", ".csv", ".html")]
    text = "".join(path.read_text(encoding="utf-8") for path in texts)
    for secret in ("/home", "C:\\", "Users", "/opt", "/tmp", str(runs.parent)):
        assert secret not in text
    data = next(r for r in read_all(results) if r.ok).data
    assert data["dataset"]["reference"] == "toy[path=steel,size=64]"
    assert data["model"]["params"] == {"path": "steel", "weights": "w.pt"}
    if len(host) > 3 and host != "localhost":
        assert data["dataset"]["notes"] == ["read on host"]


def test_no_machine_is_named_in_tables(fabricate: Fabricate, runs: Path, results: Path) -> None:
    """The reason of a failed cell stands in them."""
    host, folder = socket.gethostname(), "/home/me/my images/steel"
    reason = f"error on {host}: {folder}/a.png cannot be read, see /tmp/a/log.txt"
    row = {"label": "ours", "model": "a", "values": [], "reason": reason}
    place = fabricate("a").path.parents[1] / "tables" / "part"
    place.mkdir(parents=True)
    table = {"metrics": ["hf1_samples"], "facts": {"data": folder}, "rows": [row]}
    (place / "paper-1.json").write_text(json.dumps(table))
    (place / "paper-1.md").write_text(f"- data: {folder}\n\n| ours | `a` | undecided: {reason} |\n")
    plain = json.dumps({"rows": [], "metrics": []})  # as it was written, to the byte
    (place / "other.json").write_text(plain)
    (place / "torn.json").write_text('{"reason": "/home/me/x')
    (place / "paper-1-figure-1.png").write_bytes(b"\x00picture")
    publish(runs, results)
    there = results / "smoke" / "tables" / "part"
    texts = "".join(path.read_text() for path in there.iterdir() if path.suffix != ".png")
    for secret in ("/home", "/tmp", "my images", *([host] if len(host) > 3 and host != "localhost" else [])):
        assert secret not in texts
    assert json.loads((there / "paper-1.json").read_text())["facts"] == {"data": "steel"}
    assert (there / "other.json").read_text() == plain
    assert (there / "paper-1-figure-1.png").read_bytes() == b"\x00picture"
    before = tree(results)
    publish(runs, results)
    assert tree(results) == before


def test_a_damaged_history_does_not_end_a_publish_half_way(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    """Records and tables were new then, the pages and the digests old."""
    record = fabricate("a")
    (record.path / "history.csv").write_text("step,train_loss\n1,much\n")
    publish(runs, results, figures=True)
    drawn = {path.name for path in (results / "smoke" / "figures" / record.path.name).iterdir()}
    assert "reliability.png" in drawn and "training-curves.png" not in drawn
    assert (results / "smoke" / "SHA256SUMS").is_file()
    assert verify_results([results / "smoke"], index=results).clean
    _, notes = draw_record(record, runs / "drawn", default_registry(), {}, pictures=False)
    assert len(notes) == 1 and "history.csv cannot be read" in notes[0]


def test_results_inside_the_runs_folder_are_not_published_again(fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("a")
    publish(tmp_path, tmp_path / "results")
    publish(tmp_path, tmp_path / "results")
    assert len(read_all(tmp_path / "results")) == 1


@pytest.mark.parametrize("case", ["absent", "empty", "failed", "torn", "blocked"])
def test_bad_input_writes_nothing(case: str, fabricate: Fabricate, runs: Path, results: Path) -> None:
    expected: dict[str, Any] = {
        "absent": "no folder",
        "empty": "nothing to publish: .* holds no records",
        "failed": "nothing to publish: .* holds only failed records",
        "torn": "predictions.npz cannot be read",
        "blocked": "cannot be made",
    }
    if case != "absent":
        runs.mkdir()
    if case == "failed":
        fabricate("a", status="failed", cause="crash")
    if case == "torn":
        fabricate("fine")
        (fabricate("torn").path / NPZ).write_bytes(b"PK")
    if case == "blocked":
        fabricate("a")
        results.write_text("a file")
    with pytest.raises(BadInput, match=expected[case]):
        publish(runs, results)
    assert case == "blocked" or not results.exists()


def test_a_damaged_record_is_named(fabricate: Fabricate, runs: Path, results: Path) -> None:
    (fabricate("a").path / JSON).write_text("{")
    with pytest.raises(BadInput, match=r"record\.json cannot be read"):
        publish(runs, results)


# --------------------------------------------------------------------------- figures


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
    findings = [str(f) for _, f in verify_results([results / "smoke"]).all_findings()]
    assert findings == ["figures/mine.png: a picture of no board"]
    publish(runs, results, figures=True)  # again: what is new is drawn, what is a stranger goes
    assert tree(results) == before


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ({"synthetic": True}, {"mistakes", "parity", "training-curves", "0123456789abcdef"}),
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
    small = record.path.parent.parent / "figures" / record.path.name / "images"
    small.mkdir()
    (small / "0123456789abcdef.png").write_bytes(b"")
    copy_drawn([record], tmp_path / "to")
    assert {p.stem for p in (tmp_path / "to").rglob("*.png")} == expected
    if "mistakes" in expected:
        assert "mistakes" not in figures_text(tmp_path / "to", build([record]))


def test_the_first_cell_of_the_first_model(fabricate: Fabricate) -> None:
    records = [fabricate(m, acc, seed=s) for m, acc in (("a", 0.5), ("b", 0.9)) for s in (1, 0)]
    (record,) = first_cells(build(records))
    assert (record.data["model"]["label"], record.data["seed"]) == ("b", 0)


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


def test_a_suite_without_figures_has_no_folder_for_them(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    fabricate("a", 0.9)
    publish(runs, results, figures=True, predictions=())
    assert not (results / "smoke" / "figures").exists()


def test_what_is_published_already_cannot_lose_its_truth_in_place(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    """It was ignored without a word, and the truth stayed."""
    fabricate("a", 0.9)
    publish(runs, results)
    before = files(results)
    for more in ({"truth": False}, {"predictions": ()}):
        with pytest.raises(BadInput, match="is published already") as error:
            publish(results, results, **more)
        assert "into another folder" in str(error.value)
    assert files(results) == before


def test_damaged_predictions_are_not_published_anew(fabricate: Fabricate, runs: Path, results: Path) -> None:
    """Their digest would say that they are right."""
    fabricate("a", 0.9)
    publish(runs, results)
    (path,) = results.rglob("predictions.npz")
    path.write_bytes(path.read_bytes()[:100])
    before = files(results)
    with pytest.raises(BadInput, match=r"predictions\.npz"):
        publish(results, results)
    assert files(results) == before


def test_without_figures_none_of_an_earlier_board_stays(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    records = [fabricate(m, a, timing={"total_s": s}) for m, a, s in (("a", 0.9, 1.0), ("b", 0.5, 9.0))]
    publish(runs, results, figures=True)
    place = results / "smoke" / "figures"
    assert list(place.glob("quality-cost*.png"))
    shutil.rmtree(results / "smoke" / "records" / records[1].path.name)
    publish(results, results)
    assert not list(place.glob("*.png"))
    assert {path.name for path in place.iterdir()} <= {records[0].path.name}


def test_what_a_killed_publish_left_goes_with_the_next(
    fabricate: Fabricate, runs: Path, results: Path
) -> None:
    fabricate("a", 0.9)
    publish(runs, results)
    before = files(results)
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    owner = f"{int(gone.stdout)}.{host_tag(this_host())}.abc"
    place = results / "smoke"
    for path in (results / f".README.md-{owner}.tmp", place / f".index.html-{owner}.tmp"):
        path.write_text("half")
    (place / "records" / f".part-0123456789abcdef-{owner}").mkdir()
    publish(runs, results)
    assert files(results) == before
    assert not list(results.rglob(".*"))


# --------------------------------------------------------------------------- what several runs have planned


def planned(folder: Path, version: int, record: Record, opened: str, **labels: str) -> None:
    """``suite.json`` of a run that planned a record and one cell that is still open."""
    same = {"dataset": "toy", "reference": "toy", "profile": "quick", "fold": 0, "seed": 0}
    cells = [{"key": record.key, "model": record.label}, {"key": opened * 64, "model": f"open {opened}"}]
    pairs = [{**same, "model": f"refused {opened}", "reason": "it reads images"}]
    info = {"suite": {"name": "smoke", "version": version}, "profile": "quick", "labels": {"quick": labels}}
    entries = {"cells": [{**same, **cell} for cell in cells], "not_applicable": pairs}
    (folder / "suite.json").write_text(json.dumps(info | entries))


@pytest.mark.parametrize("together", [False, True])
def test_cells_and_labels_of_an_earlier_run_stay(
    fabricate: Fabricate, tmp_path: Path, results: Path, together: bool
) -> None:
    for name, model in (("a", "net[epochs=14]"), ("b", "forest[x=1]")):
        folder = tmp_path / "runs" / name / "smoke"
        record = fabricate(model, folder=folder / "records")
        planned(folder, 1, record, name, **{model: model.partition("[")[0].upper()})
        if not together:
            publish(folder, results)
    if together:
        publish(tmp_path / "runs", results)
    (board,) = boards_of(results / "smoke")
    statuses = {row.model: row.cause for row in board.rows}
    assert statuses == {
        **{"NET": "", "FOREST": "", "open a": "not run", "open b": "not run"},
        **{"refused a": "not applicable", "refused b": "not applicable"},
    }
    before = tree(results)
    publish(tmp_path / "runs" / ("a" if together else "b"), results)
    assert tree(results) == before


def test_the_plan_of_another_version_replaces_the_published_one(
    fabricate: Fabricate, tmp_path: Path, results: Path
) -> None:
    for version, name in ((1, "a"), (2, "b")):
        folder = tmp_path / name / "smoke"
        record = fabricate(
            "net", folder=folder / "records", suite={"version": version}, key=str(version) * 64
        )
        planned(folder, version, record, name)
        publish(folder, results)
    assert {row.model for board in boards_of(results / "smoke") for row in board.rows} == {
        *("net", "open b", "refused b")
    }


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"boards": [{}]}'])
def test_damaged_boards_of_another_suite_are_named_before_anything_is_written(
    fabricate: Fabricate, runs: Path, results: Path, damage: str
) -> None:
    fabricate("a")
    fabricate("a", folder=runs / "more" / "records", suite={"name": "more"}, key="a" * 64)
    publish(runs, results)
    (results / "more" / "leaderboard.json").write_text(damage)
    before = tree(results)
    fabricate("b")
    with pytest.raises(
        BadInput, match=r"more/leaderboard\.json cannot be read .* hmcbench publish .*more --to"
    ):
        publish(runs, results, "smoke")
    assert tree(results) == before
    publish(results / "more", results)
    publish(runs, results, "smoke")
    assert "2 models" in (results / "README.md").read_text()
