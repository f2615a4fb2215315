"""What `btmon` and `hcidump` print of packets: a head with direction and handle, then the attribute protocol in words.

    > ACL Data RX: Handle 64 flags 0x02 dlen 15       #216 [hci0] 755.77      > ACL data: handle 64 flags 0x02 dlen 15
          ATT: Handle Value Notification (0x1b) len 10                          ATT: Handle notify (0x1b)
            Handle: 0x0024                                                        handle 0x0024
              Data: 080319ed8d422f05                                              value 0x08 0x03 0x19 …

Both name the opcode by its number, so one reader serves them: it rebuilds the packet from its fields. What hcidump
leaves undecoded it dumps (`-X`), and with `-R` it dumps everything: `> 02 40 20 …`, which is the packet itself.
"""

from __future__ import annotations

import re
from typing import Final

from bluewatt.wire.bluetooth.att import (
    BLOB_REQUEST,
    BLOB_RESPONSE,
    ERROR,
    INDICATION,
    MTU_REQUEST,
    MTU_RESPONSE,
    NOTIFICATION,
    READ_REQUEST,
    READ_RESPONSE,
    READ_TYPE_REQUEST,
    READ_TYPE_RESPONSE,
    SIGNED_WRITE,
    WRITE_COMMAND,
    WRITE_REQUEST,
)
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER
from bluewatt.wire.text_logs.host_log import HostLog, Mark
from bluewatt.wire.text_logs.times import NO_ORIGIN, Times
from bluewatt.wire.text_logs.words import ADDRESS, UUID, dumped_bytes, full_uuid, hex_bytes

_HEAD = re.compile(r"^(?:[\d:.\- ]{1,40})?([<>]) (?:ACL [Dd]ata|(HCI Event))(?: TX| RX)?:(?: [Hh]andle (\d+))?(.*)$")
_RAW = re.compile(r"^(?:[\d:.\- ]{1,40})?([<>]) (0[1-5](?: [0-9A-Fa-f]{1,2})+)\s*$")
_RAW_REST = re.compile(r"^  ((?:[0-9A-Fa-f]{2} ?)+)\s*$")
_STAMP = re.compile(r"(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)|(\d\d:\d\d:\d\d\.\d+)|(?<!\S)(\d{1,9}\.\d{4,9}))$")
_OPCODE = re.compile(r"^\s+ATT: .*\(0x([0-9a-f]{2})\)")
_L2CAP = re.compile(r"^\s+L2CAP\(d\): cid 0x0004\b")
_HANDLE = re.compile(r"\bhandle:? 0x([0-9a-f]{4})\b", re.IGNORECASE)
_DATA = re.compile(r"\b(?:data|value)(?:\[\d+\])?:?\s+((?:0x)?[0-9a-f]{2}[0-9a-fx \-]*)$", re.IGNORECASE)
_NO_DATA = re.compile(r"^\s+(?:value|Value:|Data:)\s*$")
_TYPE = re.compile(rf"\bType: .*\(({UUID}|0x[0-9a-f]{{4}})\)", re.IGNORECASE)
_MTU = re.compile(r"\bmtu:? (\d+)", re.IGNORECASE)
_CODE = re.compile(r"\bError:? .*\(?0x([0-9a-f]{2})\)?|\berror code:? .*\(?0x([0-9a-f]{2})", re.IGNORECASE)
_RANGE = re.compile(r"0x([0-9a-f]{4})(?:-|, end )0x([0-9a-f]{4})", re.IGNORECASE)
_NUMBER = re.compile(r"\(0x([0-9a-f]{2,4})\)|type-uuid 0x([0-9a-f]{4})", re.IGNORECASE)
_LENGTH = re.compile(r"length:? (\d+)", re.IGNORECASE)
_OFFSET = re.compile(r"\boffset:? 0x([0-9a-f]{4})", re.IGNORECASE)
_EVENT = re.compile(r"\bLE (?:Enhanced )?Connection Complete|\bDisconn")
_STATUS = re.compile(r"\bstatus:? (?:\w[^(]*\()?0x([0-9a-f]{2})", re.IGNORECASE)
_LINK = re.compile(r"\b[Hh]andle:? (\d+)\b")
_PEER = re.compile(rf"\b(?:Peer address:|bdaddr) ({ADDRESS})")
_REASON = re.compile(r"\b[Rr]eason:? .*?\(?0x([0-9a-f]{2})")

_DATA_LENGTH = re.compile(r"\bdlen (\d{1,5})\b")
_L2CAP_HEAD = 4

_WITH_HANDLE: Final = frozenset({WRITE_REQUEST, WRITE_COMMAND, SIGNED_WRITE, NOTIFICATION, INDICATION})
_MOST_LINES = 200


class PacketText:
    """The reader of the output of btmon, of hcidump, and of hcidump -R."""

    name = "btmon, hcidump"

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._head: re.Match[str] | None = None
        self._raw: tuple[int, bytearray] | None = None
        self._mark: Mark = (0.0, 0)
        self._times = Times()

    @property
    def waiting(self) -> bool:
        """Whether a packet is being printed."""
        return self._head is not None or self._raw is not None

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line. Return whether it has this form."""
        if raw := _RAW.match(line):
            self._begin(log, line)
            data = hex_bytes(raw[2])
            if data is None:
                log.add_problem("a packet with an odd number of hex digits")
            else:
                self._raw = (TO_CONTROLLER if raw[1] == "<" else FROM_CONTROLLER), bytearray(data)
            return True
        if self._raw and (rest := _RAW_REST.match(line)):
            self._raw[1].extend(bytes.fromhex(rest[1]))
            return True
        if head := _HEAD.match(line):
            self._begin(log, line)
            self._head = head
            return True
        return self._inside(line, log)

    def finish(self, log: HostLog) -> None:
        """Add the last packet; it is complete."""
        head, lines, raw = self._head, self._lines, self._raw
        self._head, self._lines, self._raw = None, [], None
        with log.at_mark(self._mark):
            if raw:
                direction, data = raw
                log.add_packet(data[0], direction, bytes(data[1:]))
            elif head and head[2]:
                _event(lines, log)
            elif head:
                _packet(head, lines, log)

    def _begin(self, log: HostLog, line: str) -> None:
        self.finish(log)
        self._mark = self._time(line, log), log.mark[1]

    def _time(self, line: str, log: HostLog) -> float:
        """Return the time at the end of a head, as btmon writes it, or at its beginning, as hcidump does."""
        found = _STAMP.search(line.rstrip())
        if not found:
            return log.mark[0]
        if found[3]:
            log.time_guess = NO_ORIGIN
            return float(found[3])
        at = self._times.read(found[1] or found[2])
        log.time_guess = self._times.guess
        return at

    def _inside(self, line: str, log: HostLog) -> bool:
        """Read a line inside a packet, which begins with a blank; only events of connections matter."""
        head = self._head
        if head is None or line[:1] not in (" ", "\t"):
            return False
        if head[2] and not self._lines and not _EVENT.search(head[0] + line):
            self._head = None
            return False
        if len(self._lines) < _MOST_LINES:
            self._lines.append(line)
        return True


def _event(lines: list[str], log: HostLog) -> None:
    """Add the start or end of a connection; failed attempts are ignored."""
    text = "\n".join(lines)
    link, status, reason = _LINK.search(text), _STATUS.search(text), _REASON.search(text)
    if not link or (status and int(status[1], 16)):
        return
    if peer := _PEER.search(text):
        log.add_connection(peer[1].upper(), _key(link[1]))
    elif reason:
        log.end_connection(_key(link[1]), int(reason[1], 16))


def _key(number: str) -> str:
    return f"acl {number}"


def _packet(head: re.Match[str], lines: list[str], log: HostLog) -> None:
    """Rebuild an attribute packet from what is printed of it."""
    if not lines or not head[3]:
        return
    link = _key(head[3])
    if _L2CAP.match(lines[0]):
        log.add_att_packet(_dumped(lines), link, answer=head[1] == ">")
        return
    opcode = _OPCODE.match(lines[0])
    if not opcode:
        return
    text = "\n".join(lines)
    data, length = _build(int(opcode[1], 16), lines[1:], text), _DATA_LENGTH.search(head[4])
    if data is None or (data and length and len(data) + _L2CAP_HEAD < int(length[1])):
        log.add_problem(f"a packet whose bytes are incomplete in the text: {lines[0].strip()}")
        return
    if (named := _TYPE.search(text)) and (place := _HANDLE.search(text)):
        log.name_characteristic(int(place[1], 16), full_uuid(named[1]), link)
    log.add_att_packet(data, link, answer=head[1] == ">")


def _build(opcode: int, lines: list[str], text: str) -> bytes | None:
    """Return the packet of an opcode from its fields; empty if it carries no values, None if fields are missing."""
    if opcode in _WITH_HANDLE:
        handle, data = _number(_HANDLE, text), _data(lines)
        return None if handle is None or data is None else bytes([opcode]) + handle + data
    if opcode in (READ_RESPONSE, BLOB_RESPONSE):
        value = _data(lines)
        return None if value is None else bytes([opcode]) + value
    if opcode in (READ_REQUEST, BLOB_REQUEST):
        handle, offset = _number(_HANDLE, text), _number(_OFFSET, text)
        tail = (offset or bytes(2)) if opcode == BLOB_REQUEST else b""
        return None if handle is None else bytes([opcode]) + handle + tail
    if opcode in (MTU_REQUEST, MTU_RESPONSE):
        mtu = _MTU.search(text)
        return bytes([opcode]) + min(int(mtu[1][:6]), 0xFFFF).to_bytes(2, "little") if mtu else None
    if opcode == ERROR:
        return _error(lines)
    if opcode == READ_TYPE_REQUEST:
        return _type_request(lines)
    return _type_response(lines) if opcode == READ_TYPE_RESPONSE else b""


def _number(pattern: re.Pattern[str], text: str) -> bytes | None:
    found = pattern.search(text)
    return int(found[1], 16).to_bytes(2, "little") if found else None


def _data(lines: list[str]) -> bytes | None:
    """Return the value of a packet: on its own line, dumped over several, or empty; None if it is damaged."""
    for line in lines:
        if found := _DATA.search(line):
            return hex_bytes(found[1].strip())
    dumped = _dumped(lines)
    return dumped if dumped or not lines or any(_NO_DATA.match(line) for line in lines) else None


def _dumped(lines: list[str]) -> bytes:
    return b"".join(part for line in lines if (part := dumped_bytes(line)))


def _error(lines: list[str]) -> bytes | None:
    """Return the packet of an error: the opcode refused, at which handle, and why."""
    text = "\n".join(lines)
    request, handle, code = _NUMBER.search(text), _number(_HANDLE, text), _CODE.search(text)
    if not request or handle is None or not code:
        return b""
    return bytes([ERROR, int(request[1] or request[2], 16) & 0xFF]) + handle + bytes([int(code[1] or code[2], 16)])


def _type_request(lines: list[str]) -> bytes:
    text = "\n".join(lines)
    bounds, kind = _RANGE.search(text), _NUMBER.search(text)
    if not bounds or not kind:
        return b""
    numbers = (bounds[1], bounds[2], kind[1] or kind[2])
    return bytes([READ_TYPE_REQUEST]) + b"".join(int(number, 16).to_bytes(2, "little") for number in numbers)


def _type_response(lines: list[str]) -> bytes:
    """Return the packet of a list of handles with values, all of one length."""
    entries: list[bytes] = []
    handle: bytes | None = None
    for line in lines:
        handle = _number(_HANDLE, line) or handle
        if (found := _DATA.search(line)) and handle is not None and (value := hex_bytes(found[1].strip())) is not None:
            entries.append(handle + value)
            handle = None
    size = len(entries[0]) if entries else 0
    if not size or size > 0xFF or any(len(entry) != size for entry in entries):
        return b""
    return bytes([READ_TYPE_RESPONSE, size]) + b"".join(entries)
