"""The parameters of VictronConnect's messages: how each kind is read from its CBOR item and written back.

`messages` declares every message with these kinds; `grammar` reads and builds by them, the dissector is generated from
them (protocol page victronconnect-gatt, section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from bluewatt.errors import Malformed
from bluewatt.wire.victronconnect import cbor


class Parameter(NamedTuple):
    """A kind of parameter that is one CBOR item."""

    read: Callable[[bytes, int], tuple[Any, int]]
    """From (bytes, offset) to (value, offset behind it)."""
    write: Callable[[Any], bytes]
    kind: str
    """The name of the kind in the generated dissector."""


class ArrayParameter(NamedTuple):
    """A kind of parameter that is an array, the last of its message."""

    read: Callable[[bytes, int], tuple[Sequence[Any], bool, int]]
    """From (bytes, offset) to (elements, whether the end is marked, offset behind it)."""
    items: Callable[[Any], list[bytes]]
    """From the elements to the CBOR items of the array."""
    kind: str
    """The name of the kind in the generated dissector."""
    optional: bool = False
    """Whether a message may end before the array."""


def _read_numbers(data: bytes, at: int) -> tuple[tuple[int, ...], bool, int]:
    numbers, indefinite, at = cbor.read_array(data, at, cbor.read_uint)
    return tuple(numbers), indefinite, at


def _read_pairs(data: bytes, at: int) -> tuple[tuple[tuple[int, int], ...], bool, int]:
    numbers, indefinite, at = _read_numbers(data, at)
    if len(numbers) % 2:
        raise Malformed("an instance without its kind")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True)), indefinite, at


def _reader_of_writes(
    read_content: Callable[[bytes, int], tuple[bytes, int]],
) -> Callable[[bytes, int], tuple[tuple[tuple[int, bytes], ...], bool, int]]:
    def read(data: bytes, at: int) -> tuple[tuple[tuple[int, bytes], ...], bool, int]:
        flat: list[Any] = []

        # The array head counts items, not pairs (section 5.1), so a number and a content take turns.
        def read_next(data: bytes, at: int) -> tuple[int | bytes, int]:
            item, at = (read_content if len(flat) % 2 else cbor.read_uint)(data, at)
            flat.append(item)
            return item, at

        _, indefinite, at = cbor.read_array(data, at, read_next)
        if len(flat) % 2:
            raise Malformed("a register without its content")
        return tuple(zip(flat[::2], flat[1::2], strict=True)), indefinite, at

    return read


def _numbers(numbers: Sequence[int]) -> list[bytes]:
    return [cbor.write_uint(number) for number in numbers]


def _pairs(pairs: Sequence[tuple[int, int]]) -> list[bytes]:
    return [cbor.write_uint(number) for pair in pairs for number in pair]


def _writes(writes: Sequence[tuple[int, bytes]]) -> list[bytes]:
    return [part for register, value in writes for part in (cbor.write_uint(register), cbor.write_bytes(value))]


def _raw_writes(writes: Sequence[tuple[int, bytes]]) -> list[bytes]:
    return [part for index, raw in writes for part in (cbor.write_uint(index), bytes(raw))]


UINT: Final = Parameter(cbor.read_uint, cbor.write_uint, "uint")
"""An unsigned number."""
INT: Final = Parameter(cbor.read_int, cbor.write_int, "int")
"""A number that may be negative."""
BYTES: Final = Parameter(cbor.read_bytes, cbor.write_bytes, "bytes")
"""A byte string."""
TEXT: Final = Parameter(cbor.read_text, cbor.write_text, "text")
"""A text."""
RAW: Final = Parameter(cbor.read_raw, bytes, "raw")
"""An item of any kind, kept as the bytes it is."""
NUMBERS: Final = ArrayParameter(_read_numbers, _numbers, "numbers")
"""An array of unsigned numbers."""
OPTIONAL_NUMBERS: Final = NUMBERS._replace(optional=True)
"""An array of unsigned numbers that a message may leave out."""
PAIRS: Final = ArrayParameter(_read_pairs, _pairs, "pairs")
"""An array in which two unsigned numbers belong together."""
WRITES: Final = ArrayParameter(_reader_of_writes(cbor.read_bytes), _writes, "writes")
"""An array in which an unsigned number and a byte string belong together."""
RAW_WRITES: Final = ArrayParameter(_reader_of_writes(cbor.read_raw), _raw_writes, "raw_writes")
"""An array in which an unsigned number and one item of any kind, kept as bytes, belong together."""
