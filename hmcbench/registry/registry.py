"""Names: specs by kind and name, ``name:variant[param=value]`` references, close matches.

The registry holds specs only. ``create`` is the one place that imports what a spec names.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from hmcbench.errors import BadInput, HmcbenchError, PluginError, Unavailable, one_line, unknown
from hmcbench.interfaces import (
    DatasetSpec,
    FeaturizerSpec,
    MetricSpec,
    ModelSpec,
    Param,
    RuleSpec,
    Scalar,
    ShiftSpec,
    Spec,
    SuiteSpec,
    Value,
)
from hmcbench.registry.loading import Manager, Plugin
from hmcbench.registry.named import add_plugins, split_file

KINDS: dict[str, type[Any]] = {
    "datasets": DatasetSpec,
    "models": ModelSpec,
    "metrics": MetricSpec,
    "rules": RuleSpec,
    "featurizers": FeaturizerSpec,
    "shifts": ShiftSpec,
    "suites": SuiteSpec,
}
_NAME = re.compile(r"[a-z][a-z0-9._-]*\Z")
_CLASS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*\Z")  # of a class in a file that the user named
_METRIC_NAME = re.compile(r"[a-z][a-z0-9_{}]*\Z")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
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
    """Parse a reference; raises BadInput that shows the form.

    >>> parse_reference("a[k=x[n=2,b=y[c=1,d=2]],l=3]").params
    (('k', 'x[n=2,b=y[c=1,d=2]]'), ('l', '3'))
    """
    match = _REFERENCE.match(text.strip())
    pairs = [part.partition("=") for part in split_references(match["params"] or "")] if match else []
    if match is None or not all(equals and key.strip() for key, equals, _ in pairs):
        raise BadInput(
            f"cannot read the name {text!r}", allowed="name, name:variant or name[param=value,...]"
        )
    params = tuple((key.strip(), value.strip()) for key, _, value in pairs)
    return Reference(match["name"].strip(), (match["variant"] or "").strip(), params)


def split_references(text: str) -> list[str]:
    """The references of a list with commas; those in brackets do not divide.

    >>> split_references("prior, forest[a=1,inputs=x[b=2,c=3]]")
    ['prior', 'forest[a=1,inputs=x[b=2,c=3]]']
    """
    depths = itertools.accumulate((c == "[") - (c == "]") for c in text)
    divided = "".join("\n" if c == "," and depth == 0 else c for c, depth in zip(text, depths, strict=True))
    return [part.strip() for part in divided.split("\n") if part.strip()]


def is_named(reference: str, text: str) -> bool:
    """Whether a text names a reference: as a whole, by its name, by its variant, or as ``name:variant``.

    >>> [is_named("hmc-classic:spo_GO", text) for text in ("hmc-classic", "spo_GO", "spo_FUN")]
    [True, True, False]
    """
    ref = parse_reference(reference)
    return text in (reference, ref.name, ref.variant, f"{ref.name}:{ref.variant}") and bool(text)


def convert(owner: str, name: str, param: Param, value: Value) -> Value:
    """``value`` (a string from the command line, or a TOML value) as the parameter's type."""
    if isinstance(param.default, tuple):
        return _convert_items(owner, name, param, value)
    if param.file and isinstance(value, str) and value.strip().lower() not in _TRUTH:
        return value
    kind = param.type or (type(param.default) if param.default is not None else str)
    if kind is object:  # of a class without annotations: the value says it
        kind = _kind_of(value)
    result: Value = value
    with suppress(ValueError, KeyError, OverflowError):
        if isinstance(value, str) and param.type is object and value.strip().lower() == "none":
            return None
        if isinstance(value, str) and kind is not str:
            text = value.strip().lower()
            if text == "none" and param.default is None:
                return None
            if kind is bool:
                result = _TRUTH[text]
            elif "_" not in value and value.isascii():  # int("1_000") is Python's habit, not the user's
                result = kind(value)
        if kind is float and type(result) is int:
            result = float(result)
    if not _fits(param, kind, result):
        raise BadInput(f"{owner}: {name}={value!r} cannot be used", allowed=_allowed(param, kind))
    return result


def _kind_of(value: Value) -> type:
    """The type of a value; of a text, that of the number or the ``true`` or ``false`` that it spells."""
    if not isinstance(value, str):
        return type(value) if isinstance(value, (bool, int, float)) else str
    text = value.strip().lower()
    if text in ("true", "false"):
        return bool
    for kind, form in ((int, r"[+-]?[0-9]+"), (float, r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?")):
        if re.fullmatch(form, text):
            return kind
    return str


def _convert_items(owner: str, name: str, param: Param, value: Value) -> tuple[Scalar, ...]:
    """Items of a tuple: of a text as ``500;500``, of a list, or of a single value."""
    first = param.default[0] if isinstance(param.default, tuple) else param.default
    single = replace(param, default=first)
    items = value.split(";") if isinstance(value, str) else value
    items = items if isinstance(items, (list, tuple)) else (items,)
    if not items:
        raise BadInput(f"{owner}: {name} is empty", allowed="values joined by ;")
    converted = [convert(owner, name, single, item) for item in items]
    return tuple(item for item in converted if not isinstance(item, tuple))


def _fits(param: Param, kind: type, value: Value) -> bool:
    if value is None:
        return param.default is None
    if type(value) is not kind or (param.choices and value not in param.choices):
        return False
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return True
    low = -math.inf if param.low is None else param.low
    high = math.inf if param.high is None else param.high
    return low <= value <= high and abs(value) < math.inf


def _allowed(param: Param, kind: type) -> str:
    if param.choices:
        return "one of " + ", ".join(map(str, param.choices))
    low = "" if param.low is None else f", at least {param.low:g}"
    high = "" if param.high is None else f", at most {param.high:g}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind] + low + high


class Registry:
    """Specs and plugins by kind and by name or alias; a name that is defined twice is an error.

    Raises:
        BadInput: a file or module that the user named cannot be used.
    """

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self._entries: dict[str, dict[str, tuple[Any, Plugin]]] = {
            kind: {} for kind in KINDS
        }  # by name and alias
        for kind in KINDS:
            for plugin, specs in manager.hook_results(f"hmcbench_{kind}"):
                self._add_all(kind, plugin, specs)
        for plugin in manager.plugins:
            if plugin.named and plugin.error:  # the command asks for it
                raise BadInput(f"plugin {plugin.distribution}: {plugin.error}")

    def _add_all(self, kind: str, plugin: Plugin, specs: Any) -> None:
        if not isinstance(specs, (list, tuple)):
            plugin.add_problem(f"hmcbench_{kind} returned {type(specs).__name__}, not a list")
            return
        for spec in specs:
            try:
                self.add(kind, spec, plugin)
            except PluginError as error:
                plugin.add_problem(str(error).rstrip("."))
            except Exception as error:  # wrong types in a spec can fail in any line
                plugin.add_problem(
                    f"hmcbench_{kind} returned a spec that cannot be read ({type(error).__name__})"
                )

    def add(self, kind: str, spec: Any, plugin: Plugin) -> None:
        """Add one spec; raises PluginError when it breaks the contract or its name is taken."""
        _check_spec(kind, spec, plugin)
        names = (spec.name, *(spec.aliases if isinstance(spec, Spec) else ()))
        for name in names:
            if name in self._entries[kind]:
                first = self.owner(kind, name)
                raise PluginError(
                    f"{kind[:-1]} {name!r} of {plugin.name} ({plugin.distribution}) is already"
                    f" defined by {first.name} ({first.distribution})"
                )
        if kind == "metrics" and not plugin.builtin:
            for other in self.specs(kind):
                if _share_an_id(spec, other):
                    raise PluginError(
                        f"metric {spec.name!r} of {plugin.name} ({plugin.distribution}) has an id of"
                        f" {other.name!r}; give it another name"
                    )
        self._entries[kind] |= dict.fromkeys(names, (spec, plugin))
        for part, owner in (("", spec), *getattr(spec, "params", {}).items()):
            if owner.unknown_fields:
                where = f"{kind[:-1]} {spec.name!r}" + (f", parameter {part!r}" if part else "")
                ignored = ", ".join(owner.unknown_fields)
                plugin.add_warning(one_line(f"{where}: this version of hmcbench ignores {ignored}"))

    def specs(self, kind: str) -> list[Any]:
        """All specs of a kind, sorted by name."""
        return [spec for name, (spec, _) in sorted(self._entries[kind].items()) if name == spec.name]

    def owner(self, kind: str, name: str) -> Plugin:
        return self._entries[kind][name][1]

    def origin(self, kind: str, name: str) -> tuple[str, ...]:
        """What a key holds of the plugin of a spec (:func:`hmcbench.registry.origin.origin_of`)."""
        plugin = self.owner(kind, name)
        if plugin.builtin:
            return ()
        from hmcbench.registry.origin import origin_of  # imported for third-party plugins only

        return origin_of(plugin, self.get(kind, name))

    def get(self, kind: str, name: str) -> Any:
        """The spec with that name or alias; raises BadInput with close matches."""
        if name not in self._entries[kind]:
            broken = [p.name for p in self.manager.plugins if p.error]
            hint = f"hmcbench list {kind} shows them"
            if broken:
                hint += f"; broken plugins: {', '.join(broken)} (hmcbench list plugins says why)"
            raise unknown(kind[:-1], name, [spec.name for spec in self.specs(kind)], hint)
        return self._entries[kind][name][0]

    def resolve(
        self, kind: str, reference: str | Reference, profile: str = "", **overrides: Value
    ) -> tuple[Any, dict[str, Value]]:
        """The spec of a reference and all its parameters.

        Precedence, lowest first: defaults, the profile's values, values that chosen ones bring
        (:attr:`Param.brings`), the reference, ``overrides``.
        """
        ref = parse_reference(reference) if isinstance(reference, str) else reference
        spec = self.get(kind, ref.name)
        values: dict[str, Value] = dict(ref.params)
        if ref.variant:
            if not spec.variant:
                raise BadInput(
                    f"{ref}: {spec.name} takes no :variant", hint=f"hmcbench show {kind[:-1]} {spec.name}"
                )
            values[spec.variant] = ref.variant
        values.update(overrides)
        spec = _of_variant(spec, values)
        chosen: dict[str, Value] = {}
        names = {alias: name for name, param in spec.params.items() for alias in param.aliases}
        for name, value in values.items():
            name = names.get(name, name)
            if name not in spec.params:
                raise unknown(
                    f"parameter of {spec.name}", name, spec.params, f"hmcbench show {kind[:-1]} {spec.name}"
                )
            chosen[name] = convert(spec.name, name, spec.params[name], value)
        return spec, default_params(spec, profile, chosen) | chosen

    def call(self, kind: str, spec: Spec, path: str | Callable[..., Any], params: Mapping[str, Any]) -> Any:
        """Call a function of a spec, before any cell runs, with its parameters.

        Raises:
            PluginError: an error that no user can mend; one line names the plugin and the function.
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
        defaults = default_params(spec, profile, {})
        expected = default_params(spec, profile, params)
        expected |= {name: defaults[name] for name, param in spec.params.items() if param.brings}
        variant = f":{params[spec.variant]}" if spec.variant and params[spec.variant] else ""
        changed = [
            f"{k}={_PATHS.sub('', text_of(shown(spec.params[k], v)))}"
            for k, v in params.items()
            if k != spec.variant and v != expected[k] and not spec.params[k].cosmetic
        ]
        return spec.name + variant + (f"[{','.join(changed)}]" if changed else "")


_PATHS = re.compile(r"(?<==)(?:[/~]|[A-Za-z]:[\\/])(?:[^,;=\[\]]*[/\\])?(?=[^,;=/\\\[\]]+[,\]])")
"""The folders of a file that a reference within a parameter names: ``embedding[weights=/FOLDER/FILE]``."""


def text_of(value: Value) -> str:
    """A parameter as references write it.

    >>> text_of((500, 500)), text_of(0.5)
    ('500;500', '0.5')
    """
    return ";".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def shown(param: Param, value: Value) -> Value:
    """A value for labels and records: of a file its name and the start of its digest, not its path."""
    if not param.file or not isinstance(value, str):
        return value
    name = value.replace("\\", "/").rpartition("/")[2]
    try:
        return f"{name}@{file_digest(value)[:8]}"
    except BadInput:  # of a record: it is such a name already
        return name


def file_digest(text: str) -> str:
    """SHA-256 of the file that a parameter names (:func:`hmcbench.files.weights_file`).

    Raises:
        BadInput: there is none, or it cannot be read.
    """
    from hmcbench.files import weights_file

    path = weights_file(text)
    try:
        facts = path.stat()
        return _digest_of(str(path), facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror})") from None


@lru_cache(maxsize=64)
def _digest_of(path: str, _changed: int, _size: int) -> str:
    import hashlib

    with open(path, "rb") as stream:  # noqa: PTH123
        return hashlib.file_digest(stream, "sha256").hexdigest()


_RAW = "_raw"  # as in hmcbench.metrics.ids, which reads ids


def _share_an_id(a: MetricSpec, b: MetricSpec) -> bool:
    """Whether an id of one metric can be read as one of the other; brackets with classes are left out."""

    def reads(spec: MetricSpec, other: MetricSpec) -> bool:
        levels = re.escape(spec.name).replace(re.escape("{k}"), "[1-9][0-9]*")
        pattern = levels + (f"({_RAW})?" if spec.decided else "")
        first = other.name.replace("{k}", "1")
        return any(
            re.fullmatch(pattern, name) for name in (first, *([first + _RAW] if other.decided else []))
        )

    return reads(a, b) or reads(b, a)


def _check_spec(kind: str, spec: Any, plugin: Plugin) -> None:
    """Raise PluginError where a spec breaks the contract."""
    if not isinstance(spec, KINDS[kind]):
        raise PluginError(f"hmcbench_{kind} returned a {type(spec).__name__}, not a {KINDS[kind].__name__}")
    if not plugin.builtin:
        from hmcbench.registry.validation import problem_of_fields  # imported for third-party plugins only

        problem = problem_of_fields(spec)
        if problem:
            raise PluginError(one_line(f"{kind[:-1]} {spec.name!r}: {problem}"))
    pattern = _METRIC_NAME if kind == "metrics" else _CLASS_NAME if plugin.named else _NAME
    if not pattern.match(spec.name):
        raise PluginError(f"{kind[:-1]} name {spec.name!r} is not allowed", allowed=pattern.pattern)
    if not isinstance(spec, Spec):
        return
    presets = {f"profile {profile}": values for profile, values in spec.profiles.items()}
    for name, param in spec.params.items():
        presets |= {f"{name}={value}": brought for value, brought in param.brings.items()}
    for preset, values in presets.items():
        for name in values:
            if name not in spec.params:
                raise PluginError(f"{spec.name}: {preset} sets an unknown parameter {name!r}")
    if spec.variant and spec.variant not in spec.params:
        raise PluginError(f"{spec.name}: variant {spec.variant!r} is no parameter")


def _of_variant(spec: Any, values: Mapping[str, Value]) -> Any:
    """The spec of the variant in ``values``, where variants differ in their parameters."""
    variant = values.get(spec.variant)
    if not spec.of_variant or not variant:
        return spec
    check_installed(spec)
    others = {name: str(value) for name, value in values.items() if name not in spec.params}
    return load_object(spec.of_variant)(spec, str(variant), others)


def default_params(spec: Spec, profile: str, chosen: Mapping[str, Value]) -> dict[str, Value]:
    """Defaults, replaced by the profile's values, replaced by values that the chosen ones bring."""
    params = {name: param.default for name, param in spec.params.items()}
    params.update(spec.profiles.get(profile, {}))
    for name, param in spec.params.items():
        if param.brings:
            params.update(param.brings.get(chosen.get(name, params[name]), {}))
    return params


def missing(spec: Spec) -> list[str]:
    """Modules that the spec requires and that are not installed (searched for, not imported)."""
    return [name for name in spec.requires if not _installed(name, tuple(sys.path))]


def unmet_needs(spec: Spec) -> str:
    """``needs rdkit (pip install ...)`` where libraries of a spec are missing; else empty."""
    absent = missing(spec)
    extra = f" (pip install 'hmcbench[{spec.extra}]')" if spec.extra else ""
    return f"needs {', '.join(absent)}{extra}" if absent else ""


@cache
def _installed(module: str, path: tuple[str, ...]) -> bool:
    """Searches for a module once per ``path``: dozens of specs require the same few modules."""
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


def load_named(plugins: Sequence[str] = (), models: Sequence[str] = ()) -> list[str]:
    """Have the default registry load files and modules that are not installed as plugins.

    Args:
        plugins: files (``mine.py``) and names of modules.
        models: references; ``mine.py:MyModel`` names a file too.

    Returns:
        ``models`` without the files.

    Raises:
        BadInput: a file without a model.
    """
    for model in models:
        if model.strip().endswith(".py"):
            raise BadInput(
                f"--model {model} names no model of the file", allowed="FILE.py:NAME, of a class in it"
            )
    pairs = [split_file(model) for model in models]
    files = [*plugins, *(file for file, _ in pairs if file)]
    if files:
        add_plugins(files)
        default_registry.cache_clear()
    return [model for _, model in pairs]


@lru_cache(maxsize=1)
def default_registry() -> Registry:
    """The registry of all plugins that are installed or named, built once per process."""
    manager = Manager()
    manager.load_entry_points()
    return Registry(manager)
