"""Which transports lead to an adapter that this process can be the host of. Without any library."""

from __future__ import annotations

KINDS = ("usb", "pyusb", "hci-socket", "serial", "tcp-client", "ws-client", "unix-client")
"""The transports, by what stands before their colon, behind which there is an adapter."""


DEFAULT_RADIO = "ble:"
