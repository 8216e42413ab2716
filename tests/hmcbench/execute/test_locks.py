"""Locks between runs that share a results folder: one holder, whoever dies, whatever the clocks say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hmcbench.execute.locks import Locks

KEY = "0123456789abcdef0123"


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def locks(tmp_path: Path) -> Iterator[Locks]:
    with Locks(tmp_path, stale_s=60) as held_locks:
        yield held_locks


def left_behind(folder: Path, host: str = "", lines: str = "") -> str:
    """The owner of a lock whose process was killed while it held it."""
    code = (
        "import sys, os; from pathlib import Path; from hmcbench.execute.locks import Locks\n"
        f"locks = Locks(Path(sys.argv[1]), host={host!r}); locks.__enter__(); assert locks.claim({KEY!r})\n"
        f"{lines}\nprint(locks.owner, flush=True); os.kill(os.getpid(), 9)"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=False, capture_output=True, text=True
    )
    assert completed.returncode == -9, completed.stderr
    return completed.stdout.strip()


def test_one_holds_a_lock_until_it_gives_it_back(tmp_path: Path, locks: Locks) -> None:
    with Locks(tmp_path) as other:
        assert locks.claim(KEY)
        assert locks.holds(KEY)
        assert not other.claim(KEY)
        other.release(KEY)  # what one does not hold one cannot give back
        assert locks.holds(KEY)
        locks.release(KEY)
        assert not locks.holds(KEY)
        assert other.claim(KEY)
    assert locks.claim(KEY), "leaving gives all back"


def test_nothing_is_left_where_all_ended_well(tmp_path: Path) -> None:
    with Locks(tmp_path) as locks:
        assert locks.claim(KEY)
        assert len(list(tmp_path.iterdir())) == 2
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_dead_process_of_this_machine_is_free_at_once(tmp_path: Path, locks: Locks) -> None:
    owner = left_behind(tmp_path)
    assert locks.dead(owner)
    assert locks.claim(KEY)


def test_what_dead_runs_left_is_swept_and_what_lives_stays(tmp_path: Path, locks: Locks) -> None:
    assert locks.claim("ffff")
    left_behind(tmp_path, lines=f"assert locks._take(Path(sys.argv[1]) / '{KEY[:16]}.lock.take')")
    assert len(list(tmp_path.iterdir())) == 5
    locks.sweep()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([f"{locks.owner}.run", "ffff.lock"])


def test_a_process_id_that_was_given_out_again_is_not_the_owner(tmp_path: Path, locks: Locks) -> None:
    owner = left_behind(tmp_path)
    path = tmp_path / f"{owner}.run"
    about = json.loads(path.read_text())
    again = owner.replace(owner.partition(".")[0], str(os.getppid()), 1)
    (tmp_path / f"{again}.run").write_text(json.dumps(about))  # lives, but was born at another time
    assert locks.dead(again)
    assert not locks.dead(again + "x"), "it may yet write its file"


def test_the_file_of_a_run_that_died_before_it_wrote_it_goes(tmp_path: Path, locks: Locks) -> None:
    owner = left_behind(tmp_path, lines="os.truncate(locks._run_file(locks.owner), 0)")
    assert locks.claim(KEY)
    locks.sweep()
    assert not (tmp_path / f"{owner}.run").exists()


def test_another_machine_is_dead_when_its_heartbeat_stood_still_for_long_enough(tmp_path: Path) -> None:
    clock = Clock()
    with Locks(tmp_path, host="far") as far, Locks(tmp_path, host="near", stale_s=60, clock=clock) as near:
        assert far.claim(KEY)
        for _ in range(5):
            assert not near.claim(KEY)
            clock.now += 50
            far.beat()
        assert not near.claim(KEY)
        clock.now += 59
        assert not near.claim(KEY)
        clock.now += 2
        assert near.claim(KEY)
        assert not far.holds(KEY), "a run that was asleep finds out"
        far.release(KEY)
        assert near.holds(KEY)


def test_a_heartbeat_that_stood_still_for_exactly_the_limit_may_still_come(tmp_path: Path) -> None:
    clock = Clock()
    with Locks(tmp_path, host="far") as far, Locks(tmp_path, host="near", stale_s=60, clock=clock) as near:
        assert not near.dead(far.owner)
        clock.now += 60
        assert not near.dead(far.owner)
        clock.now += 0.5
        assert near.dead(far.owner)


def test_the_heart_of_a_run_beats_by_itself(tmp_path: Path) -> None:
    with Locks(tmp_path, beat_s=0.01) as locks:
        (path,) = tmp_path.glob("*.run")
        before = path.read_text()
        until = time.monotonic() + 60
        while path.read_text() == before and time.monotonic() < until:
            time.sleep(0.01)
        assert json.loads(path.read_text())["beat"] > json.loads(before)["beat"]
        assert locks.claim(KEY)


def test_an_owner_that_is_a_bare_process_id_lives_as_long_as_the_process(locks: Locks) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not locks.dead(str(process.pid))
    process.communicate()
    assert locks.dead(str(process.pid))


def test_others_may_read_the_files_and_nobody_can_start_them(tmp_path: Path, locks: Locks) -> None:
    before = os.umask(0)
    try:
        with Locks(tmp_path) as open_to_others:
            assert open_to_others.claim(KEY)
            files = [tmp_path / f"{open_to_others.owner}.run", *tmp_path.glob("*.lock")]
            assert [path.stat().st_mode & 0o777 for path in files] == [0o644] * 2
    finally:
        os.umask(before)


@pytest.mark.parametrize("years", [-30, 30])
def test_wall_clocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: int) -> None:
    clock, real = Clock(), time.time
    with Locks(tmp_path, host="far") as far, Locks(tmp_path, host="near", stale_s=60, clock=clock) as near:
        assert far.claim(KEY)
        assert not near.claim(KEY)
        monkeypatch.setattr(time, "time", lambda: real() + years * 3e7)
        for path in tmp_path.iterdir():
            os.utime(path, (real() - years * 3e7,) * 2)
        clock.now += 59
        assert not near.claim(KEY)


@pytest.mark.parametrize("text", ["", "{", "[]", "nonsense", '{"owner": ""}'])
def test_a_lock_that_its_owner_did_not_live_to_sign_is_free_after_a_while(tmp_path: Path, text: str) -> None:
    clock = Clock()
    (tmp_path / f"{KEY[:16]}.lock").write_text(text)
    with Locks(tmp_path, stale_s=60, clock=clock) as locks:
        assert not locks.claim(KEY)
        clock.now += 61
        assert locks.claim(KEY)


def test_a_guard_left_by_a_run_that_died_while_it_took_a_lock_over_is_taken_over_too(
    tmp_path: Path, locks: Locks
) -> None:
    left_behind(tmp_path, lines=f"assert locks._take(Path(sys.argv[1]) / '{KEY[:16]}.lock.take')")
    assert locks.claim(KEY)
    assert not (tmp_path / f"{KEY[:16]}.lock.take").exists()


RACE = """
import sys
from pathlib import Path
from hmcbench.execute.locks import Locks
with Locks(Path(sys.argv[1])) as locks:
    print("ready", flush=True)
    sys.stdin.readline()
    print(*(i for i in range(40) if locks.claim(f"{i:016}")), flush=True)
    sys.stdin.readline()  # nobody gives back before all have tried
"""


def test_of_many_that_find_the_same_locks_stale_exactly_one_gets_each(tmp_path: Path) -> None:
    owner = left_behind(tmp_path)
    for i in range(0, 40, 2):
        (tmp_path / f"{i:016}.lock").write_text(json.dumps({"owner": owner}))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    def tell() -> None:
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()

    def said() -> list[str]:
        return [racer.stdout.readline() for racer in racers if racer.stdout is not None]

    assert said() == ["ready\n"] * 4
    tell()
    got = [int(word) for line in said() for word in line.split()]
    tell()
    for racer in racers:
        racer.communicate(timeout=60)
        assert racer.returncode == 0
    assert sorted(got) == list(range(40))
