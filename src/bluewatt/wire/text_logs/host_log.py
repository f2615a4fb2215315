"""What a text tells of connections, as the packets their host would have recorded; every form of text writes into it.

A text shows values, not packets: each becomes the packet that would have carried it, so that a text is read, explained
and made safe to share as a capture is. What a text leaves out is counted in `guesses`, by what was taken for it.
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
"""Bytes an attribute can hold (Bluetooth Core, volume 3, part F, section 3.2.9)."""

Mark = tuple[float, int]
"""When a line was written, and where in the text it stands."""

_FIRST_HANDLE, _LAST_HANDLE = 0x40, 0x0EFF
_INVENTED, _STEP = 0xF001, 3
_TOP = 0xFFFF
_WRITE_RESPONSE = 0x13
_SWITCHED: Final = {True: b"\x01\x00", False: b"\x00\x00"}
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
        self.spoken = False
        """Whether anything was said yet."""

    def invent(self) -> int:
        """A value handle for a characteristic of which the text has the UUID only."""
        self.invented, handle = min(self.invented + _STEP, _TOP), self.invented
        return handle


class HostLog:
    """Collects packets; `mark` is set by whoever reads the lines, `packets` and `problems` are taken out there."""

    def __init__(self) -> None:
        self.mark: Mark = (0.0, 0)
        self.packets: list[Packet] = []
        self.problems: list[CaptureError] = []
        self.guesses: Counter[str] = Counter()
        """What the text does not say and was guessed, by the sentence that says so."""
        self.time_guess: str | None = None
        """What a form that reads its own times had to guess of them; None where none does."""
        self._links: dict[str, _Link] = {}
        self._opened = 0

    @contextmanager
    def marked(self, mark: Mark) -> Iterator[None]:
        """Everything told inside happened then and there."""
        self.mark, now = mark, self.mark
        try:
            yield
        finally:
            self.mark = now

    def problem(self, what: str) -> None:
        """A line that should hold bytes and does not."""
        self.problems.append(CaptureError(what, offset=self.mark[1]))

    def connected(self, address: str = "", link: str = "") -> None:
        """A connection began; the text may call it by another name than the address of the device."""
        key = link or address
        if key in self._links:
            if not self._links[key].spoken and not link:
                return  # said twice, as some tools do
            self.disconnected(key)
        opened = self._open(key)
        self._event(connection_event(opened.handle, address))

    def disconnected(self, link: str = "", reason: int = 0) -> None:
        """A connection ended: `link`, else the last one, for a reason where the text tells one.

        Nothing where none is open.
        """
        key = link or next(reversed(self._links), "")
        ended = self._links.pop(key, None)
        if ended:
            self._event(disconnection_event(ended.handle, reason))

    def named(self, handle: int, uuid: str, link: str = "") -> None:
        """The characteristic at a value handle has this UUID."""
        self._name(self._link(link), handle, uuid)

    def mtu(self, mtu: int) -> None:
        """Both sides agreed on the size of packets."""
        size = min(max(mtu, SMALLEST_MTU), _TOP).to_bytes(2, "little")
        self.attribute(bytes([MTU_REQUEST]) + size)
        self.attribute(bytes([MTU_RESPONSE]) + size)

    def told(self, what: str, data: bytes, *, handle: int | None = None, uuid: str = "", link: str = "") -> None:
        """A value was written, read or notified: `what` is a word of `bluewatt.wire.bluetooth.att.KINDS`."""
        if len(data) > LONGEST_VALUE:
            self.problem(f"a value of {len(data)} bytes: no characteristic holds more than {LONGEST_VALUE}")
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

    def switched(self, *, on: bool, handle: int | None = None, uuid: str = "", link: str = "") -> None:
        """Notifications of a characteristic were switched on or off, by its descriptor."""
        here = self._link(link)
        place = min(self._place(here, handle, uuid) + 1, _TOP)
        self._att(here, bytes([WRITE_REQUEST]) + place.to_bytes(2, "little") + _SWITCHED[on])
        self._att(here, bytes([_WRITE_RESPONSE]), answer=True)

    def attribute(self, data: bytes, link: str = "", *, answer: bool | None = None) -> None:
        """A packet of the attribute protocol as it was; `answer` where the text says that the device sent it."""
        if data and len(data) <= LONGEST_VALUE + _STEP * 2:
            self._att(self._link(link), data, answer=answer)

    def packet(self, kind: int, direction: int, data: bytes) -> None:
        """A packet of the host as it was."""
        at, offset = self.mark
        self.packets.append((at, kind, direction, data, offset, 0))

    def advertisement(self, address: str, payload: bytes) -> None:
        """Manufacturer data of Victron that was heard."""
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
        """The connection called `key`; where nothing is called so, it began before the text did."""
        found = self._links.get(key) if key else next(reversed(self._links.values()), None)
        if found is None:
            found = self._open(key)
            if key.count(":") == 5:
                self.guesses[NO_BEGINNING] += 1
                self._event(connection_event(found.handle, key))
        return found

    def _place(self, link: _Link, handle: int | None, uuid: str) -> int:
        """The value handle of a characteristic told by handle, UUID or both."""
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
        """A value that was read whole; a long one is asked for by its type, for an answer to that never has a part."""
        if len(data) < SMALLEST_MTU - 1 or not uuid or len(data) > _LONGEST_STRUCTURE:
            self._att(link, bytes([READ_REQUEST]) + at)
            self._att(link, bytes([READ_RESPONSE]) + data, answer=True)
            return
        self._att(link, bytes([READ_TYPE_REQUEST]) + at + at + bytes.fromhex(uuid.replace("-", ""))[::-1])
        self._att(link, bytes([READ_TYPE_RESPONSE, len(data) + 2]) + at + data, answer=True)

    def _att(self, link: _Link, data: bytes, *, answer: bool | None = None) -> None:
        link.spoken = True
        from_device = answer if answer is not None else data[0] not in CLIENT_OPCODES or data[0] == ERROR
        direction = FROM_CONTROLLER if from_device else TO_CONTROLLER
        self.packet(PacketKind.ACL, direction, att_packet(link.handle, direction, data))

    def _event(self, event: bytes) -> None:
        self.packet(PacketKind.EVENT, FROM_CONTROLLER, event)
