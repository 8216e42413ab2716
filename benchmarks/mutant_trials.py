"""Tries mutants: changes a copy of the code and runs tests, each time in a forked process.

Two ways. *Swapped*: the tests are collected once, and each mutant runs them in a fork of that process in
which the code of one function is replaced; that takes as long as the tests take until the first one fails.
*Fresh*: a fork that has only the libraries imports the changed module and collects the tests. Changes outside
functions are tried fresh, and so is again what survived swapped: values that were computed while tests were
collected may hide a change.

The changed text is also written to the copy, for tests that start processes.
"""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NoReturn

import hypothesis
import pytest

COPIED = ("hmcbench", "plugins", "tests", "pyproject.toml", "conftest.py")
OPTIONS = (
    *("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-m", "not slow"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # libraries are imported before pytest starts
)
Pair = tuple[CodeType, CodeType]
"""The code of a function, before and after a change."""
POLL_S = 0.01
STOPPED = "crash or time limit"
MEMORY = 4 * 2**30
"""Bytes that a mutant may take beyond what its process has at the start: some never stop growing."""


class Fork:
    """A child process, in the folder ``code``, with an own temporary folder and no output.

    ``pid`` is 0 in the child, which ends with :meth:`end`. The parent calls :meth:`answer`.
    """

    def __init__(self, code: Path, limit_s: float | None, *, keep_bytecode: bool = False) -> None:
        self.temporary = Path(tempfile.mkdtemp(prefix="mutant"))
        self._limit_s = limit_s
        self.pid = os.fork()
        if self.pid == 0:
            self._settle(code, keep_bytecode)

    @classmethod
    def of(cls, work: Callable[[], object], code: Path, limit_s: float | None, *, keep: bool = False) -> Fork:
        """A child that ends with what ``work`` returns."""
        fork = cls(code, limit_s, keep_bytecode=keep)
        if fork.pid == 0:
            try:
                fork.end(work())
            finally:
                os._exit(1)  # whatever happened: the child must not go on as its parent
        return fork

    def _settle(self, code: Path, keep_bytecode: bool) -> None:
        os.setpgid(0, 0)
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silent, stream)
        os.chdir(code)
        paths = [str(code), str(code / "plugins")]
        sys.path[:0] = paths
        sys.dont_write_bytecode = not keep_bytecode
        temporary = str(self.temporary)
        os.environ |= {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": temporary}
        os.environ |= {"PYTEST_DEBUG_TEMPROOT": temporary}
        tempfile.tempdir = None
        if not keep_bytecode:
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self._limit_s is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            resource.setrlimit(resource.RLIMIT_CPU, (int(self._limit_s) + 1, int(self._limit_s) + 2))

    def end(self, answer: object) -> NoReturn:
        (self.temporary / "answer.json").write_text(json.dumps(answer))
        os._exit(0)

    def answer(self) -> Any:
        """What the child answered; None if it died, used up its time, or slept for as long.

        Only sleep is waited for: a child that does not get the processor may take any time.
        """
        waited = 0.0
        try:
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                time.sleep(POLL_S)
                waited += POLL_S
                if self._limit_s is not None and waited > self._limit_s:
                    waited = 0.0
                    if not _asleep(self.pid):
                        continue
                    os.killpg(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    break
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # what the tests left behind
            with suppress(OSError):
                return json.loads((self.temporary / "answer.json").read_text())
            return None
        finally:
            shutil.rmtree(self.temporary, ignore_errors=True)


def _asleep(group: int) -> bool:
    """Whether all processes of a group wait for something else than the processor."""
    states = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, its_group = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group:
                states.add(state)
    return states <= {"S", "Z"}


@dataclass(eq=False)
class Watch:
    """A plugin of pytest: runs fast tests first, and notes how long each takes and which fails first."""

    seconds: dict[str, float]
    failed: str = ""
    measured: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Hypothesis tries the same examples as always; it does not look for a smaller one that fails."""
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        unhurried = list(hypothesis.HealthCheck)
        hypothesis.settings.register_profile(
            "mutants", hypothesis.settings(), phases=phases, suppress_health_check=unhurried
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.measured[report.nodeid] = self.measured.get(report.nodeid, 0.0) + report.duration
        if report.failed and not self.failed:
            self.failed = report.nodeid


@dataclass(eq=False)
class Swapping(Watch):
    """After the tests are collected, forks once per change and runs the tests in the fork."""

    name: str = ""  # of the module, for imports
    pairs: dict[int, Pair] = field(default_factory=dict)
    fork: Callable[[int], Fork] | None = None
    noticed: Callable[[int, str], None] = lambda number, cause: None
    outcomes: dict[int, str] = field(default_factory=dict)
    child: Fork | None = None  # of which this process is the child

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        live = [f for f in gc.get_objects() if isinstance(f, FunctionType) and f.__module__ == self.name]
        assert self.fork is not None
        for number, (old, new) in self.pairs.items():
            swapped = [function for function in live if function.__code__ == old]
            if not swapped:
                continue
            child = self.fork(number)
            if child.pid == 0:
                self.child = child
                for function in swapped:
                    function.__code__ = new
                return None  # pytest goes on with the tests
            self.outcomes[number] = _cause(child.answer())
            if self.outcomes[number]:
                self.noticed(number, self.outcomes[number])
        return True


@dataclass(frozen=True)
class Tests:
    """The tests of a module, as they pass without a change."""

    files: Sequence[str]
    seconds: dict[str, float]  # test -> how long it takes

    @property
    def limit_s(self) -> float:
        return 15 + 3 * sum(self.seconds.values())


class Trial:
    """A copy of the code in which one module at a time is changed."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, folder / name)

    def baseline(self, files: Sequence[str]) -> Tests:
        """The tests without a change. Imports what they import of libraries, for all forks that follow."""

        def work() -> dict[str, Any]:
            watch = Watch({})
            status = int(pytest.main([*OPTIONS, *files], plugins=[watch]))
            loaded = {name: str(getattr(part, "__file__", None) or "") for name, part in sys.modules.items()}
            ours = str(self.folder)
            libraries = [name for name, path in loaded.items() if path and not path.startswith(ours)]
            return {"status": status, "failed": watch.failed, "of": watch.measured, "import": libraries}

        said = Fork.of(work, self.folder, None, keep=True).answer()
        if said is None or said["status"] != 0:
            raise SystemExit(f"tests do not pass without a change: {files} {said and said['failed']}")
        for name in said["import"]:
            with suppress(Exception), warnings.catch_warnings(action="ignore"):
                importlib.import_module(name)
        return Tests(files, said["of"])

    def _change(self, module: str, text: str) -> None:
        (self.folder / module).write_text(text, encoding="utf-8")

    def _restore(self, module: str) -> None:
        """With its old time, so that its bytecode is valid."""
        shutil.copy2(self.root / module, self.folder / module)

    def fresh(self, module: str, tree: ast.Module, tests: Tests) -> str:
        """Why a change died; empty if it survived."""

        def work() -> str:
            watch = Watch(tests.seconds)
            status = int(pytest.main([*OPTIONS, *tests.files], plugins=[watch]))
            return "" if status == 0 else watch.failed or "import"

        self._change(module, ast.unparse(tree))
        try:
            return _cause(Fork.of(work, self.folder, tests.limit_s).answer())
        finally:
            self._restore(module)

    def swapped(
        self,
        module: str,
        trees: dict[int, ast.Module],
        tests: Tests,
        noticed: Callable[[int, str], None] = lambda number, cause: None,
    ) -> dict[int, str]:
        """Why changes died, empty if they survived, for all those that can be tried in this way.

        ``noticed`` is called at once for each that died, in another process.
        """
        path = self.folder / module
        original = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        plugin = Swapping(tests.seconds, name=module.removesuffix(".py").replace("/", "."), noticed=noticed)
        for number, tree in trees.items():
            pair = difference(original, compile(tree, str(path), "exec", dont_inherit=True))
            if pair is not None:
                plugin.pairs[number] = pair

        def fork(number: int) -> Fork:
            self._change(module, ast.unparse(trees[number]))
            return Fork(self.folder, tests.limit_s)

        def work() -> dict[int, str]:
            plugin.fork = fork
            status = int(pytest.main([*OPTIONS, *tests.files], plugins=[plugin]))
            if plugin.child is not None:
                plugin.child.end("" if status == 0 else plugin.failed or "end")
            return plugin.outcomes

        try:
            said = Fork.of(work, self.folder, None).answer()
        finally:
            self._restore(module)
        if said is None:
            raise SystemExit(f"{module}: the process that tries its mutants died")
        return {int(number): cause for number, cause in said.items()}


def _cause(answer: str | None) -> str:
    return STOPPED if answer is None else answer


def difference(old: CodeType, new: CodeType) -> Pair | None:
    """The one outermost function that differs between two versions of a module, before and after."""
    pairs = [pair for pair in zip(functions(old), functions(new), strict=True) if pair[0] != pair[1]]
    if len(pairs) != 1 or _outside(old) != _outside(new):
        return None
    return pairs[0]


def functions(code: CodeType) -> list[CodeType]:
    """The functions and methods of a module or class."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [
        f for part in inner for f in ([part] if part.co_flags & inspect.CO_OPTIMIZED else functions(part))
    ]


def _outside(code: CodeType) -> list[object]:
    """What a module or class runs itself, without its functions."""
    parts: list[object] = [code.co_code, code.co_names]
    for constant in code.co_consts:
        if not isinstance(constant, CodeType):
            parts.append((type(constant), constant))
        elif not constant.co_flags & inspect.CO_OPTIMIZED:
            parts += _outside(constant)
    return parts
