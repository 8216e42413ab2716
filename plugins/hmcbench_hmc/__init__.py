"""The field of hierarchical multi-label classification: ARFF files, its classic datasets, its methods."""

from __future__ import annotations

from hmcbench import DatasetSpec, ModelSpec, SuiteSpec, hookimpl
from hmcbench_hmc.models import MODELS
from hmcbench_hmc.specs import DATASETS, SUITES


@hookimpl
def hmcbench_datasets() -> list[DatasetSpec]:
    return DATASETS


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return MODELS


@hookimpl
def hmcbench_suites() -> list[SuiteSpec]:
    return SUITES
