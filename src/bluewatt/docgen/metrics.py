"""The page of the metrics: the names, units and limits every face uses."""

from __future__ import annotations

from bluewatt.docgen.markdown import GENERATED, table
from bluewatt.tables.metrics import Metric, metrics

_INTRODUCTION = """
A metric is one quantity, wherever it comes from. Values outside *lowest … highest* are taken out of a reading as
impossible. Where values *usually* lie is evidence about a key, and hides nothing. A change of more than *jump* in a
second is marked as doubtful.
"""


def page() -> str:
    """The Markdown of the page."""
    head = ("metric", "what", "unit", "lowest", "highest", "usually", "jump", "Home Assistant class")
    return "\n".join([GENERATED, "# Metrics", _INTRODUCTION, table(head, map(_row, metrics()))])


def _row(metric: Metric) -> tuple[object, ...]:
    low, high, jump = (_number(limit) for limit in (metric.low, metric.high, metric.jump))
    usual = " … ".join(map(_number, metric.usual or ()))
    return (f"`{metric.key}`", metric.label, metric.unit, low, high, usual, jump, metric.device_class)


def _number(limit: float | None) -> str:
    """A limit as people read it; none is empty."""
    return "" if limit is None else f"{limit:,g}" if abs(limit) < 1e6 else f"{limit:,.0f}"
