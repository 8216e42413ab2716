"""Plugins that the user names: a Python file, or a module that no entry point declares.

``HMCBENCH_PLUGINS`` lists them, joined by commas, so that the processes of a run load them too. A file or
module contributes through hooks, as every plugin does. One without hooks contributes a model for each of its
classes with ``fit`` and ``predict``: an estimator of scikit-learn (it has ``get_params``), else a model of
hmcbench.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hmcbench.errors import BadInput
from hmcbench.interfaces import ModelSpec
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.registry.class_specs import ESTIMATOR, estimator_params, spec_of_class
from hmcbench.registry.objects import Objects

if TYPE_CHECKING:  # every command imports this module
    from pathlib import Path
    from types import ModuleType

SWITCH = "HMCBENCH_PLUGINS"
MODES = ("all", "builtin", "none")  # which installed plugins are loaded
OBJECTS = ".pickle"
_REFERENCE = re.compile(r"(?P<file>[^\[\]]+\.py):(?P<model>[^:\[\]]+(\[.*\])?)\Z")


def switches() -> tuple[str, list[str]]:
    """Which installed plugins are loaded, and the files and modules to load besides.

    Raises:
        BadInput: two of the words ``all``, ``builtin`` and ``none``.
    """
    words = [word.strip() for word in os.environ.get(SWITCH, "").split(",") if word.strip()]
    modes = [word for word in words if word in MODES]
    if len(modes) > 1:
        raise BadInput(f"{SWITCH}={os.environ[SWITCH]!r}", allowed=f"one of {', '.join(MODES)}, and files")
    return (*modes, MODES[0])[0], [word for word in words if word not in MODES]


def add_plugins(names: Sequence[str]) -> None:
    """Have files and modules loaded from now on, in this process and in those that it starts.

    Raises:
        BadInput: there is no such file, or its name cannot be written into ``HMCBENCH_PLUGINS``.
    """
    mode, present = switches()
    for name in names:
        if name.endswith(".py"):
            name = str(_file(name))
        if "," in name:  # also in a folder: commas divide the variable
            raise BadInput(f"plugin {name!r}: a name with a comma cannot be used")
        if name not in present:
            present.append(name)
    os.environ[SWITCH] = ",".join([mode, *present])


def split_file(reference: str) -> tuple[str, str]:
    """``("mine.py", "MyModel[width=32]")`` of ``mine.py:MyModel[width=32]``; no file in other references."""
    match = _REFERENCE.match(reference.strip())
    return (match["file"], match["model"]) if match else ("", reference)


def _file(name: str) -> Path:
    from pathlib import Path

    path = Path(name).expanduser().absolute()
    if not path.is_file():
        raise BadInput(f"there is no file {name}", allowed="a Python file, or the name of a module")
    return path


def load(name: str) -> Any:
    """The plugin of a file or module: what has the hooks.

    Raises:
        BadInput: a name that hides an installed module, or no model and no hook in it.
    """
    if name.endswith(OBJECTS):
        return Objects(name)
    module = _load_file(_file(name)) if name.endswith(".py") else importlib.import_module(name)
    if any(getattr(value, "hmcbench_impl", None) for value in vars(module).values()):
        return module
    return ClassesOf(module)


def module_name(name: str) -> str:
    """The name under which a file or module is imported."""
    return re.sub(r"\W", "_", os.path.basename(name)[:-3]) if name.endswith(".py") else name  # noqa: PTH119


def _load_file(path: Path) -> ModuleType:
    name = module_name(path.name)
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    importable = importlib.util.find_spec(name) if loaded is None else None  # its folder may be on the path
    if loaded is not None or (importable is not None and importable.origin != str(path)):
        raise BadInput(f"{path}: a module {name!r} is installed already", hint="give the file another name")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # its name ends with .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs, as an import does
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no __pycache__ beside the user's file
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.dont_write_bytecode = kept
    return module


class ClassesOf:
    """The hooks of a module without hooks: a model for each class that has ``fit`` and ``predict``."""

    def __init__(self, module: ModuleType) -> None:
        self._specs = [spec_of_class(kind) for kind in _classes(module)]
        if not self._specs:
            raise BadInput(
                f"{module.__file__} has no hook and no class with fit and predict",
                hint="hmcbench plugin new my-model --kind file writes an example",
            )

    @hookimpl
    def hmcbench_models(self) -> list[ModelSpec]:
        return self._specs


def _classes(module: ModuleType) -> Iterator[type]:
    for name, value in vars(module).items():
        own = isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
        if own and all(callable(getattr(value, method, None)) for method in ("fit", "predict")):
            yield value


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    """``sklearn:PATH``."""
    return [
        ModelSpec(
            name="sklearn",
            version="1",
            summary="An estimator of scikit-learn by its import path: sklearn:sklearn.naive_bayes.GaussianNB",
            factory=ESTIMATOR,
            params=estimator_params(),
            variant="estimator",
            of_variant="hmcbench.sklearnkit.by_path:spec_of",
            views=("{inputs}",),
            tasks=("hmc", "regression"),
            requires=("sklearn",),
        )
    ]
