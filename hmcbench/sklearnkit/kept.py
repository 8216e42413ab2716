"""Fitted estimators as files, by skops: never pickled, and only types of a stated list are loaded.

skops writes numbers as ``.npy`` and the structure of objects as JSON, in one zip archive. To read it, skops
makes objects of the types that it names. It does so only where each of them is

- a type that skops itself trusts: numbers, text, containers, arrays, public estimators of scikit-learn;
- in :data:`TRUSTED`: parts of these estimators, and those of XGBoost;
- a type that the model names as its own (``own`` of the functions here).

An estimator with any other type is not kept, and the record says so.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from hmcbench.errors import BadInput, HmcbenchError, Unavailable
from hmcbench.files import replacing

__all__ = ["load", "save"]  # what plugins may use

FILE = "estimators.skops"
FORMAT = 1
LARGEST = 500_000_000
"""Bytes of all numbers of a model; a model with more is not kept. Files have about a third of it."""
TRUSTED: tuple[str, ...] = (
    "sklearn.tree._tree.Tree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.multiclass._ConstantPredictor",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
)
"""The types that are trusted besides those of skops."""
ALLOWED = "files written by hmcbench run"


def save(content: Mapping[str, Any], folder: Path, own: Sequence[type] = ()) -> None:
    """Write estimators, numbers, texts and containers of these to ``estimators.skops``.

    Args:
        content: name -> what is kept.
        folder: of the model.
        own: types of the model itself that are trusted too.

    Raises:
        BadInput: a type that is not trusted (it is named), or more than :data:`LARGEST`.
        Unavailable: skops is not installed.
    """
    skops = _skops()
    size = count_bytes(content)
    if size > LARGEST:
        raise BadInput(
            f"its numbers take {size / 1e6:,.0f} MB", allowed=f"at most {LARGEST / 1e6:,.0f} MB are kept"
        )
    with replacing(folder / FILE) as fresh:
        try:
            skops.dump(
                {"format": FORMAT, **content}, fresh, compression=zipfile.ZIP_DEFLATED, compresslevel=1
            )
            unknown = _untrusted(fresh, own)
        except HmcbenchError:
            raise
        except Exception as error:  # each type has its own
            raise BadInput(f"skops cannot write it ({_short(error)})") from None
        if unknown:
            raise BadInput(f"it has parts of types that are not trusted: {', '.join(unknown)}")


def load(folder: Path, own: Sequence[type] = ()) -> dict[str, Any]:
    """What :func:`save` wrote.

    Raises:
        BadInput: a file that is missing, damaged, of another version, or names a type that is not trusted.
        Unavailable: skops is not installed.
    """
    skops, path = _skops(), folder / FILE
    try:
        unknown = _untrusted(path, own)
        if unknown:
            raise BadInput(
                f"{path} names types that are not trusted: {', '.join(unknown)}",
                allowed=ALLOWED,
                hint="docs/use.md lists the trusted types",
            )
        content: dict[str, Any] = skops.load(path, trusted=_names(own))
        if content["format"] > FORMAT:
            raise BadInput(f"{path} has format {content['format']}", allowed=f"up to {FORMAT}")
    except HmcbenchError:
        raise
    except Exception as error:
        raise BadInput(
            f"{path} cannot be read ({_short(error)})",
            allowed=ALLOWED,
            hint="a version of scikit-learn other than that of the run may be the cause: run the cell again",
        ) from None
    return content


def count_bytes(value: Any) -> int:
    """Bytes of all arrays in an object and its parts, each counted once."""
    seen: set[int] = set()
    waiting, total = [value], 0
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, (str, int, float, type, type(None))):
            continue
        seen.add(id(part))
        if isinstance(part, np.ndarray):
            total += part.nbytes
            waiting += part.ravel().tolist() if part.dtype == object else []
        elif sparse.issparse(part):
            total += part.data.nbytes + 4 * (part.data.size + part.shape[0])
        elif isinstance(part, Mapping):
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part
        elif isinstance(part, (bytes, bytearray)):
            total += len(part)
        elif hasattr(part, "node_count") and hasattr(part, "value"):  # a tree of scikit-learn
            total += part.value.nbytes + 64 * part.node_count
        elif hasattr(part, "__dict__"):
            waiting += vars(part).values()
    return total


def _names(own: Sequence[type]) -> list[str]:
    return [*TRUSTED, *(f"{kind.__module__}.{kind.__qualname__}" for kind in own)]


def _untrusted(path: Path, own: Sequence[type]) -> list[str]:
    """The names of the types in a file that are on no list."""
    return sorted(set(_skops().get_untrusted_types(file=path)) - set(_names(own)))


def _skops() -> Any:
    try:
        import skops.io
    except ImportError:
        raise Unavailable("estimators are kept by skops", hint="pip install 'hmcbench[keep]'") from None
    return skops.io


def _short(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:160]
