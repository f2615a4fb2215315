"""The page of the metrics: the names, units and limits that every output uses."""

from __future__ import annotations

from bluewatt.docgen.markdown import GENERATED, table
from bluewatt.tables.metrics import Metric, metrics

_INTRODUCTION = """
A metric is one quantity, wherever it comes from. Values outside *lowest … highest* are impossible and are taken out of
a reading. The range in which values *usually* lie is evidence about a key and hides nothing. A change of more than
*jump* within a second is marked as doubtful.
"""


def page() -> str:
    """Return the Markdown of the page."""
    head = ("metric", "what", "unit", "lowest", "highest", "usually", "jump", "Home Assistant class")
    return "\n".join([GENERATED, "# Metrics", _INTRODUCTION, table(head, map(_row, metrics()))])


def _row(metric: Metric) -> tuple[object, ...]:
    low, high, jump = (_number(limit) for limit in (metric.low, metric.high, metric.jump))
    usual = " … ".join(map(_number, metric.usual or ()))
    return (f"`{metric.key}`", metric.label, metric.unit, low, high, usual, jump, metric.device_class)


def _number(limit: float | None) -> str:
    """Return a limit as people read it; empty if there is none."""
    return "" if limit is None else f"{limit:,g}" if abs(limit) < 1e6 else f"{limit:,.0f}"
