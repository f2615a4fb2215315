"""What `bluetoothctl` prints in its GATT menu: values as hex dumps under the name of the attribute, and what was typed.

    [CHG] Attribute /org/bluez/hci0/dev_AA_BB_CC_DD_EE_FF/service001f/char0023 Value:
      08 03 19 ed 8d 42 2f 05                          .....B/.

BlueZ names a characteristic by the handle of its declaration, which stands right before that of its value. The UUID is
in `list-attributes`, in [NEW] Characteristic lines, or in the prompt after `select-attribute UUID`. A value that
was asked for is printed twice, as the change and as the answer. `write` takes numbers as C writes them: 0x10, 16, 020.
"""

from __future__ import annotations

import re
from typing import Final

from bluewatt.wire.bluetooth.att import NOTIFIED, READ, WRITE_WITHOUT_RESPONSE
from bluewatt.wire.text_logs.host_log import HostLog, Mark
from bluewatt.wire.text_logs.words import ADDRESS, UUID, dumped_bytes, full_uuid, hex_bytes

_PATH = r"(\S*/char[0-9a-f]{4}(?:/desc[0-9a-f]{4})?)"
"""The path of a characteristic or descriptor, whose beginning people leave out."""
_CHANGED = re.compile(rf"\[CHG\] Attribute {_PATH} Value:\s*(.*)$")
_NOTIFYING = re.compile(rf"\[CHG\] Attribute {_PATH} Notifying: (yes|no)")
_ASKING = re.compile(rf"Attempting to (read|write) {_PATH}")
_COMMAND = re.compile(r"\][#>] {0,4}[a-z]")
_TYPED = re.compile(r"[#>] {0,4}(?:gatt\.)?write +(\S.*)$")
_SELECTED = re.compile(rf"[#>] {{0,4}}(?:gatt\.)?select-attribute +({UUID})")
_PROMPT = re.compile(r":(/service[0-9a-f]{4}/char([0-9a-f]{4}))(?:/desc[0-9a-f]{4})?\][#>]")
_ONLY_PATH = re.compile(rf"^\s*{_PATH}\s*$")
_ONLY_UUID = re.compile(rf"^\s*({UUID})\s*$")
_STATE = re.compile(rf"\[CHG\] Device ({ADDRESS}) Connected: (yes|no)")
_MTU = re.compile(r"\bAcquire\w+ success: .*\bMTU (\d+)|\[CHG\] Attribute \S+ MTU: (\d+)")
_HANDLE = re.compile(r"/char([0-9a-f]{4})(?:/desc([0-9a-f]{4}))?$")
_DEVICE = re.compile(r"/dev_((?:[0-9A-Fa-f]{2}_){5}[0-9A-Fa-f]{2})")
_HIGHEST = 0xFFFE
_MOST_NAMES = 4096
_BYTE: Final = 0xFF


class BluetoothctlLog:
    """The reader of what a session of bluetoothctl printed."""

    name = "bluetoothctl"

    def __init__(self) -> None:
        self._value = bytearray()
        self._open = ""
        """The attribute whose value is being printed."""
        self._mark: Mark = (0.0, 0)
        self._asked = ""
        """The attribute that was just asked for its value."""
        self._typed: str | None = None
        self._selected = ""
        self._described = ""
        self._uuids: dict[tuple[str, int], str] = {}
        """UUIDs by address (empty if the text does not name it) and value handle."""

    @property
    def waiting(self) -> bool:
        """Whether a value is being printed."""
        return bool(self._open)

    def read(self, line: str, log: HostLog) -> bool:
        """Take a line. Return whether it has this form."""
        if self._open and (part := dumped_bytes(line)) is not None:
            self._value += part
            return True
        found = _CHANGED.search(line)
        if found and found[1] == self._open and found[2]:
            self._value += hex_bytes(found[2]) or b""  # old versions: a line for each byte
            return True
        self.finish(log)
        if found:
            self._open, self._mark = found[1], log.mark
            self._value += hex_bytes(found[2]) or b""
            return True
        return self._read_state(line, log)

    def finish(self, log: HostLog) -> None:
        """Add the value that was being printed; it is complete."""
        path, value = self._open, bytes(self._value)
        if not path:
            return
        self._open = ""
        self._value.clear()
        asked = path == self._asked
        if asked:
            self._asked = ""
            half = len(value) // 2
            value = value[:half] if value[:half] == value[half:] else value
        with log.at_mark(self._mark):
            if not value:
                log.add_problem("a value without a complete line of its hex dump")
            elif handle := _value_handle(path):
                kind = READ if asked else NOTIFIED
                log.add_value(kind, value, handle=handle, uuid=self._uuid(path), link=_address(path))

    def _read_state(self, line: str, log: HostLog) -> bool:
        if found := _ASKING.search(line):
            self._asking(found[1], found[2], log)
        elif found := _NOTIFYING.search(line):
            if handle := _value_handle(found[1]):
                uuid = self._uuid(found[1])
                log.switch_notifications(on=found[2] == "yes", handle=handle, uuid=uuid, link=_address(found[1]))
        elif found := _STATE.search(line):
            address = found[1].upper()
            log.add_connection(address) if found[2] == "yes" else log.end_connection(address)
        elif found := _MTU.search(line):
            log.agree_mtu(int((found[1] or found[2])[:5]))
        else:
            return self._typed_or_listed(line)
        return True

    def _typed_or_listed(self, line: str) -> bool:
        """Read what was typed at the prompt, or a line of a list of attributes."""
        prompt = _PROMPT.search(line)
        if prompt and self._selected:
            self._name("", int(prompt[2], 16) + 1, self._selected)
            self._selected = ""
        if _COMMAND.search(line):
            self._asked = ""  # the request before got no answer
        if found := _TYPED.search(line):
            self._typed = found[1]
        elif found := _SELECTED.search(line):
            self._selected = full_uuid(found[1])
        elif found := _ONLY_PATH.search(line):
            self._described = found[1]
        elif (found := _ONLY_UUID.search(line)) and self._described:
            self._describe(full_uuid(found[1]))
        else:
            return prompt is not None
        return True

    def _describe(self, uuid: str) -> None:
        path, self._described = self._described, ""
        found = _HANDLE.search(path)
        if found and not found[2]:
            self._name(_address(path), int(found[1], 16) + 1, uuid)

    def _name(self, address: str, handle: int, uuid: str) -> None:
        if len(self._uuids) < _MOST_NAMES:
            self._uuids[address, handle] = uuid

    def _uuid(self, path: str) -> str:
        """Return the UUID of the characteristic at a path if the text has it; empty for a descriptor."""
        handle = _value_handle(path)
        return self._uuids.get((_address(path), handle)) or self._uuids.get(("", handle), "")

    def _asking(self, what: str, path: str, log: HostLog) -> None:
        if what == "read":
            self._asked = path
            return
        typed, self._typed = self._typed, None
        data = _numbers(typed) if typed is not None else None
        handle = _value_handle(path)
        if data is None:
            log.add_problem(f"a write to {path} of which the text does not show the bytes")
        elif handle:
            log.add_value(WRITE_WITHOUT_RESPONSE, data, handle=handle, uuid=self._uuid(path), link=_address(path))


def _value_handle(path: str) -> int:
    """Return the handle of the value at a path; that of a descriptor is its own; 0 for another path."""
    found = _HANDLE.search(path)
    if not found:
        return 0
    return int(found[2], 16) if found[2] else min(int(found[1], 16), _HIGHEST) + 1


def _address(path: str) -> str:
    found = _DEVICE.search(path)
    return found[1].replace("_", ":").upper() if found else ""


def _numbers(typed: str) -> bytes | None:
    """Return the bytes of `write`: in quotation marks, or the first word; None where one is no byte."""
    quoted = re.match(r"""["']([^"']*)["']""", typed)
    words = quoted[1].split() if quoted else typed.split()[:1]
    try:
        numbers = [int(re.sub(r"^0(?=[0-7])", "0o", word), 0) for word in words]
    except ValueError:
        return None
    return bytes(numbers) if all(0 <= number <= _BYTE for number in numbers) else None
