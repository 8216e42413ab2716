"""Several runs on one results folder: they share the work, nothing runs twice, nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute import queue, runner
from hmcbench.execute.executors.base import Job
from hmcbench.execute.locks import Locks
from hmcbench.execute.queue import CellQueue, scan
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records.record import Record, begin_record, commit_record, read_all, read_record
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import installed_plugin, tiny_suite

PLUGIN = """
from hmcbench import ModelSpec, Param, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="counted", factory="shared_work:Counted", version="1", summary="",
                      views=("table",), params={"log": Param(""), "pause": Param(0.05)}),
            ModelSpec(name="disk-full", factory="shared_work:Full", version="1", summary="",
                      views=("table",))]

class Counted:
    def __init__(self, log, pause): self.log, self.pause = log, pause
    def fit(self, train, valid, run):
        import os, time
        with open(self.log, "a") as file: file.write(f"{run.seed} {os.getppid()}\\n")
        time.sleep(self.pause)
    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.full((len(inputs), 7), 0.4))

class Full(Counted):
    def __init__(self): pass
    def fit(self, train, valid, run):
        raise OSError(28, "No space left on device")
"""
COMMAND = """
import sys
from pathlib import Path
from hmcbench.execute import runner
from hmcbench.plan.choices import Choices
from hmcbench.plan.cells import make_plan
from hmcbench.registry.registry import default_registry
from hmcbench.plan.suite import parse_suite
if __name__ == "__main__":
    suite = parse_suite(Path(sys.argv[1]).read_text(), "s.toml")
    plan = make_plan(suite, default_registry(), Choices(seeds=12))
    outcome = runner.execute(plan, Path(sys.argv[2]), device="cpu", jobs=2, rerun=sys.argv[3])
    print(len(outcome.done), outcome.ran)
"""


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with installed_plugin(tmp_path_factory.mktemp("plugin"), "shared_work", PLUGIN) as folder:
        yield folder


def plan_of(model: str, seeds: int = 1) -> Plan:
    text = tiny_suite("shared", [model])
    return make_plan(parse_suite(text, "s.toml"), default_registry(), Choices(seeds=seeds))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(f"counted[log={tmp_path / 'log'}]", 3)


def test_two_runs_share_the_work_and_nothing_runs_twice(tmp_path: Path) -> None:
    log, script, suite = tmp_path / "log", tmp_path / "go.py", tmp_path / "s.toml"
    script.write_text(COMMAND)
    suite.write_text(tiny_suite("shared", [f"counted[log={log}]"]))

    def both(rerun: str) -> list[int]:
        command = [sys.executable, str(script), str(suite), str(tmp_path / "runs"), rerun]
        runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        ended = [run.communicate(timeout=120)[0].split() for run in runs]
        assert [count for count, _ in ended] == ["12", "12"], "both wait for the other's last cells"
        return [int(ran) for _, ran in ended]

    assert sum(both("missing")) == 12
    assert sorted(int(line.split()[0]) for line in log.read_text().splitlines()) == list(range(12))
    folder = tmp_path / "runs" / "shared"
    assert len(list((folder / "records").iterdir())) == 12
    assert not list((folder / "locks").iterdir())


KILLED = """
import os, sys
from pathlib import Path
from hmcbench.files import replacing
from hmcbench.execute.locks import Locks
from hmcbench.records.record import begin_record
folder, key = Path(sys.argv[1]), sys.argv[2]
locks = Locks(folder / "locks").__enter__()
assert locks.claim(key)
(folder / "work" / key[:16]).mkdir()
begin_record(folder / "records", key, locks.owner)
for name in ("suite.json", "locks/some.lock"):
    replacing(folder / name).__enter__().write_text("half")
os.kill(os.getpid(), 9)
"""


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_what_a_killed_run_left_goes_also_where_nothing_is_left_to_run(tmp_path: Path, plan: Plan) -> None:
    folder = runner.execute(plan, tmp_path, device="cpu").folder
    clean = below(folder)
    subprocess.run([sys.executable, "-c", KILLED, str(folder), plan.cells[0].key], check=False)
    assert len(below(folder) - clean) == 6, "a lock, its run, a cell's two folders, two half files"
    assert runner.execute(plan, tmp_path, device="cpu").ran == 0
    assert below(folder) == clean


def test_what_a_cell_that_is_still_to_be_run_again_goes_on_from_stays(tmp_path: Path, plan: Plan) -> None:
    folder = runner.execute(plan, tmp_path, device="cpu").folder
    (folder / "work" / plan.cells[0].key[:16]).mkdir()
    runner.execute(plan, tmp_path, device="cpu", rerun="all", budget=0.001)
    assert len(list((folder / "work").iterdir())) == 1


def shared(plan: Plan, folder: Path, locks: Locks, told: list[str], before: Any = None) -> CellQueue:
    return CellQueue(plan.cells, folder, locks, before or {}, lambda cell, _record: told.append(cell.key))


def next_job(jobs: Iterator[list[Job]]) -> Job:
    return next(group[0] for group in jobs if group)


def test_a_cell_that_another_run_holds_comes_back_when_its_lock_is_free(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "POLL_S", 0.0)
    folder, told = tmp_path / "shared" / "records", list[str]()
    folder.mkdir(parents=True)
    with Locks(tmp_path / "locks") as mine, Locks(tmp_path / "locks") as other:
        assert other.claim(plan.cells[0].key)
        jobs = shared(plan, folder, mine, told).jobs()
        assert [next_job(jobs).cell for _ in range(2)] == list(plan.cells[1:])
        assert next(jobs, None) is not None, "not the end: somebody may die"
        other.release(plan.cells[0].key)
        assert next_job(jobs).cell == plan.cells[0]
        assert next(jobs, None) is None
    assert not told


def test_a_record_that_another_run_made_meanwhile_is_reported_and_not_made_again(
    tmp_path: Path, plan: Plan
) -> None:
    records = runner.execute(plan, tmp_path, device="cpu").done
    folder = records[0].path.parent
    stood = runner.existing(plan, tmp_path).stamps
    data = dict(records[1].data)
    commit_record(begin_record(folder, data["key"]), folder, data)  # made anew since
    told: list[str] = []
    with Locks(tmp_path / "locks") as locks:
        again = [group[0].cell for group in shared(plan, folder, locks, told, stood).jobs()]
    assert again == [plan.cells[0], plan.cells[2]]
    assert told == [plan.cells[1].key]


def test_a_record_that_another_run_made_after_the_scan_is_taken(tmp_path: Path, plan: Plan) -> None:
    before = runner.existing(plan, tmp_path)
    assert not before.records
    first = runner.execute(plan, tmp_path, device="cpu")
    second = runner.execute(plan, tmp_path, device="cpu", before=before)
    assert (first.ran, second.ran) == (3, 0)
    assert second.done == first.done


def test_a_second_scan_reads_what_has_changed_and_nothing_else(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = runner.execute(plan, tmp_path, device="cpu").done
    folder = records[0].path.parent
    before = scan(plan.cells, folder)
    assert list(before.records.values()) == records
    assert before.folders == {record.short_key: record.path for record in records}
    data = {**records[1].data, "message": "made anew"}
    commit_record(begin_record(folder, records[1].key), folder, data)
    shutil.rmtree(records[2].path)
    read: list[Path] = []
    monkeypatch.setattr(queue, "read_record", lambda path: read.append(path) or read_record(path))
    after = scan(plan.cells, folder, before)
    assert read == [records[1].path]
    assert after.records == {records[0].key: records[0], records[1].key: Record(records[1].path, data)}
    assert set(after.stamps) == set(after.records)


def test_what_another_run_has_finished_is_reported_before_the_next_cell_starts(
    tmp_path: Path, plan: Plan
) -> None:
    records = runner.execute(plan, tmp_path / "other", device="cpu").done
    folder, told = tmp_path / "shared" / "records", list[str]()
    folder.mkdir(parents=True)
    with Locks(tmp_path / "locks") as mine, Locks(tmp_path / "locks") as other:
        assert other.claim(plan.cells[0].key)
        jobs = shared(plan, folder, mine, told).jobs()
        assert next_job(jobs).cell == plan.cells[1] and not told
        commit_record(begin_record(folder, plan.cells[0].key), folder, dict(records[0].data))
        assert next_job(jobs).cell == plan.cells[2]
        assert told == [plan.cells[0].key]
        assert next(jobs, None) is None


def test_what_a_run_that_was_taken_for_dead_has_made_is_dropped(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "shared" / "records"
    folder.mkdir(parents=True)
    with Locks(tmp_path / "locks") as locks:
        work = shared(plan, folder, locks, [])
        job = next_job(work.jobs())
        for path in (tmp_path / "locks").glob("*.lock"):
            path.write_text('{"owner": "1.other"}')
        assert not work.may_commit(job)
        assert not job.part.exists()


def test_a_full_disk_is_one_clear_line_and_no_record(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"No space left on device.*make room") as error:
        runner.execute(plan_of("disk-full"), tmp_path, device="cpu")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "shared" / "records").iterdir())


def test_a_disk_that_fills_up_at_any_step_tears_nothing(tmp_path: Path, plan: Plan) -> None:
    """Every write of the runner in turn fails; what is on disk then is whole, and the rest can be made."""
    real, count = os.fsync, 0

    def refusing(fail_at: int) -> Any:
        left = fail_at

        def write(*args: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args)

        return write

    for fail_at in range(30):
        with patch.object(os, "fsync", refusing(fail_at)):
            try:
                outcome = runner.execute(plan, tmp_path, device="cpu")
            except BadInput as error:
                assert "No space left" in str(error)
                count += 1
            else:
                assert len(outcome.done) == 3
                break
        for record in read_all(tmp_path) if any(tmp_path.glob("*/records")) else []:
            assert len(record.predictions())
        assert not list(tmp_path.glob("*/records/.*"))
    else:
        raise AssertionError("it never succeeded")
    assert count >= 3


def test_a_folder_that_cannot_be_written_to_is_one_clear_line(tmp_path: Path, plan: Plan) -> None:
    with (
        patch.object(os, "fsync", side_effect=OSError(errno.EROFS, "Read-only file system")),
        pytest.raises(BadInput, match=r"Read-only file system.*--out DIR"),
    ):
        runner.execute(plan, tmp_path, device="cpu")


def test_what_a_budget_has_no_room_for_is_left_out_and_said(tmp_path: Path, plan: Plan) -> None:
    first = runner.execute(plan, tmp_path, device="cpu", budget=3600)
    assert (first.ran, first.left_out) == (3, [])
    again = runner.execute(plan, tmp_path, device="cpu", rerun="all", budget=0.001)
    assert again.ran == 0
    assert again.left_out == list(plan.cells)
    assert len(again.done) == 3, "the earlier records stand"


def test_a_budget_runs_cheap_cells_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    plan = plan_of(f"counted[log={log},pause=0.5]", 2)
    cheap = plan_of(f"counted[log={log}]", 2)
    for before in (cheap, plan):
        runner.execute(before, tmp_path, device="cpu")
    log.unlink()
    both = replace(plan, cells=[*plan.cells, *cheap.cells])
    order: list[str] = []

    def observe(event: Any, _record: Any) -> None:
        if event.kind == "started":
            order.append(event.job.cell.label)

    runner.execute(both, tmp_path, device="cpu", rerun="all", budget=3600, observer=observe)
    assert ["pause" in label for label in order] == [False, False, True, True]


def test_the_end_of_a_budget_ends_what_runs(tmp_path: Path) -> None:
    hangs = plan_of(f"counted[log={tmp_path / 'log'},pause=60]")
    outcome = runner.execute(hangs, tmp_path, device="cpu", budget=3)
    assert (outcome.ran, outcome.done, outcome.left_out) == (0, [], list(hangs.cells))
    assert not list((tmp_path / "shared" / "records").iterdir())


def test_cells_that_need_most_memory_come_first_after_those_without_a_record(tmp_path: Path) -> None:
    def record(label: str, peak: float | None, name: str = "peak_private_mb") -> Record:
        data = {"dataset": {"name": "toy"}, "model": {"label": label}, "memory": {name: peak}}
        return Record(tmp_path, data)

    records = [record("small", 10), record("large", 900, "peak_anon_mb"), record("large", None)]
    cells: list[Any] = [SimpleNamespace(pair=("toy", name)) for name in ("small", "new", "large", "newer")]
    ordered = [cell.pair[1] for cell in queue.most_memory_first(cells, records)]
    assert ordered == ["new", "newer", "large", "small"]
    assert queue.most_memory_first(cells, []) == cells


@pytest.mark.parametrize("lost", ["the folder", "the race"])
def test_of_two_runs_that_believe_to_hold_a_lock_one_makes_the_record(
    tmp_path: Path, plan: Plan, lost: str
) -> None:
    """As on a file system that does not keep ``O_EXCL``."""
    records = runner.execute(plan, tmp_path / "other", device="cpu").done
    folder = tmp_path / "shared" / "records"
    folder.mkdir(parents=True)
    with Locks(tmp_path / "locks") as locks:
        work = shared(plan, folder, locks, [])
        job = next_job(work.jobs())
        if lost == "the folder":  # the other has swept it, as the holder of the lock may
            shutil.rmtree(job.part)
        else:
            commit_record(begin_record(folder, job.cell.key), folder, dict(records[0].data))
        assert not work.may_commit(job)
        assert not job.part.exists()
        assert not list((tmp_path / "locks").glob("*.lock")), "whoever comes next can take the cell"


def test_where_files_have_no_number_and_coarse_times_the_content_tells_records_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    stat = Path.stat

    def coarse(path: Path, **kwargs: Any) -> Any:
        stat(path, **kwargs)
        return SimpleNamespace(st_ino=0, st_mtime_ns=0)

    path.write_text('{"seed": 1}')
    assert queue.stamp(tmp_path) == queue.stamp(tmp_path)
    monkeypatch.setattr(Path, "stat", coarse)
    first = queue.stamp(tmp_path)
    path.write_text('{"seed": 2}')
    assert first != queue.stamp(tmp_path)
