"""Predictions made elsewhere: their records, their place on boards, and everything that is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hmcbench
from hmcbench.derive import places
from hmcbench.derive.answers import opaque_id
from hmcbench.derive.brought import files_in
from hmcbench.derive.places import places_of_records
from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.leaderboard.files import boards_of
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import JSON, Record, read_all, record_json
from hmcbench.registry.registry import default_registry

from .conftest import Write, record_of

Cli = Callable[..., Any]
Side = Sequence[Sequence[Any]]


@pytest.fixture
def runs(toy_run: Path, tmp_path: Path) -> Path:
    """A copy of the toy run that a test may change."""
    shutil.copytree(toy_run, tmp_path / "runs")
    return tmp_path / "runs"


def scores_of(predictions: Predictions, side: str) -> tuple[list[str], Side]:
    """Header and rows of a file of scores, with all their digits."""
    part = predictions.of_side(side)
    assert part.task.hierarchy is not None
    rows = [[name, *row] for name, row in zip(part.ids, part.scores.astype(float).tolist(), strict=True)]
    return ["id", *part.task.hierarchy.classes], rows


def labels_of(predictions: Predictions, side: str = "test") -> tuple[list[str], Side]:
    """Header and rows of a file of true label sets."""
    part = predictions.of_side(side)
    assert part.task.hierarchy is not None
    sets = part.truth.toarray()
    rows = [
        [name, "|".join(part.task.hierarchy.decode(row))] for name, row in zip(part.ids, sets, strict=True)
    ]
    return ["id", "labels"], rows


def brought(runs: Path) -> list[Record]:
    return [record for record in read_all(runs) if record.brought]


@pytest.mark.parametrize("dataset", ["toy-tree", "toy-dag"])
def test_the_predictions_of_a_run_come_back_with_its_metrics(
    cli: Cli, runs: Path, write: Write, dataset: str
) -> None:
    """Single paths, and several paths whose threshold is fitted on validation."""
    first = record_of(runs, dataset, "random")
    files = [write(f"{s}.csv", *scores_of(first.predictions(), s)) for s in ("test", "validation")]
    args = ("--suite", "smoke", "--dataset", dataset, "--name", "Clus 2.11", "--predictions", files[0])
    ended = cli("bring", runs, *args, "--validation", files[1], "--seconds", "12", "--seconds", "fit=10")
    assert ended.status == 0, ended.err
    (record,) = brought(runs)
    assert record.data["metrics"] == first.data["metrics"]
    assert record.thresholds is None or record.thresholds.values == first.thresholds.values
    assert (record.predictions().scores == first.predictions().scores).all()
    assert record.part("timing") == {"total_s": 12.0, "fit_s": 10.0}
    assert record.brought["form"] == "scores"
    board = next(b for b in boards_of(runs / "smoke") if b.dataset == dataset)
    row = next(row for row in board.rows if row.model == "Clus 2.11")
    assert "brought" in row.marks
    assert row.cells["hf1_samples"].mean == first.metrics("test")["hf1_samples"]
    assert board.hardware["B"] == "hardware not stated, as stated by the author of the row"
    assert cli("verify", runs).status == 0


@pytest.mark.usefixtures("failing_metric")
def test_a_metric_that_fails_is_told_by_the_record(cli: Cli, runs: Path, write: Write) -> None:
    file = write("p.csv", *scores_of(record_of(runs, "toy-tree", "random").predictions(), "test"))
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions", file)
    assert cli("bring", runs, *args).status == 0
    (record,) = brought(runs)
    assert record.part("metric_failures")["test"]["mine"] == "RuntimeError: no such thing"


def test_the_bound_on_risk_is_that_of_the_other_rows(cli: Cli, runs: Path, write: Write) -> None:
    """It was used for the metrics and not recorded, so that everything read later used 0.05."""
    for record in read_all(runs):
        decision = {**record.data["decision"], "alpha": 0.1}
        write_atomic(record.path / JSON, record_json({**record.data, "decision": decision}))
    first = record_of(runs, "toy-tree", "random")
    files = [write(f"{s}.csv", *scores_of(first.predictions(), s)) for s in ("test", "validation")]
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions", files[0])
    assert cli("bring", runs, *args, "--validation", files[1]).status == 0
    (record,) = brought(runs)
    assert record.part("decision")["alpha"] == 0.1


def test_sets_have_the_metrics_of_sets_and_no_costs(cli: Cli, runs: Path, write: Write) -> None:
    first = record_of(runs, "toy-tree", "prior")
    head, rows = labels_of(first.predictions())
    wrong = [[name, "a1" if i % 5 == 0 else label] for i, (name, label) in enumerate(rows)]
    path = write("p.csv", head, reversed(wrong))
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "sets", "--predictions", path)
    assert cli("bring", runs, *args).status == 0
    (record,) = brought(runs)
    test = first.predictions().of_side("test")
    hierarchy = test.task.hierarchy
    assert hierarchy is not None
    sets = hierarchy.encode([[label] for _, label in wrong])
    expected = compute(SPECS, Evaluation.of_sets(hierarchy, test.truth, sets, "single"))
    of_closed_sets = {"incoherent_rate", "tice"}  # always 0
    assert record.metrics("test") == {k: v for k, v in expected.items() if k not in of_closed_sets}
    assert not {"auprc_micro", "hf1_samples_raw", "level1_ece"} & set(expected)
    board = next(b for b in boards_of(runs / "smoke") if b.dataset == "toy-tree")
    row = next(row for row in board.rows if row.model == "sets")
    assert row.rank == 1
    assert row.cells["hf1_samples"].low is not None
    assert "auprc_micro" not in row.cells
    assert row.costs == {}
    assert len(board.hardware) == 1
    assert cli("verify", runs).status == 0


def test_brought_rows_are_published_verified_compared_and_drawn(
    cli: Cli, runs: Path, write: Write, tmp_path: Path
) -> None:
    path = write("p.csv", *labels_of(record_of(runs, "toy-tree", "prior").predictions()))
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "=Ann <b>", "--predictions", path)
    assert cli("bring", runs, *args, "--deterministic", "--note", "by hand").status == 0
    assert cli("publish", runs, "--to", tmp_path / "results", "--no-figures").status == 0
    assert cli("verify", tmp_path / "results").status == 0
    page = (tmp_path / "results" / "smoke" / "index.html").read_text()
    assert "sets by another program; by hand" in page
    compared = cli("compare", runs, "=Ann <b>", "prior")
    assert "better than prior" in compared.out
    assert "=Ann <b>: predictions were made elsewhere" in compared.out
    (record,) = brought(runs)
    figures = cli("figures", record.path)
    assert figures.status == 0, figures.err
    assert "confusion-level1" in figures.out
    assert "reliability" not in figures.out


@pytest.mark.parametrize("command", ["predict", "explain", "importance"])
def test_what_needs_a_model_says_that_there_is_none(cli: Cli, runs: Path, write: Write, command: str) -> None:
    path = write("p.csv", *labels_of(record_of(runs, "toy-tree", "prior").predictions()))
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions", path)
    assert cli("bring", runs, *args).status == 0
    (record,) = brought(runs)
    ended = cli(command, record.path, *([path] if command != "importance" else []))
    assert ended.status == 2
    assert "brought from another program: there is no model of them here" in ended.err


def test_an_ensemble_of_all_rows_leaves_brought_ones_out(cli: Cli, runs: Path, write: Write) -> None:
    path = write("p.csv", *labels_of(record_of(runs, "toy-tree", "prior").predictions()))
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions", path)
    assert cli("bring", runs, *args).status == 0
    assert cli("ensemble", runs, "--best", "3").status == 0
    ended = cli("ensemble", runs, "--rows", "mine,prior")
    assert ended.status == 2
    assert "predicts other samples" in ended.err or "label sets without scores" in ended.err


def test_the_same_name_twice_says_what_to_do(cli: Cli, runs: Path, write: Write) -> None:
    first = record_of(runs, "toy-tree", "random").predictions()
    path = write("p.csv", *scores_of(first, "test"))
    args = ("bring", runs, "--suite", "smoke", "--dataset", "toy-tree", "--predictions", path)
    assert cli(*args, "--name", "mine").status == 0
    assert cli(*args, "--name", "mine").status == 0  # the same again: what a try that was cut short left
    assert len(brought(runs)) == 1
    head, rows = scores_of(first, "test")
    write("p.csv", head, [[name, *reversed(row)] for name, *row in rows])
    again = cli(*args, "--name", "mine")
    assert again.status == 2
    assert "has predictions called 'mine' already (toy-tree, fold 0, seed 0)" in again.err
    assert "--replace" in again.err
    taken = cli(*args, "--name", "prior", "--replace")
    assert taken.status == 2
    assert "a row 'prior' that hmcbench made" in taken.err
    assert cli(*args, "--name", "mine", "--replace").status == 0
    (record,) = brought(runs)
    assert record.predictions().scores[0].tolist() == first.of_side("test").scores[0][::-1].tolist()
    assert cli(*args, "--name", "mine", "--seed", "1").status == 0
    assert {r.seed for r in brought(runs)} == {0, 1}


def test_without_records_the_suite_is_planned(cli: Cli, toy_run: Path, write: Write, tmp_path: Path) -> None:
    first = record_of(toy_run, "toy-tree", "random")
    path = write("p.csv", *scores_of(first.predictions(), "test"))
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions", path)
    ended = cli("bring", tmp_path / "new", *args)
    assert ended.status == 0, ended.err
    (record,) = brought(tmp_path / "new")
    assert record.metrics("test") == first.metrics("test")
    assert record.data["split"] == first.data["split"]
    assert record.data["dataset"] == first.data["dataset"]
    (board,) = boards_of(tmp_path / "new" / "smoke")
    assert [row.model for row in board.rows] == ["mine"]
    assert [c.id for c in board.columns][:3] == ["hf1_samples", "hf1_micro", "exact_match"]
    shutil.rmtree(tmp_path / "new" / "smoke" / "records" / record.path.name)
    assert cli("bring", tmp_path / "new" / "smoke", *args).status == 0


def test_raters_are_rows_with_agreement_and_time(cli: Cli, runs: Path, write: Write) -> None:
    head, truth = labels_of(record_of(runs, "toy-tree", "prior").predictions())
    said = {
        who: [[name, "b2" if i % step == 0 else label] for i, (name, label) in enumerate(truth)]
        for who, step in (("Ann", 7), ("Ben", 4), ("Cid", 2))
    }
    args = ("bring", runs, "--suite", "smoke", "--dataset", "toy-tree")
    timed = write("ann.csv", [*head, "seconds"], [[*row, 2 + i % 3] for i, row in enumerate(said["Ann"])])
    both = [[who, *row] for who in ("Ben", "Cid") for row in said[who]]
    shared = write("both.csv", ["id", "rater", "labels"], [[name, who, label] for who, name, label in both])
    assert cli(*args, "--rater", f"Ann={timed}").status == 0
    ended = cli(*args, "--predictions", shared)
    assert ended.status == 0, ended.err
    assert "agreement of raters: level 1, 50 samples: Fleiss' kappa of 3 raters" in ended.out
    ann, ben, _cid = sorted(brought(runs), key=lambda record: record.label)
    assert ann.part("timing") == {"predict_s": 149.0, "latency_p50_ms": 3000.0}
    assert ben.part("timing") == ben.part("hardware") == {}
    assert all(record.brought["kind"] == "rater" and record.deterministic for record in brought(runs))
    board = next(b for b in boards_of(runs / "smoke") if b.dataset == "toy-tree")
    assert board.hardware["B"] == "a person, as stated by the author of the row"
    assert [row.model for row in board.rows[:3]] == ["Ann", "Ben", "Cid"]
    assert "Ann is better than Cid" in cli("compare", runs, "Ann", "Cid").out
    assert "Ann is ahead of the random trained here" in cli("compare", runs, "Ann", "random").out
    twice = cli(*args, "--rater", f"Dan={shared}")
    assert "has a column rater" in twice.err
    assert cli("verify", runs).status == 0


def test_a_threshold_of_ones_own(cli: Cli, runs: Path, write: Write) -> None:
    first = record_of(runs, "toy-dag", "random").predictions()
    files = [write(f"{s}.csv", *scores_of(first, s)) for s in ("test", "validation")]
    args = ("bring", runs, "--suite", "smoke", "--dataset", "toy-dag", "--predictions", files[0])
    assert cli(*args, "--name", "plain").status == 0
    assert cli(*args, "--name", "high", "--threshold", "0.9").status == 0
    limits = {r.label: r.part("decision")["thresholds"] for r in brought(runs)}
    assert limits == {"plain": 0.5, "high": 0.9}
    both = cli(*args, "--name", "both", "--threshold", "0.9", "--validation", files[1])
    assert both.status == 2
    assert "--threshold 0.9 with --validation" in both.err
    assert cli("verify", runs).status == 0


HEAD, ROW = "id,a,b,a1,a2,b1,b2,b3", "0.9,0.1,0.8,0.1,0.05,0.05,0"
WRONG: dict[str, tuple[str, Callable[[list[str]], list[str]], str]] = {
    "an unknown id": (HEAD, lambda ids: [f"{i},{ROW}" for i in [*ids, "q"]], "'q' is no sample"),
    "a training id": (HEAD, lambda ids: [f"{i},{ROW}" for i in [*ids, "tree-00000"]], "no sample that is"),
    "missing samples": (HEAD, lambda ids: [f"{i},{ROW}" for i in ids[2:]], "(and 1 more)"),
    "an id twice": (HEAD, lambda ids: [f"{i},{ROW}" for i in [*ids, ids[0]]], "twice, first in line 2"),
    "an unknown class": ("id,labels", lambda ids: [f"{i},a9" for i in ids], "unknown class 'a9'"),
    "an unknown column": (HEAD + ",zz", lambda ids: [f"{i},{ROW},0" for i in ids], "unknown class 'zz'"),
    "no column for a class": ("id,a,b", lambda ids: [f"{i},1,0" for i in ids], "no column for class 'a1'"),
    "NaN": (HEAD, lambda ids: [f"{i},nan,{ROW[4:]}" for i in ids], "the score of 'a' is 'nan'"),
    "an empty cell": (HEAD, lambda ids: [f"{i},,{ROW[4:]}" for i in ids], "the score of 'a' is ''"),
    "a score above 1": (HEAD, lambda ids: [f"{i},1.5,{ROW[4:]}" for i in ids], "a number from 0 to 1"),
    "a score below 0": (HEAD, lambda ids: [f"{i},-1e-3,{ROW[4:]}" for i in ids], "a number from 0 to 1"),
    "two paths": ("id,labels", lambda ids: [f"{i},a1|b1" for i in ids], "lie on several paths"),
    "short rows": ("id,labels", list, "1 cells"),
    "no header": ("", lambda ids: [f"{i},a1" for i in ids], "the header is"),
    "no rows": ("id,labels", lambda _ids: [], "no rows below the header"),
    "nothing": ("", lambda _ids: [], "the file is empty"),
    "words": ("id,labels,seconds", lambda ids: [f"{i},a1,long" for i in ids], "seconds is 'long'"),
    "no rater": ("id,labels,rater", lambda ids: [f"{i},a1," for i in ids], "no rater"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_one_line_and_nothing_is_written(
    cli: Cli, toy_run: Path, tmp_path: Path, case: str
) -> None:
    head, lines, says = WRONG[case]
    ids = list(record_of(toy_run, "toy-tree", "prior").predictions().of_side("test").ids)
    path = tmp_path / "p.csv"
    path.write_text("\n".join(filter(None, [head, *lines(ids)])) + "\n")
    before = {p: p.stat().st_mtime_ns for p in toy_run.rglob("*")}
    name = () if case == "no rater" else ("--name", "mine")
    ended = cli("bring", toy_run, "--suite", "smoke", "--dataset", "toy-tree", "--predictions", path, *name)
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert says in ended.err
    assert {p: p.stat().st_mtime_ns for p in toy_run.rglob("*")} == before


def test_a_sample_by_its_id_and_by_its_digest(cli: Cli, toy_run: Path, write: Write) -> None:
    """Both were one key, and the rows below it went to other samples."""
    record = record_of(toy_run, "toy-tree", "prior")
    head, rows = labels_of(record.predictions())
    first = str(rows[0][0])
    digest = opaque_id(str(record.data["dataset"]["fingerprint"]), first)
    path = write("p.csv", head, [rows[0], [digest, rows[0][1]], *rows[1:]])
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions", path)
    ended = cli("bring", toy_run, *args)
    assert ended.status == 2
    assert f"p.csv:3: {digest!r} and line 2 are the same sample" in ended.err


def test_validation_answers_of_raters(cli: Cli, runs: Path, write: Write) -> None:
    """They were looked up by a name that files of single raters do not have."""
    first = record_of(runs, "toy-tree", "random").predictions()
    head, rows = labels_of(first)
    _, more = labels_of(first, "validation")
    files = {who: write(f"{who}.csv", head, rows) for who in ("Ann", "Ben")}
    both = [[name, label, who] for who in files for name, label in more]
    shared = write("v.csv", [*head, "rater"], both)
    args = ["bring", runs, "--suite", "smoke", "--dataset", "toy-tree"]
    raters = [part for who, path in files.items() for part in ("--rater", f"{who}={path}")]
    plain = cli(*args, *raters, "--validation", write("w.csv", head, more))
    assert plain.status == 2
    assert "w.csv has no rows of Ann. Allowed: a column rater" in plain.err
    ended = cli(*args, *raters, "--validation", shared)
    assert ended.status == 0, ended.err
    assert [r.label for r in brought(runs)] == list(files)
    assert all(r.brought["sides"] == ["validation", "test"] for r in brought(runs))
    one = cli(*args, "--rater", f"Cid={files['Ann']}", "--validation", write("w.csv", head, more))
    assert one.status == 0, one.err


def test_validation_in_the_wrong_file(cli: Cli, runs: Path, write: Write) -> None:
    first = record_of(runs, "toy-tree", "random").predictions()
    head, rows = scores_of(first, "test")
    _, more = scores_of(first, "validation")
    args = ("bring", runs, "--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions")
    ended = cli(*args, write("p.csv", head, [*rows, *more]))
    assert "is a validation sample of toy-tree, fold 0" in ended.err
    assert "--validation FILE" in ended.err
    ended = cli(*args, write("p.csv", head, rows), "--validation", write("v.csv", head, rows))
    assert "is a test sample" in ended.err
    ended = cli(*args, write("p.csv", head, rows), "--validation", write("v.csv", *labels_of(first)))
    assert "has scores" in ended.err
    assert not brought(runs)


FLAGS = [
    ((), "no predictions are named"),
    (("--predictions", "p.csv", "--rater", "A=p.csv"), "--predictions and --rater together"),
    (("--predictions", "p.csv"), "the suite has 3 datasets. Allowed: --dataset"),
    (("--predictions", "p.csv", "--dataset", "toy-tre"), "did you mean 'toy-tree'"),
    (("--predictions", "p.csv", "--dataset", "toy-tree"), "the row has no name"),
    (("--predictions", "p.csv", "--dataset", "toy-tree", "--name", "x" * 41), "up to 40 printable"),
    (("--predictions", "p.csv", "--dataset", "toy-tree", "--name", "x", "--fold", "3"), "--fold 3"),
    (("--predictions", "none.csv", "--dataset", "toy-tree", "--name", "x"), "none.csv"),
    (("--predictions", ".", "--name", "x"), "holds no predictions"),
    (("--predictions", ".", "--name", "x", "--seed", "1"), "--seed with the folder"),
    (("--predictions", "p.csv", "--seconds", "soon"), "--seconds total=soon"),
    (("--predictions", "p.csv", "--seconds", "walk=3"), "--seconds walk=3"),
    (("--predictions", "p.csv", "--seconds", "nan"), "--seconds total=nan"),
    (("--predictions", "p.csv", "--threshold", "2"), "--threshold 2"),
    (("--rater", "A"), "NAME=FILE"),
    (("--rater", "A=p.csv", "--name", "x", "--dataset", "toy-tree"), "--name x with raters"),
    (("--predictions", "p.csv", "--profile", "papr", "--dataset", "toy-tree"), "unknown profile"),
]


@pytest.mark.parametrize(("args", "says"), FLAGS, ids=[" ".join(a) for a, _ in FLAGS])
def test_bad_flags(
    cli: Cli,
    toy_run: Path,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write("p.csv", *labels_of(record_of(toy_run, "toy-tree", "prior").predictions()))
    ended = cli("bring", toy_run, "--suite", "smoke", *args)
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1
    assert says in ended.err
    assert not brought(toy_run)


@pytest.mark.parametrize("flag", ["--folds=3", "--splits=4"])
def test_another_protocol_than_that_of_the_records_is_refused(
    cli: Cli, runs: Path, write: Write, flag: str
) -> None:
    """smoke has one holdout split; the one that it has may be named."""
    file = write("p.csv", *scores_of(record_of(runs, "toy-tree", "random").predictions(), "test"))
    base = ["bring", runs, "--suite", "smoke", "--dataset", "toy-tree", "--predictions", file]
    ended = cli(*base, "--name", "other", flag)
    assert ended.status == 2 and flag.replace("=", " ") in ended.err and "1 splits of kind" in ended.err
    assert not brought(runs)
    assert cli(*base, "--name", "same", "--splits=1").status == 0


def test_brought_rows_alone_name_their_splits(cli: Cli, runs: Path, write: Write) -> None:
    """A suite file that is not at hand any more: what was brought has the truth."""
    file = write("p.csv", *scores_of(record_of(runs, "toy-tree", "random").predictions(), "test"))
    base = ["bring", runs, "--dataset", "toy-tree", "--predictions", file, "--suite"]
    assert cli(*base, "smoke", "--name", "first").status == 0
    for record in read_all(runs):
        if not record.brought:
            shutil.rmtree(record.path)
    (runs / "smoke").rename(runs / "gone")
    ended = cli(*base, "gone", "--name", "second")
    assert ended.status == 0, ended.err
    assert {record.label for record in brought(runs)} == {"first", "second"}


def test_folds_of_an_interrupted_run(
    cli: Cli, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the folds that had not run were left out without a word."""
    run, task = tmp_path / "runs", tmp_path / "task"
    settings = ("--dataset", "toy-tree", "--folds", "3")
    hmcbench.run("smoke", datasets=["toy-tree"], models=["prior"], folds=3, out=run, progress=False)
    shutil.rmtree(next(record.path for record in read_all(run) if record.fold == 2))
    assert cli("export-task", "smoke", *settings, "--to", task).status == 0
    for example in task.rglob("example.csv"):
        shutil.copyfile(example, example.with_name("predictions.csv"))
    args = ("bring", run, "--suite", "smoke", "--predictions", task, "--name")
    ended = cli(*args, "all", "--folds", "3")
    assert ended.status == 0, ended.err
    assert [record.fold for record in brought(run)] == [0, 1, 2]
    (board,) = boards_of(run / "smoke")
    assert len(board.split) == 3
    for record in brought(run):
        shutil.rmtree(record.path)
    (task / "toy-tree" / "fold-2").rename(tmp_path / "fold-2")  # the folds with records are enough
    assert cli(*args, "two").status == 0
    assert [record.fold for record in brought(run)] == [0, 1]
    for record in brought(run):
        shutil.rmtree(record.path)
    (tmp_path / "fold-2").rename(task / "toy-tree" / "fold-2")
    monkeypatch.setattr(places, "places_of_suite", unplanned)  # its file or data are not here
    ended = cli(*args, "some")
    assert ended.status == 2
    assert "fold-2/seed-0/predictions.csv is of a fold without a record. Allowed:" in ended.err
    file = task / "toy-tree" / "fold-2" / "seed-0" / "predictions.csv"
    ended = cli(*args[:4], "--predictions", file, "--fold", "2", "--name", "one")
    assert ended.status == 2
    assert "one of 0, 1. the suite has 3 splits; for one without records add --suite FILE.toml" in ended.err
    folder = file.parents[1]
    for other in ("fold-7", "fold-02", "fold-01"):
        folder = folder.rename(folder.with_name(other))
        ended = cli(*args, "some")
        assert f"{other}/seed-0/predictions.csv is of no fold of the suite. Allowed:" in ended.err
        assert "without records" not in ended.err and not brought(run)


@pytest.mark.parametrize("name", ["seed-00", "seed-1.5", "seed-\u0661"])
def test_a_seed_is_written_as_it_is_exported(tmp_path: Path, runs: Path, name: str) -> None:
    """``seed-00`` beside ``seed-0`` would have made two records of one seed."""
    found = places_of_records(read_all(runs), default_registry(), dataset="toy-tree")
    for seed in ("seed-0", name):
        path = tmp_path / found[0].folder / seed / "predictions.csv"
        path.parent.mkdir(parents=True)
        path.touch()
    with pytest.raises(BadInput, match=r"is no seed. Allowed: seed-0, seed-1"):
        files_in(tmp_path, found)


def unplanned(*_arguments: Any) -> None:
    raise BadInput("no data here")


def test_validation_samples_that_the_first_brought_row_lacks(
    cli: Cli, runs: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = record_of(runs, "toy-dag", "random").predictions()
    files = [write(f"{side}.csv", *scores_of(first, side)) for side in ("test", "validation")]
    base = ["bring", runs, "--suite", "smoke", "--dataset", "toy-dag", "--predictions", files[0], "--name"]
    assert cli(*base, "first").status == 0
    for record in read_all(runs):
        if not record.brought:
            shutil.rmtree(record.path)
    ended = cli(*base, "second", "--validation", files[1])
    assert ended.status == 0, ended.err
    by_name = {record.label: record for record in brought(runs)}
    assert by_name["second"].data["split"] == by_name["first"].data["split"]
    shutil.rmtree(by_name["second"].path)
    monkeypatch.setattr(places, "places_of_suite", unplanned)
    ended = cli(*base, "third", "--validation", files[1])
    assert ended.status == 2
    assert "validation.csv: no record of toy-dag, fold 0 has its validation samples" in ended.err


def test_variants_of_one_dataset_have_no_place(fabricate: Callable[..., Record]) -> None:
    """The row went to the board that was made last."""
    registry = default_registry()
    records = [fabricate("a"), fabricate("a", split={"train_share": [0.5]})]
    with pytest.raises(BadInput, match="smoke has 2 boards of toy, which vary the samples"):
        places_of_records(records, registry)
    older = fabricate("a", split={"train_share": [0.1]}, suite={"version": 0}, created="2020-01-01T00:00:00")
    assert len(places_of_records([records[0], older], registry)) == 1


def test_a_suite_is_needed(cli: Cli, tmp_path: Path, write: Write) -> None:
    path = write("p.csv", ["id", "labels"], [["1", "a"]])
    ended = cli("bring", tmp_path / "none", "--predictions", path, "--name", "x")
    assert ended.status == 2
    assert "--suite is missing" in ended.err
    ended = cli("bring", tmp_path / "none", "--suite", "smok", "--predictions", path, "--name", "x")
    assert "did you mean 'smoke'" in ended.err
    assert not (tmp_path / "none").exists()


def test_a_regression(cli: Cli, tmp_path: Path, write: Write, fabricate: Callable[..., Record]) -> None:
    from hmcbench.interfaces import Task

    truth = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]])
    task = Task(kind="regression", targets=("y", "z"))
    stored = Predictions(list("abc"), ["test"] * 3, truth + 0.5, task, truth)
    changes = {"dataset": {"task": "regression", "targets": ["y", "z"]}, "split": {"counts": {"test": 3}}}
    suite = {"primary": "r2"}
    fabricate("ridge", predictions=stored, metrics={"test": {"r2": 0.5}}, suite=suite, **changes)
    path = write("p.csv", ["id", "z", "y"], [["b", 1, 2], ["a", 2, 1], ["c", 5, 3.5]])
    args = ("bring", tmp_path / "runs", "--suite", "smoke", "--name", "mine", "--predictions", path)
    assert cli(*args).status == 0
    (record,) = brought(tmp_path / "runs")
    assert record.predictions().scores.tolist() == [[1, 2], [2, 1], [3.5, 5]]
    assert record.metrics("test")["mae"] == pytest.approx(0.5 / 6)
    write("p.csv", ["id", "z", "y"], [["b", 1, 2], ["a", 2, "inf"], ["c", 5, 3.5]])
    assert "'y' is 'inf'" in cli(*args, "--replace").err
    write("p.csv", ["id", "z", "q"], [["b", 1, 2]])
    assert "unknown target 'q'" in cli(*args, "--replace").err


def test_a_record_of_sets_says_so(cli: Cli, runs: Path, write: Write) -> None:
    path = write("p.csv", *labels_of(record_of(runs, "toy-tree", "prior").predictions()))
    args = ("--suite", "smoke", "--dataset", "toy-tree", "--name", "mine", "--predictions", path)
    assert cli("bring", runs, *args).status == 0
    (record,) = brought(runs)
    assert record.predictions().only_sets
    assert record.predictions().of_side("test").only_sets
    stored = json.loads((record.path / "record.json").read_text())["model"]["brought"]
    assert stored["sides"] == ["test"]
    assert list(stored["sha256"]) == ["p.csv"]
    assert cli("rescore", runs).status == 0
    assert brought(runs)[0].data["metrics"] == record.data["metrics"]
