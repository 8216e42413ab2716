"""Names: specs by kind and name, ``name:variant[param=value]`` references, close matches.

The registry holds specs only. ``create`` is the one place that imports what a spec names.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from hmcbench.errors import BadInput, HmcbenchError, PluginError, Unavailable, unknown
from hmcbench.interfaces import (
    DatasetSpec,
    FeaturizerSpec,
    MetricSpec,
    ModelSpec,
    Param,
    Spec,
    SuiteSpec,
    Value,
)
from hmcbench.registry.loading import Manager, Plugin, printable

KINDS: dict[str, type[Any]] = {
    "datasets": DatasetSpec,
    "models": ModelSpec,
    "metrics": MetricSpec,
    "featurizers": FeaturizerSpec,
    "suites": SuiteSpec,
}
_NAME = re.compile(r"[a-z][a-z0-9._-]*\Z")
_METRIC_NAME = re.compile(r"[a-z][a-z0-9_{}]*\Z")
_REFERENCE = re.compile(r"(?P<name>[^:\[\]]+)(?::(?P<variant>[^\[\]]+))?(?:\[(?P<params>.*)\])?\Z")


@dataclass(frozen=True)
class Reference:
    """``name``, ``name:variant`` or ``name[param=value,...]``, as typed; values are strings."""

    name: str
    variant: str = ""
    params: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        inside = ",".join(f"{k}={v}" for k, v in self.params)
        return self.name + (f":{self.variant}" if self.variant else "") + (f"[{inside}]" if inside else "")


def parse_reference(text: str) -> Reference:
    """Parse a reference; raises BadInput that shows the form."""
    match = _REFERENCE.match(text.strip())
    params: list[tuple[str, str]] = []
    for part in filter(None, ((match and match["params"]) or "").split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            match = None
            break
        params.append((key.strip(), value.strip()))
    if match is None:
        raise BadInput(
            f"cannot read the name {text!r}",
            allowed="name, name:variant or name[param=value,...]",
        )
    return Reference(match["name"].strip(), (match["variant"] or "").strip(), tuple(params))


def convert(owner: str, name: str, param: Param, value: Value) -> Value:
    """``value`` (a string from the command line, or a TOML value) as the parameter's type."""
    kind = param.type or (type(param.default) if param.default is not None else str)
    result: Value = value
    if isinstance(value, str) and kind is not str:
        text = value.strip().lower()
        if text == "none" and param.default is None:
            return None
        try:
            if kind is bool:
                result = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text]
            elif "_" not in value and value.isascii():  # int("1_000") is Python's habit, not the user's
                result = kind(value)
        except (ValueError, KeyError):
            result = value
    if kind is float and type(result) is int:
        result = float(result)
    wrong_type = result is not None and type(result) is not kind
    out_of_choices = bool(param.choices) and result not in param.choices
    number = result if isinstance(result, (int, float)) and not isinstance(result, bool) else None
    out_of_bounds = number is not None and not (
        math.isfinite(number)
        and (param.low is None or number >= param.low)
        and (param.high is None or number <= param.high)
    )
    if wrong_type or out_of_choices or out_of_bounds or (result is None and param.default is not None):
        if param.choices:
            allowed = "one of " + ", ".join(map(str, param.choices))
        else:
            allowed = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind]
            if param.low is not None:
                allowed += f", at least {param.low:g}"
            if param.high is not None:
                allowed += f", at most {param.high:g}"
        raise BadInput(f"{owner}: {name}={value!r} cannot be used", allowed=allowed)
    return result


class Registry:
    """Specs of one set of plugins, by kind and name; a name that stands twice is an error."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self._specs: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._owners: dict[tuple[str, str], Plugin] = {}
        self._aliases: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        for kind in KINDS:
            for plugin, specs in manager.calls(f"hmcbench_{kind}"):
                self._add_all(kind, plugin, specs)

    def _add_all(self, kind: str, plugin: Plugin, specs: Any) -> None:
        if not isinstance(specs, (list, tuple)):
            plugin.blame(f"hmcbench_{kind} returned {type(specs).__name__}, not a list")
            return
        for spec in specs:
            try:
                self.add(kind, spec, plugin)
            except PluginError as error:
                plugin.blame(str(error).rstrip("."))
            except Exception as error:  # a spec of wrong types fails anywhere
                plugin.blame(f"hmcbench_{kind} returned a spec that cannot be read ({type(error).__name__})")

    def add(self, kind: str, spec: Any, plugin: Plugin) -> None:
        """Add one spec; raises PluginError when it misfits or its name is taken."""
        if not isinstance(spec, KINDS[kind]):
            raise PluginError(
                f"hmcbench_{kind} returned a {type(spec).__name__}, not a {KINDS[kind].__name__}"
            )
        if not plugin.builtin:
            from hmcbench.registry.validation import (
                problem_of_fields,  # a cost that only third-party plugins bring
            )

            problem = problem_of_fields(spec)
            if problem:
                raise PluginError(printable(f"{kind[:-1]} {spec.name!r}: {problem}"))
        pattern = _METRIC_NAME if kind == "metrics" else _NAME
        if not pattern.match(spec.name):
            raise PluginError(f"{kind[:-1]} name {spec.name!r} is not allowed", allowed=pattern.pattern)
        if isinstance(spec, Spec):
            bundles = {f"profile {profile}": values for profile, values in spec.profiles.items()}
            for name, param in spec.params.items():
                bundles |= {f"{name}={value}": brought for value, brought in param.brings.items()}
            for bundle, values in bundles.items():
                for name in values:
                    if name not in spec.params:
                        raise PluginError(f"{spec.name}: {bundle} sets an unknown parameter {name!r}")
            if spec.variant and spec.variant not in spec.params:
                raise PluginError(f"{spec.name}: variant {spec.variant!r} is no parameter")
        aliases = spec.aliases if isinstance(spec, Spec) else ()
        for name in (spec.name, *aliases):
            taken = self._aliases[kind].get(name)
            if taken is not None:
                first = self._owners[kind, taken]
                raise PluginError(
                    f"{kind[:-1]} {name!r} of {plugin.name} ({plugin.distribution}) is already"
                    f" defined by {first.name} ({first.distribution})"
                )
        self._specs[kind][spec.name] = spec
        self._owners[kind, spec.name] = plugin
        for name in (spec.name, *aliases):
            self._aliases[kind][name] = spec.name

    def specs(self, kind: str) -> list[Any]:
        """All specs of a kind, sorted by name."""
        return [self._specs[kind][name] for name in sorted(self._specs[kind])]

    def owner(self, kind: str, name: str) -> Plugin:
        return self._owners[kind, name]

    def get(self, kind: str, name: str) -> Any:
        """The spec with that name or alias; raises BadInput with close matches."""
        found = self._aliases[kind].get(name)
        if found is None:
            broken = [p.name for p in self.manager.plugins if p.error]
            hint = f"hmcbench list {kind} shows them"
            if broken:
                hint += f"; broken plugins: {', '.join(broken)} (hmcbench list plugins says why)"
            raise unknown(kind[:-1], name, self._specs[kind], hint)
        return self._specs[kind][found]

    def resolve(
        self, kind: str, reference: str | Reference, profile: str = "", **overrides: Value
    ) -> tuple[Any, dict[str, Value]]:
        """The spec of a reference and all its parameters.

        Precedence, lowest first: defaults, the profile's values, what chosen values bring along
        (:attr:`Param.brings`), the reference, ``overrides``.
        """
        ref = parse_reference(reference) if isinstance(reference, str) else reference
        spec = self.get(kind, ref.name)
        given: dict[str, Value] = dict(ref.params)
        if ref.variant:
            if not spec.variant:
                raise BadInput(
                    f"{ref}: {spec.name} takes no :variant", hint=f"hmcbench show {kind[:-1]} {spec.name}"
                )
            given[spec.variant] = ref.variant
        given.update(overrides)
        chosen: dict[str, Value] = {}
        names = {other: name for name, param in spec.params.items() for other in param.aliases}
        for name, value in given.items():
            name = names.get(name, name)
            if name not in spec.params:
                raise unknown(
                    f"parameter of {spec.name}", name, spec.params, f"hmcbench show {kind[:-1]} {spec.name}"
                )
            chosen[name] = convert(spec.name, name, spec.params[name], value)
        return spec, usual(spec, profile, chosen) | chosen

    def ask(self, kind: str, spec: Spec, path: str | Callable[..., Any], params: Mapping[str, Value]) -> Any:
        """Call a function of a spec, before any cell runs, with its parameters.

        Raises:
            PluginError: it raised what no user can mend; one line names the plugin and the function.
        """
        try:
            return load_object(path)(**params)
        except (HmcbenchError, OSError):
            raise
        except Exception as error:
            owner = self.owner(kind, spec.name).name
            called = path if isinstance(path, str) else getattr(path, "__name__", "its factory")
            raise PluginError(
                f"plugin {owner}: {called} of {spec.name} raised {type(error).__name__}: {str(error)[:200]}",
                hint=f"hmcbench plugin check {owner} --spec {spec.name}",
            ) from error

    def label(self, kind: str, spec: Spec, params: Mapping[str, Value], profile: str = "") -> str:
        """The shortest reference that resolves to these parameters: what leaderboards show."""
        standing = usual(spec, profile, {})
        expected = usual(spec, profile, params)
        expected |= {name: standing[name] for name, param in spec.params.items() if param.brings}
        variant = f":{params[spec.variant]}" if spec.variant and params[spec.variant] else ""
        changed = [
            f"{k}={v}"
            for k, v in params.items()
            if k != spec.variant and v != expected[k] and not spec.params[k].cosmetic
        ]
        return spec.name + variant + (f"[{','.join(changed)}]" if changed else "")


def usual(spec: Spec, profile: str, chosen: Mapping[str, Value]) -> dict[str, Value]:
    """Defaults, the profile's values over them, and over those what the chosen values bring along."""
    params = {name: param.default for name, param in spec.params.items()}
    params.update(spec.profiles.get(profile, {}))
    for name, param in spec.params.items():
        if param.brings:
            params.update(param.brings.get(chosen.get(name, params[name]), {}))
    return params


def missing(spec: Spec) -> list[str]:
    """Modules that the spec requires and that are not installed (looked up, not imported)."""
    return [name for name in spec.requires if not _installed(name, tuple(sys.path))]


@cache
def _installed(module: str, path: tuple[str, ...]) -> bool:
    """Looks a module up once: dozens of specs name the same few (``path`` is what answers depend on)."""
    return importlib.util.find_spec(module) is not None


def load_object(path: str | Callable[..., Any]) -> Any:
    """The object at ``"package.module:name"`` (or the callable itself)."""
    if not isinstance(path, str):
        return path
    module, colon, name = path.partition(":")
    if not colon:
        raise PluginError(f"factory {path!r} cannot be read", allowed="package.module:name")
    loaded: Any = importlib.import_module(module)
    for part in name.split("."):
        loaded = getattr(loaded, part)
    return loaded


def create(spec: Spec, params: Mapping[str, Value]) -> Any:
    """Call the factory of a spec; raises Unavailable where its libraries are missing."""
    check_installed(spec)
    return load_object(spec.factory)(**params)


def check_installed(spec: Spec) -> None:
    """Raise Unavailable, with the command that installs them, where libraries of a spec are missing."""
    absent = missing(spec)
    if absent:
        extra = f"pip install 'hmcbench[{spec.extra}]'" if spec.extra else f"pip install {' '.join(absent)}"
        raise Unavailable(f"{spec.name} needs {', '.join(absent)}", hint=extra)


@lru_cache(maxsize=1)
def default_registry() -> Registry:
    """The registry of all installed plugins, built once per process."""
    manager = Manager()
    manager.load_entry_points()
    return Registry(manager)
