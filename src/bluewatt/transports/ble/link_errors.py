"""What went wrong with a link, in one sentence that says what to do; errors of our own tree for those of bleak."""

from __future__ import annotations

import re
from difflib import get_close_matches

from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError

from bluewatt.errors import DeviceRefused, LinkError, LinkLost, LinkTimeout, PairingFailed
from bluewatt.tables.gatt import ResultCode
from bluewatt.tables.registers import registers, rows_with_number

LinkErrors = (BleakError, OSError, EOFError, AssertionError, TimeoutError)
"""What bleak and the system raise for faults of a connection (bleak asserts if a bus died); anything else is a bug."""

_UNPAIRED = frozenset({0x05, 0x08, 0x0C, 0x0E, 0x0F})
"""ATT errors of a link that is not paired: authentication, authorization, key size, "unlikely", encryption.

0x0E was seen in place of 0x05 (protocol pages victronconnect-gatt, section 3, and smartshunt-gatt, section 3).
"""

_BOND_DENIED = frozenset({0x05, 0x0C, 0x0F})
"""ATT errors that say that a bond is worth nothing: authentication, key size, encryption."""

_BOND_DENIED_DBUS = frozenset({"org.bluez.Error.AuthenticationFailed", "org.bluez.Error.AuthenticationRejected"})
_NOT_PERMITTED, _NOT_PAIRED = "org.bluez.Error.NotPermitted", "not paired"
_BOND_DENIED_WORDS = ("PIN_OR_KEY_MISSING", "AUTHENTICATION_FAILURE", "KEY-MISSING")
"""Words of bumble and BlueZ for a link that could not be encrypted with the key of the bond."""

_UNPAIRED_DBUS = frozenset({"org.bluez.Error.NotPermitted", "org.bluez.Error.NotAuthorized"})

_ATT_CODE = re.compile(r"ATT error: (0x[0-9a-fA-F]{2})")

_CODES = {
    ResultCode.UNKNOWN_REGISTER: "it does not have it",
    ResultCode.NOT_ACCEPTABLE: "it does not accept that value, or not now",
    ResultCode.ACCESS_REFUSED: "it may not be read, or not be written",
    ResultCode.PARAMETER_ERROR: "it cannot make sense of the request",
}


def refused(name: str, register: int, code: int) -> DeviceRefused:
    """Return the error for a refusal code of the device."""
    rows = rows_with_number(register)
    label = f"0x{register:04X}" + (f" ({rows[0].key})" if rows else "")
    why = _CODES.get(ResultCode(code), "") if code in list(ResultCode) else "nobody knows what that means"
    return DeviceRefused(f"{name} refused register {label}: {why} (code {code})", register=register, code=code)


def is_unpaired(error: BaseException) -> bool:
    """Return whether an error of a read or of a subscription says that the link is not paired."""
    if isinstance(error, BleakGATTProtocolError):
        return int(error.code) in _UNPAIRED
    return isinstance(error, BleakDBusError) and (
        error.dbus_error in _UNPAIRED_DBUS or "0x0e" in str(error).lower() or "0x05" in str(error).lower()
    )


def denies_bond(error: BaseException) -> bool:
    """Return whether an error, or what caused it, says expressly that the other side does not have our bond."""
    cause: BaseException | None = error
    while cause is not None:
        if _says_no_bond(cause):
            return True
        cause = cause.__cause__
    return False


def _says_no_bond(error: BaseException) -> bool:
    if isinstance(error, BleakGATTProtocolError):
        return int(error.code) in _BOND_DENIED
    if isinstance(error, BleakDBusError):
        if error.dbus_error == _NOT_PERMITTED:  # also what cannot be read by anybody
            return _NOT_PAIRED in str(error).lower()
        if error.dbus_error in _BOND_DENIED_DBUS:
            return True
        code = _ATT_CODE.search(str(error))
        if code and int(code[1], 16) in _BOND_DENIED:
            return True
    return isinstance(error, BleakError) and any(word in str(error).upper() for word in _BOND_DENIED_WORDS)


def pin_needed(name: str) -> PairingFailed:
    """Return the error for a device that wants to be paired when nobody gave its PIN."""
    return PairingFailed(
        f"{name} must be paired first: give its PIN with --pin (on its label; 000000 on older devices)", reason="pin"
    )


def wrong_pin(name: str) -> PairingFailed:
    """Return the error for a PIN that the device refused."""
    return PairingFailed(
        f"{name} refused the PIN: it is on the label of the device unless its owner changed it (VictronConnect can"
        " reset it)",
        reason="pin",
    )


def bond_lost(name: str) -> PairingFailed:
    """Return the error for a bond on which this computer and the device no longer agree."""
    return PairingFailed(
        f"{name} no longer knows this computer (its PIN was changed or its pairings were erased): give its PIN with"
        " --pin to pair again",
        reason="bond",
    )


def closed_to_bond(name: str) -> LinkLost:
    """Return the error for a device that is connected with its bond and shows no values: no proof of a lost bond."""
    return LinkLost(
        f"{name} shows nothing, though it is paired with this computer: try again; if its PIN was changed or its"
        " pairings were erased, remove it from this computer's Bluetooth settings and give its PIN with --pin"
    )


def not_connected(name: str, error: BaseException) -> LinkError:
    """Return the error for a device that was heard when connecting to it failed."""
    if isinstance(error, TimeoutError) or "timed out" in str(error).lower() or "timeout" in str(error).lower():
        return LinkTimeout(
            f"{name} was heard and does not take the connection: it is at the edge of the range, or another phone or"
            " program connected to it at this moment"
        )
    if "inprogress" in str(error).lower().replace(" ", ""):
        return LinkLost(
            f"{name} is being dialled already, by another program or a try that has not ended: wait a moment, try again"
        )
    return LinkLost(
        f"the connection to {name} could not be set up: {str(error) or type(error).__name__}; go nearer and try again"
    )


def link_lost(name: str) -> LinkLost:
    """Return the error for a connection that ended while it was used."""
    return LinkLost(
        f"{name} disconnected in the middle: it went out of range, was switched off, or its Bluetooth adapter or"
        " service here ended; try again"
    )


def unknown_name(name: str, family: str | None) -> str:
    """Return the sentence for a name that no register has, with the names that look like it."""
    rows = [row for row in registers(family) if row.readable]
    near = get_close_matches(name, dict.fromkeys([row.metric or row.key for row in rows] + [row.key for row in rows]))
    hint = f"did you mean {', '.join(near)}?" if near else "bluewatt reference registers lists them"
    device = f"a device of the family {family}" if family else "a device of an unknown family"
    return f"{device} has no register {name!r}; {hint}"
