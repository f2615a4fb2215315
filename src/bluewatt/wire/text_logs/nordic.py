"""Logs of nRF Connect and nRF Logger, and of apps on Nordic's Android library, which writes the same sentences.

    I 11:22:33.123 Notification received from 306b0003-…, value: (0x) 08-03-19-ED-8D-42-2F-05

A level letter, a time of day, a sentence; the day stands in the head of an export ("nRF Connect, 2026-11-25"). What was
written to a descriptor names no characteristic: it belongs to the one whose notifications were just switched. The
sentences of the app for iPhones ("Updated Value of Characteristic … to 0x…") are read as well.
"""

from __future__ import annotations

import re

from bluewatt.wire.bluetooth.att import INDICATED, NOTIFIED, READ, WRITE, WRITE_WITHOUT_RESPONSE
from bluewatt.wire.text_logs.host_log import HostLog
from bluewatt.wire.text_logs.words import ADDRESS, full_uuid, hex_bytes

_ID = r"([0-9A-Fa-f-]{4,36})(?:…|\.{2,3})?"
"""A UUID, whose end people leave out."""
_VALUE = r"(?:0x|\(0x\)\s*)([0-9A-Za-z-]*)"
_RECEIVED = re.compile(rf"\b(Notification|Indication|Read Response) received from {_ID},? value: {_VALUE}")
_WRITTEN = re.compile(rf"\bData written to {_ID},? value: {_VALUE}")
_DESCRIPTOR = re.compile(rf"\bData written to descr\.? {_ID},? value: {_VALUE}")
_SWITCHING = re.compile(
    rf"(?:(?:En|Dis)abling (?:notifications|indications) for |setCharacteristicNotification\(){_ID}"
)
_WRITING = re.compile(r"\bWriting (command|request)\b|\bWriting characteristic\b.*\(WRITE (COMMAND|REQUEST)\)", re.I)
_CONNECTED = re.compile(rf"\bConnected to ({ADDRESS})")
_DISCONNECTED = re.compile(r"(?:^|[\s\]])Disconnected(?: from .*)?$|new state: DISCONNECTED \(0\)")
_MTU = re.compile(r"\bMTU (?:changed to|set to|updated to):? (\d{2,3})\b|\bMTU: (\d{2,3})\b")
_ECHO = re.compile(r'\bgatt\.\w+\(|^\W*A\s.*" (?:received|sent)\W*$')
"""Lines that repeat another line: the call before it, and the value in words after it."""

_UPDATED = re.compile(rf"\bUpdated Value of Characteristic {_ID} to {_VALUE}", re.I)
_WRITE_CALL = re.compile(rf"\bwriteValue\({_VALUE}, for: {_ID}, type: \.(withResponse|withoutResponse)")

_CLIENT_CONFIGURATION = "00002902"
_KINDS = {"Notification": NOTIFIED, "Indication": INDICATED, "Read Response": READ}


class NordicLog:
    """The reader of such a log."""

    name = "nRF Connect, nRF Logger"

    def __init__(self) -> None:
        self._switching = ""
        self._way = WRITE_WITHOUT_RESPONSE

    @property
    def waiting(self) -> bool:
        """Always False: each line is complete."""
        return False

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line. Return whether it has this form."""
        return self._value(line, log) or self._connection(line, log) or self._announced(line)

    def finish(self, log: HostLog) -> None:
        """Do nothing: no line is incomplete."""

    def _value(self, line: str, log: HostLog) -> bool:
        if found := _RECEIVED.search(line):
            _tell(log, _KINDS[found[1]], found[2], found[3])
        elif found := _DESCRIPTOR.search(line):
            self._descriptor(found[1], found[2], log)
        elif found := _WRITTEN.search(line):
            _tell(log, self._way, found[1], found[2])
            self._way = WRITE_WITHOUT_RESPONSE
        elif found := _UPDATED.search(line):
            _tell(log, NOTIFIED, found[1], found[2])
        elif found := _WRITE_CALL.search(line):
            _tell(log, WRITE if found[3] == "withResponse" else WRITE_WITHOUT_RESPONSE, found[2], found[1])
        return found is not None

    def _descriptor(self, descriptor: str, value: str, log: HostLog) -> None:
        data = hex_bytes(value)
        if data and self._switching and full_uuid(descriptor).startswith(_CLIENT_CONFIGURATION):
            log.switch_notifications(on=any(data), uuid=self._switching)

    def _connection(self, line: str, log: HostLog) -> bool:
        if found := _CONNECTED.search(line):
            log.add_connection(found[1].upper())
        elif _DISCONNECTED.search(line):
            log.end_connection()
        elif found := _MTU.search(line):
            log.agree_mtu(int(found[1] or found[2]))
        else:
            return False
        return True

    def _announced(self, line: str) -> bool:
        """Read a line that announces bytes, or repeats them."""
        if found := _SWITCHING.search(line):
            self._switching = full_uuid(found[1]) or self._switching
        elif found := _WRITING.search(line):
            self._way = WRITE if "REQUEST" in (found[1] or found[2]).upper() else WRITE_WITHOUT_RESPONSE
        else:
            return bool(_ECHO.search(line))
        return True


def _tell(log: HostLog, kind: str, uuid: str, value: str) -> None:
    data, known = hex_bytes(value), full_uuid(uuid)
    if data is None or not known:
        log.add_problem("a value with an odd number of hex digits" if known else f"not a UUID: {uuid}")
    else:
        log.add_value(kind, data, uuid=known)
