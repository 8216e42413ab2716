"""Commands are killed at random moments: ``python benchmarks/kills.py --kills 1000``.

Four commands at a time work on one folder: ``run`` of the same plan, ``rescore`` under changing rules,
``publish`` and ``bring``, in changing company. Whichever has come to its moment is killed and typed again.
When all commands of a round have ended by themselves

- every planned cell has one record, the one that was seen first; so has every row that was brought;
- every number of the runs and of the published folder follows from its predictions (``hmcbench verify``);
- after one more ``run``, ``rescore`` and ``publish`` nothing else lies about, and no process is left.

One line per kind of command goes to standard output, and one for everything that did not survive.
``tests/hmcbench/execute/test_kills.py`` and ``executors/test_ray.py`` kill 100 times with every run of the
tests. The models are toys, so that a kill takes about a second.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from command_server import CommandServer, living

from hmcbench.records.record import JSON, NPZ, read_all, short_key
from hmcbench.testing.helpers import installed_plugin, tiny_suite
from hmcbench.verify.tree import verify_results

CELLS = 16
TICK_S = 0.02
ORPHANS_S = 60.0  # a process that its killed command has left is gone long before
STUCK_S = 3600.0  # for one round: the machine may be busy with other work
RULES = ("isotonic", "map", "max", "min", "expected-hf1")
MIXES = (
    ("run", "run", "run", "run"),
    ("run", "run", "rescore", "publish"),
    ("run", "bring", "rescore", "publish"),
    ("bring", "bring", "publish", "publish"),
)
TIMES = {"run": 1, "rescore": 3, "publish": 3, "bring": 3}  # how often each has to end by itself in a round
LATEST_S = {"run": 3.0, "rescore": 1.2, "publish": 1.5, "bring": 1.5}  # one that takes less survives

MODELS = ("mortal[name=a]", "mortal[name=A]")  # labels that differ in case alone
SEEDS = CELLS // len(MODELS)
PLUGIN = """
from hmcbench import ModelSpec, Param, hookimpl

@hookimpl
def hmcbench_models():
    common = dict(version="1", summary="", views=("table",), params={"name": Param("")})
    return [ModelSpec(name="mortal", factory="mortal:Mortal", **common)]

class Mortal:
    def __init__(self, name):
        pass
    def fit(self, train, valid, run):
        import os, time
        kind = os.environ.get("HMCBENCH_FILE_SHIM", "").partition(":")[0]
        assert getattr(os, "file_shim", "") == kind, "the functions on files are not those asked for"
        self.seed = run.seed
        for i in range(4):
            run.report(i + 1, 4, loss=1.0 / (i + 1))
            time.sleep(0.01)
    def predict(self, inputs):
        import numpy as np
        from hmcbench import Scores
        return Scores(np.random.default_rng(self.seed).random((len(inputs), 7)))
"""


@dataclass
class Tally:
    """Kills of each command, those that came while it had a file in work, and what did not survive."""

    kills: Counter[str] = field(default_factory=Counter)
    at_work: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    killed: dict[str, float] = field(default_factory=dict)  # mark -> when


class TypedCommand:
    """One command of a round, typed again until it has ended often enough by itself."""

    def __init__(self, kill_round: KillRound, command: str, number: int) -> None:
        self.kill_round, self.command, self.number = kill_round, command, number
        self.ended = self._starts = 0
        self._output = kill_round.place / f"output-{number}.txt"
        self.start()

    def _arguments(self) -> list[str]:
        kill_round, suite = self.kill_round, str(self.kill_round.suite)
        if self.command == "run":
            run = ["run", "--suite", suite, "--out", str(kill_round.out), "--seeds", str(SEEDS)]
            return [*run, "--device", "cpu", "--threads", "1", "--quiet"]
        if self.command == "rescore":
            rule = RULES[(self.number + self.ended) % len(RULES)]
            return ["rescore", str(kill_round.out), "--rules", rule]
        if self.command == "publish":
            return ["publish", str(kill_round.out), "--to", str(kill_round.board), "--no-figures"]
        bring = [
            "bring",
            str(kill_round.out),
            "--suite",
            suite,
            "--name",
            f"brought {self.number}.{self.ended}",
        ]
        return [*bring, "--predictions", str(kill_round.predictions)]

    def start(self) -> None:
        """Type it, and choose when it dies: by the clock, or when the file of a result is there."""
        self._starts += 1
        self.mark = f"{self.kill_round.place} {self.number} {self._starts}"
        self.pid = self.kill_round.server.start(self.mark, *self._arguments(), output=self._output)
        rng = self.kill_round.rng
        self._due = time.monotonic() + rng.uniform(0.0, LATEST_S[self.command])
        self._watched = ""
        if rng.random() < 0.4:  # dies when it has something in work
            self._due, self._watched = math.inf, rng.choice(("", NPZ, JSON, "result.json"))

    def in_work(self, holding: str = "") -> bool:
        """Whether it has a temporary file or folder (that holds a file)."""
        places = (self.kill_round.records, self.kill_round.records.parent, *self.kill_round.published())
        parts = [p for place in places for p in place.glob(f".*-{self.pid}.*")]
        parts += [] if holding else list(self.kill_round.records.glob(f"*/.*-{self.pid}.*"))
        return any((part / holding).exists() for part in parts)

    def ripe(self) -> bool:
        if self._due == math.inf and self.in_work(self._watched):
            self._due = time.monotonic() + self.kill_round.rng.choice((0.0, 0.0, 0.05))
        return time.monotonic() >= self._due

    def look(self, tally: Tally, kill: bool) -> None:
        """Take note of its end, or kill it, and type it again."""
        status = self.kill_round.server.status(self.pid)
        if status is None:
            if not (kill and self.ripe()):
                return
            os.kill(self.pid, signal.SIGSTOP)  # what lies there now is what it leaves
            tally.at_work[self.command] += self.in_work()
            os.kill(self.pid, signal.SIGKILL)
            while (status := self.kill_round.server.status(self.pid)) is None:
                time.sleep(0.001)
        text = self.output()
        if "Traceback" in text:
            tally.problems.append(f"{self.command}: {text[-1500:]}")
        if status == -signal.SIGKILL:
            tally.kills[self.command] += 1
            tally.killed[self.mark] = time.monotonic()
        elif status == 0:
            tally.ends[self.command] += 1
            self.ended += 1
        else:
            tally.refused[self.command] += 1
            if self.command == "run" or len(text.strip().splitlines()) != 1:
                tally.problems.append(f"{self.command}: status {status}: {text[-1500:]}")
                self.ended += 1
        if not self.done():
            self.start()

    def output(self) -> str:
        return self._output.read_text("utf-8", "replace") if self._output.exists() else ""

    def done(self) -> bool:
        return self.ended >= TIMES[self.command]


class KillRound:
    """The folder of one round, what works on it, and which records were seen there."""

    def __init__(self, place: Path, suite: Path, predictions: Path, server: CommandServer, seed: str) -> None:
        self.place, self.suite, self.predictions, self.server = place, suite, predictions, server
        self.rng = random.Random(seed)
        self.out, self.board = place / "runs", place / "board"
        self.records = self.out / "mortal" / "records"
        self.seen: dict[str, tuple[int, int]] = {}
        place.mkdir(parents=True)

    def published(self) -> list[Path]:
        folder = self.board / "mortal"
        return [self.board, folder, folder / "records"]

    def look(self, tally: Tally) -> None:
        """Every record that was seen is there, with the same predictions."""
        there = self.records.iterdir() if self.records.is_dir() else ()
        names = {path.name for path in there if not path.name.startswith(".")}
        for name in self.seen.keys() - names:
            tally.problems.append(f"lost: {name}")
            del self.seen[name]
        for name in names:
            status = (self.records / name / NPZ).stat()
            stamp = status.st_ino, status.st_mtime_ns
            if (
                self.seen.setdefault(name, stamp) != stamp and "brought" not in name
            ):  # these replace themselves
                tally.problems.append(f"made twice: {name}")
                self.seen[name] = stamp

    def play(self, mix: Sequence[str], tally: Tally, wanted: int) -> None:
        """One round: until every command has ended by itself."""
        if "run" not in mix:
            self._once(tally, TypedCommand(self, "run", 9))
        sides = [TypedCommand(self, command, number) for number, command in enumerate(mix)]
        until = time.monotonic() + STUCK_S
        while not all(side.done() for side in sides):
            time.sleep(TICK_S)
            if time.monotonic() > until:
                tally.problems.append(f"the round of {mix} does not come to an end")
                break
            for side in sides:
                if not side.done():
                    side.look(tally, tally.kills.total() < wanted)
            self.look(tally)
        for command in ("run", "rescore", "publish"):
            self._once(tally, TypedCommand(self, command, 9))
        brought = sum(TIMES["bring"] for command in mix if command == "bring")
        self._check(tally, brought)

    def _once(self, tally: Tally, side: TypedCommand) -> None:
        while not side.ended:
            time.sleep(TICK_S)
            status = self.server.status(side.pid)
            if status is not None:
                side.ended += 1
                if status != 0:
                    tally.problems.append(f"{side.command} without a kill: status {status}: {side.output()}")

    def _check(self, tally: Tally, brought: int) -> None:
        """What stands at the end of a round."""
        self.look(tally)
        if not (self.records.is_dir() and (self.board / "mortal").is_dir()):
            tally.problems.append("nothing was written")
            return
        keys = Counter(short_key(record.key) for record in read_all(self.out))
        if len(keys) != CELLS + brought or max(keys.values()) > 1:
            tally.problems.append(f"{len(keys)} records, {max(keys.values())} at most of a cell")
        report = verify_results([self.out / "mortal", self.board / "mortal"])
        tally.problems += [f"verify: {finding}" for finding in report.all_findings()]
        left = [p for place in (self.out, self.board) for p in place.rglob(".*")]
        left += [p for name in ("locks", "work") for p in (self.out / "mortal" / name).glob("*")]
        tally.problems += [f"left: {path.relative_to(self.place)}" for path in left]
        late = time.monotonic() - ORPHANS_S
        orphans = living({mark for mark, when in tally.killed.items() if when < late})
        tally.problems += [f"a process is left of {mark}" for mark in orphans]


def killed(
    place: Path,
    kills: int,
    seed: int,
    *,
    seconds: float = math.inf,
    environment: Mapping[str, str] | None = None,
    mixes: Sequence[Sequence[str]] = MIXES,
) -> tuple[Tally, int]:
    """Kill that often, in one round at least; returns what came of it, and the number of rounds.

    Args:
        seconds: after which no further round begins.
        environment: further variables of the commands.
        mixes: the commands of the rounds, in turn.
    """
    until = time.monotonic() + seconds
    tally, rounds = Tally(), 0
    suite = place / "mortal.toml"
    suite.write_text(tiny_suite("mortal", MODELS), "utf-8")
    task = [sys.executable, "-m", "hmcbench", "export-task", str(suite), "--to", str(place / "task")]
    subprocess.run(task, check=True, stdout=subprocess.DEVNULL)
    predictions = next(iter(sorted((place / "task").rglob("example.csv"))))
    with CommandServer({"HMCBENCH_CACHE": str(place / "cache"), **(environment or {})}) as server:
        while not rounds or (tally.kills.total() < kills and time.monotonic() < until):
            mix = mixes[rounds % len(mixes)]
            kill_round = KillRound(place / f"round-{rounds}", suite, predictions, server, f"{seed} {rounds}")
            kill_round.play(mix, tally, kills)
            shutil.rmtree(kill_round.place)
            rounds += 1
            progress = f"round {rounds}: {tally.kills.total()} kills {dict(tally.kills)}"
            print(f"{progress}, {len(tally.problems)} not survived", file=sys.stderr, flush=True)
    return tally, rounds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=math.inf, help="then no round begins")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, installed_plugin(Path(name, "plugin"), "mortal", PLUGIN):
        tally, rounds = killed(Path(name), options.kills, options.seed, seconds=options.seconds)
    for command in TIMES:
        print(
            f"{command:8} {tally.kills[command]:5} kills, {tally.at_work[command]:5} while it wrote;"
            f" {tally.ends[command]:4} ended by themselves, {tally.refused[command]:3} in one line of refusal"
        )
    for problem, count in Counter(tally.problems).most_common():
        print(f"--- {count} times: {problem}")
    seconds = time.monotonic() - began
    print(
        f"{tally.kills.total()} kills in {rounds} rounds, {len(tally.problems)} not survived,"
        f" {seconds:.0f} s",
        flush=True,
    )
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
