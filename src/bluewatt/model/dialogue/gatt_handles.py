"""Which handle is which characteristic, of one GATT server in a capture. Pure.

The discovery says so if the capture holds it; else the client's first write to the control characteristic, which gives
away the other two (handles h, h+3, h+6: protocol page victronconnect-gatt, section 15); else the known layouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from bluewatt.tables.gatt import (
    CHARACTERISTIC_HANDLES,
    DATA_SERVICE,
    OTHER_HANDLES,
    SECOND_DATA_SERVICE,
    ControlOpcode,
    DataCharacteristic,
)
from bluewatt.wire.bluetooth.att import Server

STEP = 3
"""Handles from one value of the data service to the next: value, subscription, declaration."""

_GROUP = 8
"""Leading digits of a UUID that tell the characteristics of one service apart."""
_BY_GROUP: Final = {characteristic.value[:_GROUP]: characteristic for characteristic in DataCharacteristic}
_ORDER: Final = (DataCharacteristic.CONTROL, DataCharacteristic.LAST, DataCharacteristic.BULK)
_COPIES: Final = (DATA_SERVICE, SECOND_DATA_SERVICE)
_LONGEST_CONTROL = 3
_CONTROL_OPCODES: Final = frozenset(ControlOpcode)
_LIMITS = bytes([ControlOpcode.LIMITS])
SUBSCRIPTIONS: Final = {b"\x00\x00": 0, b"\x01\x00": 1, b"\x02\x00": 2}
"""What a client writes to a descriptor to switch notifications off or on, or indications on → the bits."""


class AttributeInfo(msgspec.Struct, frozen=True):
    """The meaning of a handle."""

    uuid: str = ""
    characteristic: DataCharacteristic | None = None
    """Which characteristic of the data service it is; None if it is another."""
    copy: int = 0
    """The number of the copy of the data service, 0 or 1: some devices have two."""
    subscription: bool = False
    """Whether it is the descriptor that switches notifications of `uuid` on."""


ELSEWHERE: Final = AttributeInfo()
"""The meaning of a handle of which nothing is known."""


class HandleMap:
    """The handles of one server: those discovered in the capture, and those concluded without a discovery."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._discovered = -1
        self._places: dict[int, AttributeInfo] = {}

    def place(self, handle: int, value: bytes, *, from_server: bool, read: bool = False) -> AttributeInfo:
        """Return the meaning of a handle, given the value just written there, sent from there, or `read` there."""
        uuids = self._server.uuids
        if len(uuids) != self._discovered:
            self._discovered = len(uuids)
            self._places = {}
        found = self._places.get(handle)
        if found is None:
            if handle not in uuids:
                if from_server:
                    # Of the data service, the control characteristic alone can be read.
                    self._recognise(handle, control=read or _looks_like_control(value))
                else:
                    self._conclude(handle, value)
            found = self._places[handle] = self._find(handle)
            if found is ELSEWHERE:
                del self._places[handle]  # the next value there may tell more
        return found

    def _find(self, handle: int) -> AttributeInfo:
        uuids = self._server.uuids
        if handle in uuids:
            return _of_uuid(uuids[handle])
        if handle - 1 in uuids:
            return msgspec.structs.replace(_of_uuid(uuids[handle - 1]), characteristic=None, subscription=True)
        return ELSEWHERE

    def _conclude(self, handle: int, value: bytes) -> None:
        """Conclude from what the client wrote: its limits go to the control characteristic and nowhere else."""
        if value[:1] == _LIMITS and 2 <= len(value) <= _LONGEST_CONTROL:
            copy = min(self._copies(), 1)
            self._assume({handle + STEP * step: _ORDER[step] for step in range(len(_ORDER))}, first_copy=copy)
        elif value not in SUBSCRIPTIONS:
            self._recognise(handle, control=_looks_like_control(value))

    def _recognise(self, handle: int, *, control: bool) -> None:
        """Assume the first known layout that has the control characteristic, or one of the others, at this handle."""
        for layout in CHARACTERISTIC_HANDLES.values() if not self._copies() else ():
            if handle in layout and (layout[handle] is DataCharacteristic.CONTROL) == control:
                self._assume(layout)
                return

    def _copies(self) -> int:
        """Return how many copies of the data service are known."""
        return sum(uuid.startswith(DataCharacteristic.LAST.value[:_GROUP]) for uuid in self._server.uuids.values())

    def _assume(self, layout: Mapping[int, DataCharacteristic], *, first_copy: int = 0) -> None:
        for number, (handle, characteristic) in enumerate(sorted(layout.items())):
            service = _COPIES[min(first_copy + number // len(_ORDER), 1)]
            self._server.uuids[handle] = characteristic.uuid_in(service)
        for name, known in CHARACTERISTIC_HANDLES.items():
            if known.items() >= layout.items():
                for handle, uuid in OTHER_HANDLES[name].items():
                    self._server.uuids.setdefault(handle, uuid)
        self._discovered = len(self._server.uuids)
        self._places = {}


def _looks_like_control(value: bytes) -> bool:
    return 2 <= len(value) <= _LONGEST_CONTROL and value[0] in _CONTROL_OPCODES


def _of_uuid(uuid: str) -> AttributeInfo:
    characteristic = _BY_GROUP.get(uuid[:_GROUP])
    return (
        AttributeInfo(uuid, characteristic, int(uuid[-1] == SECOND_DATA_SERVICE[-1]))
        if characteristic
        else AttributeInfo(uuid)
    )
