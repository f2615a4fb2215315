"""The names of radios, for modules that import no library for Bluetooth."""

from __future__ import annotations

KINDS = ("usb", "pyusb", "hci-socket", "serial", "tcp-client", "ws-client", "unix-client")
"""The kinds of transport strings, before their colon, that lead to an adapter whose host this process can be."""

DEFAULT_RADIO = "ble:"
"""The radio where none is named: this computer's Bluetooth."""
