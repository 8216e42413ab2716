"""Models in one file that do what no model should; read by test_hostile.py as ``hostile.py:NAME``."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench import Scores

MIB = bytes(2**20)


class Base:
    """A quarter for every class; ``spoil`` does the harm in fit, ``answer`` gives the scores."""

    def fit(self, train: Any, valid: Any, run: Any) -> None:
        self.columns = run.task.hierarchy.n
        self.spoil(train, valid, run)

    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        """Nothing."""

    def predict(self, inputs: Any) -> Any:
        return self.answer(inputs)

    def answer(self, inputs: Any) -> Any:
        return Scores(np.full((len(inputs), self.columns), 0.25))


class Raises(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        raise ValueError("a\nmessage of\x1b[31m several lines" + "!" * 5000)


class Exits(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        raise SystemExit(0)


class Interrupts(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        raise KeyboardInterrupt


class EndsAtOnce(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        os._exit(0)


class Crashes(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        ctypes.string_at(0)


class KillsItself(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class NeverEnds(Base):
    """And does not listen."""

    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(0.01)


class Recurses(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        self.spoil(train, valid, run)


class WritesTruth(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        train.dense_targets[:] = True


class WritesViews(Base):
    """Through the buffer, which ``setflags`` does not guard where the owner can be reached."""

    def answer(self, inputs: Any) -> Any:
        for view in inputs.views.values():
            owner = view
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            try:
                owner.setflags(write=True)
                owner[:] = 0
            except (ValueError, TypeError):
                pass
        return super().answer(inputs)


class MovesAway(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        os.chdir("/")
        os.umask(0o777)


class ClosesFiles(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        os.closerange(0, 3)


class ClosesEverything(Base):
    """The pipe to the runner too."""

    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        os.closerange(0, 256)


class LeavesThreads(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        for _ in range(20):
            threading.Thread(target=time.sleep, args=(3600,)).start()


class LeavesProcesses(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        if os.fork() == 0:
            time.sleep(3600)
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])


class ChangesEnvironment(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        os.environ.clear()
        sys.path.clear()
        sys.argv[:] = ["nothing"]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


class ChangesSeeds(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002


class ChangesNumpy(Base):
    """The metrics of this cell are computed in the process that it spoils; others are not."""

    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        np.mean = lambda *a, **k: 1.0


class ReplacesOutput(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        sys.stdout = sys.stderr = None  # type: ignore[assignment]


class Floods(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        for _ in range(256):
            os.write(1, MIB)
            os.write(2, MIB)


class Warns(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        import warnings

        warnings.simplefilter("error")
        for i in range(10_000):
            print(f"warning {i}")


class Hoards(Base):
    """More memory than the process may have."""

    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        with Path("/proc/self/statm").open() as file:
            most = int(file.read().split()[0]) * resource.getpagesize() + 2**28
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        self.kept = [bytearray(2**26) for _ in range(64)]


class OpensFiles(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        self.kept = [Path(os.devnull).open() for _ in range(900)]  # noqa: SIM115


class NotANumber(Base):
    def answer(self, inputs: Any) -> Any:
        return Scores(np.full((len(inputs), self.columns), np.nan))


class TooFew(Base):
    def answer(self, inputs: Any) -> Any:
        return Scores(np.full((max(len(inputs) - 1, 0), self.columns), 0.25))


class Words(Base):
    def answer(self, inputs: Any) -> Any:
        return [["yes"] * self.columns] * len(inputs)


class Infinite(Base):
    def answer(self, inputs: Any) -> Any:
        return Scores(np.full((len(inputs), self.columns), np.inf))


class RemovesItsFolder(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        import shutil

        shutil.rmtree(run.folder, ignore_errors=True)


class CannotBePickled(Base):
    def spoil(self, train: Any, valid: Any, run: Any) -> None:
        self.lock = threading.Lock()


class Fine(Base):
    """To see that the file itself is not at fault."""
