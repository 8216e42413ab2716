"""An estimator or pipeline of scikit-learn by its import path: ``sklearn:sklearn.naive_bayes.GaussianNB``."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sklearn.base import clone, is_regressor

from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import ModelSpec, Param, Task, Value
from hmcbench.sklearnkit.model import EstimatorModel

FORM = "package.module.Name of an estimator class, a function that returns one, or a pipeline object"


class EstimatorByPath(EstimatorModel):
    """The estimator at an import path as a model; see :class:`EstimatorModel` for what is fitted.

    Args:
        estimator: see ``FORM``; or an estimator itself.
        inputs: the views that it reads.
        strategy: as in :class:`EstimatorModel`.
        params: of the estimator, as ``set_params`` names them.

    Raises:
        BadInput: no such estimator.
    """

    def __init__(self, *, estimator: Any, inputs: str, strategy: str, **params: Value) -> None:
        def make(_task: Task, **choice: Value) -> Any:
            return load_estimator(estimator).set_params(**choice)

        takes_several = multi_output(load_estimator(estimator))
        super().__init__(make, inputs, takes_several, strategy=strategy, choice=params)


def load_estimator(path: Any) -> Any:
    """A new estimator; a copy of ``path`` where that is one.

    Raises:
        BadInput: no such module or name, or it is no estimator.
    """
    if not isinstance(path, str):
        return _checked(clone(path), type(path).__name__)
    module, _, name = path.rpartition(".")
    try:
        named = getattr(importlib.import_module(module), name)
        estimator = clone(named) if hasattr(named, "get_params") and not isinstance(named, type) else named()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"estimator {path!r}: {error}", allowed=FORM) from None
    return _checked(estimator, path)


def _checked(estimator: Any, path: str) -> Any:
    if not all(hasattr(estimator, method) for method in ("fit", "get_params", "set_params")):
        raise BadInput(f"estimator {path!r} is a {type(estimator).__name__}", allowed=FORM)
    if not hasattr(estimator, "predict_proba") and not is_regressor(estimator):
        raise BadInput(
            f"estimator {path!r} has no predict_proba",
            allowed="a classifier with probabilities, or a regressor",
            hint="sklearn.calibration.CalibratedClassifierCV adds them",
        )
    return estimator


def multi_output(estimator: Any) -> bool:
    """Whether one estimator takes several targets at once, by its own tags."""
    if hasattr(estimator, "__sklearn_tags__"):
        return bool(estimator.__sklearn_tags__().target_tags.multi_output)
    return bool(estimator._get_tags()["multioutput"]) if hasattr(estimator, "_get_tags") else False  # 1.5


def spec_of(spec: ModelSpec, path: str, values: Mapping[str, str]) -> ModelSpec:
    """The spec for the estimator at ``path``: its task, and the parameters that ``values`` sets.

    Raises:
        BadInput: no such estimator or parameter.
    """
    estimator = load_estimator(path)
    known = estimator.get_params(deep=True)
    params = dict(spec.params)
    for name, text in values.items():
        if name not in known:
            raise unknown(f"parameter of {path}", name, known)
        default = known[name] if isinstance(known[name], (bool, int, float, str)) else None
        params[name] = Param(default, f"of {path}", type=_type(text, default))
    return replace(spec, params=params, tasks=("regression",) if is_regressor(estimator) else ("hmc",))


def _type(text: str, default: Value) -> type:
    """Of the value in ``text``; whole numbers are real where the default is."""
    value: Any = text
    with suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
    kind = type(value) if isinstance(value, (bool, int, float)) else str
    return float if kind is int and isinstance(default, float) else kind
