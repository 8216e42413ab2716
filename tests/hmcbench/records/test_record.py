from __future__ import annotations

import errno
import gc
import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.metrics.promise import ALPHA
from hmcbench.records import record as record_module
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import (
    JSON,
    NPZ,
    SCHEMA,
    FoldSeed,
    NotPublished,
    Record,
    begin_record,
    commit_record,
    each_record,
    folder_name,
    read_all,
    read_record,
    record_folders,
    record_json,
    records_dir,
    remove_second,
    slug,
    suite_folder,
    sweep_cell,
    sweep_killed,
    sweep_run,
)
from hmcbench.testing.helpers import tiny_dataset

DATA: dict[str, Any] = {
    "schema": SCHEMA,
    "key": "0123456789abcdef0123",
    "status": "ok",
    "suite": {"name": "s"},
    "dataset": {"name": "toy tree/x"},
    "split": {"fold": 2},
    "model": {"label": "timm:net[head=leaf]"},
    "profile": "quick",
    "seed": 3,
    "metrics": {},
}


def test_a_record_appears_whole_under_a_name_that_ends_with_its_key(tmp_path: Path) -> None:
    part = begin_record(tmp_path, DATA["key"])
    assert read_all(tmp_path) == []
    record = commit_record(part, tmp_path, DATA)
    assert record.path.name == "toy-tree-x--timm-net-head-leaf--f2-s3--0123456789abcdef"
    (stored,) = read_all(tmp_path)
    assert stored.data == DATA
    assert stored.ok
    assert not part.exists()


@pytest.mark.parametrize("name", ["sem-failure", "Ti64.v2_b", "0", "a" * 60])
def test_a_suite_with_a_plain_name_has_a_folder_of_that_name(name: str) -> None:
    assert records_dir(Path("runs"), name) == Path("runs", name, "records")


@pytest.mark.parametrize(
    "names",
    [
        ("钢铁", "陶瓷", "x"),
        ("a/b", "a:b", "a b", "a-b"),
        ("metal " + "x" * 60 + "1", "metal " + "x" * 60 + "2"),
        (".hidden", "hidden", "hidden."),
        ("..", ".", "x"),
    ],
)
def test_suites_of_different_names_have_different_folders(names: tuple[str, ...]) -> None:
    folders = {suite_folder(name) for name in names}
    assert len(folders) == len(names)
    assert all(folder == slug(folder) for folder in folders)  # safe on every file system


def test_a_record_says_what_it_is_of(tmp_path: Path) -> None:
    timing = {"total_s": 2.0}
    record = Record(tmp_path, {**DATA, "metrics": {"test": {"f1": 0.5}}, "timing": timing})
    assert record.short_key == "0123456789abcdef"
    assert (record.suite, record.profile, record.fold, record.seed) == ("s", "quick", 2, 3)
    assert record.fold_seed == FoldSeed(fold=2, seed=3) == (2, 3)
    assert record.pair == (record.dataset, record.label) == ("toy tree/x", "timm:net[head=leaf]")
    assert (record.metrics("test"), record.metrics("shifted")) == ({"f1": 0.5}, {})
    assert (record.part("timing"), record.part("memory")) == (timing, {})
    assert (record.cause, record.message, record.created, record.counts) == ("", "", "", {})
    assert record.share_targets


def test_a_record_keeps_what_a_cell_stated(tmp_path: Path) -> None:
    stated = {
        "dataset": {"name": "toy-tree", "reference": "toy-tree[noise=1]", "share_targets": False},
        "model": {"label": "knn", "name": "knn", "brought": {"by": "hand"}},
        "split": {"fold": 1, "counts": {"test": 7}},
        "created": "2026-01-02T03:04:05+00:00",
    }
    record = Record(tmp_path, DATA | stated)
    assert record.pair == (record.dataset_reference, "knn") == ("toy-tree[noise=1]", "knn")
    assert (record.created, record.counts) == (stated["created"], {"test": 7})
    assert (record.brought, Record(tmp_path, DATA).brought) == ({"by": "hand"}, {})
    assert not record.share_targets


def test_whether_a_model_is_deterministic_is_what_it_declared_or_what_was_known_of_it(tmp_path: Path) -> None:
    for model, expected in (
        ({"name": "prior", "plugin": {"distribution": "hmcbench"}}, True),
        ({"name": "prior", "plugin": {"distribution": "hmcbench"}, "deterministic": False}, False),
        ({"name": "net"}, False),
        ({"name": "net", "deterministic": True}, True),
    ):
        assert Record(tmp_path, {**DATA, "model": model}).deterministic is expected


def test_the_folder_of_a_record_has_the_options_of_its_dataset_and_fold_0_without_a_split() -> None:
    data = {name: DATA[name] for name in DATA if name != "split"}
    data["dataset"] = {"name": "toy-tree", "reference": "toy-tree[noise=1]"}
    assert folder_name(data) == "toy-tree-noise-1--timm-net-head-leaf--f0-s3--0123456789abcdef"


def test_long_names_are_cut_at_sixty_signs() -> None:
    assert slug("a" * 61) == "a" * 60
    assert (slug("b" * 60), slug("!")) == ("b" * 60, "x")


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    """A folder with predictions of six samples."""
    dataset = tiny_dataset(6)
    scores = np.random.default_rng(0).random(dataset.targets.shape, dtype=np.float32)
    Predictions(list(dataset.ids), ["test"] * 6, scores, dataset.task, dataset.targets).save(tmp_path / NPZ)
    return tmp_path


def test_predictions_have_the_bound_on_risk_of_the_record_and_its_rule(predicted: Path) -> None:
    plain = Record(predicted, DATA).predictions()
    assert (len(plain), plain.alpha, plain.ruled) == (6, ALPHA, None)
    assert Record(predicted, {**DATA, "decision": {"alpha": 0.2}}).predictions().alpha == 0.2
    ruled = Record(predicted, {**DATA, "applied_rule": {"rule": "map", "params": {}}}).predictions().ruled
    assert ruled is not None
    assert ruled.shape == plain.scores.shape


def test_predictions_that_were_not_published_are_told_from_missing_ones(tmp_path: Path) -> None:
    there, left_out = Record(tmp_path, DATA), Record(tmp_path, {**DATA, "predictions": {"left_out": True}})
    assert (there.has_predictions, left_out.has_predictions) == (True, False)
    with pytest.raises(NotPublished, match="were not published"):
        left_out.predictions()
    with pytest.raises(BadInput, match=r"predictions\.npz is missing"):
        there.predictions()


def test_the_digest_of_predictions_knows_the_file_the_rule_and_the_bound_on_risk(predicted: Path) -> None:
    rules = [{"applied_rule": {"rule": "map", "params": {"a": value}}} for value in (1, 2)]
    bounds: list[dict[str, Any]] = [{"decision": {"alpha": value}} for value in (0.1, 0.2)]
    changed = [Record(predicted, DATA | more).predictions_digest() for more in ({}, *rules, *bounds)]
    assert changed[0] == hashlib.sha256((predicted / NPZ).read_bytes()).hexdigest()
    assert len(set(changed)) == 5
    (predicted / NPZ).unlink()
    assert Record(predicted, DATA).predictions_digest() == ""


def test_a_record_of_a_cell_that_failed_early_knows_its_fold(tmp_path: Path) -> None:
    """Its data were never split, or the split is that of a stand-in for a planned cell."""
    for split in ({}, {"split": {}}, {"split": {"fold": None}}):
        data = {name: DATA[name] for name in DATA if name != "split"}
        assert Record(tmp_path, data | split).fold == 0
    failed = Record(tmp_path, {**DATA, "status": "failed", "cause": "nan", "message": "epoch 3"})
    assert (failed.ok, failed.cause, failed.message) == (False, "nan", "epoch 3")


def test_thresholds_are_those_that_the_decisions_were_made_with(tmp_path: Path) -> None:
    for decision in ({}, {"decision": {"rule": "argmax per level", "thresholds": None}}):
        assert Record(tmp_path, DATA | decision).thresholds is None
    for stored in (0.25, [0.25, 0.75]):
        thresholds = Record(tmp_path, {**DATA, "decision": {"thresholds": stored}}).thresholds
        assert thresholds is not None
        assert thresholds.to_json() == stored


def test_records_are_found_by_their_short_keys_without_being_read(tmp_path: Path) -> None:
    assert record_folders(tmp_path / "none") == {}
    record = commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, DATA)
    other = tmp_path / "toy--net--f0-s0--fedcba9876543210"
    other.mkdir()
    (other / JSON).write_text("damaged")
    part = begin_record(tmp_path, "f" * 64)
    (part / JSON).write_text("{}")
    (tmp_path / "empty--fedcba9876543211").mkdir()
    assert record_folders(tmp_path) == {record.short_key: record.path, "fedcba9876543210": other}


def test_a_new_record_replaces_the_old_one_of_its_key(tmp_path: Path) -> None:
    commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, {**DATA, "status": "failed"})
    commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, DATA)
    (record,) = read_all(tmp_path)
    assert record.ok
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two records of one cell: the second one, under a name of its own, and the other."""
    kept = commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, DATA).path
    second = tmp_path / "second"
    shutil.copytree(kept, second)
    return second, kept


def test_a_second_record_of_a_cell_goes_while_the_other_is_there(two: tuple[Path, Path]) -> None:
    second, kept = two
    assert remove_second(second, kept)
    assert list(kept.parent.iterdir()) == [kept]
    assert not remove_second(second, kept), "it is gone already"
    kept.rename(second)
    assert not remove_second(second, kept), "another process has kept this one instead"
    assert [record.path for record in read_all(kept.parent)] == [second]


def test_a_second_record_is_none_as_soon_as_its_removal_begins(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    second, kept = two

    def stop(*_args: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", stop)
        remove_second(second, kept)
    assert [record.path for record in read_all(kept.parent)] == [kept]
    sweep_killed(kept.parent, lambda owner: True)
    assert list(kept.parent.iterdir()) == [kept]


def test_what_killed_runs_left_is_swept_and_what_runs_is_not(tmp_path: Path) -> None:
    gone = tmp_path / ".part-0123-dead"
    works = tmp_path / ".part-4567-alive"
    gone.mkdir()
    works.mkdir()
    sweep_killed(tmp_path, lambda owner: owner == "dead")
    assert not gone.exists()
    assert works.exists()


def test_a_run_that_ends_leaves_the_folders_of_a_run_beside_it(tmp_path: Path) -> None:
    other = begin_record(tmp_path, DATA["key"], "other")
    mine = begin_record(tmp_path, DATA["key"], "mine")
    sweep_run(tmp_path, "mine")
    assert other.exists()
    assert not mine.exists()
    sweep_cell(tmp_path, DATA["key"])
    assert not other.exists()


def test_a_record_moved_aside_by_a_run_that_was_killed_comes_back(tmp_path: Path) -> None:
    record = commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, DATA)
    aside = tmp_path / f".old-{record.path.name}-77"
    record.path.rename(aside)
    assert read_all(tmp_path) == []
    sweep_killed(tmp_path, lambda owner: owner == "77")
    assert [r.path for r in read_all(tmp_path)] == [record.path]
    assert not aside.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "is not a record"),
        ("{}", "is not a record"),
        ('{"schema": "1"}', "is not a record"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1, "key": "x"}', "no record of schema 1"),
        ('{"schema": 2, "key": "x"}', "lacks status"),
        ('{"schema": 1, "key": "x", "status": "ok"', "cannot be read"),
    ],
)
def test_a_damaged_record_is_one_line_with_its_path(tmp_path: Path, text: str, says: str) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "record.json").write_text(text)
    with pytest.raises(BadInput) as error:
        read_all(tmp_path)
    assert says in str(error.value)
    assert "record.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no record\.json"):
        read_record(tmp_path)
    with pytest.raises(BadInput, match="no folder"):
        read_all(tmp_path / "none")


def test_json_has_no_nan_and_a_stable_order() -> None:
    with pytest.raises(ValueError, match="JSON"):
        record_json({"x": float("nan")})
    assert record_json({"b": 1, "a": "\u00e9"}) == '{\n "a": "\u00e9",\n "b": 1\n}\n'


GOLDEN = Path(__file__).parent / "golden"
NOW = json.loads((GOLDEN / f"record-{SCHEMA}.json").read_text())


@pytest.mark.parametrize("schema", range(SCHEMA + 1))
def test_a_record_of_every_schema_reads_as_one_of_today(tmp_path: Path, schema: int) -> None:
    """When the schema changes: a new golden file, a step, and the older files stay as they are."""
    (tmp_path / "record.json").write_bytes((GOLDEN / f"record-{schema}.json").read_bytes())
    assert read_record(tmp_path).data == NOW


def test_ids_of_schema_1_say_which_decision_they_read(tmp_path: Path) -> None:
    """Plain ids were those of raw decisions, and nothing is lost when they are renamed."""
    old = {
        "hf1_samples": 0.1,
        "hf1_samples_coherent": 0.2,
        "level2_accuracy": 0.3,
        "level2_accuracy_coherent": 0.4,
        "class_f1[a_coherent/b[c]]": 0.5,
        "class_f1_coherent[a_coherent/b[c]]": 0.6,
        "theirs": 0.7,
        "theirs_coherent": 0.8,
        "alone": 0.9,
        "alone_coherent_too": 0.91,
        "auprc_micro": 0.92,
        "level1_argmax_accuracy": 0.93,
        "mistake_severity": 0.94,  # no mistake among the coherent decisions
        "r2": 0.95,
    }
    new = {
        "hf1_samples_raw": 0.1,
        "hf1_samples": 0.2,
        "level2_accuracy_raw": 0.3,
        "level2_accuracy": 0.4,
        "class_f1_raw[a_coherent/b[c]]": 0.5,
        "class_f1[a_coherent/b[c]]": 0.6,
        "theirs_raw": 0.7,
        "theirs": 0.8,
        "alone": 0.9,
        "alone_coherent_too": 0.91,
        "auprc_micro": 0.92,
        "level1_argmax_accuracy": 0.93,
        "mistake_severity_raw": 0.94,
        "r2": 0.95,
    }
    suite = {"name": "s", "primary": "hf1_samples_coherent"}
    metrics = {"test": old, "validation": {"mistake_severity_coherent": 2.0}}
    text = json.dumps({**DATA, "schema": 1, "suite": suite, "metrics": metrics})
    (tmp_path / JSON).write_text(text)
    record = read_record(tmp_path)
    assert (record.metrics("test"), record.metrics("validation")) == (new, {"mistake_severity": 2.0})
    assert record.data["suite"]["primary"] == "hf1_samples"
    assert (tmp_path / JSON).read_text() == text  # the file stays as it is
    write_again = record_json(record.data)
    (tmp_path / JSON).write_text(write_again)
    assert read_record(tmp_path).data == record.data


@pytest.mark.parametrize(
    "text", ['{"schema": -1}', '{"schema": 0}', '{"schema": 0, "status": "ok", "metrics": 3}']
)
def test_what_is_no_record_of_its_schema_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(BadInput, match="schema"):
        read_record(tmp_path)


@pytest.mark.parametrize("running", [True, False])
def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path: Path, running: bool) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "record.json").write_text("{")
    before = gc.isenabled()
    try:
        (gc.enable if running else gc.disable)()
        with pytest.raises(BadInput):
            read_all(tmp_path)
        assert gc.isenabled() == running
    finally:
        (gc.enable if before else gc.disable)()


def test_records_come_in_the_order_of_their_folders(tmp_path: Path) -> None:
    """As paths are sorted: ``a/x`` before ``a-b/x``, though ``-`` comes before ``/``."""
    for name in ("a-b", "a", "b"):
        folder = tmp_path / name / "x"
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(DATA))
    paths = [record.path for record in read_all(tmp_path)]
    assert paths == sorted(paths) == [tmp_path / name / "x" for name in ("a", "a-b", "b")]


def test_of_processes_that_write_the_same_record_at_once_none_fails_and_one_record_stands(
    tmp_path: Path,
) -> None:
    def write(turn: int) -> None:
        for _ in range(50):
            commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, {**DATA, "seed": 3, "turn": turn})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    (record,) = read_all(tmp_path)
    assert record.data["turn"] in range(4)
    assert [path.name for path in tmp_path.iterdir()] == [record.path.name]


def test_a_record_that_cannot_take_its_place_leaves_the_one_that_stood(tmp_path: Path) -> None:
    record = commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, DATA)
    part = begin_record(tmp_path, DATA["key"])
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path == part:
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    with patch.object(Path, "rename", fail), pytest.raises(OSError, match="Input/output"):
        commit_record(part, tmp_path, {**DATA, "status": "failed"})
    assert [r.data for r in read_all(tmp_path)] == [record.data]


def test_records_are_read_one_after_another(tmp_path: Path) -> None:
    commit_record(begin_record(tmp_path, DATA["key"]), tmp_path, DATA)
    assert list(each_record(tmp_path)) == read_all(tmp_path)
    with pytest.raises(BadInput, match="no folder"):
        each_record(tmp_path / "none")


def test_a_record_that_a_run_renames_while_it_is_read_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``leaderboard`` beside a run that repeats failed cells ended with an error."""
    for key in ("a" * 64, "b" * 64):
        commit_record(begin_record(tmp_path, key), tmp_path, {**DATA, "key": key})
    renamed, gone = sorted(path for path in tmp_path.iterdir())
    read = record_module.read_record

    def while_renamed(folder: Path) -> Record:
        if folder == renamed:
            aside = folder.rename(tmp_path / ".old")
            try:
                return read(folder)
            finally:
                aside.rename(folder.with_name("new--" + "a" * 16))
        if folder == gone:
            shutil.rmtree(gone)
        return read(folder)

    monkeypatch.setattr(record_module, "read_record", while_renamed)
    assert [r.path.name for r in read_all(tmp_path)] == ["new--" + "a" * 16]
