"""Specs of models that have none: classes in a file that the user named, estimators, objects."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from hmcbench.errors import PluginError
from hmcbench.interfaces import ModelSpec, Param

ESTIMATOR = "hmcbench.sklearnkit.by_path:EstimatorByPath"
VIEWS = "texture|table"
SCALARS = (bool, int, float, str)


def spec_of_class(kind: type, factory: Any = None, *, model: Any = None) -> ModelSpec:
    """The spec of a class: its keywords, and the attributes that have the names of the spec's fields.

    Args:
        kind: has ``fit`` and ``predict``.
        factory: of objects that exist, whose keywords are fixed; by default the class.
        model: the object, where there is one.

    Raises:
        PluginError: a parameter without default.
    """
    from inspect import getdoc

    names = ("version", "views", "tasks", "paths", "depths", "scores", "requires", "accelerated", "citation")
    fields: dict[str, Any] = {"version": "1"} | {n: getattr(kind, n) for n in names if hasattr(kind, n)}
    given = fields.pop("views", VIEWS)
    views = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    path = f"{kind.__module__}:{kind.__name__}"
    params = params_of(kind) if factory is None else {}
    if hasattr(kind, "get_params"):  # as estimators have
        fields = {"tasks": ("regression",) if _is_regressor(kind, model) else ("hmc",), **fields}
        shared = estimator_params(path.replace(":", "."), "+".join(map(str, views)))
        # a keyword of the class with a shared name keeps its default, as a reference sets that of hmcbench
        own = {name: param for name, param in params.items() if name not in shared}
        params = shared | own if factory is None else {n: shared[n] for n in ("inputs", "strategy")}
        path, views = ESTIMATOR, ("{inputs}",)
    return ModelSpec(
        name=kind.__name__,
        summary=(getdoc(kind) or f"the class {kind.__name__} of {kind.__module__}").splitlines()[0],
        factory=factory or path,
        params=params,
        views=views,
        **fields,
    )


def _is_regressor(kind: type, model: Any) -> bool:
    """By the class; of an object by its tags, which a pipeline or a search has from its parts."""
    if any(base.__name__ == "RegressorMixin" for base in kind.__mro__):
        return True
    if model is None:
        return False
    with suppress(Exception):  # an object may have no tags, or raise anything where it is asked for them
        from sklearn.base import is_regressor  # an object with get_params has imported it already

        return bool(is_regressor(model))
    return False


def estimator_params(path: str = "", views: str = VIEWS) -> dict[str, Param]:
    """The parameters of :class:`hmcbench.sklearnkit.by_path.EstimatorByPath`, but for the estimator's own."""
    return {
        "estimator": Param(path, "its import path, such as sklearn.ensemble.ExtraTreesClassifier"),
        "inputs": Param(views, "the views that it reads"),
        "strategy": Param(
            "flat",
            "which classifiers make up a hierarchical one; docs/classical.md explains them",
            choices=("flat", "level", "parent", "node"),
        ),
    }


def params_of(kind: type) -> dict[str, Param]:
    """The keywords of a class that a reference can set: those whose default is a text, a number or None.

    Raises:
        PluginError: a parameter without default.
    """
    from inspect import Parameter, signature

    params = {}
    for name, parameter in signature(kind).parameters.items():
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            continue
        if parameter.default is Parameter.empty:
            raise PluginError(f"{kind.__name__}: parameter {name!r} has no default", hint=f"{name}=...")
        if isinstance(parameter.default, SCALARS):
            params[name] = Param(parameter.default, f"of {kind.__name__}")
        elif parameter.default is None:
            scalar = _scalar(parameter.annotation)
            params[name] = Param(None, f"of {kind.__name__}", type=scalar, added=True)
    return params


def _scalar(annotation: Any) -> type:
    """The type in ``int``, ``int | None`` or ``"Optional[int]"``; else ``object``, for that of the value."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    words = set(re.findall(r"\w+", text)) - {"None", "NoneType", "Optional", "Union", "typing"}
    named = [kind for kind in SCALARS if words == {kind.__name__}]
    return named[0] if named else object
