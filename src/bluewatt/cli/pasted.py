"""Advertisements in text that people paste: bare hex, and the lines other tools print.

Known by its bytes, not by the tool: the longest run of hex bytes that begins as Victron's manufacturer data does, or
holds it as an advertising structure. Seen to work on bluetoothctl, btmon, nRF Connect, bleak, victron-ble and ESPHome.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bluewatt.tables.advert import PRODUCT_ADVERTISEMENT
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.wire.advert import PRODUCT_LENGTH

_BYTE = r"(?:0x)?[0-9a-f]{2}"
_RUN = re.compile(rf"(?<![0-9a-z]){_BYTE}(?:[ :,.\-]{{0,2}}{_BYTE}){{3,}}(?![0-9a-z])", re.IGNORECASE)
_ADDRESS = re.compile(r"(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f]|:[0-9a-f]{2})", re.IGNORECASE)
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_LITERAL = re.compile(r"""(?:\b(\d+|0x[0-9a-f]+)\s*:\s*)?(b'(?:\\.|[^'\\])*'|b"(?:\\.|[^"\\])*\")""", re.IGNORECASE)
"""Bytes as Python writes them, with the company identifier before them, if that is told."""
_DUMPED = re.compile(r"^ {1,}((?:[0-9a-f]{2} ){1,16}) *(?: .{1,16})?$", re.IGNORECASE)
"""A line of a hex dump, as bluetoothctl prints values: indented bytes, then the same as text."""

_COMPANY = COMPANY_ID.to_bytes(2, "little")
_START = bytes([PRODUCT_ADVERTISEMENT])
_STRUCTURE = b"\xff" + _COMPANY
_SURE = 9
"""In a line with other words, a run shorter than header and one byte could be a time of day."""


class Pasted(NamedTuple):
    """One advertisement found in text."""

    payload: bytes
    """The manufacturer data after the company identifier."""
    address: str | None
    """The sender's address, where the text has one."""


def hex_digits(text: str) -> str:
    """The digits when `text` is nothing but hex digits and separators, else none."""
    digits = re.sub(r"0x|[\s:,.\-]", "", text, flags=re.IGNORECASE)
    return digits if re.fullmatch(r"[0-9a-fA-F]+", digits) else ""


def lacks_a_digit(text: str) -> bool:
    """Whether `text` is an advertisement in hex digits, one of which got lost; a few digits could be anything."""
    digits = hex_digits(text)
    return len(digits) % 2 == 1 and len(digits) > 2 * PRODUCT_LENGTH


def bare_hex(text: str) -> bytes | None:
    """The manufacturer data when `text` is nothing but hex digits and separators, else None."""
    digits = hex_digits(text)
    if not digits or len(digits) % 2:
        return None
    data = bytes.fromhex(digits)
    return _victron(data) or data


def find_pasted(lines: Iterable[str]) -> Iterator[Pasted]:
    """The advertisements in lines of text; an address holds for the lines after it, until the next one."""
    address: str | None = None
    for line in _joined(lines):
        named = _ADDRESS.search(line)
        address = named[0].upper() if named else address
        payload = _payload(line)
        if payload is not None:
            yield Pasted(payload, address)


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """The lines, those of a hex dump put together into one."""
    dumped = ""
    for line in lines:
        line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.rstrip("\r\n"))
        found = _DUMPED.match(line)
        if found:
            dumped += found[1]
            continue
        if dumped:
            yield dumped
        dumped = ""
        yield line
    if dumped:
        yield dumped


def _payload(line: str) -> bytes | None:
    bare = bare_hex(line)
    if bare is not None and bare.startswith(_START):
        return bare
    found = [data for company, text in _LITERAL.findall(line) if (data := _victron(_literal(company, text)))]
    text = _UUID.sub(" | ", _ADDRESS.sub(" | ", line))
    runs = [re.sub(r"0x|[^0-9a-f]", "", run, flags=re.IGNORECASE) for run in _RUN.findall(text.lower())]
    found += [data for run in runs if (data := _victron(bytes.fromhex(run))) and len(data) >= _SURE]
    return max(found, key=len, default=None)


def _literal(company: str, text: str) -> bytes:
    try:
        value = ast.literal_eval(text)
        ours = not company or int(company, 0) == COMPANY_ID
    except (ValueError, SyntaxError):
        return b""
    return value if ours and isinstance(value, bytes) else b""


def _victron(data: bytes) -> bytes | None:
    """The manufacturer data in bytes that begin with it or with the company identifier, or hold it as a structure."""
    if data.startswith(_START):
        return data
    if data.startswith(_COMPANY + _START):
        return data[2:]
    at = data.find(_STRUCTURE + _START)
    if at > 0 and data[at - 1] > len(_STRUCTURE):
        return data[at + len(_STRUCTURE) : at + data[at - 1]]
    return None
