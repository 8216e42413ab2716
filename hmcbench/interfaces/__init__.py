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
    from hmcbench.interfaces.objects import (
        ColumnKind,
        DataReport,
        Dataset,
        Featurizer,
        Fit,
        Image,
        Inputs,
        Labelled,
        Metric,
        Model,
        NewSamples,
        PicturePair,
        Run,
        Scores,
        Shift,
        ShiftInputs,
        TableColumns,
        Task,
        WarmStart,
    )

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
