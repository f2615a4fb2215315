"""What bleak and the system bus raise for an adapter, as one sentence that says what to do."""

from __future__ import annotations

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError, BleakError

from bluewatt.errors import AdapterUnavailable

_SENTENCES = {
    "missing": "there is no Bluetooth adapter{adapter}; run bluewatt adapters for those there are, or plug one in",
    "off": "the Bluetooth adapter{adapter} is switched off; run: rfkill unblock bluetooth && bluetoothctl power on",
    "permission": "this user may not use Bluetooth; add it to the group bluetooth, or allow it in the system settings",
    "service": "the Bluetooth service is not running; run: sudo systemctl start bluetooth",
    "bus": "the system bus cannot be reached; start D-Bus, or share /run/dbus/system_bus_socket with the container",
    "role": "the Bluetooth adapter{adapter} cannot scan for low-energy devices; choose another adapter",
    "busy": "another program is using the Bluetooth adapter{adapter}; end it, or restart the Bluetooth service",
    "stuck": "the Bluetooth adapter{adapter} does not answer; restart the Bluetooth service, or replug the adapter",
    "unknown": "the Bluetooth adapter{adapter} cannot be used: {detail}",
}

_REASONS = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: "missing",
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: "role",
    BleakBluetoothNotAvailableReason.POWERED_OFF: "off",
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: "permission",
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: "permission",
    BleakBluetoothNotAvailableReason.DENIED_BY_UNKNOWN: "permission",
}

_DBUS_NAMES = {
    "org.freedesktop.DBus.Error.ServiceUnknown": "service",
    "org.freedesktop.DBus.Error.NameHasNoOwner": "service",
    "org.freedesktop.DBus.Error.NoReply": "service",
    "org.freedesktop.DBus.Error.Disconnected": "bus",
    "org.freedesktop.DBus.Error.AccessDenied": "permission",
    "org.freedesktop.DBus.Error.UnknownObject": "missing",
    "org.freedesktop.DBus.Error.UnknownMethod": "missing",
    "org.bluez.Error.NotReady": "off",
    "org.bluez.Error.NotAuthorized": "permission",
    "org.bluez.Error.InProgress": "busy",
}

AdapterErrors = (BleakError, OSError, EOFError)
"""What opening or closing a scanner may raise for faults of the adapter; anything else is a bug."""


def adapter_unavailable(error: BaseException, adapter: str | None = None) -> AdapterUnavailable:
    """Return the error of our own tree for what bleak, dbus-fast or the system raised while opening an adapter."""
    reason = _reason(error)
    sentence = _SENTENCES[reason].format(
        adapter=f" {adapter}" if adapter else "", detail=str(error) or type(error).__name__
    )
    return AdapterUnavailable(sentence, reason=reason)


def _reason(error: BaseException) -> str:
    if isinstance(error, BleakBluetoothNotAvailableError):
        return _REASONS.get(error.reason, "unknown")
    if isinstance(error, BleakDBusError):
        not_started = error.dbus_error.startswith("org.freedesktop.DBus.Error.Spawn.")
        return "service" if not_started else _DBUS_NAMES.get(error.dbus_error, "unknown")
    if isinstance(error, TimeoutError):
        return "stuck"
    if isinstance(error, PermissionError):
        return "permission"
    if isinstance(error, (OSError, EOFError)):
        return "bus"
    # bleak names a missing adapter in words only.
    return "missing" if "adapter" in str(error) and "not found" in str(error) else "unknown"
