"""Every file operation of a command fails once: ``python benchmarks/file_faults.py [COMMAND ...]``.

The operations that a small job makes under its folder are counted (open, write, fsync, rename, mkdir, unlink,
rmdir, stat, listing, link). Then the job runs once for every operation k and every way in which it can fail:
the disk is full (ENOSPC) or broken (EIO), the file is not ours (EACCES) or gone (ENOENT), the call is
interrupted (EINTR), or a write ends early. ``FAULTS=500`` tries so many of each command, evenly spread.
Afterwards

- the command has ended in good order or in one clear line, without a traceback;
- every file there can be read whole, and no record that was there before is gone;
- the same command, typed again without a fault, completes with the metrics of a run without any.

One line per command goes to standard output, and one for every trial that does not survive. Trials are forked
from a process that has the libraries loaded, so that thousands take minutes.
"""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import json
import os
import shutil
import stat
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EINTR, errno.ENOENT)
SHORT = -1  # the kind of fault in which a write ends early
FUNCTIONS = (
    *("open", "write", "pwrite", "fsync", "replace", "rename", "mkdir", "unlink", "remove", "rmdir"),
    *("stat", "lstat", "scandir", "listdir", "link", "utime", "truncate"),
)


class Faults:
    """Counts the operations on files under a folder, and lets one of them fail."""

    def __init__(self, root: Path, at: int = 0, error: int = 0) -> None:
        self.root, self.at, self.error = str(root), at, error
        self.count, self.names = 0, Counter[str]()
        self.what = ""
        self._files: set[int] = set()
        self._open = os.open

    def install(self) -> None:
        for name in FUNCTIONS:
            setattr(os, name, self._guarded(name, getattr(os, name)))
        builtins.open = io.open = self._file  # type: ignore[assignment]

    def check(self, name: str, where: Any) -> bool:
        """Count an operation; raises at the k-th, or returns whether a write is to end early."""
        if isinstance(where, int):
            if where not in self._files:
                return False
        elif not os.path.abspath(os.fsdecode(where)).startswith(self.root):  # noqa: PTH100
            return False
        self.count += 1
        self.names[name] += 1
        if self.count != self.at:
            return False
        self.what = f"{name} {where}"
        if self.error == SHORT:
            if name in ("write", "pwrite"):
                return True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise OSError(self.error, os.strerror(self.error), None if isinstance(where, int) else where)

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            where = args[0] if args else kwargs.get("path", ".")
            if isinstance(where, (str, bytes, os.PathLike, int)) and self.check(name, where):
                args = (where, args[1][: len(args[1]) // 2], *args[2:])
            result = function(*args, **kwargs)
            if name == "open":
                self._files.discard(result)
                if self._below(where):
                    self._files.add(result)
            return result

        return call

    def _below(self, where: Any) -> bool:
        return not isinstance(where, int) and os.path.abspath(os.fsdecode(where)).startswith(self.root)  # noqa: PTH100

    def _file(self, file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
        """The built-in ``open`` on a raw file whose reads and writes are counted too."""
        if isinstance(file, int) or not self._below(file):
            return _OPEN(file, mode, buffering, *args, **kwargs)
        self.check("open", file)
        raw = _Raw(os.fspath(file), mode.replace("b", "").replace("t", ""))
        raw.faults, raw.path = self, os.fspath(file)
        self._files.add(raw.fileno())
        buffered: Any
        if "+" in mode:
            buffered = io.BufferedRandom(raw)
        else:
            buffered = io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *args, **kwargs)


_OPEN = io.open


class _Raw(io.FileIO):
    faults: Faults
    path: str

    def write(self, data: Any) -> int:
        if self.faults.check("write", self.path):
            super().write(bytes(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        return super().write(data)

    def readinto(self, buffer: Any) -> int | None:  # type: ignore[override]
        self.faults.check("read", self.path)
        return super().readinto(buffer)

    def readall(self) -> bytes:
        self.faults.check("read", self.path)
        return super().readall()


@dataclass(frozen=True)
class Job:
    """A command, what it needs in place before it, and the folder whose records it leaves."""

    name: str
    args: Sequence[str]
    before: Sequence[Sequence[str]] = ()


SMOKE = ("run", "--suite", "smoke", "--dataset", "toy-tree", "--quiet")
RUN = (*SMOKE, "--model", "prior", "--model", "random", "--out", "{root}/runs")
TASK = ("export-task", "smoke", "--dataset", "toy-tree", "--to", "{root}/task")
BROUGHT = ("bring", "{root}/runs", "--suite", "smoke", "--dataset", "toy-tree", "--name", "ours")
JOBS = (
    Job("run", RUN),
    Job("publish", ("publish", "{root}/runs", "--to", "{root}/board", "--suite", "smoke"), (RUN,)),
    Job("rescore", ("rescore", "{root}/runs"), (RUN,)),
    Job("verify", ("verify", "{root}/board"), (RUN, ("publish", "{root}/runs", "--to", "{root}/board"))),
    Job("ensemble", ("ensemble", "{root}/runs", "--rows", "random,prior"), (RUN,)),
    Job("bring", (*BROUGHT, "--predictions", "{root}/p.csv"), (RUN, TASK)),
    Job("leaderboard", ("leaderboard", "{root}/runs", "--format", "md", "--output", "{root}/b.md"), (RUN,)),
)


def forked(work: Callable[[], dict[str, Any]], limit: float = 120) -> dict[str, Any]:
    """What the function returns in a child process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            result = work()
        except BaseException as error:
            result = {"failure": f"{type(error).__name__}: {error}", "text": traceback.format_exc()}
        with _OPEN(write, "w") as file:
            json.dump(result, file)
        os._exit(0)
    os.close(write)
    with _OPEN(read) as file:
        text = file.read()
    os.waitpid(child, 0)
    return dict(json.loads(text)) if text else {"failure": "the process died"}


def command(args: Sequence[str], root: Path, faults: Faults | None = None) -> dict[str, Any]:
    """Status and output of a command in this process."""
    from hmcbench.cli import main

    output = tempfile.TemporaryFile("w+")  # noqa: SIM115
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    sys.stdout = sys.stderr = os.fdopen(os.dup(1), "w")
    sys.argv = ["hmcbench", *(arg.format(root=root) for arg in args)]
    os.environ["HMCBENCH_CACHE"] = str(root / "cache")
    if faults is not None:
        faults.install()
    status: Any = 0
    try:
        main()
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
        status = 99
    sys.stdout.flush()
    output.seek(0)
    text = output.read()
    named = (
        {} if faults is None else {"count": faults.count, "what": faults.what, "names": dict(faults.names)}
    )
    return {"status": status or 0, "text": text, **named}


def whole(root: Path) -> list[str]:
    """Files that cannot be read to their end; temporary ones do not count."""
    torn = []
    for path in root.rglob("*"):
        temporary = ".tmp" in path.name or "work" in path.relative_to(root).parts  # where cells are at work
        if temporary or path.suffix not in (".json", ".npz", ".jsonl"):
            continue
        if not stat.S_ISREG(path.stat().st_mode):
            continue
        try:
            if path.suffix == ".npz":
                with np.load(path) as arrays:
                    [arrays[name] for name in arrays.files]
            else:
                text = path.read_text("utf-8")
                for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
                    json.loads(part)
        except Exception as error:
            torn.append(f"{path.relative_to(root)}: {error}")
    return torn


def metrics(root: Path) -> dict[str, Any]:
    """Folder of a record -> its metrics, of all records under a folder."""
    return {
        str(path.parent.relative_to(root)): json.loads(path.read_text("utf-8")).get("metrics")
        for path in sorted(root.rglob("records/*/record.json"))
        if not path.parent.name.startswith(".")  # parts that a run was writing when it ended
    }


def trial(job: Job, start: Path, root: Path, at: int, error: int, expected: dict[str, Any]) -> list[str]:
    """What one fault did that it must not do."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(start, root)
    before = metrics(root)
    outcome = forked(lambda: command(job.args, root, Faults(root, at, error)))
    problems = []
    if "failure" in outcome:
        return [f"{outcome['failure']}"]
    if "Traceback" in outcome["text"] or outcome["status"] == 99:
        problems.append("traceback: " + outcome["text"][-1500:])
    if outcome["status"] not in (0, 1, 2, 3):
        problems.append(f"status {outcome['status']}")
    if outcome["status"] == 2 and len(outcome["text"].strip().splitlines()) > 3:
        problems.append("more than one line: " + outcome["text"][-400:])
    problems += [f"torn: {line}" for line in whole(root)]
    lost = before.keys() - metrics(root).keys()
    problems += [f"lost: {name}" for name in sorted(lost)]
    again = forked(lambda: command(job.args, root))
    if again.get("status") != expected["status"]:
        problems.append(f"again: status {again.get('status')}: {again.get('text', again)[-400:]}")
    if metrics(root) != expected["metrics"]:
        problems.append("again: other metrics or records")
    return [f"{outcome['what']} ({errno.errorcode.get(error, 'short')}): {problem}" for problem in problems]


def tried(job: Job, folder: Path, most: int) -> tuple[int, Counter[str], list[str]]:
    """The number of faults, operations by name, and what went wrong."""
    start, root = folder / "start", folder / "root"
    start.mkdir(parents=True)
    for args in job.before:
        outcome = forked(lambda args=args: command(args, start))  # type: ignore[misc]
        assert outcome.get("status") == 0, (args, outcome)
    (start / "p.csv").write_text(predictions(start), "utf-8")
    shutil.copytree(start, root)
    counted = forked(lambda: command(job.args, root, Faults(root)))
    assert counted.get("status") == 0, counted
    expected = {"status": counted["status"], "metrics": metrics(root)}
    total = counted["count"]
    pairs = list(itertools.product(range(1, total + 1), (*ERRORS, SHORT)))
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(most, len(pairs))).astype(int)).tolist()
    problems = [line for i in chosen for line in trial(job, start, root, *pairs[i], expected)]
    return len(chosen), Counter(counted["names"]), problems


def predictions(start: Path) -> str:
    """A table to bring: the example of an exported task."""
    example = next(iter(sorted(start.rglob("example.csv"))), None)
    return example.read_text("utf-8") if example else ""


def main() -> None:
    chosen = [job for job in JOBS if job.name in sys.argv[1:] or not sys.argv[1:]]
    most = int(os.environ.get("FAULTS", "100000"))
    import sklearn.ensemble  # noqa: F401

    total = 0
    for job in chosen:
        with tempfile.TemporaryDirectory() as name:
            n, names, problems = tried(job, Path(name).resolve(), most)
        total += n
        operations = ", ".join(f"{count} {operation}" for operation, count in names.most_common())
        print(f"{job.name}: {n} faults, {len(problems)} not survived; {operations}", flush=True)
        for problem in problems:
            print(f"  {problem}", flush=True)
    print(f"{total} faults")


if __name__ == "__main__":
    main()
