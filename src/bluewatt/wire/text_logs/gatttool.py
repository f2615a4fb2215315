"""What `gatttool` prints, typed at or called with options, and what was typed.

Notification handle = 0x0024 value: 08 03 19 ed 8d 42 2f 05
[FD:D4:50:0F:6C:1B][LE]> char-write-cmd 0x0024 0303
"""

from __future__ import annotations

import re

from bluewatt.wire.bluetooth.att import INDICATED, NOTIFIED, READ, WRITE, WRITE_WITHOUT_RESPONSE
from bluewatt.wire.text_logs.host_log import HostLog
from bluewatt.wire.text_logs.words import ADDRESS, UUID, full_uuid, hex_bytes

_NUMBER = r"(?:0x)?([0-9A-Fa-f]{1,4})\b"
_NOTIFIED = re.compile(rf"\b(Notification|Indication)\s+handle = {_NUMBER}\s+value:(.*)$")
_TYPED_WRITE = re.compile(rf"\bchar-write-(cmd|req)\s+{_NUMBER}\s+(\S+)")
_CALLED_WRITE = re.compile(r"\s--char-write(-req)?\b")
_OPTION = r"\s(?:{}[ =]?|{}[ =])\s*(\S+)"
_CALLED_HANDLE = re.compile(_OPTION.format("-a", "--handle"))
_CALLED_VALUE = re.compile(_OPTION.format("-n", "--value"))
_CALLED_DEVICE = re.compile(_OPTION.format("-b", "--device"))
_ASKED = re.compile(rf"\bchar-read-hnd\s+{_NUMBER}|--char-read\b.{{0,200}}?\s(?:-a[ =]?|--handle[ =])\s*{_NUMBER}")
_ANSWER = re.compile(r"\bCharacteristic value/descriptor:(.*)$")
_BY_UUID = re.compile(rf"\bhandle(?::| =) {_NUMBER}\s+value(?::| =)(.*)$")
_LISTED = re.compile(rf"\bchar value handle(?::| =) {_NUMBER},\s*uuid(?::| =) ({UUID}|[0-9A-Fa-f]{{4}}\b)")
_CONNECTING = re.compile(rf"\bAttempting to connect to ({ADDRESS})")
_CONNECTED = re.compile(r"\bConnection successful\b")
_DISCONNECTED = re.compile(r"\]\[LE\]>\s*disconnect\b|\bCommand Failed: Disconnected|\bGLib-WARNING.*\bDisconnected")
_PROMPT = re.compile(rf"\[({ADDRESS})\]\[LE\]>")
_MTU = re.compile(r"\bMTU was exchanged successfully: (\d{1,5})\b")


class GatttoolLog:
    """The reader of what gatttool printed."""

    name = "gatttool"

    def __init__(self) -> None:
        self._asked: int | None = None
        self._address = ""

    @property
    def waiting(self) -> bool:
        """Always False: each line is complete."""
        return False

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line. Return whether it has this form."""
        return self._answered(line, log) or self._typed(line, log) or self._connection(line, log)

    def finish(self, log: HostLog) -> None:
        """Do nothing: no line is incomplete."""

    def _answered(self, line: str, log: HostLog) -> bool:
        if found := _NOTIFIED.search(line):
            _add_value(log, NOTIFIED if found[1] == "Notification" else INDICATED, found[2], found[3])
        elif found := _LISTED.search(line):
            log.name_characteristic(int(found[1], 16), full_uuid(found[2]))
        elif found := _BY_UUID.search(line):
            _add_value(log, READ, found[1], found[2])
        elif found := _ANSWER.search(line):
            asked, self._asked = self._asked, None
            if asked is None:
                log.add_problem("a value that was read, of which the text does not show the handle")
            else:
                _add_value(log, READ, f"{asked:x}", found[1])
        return found is not None

    def _typed(self, line: str, log: HostLog) -> bool:
        if found := _TYPED_WRITE.search(line):
            _add_value(log, WRITE if found[1] == "req" else WRITE_WITHOUT_RESPONSE, found[2], found[3])
        elif found := _CALLED_WRITE.search(line):
            handle, value = _CALLED_HANDLE.search(line), _CALLED_VALUE.search(line)
            self._called(line, log)
            if handle and value:
                _add_value(log, WRITE if found[1] else WRITE_WITHOUT_RESPONSE, handle[1], value[1])
        elif found := _ASKED.search(line):
            self._called(line, log)
            self._asked = int(found[1] or found[2], 16)
        return found is not None

    def _called(self, line: str, log: HostLog) -> None:
        """Add a connection: each call of the program is one."""
        device = _CALLED_DEVICE.search(line)
        if device and re.fullmatch(ADDRESS, device[1]):
            log.add_connection(device[1].upper())

    def _connection(self, line: str, log: HostLog) -> bool:
        prompt = _PROMPT.search(line)
        self._address = prompt[1].upper() if prompt else self._address
        if found := _CONNECTING.search(line):
            self._address = found[1].upper()
        elif _CONNECTED.search(line) and self._address:
            log.add_connection(self._address)
        elif _DISCONNECTED.search(line):
            log.end_connection()
        elif found := _MTU.search(line):
            log.agree_mtu(int(found[1]))
        else:
            return prompt is not None
        return True


def _add_value(log: HostLog, kind: str, handle: str, value: str) -> None:
    data = hex_bytes(value)
    number = re.fullmatch(_NUMBER, handle)
    if data is None or not number:
        log.add_problem("a value with an odd number of hex digits")
    else:
        log.add_value(kind, data, handle=int(number[1], 16))
