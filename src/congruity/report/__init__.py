"""Show results to people: one self-contained HTML page, terminal tables, publication figures.

This layer reads values and decides nothing: every number printed is a field of a `Congruity` or `Fingerprint`.
"""

from congruity.report import html, plots, text
from congruity.report.html import fragment

__all__ = ["fragment", "html", "plots", "text"]
