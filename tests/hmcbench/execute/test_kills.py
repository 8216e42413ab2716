"""Runs that are killed at random moments, again and again: no record is lost, made twice or torn.

Three runs go on side by side, one with a folder of its own and two that share one. Whichever has come to
its moment is killed and started again with the same command; a folder whose last run ends by itself must
hold exactly its records, and a new one is begun.
"""

from __future__ import annotations

import math
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_server import CommandServer, living

from hmcbench.execute.queue import Stamp, stamp
from hmcbench.records.record import JSON, read_all, read_record
from hmcbench.testing.helpers import installed_plugin, tiny_suite
from hmcbench.verify.tree import verify_results

pytestmark = [
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="kills by signals"),
]

KILLS = 85  # and 15 on Ray: executors/test_ray.py
CELLS = 40
TICK_S = 0.02
LIMIT_S = 600.0  # for all of it; it takes a minute or two
ORPHANS_S = 15.0  # a process that its killed runner has left is gone long before

PLUGIN = """
from hmcbench import ModelSpec, hookimpl

@hookimpl
def hmcbench_models():
    return [ModelSpec(name="mortal", factory="mortal:Mortal", version="1", summary="", views=("table",))]

class Mortal:
    def fit(self, train, valid, run):
        import time
        self.seed = run.seed
        for i in range(4):
            run.report(i + 1, 4, loss=1.0 / (i + 1))
            time.sleep(0.01)
    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.random.default_rng(self.seed).random((len(inputs), 7)))
"""


@dataclass(eq=False)
class Arena:
    """A results folder that one run or several work on, and what was seen in it."""

    place: Path
    rounds: int = 0
    seen: dict[str, Stamp] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    @property
    def out(self) -> Path:
        return self.place / f"round-{self.rounds}"

    @property
    def records(self) -> Path:
        return self.out / "mortal" / "records"

    def look(self) -> None:
        """Every record that was seen is there; what is new is one."""
        there = self.records.iterdir() if self.records.is_dir() else ()
        names = {path.name for path in there if not path.name.startswith(".")}
        assert not self.seen.keys() - names, "lost"
        for name in names - self.seen.keys():
            stamped = stamp(self.records / name)
            assert stamped is not None, f"{name} is torn: it has no {JSON}"
            self.seen[name] = stamped

    def check(self) -> None:
        """Every record is the one that was seen first; what came since the last check is whole."""
        self.look()
        for name, first in self.seen.items():
            assert stamp(self.records / name) == first, f"{name} was made twice"
        for name in self.seen.keys() - self.read:
            record = read_record(self.records / name)
            assert record.ok, record.data["message"]
            assert len(record.predictions()), f"{name} has no predictions"
            self.read.add(name)

    def record_outcome(self) -> None:
        """All is there, once, its numbers follow from its predictions, and nothing else lies about."""
        self.check()
        names = sorted(path.name for path in self.records.iterdir())
        assert len(names) == CELLS == len({r.key for r in read_all(self.records)}), names
        report = verify_results([self.out / "mortal"])
        assert report.clean, list(report.all_findings())
        assert report.suites[0].checked == CELLS
        assert not list((self.out / "mortal").glob(".*"))
        assert not list((self.out / "mortal" / "locks").iterdir())
        assert not list((self.out / "mortal" / "work").iterdir())
        self.rounds += 1
        self.seen.clear()
        self.read.clear()


class Side:
    """One command, started again and again on one arena."""

    def __init__(self, arena: Arena, suite: Path, server: CommandServer, rng: random.Random) -> None:
        self.arena, self._suite, self._server, self._rng = arena, suite, server, rng
        self._starts = 0
        self.start()

    def start(self) -> None:
        """Start it, and choose when it dies: by the clock, or by what it does after some more records."""
        self._starts += 1
        self.mark = f"{self._suite.parent} {id(self)} {self._starts}"
        run = ["run", "--suite", str(self._suite), "--out", str(self.arena.out), "--seeds", str(CELLS)]
        self.pid = self._server.start(self.mark, *run, "--device", "cpu", "--jobs", "2", "--quiet")
        self._status: int | None = None
        kind, self._due = self._rng.random(), math.inf
        self._awaited, self._more = "log.txt", self._rng.randrange(4)
        self._delay = self._rng.uniform(0.0, 0.15)
        if kind < 0.2:  # dies while it starts
            self._due = time.monotonic() + self._rng.uniform(0.0, 1.0)
        elif kind < 0.5:  # dies when a cell has ended and has no record yet, if that can be seen
            self._awaited, self._delay = "result.json", 0.0
        self._stood = len(self.arena.seen)

    def parts(self, holding: str = "") -> list[Path]:
        """The temporary folders of the cells that it has in work, those that hold a file."""
        parts = self.arena.records.glob(f".part-*-{self.pid}.*")
        return [part for part in parts if (part / holding).exists()]

    def ended(self) -> bool:
        """Whether it ended by itself, and well."""
        if self._status is None:
            self._status = self._server.status(self.pid)
        assert self._status in (None, 0), f"a run ended with status {self._status}"
        return self._status is not None

    def ripe(self) -> bool:
        count = len(self.arena.seen) - self._stood
        if self._due == math.inf and count >= self._more and self.parts(self._awaited):
            self._due = time.monotonic() + self._delay
        return time.monotonic() >= self._due

    def kill(self, doing: Counter[str]) -> bool:
        """Kill it and count what it was doing; whether it had not just ended by itself."""
        os.kill(self.pid, signal.SIGSTOP)  # what lies there now is what it leaves
        running = bool(self.parts("log.txt"))
        ending = bool(self.parts("result.json") or self.parts(JSON))
        if running and self._starts % 8 == 0:
            assert living({self.mark}), "its processes cannot be found"
        self.stop()
        self.arena.check()
        if self._status != -signal.SIGKILL:
            return False
        doing["while cells ran"] += running
        doing["between the end of a cell and its record"] += ending
        doing["between first and last record"] += 0 < len(self.arena.seen) < CELLS
        return True

    def stop(self) -> None:
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
        while self._status is None:
            self._status = self._server.status(self.pid)


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with installed_plugin(tmp_path_factory.mktemp("plugin"), "mortal", PLUGIN) as folder:
        yield folder


class Killing:
    """All sides, and who was killed when."""

    def __init__(self, suite: Path, server: CommandServer, rng: random.Random) -> None:
        alone, shared = (Arena(suite.parent / name) for name in ("alone", "shared"))
        self.sides = [Side(arena, suite, server, rng) for arena in (alone, shared, shared)]
        self.arenas = {arena: [s for s in self.sides if s.arena is arena] for arena in (alone, shared)}
        self.killed: dict[str, float] = {}
        self.doing = Counter[str]()
        self.rounds = 0
        self._until = time.monotonic() + LIMIT_S

    def step(self, go_on: bool) -> None:
        """Look at all that goes on; kill whose moment has come, and begin anew what is complete."""
        time.sleep(TICK_S)
        assert time.monotonic() < self._until, "it does not come to an end"
        for arena, sides in list(self.arenas.items()):
            arena.look()
            if [side.ended() for side in sides] == [True] * len(sides):
                arena.record_outcome()
                self.rounds += 1
                if not go_on:
                    del self.arenas[arena]
                    continue
                for side in sides:
                    side.start()
        for side in self.sides:
            if go_on and not side.ended() and side.ripe() and side.kill(self.doing):
                self.killed[side.mark] = time.monotonic()
                side.start()
                if len(self.killed) % 10 == 0:
                    assert not self.orphans()

    def orphans(self) -> set[str]:
        """Runs that were killed some time ago and still have a process."""
        late = time.monotonic() - ORPHANS_S
        return living({mark for mark, when in self.killed.items() if when < late})


def test_85_random_kills_lose_no_record_make_none_twice_and_tear_none(tmp_path: Path) -> None:
    suite = tmp_path / "mortal.toml"
    suite.write_text(tiny_suite("mortal", ["mortal"]))
    with CommandServer() as server:
        killing = Killing(suite, server, random.Random(85))
        try:
            while len(killing.killed) < KILLS:
                killing.step(go_on=True)
            while killing.arenas:
                killing.step(go_on=False)
            while living(set(killing.killed)):
                time.sleep(0.1)
                assert not killing.orphans()
        finally:
            for side in killing.sides:
                side.stop()
    print(f"{KILLS} kills in {killing.rounds} runs, of which:", dict(killing.doing), file=sys.stderr)
    assert killing.doing["while cells ran"] >= KILLS / 2
    assert killing.doing["between first and last record"] >= KILLS / 2
    assert killing.doing["between the end of a cell and its record"] >= 5
