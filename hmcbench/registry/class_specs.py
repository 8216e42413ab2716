"""Specs of models that have none: classes in a file that the user named, estimators, objects."""

from __future__ import annotations

from typing import Any

from hmcbench.errors import PluginError
from hmcbench.interfaces import ModelSpec, Param

ESTIMATOR = "hmcbench.sklearnkit.by_path:EstimatorByPath"
VIEWS = "texture|table"


def spec_of_class(kind: type, factory: Any = None) -> ModelSpec:
    """The spec of a class: its keywords, and the attributes that have the names of the spec's fields.

    Args:
        kind: has ``fit`` and ``predict``.
        factory: of objects that exist, whose keywords are fixed; by default the class.

    Raises:
        PluginError: a parameter without default.
    """
    from inspect import getdoc

    names = ("version", "views", "tasks", "paths", "depths", "scores", "requires", "accelerated", "citation")
    fields: dict[str, Any] = {"version": "1"} | {n: getattr(kind, n) for n in names if hasattr(kind, n)}
    views = fields.pop("views", VIEWS)
    path = f"{kind.__module__}:{kind.__name__}"
    params = params_of(kind) if factory is None else {}
    if hasattr(kind, "get_params"):  # as estimators have
        regressor = any(base.__name__ == "RegressorMixin" for base in kind.__mro__)
        fields = {"tasks": ("regression",) if regressor else ("hmc",), **fields}
        shared = estimator_params(path.replace(":", "."), views)
        params = shared | params if factory is None else {n: shared[n] for n in ("inputs", "strategy")}
        path, views = ESTIMATOR, "{inputs}"
    return ModelSpec(
        name=kind.__name__,
        summary=(getdoc(kind) or f"the class {kind.__name__} of {kind.__module__}").splitlines()[0],
        factory=factory or path,
        params=params,
        views=(views,),
        **fields,
    )


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
    """The keywords of a class that a reference can set.

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
        if isinstance(parameter.default, (bool, int, float, str)):
            params[name] = Param(parameter.default, f"of {kind.__name__}")
    return params
