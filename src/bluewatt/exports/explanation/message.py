"""The explanation of one message of a conversation, byte by byte: `bluewatt decode FILE --explain N`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bluewatt.errors import Malformed
from bluewatt.model.dialogue.conversation import CONTROL, DAMAGED, VREG, Attribute, Line
from bluewatt.model.dialogue.sentences import (
    SECRET_ATTRIBUTES,
    holds_secret,
    opcode_word,
    register_name,
    sentence,
    value_words,
    values_of,
)
from bluewatt.model.dialogue.transcript import DecodedPacket
from bluewatt.model.display import counted
from bluewatt.model.json_objects import utc_text
from bluewatt.model.register_values import HIDDEN
from bluewatt.tables.registers import Register
from bluewatt.wire.victronconnect import cbor, grammar
from bluewatt.wire.victronconnect import messages as vreg
from bluewatt.wire.victronconnect.control import Header

_WIDEST = 47
_LABELS: dict[type, tuple[str, ...]] = {
    vreg.ValueMessage: ("instance", "register", "content"),
    vreg.ValueResponse: ("instance", "register", "code"),
    vreg.Response: ("item", "request", "code"),
    vreg.PathValue: ("instance", "index", "value"),
    vreg.NewPath: ("instance", "index", "path"),
    vreg.PathValueResponse: ("instance", "index", "code"),
    vreg.PathList: ("instance", "compressed list"),
}
_IN_ARRAYS: dict[type, tuple[str, ...]] = {
    vreg.GetValues: ("register",),
    vreg.GetValuesAlternate: ("register",),
    vreg.Subscribe: ("register",),
    vreg.SetValues: ("register", "content"),
    vreg.SetValuesAlternate: ("register", "content"),
    vreg.DeviceList: ("instance", "kind"),
    vreg.GetPathValues: ("index",),
    vreg.SetPathValues: ("index", "value"),
}
"""The items in the array of a message, in their order; they repeat until the array ends."""

_HEADER_FIELDS = (("flags", 1), ("protocol version", 2), ("slots", 1), ("longest message", 1), ("chunk size", 2))


def find_line(packets: Iterable[DecodedPacket], number: int) -> Line | None:
    """Return the line of this number; None if there is none."""
    for _, entries in packets:
        for entry in entries:
            if isinstance(entry, Line) and entry.number == number:
                return entry
    return None


def explain_line(line: Line, *, reveal: bool = False) -> Iterator[str]:
    """Yield the explanation, line by line; keys and PINs are hidden unless `reveal`."""
    who = line.direction.value if line.direction else "connection"
    yield f"Message {line.number}, {utc_text(line.at)}, connection {line.link} with {line.device.address}"
    yield f"From the {who}; in the file at byte {line.offset}" if line.offset else f"From the {who}"
    yield sentence(line, reveal=reveal)
    if line.raw:
        yield ""
        if not reveal and _is_secret(line):
            yield f"Its {len(line.raw)} bytes are {HIDDEN}, because a key or PIN is in them: --reveal shows them"
            return
        yield from (f"{offset:4}  {_hex(raw):{_WIDEST}}  {text}".rstrip() for offset, raw, text in _rows(line))
    for value in values_of(line) if reveal or not any(value.secret for value in values_of(line)) else ():
        yield ""
        yield f"{value.key}: {value_words(value, reveal=reveal)}"
        if value.row is not None:
            yield f"  {value.row.description}"
            yield f"  {value.row.type}, {_scale(value.row)}"


def _is_secret(line: Line) -> bool:
    """Return whether the bytes of a line hold a key or PIN, or may hold one."""
    content = line.content
    if isinstance(content, Attribute):
        return content.uuid in SECRET_ATTRIBUTES
    unread = line.kind == DAMAGED or isinstance(content, vreg.Unknown)
    return holds_secret(line.raw) or (unread and line.sensitive) or any(value.secret for value in values_of(line))


def _scale(row: Register) -> str:
    """Return how the raw number becomes the value."""
    scale = row.scale
    factor = f"{scale.factor / scale.divisor:g} {row.unit}".rstrip()
    return f"counts of {factor}" + (f", shifted by {scale.shift}" if scale.shift else "")


def _hex(raw: bytes) -> str:
    return raw[:16].hex(" ") + (" …" if len(raw) > 16 else "")


ByteRow = tuple[int, bytes, str]


def _rows(line: Line) -> Iterator[ByteRow]:
    if line.kind == VREG:
        yield from _message_rows(line)
    elif line.kind == CONTROL and isinstance(line.content, Header):
        at = 0
        for name, size in _HEADER_FIELDS:
            raw = line.raw[at : at + size]
            yield at, raw, f"{name} {int.from_bytes(raw, 'little')}"
            at += size
    else:
        yield 0, line.raw, line.message.replace("_", " ")


def _message_rows(line: Line) -> Iterator[ByteRow]:
    """Yield the items of one message, and a row for each other message in the same packets."""
    messages, _ = grammar.read_messages(line.raw)
    at = 0
    for part, message in enumerate(messages):
        built = grammar.build_message(message)
        if line.raw[at : at + len(built)] != built:
            yield at, line.raw[at:], "written in a longer way than needed"
            return
        if part == line.part:
            yield from _items(line, message, built, at)
        else:
            yield at, built, f"another message in the same packets: {opcode_word(message.opcode).replace('_', ' ')}"
        at += len(built)


def _items(line: Line, message: vreg.Message, data: bytes, base: int) -> Iterator[ByteRow]:
    yield base, data[:1], f"opcode {message.opcode}: {opcode_word(message.opcode).replace('_', ' ')}"
    at, labels = 1, list(_LABELS.get(type(message), ("instance",)))
    try:
        while at < len(data):
            if cbor.is_array(data, at):
                yield from _array(line, message, data, at, base)
                return
            raw, end = cbor.read_raw(data, at)
            yield base + at, raw, _item(line, labels.pop(0) if labels else "item", raw)
            at = end
    except (Malformed, IndexError):
        yield base + at, data[at:], "not CBOR"


def _array(line: Line, message: vreg.Message, data: bytes, at: int, base: int) -> Iterator[ByteRow]:
    _, count, start = cbor.read_head(data, at)
    yield base + at, data[at:start], f"array of {count} items" if count is not None else "array, its end is marked"
    labels, position, at = _IN_ARRAYS.get(type(message), ("item",)), 0, start
    while at < len(data) and data[at] != 0xFF:
        raw, end = cbor.read_raw(data, at)
        yield base + at, raw, _item(line, labels[position % len(labels)], raw)
        at, position = end, position + 1
    if at < len(data):
        yield base + at, data[at:], "end of the array"


def _item(line: Line, label: str, raw: bytes) -> str:
    if label in ("content", "compressed list"):
        content, _ = cbor.read_bytes(raw, 0)
        return f"{label}, {counted(len(content), 'byte')}, lowest first"
    if label in ("path", "value"):
        return f"{label} {cbor.decode_any(raw)!r}"
    number, _ = cbor.read_int(raw, 0)
    if label == "register":
        return f"register 0x{number:04X} {register_name(number, line.family)}"
    return f"{label} {opcode_word(number)}" if label == "request" else f"{label} {number}"
