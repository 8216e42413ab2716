"""Leaderboards as one HTML page that needs nothing else: no network, no second file, no server.

The tables are in the page's HTML and can be read without JavaScript; its script sorts, filters,
draws quality against cost, and opens the details of a cell. What came from plugins, files and class
names is escaped, the page's policy lets only its own script and style run, and that script writes
text, never HTML.
"""

from __future__ import annotations

from hmcbench.report.page.render import index_page, page_of

__all__ = ["index_page", "page_of"]
