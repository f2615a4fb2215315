"""The connections of a text as the packets their host would have recorded; every format writes into it.

A text shows values, not packets: each becomes the packet that would have carried it, so that a text is read, explained
and made safe to share as a capture is. What a text leaves out is counted in `guesses`, by what was assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bluewatt.errors import CaptureError
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.wire.bluetooth.advertising_data import MANUFACTURER_DATA
from bluewatt.wire.bluetooth.att import (
    CLIENT_OPCODES,
    ERROR,
    INDICATED,
    INDICATION,
    MTU_REQUEST,
    MTU_RESPONSE,
    NOTIFICATION,
    NOTIFIED,
    READ,
    READ_REQUEST,
    READ_RESPONSE,
    READ_TYPE_REQUEST,
    READ_TYPE_RESPONSE,
    SMALLEST_MTU,
    WRITE,
    WRITE_COMMAND,
    WRITE_REQUEST,
    WRITE_WITHOUT_RESPONSE,
)
from bluewatt.wire.bluetooth.host_packets import att_packet, connection_event, disconnection_event, discovery
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER, Packet, PacketKind
from bluewatt.wire.containers.btsnoop_writer import advertising_report_event

LONGEST_VALUE: Final = 512
"""Most bytes an attribute can hold (Bluetooth Core, volume 3, part F, section 3.2.9)."""

Mark = tuple[float, int]
"""The time of a line in POSIX seconds, and its offset in the text."""

_FIRST_HANDLE, _LAST_HANDLE = 0x40, 0x0EFF
_INVENTED, _STEP = 0xF001, 3
_TOP = 0xFFFF
_WRITE_RESPONSE = 0x13
_NOTIFICATIONS: Final = {True: b"\x01\x00", False: b"\x00\x00"}
_LONGEST_STRUCTURE = 0xFF - 3
_OPCODES: Final = {
    WRITE: WRITE_REQUEST, WRITE_WITHOUT_RESPONSE: WRITE_COMMAND, NOTIFIED: NOTIFICATION, INDICATED: INDICATION,
}  # fmt: skip

NO_BEGINNING = "when a connection began: the text begins in the middle of it"
HANDLE_ONLY = "which characteristic a handle is: by the layouts known, as the text names none"


class _Link:
    """One connection of the text."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.uuids: dict[int, str] = {}
        self.handles: dict[str, int] = {}
        self.invented = _INVENTED
        self.has_packets = False
        """Whether the text has shown anything of it yet."""

    def invent(self) -> int:
        """Return an invented value handle for a characteristic of which the text has the UUID only."""
        self.invented, handle = min(self.invented + _STEP, _TOP), self.invented
        return handle


class HostLog:
    """The packets of a text; the reader of its lines sets `mark` and takes out `packets` and `problems`."""

    def __init__(self) -> None:
        self.mark: Mark = (0.0, 0)
        self.packets: list[Packet] = []
        self.problems: list[CaptureError] = []
        self.guesses: Counter[str] = Counter()
        """How often something was guessed, by the sentence that says what."""
        self.time_guess: str | None = None
        """The guess about times, by a format that reads its own; None if none does."""
        self._links: dict[str, _Link] = {}
        self._opened = 0

    @contextmanager
    def at_mark(self, mark: Mark) -> Iterator[None]:
        """Set time and offset of everything that is added inside the `with` block."""
        self.mark, now = mark, self.mark
        try:
            yield
        finally:
            self.mark = now

    def add_problem(self, what: str) -> None:
        """Report a line that should hold bytes and does not."""
        self.problems.append(CaptureError(what, offset=self.mark[1]))

    def add_connection(self, address: str = "", link: str = "") -> None:
        """Add the start of a connection; the text may name it otherwise than by the address of the device."""
        key = link or address
        if key in self._links:
            if not self._links[key].has_packets and not link:
                return  # reported twice, as some tools do
            self.end_connection(key)
        opened = self._open(key)
        self._event(connection_event(opened.handle, address))

    def end_connection(self, link: str = "", reason: int = 0) -> None:
        """Add the end of a connection: `link`, else the last one, with the reason if the text has one.

        Does nothing if none is open.
        """
        key = link or next(reversed(self._links), "")
        ended = self._links.pop(key, None)
        if ended:
            self._event(disconnection_event(ended.handle, reason))

    def name_characteristic(self, handle: int, uuid: str, link: str = "") -> None:
        """Add the UUID of the characteristic at a value handle."""
        self._name(self._link(link), handle, uuid)

    def agree_mtu(self, mtu: int) -> None:
        """Add the packet size both sides agreed on, in bytes."""
        size = min(max(mtu, SMALLEST_MTU), _TOP).to_bytes(2, "little")
        self.add_att_packet(bytes([MTU_REQUEST]) + size)
        self.add_att_packet(bytes([MTU_RESPONSE]) + size)

    def add_value(self, what: str, data: bytes, *, handle: int | None = None, uuid: str = "", link: str = "") -> None:
        """Add a value written, read or notified: `what` is a word of `bluewatt.wire.bluetooth.att.KINDS`."""
        if len(data) > LONGEST_VALUE:
            self.add_problem(f"a value of {len(data)} bytes: no characteristic holds more than {LONGEST_VALUE}")
            return
        here = self._link(link)
        place = self._place(here, handle, uuid)
        at = place.to_bytes(2, "little")
        if what == READ:
            self._read(here, at, data, here.uuids.get(place, ""))
            return
        self._att(here, bytes([_OPCODES[what]]) + at + data)
        if what == WRITE:
            self._att(here, bytes([_WRITE_RESPONSE]), answer=True)

    def switch_notifications(self, *, on: bool, handle: int | None = None, uuid: str = "", link: str = "") -> None:
        """Add a write to the descriptor that switches notifications of a characteristic on or off."""
        here = self._link(link)
        place = min(self._place(here, handle, uuid) + 1, _TOP)
        self._att(here, bytes([WRITE_REQUEST]) + place.to_bytes(2, "little") + _NOTIFICATIONS[on])
        self._att(here, bytes([_WRITE_RESPONSE]), answer=True)

    def add_att_packet(self, data: bytes, link: str = "", *, answer: bool | None = None) -> None:
        """Add a packet of the attribute protocol unchanged; `answer` if the text says that the device sent it."""
        if data and len(data) <= LONGEST_VALUE + _STEP * 2:
            self._att(self._link(link), data, answer=answer)

    def add_packet(self, kind: int, direction: int, data: bytes) -> None:
        """Add a packet of the host unchanged."""
        at, offset = self.mark
        self.packets.append((at, kind, direction, data, offset, 0))

    def add_advertisement(self, address: str, payload: bytes) -> None:
        """Add an advertisement with manufacturer data of Victron."""
        content = COMPANY_ID.to_bytes(2, "little") + payload[:_LONGEST_STRUCTURE]
        data = bytes([len(content) + 1, MANUFACTURER_DATA]) + content
        if len(data) <= _LONGEST_STRUCTURE:
            self._event(advertising_report_event(address, data))

    def _open(self, key: str) -> _Link:
        self._opened += 1
        number = _FIRST_HANDLE + (self._opened - 1) % (_LAST_HANDLE - _FIRST_HANDLE)
        link = self._links[key] = _Link(number)
        return link

    def _link(self, key: str) -> _Link:
        """Return the connection named `key`; if there is none, it began before the text did."""
        found = self._links.get(key) if key else next(reversed(self._links.values()), None)
        if found is None:
            found = self._open(key)
            if key.count(":") == 5:
                self.guesses[NO_BEGINNING] += 1
                self._event(connection_event(found.handle, key))
        return found

    def _place(self, link: _Link, handle: int | None, uuid: str) -> int:
        """Return the value handle of a characteristic given by handle, UUID or both."""
        if uuid:
            place = handle if handle is not None else link.handles.get(uuid) or link.invent()
            self._name(link, place, uuid)
            return place
        place = (handle or 0) & _TOP
        if place not in link.uuids and place - 1 not in link.uuids:
            self.guesses[HANDLE_ONLY] += 1
        return place

    def _name(self, link: _Link, handle: int, uuid: str) -> None:
        if link.uuids.get(handle) == uuid or not 0 < handle <= _TOP:
            return
        link.uuids[handle], link.handles[uuid] = uuid, handle
        question, answer = discovery(handle, uuid)
        self._att(link, question)
        self._att(link, answer, answer=True)

    def _read(self, link: _Link, at: bytes, data: bytes, uuid: str) -> None:
        """Add a value that was read whole; a long one as a read by type, whose answer never has parts."""
        if len(data) < SMALLEST_MTU - 1 or not uuid or len(data) > _LONGEST_STRUCTURE:
            self._att(link, bytes([READ_REQUEST]) + at)
            self._att(link, bytes([READ_RESPONSE]) + data, answer=True)
            return
        self._att(link, bytes([READ_TYPE_REQUEST]) + at + at + bytes.fromhex(uuid.replace("-", ""))[::-1])
        self._att(link, bytes([READ_TYPE_RESPONSE, len(data) + 2]) + at + data, answer=True)

    def _att(self, link: _Link, data: bytes, *, answer: bool | None = None) -> None:
        link.has_packets = True
        from_device = answer if answer is not None else data[0] not in CLIENT_OPCODES or data[0] == ERROR
        direction = FROM_CONTROLLER if from_device else TO_CONTROLLER
        self.add_packet(PacketKind.ACL, direction, att_packet(link.handle, direction, data))

    def _event(self, event: bytes) -> None:
        self.add_packet(PacketKind.EVENT, FROM_CONTROLLER, event)
