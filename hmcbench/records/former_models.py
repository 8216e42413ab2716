"""Models whose records do not say whether they are deterministic: built-in ones that were, as older versions
had them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNSEEDED = (
    "gaussian-process",
    "knn",
    "logistic-regression",
    "naive-bayes",
    "oracle",
    "prior",
    "ridge",
    "svm",
    "xgboost",
)
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "tuned": (False,),
    "inputs": ("auto", "O", "E"),
    "subsample": (1.0,),
    "colsample_bytree": (1.0,),
}
"""Parameter -> the values with which nothing is drawn."""


def deterministic_before(model: Mapping[str, Any]) -> bool:
    """Whether the ``model`` of a record was the same for every seed.

    >>> plugin = {"distribution": "hmcbench"}
    >>> deterministic_before({"name": "knn", "params": {"tuned": True}, "plugin": plugin})
    False
    """
    plugin = model.get("plugin")
    built_in = isinstance(plugin, Mapping) and plugin.get("distribution") == "hmcbench"
    params: Mapping[str, Any] = model.get("params") or {}
    plain = all(params[name] in values for name, values in _PLAIN.items() if name in params)
    return built_in and model.get("name") in _UNSEEDED and plain
