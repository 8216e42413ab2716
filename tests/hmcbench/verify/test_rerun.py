"""Cells that are fitted again: equal, near, different, and those that cannot be fitted here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hmcbench
from hmcbench.data.loading import load_dataset
from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset, DatasetSpec
from hmcbench.plan import cells
from hmcbench.records import given_data
from hmcbench.records.given_data import DataPaths, Given
from hmcbench.records.record import JSON, NPZ, Record, read_all, record_json
from hmcbench.records.rescore import rescore
from hmcbench.registry.registry import Registry, default_registry
from hmcbench.verify import rerun
from hmcbench.verify.rerun import RerunReport, _equal, cell_of, rerun_cells

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a tree with options and of the prior, on two folds of toy data. Read only."""
    out = tmp_path_factory.mktemp("rerun") / "runs"
    models = ["decision-tree[max_depth=3]", "prior"]
    settings: dict[str, Any] = {"datasets": ["toy-tree"], "folds": 2, "in_process": True, "progress": False}
    hmcbench.run("smoke", models=models, out=out, **settings)
    return out


@pytest.fixture
def runs(fitted: Path, tmp_path: Path) -> Path:
    shutil.copytree(fitted, tmp_path / "runs")
    return tmp_path / "runs"


def again(runs: Path, count: int = 10, seed: int = 0, **data: DataPaths) -> RerunReport:
    return rerun_cells(read_all(runs), count, data, default_registry(), seed=seed)


def change(record: Record, **parts: Any) -> None:
    write_atomic(record.path / JSON, record_json({**record.data, **parts}))


def test_records_are_planned_from_themselves(fitted: Path) -> None:
    for record in read_all(fitted):
        cell = cell_of(record, Given(default_registry()))
        assert cell.key == record.key
        assert cell.model_params == dict(record.data["model"]["params"])


def test_a_fit_is_repeated_as_it_was_computed(runs: Path) -> None:
    record = read_all(runs)[0]
    facts = {"precision": "float32", "threads": 1, "layout": "contiguous"}
    hardware = {**record.data["hardware"], "threads": 7}
    change(record, model={**record.data["model"], **facts}, hardware=hardware)
    cell = cell_of(read_all(runs)[0], Given(default_registry()))
    assert cell.threads == 7 and cell.computation is not None
    assert {name: cell.computation[name] for name in facts} == facts
    assert cell.key == record.key


def test_equal_near_and_other_predictions(cli: Cli, runs: Path) -> None:
    tree = [r for r in read_all(runs) if r.label != "prior"]
    prior = [r for r in read_all(runs) if r.label == "prior"]
    stored = tree[0].predictions()  # a little off, with the same decisions
    replace(stored, scores=np.clip(stored.scores + np.float32(1e-4), 0, 1)).save(tree[0].path / NPZ)
    shutil.copyfile(tree[1].path / NPZ, prior[1].path / NPZ)  # a tree that is called prior
    rescore(runs)
    assert cli("verify", runs).status in (0, 1)
    cells = {cell.record: cell for cell in again(runs).refitted}
    assert cells[tree[0].path.name].verdict == "within the interval"
    assert "scores differ by up to 0.0001" in cells[tree[0].path.name].text
    assert cells[tree[1].path.name].verdict == cells[prior[0].path.name].verdict == "equal bits"
    assert cells[prior[1].path.name].verdict == "not"
    ended = cli("verify", runs, "--rerun", "4", "--rerun-seed", "7", "--json")
    assert ended.status == 1
    report = json.loads(ended.out)["rerun"]
    assert (report["seed"], report["cells"], len(report["refitted"])) == (7, 4, 4)


def test_maps_and_novelty_are_compared_too(runs: Path) -> None:
    """Of pixels only the scores were compared, and there are none."""
    one = read_all(runs)[0].predictions()
    assert _equal(one, replace(one)) and not _equal(one, replace(one, novelty=np.zeros(len(one))))
    legend = np.eye(3, dtype=bool)
    maps = [LabelMaps([np.array([[0, value]], dtype=np.uint8)], legend) for value in (1, 2)]
    pixels = [replace(one, scores=np.zeros((1, 0)), maps=m) for m in (*maps, maps[0])]
    assert _equal(pixels[0], pixels[2]) and not _equal(pixels[0], pixels[1])


def test_the_choice_follows_the_seed(fitted: Path) -> None:
    chosen = [[cell.record for cell in again(fitted, 2, seed).refitted] for seed in (1, 1)]
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 2


def test_the_command_says_what_came_back(cli: Cli, fitted: Path) -> None:
    ended = cli("verify", fitted, "--rerun", "1", "--rerun-seed", "3")
    assert "fitted again: 1 of 4 cells, chosen at random (--rerun-seed 3)" in ended.out
    assert "equal bits" in ended.out


def test_other_data_versions_and_models_are_not_fitted(runs: Path) -> None:
    records = read_all(runs)
    parts = [
        {"dataset": {**records[0].data["dataset"], "fingerprint": "f" * 64}, "key": "0" * 64},
        {"model": {**records[1].data["model"], "version": "0.1"}, "key": "1" * 64},
        {"model": {**records[2].data["model"], "label": "nobody", "name": "nobody"}},
        {"model": {**records[3].data["model"], "brought": {"kind": "program"}}},
    ]
    for record, part in zip(records, parts, strict=True):
        change(record, **part)
    report = again(runs)
    assert report.refitted == []
    assert report.status == 3
    assert report.cells == 3  # brought predictions are no candidates
    reasons = " ".join(report.not_here)
    for text in ("the data of the record is ffffffffffff", "of the record is 0.1", "unknown model 'nobody'"):
        assert text in reasons


def test_records_without_predictions_are_named_before_anything_is_fitted(runs: Path) -> None:
    """They were found when all cells were fitted, and took the verdicts on the others with them."""
    left, damaged, *others = read_all(runs)
    change(left, predictions={"left_out": True, "sha256": "0" * 64, "bytes": 1})
    (left.path / NPZ).unlink()
    (damaged.path / NPZ).write_bytes(b"torn")
    report = again(runs)
    assert {cell.record for cell in report.refitted} == {record.path.name for record in others}
    by_reason = {names[0]: reason for reason, names in report.not_here.items()}
    assert by_reason[left.path.name] == "their predictions were not published."
    assert "cannot be read" in by_reason[damaged.path.name]


def test_a_cell_that_cannot_be_compared_leaves_the_others(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = read_all(runs)[1].path.name
    compared = rerun._compared

    def compare(record: Record, *more: Any) -> Any:
        if record.path.name == broken:
            raise BadInput("its file is torn")
        return compared(record, *more)

    monkeypatch.setattr(rerun, "_compared", compare)
    report = again(runs)
    assert len(report.refitted) == 3
    assert report.not_here == {"no comparison: its file is torn.": [broken]}


def test_what_is_wrong_with_one_record_says_nothing_of_its_data(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that started from another model, or a parameter that is gone: all its data were called absent."""
    tree = [record for record in read_all(runs) if record.label != "prior"]
    start = {"init_from": {"key": "0" * 64}, "label": f"{tree[0].label} from 00000000"}
    change(tree[0], model={**tree[0].data["model"], **start})
    change(tree[1], model={**tree[1].data["model"], "params": {"gone": 1}})
    fitted_again: list[list[str]] = []
    monkeypatch.setattr(rerun, "_fit", lambda pairs, *_: fitted_again.append([r.label for r, _ in pairs]))
    for seed in range(4):  # whatever comes first
        report = again(runs, seed=seed)
        assert fitted_again[-1] == ["prior", "prior"]
        reasons = {names[0]: reason for reason, names in report.not_here.items()}
        assert reasons[tree[0].path.name] == "they started from the trained model of another record."
        assert "gone" in reasons[tree[1].path.name]


def test_data_that_are_absent_are_tried_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def absent(*_arguments: Any) -> None:
        tries.append(1)
        raise BadInput("no such folder")

    for module in (rerun, cells):
        monkeypatch.setattr(module, "load_datasets", absent)
    report = again(runs)
    assert (len(tries), report.status) == (2, 3)  # to plan the first, and to see that the data are why
    assert [len(names) for names in report.not_here.values()] == [4]


def test_data_of_ones_own_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas", reason="the plugin for tables reads with it")
    monkeypatch.chdir(tmp_path)
    rows = [f"{i},{(i * 7) % 13},{'ab'[i % 2]},{'ab'[i % 2]}{(i // 2) % 2}" for i in range(80)]
    Path("alloys.csv").write_text("x,y,family,phase\n" + "\n".join(rows) + "\n")
    settings: dict[str, Any] = {"models": ["prior"], "in_process": True, "progress": False}
    hmcbench.run(table="alloys.csv", labels=["family", "phase"], **settings)
    lost = again(Path("runs"), 2)
    assert (lost.status, [reason.rpartition(": ")[2] for reason in lost.not_here]) == (
        3,
        ["--data table=PATH"],
    )
    there = again(Path("runs"), 2, table="alloys.csv")
    assert [cell.verdict for cell in there.refitted] == ["equal bits"] * 2
    Path("others.csv").write_text("x,hardness\n" + "\n".join(rows) + "\n")
    beside = again(Path("runs"), 2, table=["others.csv", "alloys.csv"])
    assert [cell.verdict for cell in beside.refitted] == ["equal bits"] * 2
    reads: list[str] = []

    def counted(registry: Registry, spec: DatasetSpec, params: dict[str, Any]) -> Dataset:
        reads.append(Path(params["path"]).name)
        return load_dataset(registry, spec, params)

    monkeypatch.setattr(given_data, "load_dataset", counted)
    unread = again(Path("runs"), 2, table=["others.csv", "gone.csv"])
    assert (reads, unread.status) == (["others.csv", "gone.csv"], 3)  # once, for all records
    assert [len(names) for names in unread.not_here.values()] == [unread.cells] and unread.cells > 1
    assert "others.csv" in next(iter(unread.not_here))
    by_suite = again(Path("runs"), 1, alloys="alloys.csv")  # the name of a suite with one dataset
    assert [cell.verdict for cell in by_suite.refitted] == ["equal bits"]


def test_bad_flags(cli: Cli, fitted: Path) -> None:
    for flags, says in (
        (("--rerun", "0"), "--rerun"),
        (("--rerun-seed", "1"), "--rerun-seed without --rerun"),
    ):
        ended = cli("verify", fitted, *flags)
        assert ended.status == 2
        assert says in ended.err


@pytest.mark.parametrize("as_json", [False, True])
def test_a_damaged_record_does_not_take_the_report_with_it(cli: Cli, runs: Path, as_json: bool) -> None:
    (read_all(runs)[0].path / JSON).write_text("{")
    ended = cli("verify", runs, "--rerun", "1", *(["--json"] if as_json else []))
    assert ended.status == 1 and not ended.err
    assert "cannot be read" in ended.out and ("refitted" if as_json else "fitted again: 1 of 3") in ended.out
