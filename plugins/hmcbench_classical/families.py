"""The models: for each family its two estimators, the scaling of data, and the space of the search.

``families.svm(inputs="E", tuned=True)`` returns a model; the parameters and their defaults are in the
specs (``hmcbench_classical.MODELS``). Scalers and principal components are fitted inside a pipeline,
on training samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import ensemble as trees
from sklearn import linear_model, naive_bayes, neighbors, tree
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hmcbench import Inputs, Labelled, Run, Scores, Task
from hmcbench.errors import BadInput, unknown
from hmcbench.interfaces import Value
from hmcbench.sklearnkit import EstimatorModel, Space
from hmcbench_classical import MODELS, WORDS, estimators

COMPONENTS = 10  # of the descriptors, for inputs=EP; the paper does not say how many it took

Maker = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of estimator. Called with the parameters of its spec, it returns a model.

    Attributes:
        regressor, classifier: called with the parameters of the family; None where there is none.
        space: the values that a search tries, for every task.
        regression_space: further values for regression.
        scaled: whether features are scaled to mean 0 and standard deviation 1.
        scaled_target: whether targets of a regression are scaled.
        multi_output: whether one estimator takes several targets or classes at once.
    """

    regressor: Maker | None = None
    classifier: Maker | None = None
    space: Space
    regression_space: Space = field(default_factory=dict)
    scaled: bool = True
    scaled_target: bool = False
    multi_output: bool = False

    def __call__(
        self, *, inputs: str = "auto", tuned: bool = False, strategy: str = "flat", **choice: Value
    ) -> EstimatorModel:
        return EstimatorModel(
            self.make,
            WORDS.get(inputs, inputs),
            self.multi_output,
            strategy=strategy,
            choice=choice,
            space=self.spaces if tuned else None,
            components=COMPONENTS if inputs == "EP" else 0,
            own_types=estimators.OWN_TYPES,
        )

    def make(self, task: Task, **choice: Value) -> Any:
        """A new estimator, or a pipeline with it, for the task."""
        kind = self.regressor if task.kind == "regression" else self.classifier
        if kind is None:  # only for members of an ensemble, as specs declare their tasks
            raise BadInput(
                f"a model that does no {task.kind} tasks", hint="hmcbench list models says which do"
            )
        estimator = kind(**choice)
        if self.scaled:
            estimator = make_pipeline(StandardScaler(), estimator)
        if self.scaled_target and task.kind == "regression":
            estimator = TransformedTargetRegressor(estimator, transformer=StandardScaler())
        return estimator

    def spaces(self, task: Task) -> Space:
        return {**self.space, **self.regression_space} if task.kind == "regression" else self.space


# --------------------------------------------------------------------------- linear

POWERS = tuple(10.0 ** (k / 2) for k in range(-6, 7))  # 0.001 to 1000

ridge = Family(regressor=linear_model.Ridge, space={"alpha": POWERS}, multi_output=True)
logistic_regression = Family(
    classifier=lambda C: linear_model.LogisticRegression(C=C, max_iter=2000), space={"C": POWERS}
)
sgd = Family(
    regressor=lambda **choice: estimators.Descent(learning_rate="adaptive", max_iter=3000, **choice),
    classifier=lambda **choice: estimators.DescentClassifier(loss="log_loss", max_iter=3000, **choice),
    space={"alpha": tuple(10.0 ** (k / 2) for k in range(-12, -1)), "penalty": ("l2", "l1", "elasticnet")},
    scaled_target=True,
)
naive_bayes = Family(
    classifier=naive_bayes.GaussianNB, space={"var_smoothing": tuple(10.0**k for k in range(-11, 1))}
)

# --------------------------------------------------------------------------- kernels and distances

svm = Family(
    regressor=estimators.svr,
    classifier=estimators.svc,
    space={"C": (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0), "gamma": (0.03, 0.1, 0.3, 1.0, 3.0)},
    regression_space={"epsilon": (0.01, 0.03, 0.1)},
    scaled_target=True,
)
gaussian_process = Family(
    regressor=estimators.Process,
    classifier=estimators.ProcessClassifier,
    space={"nu": (0.5, 1.5, 2.5)},  # its other parameters are fitted by likelihood
    scaled_target=True,
)
knn = Family(
    regressor=lambda **choice: neighbors.KNeighborsRegressor(algorithm="kd_tree", **choice),
    classifier=lambda **choice: neighbors.KNeighborsClassifier(algorithm="kd_tree", **choice),
    space={"n_neighbors": (1, 2, 3, 5, 8, 12, 20), "weights": ("uniform", "distance"), "p": (1, 2)},
    multi_output=True,
)

# --------------------------------------------------------------------------- trees


def _forest(regressor: Maker, classifier: Maker) -> Family:
    """Its ``max_features`` of 0 is the library's default, which differs between the two."""

    def maker(kind: Maker, default: float | str) -> Maker:
        return lambda max_features, **choice: kind(n_jobs=-1, max_features=max_features or default, **choice)

    return Family(
        regressor=maker(regressor, 1.0),
        classifier=maker(classifier, "sqrt"),
        space={"min_samples_leaf": (1, 2, 3, 5), "max_features": (0.0, 0.2, 0.35, 0.5, 0.75)},
        scaled=False,
        multi_output=True,
    )


decision_tree = Family(
    regressor=lambda max_depth, **choice: tree.DecisionTreeRegressor(max_depth=max_depth or None, **choice),
    classifier=lambda max_depth, **choice: tree.DecisionTreeClassifier(max_depth=max_depth or None, **choice),
    space={
        "max_depth": (0, 4, 6, 8, 12),
        "min_samples_leaf": (1, 2, 4, 8),
        "ccp_alpha": (0.0, 1e-4, 1e-3),
    },
    scaled=False,
    scaled_target=True,  # so that the cost of a leaf means the same for every target
)
forest = _forest(trees.RandomForestRegressor, trees.RandomForestClassifier)
extra_trees = _forest(trees.ExtraTreesRegressor, trees.ExtraTreesClassifier)


def _xgboost(name: str) -> Maker:
    def make(**choice: Value) -> Any:
        import xgboost  # in an extra; the other families do not need it

        return getattr(xgboost, name)(n_jobs=-1, tree_method="hist", **choice)

    return make


xgboost = Family(
    regressor=_xgboost("XGBRegressor"),
    classifier=_xgboost("XGBClassifier"),
    space={
        "n_estimators": (200, 400, 800),
        "learning_rate": (0.03, 0.05, 0.1),
        "max_depth": (2, 3, 4, 6),
        "subsample": (0.6, 0.8, 1.0),
        "colsample_bytree": (0.4, 0.7, 1.0),
        "min_child_weight": (1.0, 3.0),
    },
    scaled=False,
)
hist_gradient_boosting = Family(
    regressor=lambda **choice: estimators.without_empty(trees.HistGradientBoostingRegressor(**choice)),
    classifier=lambda **choice: estimators.without_empty(estimators.BinnedBoosting(**choice)),
    space={
        "max_iter": (100, 200, 400),
        "learning_rate": (0.03, 0.06, 0.1),
        "max_leaf_nodes": (7, 15, 31),
        "min_samples_leaf": (5, 10, 20),
        "l2_regularization": (0.0, 1.0),
    },
    scaled=False,
)

# --------------------------------------------------------------------------- networks, ensembles

mlp = Family(
    regressor=estimators.perceptron,
    classifier=estimators.perceptron_classifier,
    space={
        "hidden": (32, 64, 128),
        "alpha": (1e-4, 1e-2, 0.1, 1.0),
        "learning_rate_init": (1e-3, 3e-3, 1e-2),
    },
    scaled_target=True,
)


class Mean:
    """The mean of several models' predictions; each member is fitted and searched by itself."""

    def __init__(self, members: Mapping[str, EstimatorModel]) -> None:
        self._members = dict(members)

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        for member in self._members.values():
            member.fit(train, valid, run)

    def refit(self, train: Labelled, run: Run) -> None:
        for member in self._members.values():
            member.refit(train, run)

    def predict(self, inputs: Inputs) -> Scores:
        scores = [member.predict(inputs) for member in self._members.values()]
        stops = [member.stop for member in scores if member.stop is not None]
        values = np.mean([member.values for member in scores], axis=0)
        return Scores(values, np.mean(stops, axis=0) if stops else None)

    def save(self, folder: Path) -> None:
        """A folder for every member."""
        for name, member in self._members.items():
            (folder / name).mkdir()
            member.save(folder / name)

    def load(self, folder: Path, run: Run) -> None:
        """Replaces ``fit``."""
        for name, member in self._members.items():
            member.load(folder / name, run)

    @property
    def views(self) -> Sequence[str]:
        """Those of every member."""
        return next(iter(self._members.values())).views

    @property
    def width(self) -> int:
        return next(iter(self._members.values())).width

    @property
    def first_width(self) -> int:
        return next(iter(self._members.values())).first_width

    def write_onnx(self, graph: Any, task: Task) -> dict[str, str]:
        """For ``hmcbench export-model``; see :class:`hmcbench.interfaces.Model`."""
        from hmcbench.sklearnkit.onnx_file import add_mean

        return add_mean(graph, list(self._members.values()), task)

    def describe(self) -> Mapping[str, Value]:
        facts = [member.describe() for member in self._members.values()]
        named = zip(self._members, facts, strict=True)
        chosen = " / ".join(f"{name}: {f.get('chosen', 'defaults')}" for name, f in named)
        joined = {**facts[0], "estimator": "mean of " + ", ".join(self._members), "chosen": chosen}
        for name in ("search_s", "search_candidates"):  # every member has its own search
            values: Any = [f[name] for f in facts if name in f]
            if values:
                joined[name] = sum(values)
        return joined


def ensemble(members: str, **shared: Any) -> Mean:
    """The mean of ``members`` (names joined by ``+``), each with the defaults of its own spec."""
    models: dict[str, EstimatorModel] = {}
    for name in members.split("+"):
        if name not in MODELS:
            raise unknown("member of an ensemble", name, MODELS)
        family: Family = globals()[name.replace("-", "_")]
        defaults: dict[str, Any] = {key: param.default for key, param in MODELS[name][3].items()}
        models[name] = family(**shared, **defaults)
    return Mean(models)
