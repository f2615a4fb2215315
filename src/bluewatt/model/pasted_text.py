"""Advertisements in text that people paste: bare hex, and the lines other tools print. Pure.

An advertisement is recognised by its bytes, not by the tool: it is the longest run of hex bytes that begins as
Victron's manufacturer data does, or holds it as an advertising structure. The output of bluetoothctl, btmon, nRF
Connect, bleak, victron-ble and ESPHome is read so. A VE.Smart broadcast is recognised only behind the company
identifier, because messages of connections begin with the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bluewatt.tables.advertisement import PRODUCT_ADVERTISEMENT, VESMART_COUNTER, VESMART_DATA
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.wire.instant_readout.advertisement import PRODUCT_LENGTH
from bluewatt.wire.text_logs.words import literal_bytes

_BYTE = r"(?:0x)?[0-9a-f]{2}"
_RUN = re.compile(rf"(?<![0-9a-z]){_BYTE}(?:[ :,.\-]{{0,2}}{_BYTE}){{3,}}(?![0-9a-z])", re.IGNORECASE)
_ADDRESS = re.compile(r"(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f]|:[0-9a-f]{2})", re.IGNORECASE)
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_LITERAL = re.compile(r"""(?:\b(\d+|0x[0-9a-f]+)\s*:\s*)?(b'(?:\\.|[^'\\])*'|b"(?:\\.|[^"\\])*\")""", re.IGNORECASE)
"""Bytes as Python writes them, with the company identifier before them, if it is there."""
_DUMPED = re.compile(r"^ {1,}((?:[0-9a-f]{2} ){1,16}) *(?: .{1,16})?$", re.IGNORECASE)
"""A line of a hex dump, as bluetoothctl prints values: indented bytes, then the same as text."""

_MARKED = re.compile(r"(?<=[0-9a-f]{2}) ?[)\]] (?=[0-9a-f]{2}\b)| [(\[](?=[0-9a-f]{2} )", re.IGNORECASE)
"""A bracket among spaced bytes: some tools put the nonce or the header in brackets."""

_COMPANY_NAMED = re.compile(rf"\b(?:company|ManufacturerData)\b.*\b(?:{COMPANY_ID}|0x0?2e1)\b", re.IGNORECASE)
"""A line with the company identifier; the data stands on the next line, or in a hex dump after that one."""
_LINES_AFTER = 2
"""Lines or dumps after a line with the company identifier in which the data may stand."""

_COMPANY = COMPANY_ID.to_bytes(2, "little")
_COMPANY_AS_NUMBER = COMPANY_ID.to_bytes(2, "big")
_START = bytes([PRODUCT_ADVERTISEMENT])
_STARTS = (_START, bytes([VESMART_COUNTER]), bytes([VESMART_DATA]))
_STRUCTURE = b"\xff" + _COMPANY
_FIRST_PRODUCT = 0xA000
"""The lowest identifier of a product with Bluetooth."""
_SURE = 9
"""Bytes of header and one more: in a line with other words, a shorter run could be a time of day."""


class Pasted(NamedTuple):
    """One advertisement found in text."""

    payload: bytes
    """The manufacturer data after the company identifier."""
    address: str | None
    """The sender's address, if the text has one."""


def hex_digits(text: str) -> str:
    """Return the digits if `text` is nothing but hex digits and separators, else an empty text."""
    digits = re.sub(r"0x|[\s:,.\-]", "", text, flags=re.IGNORECASE)
    return digits if re.fullmatch(r"[0-9a-fA-F]+", digits) else ""


def lacks_a_digit(text: str) -> bool:
    """Return whether `text` is an advertisement in hex digits of which one is missing; a few could be anything."""
    digits = hex_digits(text)
    return len(digits) % 2 == 1 and len(digits) > 2 * PRODUCT_LENGTH


def bare_hex(text: str) -> bytes | None:
    """Return the manufacturer data if `text` is nothing but hex digits and separators, else None."""
    digits = hex_digits(text)
    if not digits or len(digits) % 2:
        return None
    data = bytes.fromhex(digits)
    return _victron(data) or data


def is_advertisement(data: bytes) -> bool:
    """Return whether bytes without a company identifier can be an advertisement; a message may begin so, too."""
    product = int.from_bytes(data[2:PRODUCT_LENGTH], "little")
    return data.startswith(_START) and (len(data) < PRODUCT_LENGTH or product >= _FIRST_PRODUCT)


def find_pasted(lines: Iterable[str]) -> Iterator[Pasted]:
    """Yield the advertisements in lines of text; an address holds for the lines after it, until the next one."""
    finder = PastedFinder()
    for line in lines:
        yield from finder.feed(line)
    yield from finder.finish()


class PastedFinder:
    """Finds advertisements line by line, and joins the lines of a hex dump."""

    def __init__(self) -> None:
        self._address: str | None = None
        self._dumped = ""
        self._named = 0
        """Lines or dumps to come in which the data may stand, as a line before them had the company identifier."""

    def feed(self, line: str) -> list[Pasted]:
        """Add a line; return the advertisements that it completes."""
        line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.rstrip("\r\n"))
        dumped = _DUMPED.match(line)
        if dumped:
            self._dumped += dumped[1]
            return []
        return [*self.finish(), *self._search(line)]

    def finish(self) -> list[Pasted]:
        """End the hex dump, if there is one; return the advertisement in it."""
        dumped, self._dumped = self._dumped, ""
        return self._search(dumped) if dumped else []

    def _search(self, line: str) -> list[Pasted]:
        named = _ADDRESS.search(line)
        self._address = named[0].upper() if named else self._address
        payload = _payload(line)
        if payload is None and self._named:
            payload = _after_company(line)
        self._named = _LINES_AFTER if _COMPANY_NAMED.search(line) and payload is None else max(0, self._named - 1)
        return [] if payload is None else [Pasted(payload, self._address)]


def _after_company(line: str) -> bytes | None:
    """Return the manufacturer data in a line that follows one with the company identifier."""
    runs = [_victron(_COMPANY + bytes.fromhex(re.sub(r"0x|[^0-9a-f]", "", run))) for run in _RUN.findall(line.lower())]
    return max((data for data in runs if data), key=len, default=None)


def _payload(line: str) -> bytes | None:
    bare = bare_hex(line)
    if bare is not None and (is_advertisement(bare) or _victron(bytes.fromhex(hex_digits(line))) not in (None, bare)):
        return bare
    found = [data for company, text in _LITERAL.findall(line) if (data := _victron(_literal(company, text)))]
    text = _UUID.sub(" | ", _ADDRESS.sub(" | ", line))
    spellings = {text.lower(), _MARKED.sub(" ", text).lower()}
    runs = [re.sub(r"0x|[^0-9a-f]", "", run) for spelling in spellings for run in _RUN.findall(spelling)]
    found += [data for run in map(bytes.fromhex, runs) if (data := _victron(run)) and len(data) >= _least(run)]
    return max(found, key=len, default=None)


def _least(run: bytes) -> int:
    """Return the least bytes that are not there by chance: fewer behind the company identifier than elsewhere."""
    return PRODUCT_LENGTH if run[:2] in (_COMPANY, _COMPANY_AS_NUMBER) else _SURE


def _literal(company: str, text: str) -> bytes:
    try:
        ours = not company or int(company, 0) == COMPANY_ID
    except ValueError:
        return b""
    return next(iter(literal_bytes(text)), b"") if ours else b""


def _victron(data: bytes) -> bytes | None:
    """Return the manufacturer data in bytes that begin with it or the company identifier, or hold it as a structure."""
    if data.startswith(_START):
        return data if is_advertisement(data) else None
    if data[:2] in (_COMPANY, _COMPANY_AS_NUMBER) and data[2:3] in _STARTS:
        return data[2:]
    for start in _STARTS:
        at = data.find(_STRUCTURE + start)
        if at > 0 and data[at - 1] > len(_STRUCTURE):
            return data[at + len(_STRUCTURE) : at + data[at - 1]]
    return None
