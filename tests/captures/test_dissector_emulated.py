"""Every emulated family, recorded at several MTUs: tshark with the dissector says what our own transcript says."""

from __future__ import annotations

from typing import Any

import pytest

from bench import talks
from bluewatt.services.emulator import FAMILIES, EmulatedDevice
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.device import DeviceSide
from bluewatt.wire.victronconnect.messages import GetDevices, GetValues, SetValues, Subscribe
from bluewatt.wire.victronconnect.session import Session
from tests.captures.test_dissector import Shark, compare, experts, leaves, report, shark
from tests.making.devices import emulated_device

__all__ = ["shark"]

AT_ONCE = 4
"""Registers asked for in one message."""


def recorded(device: EmulatedDevice, mtu: int) -> bytes:
    """A visit to a device: its advertisement, every register it has read and one written, its advertisement again."""
    address = bytes.fromhex(device.address.replace(":", ""))[::-1]
    heard = talks.DEVICE, report(device.advertisement(0.0), address)
    rows = [heard, (talks.DEVICE, talks.connected(0x40, address))]
    client, peer = Session(ClientSide(keep_alive=None), mtu=mtu), Session(DeviceSide(device.registers), mtu=mtu)
    peer.open(0.0)
    spoken = [*talks.declarations(), *talks._exchange(client, peer, 0.0, client.open(0.0))]
    known = list(device.registers)
    questions: list[Any] = [GetDevices(), *(Subscribe(instance) for instance, _ in device.family.instances)]
    for instance in sorted({instance for instance, _ in known}):
        numbers = [number for own, number in known if own == instance]
        parts = (numbers[at : at + AT_ONCE] for at in range(0, len(numbers), AT_ONCE))
        questions += [GetValues(instance, tuple(part)) for part in parts]
    for message in (*questions, SetValues(0, ((0x010C, b"Bow"),)), GetValues(0, (0x7777,))):
        spoken += talks._exchange(client, peer, 0.0, client.send(message, 0.0))
    for packet in spoken:
        rows += talks.acl(packet, 0x40)
    return talks.btsnoop([*rows, (talks.DEVICE, talks.disconnected(0x40)), heard])


@pytest.mark.parametrize("mtu", [23, 77, 247])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_emulated_device_message_by_message(family: str, mtu: int, shark: Shark) -> None:
    device = emulated_device(family, mtu=mtu)
    capture = recorded(device, mtu)
    messages, frames = compare(capture, shark)
    assert messages > len(list(device.registers))
    assert frames > 5
    roots = shark.tree(capture)
    assert experts(roots[0]) == {"key_missing"}
    expected = {row.name for row in device.family.record.rows if not row.hidden}
    assert experts(roots[-1]) == set(), "the key was read in the capture"
    assert expected & dict(leaves(roots[-1])).keys()
