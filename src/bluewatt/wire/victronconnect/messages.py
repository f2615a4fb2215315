"""The messages of VictronConnect's protocol, one frozen class each; `grammar` reads and builds their bytes.

Opcodes 0x04 and 0x0A to 0x10 come from a single source (protocol page victronconnect-gatt, section 5).

`indefinite` tells the array dialect (`9f … ff` instead of `81 …`): some chargers were reported to understand only the
indefinite one (section 0, fact 9, single source), and a DeviceList was only ever seen in it.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from bluewatt.tables.gatt import PLAIN_OPCODE, Opcode
from bluewatt.wire.victronconnect import cbor

RegisterAddress = tuple[int, int]
"""Instance and register: where a value stands in a device, and all there is to match an answer by."""


class GetDevices(msgspec.Struct, frozen=True, gc=False):
    """Asks which instances the device has."""

    opcode: ClassVar[int] = Opcode.GET_DEVICES


class DeviceList(msgspec.Struct, frozen=True):
    """The instances of the device with a kind each (1 was seen for instance 3 only; its meaning is unknown)."""

    opcode: ClassVar[int] = Opcode.DEVICE_LIST
    pairs: tuple[tuple[int, int], ...]
    indefinite: bool = True


class Subscribe(msgspec.Struct, frozen=True):
    """Asks for every change of an instance; some clients append an array of registers (None: no array)."""

    opcode: ClassVar[int] = Opcode.SUBSCRIBE
    instance: int
    registers: tuple[int, ...] | None = None
    indefinite: bool = False


class Unsubscribe(msgspec.Struct, frozen=True, gc=False):
    """Ends a subscription."""

    opcode: ClassVar[int] = Opcode.UNSUBSCRIBE
    instance: int


class GetValues(msgspec.Struct, frozen=True):
    """Asks for registers of an instance."""

    opcode: ClassVar[int] = Opcode.GET_VALUES
    instance: int
    registers: tuple[int, ...]
    indefinite: bool = False


class SetValues(msgspec.Struct, frozen=True):
    """Writes registers of an instance: pairs of register and little-endian content."""

    opcode: ClassVar[int] = Opcode.SET_VALUES
    instance: int
    writes: tuple[tuple[int, bytes], ...]
    indefinite: bool = False


class GetValuesAlternate(GetValues, frozen=True):
    """GetValues under its second opcode, 0x25, which chargers take as 0x05 (section 5.1, single source)."""

    opcode: ClassVar[int] = Opcode.GET_VALUES_ALTERNATE


class SetValuesAlternate(SetValues, frozen=True):
    """SetValues under its second opcode, 0x26, which chargers take as 0x06 (section 5.1, single source)."""

    opcode: ClassVar[int] = Opcode.SET_VALUES_ALTERNATE


class Response(msgspec.Struct, frozen=True, gc=False):
    """Answer to a whole request: the item concerned (0: all of it), the opcode of the request, a code (0: done).

    The opcode is echoed as the client wrote it, so it may be an alternate one (`Opcode`), which is negative.
    """

    opcode: ClassVar[int] = Opcode.RESPONSE
    item: int
    request_opcode: int
    code: int

    @property
    def request(self) -> int:
        """The usual opcode of the request, also where it came under its alternate one."""
        return PLAIN_OPCODE.get(self.request_opcode, self.request_opcode)


class ValueMessage(msgspec.Struct, frozen=True, gc=False):
    """Content of a register, asked for or not; little-endian bytes."""

    opcode: ClassVar[int] = Opcode.VALUE
    instance: int
    register: int
    value: bytes


class ValueResponse(msgspec.Struct, frozen=True, gc=False):
    """A register was refused; the codes are `bluewatt.tables.gatt.ResultCode`."""

    opcode: ClassVar[int] = Opcode.VALUE_RESPONSE
    instance: int
    register: int
    code: int


class GetPathList(msgspec.Struct, frozen=True, gc=False):
    """Asks for the paths of an instance."""

    opcode: ClassVar[int] = Opcode.GET_PATH_LIST
    instance: int


class GetPathValues(msgspec.Struct, frozen=True):
    """Asks for values by path index."""

    opcode: ClassVar[int] = Opcode.GET_PATH_VALUES
    instance: int
    indices: tuple[int, ...]
    indefinite: bool = False


class SetPathValues(msgspec.Struct, frozen=True):
    """Writes values by path index: pairs of index and one raw CBOR item (laid out by analogy with SetValues)."""

    opcode: ClassVar[int] = Opcode.SET_PATH_VALUES
    instance: int
    writes: tuple[tuple[int, bytes], ...]
    indefinite: bool = False


class PathList(msgspec.Struct, frozen=True, gc=False):
    """The paths of an instance: a big-endian u32 length and a zlib stream."""

    opcode: ClassVar[int] = Opcode.PATH_LIST
    instance: int
    compressed: bytes


class NewPath(msgspec.Struct, frozen=True, gc=False):
    """A path appeared."""

    opcode: ClassVar[int] = Opcode.NEW_PATH
    instance: int
    index: int
    path: str


class PathValue(msgspec.Struct, frozen=True, gc=False):
    """The value of a path: one raw CBOR item of any kind."""

    opcode: ClassVar[int] = Opcode.PATH_VALUE
    instance: int
    index: int
    raw: bytes

    def decoded(self) -> object:
        """The item as a Python value; raises `Malformed`."""
        return cbor.decode_any(self.raw)


class PathValueResponse(msgspec.Struct, frozen=True, gc=False):
    """A path was refused."""

    opcode: ClassVar[int] = Opcode.PATH_VALUE_RESPONSE
    instance: int
    index: int
    code: int


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A message of an opcode nobody has described, kept as bytes, opcode included.

    How many parameters it has is unknown, so it takes all CBOR items up to the end of the bytes.
    """

    opcode: int
    raw: bytes


Message = (
    GetDevices
    | DeviceList
    | Subscribe
    | Unsubscribe
    | GetValues
    | SetValues
    | GetValuesAlternate
    | SetValuesAlternate
    | Response
    | ValueMessage
    | ValueResponse
    | GetPathList
    | GetPathValues
    | SetPathValues
    | PathList
    | NewPath
    | PathValue
    | PathValueResponse
    | Unknown
)
"""One message; `isinstance(x, Message)` works."""
