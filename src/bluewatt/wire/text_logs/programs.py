"""Logs of programs on bleak, gatt and others, and their lists of what to write: a place and bytes in a line.

    2026-11-25 11:22:33 DEBUG Write Characteristic 306b0003-… | /org/bluez/…/char0023: b'\\x01'
    306b0003-… (Handle: 35): Vendor specific: bytearray(b'\\x08\\x03…')
    char 306b0003-… value updated: 080319ed8d422f05
    ("0024", "0300"),                                   (COMMAND_UUID, "0300"),

Each program has its own words: the sender of bytes follows from words such as "write" and "received", else from the
bytes. If a UUID is given, only characteristics of Victron count; a number is taken for a handle only if it is called
one. bleak and BlueZ count a characteristic by its declaration, which stands before its value.
"""

from __future__ import annotations

import re
from typing import Final

from bluewatt.tables.gatt import DataCharacteristic
from bluewatt.wire.bluetooth.att import INDICATED, NOTIFIED, READ, WRITE_WITHOUT_RESPONSE
from bluewatt.wire.text_logs.guessing import SENDER, kind_of
from bluewatt.wire.text_logs.host_log import HostLog
from bluewatt.wire.text_logs.words import (
    ADDRESS,
    UUID,
    bytes_in_text,
    has_odd_digits,
    hex_bytes,
    is_ours,
    literal_bytes,
)

_UUID = re.compile(rf"\b{UUID}\b")
_CHARACTER = re.compile(r"/char([0-9a-f]{4})(?:/desc([0-9a-f]{4}))?\b|\bchar(00[0-9a-f]{2})\b")
_BLEAK_HANDLE = re.compile(r"\(Handle: (\d{1,5})\)")
_HANDLE = re.compile(r"\bhandle\b\W{0,3}(?:(0x[0-9a-f]{1,4})|(\d{1,5}))\b", re.IGNORECASE)
_PAIR = re.compile(
    r"""[(\[] ?["']?(?:0x(?:00)?|00)([0-9a-f]{2})["']? ?, ?"""
    r"""(?:(b'.*?'|b".*?")|(?:byte\w{1,5}\.fromhex\()?["']([0-9a-f ]*)["'])""",
    re.IGNORECASE,
)
_NAMED_PAIR = re.compile(
    rf"""[(\[] ?(?:["']({UUID})["']|([A-Za-z_]\w{{0,63}})) ?, ?["']([0-9a-f]+)["']""", re.IGNORECASE
)
_CONSTANT = re.compile(rf"""\b([A-Za-z_]\w{{0,63}})(?: ?: ?[\w.]{{1,32}})? ?= ?["']({UUID})["']""")
_DEVICE = re.compile(r"/dev_((?:[0-9A-Fa-f]{2}_){5}[0-9A-Fa-f]{2})")
_ADDRESS = re.compile(ADDRESS)
_NOISE = re.compile(
    rf"{UUID}|/org/bluez\S*|{ADDRESS}|\d{{4}}-\d\d-\d\d|\d\d:\d\d:\d\d(?:[.,]\d+)?"
    r"|\(Handle: \d+\)|\bhandle\W{0,3}(?:0x)?[0-9a-f]+\b",
    re.IGNORECASE,
)
"""Text that looks like bytes and is not."""
_ADVERTISING = re.compile(r"manufacturer|advertis|AdvertisementData|service_?data", re.IGNORECASE)
_DISCONNECTED = re.compile(r"\b(?:Disconnected(?: from)?|Device disconnected)\b", re.IGNORECASE)
_CONNECTED = re.compile(
    rf"\bConnected to (?:device )?({ADDRESS})|\b({ADDRESS})\W{{1,8}}(?:is )?connected\b", re.IGNORECASE
)

_KINDS: Final = (
    (INDICATED, re.compile(r"\bindicat", re.IGNORECASE)),
    (READ, re.compile(r"\bread(?:ing)?\b|ReadValue", re.IGNORECASE)),
    (
        NOTIFIED,
        re.compile(r"notif|\breceiv|\brecv|\brx\b|updated|changed|callback|response|<[-<=]|\bgot\b", re.IGNORECASE),
    ),
    (
        WRITE_WITHOUT_RESPONSE,
        re.compile(r"\bwrit|\bwrote|\bsen[dt]|\btx\b|[->=]>|request|command|WriteValue", re.IGNORECASE),
    ),
)
"""The words that show who sent bytes and how, the clearest first."""
_LITERAL_BEGINS = re.compile(r"""\bb['"]""")
_LEAST_SURE = 2


class ProgramLog:
    """The reader of logs and lists of programs."""

    name = "programs (bleak and others)"

    def __init__(self) -> None:
        self._constants: dict[str, str] = {}

    @property
    def waiting(self) -> bool:
        """Always False: each line is complete."""
        return False

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line. Return whether it has this form."""
        if _ADVERTISING.search(line):
            return False
        return self._listed(line, log) or self._logged(line, log) or _connection(line, log)

    def finish(self, log: HostLog) -> None:
        """Do nothing: no line is incomplete."""

    def _listed(self, line: str, log: HostLog) -> bool:
        """Read pairs of a place and hex digits, as programs list what they are going to write."""
        for name, uuid in _CONSTANT.findall(line):
            if len(self._constants) < 256 and is_ours(uuid.lower()):
                self._constants[name] = uuid.lower()
        pairs = [
            (int(handle, 16), "", literal_bytes(literal)[0].hex() if literal and literal_bytes(literal) else digits)
            for handle, literal, digits in _PAIR.findall(line)
        ]
        for uuid, name, digits in _NAMED_PAIR.findall(line):
            known = uuid.lower() if uuid and is_ours(uuid.lower()) else self._constants.get(name, "")
            pairs += [(0, known, digits)] if known else []
        for handle, uuid, digits in pairs:
            data = hex_bytes(digits)
            if data is None:
                log.add_problem("a value with an odd number of hex digits")
            else:
                log.add_value(WRITE_WITHOUT_RESPONSE, data, handle=handle or None, uuid=uuid)
        return bool(pairs)

    def _logged(self, line: str, log: HostLog) -> bool:
        """Read a line that names a characteristic, with or without its bytes."""
        uuid = next((found.lower() for found in _UUID.findall(line) if is_ours(found.lower())), "")
        handle, end = _place(line)
        if not uuid and handle is None:
            return False
        text = _NOISE.sub(" | ", line[end:])
        literals = literal_bytes(line[end:])
        data = max(literals, key=len) if literals else bytes_in_text(text)
        words = _NOISE.sub(" ", line)
        kind = next((kind for kind, pattern in _KINDS if pattern.search(words)), "")
        if data is None or (len(data) < _LEAST_SURE and not (literals or uuid or kind)):
            if has_odd_digits(text) or _LITERAL_BEGINS.search(line[end:]):
                log.add_problem("a value with an odd number of hex digits")
                return True
            return bool(uuid)
        if not kind:
            kind = kind_of(data, control=uuid.startswith(DataCharacteristic.CONTROL.value[:8]))
            log.guesses[SENDER] += 1
        log.add_value(kind, data, handle=handle, uuid=uuid, link=_device(line))
        return True


def _place(line: str) -> tuple[int | None, int]:
    """Return the value handle a line names, and where the handle or UUID ends in it: the bytes come after."""
    ends = [found.end() for found in _UUID.finditer(line) if is_ours(found[0].lower())][:1]
    handle: int | None = None
    if found := _CHARACTER.search(line):
        handle = int(found[2], 16) if found[2] else int(found[1] or found[3], 16) + 1
    elif found := _BLEAK_HANDLE.search(line):
        handle = int(found[1]) + 1
    elif found := _HANDLE.search(line):
        handle = int(found[1], 16) if found[1] else int(found[2])
    if found:
        ends.append(found.end())
    in_range = handle is not None and 0 < handle < 0xFFFF
    return (handle if in_range else None), (max(ends) if ends else 0)


def _device(line: str) -> str:
    """Return the address of the device that a line names, as a path of BlueZ or as an address."""
    path, plain = _DEVICE.search(line), _ADDRESS.search(line)
    if path:
        return path[1].replace("_", ":").upper()
    return plain[0].upper() if plain else ""


def _connection(line: str, log: HostLog) -> bool:
    if found := _CONNECTED.search(line):
        log.add_connection((found[1] or found[2]).upper())
        return True
    if _DISCONNECTED.search(line) and not line.lstrip().startswith(("#", "//")):
        address = _ADDRESS.search(line)
        log.end_connection(address[0].upper() if address else "")
        return True
    return False
