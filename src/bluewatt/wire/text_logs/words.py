"""The parts of a log line, in any format: bytes, addresses, UUIDs, handles."""

from __future__ import annotations

import re
from typing import Final

from bluewatt.tables.gatt import BASE_SERVICE, DATA_SERVICE, DEVICE_NAME, FIRMWARE_SERVICE, SHUNT_SERVICE

ADDRESS: Final = r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"
UUID: Final = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x01\x02\x07\ufeff]|[^\x08]\x08")
_SHORT = "0000{}-0000-1000-8000-00805f9b34fb"
_LITERAL = re.compile(r"""b'(?:\\.|[^'\\])*'|b"(?:\\.|[^"\\])*\"""")
_ESCAPE = re.compile(r"""\\(?:x([0-9A-Fa-f]{2})|([nrt\\'"]))""")
_BAD_ESCAPE = re.compile(r"""(?<!\\)(?:\\\\)*\\(?!x[0-9A-Fa-f]{2}|[nrt\\'"])""")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_RUN = re.compile(
    r"(?<![\w.\-:])(?:0x)?[0-9a-f]{2}(?:[ :,\-]{0,2}(?:0x)?[0-9a-f]{2})*(?![\w])(?!-[0-9a-f])", re.IGNORECASE
)
_ODD = re.compile(r"(?<![\w.\-:])(?:0x)?(?=[0-9a-f]*\d)(?:[0-9a-f]{2}){2,}[0-9a-f](?!\w)", re.IGNORECASE)
_DUMPED = re.compile(
    r"^\s{1,16}(?:[0-9a-f]{4}: )?((?:[0-9a-f]{2} {1,2}){0,15}[0-9a-f]{2})(?:\s{2,}.{1,16})?\s*$", re.IGNORECASE
)
_SERVICES: Final = {uuid[:4]: uuid for uuid in (DATA_SERVICE, BASE_SERVICE, FIRMWARE_SERVICE, SHUNT_SERVICE)}
_OURS: Final = tuple(_SERVICES)


def plain_line(line: str) -> str:
    """Return a line without colours, marks of the line editor and what a carriage return hid."""
    line = _ESCAPES.sub("", line.rstrip("\r\n"))
    return line.rpartition("\r")[2]


def full_uuid(text: str) -> str:
    """Return a UUID of 4, 8 or 32 digits in its long form, in lower case; empty for other text.

    Eight digits are the first group of a characteristic of Victron, whose services share the other groups.
    """
    digits = re.sub(r"^0x|[-:]", "", text.strip().lower())
    if re.fullmatch(r"[0-9a-f]{4}", digits):
        return _SHORT.format(digits)
    if re.fullmatch(r"[0-9a-f]{8}", digits):
        return digits + _SERVICES.get(digits[:4], DEVICE_NAME)[8:]
    if not re.fullmatch(r"[0-9a-f]{32}", digits):
        return ""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_ours(uuid: str) -> bool:
    """Return whether a UUID is that of a characteristic of Victron, or of the name of a device."""
    return uuid.startswith(_OURS) or uuid == DEVICE_NAME


def hex_bytes(text: str) -> bytes | None:
    """Return bytes of hex digits with any separators, each byte with or without 0x; None if a digit is left over."""
    digits = re.sub(r"0x|[\s:,.\-]", "", text, flags=re.IGNORECASE)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def dumped_bytes(line: str) -> bytes | None:
    """Return the bytes of one line of a hex dump, with or without offset and letters; None for another line."""
    found = _DUMPED.match(line)
    return bytes.fromhex(found[1]) if found else None


def literal_bytes(text: str) -> list[bytes]:
    """Return all bytes written as Python literals; an invalid literal is ignored."""
    return [data for literal in _LITERAL.findall(text) if (data := _unescaped(literal[2:-1])) is not None]


def _unescaped(body: str) -> bytes | None:
    """Return the bytes between the quotation marks; None for an invalid escape."""
    if not body.isascii() or _BAD_ESCAPE.search(body):
        return None
    return _ESCAPE.sub(_unescape, body).encode("latin-1")


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _ESCAPED[found[2]]


def bytes_in_text(text: str) -> bytes | None:
    """Return the bytes in a part of a line: a Python literal, else the longest run of hex digits; None without any."""
    literals = literal_bytes(text)
    if literals:
        return max(literals, key=len)
    runs = [run for run in _RUN.findall(text) if any(letter.isdigit() for letter in run)]
    found = [data for run in runs if (data := hex_bytes(run)) is not None]
    return max(found, key=len, default=None)


def has_odd_digits(text: str) -> bool:
    """Return whether the text has a run of hex digits from which one is missing."""
    return bool(_ODD.search(text))
