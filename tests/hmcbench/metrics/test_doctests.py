"""Every metric is documented, and its example is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import hmcbench.metrics
from hmcbench.interfaces import MetricSpec
from hmcbench.metrics.builtin import SPECS
from hmcbench.registry.registry import load_object

MODULES = [m.name for m in pkgutil.walk_packages(hmcbench.metrics.__path__, "hmcbench.metrics.")]


@pytest.mark.parametrize("name", ["hmcbench.metrics.evaluation", "hmcbench.metrics.csv_files", *MODULES])
def test_modules(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_metrics(spec: MetricSpec) -> None:
    """Metrics are mostly instances, which doctest does not look into by itself."""
    metric = load_object(spec.factory)
    attribute = str(spec.factory).partition(":")[2]
    assert metric.__doc__
    assert ">>>" in metric.__doc__
    test = doctest.DocTestParser().get_doctest(metric.__doc__, {attribute: metric}, spec.name, None, 0)
    runner = doctest.DocTestRunner()
    runner.run(test)
    assert runner.summarize().failed == 0
