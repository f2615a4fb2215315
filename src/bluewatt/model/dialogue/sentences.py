"""The meaning of a line of a conversation: its registers with their values, and a sentence for people. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from bluewatt.model.dialogue.conversation import (
    CONNECTED,
    DAMAGED,
    DISCONNECTED,
    ENCRYPTED,
    LINK,
    NOTIFICATIONS,
    Attribute,
    ConnectionChange,
    Line,
)
from bluewatt.model.register_values import HIDDEN, RegisterValue, explain_register
from bluewatt.schema import Code, Flags, TwoBitFields
from bluewatt.tables.gatt import DEVICE_INFORMATION, DEVICE_NAME, PIN_CODE, PUK_CODE, Opcode, ResultCode
from bluewatt.tables.registers import lookup, registers
from bluewatt.wire.bluetooth.att import ERROR_WORDS, MTU_AGREED, REFUSED
from bluewatt.wire.registers.values import plain
from bluewatt.wire.smartshunt import BY_UUID
from bluewatt.wire.victronconnect import control, messages
from bluewatt.wire.victronconnect.cbor import write_uint
from bluewatt.wire.victronconnect.reassembly import ProtocolError

explain = lru_cache(maxsize=8192)(explain_register)
"""`explain_register` with a cache, because devices repeat themselves."""

ATTRIBUTE_NAMES = {
    DEVICE_INFORMATION: "device_information", PIN_CODE: "pin_code", PUK_CODE: "puk_code", DEVICE_NAME: "device_name",
}  # fmt: skip
"""UUID of a characteristic → its name."""

SECRET_ATTRIBUTES = frozenset({PIN_CODE, PUK_CODE})
"""UUIDs of characteristics whose content opens a device: shown only with `--reveal`."""

_DISCONNECT_REASONS = {0x08: "the other side fell silent", 0x13: "ended by the other side", 0x16: "ended by this side"}


def register_name(register: int, family: str | None) -> str:
    """Return the name of a register: its metric, else its key, else its number."""
    row = lookup(register, family)
    return f"0x{register:04X}" if row is None else row.metric or row.key


def values_of(line: Line) -> tuple[RegisterValue, ...]:
    """Return the registers whose content is in a line, with their meaning."""
    content = line.content
    if isinstance(content, messages.ValueMessage):
        return (explain(content.register, content.value, line.family, instance=content.instance),)
    if isinstance(content, messages.SetValues):
        return tuple(explain(number, raw, line.family, instance=content.instance) for number, raw in content.writes)
    if isinstance(content, Attribute) and (row := BY_UUID.get(content.uuid)) and line.message != REFUSED:
        return (explain(row.register, content.value, "smartshunt"),)
    return ()


def result_word(code: int) -> str:
    """Return a result code as a word."""
    return ResultCode(code).name.lower() if code in set(ResultCode) else f"code_{code}"


def opcode_word(opcode: int) -> str:
    """Return the name of an opcode."""
    return Opcode(opcode).name.lower() if opcode in set(Opcode) else f"0x{opcode:02x}"


@cache
def _secret_marks() -> tuple[bytes, ...]:
    """Return the numbers of secret registers as messages hold them, in CBOR."""
    return tuple(write_uint(row.id) for row in registers() if row.secret)


def holds_secret(data: bytes) -> bool:
    """Return whether bytes that could not be decoded may hold the content of a secret register."""
    return any(mark in data for mark in _secret_marks())


def value_words(value: RegisterValue, *, reveal: bool = False) -> str:
    """Return the value of a register with its unit, for people; hex digits for an unknown register."""
    if value.secret and not reveal:
        return HIDDEN
    if value.problem:
        return f"{value.raw.hex(' ') or 'no bytes'} ({value.problem})"
    if value.row is None:
        return value.raw.hex(" ") or "no bytes"
    if value.value is None:
        return "not available" if value.raw else "–"
    return f"{_words(value.value, value)} {value.unit}".rstrip()


def _words(value: Any, of: RegisterValue) -> str:
    if isinstance(value, Code | Flags | TwoBitFields):
        return str(value)
    if isinstance(value, float) and of.row is not None:
        return f"{value:.{of.row.scale.decimals}f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    return repr(value) if isinstance(value, str) else str(plain(value))


def _named(value: RegisterValue, reveal: bool) -> str:
    return f"{value.key} = {value_words(value, reveal=reveal)}"


def sentence(line: Line, *, reveal: bool = False) -> str:
    """Return a sentence for people about a line; a key or PIN is hidden unless `reveal`."""
    content = line.content
    if line.kind == LINK and isinstance(content, ConnectionChange):
        return _link_words(line, content)
    if line.kind == DAMAGED and isinstance(content, ProtocolError):
        return f"NOT DECODED: {content.reason}"
    if isinstance(content, Attribute):
        return _attribute_words(line, content, reveal)
    words = _WORDS.get(type(content))
    return words(line, content, reveal) if words else line.message.replace("_", " ")


def _link_words(line: Line, change: ConnectionChange) -> str:
    if line.message == CONNECTED:
        return f"connected to {line.device.address}"
    if line.message == DISCONNECTED:
        if not change.number:
            return "disconnected"  # text gives no reason
        return f"disconnected: {_DISCONNECT_REASONS.get(change.number, f'reason 0x{change.number:02x}')}"
    if line.message == MTU_AGREED:
        return f"packets of up to {change.number} bytes"
    if line.message == ENCRYPTED:
        return "encrypted from here on: a sniffer cannot read it without its key (--ltk)"
    if line.message == NOTIFICATIONS:
        state = {0: "off", 1: "on", 2: "on (indications)"}.get(change.number, "?")
        return f"switches notifications of {uuid_name(change.uuid)} {state}"
    return line.message


def uuid_name(uuid: str) -> str:
    """Return the name of a characteristic: its own, else its register's, else the first group of its UUID."""
    if uuid in ATTRIBUTE_NAMES:
        return ATTRIBUTE_NAMES[uuid]
    row = BY_UUID.get(uuid)
    return row.metric if row else uuid.partition("-")[0]


def _attribute_words(line: Line, content: Attribute, reveal: bool) -> str:
    name = uuid_name(content.uuid)
    if line.message == REFUSED:
        return f"refused: {name} ({ERROR_WORDS.get(content.code, f'error 0x{content.code:02x}')})"
    values = values_of(line)
    if values:
        text = value_words(values[0], reveal=reveal)
    elif content.uuid in SECRET_ATTRIBUTES and not reveal:
        text = HIDDEN
    elif content.uuid == DEVICE_NAME:
        text = repr(content.value.decode("utf-8", "replace"))
    else:
        text = content.value.hex(" ") or "no bytes"
    return f"{line.message.replace('_', ' ')} {name} = {text}"


def _registers(numbers: tuple[int, ...], line: Line) -> str:
    return ", ".join(register_name(number, line.family) for number in numbers)


def _get(line: Line, content: messages.GetValues, reveal: bool) -> str:
    return f"asks instance {content.instance} for {_registers(content.registers, line)}"


def _set(line: Line, content: messages.SetValues, reveal: bool) -> str:
    return f"sets in instance {content.instance}: " + ", ".join(_named(value, reveal) for value in values_of(line))


def _value(line: Line, content: messages.ValueMessage, reveal: bool) -> str:
    return _named(values_of(line)[0], reveal)


def _value_response(line: Line, content: messages.ValueResponse, reveal: bool) -> str:
    name = register_name(content.register, line.family)
    return f"{name}: {result_word(content.code).replace('_', ' ')}, instance {content.instance}"


def _response(line: Line, content: messages.Response, reveal: bool) -> str:
    what = opcode_word(content.request_opcode).replace("_", " ")
    item = f", item {content.item}" if content.item else ""
    return f"answers {what}: {result_word(content.code).replace('_', ' ')}{item}"


def _devices(line: Line, content: messages.DeviceList, reveal: bool) -> str:
    return "has instances " + ", ".join(str(instance) for instance, _ in content.pairs)


def _subscribe(line: Line, content: messages.Subscribe, reveal: bool) -> str:
    some = f": {_registers(content.registers, line)}" if content.registers else ""
    return f"subscribes to instance {content.instance}{some}"


def _grant(line: Line, content: control.Grant, reveal: bool) -> str:
    return f"lets the other side send {content.messages} more"


def _limits(line: Line, content: control.Limits, reveal: bool) -> str:
    size = f", of up to {content.max_message} bytes" if content.max_message else ""
    return f"can take {content.slots} messages{size}"


def _failure(line: Line, content: control.Failure, reveal: bool) -> str:
    return f"could not use what it received (error {content.code})"


def _header(line: Line, content: control.Header, reveal: bool) -> str:
    return (
        f"protocol {content.protocol_version}, {content.slots} slot(s), messages of up to {content.max_message} bytes,"
        f" chunks of {content.chunk_size}"
    )


_WORDS: dict[type, Callable[[Line, Any, bool], str]] = {
    messages.GetDevices: lambda line, content, reveal: "asks which instances there are",
    messages.DeviceList: _devices,
    messages.Subscribe: _subscribe,
    messages.Unsubscribe: lambda line, content, reveal: f"unsubscribes from instance {content.instance}",
    messages.GetValues: _get,
    messages.SetValues: _set,
    messages.GetValuesAlternate: _get,
    messages.SetValuesAlternate: _set,
    messages.Response: _response,
    messages.ValueMessage: _value,
    messages.ValueResponse: _value_response,
    control.Grant: _grant,
    control.Limits: _limits,
    control.Failure: _failure,
    control.Header: _header,
}
