"""Which signals of the system bus mean that a scan has died."""

from __future__ import annotations

from typing import Any

import pytest
from dbus_fast import Message, MessageType, Variant

from bluewatt.transports.ble.bluez.watch import BluezWatch

PROPERTIES = "org.freedesktop.DBus.Properties"
MANAGER = "org.freedesktop.DBus.ObjectManager"
ADAPTER = "org.bluez.Adapter1"


def signal(path: str, interface: str, member: str, signature: str, body: list[Any]) -> Message:
    return Message(
        message_type=MessageType.SIGNAL,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=body,
        sender=":1.2",
    )


def owner(name: str, old: str, new: str) -> Message:
    return signal("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "sss", [name, old, new])


def removed(path: str, *interfaces: str) -> Message:
    return signal("/", MANAGER, "InterfacesRemoved", "oas", [path, list(interfaces)])


def changed(path: str, interface: str, properties: dict[str, Variant]) -> Message:
    return signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, properties, []])


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (owner("org.bluez", ":1.5", ""), ["service"]),
        (owner("org.bluez", "", ":1.6"), ["service"]),
        (owner("org.other", ":1.5", ""), []),
        (removed("/org/bluez/hci0", ADAPTER, PROPERTIES), ["missing"]),
        (removed("/org/bluez/hci1", ADAPTER), []),
        (removed("/org/bluez/hci0/dev_1", "org.bluez.Device1"), []),
        (changed("/org/bluez/hci0", ADAPTER, {"Powered": Variant("b", False)}), ["off"]),
        (changed("/org/bluez/hci0", ADAPTER, {"Powered": Variant("b", True)}), []),
        (changed("/org/bluez/hci0", ADAPTER, {"Discovering": Variant("b", False)}), []),
        (changed("/org/bluez/hci1", ADAPTER, {"Powered": Variant("b", False)}), []),
        (changed("/org/bluez/hci0/dev_1", "org.bluez.Device1", {"RSSI": Variant("n", -50)}), []),
        (signal("/x", "org.other", "SomethingElse", "", []), []),
    ],
)
def test_only_what_kills_the_scan_of_the_chosen_adapter_is_told(message: Message, told: list[str]) -> None:
    heard: list[str] = []
    BluezWatch("hci0", heard.append)._on_message(message)
    assert heard == told


def test_without_a_chosen_adapter_any_is_ours() -> None:
    heard: list[str] = []
    BluezWatch(None, heard.append)._on_message(removed("/org/bluez/hci1", ADAPTER))
    assert heard == ["missing"]
