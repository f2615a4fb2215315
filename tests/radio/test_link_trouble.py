"""Devices that misbehave: each ends in one clear error and a closed link, never in a hang or a wrong value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator, Running
from bluewatt.errors import LinkLost, LinkTimeout, PairingFailed
from bluewatt.model.pins import parse_pin
from bluewatt.monotonic import monotonic
from bluewatt.services.readout import read_group, read_history
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.tables.gatt import DataCharacteristic
from bluewatt.transports.ble.central import Central, DeviceQuery, NearbyDevice
from bluewatt.transports.ble.channel import Clock
from bluewatt.transports.ble.link import BleLink
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.control import Header
from bluewatt.wire.victronconnect.device import Personality
from tests.radio.test_link import TODAY

PIN = "004711"
Notified = Callable[[str, bytes], bytes | None]
"""(characteristic, bytes) about to be notified → what to notify in their place, None for nothing."""


@pytest.fixture
async def charger(radio: VirtualRadio) -> AsyncIterator[Running]:
    plan = EmulatedDeviceConfig(family="mppt", pin=PIN)
    async with Emulator([plan], radio=radio, seed=5, start=DEFAULT_START) as emulator:
        yield emulator.running[0]


@pytest.fixture
def link(charger: Running, adapter: VirtualAdapter) -> BleLink:
    side = ClientSide(answer_timeout=0.4, slot_timeout=0.4)
    return BleLink(Central(virtual=adapter), DeviceQuery.of(charger.device.address), pin=PIN, side=side)


def meddle(charger: Running, notified: Notified) -> None:
    """Let every notification of the device pass through `notified`."""
    radio: Any = charger.peripheral.radio
    honest = radio.notify_subscriber

    async def notify(connection: Any, attribute: Any, value: bytes) -> None:
        changed = notified(str(attribute.uuid).lower(), bytes(value))
        if changed is not None and charger.peripheral.client is not None:
            await honest(connection, attribute, changed)

    radio.notify_subscriber = notify


async def test_gone_in_the_middle_of_a_bulk_transfer(charger: Running, link: BleLink) -> None:
    async with link:
        chunks: list[bytes] = []

        def leave(uuid: str, data: bytes) -> bytes | None:
            if uuid == DataCharacteristic.BULK.value:
                chunks.append(data)
                asyncio.get_running_loop().create_task(charger.peripheral.client.disconnect())
            return data

        meddle(charger, leave)
        with pytest.raises(LinkLost, match="disconnected in the middle"):
            await read_group(link, "all")
        assert chunks, "it happened inside a message of several chunks"
        with pytest.raises(LinkLost):
            await link.get("battery_voltage")
        with pytest.raises(LinkLost):
            await anext(link.subscribe())


async def test_malformed_answers_are_named_and_give_no_value(charger: Running, link: BleLink) -> None:
    async with link:
        meddle(charger, lambda uuid, data: b"\x08\x03\x19\xed" if uuid == DataCharacteristic.LAST.value else data)
        with pytest.raises(LinkTimeout, match="sent bytes that do not parse"):
            await link.get("battery_voltage")


async def test_a_truncated_item_inside_a_bulk_answer_spoils_that_answer_only(charger: Running, link: BleLink) -> None:
    async with link:
        await link.get_many([0x0FFE])  # refused, which proves the array dialect: nothing is asked twice from here on
        spoiled = [0]

        def cut(uuid: str, data: bytes) -> bytes:
            if uuid == DataCharacteristic.LAST.value and not spoiled[0] and b"\x19\xed\xf0" in data:
                spoiled[0] += 1
                return data[:-1]
            return data

        meddle(charger, cut)
        with pytest.raises(LinkTimeout, match="do not parse"):
            await link.get("battery_maximum_current")
        assert (await link.get("battery_maximum_current")).value


async def test_a_register_of_the_wrong_length_is_a_problem_not_a_value(charger: Running, link: BleLink) -> None:
    registers: Any = charger.device.registers
    honest = registers.get
    registers.get = lambda instance, register: b"\1\2\3" if register == 0xEDDA else honest(instance, register)
    async with link:
        told = await link.get(0xEDDA)
        assert told.value is None
        assert "3 bytes" in told.problem
        assert (await link.get("battery_voltage")).value


async def test_a_silent_device_ends_in_a_timeout(charger: Running, link: BleLink) -> None:
    async with link:
        meddle(charger, lambda uuid, data: None)
        with pytest.raises(LinkTimeout, match="is connected and does not answer for register 0xED8D"):
            await link.get("battery_voltage")


async def test_a_device_that_says_nothing_from_the_start_does_not_hang_the_opening(
    charger: Running, adapter: VirtualAdapter
) -> None:
    meddle(charger, lambda uuid, data: None)
    side = ClientSide(answer_timeout=0.2, slot_timeout=0.2)
    clock = Clock(lambda: monotonic() * 10, 10)
    link = BleLink(Central(virtual=adapter), DeviceQuery.of(charger.device.address), pin=PIN, side=side, clock=clock)
    async with asyncio.timeout(20), link:
        with pytest.raises(LinkTimeout):
            await link.get("battery_voltage")


async def test_far_more_messages_than_credits(charger: Running, link: BleLink) -> None:
    async with link:
        for _ in range(260):
            assert (await link.get("battery_voltage")).value


async def test_credits_that_ran_dry_come_back(charger: Running, link: BleLink) -> None:
    async with link:
        assert (await link.get("battery_voltage")).value
        charger.peripheral._link.session.credit = 0  # as if every answer we paid for had been lost on the way
        with pytest.raises(LinkTimeout):
            await link.get("battery_voltage")
        assert (await link.get("battery_voltage")).value


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("indefinite", [True, False])
async def test_the_other_array_dialect_is_found(
    charger: Running, link: BleLink, silent: bool, indefinite: bool
) -> None:
    header = Header(protocol_version=1, max_message=80)
    dialects = frozenset({indefinite})
    charger.device.personality = Personality(header, dialects=dialects, silent=silent)
    async with link:
        assert (await link.get("battery_voltage")).value
        assert len((await read_history(link, today=TODAY)).days) == 31
        assert link._channel.side.indefinite == indefinite  # type: ignore[union-attr]


async def test_a_slow_answer_is_waited_for(charger: Running, adapter: VirtualAdapter) -> None:
    radio: Any = charger.peripheral.radio
    honest = radio.notify_subscriber

    async def notify(*arguments: Any) -> None:
        await asyncio.sleep(0.1)
        await honest(*arguments)

    async with BleLink(Central(virtual=adapter), DeviceQuery.of(charger.device.address), pin=PIN) as link:
        radio.notify_subscriber = notify
        assert (await link.get("battery_voltage")).value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("12345", "it is 0NNNNN"),
        ("123", "it is 000NNN"),
        ("1234567", "this one has 7"),
        ("12a456", "a text of 6 digits"),
        ("", "a text of 6 digits"),
        ("٠١٢٣٤٥", "a text of 6 digits"),
    ],
)
def test_what_is_no_pin(text: str, said: str) -> None:
    with pytest.raises(PairingFailed, match=said) as refused:
        parse_pin(text)
    assert refused.value.exit_code == 5
    assert not text or text not in str(refused.value)
    assert parse_pin(" 004711 ") == "004711"


async def test_a_device_that_says_it_takes_no_connection_is_named_before_it_is_dialled(
    charger: Running, adapter: VirtualAdapter
) -> None:
    """A hint from a single source: said, and no reason not to try."""
    told: list[str] = []

    class Refused(Central):
        async def find(self, wanted: DeviceQuery, *, seconds: float = 10, nearest: float = 5) -> NearbyDevice:
            found = await super().find(wanted, seconds=seconds, nearest=nearest)
            assert not found.refuses
            return msgspec.structs.replace(found, refuses=True)

        async def dial(self, nearby: NearbyDevice, *arguments: Any) -> Any:
            assert told, "said before it dials"
            return await super().dial(nearby, *arguments)

    wanted = DeviceQuery.of(charger.device.address)
    async with BleLink(Refused(virtual=adapter), wanted, pin=PIN, notice=told.append) as link:
        assert (await link.get("battery_voltage")).value
    assert len(told) == 1
    assert "takes no connection now" in told[0]
