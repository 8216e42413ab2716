"""Loads plugins one by one, isolates a broken one, keeps provenance.

hmcbench's own come first, so no third-party plugin can take a name of theirs. What the import or a hook of
a third-party plugin may do to the rest is limited by :func:`guarded`: it gets ``LIMIT_S`` seconds, prints to
standard error (so that ``--json`` stays JSON), the working directory is put back, and ``os._exit``, which
would end the command without a word, raises. This guards against mistakes, not against malice: a plugin is a
program that runs as you. The time limit is an alarm signal. It cannot work on Windows, outside the main
thread, where an alarm is running already, or while C code does not return.

``HMCBENCH_PLUGINS=builtin`` leaves every third-party plugin out, so that tests are hermetic;
``HMCBENCH_PLUGINS=none`` loads none at all.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pluggy

from hmcbench import hookspecs
from hmcbench.errors import BadInput
from hmcbench.registry.discovery import EntryPoint, entry_points

GROUP = "hmcbench"
SWITCH = "HMCBENCH_PLUGINS"


@dataclass
class Plugin:
    """One entry point: where it came from, and why all or part of it is not in use (``error``), if so.

    ``seconds`` is what its import and its hooks took; measured of strangers only.
    """

    name: str
    distribution: str
    version: str
    module: str
    error: str = ""
    hooks: tuple[str, ...] = field(default=())
    seconds: float = 0.0

    @property
    def builtin(self) -> bool:
        return self.distribution == "hmcbench"

    @property
    def slow(self) -> bool:
        """Whether every command waits for it for a second or more."""
        return self.seconds >= 1

    def blame(self, problem: str) -> None:
        """Add a problem to those that are known."""
        self.error = f"{self.error}; {problem}" if self.error else problem


class Manager:
    """The pluggy manager and the list of plugins it was given, sorted by name."""

    def __init__(self) -> None:
        self.pm = pluggy.PluginManager(hookspecs.PROJECT)
        self.pm.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []

    def load_entry_points(self) -> None:
        """Load all entry points of the group; a broken one is recorded and left out."""
        mode = os.environ.get(SWITCH, "all")
        if mode not in ("all", "builtin", "none"):
            raise BadInput(f"{SWITCH}={mode!r}", allowed="all, builtin, none")
        if mode == "none":
            return
        points = entry_points(GROUP)
        own = [p for p in points if p.distribution == "hmcbench"]
        for point in own + [p for p in points if mode == "all" and p.distribution != "hmcbench"]:
            name, module, distribution, version = map(printable, point)
            self._load(Plugin(name, distribution, version, module), point)
        self.plugins.sort(key=lambda plugin: plugin.name)

    def _load(self, plugin: Plugin, point: EntryPoint) -> None:
        twin = next((p for p in self.plugins if p.name == plugin.name and not p.error), None)
        if twin is not None and (twin.module, twin.distribution) == (plugin.module, plugin.distribution):
            return  # the same installation seen twice on the path
        self.plugins.append(plugin)
        if twin is not None:
            plugin.error = f"the name is taken by {twin.distribution} ({twin.module})"
            return
        _isolated(plugin, "", lambda: self.register(point.load(), plugin))

    def register(self, module: Any, plugin: Plugin | None = None) -> Plugin:
        """Register a module or object as a plugin; raises PluginValidationError if it misfits."""
        if plugin is None:
            plugin = Plugin(getattr(module, "__name__", type(module).__name__), "-", "-", "-")
            self.plugins.append(plugin)
        self.pm.register(module, name=plugin.name)
        hooks = tuple(caller.name for caller in self.pm.get_hookcallers(module) or [])
        known = {name for name in vars(hookspecs) if name.startswith("hmcbench_")}
        strangers = sorted(set(hooks) - known)
        if strangers or not hooks:
            self.pm.unregister(module)
            names = ", ".join(sorted(known))
            what = f"unknown hook {strangers[0]}" if strangers else "it implements no hook"
            raise pluggy.PluginValidationError(module, f"{what}; the hooks are {names}")
        plugin.hooks = hooks
        return plugin

    def calls(self, hook: str) -> list[tuple[Plugin, Any]]:
        """(plugin, result) per implementation, our own first; one that raises is marked and left out."""
        by_name = {p.name: p for p in self.plugins if not p.error or p.hooks}
        results: list[tuple[Plugin, Any]] = []
        impls = getattr(self.pm.hook, hook).get_hookimpls()
        for impl in sorted(impls, key=lambda i: (not by_name[i.plugin_name].builtin, i.plugin_name)):
            plugin = by_name[impl.plugin_name]
            found = _isolated(plugin, f"{hook} raised ", impl.function)
            if found is not None:
                results.append((plugin, found[0]))
        return results


def _isolated(plugin: Plugin, prefix: str, call: Callable[[], Any]) -> tuple[Any] | None:
    """What a call returns, or None after the plugin has been marked with what it raised."""
    try:
        if plugin.builtin or plugin.distribution == "-":  # our own, or an object of a test
            return (call(),)
        with _timed(plugin), guarded(plugin.seconds):
            return (call(),)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an import may raise anything, SystemExit included
        plugin.blame(prefix + _one_line(error))
        return None


@contextmanager
def _timed(plugin: Plugin) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        plugin.seconds += time.perf_counter() - began


def printable(text: str) -> str:
    """Without what could write elsewhere on a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _one_line(error: BaseException) -> str:
    told = error.args[0] if type(error).__name__ == "TooSlow" else f"{type(error).__name__}: {error}"
    return printable(" ".join(told.split()))[:300]


# --------------------------------------------------------------------------- limits of third-party code

LIMIT_S = 10.0
AGAIN_S = 0.5  # the alarm comes again, for who swallows exceptions and goes on


class TooSlow(BaseException):
    """Raised into a plugin whose time is over; no ``except Exception`` of it catches this."""


@contextmanager
def guarded(spent: float) -> Iterator[None]:
    """Around one import or one hook of a plugin that has taken ``spent`` seconds before.

    Raises:
        TooSlow: all calls together took more than ``LIMIT_S``.
    """
    out, armed, leave = sys.stdout, None, os._exit
    try:
        where = os.getcwd()  # noqa: PTH109 (as it is)
    except OSError:  # a folder that is gone
        where = ""
    sys.stdout = sys.stderr
    os._exit = _refusal(os.getpid(), leave)  # type: ignore[assignment]
    try:
        armed = _arm(LIMIT_S - spent)
        yield
    finally:
        try:
            if armed is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, armed)
        finally:
            sys.stdout, os._exit = out, leave
            if where:
                os.chdir(where)


def _refusal(here: int, leave: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
    """Stands for ``os._exit`` in this process; a child that the plugin forks may leave."""

    def refuse(status: int) -> NoReturn:
        if os.getpid() != here:
            leave(status)
        raise SystemExit(f"os._exit({status}), which would end every command")

    return refuse


def _arm(seconds: float) -> Any:
    """Set the alarm; the handler to put back, or None where there can be no alarm."""
    if not hasattr(signal, "setitimer") or signal.getitimer(signal.ITIMER_REAL)[0]:
        return None
    try:
        previous = signal.signal(signal.SIGALRM, _stop)
    except ValueError:  # not the main thread
        return None
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), AGAIN_S)
    return previous if previous is not None else signal.SIG_DFL


def _stop(_number: int, _frame: Any) -> None:
    raise TooSlow(
        f"its import and hooks take more than {LIMIT_S:g} s; HMCBENCH_PLUGINS=builtin leaves strangers out"
    )
