"""Why an adapter behind a transport string cannot be opened, in one sentence that says what to do."""

from __future__ import annotations

import errno

from bluewatt.errors import AdapterUnavailable

_BY_NUMBER = {
    errno.EBUSY: "busy", errno.EADDRINUSE: "busy", errno.EALREADY: "busy",
    errno.ENOENT: "missing", errno.ENODEV: "missing", errno.ENXIO: "missing",
    errno.EACCES: "permission", errno.EPERM: "permission",
    errno.ECONNREFUSED: "nobody",
    errno.EAFNOSUPPORT: "unsupported", errno.EPROTONOSUPPORT: "unsupported",
    errno.ETIMEDOUT: "unreachable", errno.EHOSTUNREACH: "unreachable", errno.ENETUNREACH: "unreachable",
}  # fmt: skip
if hasattr(errno, "EUSERS"):  # what Linux says of an adapter whose user channel another program has; not on Windows
    _BY_NUMBER[errno.EUSERS] = "busy"

# By name, so that no library of a transport is imported that is not used.
_BY_CLASS = {
    "USBErrorBusy": "busy",
    "USBErrorAccess": "permission",
    "USBErrorNoDevice": "missing",
    "USBErrorNotFound": "missing",
    "USBErrorNotSupported": "unsupported",
    "USBErrorOther": "no bus",
    "NoBackendError": "no bus",
    "TransportInitError": "missing",
    "TransportSpecError": "string",
    "gaierror": "unknown host",
    "TimeoutError": "unreachable",
}

_ADAPTERS = "run bluewatt adapters for those there are"

_SENTENCES = {
    "busy": "another program is using it; end that program first",
    "missing": "it is not there",
    "permission": "this user may not open it (root may)",
    "nobody": "nothing listens there; start the program that serves the adapter, such as bluewatt emulate",
    "unsupported": "this system does not offer that kind of adapter",
    "unreachable": "nothing answers there; look whether the address is right and the network is up",
    "unknown host": "no computer of that name is known",
    "no bus": "this computer's USB cannot be used; install libusb, or share /dev/bus/usb with the container",
    "string": "this is no transport string such as vhci, usb:0 or tcp-server:127.0.0.1:7001",
    "unknown": "the system gives no reason",
}
"""Problem → what happened and what to do, for any transport without a sentence of its own."""

_USB_PERMISSION = "this user may not open the USB device; become root, or allow it by a udev rule"
_OWN_SENTENCES = {
    ("hci-socket", "busy"): (
        "another program or this computer's own Bluetooth is using the adapter; end that program, and run: "
        "bluetoothctl power off"
    ),
    ("hci-socket", "missing"): f"there is no such adapter; {_ADAPTERS}",
    (
        "hci-socket",
        "permission",
    ): "this user may not open the adapter (root, or the capability CAP_NET_ADMIN, may)",
    ("hci-socket", "string"): "write hci-socket:NUMBER, such as hci-socket:0",
    ("hci-socket", "unsupported"): "this system or its Python has no Bluetooth sockets; use ble: or usb:0",
    ("usb", "missing"): f"no such Bluetooth adapter is plugged in; {_ADAPTERS}",
    ("usb", "permission"): _USB_PERMISSION,
    (
        "usb",
        "string",
    ): "write usb:NUMBER, usb:VENDOR:PRODUCT or usb:BUS-PORT, such as usb:0 or usb:1-1.2",
    ("usb", "unsupported"): "its driver does not let programs use it; on Windows give it the driver WinUSB",
    ("pyusb", "missing"): f"no such Bluetooth adapter is plugged in; {_ADAPTERS}",
    ("pyusb", "permission"): _USB_PERMISSION,
    ("serial", "unknown"): "no adapter can be used there; name a serial port, such as serial:/dev/ttyACM0",
    ("serial", "string"): "write serial:PORT or serial:PORT,SPEED, such as serial:/dev/ttyACM0",
    ("serial", "permission"): "this user may not open the port; add it to the group dialout",
    ("tcp-client", "string"): "write tcp-client:HOST:PORT, such as tcp-client:127.0.0.1:7001",
    ("tcp-server", "string"): "write tcp-server:HOST:PORT, such as tcp-server:127.0.0.1:7001",
    ("tcp-server", "busy"): "another program listens there already; end it, or choose another port",
    ("vhci", "missing"): "the kernel has no virtual adapter loaded; run: sudo modprobe hci_vhci",
    ("vhci", "permission"): "this user may not make a virtual adapter (root may)",
}

HUNG_UP = "{} hung up at once: it serves one program at a time, and another is connected; end that one first"
"""What happened if a served adapter closes a connection that it has just accepted."""


def hci_unavailable(transport: str, error: Exception) -> AdapterUnavailable:
    """Return the error of our own tree for what a driver library or the system raised while opening a transport."""
    kind = transport.partition(":")[0]
    problem = _problem(kind, error)
    why = _OWN_SENTENCES.get((kind, problem)) or (problem == "unknown" and str(error)) or _SENTENCES[problem]
    reason = problem if problem in ("busy", "permission") else "missing"
    return AdapterUnavailable(f"cannot open the Bluetooth transport {transport}: {why}", reason=reason)


def _problem(kind: str, error: Exception) -> str:
    """Return a key of `_SENTENCES`, or "unknown"."""
    for known in type(error).__mro__:
        if known.__name__ in _BY_CLASS:
            return _BY_CLASS[known.__name__]
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or 0, "unknown")
    if isinstance(error, (ValueError, AssertionError)):  # the libraries take the string apart without looking
        return "string"
    return "unsupported" if kind == "hci-socket" else "unknown"
