"""Commands on a folder of a file system that keeps few promises: ``python benchmarks/odd_filesystems.py``.

The functions on files are those of ``file_shim.py``, in every process of every command:

- ``no-locks``: no locks on files, no second name for a file;
- ``not-exclusive``: two that make the same file with ``O_EXCL`` may both succeed;
- ``two-seconds``: times of files in steps of two seconds, and no numbers of files (FAT);
- ``no-case``: ``A`` and ``a`` name the same file;
- ``jumping-clock``: the wall clock, and the times of files, jump by hours and years;
- ``all`` of them.

On each of them the rounds of ``kills.py`` are played with some kills, then cells are run again and again
within one step of the clock, and the command must show what it wrote. Nothing may be doubled, torn or
lost.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import file_shim
import kills

from hmcbench.records.record import read_all
from hmcbench.testing.helpers import installed_plugin

AGAIN = 4


def made_again(place: Path, environment: dict[str, str]) -> list[str]:
    """Cells that are run again at once: a command must see that a record is another one."""
    suite, out = place / "mortal.toml", place / "again"
    command = ["run", "--suite", str(suite), "--out", str(out), "--seeds", "1", "--device", "cpu", "--json"]
    problems, before = [], dict[str, str]()
    for _ in range(AGAIN):
        completed = subprocess.run(
            [sys.executable, "-m", "hmcbench", *command, "--rerun", "all"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode != 0 or "Traceback" in completed.stderr:
            return [f"run again: status {completed.returncode}: {completed.stderr[-1500:]}"]
        shown = {row["key"]: json.dumps(row["timing"]) for row in json.loads(completed.stdout)["records"]}
        there = {record.key: json.dumps(record.data["timing"]) for record in read_all(out)}
        if shown != there:
            problems.append("run again: it shows records that are not those on disk")
        problems += [f"not run again: {key}" for key in before if before[key] == there.get(key)]
        before = there
    return problems


def tried(kind: str, number_of_kills: int, seed: int) -> tuple[kills.Tally, int]:
    """The rounds on one kind of file system, and their number."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve()
        site = place / "site"
        site.mkdir()
        code = "import file_shim\nfile_shim.install_from_environment()\n"
        (site / "sitecustomize.py").write_text(code, "utf-8")
        with installed_plugin(place / "plugin", "mortal", kills.PLUGIN):
            path = os.pathsep.join([str(site), str(Path(__file__).parent), os.environ["PYTHONPATH"]])
            environment = {"PYTHONPATH": path, file_shim.VARIABLE: f"{kind}:{place}"}
            tally, rounds = kills.killed(place, number_of_kills, seed, environment=environment)
            tally.problems += made_again(place, environment)
    return tally, rounds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="all by default")
    parser.add_argument("--kills", type=int, default=60, help="of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = 0
    for kind in options.kinds or file_shim.KINDS:
        began = time.monotonic()
        tally, rounds = tried(kind, options.kills, options.seed)
        failed += len(tally.problems)
        print(
            f"{kind:14} {rounds:3} rounds, {tally.ends.total():4} commands ended by themselves,"
            f" {tally.kills.total():4} kills, {tally.refused.total():3} in one line of refusal,"
            f" {len(tally.problems)} not survived, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        for problem, count in Counter(tally.problems).most_common():
            print(f"--- {count} times: {problem}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
