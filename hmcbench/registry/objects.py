"""Models that are Python objects: kept in a pickle that the processes of one run load, and no later one.

The file lies in a private folder of this process, and only the environment of its children names it
(:mod:`hmcbench.registry.named`): no pickle of somebody else is ever loaded.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.interfaces import ModelSpec, Value
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.registry.class_specs import ESTIMATOR, spec_of_class

FILE = "objects.pickle"
HERE: dict[str, Mapping[str, Any]] = {}
"""Path -> models by name, of this process: in the others it is empty, and the file is read."""


def names_of(models: Sequence[Any]) -> list[str]:
    """The name of the class; ``-2`` and so on for further objects of it."""
    seen: Counter[str] = Counter()
    names = []
    for model in models:
        kind = type(model).__name__
        if not all(callable(getattr(model, method, None)) for method in ("fit", "predict")):
            raise BadInput(f"{model!r} is no model", allowed="a name, or an object with fit and predict")
        seen[kind] += 1
        names.append(kind if seen[kind] == 1 else f"{kind}-{seen[kind]}")
    return names


def pickled(models: Mapping[str, Any]) -> bytes:
    """The content of the file of objects; raises BadInput where another process cannot have them."""
    import cloudpickle  # also classes of a notebook, which have no module

    own = [module for model in models.values() if (module := _own_module(model)) is not None]
    try:
        for module in own:
            cloudpickle.register_pickle_by_value(module)
        return bytes(cloudpickle.dumps(models))
    except Exception as error:  # an object may raise anything
        raise BadInput(
            f"the models cannot be passed to another process ({type(error).__name__}: {error})",
            hint="in_process=True runs them here",
        ) from None
    finally:
        for module in own:
            with suppress(ValueError):  # several models of one module
                cloudpickle.unregister_pickle_by_value(module)


def _own_module(model: Any) -> Any:
    """The module of a class that is not installed, which another process may not be able to import."""
    import sys
    import sysconfig

    module = sys.modules.get(type(model).__module__)
    file = getattr(module, "__file__", None)
    installed = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    if file is None or module is sys.modules["__main__"] or any(str(file).startswith(p) for p in installed):
        return None
    return module


@dataclass(frozen=True)
class Copy:
    """The factory of an object: a copy for each cell, so that no cell sees the state of another."""

    model: Any

    def __call__(self, **params: Value) -> Any:
        import copy

        if hasattr(self.model, "get_params"):
            module, _, name = ESTIMATOR.partition(":")
            return getattr(importlib.import_module(module), name)(estimator=self.model, **params)
        return copy.deepcopy(self.model)


class Objects:
    """The plugin of a file of objects."""

    def __init__(self, path: str) -> None:
        models = HERE[path] if path in HERE else _read(path)
        self._specs = [self._spec(name, model) for name, model in models.items()]

    def _spec(self, name: str, model: Any) -> ModelSpec:
        spec = spec_of_class(type(model), Copy(model), model=model)
        spec.name = name
        spec.version += f"-{_digest(model)}"
        return spec

    @hookimpl
    def hmcbench_models(self) -> list[ModelSpec]:
        return self._specs


def _read(path: str) -> Mapping[str, Any]:
    import pickle

    with open(path, "rb") as file:  # noqa: PTH123 (every command imports this module, and pathlib is slow)
        models: Mapping[str, Any] = pickle.load(file)
    return models


def _digest(model: Any) -> str:
    """Of the object: another state is another cell; one that cannot be pickled is never the same again."""
    import hashlib
    import secrets

    with suppress(BadInput):
        return hashlib.sha256(_lasting(pickled({"model": model}))).hexdigest()[:16]
    return secrets.token_hex(8)


def _lasting(content: bytes) -> bytes:
    """The pickle without the numbers that cloudpickle draws for the classes of a script in every process."""
    from cloudpickle import cloudpickle

    drawn = {str(number).encode() for number in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS.values()}
    present = sorted((content.find(number), number) for number in drawn if number in content)
    for i, (_, number) in enumerate(present):
        content = content.replace(number, b"class %d" % i)
    return content
