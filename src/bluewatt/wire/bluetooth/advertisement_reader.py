"""The advertisements in the packets of a capture, recorded by a host or by a sniffer."""

from __future__ import annotations

from collections.abc import Iterable

from bluewatt.errors import CaptureError, Malformed
from bluewatt.wire.bluetooth.advertising_data import (
    SIGNED,
    VICTRON_MARK,
    AddressTexts,
    CapturedAdvertisement,
    parse_structures,
)
from bluewatt.wire.bluetooth.hci_reports import ADVERTISING_REPORT, LE_META, AdvertisingReport, advertising_reports
from bluewatt.wire.bluetooth.link_layer import advertising_report, unwrap_air
from bluewatt.wire.bluetooth.packets import Packet, PacketKind

_EVENT, _AIR = int(PacketKind.EVENT), int(PacketKind.AIR)

_SINGLE_REPORT = tuple(bytes([LE_META, size, ADVERTISING_REPORT, 1]) for size in range(256))
"""The first four bytes of an event with one legacy report, by its number of parameters."""

_FLAGS = b"\x02\x01"
"""Length and type of the flags, with which connectable advertisements begin."""

_MAX_ASSEMBLED = 1650
"""Longest advertising data there is, in bytes (Core, volume 4, part E, 7.8.54)."""
_MAX_PARTIAL = 256


class AdvertisementReader:
    """The reader of advertisements in packets; damage is counted and reported in `problems`, never raised.

    Advertisements of other companies are skipped unless they name their sender. Other HCI packets are skipped:
    who wants connections reads the same packets beside this class.
    """

    def __init__(self) -> None:
        self.problems: list[CaptureError] = []
        """Malformed packets, with their offsets in the capture; taken out by the caller."""
        self.bad_crc = 0
        """The number of packets skipped because the sniffer found their CRC wrong."""
        self._addresses = AddressTexts()
        self._partial: dict[tuple[bytes, int], bytes] = {}

    def read(self, packets: Iterable[Packet]) -> list[CapturedAdvertisement]:
        """Return the advertisements of `packets`, in their order."""
        found: list[CapturedAdvertisement] = []
        append, addresses, single = found.append, self._addresses, _SINGLE_REPORT
        for at, kind, _, data, offset, _ in packets:
            if kind == _EVENT:
                size = len(data)
                # Nearly all events hold one legacy report, and nearly all of Victron's begin with flags and end with
                # the manufacturer data: if all lengths agree, no function is called.
                if 14 <= size < 258 and data[:4] == single[size - 2] and data[12] == size - 14:
                    if (
                        size > 20
                        and data[13:15] == _FLAGS
                        and data[16] == size - 18
                        and data.startswith(VICTRON_MARK, 17)
                    ):
                        append((at, addresses[data[6:12]], data[5], SIGNED[data[-1]], data[4], data[20:-1], None))
                    else:
                        self._single(at, data, offset, found)
                elif data[:1] == b"\x3e" or size < 2 or data[1] != size - 2:
                    self._event(at, data, offset, found)
            elif kind >= _AIR:
                self._air(at, kind, data, offset, found)
        return found

    def _single(self, at: float, data: bytes, offset: int, found: list[CapturedAdvertisement]) -> None:
        """Return the advertisement of an event with one legacy report whose lengths agree."""
        try:
            payload, name = parse_structures(data[13:-1])
        except Malformed as error:
            self.problems.append(CaptureError(str(error), offset=offset))
            return
        if payload is not None or name is not None:
            address = self._addresses[data[6:12]]
            found.append((at, address, data[5], SIGNED[data[-1]], data[4], payload, name))

    def _event(self, at: float, data: bytes, offset: int, found: list[CapturedAdvertisement]) -> None:
        try:
            for report in advertising_reports(data):
                self._report(at, report, offset, found)
        except Malformed as error:
            self.problems.append(CaptureError(str(error), offset=offset))

    def _air(self, at: float, kind: int, data: bytes, offset: int, found: list[CapturedAdvertisement]) -> None:
        try:
            heard = unwrap_air(kind, data)
            if not heard.crc_valid:
                self.bad_crc += 1
            elif report := advertising_report(heard):
                self._report(at, report, offset, found)
        except Malformed as error:
            self.problems.append(CaptureError(str(error), offset=offset))

    def _report(self, at: float, report: AdvertisingReport, offset: int, found: list[CapturedAdvertisement]) -> None:
        data = self._assembled(report)
        if data is None:
            return
        try:
            payload, name = parse_structures(data)
        except Malformed as error:
            self.problems.append(CaptureError(str(error), offset=offset))
            return
        if payload is not None or name is not None:
            address = self._addresses[report.address]
            found.append((at, address, report.address_type, SIGNED[report.rssi], report.event_type, payload, name))

    def _assembled(self, report: AdvertisingReport) -> bytes | None:
        """Return the whole advertising data, or None while the rest of it is still to come in another report."""
        stream = (report.address, report.stream)
        data = self._partial.pop(stream, b"") + report.data if self._partial else report.data
        if not report.more:
            return data
        if len(data) <= _MAX_ASSEMBLED and len(self._partial) < _MAX_PARTIAL:
            self._partial[stream] = data
        return None
