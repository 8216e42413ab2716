"""Estimators with kernels or layers to set, and those that scikit-learn lacks."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from hmcbench.errors import BadInput

# scikit-learn has no types, so every base class below is Any to a type checker


class Stretch(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Multiplies all features by ``factor``: sqrt(g) multiplies a kernel's gamma by g."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def fit(self, rows: np.ndarray, _targets: Any = None) -> Stretch:
        self.width_ = rows.shape[1]
        return self

    @property
    def n_features_in_(self) -> int:
        """Columns in training; scikit-learn's name, which pipelines pass on."""
        return int(self.width_)

    def transform(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows * self.factor)

    def public(self) -> Any:
        """The same as a scaler of scikit-learn; see :class:`hmcbench.sklearnkit.EstimatorModel`."""
        scaler = StandardScaler(with_mean=False)
        width = self.width_
        scaler.scale_, scaler.var_, scaler.mean_ = np.full(width, 1 / self.factor), np.ones(width), None
        scaler.n_features_in_ = width
        return scaler


class FillEmpty(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Sets columns that have no value in training to 0; scikit-learn cannot bin them."""

    def fit(self, rows: np.ndarray, _targets: Any = None) -> FillEmpty:
        self.empty_ = np.isnan(rows).all(axis=0)
        return self

    @property
    def n_features_in_(self) -> int:
        """Columns in training; scikit-learn's name, which pipelines pass on."""
        return len(self.empty_)

    def transform(self, rows: np.ndarray) -> np.ndarray:
        return np.where(self.empty_, 0.0, rows)

    def public(self) -> None:
        """No tree splits on a column that was constant in training: the step may be left out."""


def without_empty(estimator: Any) -> Any:
    return make_pipeline(FillEmpty(), estimator)


class BinnedBoosting(HistGradientBoostingClassifier):  # type: ignore[misc]
    """Boosting that stops early only where a part can be held out for it.

    Above 10,000 samples the library holds out a tenth by itself, with all classes in both parts, and fails
    where the rarest class has a single sample, or the tenth fewer samples than there are classes.
    """

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Any:
        _, counts = np.unique(targets, return_counts=True)
        held_out = math.ceil(self.validation_fraction * len(targets))
        before: Any = self.get_params()["early_stopping"]
        if before == "auto" and (counts.min() < 2 or len(counts) > held_out):
            self.set_params(early_stopping=False)
        try:
            return super().fit(rows, targets)
        finally:
            self.set_params(early_stopping=before)

    def public(self) -> Any:
        return plain(self, HistGradientBoostingClassifier)


class SoftmaxSVC(SVC):  # type: ignore[misc]
    """SVC whose probabilities are the softmax of its one-vs-rest decision values.

    Not calibrated, but the most probable class is the machine's own decision. With Platt scaling it
    may differ, at the cost of a cross-validation.
    """

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        values = self.decision_function(rows)
        return np.asarray(softmax(np.stack([-values, values], 1) if values.ndim == 1 else values, axis=1))

    def write_onnx(self, graph: Any, columns: str) -> str:
        """The same as operations; see :class:`hmcbench.sklearnkit.EstimatorModel`.

        A vote of every pair of classes, and the sum of its decision values brought into (-1/3, 1/3), as
        scikit-learn adds them.
        """
        number = graph.double
        squares = graph.differences(columns, self.support_vectors_, 2)
        kernel = graph.op("Exp", graph.op("Mul", squares, number(-self._gamma)))
        classes = len(self.classes_)
        if classes == 2:
            values = graph.op("MatMul", kernel, number(self.dual_coef_.T))
            values = graph.op("Add", values, number(self.intercept_[None]))
            both = graph.columns([graph.op("Neg", values), values])
            return str(graph.cast(graph.op("Softmax", both, axis=1)))
        pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
        owner = np.repeat(np.arange(classes), self.n_support_)
        weights = np.stack(
            [
                np.where(owner == i, self.dual_coef_[j - 1], np.where(owner == j, self.dual_coef_[i], 0.0))
                for i, j in pairs
            ],
            axis=1,
        )
        firsts, seconds = (np.array(side)[:, None] == np.arange(classes) for side in zip(*pairs, strict=True))
        values = graph.op("Add", graph.op("MatMul", kernel, number(weights)), number(self.intercept_[None]))
        second = graph.cast(graph.op("Less", values, number(0.0)), np.float64)
        first = graph.op("Sub", number(1.0), second)
        votes = [graph.op("MatMul", v, number(m)) for v, m in ((first, firsts), (second, seconds))]
        sums = graph.op("MatMul", values, number(firsts.astype(float) - seconds))
        size = graph.op("Mul", number(3.0), graph.op("Add", graph.op("Abs", sums), number(1.0)))
        decision = graph.op("Sum", *votes, graph.op("Div", sums, size))
        return str(graph.cast(graph.op("Softmax", decision, axis=1)))


def svr(C: float, gamma: float, epsilon: float) -> Any:
    return make_pipeline(Stretch(gamma**0.5), SVR(C=C, gamma="auto", epsilon=epsilon))


def svc(C: float, gamma: float, epsilon: float) -> Any:
    """``epsilon`` belongs to regression."""
    return make_pipeline(Stretch(gamma**0.5), SoftmaxSVC(C=C, gamma="auto"))


class Descent(SGDRegressor):  # type: ignore[misc]
    """Stochastic gradient descent whose first step is limited by the longest row, so that it converges.

    A step of eta on the squared error of a row x increases the error of that row where eta |x|^2 > 2.
    With the library's 0.01 this happens from some two hundred scaled features on, and coefficients
    diverge.
    """

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Any:
        longest = float(np.square(rows).sum(axis=1).max())
        self.eta0 = min(0.01, 1 / longest) if longest > 0 else 0.01
        return super().fit(rows, targets)

    def public(self) -> Any:
        return plain(self, SGDRegressor)


class DescentClassifier(SGDClassifier):  # type: ignore[misc]
    """Stochastic gradient descent whose decision values are computed in float64.

    Its coefficients reach hundreds, so that float32 values of one sample differ by 1e-5 between batches.
    """

    def decision_function(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(super().decision_function(np.asarray(rows, dtype=np.float64)))

    def public(self) -> Any:
        return plain(self, SGDClassifier)


class _Quiet:
    """Fits without warnings of an optimiser that stopped at a bound or before convergence."""

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return super().fit(rows, targets)  # type: ignore[misc]


class Process(_Quiet, GaussianProcessRegressor):  # type: ignore[misc]
    """Regression with a Matern kernel whose length scales and noise maximise the likelihood."""

    def __init__(self, nu: float = 1.5, ard: bool = False, random_state: int | None = None) -> None:
        super().__init__(random_state=random_state)
        self.nu, self.ard = nu, ard

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Any:
        self.kernel = matern(rows, self.nu, self.ard) + WhiteKernel(0.1, (1e-6, 1e1))
        return super().fit(rows, targets)

    def public(self) -> Any:
        return plain(self, GaussianProcessRegressor)


class ProcessClassifier(_Quiet, GaussianProcessClassifier):  # type: ignore[misc]
    """Classification, one process against the rest for every class (Laplace approximation)."""

    def __init__(self, nu: float = 1.5, ard: bool = False, random_state: int | None = None) -> None:
        super().__init__(random_state=random_state)
        self.nu, self.ard = nu, ard

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Any:
        self.kernel = matern(rows, self.nu, self.ard)
        return super().fit(rows, targets)


def plain(estimator: Any, kind: type) -> Any:
    """The estimator as one of its base class: with the same parameters and fitted attributes."""
    other: Any = object.__new__(kind)
    vars(other).update(vars(estimator))
    return other


def matern(rows: np.ndarray, nu: float, ard: bool) -> Any:
    """A Matern kernel for scaled features; its first length scale is the usual distance of samples."""
    scale = np.full(rows.shape[1] if ard else 1, np.sqrt(rows.shape[1]))
    return ConstantKernel(1.0, (1e-2, 1e3)) * Matern(scale, (1e-1, 1e4), nu=nu)


class Perceptron(_Quiet, MLPRegressor):  # type: ignore[misc]
    """A multilayer perceptron; if all training targets are equal, it predicts that target."""

    def fit(self, rows: np.ndarray, targets: np.ndarray) -> Any:
        self.constant_ = targets[:1] if np.all(targets == targets[:1]) else None
        return super().fit(rows, targets)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        if self.constant_ is not None:
            return np.repeat(self.constant_, len(rows), axis=0)
        return np.asarray(super().predict(rows))

    def public(self) -> Any:
        if self.constant_ is not None:
            raise BadInput("all training targets were equal", allowed="a model of targets that vary")
        return plain(self, MLPRegressor)


class PerceptronClassifier(_Quiet, MLPClassifier):  # type: ignore[misc]
    """A multilayer perceptron for classes."""

    def public(self) -> Any:
        return plain(self, MLPClassifier)


def perceptron(hidden: int, **choice: float) -> Any:
    return Perceptron(hidden_layer_sizes=(hidden, hidden), max_iter=500, **choice)


def perceptron_classifier(hidden: int, **choice: float) -> Any:
    return PerceptronClassifier(hidden_layer_sizes=(hidden, hidden), max_iter=500, **choice)


OWN_TYPES: tuple[type, ...] = (
    *(Stretch, FillEmpty, SoftmaxSVC, Descent, DescentClassifier),
    *(Process, ProcessClassifier, Perceptron, PerceptronClassifier, BinnedBoosting),
)
"""The classes of this module that a kept model may have as parts."""
