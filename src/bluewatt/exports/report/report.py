"""What the report of a capture holds: devices, their values over time, messages and damage.

report = CaptureReport("drive.btsnoop")
for packet in packets:
    report.add(packet)
html = page(report)                     # of report/page.py
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bluewatt.exports.charts.series import Series, UnknownRegister
from bluewatt.model.dialogue.conversation import CONNECTED, DAMAGED, DISCONNECTED, Line
from bluewatt.model.dialogue.sentences import sentence, values_of
from bluewatt.model.dialogue.transcript import DecodedPacket, TranscriptItem
from bluewatt.model.identity import Device
from bluewatt.model.reading import Reading
from bluewatt.model.register_values import RegisterReading, RegisterValue
from bluewatt.schema import Code, Flags, TwoBitFields

__all__ = ["CaptureReport", "DeviceReport"]

MOST_DEVICES = 1024
"""Devices in a report; of more, the first ones are shown."""
_MOST_MOMENTS = 4096
_MOST_DAMAGES = 200
_MOST_SERIES = 200


@dataclass
class DeviceReport:
    """Everything a report says about one device."""

    device: Device
    first: float
    last: float
    frames: int = 0
    messages: int = 0
    moments: list[float] = field(default_factory=list)
    """Times at which it was heard, in seconds since 1970."""
    connections: list[tuple[float, float]] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    latest: dict[str, RegisterValue] = field(default_factory=dict)
    """The last value of each register, by key."""
    unknown: dict[tuple[int | None, int], UnknownRegister] = field(default_factory=dict)
    silent: Counter[str] = field(default_factory=Counter)
    """Advertisements without values, counted by reason."""


class CaptureReport:
    """Gathers a capture packet by packet in bounded memory; keys and PINs are left out unless `reveal`."""

    def __init__(self, source: str, *, reveal: bool = False) -> None:
        self.source = source
        self.reveal = reveal
        self.devices: dict[str, DeviceReport] = {}
        self.messages: Counter[tuple[str, str]] = Counter()
        """Lines of conversations, counted by direction and message."""
        self.damages: list[tuple[float, str]] = []
        self._open: dict[int, int] = {}

    def add(self, packet: DecodedPacket) -> None:
        """Add an advertisement with its readings, or a packet of a connection with its lines."""
        frame, entries = packet
        if frame is not None:
            heard = self._device(Device(frame.address, frame.address, frame.name), frame.at)
            heard.frames += 1
            if len(heard.moments) < _MOST_MOMENTS:
                heard.moments.append(frame.at)
        for entry in entries:
            self._entry(entry)

    def _device(self, device: Device, at: float) -> DeviceReport:
        known = self.devices.get(device.address)
        if known is None:
            known = DeviceReport(device, at, at)
            if len(self.devices) < MOST_DEVICES:
                self.devices[device.address] = known
        if device.name or device.product_id is not None:
            name, product = device.name or known.device.name, device.product_id
            product = known.device.product_id if product is None else product
            known.device = Device(device.id, device.address, name, product)
        known.first, known.last = min(known.first, at), max(known.last, at)
        return known

    def _entry(self, entry: TranscriptItem) -> None:
        heard = self._device(entry.device, entry.at)
        if isinstance(entry, Line):
            self._line(heard, entry)
        elif isinstance(entry, RegisterReading):
            for value in entry.values:
                self._value(heard, entry.at, value)
        elif isinstance(entry, Reading):
            for row in entry.record.rows:
                self._number(heard, entry.at, row.name, row.unit, getattr(entry.record, row.name))
        else:
            heard.silent[entry.detail] += 1

    def _line(self, heard: DeviceReport, line: Line) -> None:
        heard.messages += 1
        self.messages[line.direction.value if line.direction else "", line.message] += 1
        if line.message == CONNECTED:
            self._open[line.link] = len(heard.connections)
            heard.connections.append((line.at, line.at))
        elif line.link in self._open:
            place = self._open[line.link]
            if place < len(heard.connections):
                heard.connections[place] = heard.connections[place][0], line.at
            if line.message == DISCONNECTED:
                del self._open[line.link]
        if line.kind == DAMAGED and len(self.damages) < _MOST_DAMAGES:
            self.damages.append((line.at, sentence(line)))
        for value in values_of(line):
            self._value(heard, line.at, value)

    def _value(self, heard: DeviceReport, at: float, value: RegisterValue) -> None:
        if value.secret and not self.reveal:
            return
        if value.row is None:
            place = value.instance, value.register
            unknown = heard.unknown.get(place)
            if unknown is None:
                unknown = heard.unknown[place] = UnknownRegister(value.register, value.instance)
            unknown.add(at, value.raw)
            return
        heard.latest[value.key] = value
        self._number(heard, at, value.key, value.unit, value.value)

    def _number(self, heard: DeviceReport, at: float, name: str, unit: str, value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, Code | Flags | TwoBitFields | bool):
            return
        series = heard.series.get(name)
        if series is None:
            if len(heard.series) >= _MOST_SERIES:
                return
            series = heard.series[name] = Series(name, unit)
        series.add(at, float(value))
