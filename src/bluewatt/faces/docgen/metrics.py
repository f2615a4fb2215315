"""The page of the metrics: the names, units and limits every face uses."""

from __future__ import annotations

from bluewatt.faces.docgen.markdown import GENERATED, table
from bluewatt.tables.metrics import Metric, metrics

_INTRODUCTION = """
A metric is one quantity, wherever it comes from. Values outside *lowest … highest* are taken out of a reading as
impossible; a change of more than *jump* between neighbouring samples waits for the next sample to say the same.
"""


def page() -> str:
    """The Markdown of the page."""
    head = ("metric", "what", "unit", "lowest", "highest", "jump", "Home Assistant class")
    return "\n".join([GENERATED, "# Metrics", _INTRODUCTION, table(head, map(_row, metrics()))])


def _row(metric: Metric) -> tuple[object, ...]:
    limits = ("" if limit is None else f"{limit:g}" for limit in (metric.low, metric.high, metric.jump))
    return (f"`{metric.key}`", metric.label, metric.unit, *limits, metric.device_class)
