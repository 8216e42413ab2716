"""``hmcbench verify``: every published number recomputed from what lies beside it.

Four questions, one module each: do the records' metrics follow from their predictions
(``records``), do the boards follow from the records (``boards``), do the tables and pictures have
records at all (``tables``), and are the user's data those of the records (``data``).
"""

from __future__ import annotations

from hmcbench.verify.findings import Finding, Report, SuiteReport
from hmcbench.verify.tree import verify_results

__all__ = ["Finding", "Report", "SuiteReport", "verify_results"]
