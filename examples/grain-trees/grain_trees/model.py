import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from hmcbench import Scores


class GrainTrees:
    def __init__(self, trees):
        self.trees = trees

    def fit(self, train, valid, run):
        hierarchy = run.task.hierarchy
        leaf = train.targets[:, hierarchy.leaves].argmax(axis=1)
        self.forest = ExtraTreesClassifier(self.trees, random_state=run.seed).fit(roughness(train), leaf)
        lineage = hierarchy.ancestors.toarray()[hierarchy.leaves]  # (leaves, C): a leaf and all above it
        self.lineage = lineage[self.forest.classes_]

    def predict(self, inputs):
        return Scores(self.forest.predict_proba(roughness(inputs)) @ self.lineage)


def roughness(samples):
    x = np.asarray(samples.views["pixels"], dtype=float)  # (n, 64, 64)
    steps = [np.abs(x[:, step:] - x[:, :-step]).mean(axis=(1, 2)) for step in (1, 2, 4, 8, 16)]
    return np.stack([*steps, x.mean(axis=(1, 2)), x.std(axis=(1, 2))], axis=1)
