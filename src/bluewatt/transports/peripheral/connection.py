"""One client's connection to an emulated device: chunks into the session machine, notifications out, the keep-alive.

A device without the documented service ends the connection when register 0x0093 was not written in time, counted from
the moment the link is encrypted. Where the documented service is listed, its own minute counts from the connection,
and either of the two keep-alives holds the link: they are one timer by the vendor's description (protocol page
smartshunt-gatt, section 2; that the later of the two wins is inferred).
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, Protocol

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.gatt import PIN_CODE, PUK_CODE, DataCharacteristic
from bluewatt.wire.smartshunt import ShuntService
from bluewatt.wire.victronconnect.device import DeviceSide, Personality, Registers
from bluewatt.wire.victronconnect.device_information import pin_answer, puk_answer
from bluewatt.wire.victronconnect.messages import ValueMessage
from bluewatt.wire.victronconnect.reassembly import ChunkWrite
from bluewatt.wire.victronconnect.session import Session

PAIRING_PATIENCE = 60.0
"""Seconds an unpaired client may occupy the only connection (inferred from the minute of the documented service)."""

ACCEPTED, MISMATCH = b"\x00", b"\x03"
"""Answers of the second authentication (protocol page victronconnect-gatt, section 10, single source)."""


class ConnectedDevice(Protocol):
    """The device behind a connection, as far as the connection needs it."""

    @property
    def personality(self) -> Personality:
        """The behaviour of its generation of firmware."""
        ...

    @property
    def pin(self) -> str:
        """Its PIN, six digits."""
        ...

    @property
    def registers(self) -> Registers:
        """Its registers."""
        ...

    @property
    def shunt_service(self) -> bool:
        """Whether the documented service is listed."""
        ...

    def unlock(self) -> None:
        """Show the key to the client, which proved that it knows the PIN."""

    def measurements(self) -> Mapping[str, Any]:
        """Return every quantity by metric key."""
        ...

    def changes(self, instances: Set[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield instance, register and content of each value that was not sent yet."""
        ...


class PeripheralConnection:
    """The state of one connection. `notify` takes a characteristic's UUID and the bytes, in order."""

    def __init__(self, device: ConnectedDevice, notify: Callable[[str, bytes], None], now: float) -> None:
        self.device = device
        self.side = DeviceSide(device.registers, device.personality)
        self.session = Session(self.side)
        self.shunt = ShuntService(now) if device.shunt_service else None
        self._notify = notify
        self._service = ""
        self._opened: float | None = None
        self._connected = now
        self._nonce = b""
        self._puk_accepted = False
        if self.shunt:
            self._update_shunt(self.shunt)

    def secured(self, now: float) -> None:
        """Begin the session, once: the link is encrypted."""
        if self._opened is None:
            self._opened = now
            self.session.open(now)

    def receive(self, characteristic: DataCharacteristic, data: bytes, service: str, now: float) -> None:
        """Take a write to one of the data services; answers go out on the same one."""
        self.secured(now)
        self._service = service
        self.session.receive(characteristic, data, now)
        self._flush()

    def publish(self, now: float) -> None:
        """Send what changed to subscribers."""
        for instance, register, content in self.device.changes(self.side.subscriptions):
            self._write(self.session.send(ValueMessage(instance, register, content), now))
        if self.shunt:
            for uuid, content in self._update_shunt(self.shunt).items():
                self._notify(uuid, content)

    def deadline(self) -> float:
        """Return when the device ends the connection, in seconds of its clock; infinity for never."""
        if self._opened is None:
            return self._connected + PAIRING_PATIENCE
        session = self.session.deadline()
        if session is None:
            return math.inf
        return session if self.shunt is None else max(session, self.shunt.keep_alive.expires_at)

    # the documented service

    def read_shunt(self, uuid: str) -> bytes:
        """Return the content of one of its characteristics."""
        return self.shunt.read(uuid) if self.shunt else b""

    def write_shunt(self, uuid: str, data: bytes, now: float) -> None:
        """Take a keep-alive; raises WireError for anything else."""
        if self.shunt:
            self.shunt.write(uuid, data, now)

    def _update_shunt(self, shunt: ShuntService) -> dict[str, bytes]:
        changed: dict[str, bytes] = {}
        for metric, value in self.device.measurements().items():
            if isinstance(value, int | float | None):
                try:
                    changed |= shunt.update({metric: value})
                except Unencodable:
                    changed |= shunt.update({metric: None})
        return changed

    # the second authentication

    def nonce(self) -> bytes:
        """Return a new nonce at every read."""
        self._nonce = secrets.token_bytes(8)
        return self._nonce

    def answer_puk(self, answer: bytes) -> None:
        """Check the client's CRC of the nonce, and notify the result."""
        self._puk_accepted = self._matches(lambda: puk_answer(self._nonce), answer)
        self._notify(PUK_CODE, ACCEPTED if self._puk_accepted else MISMATCH)

    def answer_pin(self, answer: bytes) -> None:
        """Check the client's answer from nonce and PIN; the right one, after the CRC, lets it read the key."""
        right = self._puk_accepted and self._matches(lambda: pin_answer(self._nonce, int(self.device.pin)), answer)
        if right:
            self.device.unlock()
        self._notify(PIN_CODE, ACCEPTED if right else MISMATCH)

    @staticmethod
    def _matches(expected: Callable[[], bytes], answer: bytes) -> bool:
        try:
            return secrets.compare_digest(expected(), answer)
        except Malformed:  # no nonce was read before
            return False

    def _flush(self) -> None:
        self._write(self.session.take_writes())

    def _write(self, writes: list[ChunkWrite]) -> None:
        for write in writes:
            self._notify(write.characteristic.uuid_in(self._service), write.data)
