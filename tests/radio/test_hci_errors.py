"""A transport that does not open says what happened and what to do, without the words of driver libraries."""

from __future__ import annotations

import errno
import os
import re
import socket

import pytest
import usb1
from bumble.transport.common import Transport, TransportInitError, TransportSpecError
from serial import SerialException
from usb.core import NoBackendError, USBError

from bluewatt.errors import AdapterUnavailable
from bluewatt.transports import hci_transport
from bluewatt.transports.hosted_adapter import HostedAdapter


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("transport", "error", "reason", "sentence"),
    [
        ("usb:0", usb1.USBErrorBusy(), "busy", "another program is using it; end that program first"),
        ("usb:0", usb1.USBErrorAccess(), "permission", "may not open the USB device"),
        ("usb:0", usb1.USBErrorNoDevice(), "missing", "run bluewatt adapters"),
        ("usb:7", TransportInitError("device not found"), "missing", "run bluewatt adapters"),
        ("usb:0", usb1.USBErrorNotSupported(), "missing", "WinUSB"),
        ("usb:0", usb1.USBErrorOther(), "missing", "share /dev/bus/usb"),
        ("usb:x", ValueError("invalid literal for int() with base 10: 'x'"), "missing", "write usb:NUMBER"),
        ("pyusb:0", USBError("busy", errno=errno.EBUSY), "busy", "another program is using it"),
        ("pyusb:0", NoBackendError("No backend available"), "missing", "install libusb"),
        ("hci-socket:0", system(errno.EBUSY), "busy", "run: bluetoothctl power off"),
        ("hci-socket:0", system(errno.EUSERS), "busy", "another program or this computer's own Bluetooth"),
        ("hci-socket:0", system(errno.EPERM), "permission", "CAP_NET_ADMIN"),
        ("hci-socket:3", system(errno.ENODEV), "missing", "there is no such adapter; run bluewatt adapters"),
        ("hci-socket:0", Exception("HCI sockets not supported"), "missing", "use ble: or usb:0"),
        ("tcp-client:boat:7001", socket.gaierror(-2, "Name or service not known"), "missing", "no computer of that"),
        ("tcp-client:10.0.0.1:1", system(errno.EHOSTUNREACH), "missing", "nothing answers there"),
        ("tcp-client:10.0.0.1", ValueError("not enough values to unpack"), "missing", "write tcp-client:HOST:PORT"),
        ("tcp-server:_:7001", system(errno.EADDRINUSE), "busy", "choose another port"),
        ("serial:/dev/ttyACM0", SerialException(errno.EBUSY, "could not open"), "busy", "another program is using it"),
        ("serial:/etc/passwd", SerialException("(25, 'ioctl')"), "missing", "name a serial port"),
        ("vhci", system(errno.ENOENT), "missing", "sudo modprobe hci_vhci"),
        ("radio:1", TransportSpecError("unknown transport scheme"), "missing", "this is no transport string such as"),
        ("usb:0", RuntimeError(), "missing", "the system gives no reason"),
        ("usb:0", RuntimeError("the driver is tired"), "missing", "the driver is tired"),
    ],
)
async def test_every_refusal_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, transport: str, error: Exception, reason: str, sentence: str
) -> None:
    async def refuse(where: str) -> Transport:
        raise error

    monkeypatch.setattr(hci_transport, "open_transport", refuse)
    monkeypatch.setattr(hci_transport, "open_tcp_server", refuse)
    with pytest.raises(AdapterUnavailable) as refused:
        await HostedAdapter(transport).__aenter__()
    told = str(refused.value)
    assert told.startswith(f"cannot open the Bluetooth transport {transport}: ")
    assert sentence in told
    assert refused.value.reason == reason
    assert not re.search(r"Errno|LIBUSB|Error|literal|unpack|ioctl", told.partition(transport)[2])
