"""Loads plugins one by one, isolates broken ones, keeps provenance.

Built-in plugins come first, so no third-party plugin can take one of their names. :func:`guarded` limits the
side effects of importing a third-party plugin and of its hooks: they get ``LIMIT_S`` seconds, write to
standard error (so that ``--json`` stays JSON), the working directory is restored, and ``os._exit``, which
would end the command without a message, raises. A plugin that took too long is not loaded again by the same
command and its child processes. This protects against mistakes, not against malice: a plugin runs with the
rights of the user.

``HMCBENCH_PLUGINS=builtin`` loads no third-party plugin, so that tests are hermetic;
``HMCBENCH_PLUGINS=none`` loads no plugin. Files and modules in it, joined by commas, are loaded besides
(:mod:`hmcbench.registry.named`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pluggy

from hmcbench.errors import one_line
from hmcbench.interfaces import hookspecs
from hmcbench.registry.discovery import entry_points
from hmcbench.registry.limits import TooSlow, time_limit
from hmcbench.registry.named import load, module_name, switches

GROUP = "hmcbench"


@dataclass
class Plugin:
    """One entry point: its origin, and why all or part of it is not in use (``error``), if so.

    ``warning`` names fields of specs that this version of hmcbench ignores. ``seconds`` is the time of its
    import and its hooks; measured for third-party plugins only. ``named``: the user named the file or module.
    ``file``: the file that the user named; empty for a module.
    """

    name: str
    distribution: str
    version: str
    module: str
    error: str = ""
    warning: str = ""
    hooks: tuple[str, ...] = field(default=())
    seconds: float = 0.0
    named: bool = False
    file: str = ""

    @property
    def builtin(self) -> bool:
        return self.distribution == "hmcbench"

    @property
    def slow(self) -> bool:
        """Whether it delays every command by a second or more."""
        return self.seconds >= 1

    def add_warning(self, warning: str) -> None:
        self.warning = f"{self.warning}; {warning}" if self.warning else warning

    def add_problem(self, problem: str) -> None:
        self.error = f"{self.error}; {problem}" if self.error else problem


class Manager:
    """The pluggy manager and the list of its plugins, sorted by name."""

    def __init__(self) -> None:
        self.pm = pluggy.PluginManager(hookspecs.PROJECT)
        self.pm.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []

    def load_entry_points(self) -> None:
        """Load all entry points of the group, and what the user named; broken ones are left out."""
        mode, names = switches()
        points = entry_points(GROUP) if mode != "none" else []
        own = [p for p in points if p.distribution == "hmcbench"]
        for point in own + [p for p in points if mode == "all" and p.distribution != "hmcbench"]:
            name, module, distribution, version = map(one_line, point)
            self._load(Plugin(name, distribution, version, module), point.load)
        for name in names:
            self._load_named(name)
        self.plugins.sort(key=lambda plugin: plugin.name)

    def _load_named(self, name: str) -> None:
        module = module_name(name)
        file = name if name.endswith(".py") else ""
        base = os.path.basename(name)  # noqa: PTH119 (pathlib is slow)
        plugin = Plugin(module, base, "", module, named=True, file=file)
        self._load(plugin, lambda: load(name))

    def _load(self, plugin: Plugin, imported: Callable[[], Any]) -> None:
        twin = next((p for p in self.plugins if p.name == plugin.name and not p.error), None)
        if twin is not None and _same(twin, plugin):
            return  # the same installation, found twice on the path, or the same file, named twice
        self.plugins.append(plugin)
        if twin is not None:
            plugin.error = f"the name is taken by {twin.distribution} ({twin.file or twin.module})"
            plugin.error += "; give the file another name" if plugin.file else ""
            return
        if _identity(plugin) in os.environ.get(SKIPPED, "").splitlines():
            plugin.error = "skipped: " + _TOO_SLOW.format(LIMIT_S)
            return
        _isolated(plugin, "", lambda: self.register(imported(), plugin))

    def register(self, module: Any, plugin: Plugin | None = None) -> Plugin:
        """Register a module or object as a plugin; raises PluginValidationError if its hooks are wrong.

        Nothing of a plugin that raises stays registered.
        """
        if plugin is None:
            plugin = Plugin(getattr(module, "__name__", type(module).__name__), "-", "-", "-")
            self.plugins.append(plugin)
        known_before = self.pm.is_registered(module)
        try:
            self.pm.register(module, name=plugin.name)
        except BaseException:  # pluggy keeps the hooks that it had added before the wrong one
            if not known_before and self.pm.is_registered(module):
                self.pm.unregister(module)
            raise
        hooks = tuple(caller.name for caller in self.pm.get_hookcallers(module) or [])
        known = {name for name in vars(hookspecs) if name.startswith("hmcbench_")}
        unknown_hooks = sorted(set(hooks) - known)
        if unknown_hooks or not hooks:
            self.pm.unregister(module)
            names = ", ".join(sorted(known))
            what = f"unknown hook {unknown_hooks[0]}" if unknown_hooks else "it implements no hook"
            raise pluggy.PluginValidationError(module, f"{what}; the hooks are {names}")
        plugin.hooks = hooks
        return plugin

    def hook_results(self, hook: str) -> list[tuple[Plugin, Any]]:
        """(plugin, result) per implementation, built-in ones first; one that raises is marked."""
        by_name = {p.name: p for p in self.plugins if not p.error or p.hooks}
        results: list[tuple[Plugin, Any]] = []
        impls = [impl for impl in getattr(self.pm.hook, hook).get_hookimpls() if impl.plugin_name in by_name]
        for impl in sorted(impls, key=lambda i: (not by_name[i.plugin_name].builtin, i.plugin_name)):
            plugin = by_name[impl.plugin_name]
            returned = _isolated(plugin, f"{hook} raised ", impl.function)
            if returned is not None:
                results.append((plugin, returned[0]))
        return results


def _isolated(plugin: Plugin, prefix: str, call: Callable[[], Any]) -> tuple[Any] | None:
    """The returned value as a tuple, or None after the plugin has been marked with the exception."""
    try:
        if plugin.builtin or plugin.distribution == "-":  # or an object that a test registers
            return (call(),)
        began = time.perf_counter()
        try:
            with guarded(plugin.seconds, NAMED_LIMIT_S if plugin.named else LIMIT_S):
                return (call(),)
        finally:
            plugin.seconds += time.perf_counter() - began
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an import may raise anything, SystemExit included
        if isinstance(error, TooSlow):
            os.environ[SKIPPED] = "\n".join((os.environ.get(SKIPPED, ""), _identity(plugin))).strip()
        plugin.add_problem(prefix + _text_of(error))
        return None


def _same(a: Plugin, b: Plugin) -> bool:
    """Whether two plugins of one name are one installation, or one file."""
    files = [os.path.realpath(plugin.file) if plugin.file else "" for plugin in (a, b)]
    return (a.module, a.distribution, files[0]) == (b.module, b.distribution, files[1])


def _identity(plugin: Plugin) -> str:
    return f"{plugin.name} {plugin.distribution} {plugin.module}"


def _text_of(error: BaseException) -> str:
    text = error.args[0] if isinstance(error, TooSlow) else f"{type(error).__name__}: {error}"
    return one_line(text, 300)


# --------------------------------------------------------------------------- limits of third-party code

LIMIT_S = 10.0
NAMED_LIMIT_S = 120.0  # of a file that the user named, which may import torch
SKIPPED = "HMCBENCH_SKIPPED_PLUGINS"
"""Plugins that took too long, one a line: left out for the rest of the command and its child processes."""


@contextmanager
def guarded(spent: float, limit: float) -> Iterator[None]:
    """Limits one import or one hook of a plugin that has taken ``spent`` seconds before.

    Raises:
        TooSlow: all calls together took more than ``limit`` seconds.
    """
    leave = os._exit
    try:
        where = os.getcwd()  # noqa: PTH109 (as it is)
    except OSError:  # the folder was removed
        where = ""
    os._exit = _refusal(os.getpid(), leave)  # type: ignore[assignment]
    try:
        with _output_to_stderr(), time_limit(limit - spent, _TOO_SLOW.format(limit)):
            yield
    finally:
        os._exit = leave
        if where:
            os.chdir(where)


_TOO_SLOW = (
    "its import and hooks take more than {:g} s; HMCBENCH_PLUGINS=builtin leaves third-party plugins out"
)


@contextmanager
def _output_to_stderr() -> Iterator[None]:
    """What is written to standard output, also to its file descriptor, goes to standard error."""
    out, streams = sys.stdout, (sys.stdout, sys.__stdout__)
    _flush(*streams)
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        kept = -1
    sys.stdout = sys.stderr
    try:
        if kept >= 0:
            with suppress(OSError):
                os.dup2(2, 1)
        yield
    finally:
        _flush(*streams)
        sys.stdout = out
        if kept >= 0:
            os.dup2(kept, 1)
            os.close(kept)


def _flush(*streams: Any) -> None:
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):  # None, closed, or a broken pipe
            stream.flush()


def _refusal(here: int, leave: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
    """Replaces ``os._exit`` in this process; a child that the plugin forks may still exit."""

    def refuse(status: int) -> NoReturn:
        if os.getpid() != here:
            leave(status)
        raise SystemExit(f"os._exit({status}), which would end every command")

    return refuse
