"""Leaderboards as one self-contained HTML page: no network, no second file, no server.

The tables are HTML and can be read without JavaScript; the script sorts, filters, draws quality
against cost, and shows the details of a cell. Texts from plugins and files are escaped, the page's
policy allows only its own script and style, and the script writes text, never HTML.
"""

from __future__ import annotations

from hmcbench.report.page.render import Card, index_page, page_of

__all__ = ["Card", "index_page", "page_of"]
