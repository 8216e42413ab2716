from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.leaderboard import files as files_module
from hmcbench.leaderboard.files import boards_of
from hmcbench.publish.publish import publish
from hmcbench.records.record import JSON, NPZ, Record, read_all

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
        "smoke/README.md",
        "smoke/index.html",
        "smoke/leaderboard.csv",
        "smoke/leaderboard.json",
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
