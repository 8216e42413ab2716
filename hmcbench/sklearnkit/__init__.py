"""Any scikit-learn estimator as a model for hierarchical targets, with a probability per class.

A plugin needs only::

    def knn(neighbours: int) -> EstimatorModel:
        return EstimatorModel(lambda task: KNeighborsClassifier(neighbours), view="table")

and ``factory="my_plugin.models:knn"`` in its spec, with ``scores="probability"``.
"""

from hmcbench.sklearnkit.model import EstimatorModel
from hmcbench.sklearnkit.search import Space

__all__ = ["EstimatorModel", "Space"]
