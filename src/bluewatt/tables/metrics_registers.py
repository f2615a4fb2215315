"""The metrics that only registers tell: made from the register table, so that name and unit stand once.

`metrics.py` lists the quantities that devices advertise. Registers measure many more (phases, trackers, history); each
names its metric in a column, and what a chart or Home Assistant needs follows from the unit of the row. The limits are
per unit and wider than those of any metric with that unit; a power reaches as far as a voltage times a current.
"""

from __future__ import annotations

from functools import cache

from bluewatt.tables.metrics import METRICS, Metric, label_of_key
from bluewatt.tables.registers import Register, registers

_BY_UNIT: dict[str, Metric] = {
    row.unit: row
    for row in (
        Metric(key="", label="", unit="V", low=-1, high=1_000, device_class="voltage"),
        Metric(key="", label="", unit="A", low=-10_000, high=10_000, device_class="current"),
        Metric(key="", label="", unit="W", low=-10_000_000, high=10_000_000, device_class="power"),
        Metric(key="", label="", unit="VA", low=-10_000_000, high=10_000_000, device_class="apparent_power"),
        Metric(key="", label="", unit="Hz", low=0, high=100, device_class="frequency"),
        Metric(key="", label="", unit="°C", low=-60, high=200, device_class="temperature"),
        Metric(key="", label="", unit="%", low=-100, high=100),
        Metric(key="", label="", unit="kWh", low=0, device_class="energy", counter=True),
        Metric(key="", label="", unit="kVAh", low=0, counter=True),
        Metric(key="", label="", unit="s", low=0, device_class="duration"),
        Metric(key="", label="", unit="min", low=0, device_class="duration"),
        Metric(key="", label="", unit="h", low=0, device_class="duration"),
    )
}


def any_metric(key: str) -> Metric | None:
    """The metric of a key from either table; None for a key that is no metric."""
    return METRICS.get(key) or register_metrics().get(key)


@cache
def register_metrics() -> dict[str, Metric]:
    """All metrics of the register table that `metrics.py` does not list, by key."""
    rows = {row.metric: row for row in registers() if row.metric and row.metric not in METRICS}
    return {key: _metric(row) for key, row in rows.items()}


def _metric(row: Register) -> Metric:
    key = row.metric or row.key
    label = label_of_key(key)
    if row.enum:
        return Metric(key=key, label=label, device_class="enum" if row.type.startswith("enum") else "")
    like = _BY_UNIT.get(row.unit, Metric(key="", label="", unit=row.unit))
    return Metric(
        key=key, label=label, unit=row.unit, low=like.low, high=like.high,
        device_class=like.device_class, counter=like.counter,
    )  # fmt: skip
