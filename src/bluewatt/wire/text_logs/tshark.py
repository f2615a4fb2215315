"""What `tshark -T fields` and `tshark -T json` print of captures.

    -T fields -e frame.time_epoch -e btatt.opcode -e btatt.handle -e btatt.value:
        1606159604.061937000   0x1b   0x0024   080019010948af9bff0c1338e600
    -T json:
        "btatt.opcode": "0x1b", … "btatt.handle": "0x0024", … "btatt.value": "08:00:19:…"

The columns of `-T fields` are known by their heads (-E header=y), else by what stands in them: a time with a point, an
opcode of two digits, a handle of four, addresses, bytes. JSON is read by its names alone, line by line, so that a file
of any size, or a part of one, is read as well.
"""

from __future__ import annotations

import re
from typing import Final

from bluewatt.tables.gatt import DEVICE_NAME
from bluewatt.wire.bluetooth.att import (
    BLOB_REQUEST,
    BLOB_RESPONSE,
    CLIENT_OPCODES,
    INDICATED,
    INDICATION,
    MTU_REQUEST,
    MTU_RESPONSE,
    NOTIFICATION,
    NOTIFIED,
    READ_REQUEST,
    READ_RESPONSE,
    WRITE,
    WRITE_COMMAND,
    WRITE_REQUEST,
    WRITE_WITHOUT_RESPONSE,
)
from bluewatt.wire.text_logs.host_log import HostLog, Mark
from bluewatt.wire.text_logs.times import NO_ORIGIN, iso_seconds
from bluewatt.wire.text_logs.words import ADDRESS, full_uuid, hex_bytes

_KINDS: Final = {
    WRITE_REQUEST: WRITE, WRITE_COMMAND: WRITE_WITHOUT_RESPONSE,
    NOTIFICATION: NOTIFIED, INDICATION: INDICATED,
}  # fmt: skip
_EPOCH, _RELATIVE = "epoch", "relative"
_TIME, _OPCODE, _HANDLE, _VALUE, _UUID = "time", "opcode", "handle", "value", "uuid"
_SOURCE, _DESTINATION, _MTU, _CONNECTION = "source", "destination", "mtu", "connection"
_NAMES: Final = {
    "frame.time_epoch": _EPOCH, "frame.time": _TIME, "frame.time_relative": _RELATIVE,
    "_ws.col.Time": _TIME, "_ws.col.time": _TIME,
    "btatt.opcode": _OPCODE, "btatt.handle": _HANDLE, "btatt.value": _VALUE, "btatt.uuid128": _UUID,
    "btatt.uuid16": _UUID,
    "bthci_acl.src.bd_addr": _SOURCE, "bluetooth.src": _SOURCE, "_ws.col.Source": _SOURCE,
    "bthci_acl.dst.bd_addr": _DESTINATION, "bluetooth.dst": _DESTINATION, "_ws.col.Destination": _DESTINATION,
    "btatt.client_rx_mtu": _MTU, "btatt.server_rx_mtu": _MTU, "bthci_acl.connect_in": _CONNECTION,
}  # fmt: skip
"""Name of a field in Wireshark → its name here."""

_TOKEN = re.compile(r'"([\w.]+)"\s*:\s*(?:\[\s*)?"([^"]*)"')
_BEGINS: Final = frozenset({"_index", "frame.encap_type"})
"""The first field of a packet."""
_LOOKS_JSON = re.compile(r'^\s*[\[\]{}"]')
_SHAPES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (_TIME, re.compile(r"\d{1,10}\.\d{3,9}")),
    (_TIME, re.compile(r"[A-Z][a-z]{2} {1,2}\d{1,2}, \d{4} \d\d:\d\d:\d\d\.\d+.*")),
    (_TIME, re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*")),
    (_OPCODE, re.compile(r"0x[0-9a-f]{2}")),
    (_HANDLE, re.compile(r"0x[0-9a-f]{4}")),
    (_SOURCE, re.compile(rf"{ADDRESS}(?: .*)?")),
    (_VALUE, re.compile(r"[0-9a-fA-F]{2}(?::?[0-9a-fA-F]{2})*")),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WRITTEN_TIME = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}), (\d{4}) (\d\d:\d\d:\d\d)(\.\d+)?(.*)")
_QUESTIONS: Final = {READ_RESPONSE: READ_REQUEST, BLOB_RESPONSE: BLOB_REQUEST}
_SOMEWHERE = b"\x01\x00"
"""The offset of a part of a long value: the text need not have it, as parts come in order."""
NEW_CONNECTION: Final = "where a connection begins: where a client asks for the size of packets"
_ONE_YEAR = 365 * 86400.0
_MOST_DEVICES = 256
_NOWHERE = "00:00:00:00:00:00"

Fields = dict[str, str]


class TsharkFields:
    """The reader of lines of columns."""

    name = "tshark -T fields"

    def __init__(self) -> None:
        self._columns: list[str] | None = None
        self._separator = "\t"
        self._connections = _Connections()

    @property
    def waiting(self) -> bool:
        """Always False: each line is complete."""
        return False

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line. Return whether it has this form."""
        if "btatt." in line and not line.lstrip().startswith('"btatt'):
            return self._head(line)
        cells = self._cells(line)
        if len(cells) < 2:
            return False
        fields = self._by_column(cells) if self._columns else _by_shape(cells)
        if _OPCODE not in fields or not fields.keys() & {_HANDLE, _VALUE, _TIME, _EPOCH, _RELATIVE}:
            return False
        _add_packet(fields, self._connections, log)
        return True

    def finish(self, log: HostLog) -> None:
        """Do nothing: no line is incomplete."""

    def _head(self, line: str) -> bool:
        for separator in ("\t", ",", ";", "|"):
            names = [_NAMES.get(cell.strip().strip('"'), "") for cell in line.split(separator)]
            if _OPCODE in names or _VALUE in names:
                self._columns, self._separator = names, separator
                return True
        return False

    def _cells(self, line: str) -> list[str]:
        separator = self._separator
        if not self._columns and "\t" not in line:
            separator = next((mark for mark in ",;|" if mark in line), " ")
        return [cell.strip().strip('"') for cell in line.split(separator)]

    def _by_column(self, cells: list[str]) -> Fields:
        fields: Fields = {}
        for name, cell in zip(self._columns or (), cells, strict=False):
            if name and cell:
                fields.setdefault(name, cell)
        return fields


class TsharkJson:
    """The reader of the packets of a JSON array, as printed or packed into fewer lines."""

    name = "tshark -T json"

    def __init__(self) -> None:
        self._fields: Fields = {}
        self._mark: Mark = (0.0, 0)
        self._inside = False
        self._connections = _Connections()

    @property
    def waiting(self) -> bool:
        """Whether a packet is being printed."""
        return self._inside

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line. Return whether it has this form."""
        known = False
        for name, value in _TOKEN.findall(line):
            if name in _BEGINS:
                self.finish(log)
                self._inside, self._mark = True, log.mark
            elif name in _NAMES:
                if not self._fields:
                    self._mark = log.mark
                self._fields.setdefault(_NAMES[name], value)
            known = known or name in _BEGINS or name in _NAMES or name.startswith(("btatt", "frame."))
        self._inside = self._inside or known
        return known or (self._inside and bool(_LOOKS_JSON.match(line)))

    def finish(self, log: HostLog) -> None:
        """Add the packet being read; it is complete."""
        fields, self._fields, self._inside = self._fields, {}, False
        if _OPCODE in fields:
            with log.at_mark(self._mark):
                _add_packet(fields, self._connections, log)


def _by_shape(cells: list[str]) -> Fields:
    fields: Fields = {}
    for cell in cells:
        for name, shape in _SHAPES:
            if shape.fullmatch(cell):
                name = _DESTINATION if name == _SOURCE and _SOURCE in fields else name
                fields.setdefault(name, cell)
                break
    last = cells[-1]
    if _VALUE not in fields and _SHAPES[-1][1].fullmatch(last):
        # Six bytes look like an address.
        return {name: cell for name, cell in fields.items() if cell != last} | {_VALUE: last}
    return fields


class _Connections:
    """The start of connections: each packet has the number of the frame it began in, or its client requests an MTU."""

    def __init__(self) -> None:
        self._frames: dict[str, str] = {}

    def check(self, fields: Fields, link: str, opcode: int, log: HostLog) -> None:
        """Add the start of a new connection."""
        frame = fields.get(_CONNECTION, "")
        if frame and self._frames.get(link) != frame:
            if len(self._frames) >= _MOST_DEVICES:
                self._frames.clear()
            self._frames[link] = frame
        elif frame or opcode != MTU_REQUEST:
            return
        else:
            log.guesses[NEW_CONNECTION] += 1
        log.add_connection(link)


def _add_packet(fields: Fields, connections: _Connections, log: HostLog) -> None:
    """Add one packet of the attribute protocol."""
    times = (_seconds(fields.get(name, "")) for name in (_EPOCH, _TIME, _RELATIVE))
    at = next((seconds for seconds in times if seconds is not None), None)
    if at is not None:
        log.time_guess = NO_ORIGIN if at < _ONE_YEAR else ""
    with log.at_mark((log.mark[0] if at is None else at, log.mark[1])):
        opcode, handle = _hex_number(fields.get(_OPCODE, "")), _hex_number(fields.get(_HANDLE, ""))
        data, mtu = hex_bytes(fields.get(_VALUE, "")), fields.get(_MTU, "")
        link = _device(fields, from_client=opcode in CLIENT_OPCODES)
        connections.check(fields, link, opcode, log)
        if data is None:
            log.add_problem("a value with an odd number of hex digits")
        elif opcode in _KINDS and _VALUE not in fields:
            log.add_problem("a packet whose value is not in the text")
        elif opcode in (MTU_REQUEST, MTU_RESPONSE) and mtu.isdecimal():
            log.add_att_packet(bytes([opcode]) + min(int(mtu[:6]), 0xFFFF).to_bytes(2, "little"), link)
        elif opcode in _KINDS and handle > 0:
            log.add_value(_KINDS[opcode], data, handle=handle, uuid=_uuid(fields), link=link)
        elif opcode in _QUESTIONS and handle > 0:
            question = bytes([_QUESTIONS[opcode]]) + handle.to_bytes(2, "little")
            log.add_att_packet(question + _SOMEWHERE if opcode == BLOB_RESPONSE else question, link)
            log.add_att_packet(bytes([opcode]) + data, link)


def _uuid(fields: Fields) -> str:
    """Return the UUID of the characteristic if there is one; of 16-bit UUIDs only those of characteristics."""
    uuid = full_uuid(fields.get(_UUID, ""))
    short = uuid.startswith("0000") and uuid[8:] == DEVICE_NAME[8:]
    return "" if short and not uuid.startswith("00002a") else uuid


def _device(fields: Fields, *, from_client: bool) -> str:
    """Return the address of the device: the receiver of what a client sends, else the sender; empty if unknown."""
    order: tuple[str, str] = (_DESTINATION, _SOURCE) if from_client else (_SOURCE, _DESTINATION)
    addresses = [found[0].upper() for name in order if (found := re.search(ADDRESS, fields.get(name, "")))]
    return next((address for address in addresses if address != _NOWHERE), "")


def _hex_number(text: str) -> int:
    found = re.match(r"0x([0-9a-fA-F]{2,4})(?![0-9a-fA-F])", text)
    return int(found[1], 16) if found else -1


def _seconds(text: str) -> float | None:
    written = _WRITTEN_TIME.match(text)
    if written and written[1] in _MONTHS:
        zone = "Z" if "UTC" in written[6] else ""
        month = _MONTHS.index(written[1]) + 1
        text = f"{written[3]}-{month:02}-{int(written[2]):02}T{written[4]}{written[5] or ''}{zone}"
    return iso_seconds(text)
