"""Any scikit-learn estimator as a model: hierarchical targets in, one probability per class out.

A plugin needs no more than::

    def knn(neighbours: int) -> EstimatorModel:
        return EstimatorModel(lambda task: KNeighborsClassifier(neighbours), view="table")

and ``factory="my_plugin.models:knn"`` in its spec, with ``scores="probability"``.
"""

from hmcbench.sklearnkit.model import EstimatorModel
from hmcbench.sklearnkit.search import Space

__all__ = ["EstimatorModel", "Space"]
