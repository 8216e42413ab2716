"""What the datasets and suites of this plugin are; nothing heavy is imported here."""

from __future__ import annotations

from hmcbench import DatasetSpec, SuiteSpec

DATASETS: list[DatasetSpec] = []
SUITES: list[SuiteSpec] = []
