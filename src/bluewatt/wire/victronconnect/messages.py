"""The messages of VictronConnect's protocol, each declared once; `grammar` reads and builds their bytes.

A new message is one class here: `@message` names its opcode and the kinds of its parameters, and the grammar, the
`Message` type and the dissector know it. Opcodes 0x04 and 0x0A to 0x10 come from a single source (protocol page
victronconnect-gatt, section 5).

`indefinite` is the array dialect (`9f … ff` instead of `81 …`): some chargers were reported to understand only the
indefinite one (section 0, fact 9, single source), and a DeviceList was only ever seen in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import msgspec

from bluewatt.tables.gatt import PLAIN_OPCODE, Opcode
from bluewatt.wire.victronconnect import cbor
from bluewatt.wire.victronconnect.parameters import (
    BYTES,
    INT,
    NUMBERS,
    OPTIONAL_NUMBERS,
    PAIRS,
    RAW,
    RAW_WRITES,
    TEXT,
    UINT,
    WRITES,
    ArrayParameter,
    Parameter,
)

RegisterAddress = tuple[int, int]
"""Instance and register: where a value stands in a device, and all that identifies an answer."""


class KnownMessage(msgspec.Struct, frozen=True):
    """The base of every message with a described opcode."""

    opcode: ClassVar[int]
    """The first item of the message; set by `message`."""


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A message of an opcode nobody has described, kept as bytes, opcode included.

    How many parameters it has is unknown, so it takes all CBOR items up to the end of the bytes.
    """

    opcode: int
    raw: bytes


Message = KnownMessage | Unknown
"""Any message; `isinstance(x, Message)` works. Its classes are listed by `message_classes`."""


class MessageLayout(NamedTuple):
    """A message class, its parameters in order, and the array that follows them."""

    build: type[KnownMessage]
    readers: tuple[Callable[[bytes, int], tuple[Any, int]], ...]
    """The readers of the parameters: millions of messages are read, so they are looked up once."""
    parameters: tuple[Parameter, ...]
    array: ArrayParameter | None


LAYOUTS: Final[dict[int, MessageLayout]] = {}
"""The layout of each described message, by opcode; filled by `message`."""

_Class = TypeVar("_Class", bound=type[KnownMessage])


def message(opcode: Opcode, *parameters: Parameter, array: ArrayParameter | None = None) -> Callable[[_Class], _Class]:
    """Declare a class as the message of an opcode: its fields are the parameters, then an array and its dialect.

    Raises TypeError if the opcode has a message already, or if the class has another number of fields.
    """

    def declare(cls: _Class) -> _Class:
        if opcode in LAYOUTS:
            raise TypeError(f"{opcode!r} is declared twice: {LAYOUTS[opcode].build.__name__} and {cls.__name__}")
        expected = len(parameters) + (0 if array is None else 2)  # its elements, and `indefinite`
        if len(cls.__struct_fields__) != expected:
            raise TypeError(f"{cls.__name__} has {len(cls.__struct_fields__)} fields, its layout {expected}")
        cls.opcode = opcode
        readers = tuple(parameter.read for parameter in parameters)
        LAYOUTS[int(opcode)] = MessageLayout(cls, readers, parameters, array)  # int(): a plain key is found faster
        return cls

    return declare


def message_classes() -> tuple[type[Message], ...]:
    """Return every class of message, `Unknown` last."""
    return (*(layout.build for layout in LAYOUTS.values()), Unknown)


@message(Opcode.GET_DEVICES)
class GetDevices(KnownMessage, frozen=True, gc=False):
    """A request for the instances of the device."""


@message(Opcode.DEVICE_LIST, array=PAIRS)
class DeviceList(KnownMessage, frozen=True):
    """The instances of the device with a kind each (1 was seen for instance 3 only; its meaning is unknown)."""

    pairs: tuple[tuple[int, int], ...]
    indefinite: bool = True


@message(Opcode.SUBSCRIBE, UINT, array=OPTIONAL_NUMBERS)
class Subscribe(KnownMessage, frozen=True):
    """A request for every change of an instance; some clients append an array of registers (None: no array)."""

    instance: int
    registers: tuple[int, ...] | None = None
    indefinite: bool = False


@message(Opcode.UNSUBSCRIBE, UINT)
class Unsubscribe(KnownMessage, frozen=True, gc=False):
    """The end of a subscription."""

    instance: int


@message(Opcode.GET_VALUES, UINT, array=NUMBERS)
class GetValues(KnownMessage, frozen=True):
    """A request for registers of an instance."""

    instance: int
    registers: tuple[int, ...]
    indefinite: bool = False


@message(Opcode.SET_VALUES, UINT, array=WRITES)
class SetValues(KnownMessage, frozen=True):
    """A write to registers of an instance: pairs of register and little-endian content."""

    instance: int
    writes: tuple[tuple[int, bytes], ...]
    indefinite: bool = False


@message(Opcode.GET_VALUES_ALTERNATE, UINT, array=NUMBERS)
class GetValuesAlternate(GetValues, frozen=True):
    """GetValues under its alternate opcode, 0x25, which chargers take as 0x05 (section 5.1, single source)."""


@message(Opcode.SET_VALUES_ALTERNATE, UINT, array=WRITES)
class SetValuesAlternate(SetValues, frozen=True):
    """SetValues under its alternate opcode, 0x26, which chargers take as 0x06 (section 5.1, single source)."""


@message(Opcode.RESPONSE, UINT, INT, UINT)
class Response(KnownMessage, frozen=True, gc=False):
    """The answer to a whole request: the item concerned (0: all of it), the opcode of the request, a code (0: done).

    The opcode is echoed as the client wrote it, so it may be an alternate one (`Opcode`), which is negative.
    """

    item: int
    request_opcode: int
    code: int

    @property
    def request(self) -> int:
        """The usual opcode of the request, even if it came under its alternate one."""
        return PLAIN_OPCODE.get(self.request_opcode, self.request_opcode)


@message(Opcode.VALUE, UINT, UINT, BYTES)
class ValueMessage(KnownMessage, frozen=True, gc=False):
    """The content of a register, requested or not; little-endian bytes."""

    instance: int
    register: int
    value: bytes


@message(Opcode.VALUE_RESPONSE, UINT, UINT, UINT)
class ValueResponse(KnownMessage, frozen=True, gc=False):
    """The refusal of a register; the codes are `bluewatt.tables.gatt.ResultCode`."""

    instance: int
    register: int
    code: int


@message(Opcode.GET_PATH_LIST, UINT)
class GetPathList(KnownMessage, frozen=True, gc=False):
    """A request for the paths of an instance."""

    instance: int


@message(Opcode.GET_PATH_VALUES, UINT, array=NUMBERS)
class GetPathValues(KnownMessage, frozen=True):
    """A request for values by path index."""

    instance: int
    indices: tuple[int, ...]
    indefinite: bool = False


@message(Opcode.SET_PATH_VALUES, UINT, array=RAW_WRITES)
class SetPathValues(KnownMessage, frozen=True):
    """A write of values by path index: pairs of index and one raw CBOR item (laid out by analogy with SetValues)."""

    instance: int
    writes: tuple[tuple[int, bytes], ...]
    indefinite: bool = False


@message(Opcode.PATH_LIST, UINT, BYTES)
class PathList(KnownMessage, frozen=True, gc=False):
    """The paths of an instance: a big-endian u32 length and a zlib stream."""

    instance: int
    compressed: bytes


@message(Opcode.NEW_PATH, UINT, UINT, TEXT)
class NewPath(KnownMessage, frozen=True, gc=False):
    """The announcement of a new path."""

    instance: int
    index: int
    path: str


@message(Opcode.PATH_VALUE, UINT, UINT, RAW)
class PathValue(KnownMessage, frozen=True, gc=False):
    """The value of a path: one raw CBOR item of any kind."""

    instance: int
    index: int
    raw: bytes

    def decoded(self) -> object:
        """Return the item as a Python value; raises `Malformed`."""
        return cbor.decode_any(self.raw)


@message(Opcode.PATH_VALUE_RESPONSE, UINT, UINT, UINT)
class PathValueResponse(KnownMessage, frozen=True, gc=False):
    """The refusal of a path."""

    instance: int
    index: int
    code: int
