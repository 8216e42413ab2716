"""The contract: specs, which plugins describe, and objects, which their factories make.

Objects are imported when first used: listing reads specs only, and each dataclass costs start-up time.
"""

from typing import TYPE_CHECKING, Any

from hmcbench.interfaces.specs import (
    PROFILES,
    DatasetSpec,
    Depth,
    FeaturizerSpec,
    FittedPer,
    LabelUnit,
    MetricSpec,
    ModelSpec,
    Param,
    Paths,
    RuleSpec,
    Scalar,
    Shape,
    ShiftSpec,
    Spec,
    SuiteSpec,
    TaskKind,
    Value,
)

if TYPE_CHECKING:  # the same names, for type checkers
    from hmcbench.interfaces.objects import ColumnKind as ColumnKind
    from hmcbench.interfaces.objects import DataReport as DataReport
    from hmcbench.interfaces.objects import Dataset as Dataset
    from hmcbench.interfaces.objects import Featurizer as Featurizer
    from hmcbench.interfaces.objects import Fit as Fit
    from hmcbench.interfaces.objects import Image as Image
    from hmcbench.interfaces.objects import Inputs as Inputs
    from hmcbench.interfaces.objects import Labelled as Labelled
    from hmcbench.interfaces.objects import Metric as Metric
    from hmcbench.interfaces.objects import Model as Model
    from hmcbench.interfaces.objects import NewSamples as NewSamples
    from hmcbench.interfaces.objects import PicturePair as PicturePair
    from hmcbench.interfaces.objects import Run as Run
    from hmcbench.interfaces.objects import Scores as Scores
    from hmcbench.interfaces.objects import Shift as Shift
    from hmcbench.interfaces.objects import ShiftInputs as ShiftInputs
    from hmcbench.interfaces.objects import TableColumns as TableColumns
    from hmcbench.interfaces.objects import Task as Task
    from hmcbench.interfaces.objects import WarmStart as WarmStart

__all__ = [
    "Shape",
    "LabelUnit",
    "Depth",
    "PROFILES",
    "ColumnKind",
    "DataReport",
    "Dataset",
    "DatasetSpec",
    "Featurizer",
    "FeaturizerSpec",
    "Fit",
    "FittedPer",
    "Image",
    "Inputs",
    "Labelled",
    "Metric",
    "MetricSpec",
    "Model",
    "ModelSpec",
    "NewSamples",
    "Param",
    "Paths",
    "PicturePair",
    "RuleSpec",
    "Run",
    "Scalar",
    "Scores",
    "Shift",
    "ShiftInputs",
    "ShiftSpec",
    "Spec",
    "SuiteSpec",
    "TableColumns",
    "Task",
    "TaskKind",
    "Value",
    "WarmStart",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("hmcbench.interfaces.objects"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
