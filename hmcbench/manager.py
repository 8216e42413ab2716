"""Loads plugins one by one, isolates a broken one, keeps provenance.

``HMCBENCH_PLUGINS=builtin`` leaves every plugin out that is not part of hmcbench itself, so that
tests are hermetic; ``HMCBENCH_PLUGINS=none`` loads none at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import pluggy

from hmcbench import hookspecs
from hmcbench.entrypoints import EntryPoint, entry_points
from hmcbench.errors import BadInput

GROUP = "hmcbench"
SWITCH = "HMCBENCH_PLUGINS"


@dataclass
class Plugin:
    """One entry point: where it came from, and why it is not in use (``error``), if so."""

    name: str
    distribution: str
    version: str
    module: str
    error: str = ""
    hooks: tuple[str, ...] = field(default=())

    @property
    def builtin(self) -> bool:
        return self.distribution == "hmcbench"


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
            raise BadInput(f"{SWITCH}={mode!r}", allowed="allowed: all, builtin, none")
        if mode == "none":
            return
        for point in entry_points(GROUP):
            if mode == "all" or point.distribution == "hmcbench":
                self._load(Plugin(point.name, point.distribution, point.version, point.value), point)

    def _load(self, plugin: Plugin, point: EntryPoint) -> None:
        twin = next((p for p in self.plugins if p.name == plugin.name and not p.error), None)
        if twin is not None and (twin.module, twin.distribution) == (plugin.module, plugin.distribution):
            return  # the same installation seen twice on the path
        self.plugins.append(plugin)
        if twin is not None:
            plugin.error = f"the name is taken by {twin.distribution} ({twin.module})"
            return
        try:
            self.register(point.load(), plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an import may raise anything, SystemExit included
            plugin.error = _one_line(error)

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
        """(plugin, result) per implementation; one that raises is marked and left out."""
        by_name = {p.name: p for p in self.plugins}
        results: list[tuple[Plugin, Any]] = []
        impls = getattr(self.pm.hook, hook).get_hookimpls()
        for impl in sorted(impls, key=lambda i: i.plugin_name):
            plugin = by_name[impl.plugin_name]
            try:
                results.append((plugin, impl.function()))
            except Exception as error:
                plugin.error = f"{hook} raised {_one_line(error)}"
        return results


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
