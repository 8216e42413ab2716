"""``hmcbench verify``: every published number recomputed from what lies beside it.

Four questions, one module each: do the records' metrics follow from their predictions
(``records``), do the intervals that were kept for want of truth (``intervals``), do the boards follow
from both (``boards``), and do the tables and pictures have records at all (``tables``)? With the user's
data, :mod:`hmcbench.records.given_data` says whether they are those of the records.
"""

from __future__ import annotations

from hmcbench.verify.findings import Finding, Report, SuiteReport
from hmcbench.verify.tree import verify_results

__all__ = ["Finding", "Report", "SuiteReport", "verify_results"]
