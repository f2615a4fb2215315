"""Lines of a conversation and register values as JSON objects, one per line. Pure.

    {"at": …, "source": …, "kind": "vreg", "device": {…}, "connection": 2, "number": 69, "direction": "device",
     "message": "value", "instance": 3, "register": "0xED8D", "key": "battery_voltage", "raw": "2f05", "value": 13.27,
     "unit": "V"}

Kinds: "vreg" (register messages), "control" (flow control), "gatt" (other characteristics), "link" (the connection),
"vesmart" (a register of a VE.Smart network) and "undecoded". A key or PIN is "hidden" unless revealed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bluewatt.model.dialogue.conversation import CONTROL, DAMAGED, GATT, LINK, VREG, Attribute, ConnectionChange, Line
from bluewatt.model.dialogue.sentences import (
    SECRET_ATTRIBUTES,
    holds_secret,
    opcode_word,
    register_name,
    result_word,
    uuid_name,
    values_of,
)
from bluewatt.model.json_objects import device_object, utc_text
from bluewatt.model.register_values import HIDDEN, RegisterReading
from bluewatt.tables.gatt import DEVICE_NAME
from bluewatt.wire.printable import printable
from bluewatt.wire.victronconnect import messages
from bluewatt.wire.victronconnect.reassembly import ProtocolError

KEPT = 8192
"""Objects whose JSON is kept for reuse."""

_encode = msgspec.json.Encoder().encode


class LineWriter:
    """Writes lines as JSON, and keeps the JSON of what devices repeat."""

    def __init__(self, source: str, *, reveal: bool = False) -> None:
        self._source = source
        self._reveal = reveal
        self._heads: dict[tuple[Any, ...], tuple[bytes, bytes]] = {}
        self._tails: dict[tuple[Any, ...], bytes] = {}

    def line(self, line: Line) -> bytes:
        """Return a line as JSON, without the line end."""
        head = (line.kind, line.link, line.direction, line.device)
        before, between = self._heads.get(head) or self._head(head, line)
        tail = (line.content, line.message, line.family, line.sensitive)
        after = self._tails.get(tail)
        if after is None:
            after = _encode(content_object(line, reveal=self._reveal))[1:]
            if len(self._tails) >= KEPT:
                self._tails.clear()
            self._tails[tail] = after
        return b'{"at":"%s",%s%d%s%s' % (utc_text(line.at).encode(), before, line.number, between, after)

    def _head(self, key: tuple[Any, ...], line: Line) -> tuple[bytes, bytes]:
        """Return the JSON before and behind the number of a line."""
        before = {
            "source": self._source, "kind": line.kind, "device": device_object(line.device), "connection": line.link,
        }  # fmt: skip
        behind: dict[str, Any] = {} if line.direction is None else {"direction": line.direction.value}
        made = _encode(before)[1:-1] + b',"number":', b"," + _encode(behind)[1:-1] + (b"," if behind else b"")
        if len(self._heads) >= KEPT:
            self._heads.clear()
        self._heads[key] = made
        return made

    def registers(self, reading: RegisterReading) -> list[bytes]:
        """Return the registers of a reading, a JSON object each."""
        head = {
            "at": utc_text(reading.at), "source": reading.origin, "kind": reading.medium,
            "device": device_object(reading.device),
        }  # fmt: skip
        return [_encode(head | value.as_json(reveal=self._reveal)) for value in reading.values]


def content_object(line: Line, *, reveal: bool = False) -> dict[str, Any]:
    """Return the content of a line as fields, without time and device."""
    return {"message": line.message} | _FIELDS[line.kind](line, reveal)


def _vreg(line: Line, reveal: bool) -> dict[str, Any]:
    content = line.content
    if isinstance(content, messages.ValueMessage):
        return values_of(line)[0].as_json(reveal=reveal)
    if isinstance(content, messages.SetValues):
        writes = [value.as_json(reveal=reveal) for value in values_of(line)]
        for write in writes:
            write.pop("instance", None)
        return {"instance": content.instance, "writes": writes}
    fields = {name: getattr(content, name) for name in content.__struct_fields__}
    fields.pop("indefinite", None)
    if isinstance(content, messages.Unknown) and not reveal and (line.sensitive or holds_secret(content.raw)):
        fields["raw"] = HIDDEN
    if fields.get("registers", ()) is None:
        del fields["registers"]
    return _with_words(fields, line)


def _with_words(fields: dict[str, Any], line: Line) -> dict[str, Any]:
    """Return the fields with registers, opcodes and codes in words, too."""
    if "pairs" in fields:
        fields["devices"] = [{"instance": instance, "kind": kind} for instance, kind in fields.pop("pairs")]
    if "registers" in fields:
        numbers = fields["registers"]
        fields["registers"] = [f"0x{number:04X}" for number in numbers]
        fields["keys"] = [register_name(number, line.family) for number in numbers]
    if "register" in fields:
        number = fields.pop("register")
        code = fields.pop("code")
        fields |= {"register": f"0x{number:04X}", "key": register_name(number, line.family), "code": code}
    if "request_opcode" in fields:
        fields["request"] = opcode_word(fields["request_opcode"])
    if "code" in fields:
        fields["result"] = result_word(fields["code"])
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _control(line: Line, reveal: bool) -> dict[str, Any]:
    content = line.content
    return {name: _plain(getattr(content, name)) for name in content.__struct_fields__}


def _gatt(line: Line, reveal: bool) -> dict[str, Any]:
    content = line.content
    if not isinstance(content, Attribute):
        return {}
    fields: dict[str, Any] = {"uuid": content.uuid, "handle": content.handle, "key": uuid_name(content.uuid)}
    if content.code:
        return fields | {"code": content.code}
    values = values_of(line)
    if values:
        return fields | values[0].as_json(reveal=reveal)
    if content.uuid in SECRET_ATTRIBUTES and not reveal:
        return fields | {"raw": HIDDEN}
    text = {"value": printable(content.value.decode("utf-8", "replace"))} if content.uuid == DEVICE_NAME else {}
    return fields | {"raw": content.value.hex()} | text


def _link(line: Line, reveal: bool) -> dict[str, Any]:
    content = line.content
    if not isinstance(content, ConnectionChange):
        return {}
    return ({"uuid": content.uuid} if content.uuid else {}) | {"value": content.number}


def _damaged(line: Line, reveal: bool) -> dict[str, Any]:
    content = line.content
    if not isinstance(content, ProtocolError):
        return {}
    hidden = not reveal and (line.sensitive or holds_secret(content.data))
    return {"reason": line.message, "detail": content.reason, "raw": HIDDEN if hidden else content.data.hex()}


_FIELDS = {VREG: _vreg, CONTROL: _control, GATT: _gatt, LINK: _link, DAMAGED: _damaged}
