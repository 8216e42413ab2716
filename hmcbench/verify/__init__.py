"""``hmcbench verify``: recompute every published number from the records beside it.

Four questions, one module each: do the metrics follow from the predictions (``records``), do the
kept intervals follow from the truth (``intervals``), do the boards follow from both (``boards``), and do
tables and pictures have records (``tables``)? :mod:`hmcbench.records.given_data` checks whether the user's
data are those of the records.
"""

from __future__ import annotations

from hmcbench.verify.findings import Finding, Report, SuiteReport
from hmcbench.verify.tree import verify_results

__all__ = ["Finding", "Report", "SuiteReport", "verify_results"]
