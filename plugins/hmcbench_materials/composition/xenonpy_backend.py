"""XenonPy's own featurizers over any element table. Importing XenonPy takes many seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from xenonpy.descriptor import compositions

from hmcbench_materials.composition.elements import ElementTable
from hmcbench_materials.composition.periodic_table import SYMBOLS

_CLASSES = (
    *("WeightedAverage", "WeightedSum", "WeightedVariance", "GeometricMean", "HarmonicMean"),
    *("MaxPooling", "MinPooling"),
)


def xenonpy_statistics(amounts: np.ndarray, table: ElementTable) -> np.ndarray:
    """As :func:`hmcbench_materials.composition.descriptors.statistics`, computed by XenonPy row by row."""
    covered = np.flatnonzero(table.covered)
    frame = pd.DataFrame(
        table.values[covered], index=[SYMBOLS[i] for i in covered], columns=list(table.properties)
    )
    rows = [{SYMBOLS[i]: float(row[i]) for i in np.flatnonzero(row > 0)} for row in amounts]
    parts = []
    with np.errstate(all="ignore"):
        for name in _CLASSES:
            featurizer = getattr(compositions, name)(elemental_info=frame, n_jobs=1)
            parts.append(np.asarray(featurizer.transform(rows), dtype=np.float64))
    return np.hstack(parts)
