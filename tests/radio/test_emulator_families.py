"""Every emulated family through a client's eyes: all registers, key and advertisement, history, settings, MTU."""

from __future__ import annotations

import asyncio
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from bleak import BleakScanner

from bluewatt.app.emulation import EmulatedDeviceConfig
from bluewatt.services.emulator import FAMILIES, EmulatedDevice
from bluewatt.tables.gatt import COMPANY_ID, DATA_SERVICE, SECOND_DATA_SERVICE
from bluewatt.tables.registers import by_key, lookup
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio
from bluewatt.wire.instant_readout.advertisement import decode_advertisement, parse_advertisement
from bluewatt.wire.registers.values import decode_value, encode_value
from tests.central import PATIENCE

COMMANDS = {"synchronize", "inverter_nvm_command", "pin_code"}


def number(key: str, device: EmulatedDevice) -> int:
    row = by_key(key, device.family.table)
    assert row is not None
    return row.id


async def value(session: Any, device: EmulatedDevice, key: str, instance: int | None = None) -> Any:
    row = by_key(key, device.family.table)
    assert row is not None
    (answer,) = await session.get(device.family.data_instance if instance is None else instance, row.id)
    return answer if isinstance(answer, int) else decode_value(row, answer)


async def write(session: Any, device: EmulatedDevice, key: str, what: Any, instance: int | None = None) -> bytes | int:
    row = by_key(key, device.family.table)
    assert row is not None
    place = device.family.data_instance if instance is None else instance
    return await session.set(place, row.id, encode_value(row, what))


async def heard(adapter: VirtualAdapter, address: str, *, first_byte: int = 0x10) -> Any:
    """The next advertisement of a device that begins with this byte, and its name."""
    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def hear(device: Any, data: Any) -> None:
        payload = data.manufacturer_data.get(COMPANY_ID, b"")
        if device.address == address and payload[:1] == bytes([first_byte]) and data.local_name and not found.done():
            found.set_result(data)

    async with BleakScanner(hear, backend=adapter.scanner):
        return await asyncio.wait_for(found, PATIENCE)


@pytest.mark.parametrize("key", FAMILIES)
async def test_all_registers_of_a_family_are_read_and_mean_what_the_device_says(
    radio, adapter, talk, key, emulator
) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family=key)) as running:
        device = running.running[0].device
        family = device.family
        async with talk(adapter, device.address, instance=family.data_instance) as session:
            for instance in sorted({0, family.data_instance}):
                listed = [register for place, register in device.registers if place == instance]
                answers = dict(zip(listed, await session.get(instance, *listed), strict=True))
                for register, answer in answers.items():
                    row = lookup(register, family.table)
                    assert row is not None
                    if row.key in COMMANDS:
                        assert answer == 3, row.key
                    else:
                        assert isinstance(answer, bytes), (row.key, answer)
                        decode_value(row, answer)
            assert await session.get(0, 0xEC0E, 0x0004) == [1, 1]
            record = device.plant.record(running.clock.now())
            voltage = await value(session, device, "battery_voltage")
            shown = record.as_dict()
            expected = next(
                shown[name] for name in ("battery_voltage", "output_voltage", "battery_voltage_1") if name in shown
            )
            assert voltage == (None if expected is None else pytest.approx(expected, abs=0.1))
            assert (await value(session, device, "product_id", 0))["product_id"] == family.product_id
            assert (await value(session, device, "firmware_version", 0))["version"].as_json() == family.firmware
            assert await session.devices() == family.instances


@pytest.mark.parametrize("key", FAMILIES)
async def test_the_key_register_opens_the_advertisement(radio, adapter, talk, key, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family=key)) as running:
        device = running.running[0].device
        data = await heard(adapter, device.address)
        assert data.local_name == device.name
        async with talk(adapter, device.address, instance=None) as session:
            mac, advertisement_key = await session.get(0, 0xEC66, 0xEC65)
        assert mac == bytes.fromhex(device.address.replace(":", ""))
        record = decode_advertisement(data.manufacturer_data[COMPANY_ID], advertisement_key)
        assert type(record) is device.family.record
        assert parse_advertisement(data.manufacturer_data[COMPANY_ID]).product_id == device.family.product_id


async def test_thirty_one_days_of_history(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="mppt")) as running:
        device = running.running[0].device
        async with talk(adapter, device.address) as session:
            total = await value(session, device, "history_total")
            assert total["days_available"] == 30, "the days behind today: one record more is there"
            days = [await value(session, device, f"history_day_{ago:02d}") for ago in range(31)]
    assert all(day["version"] == 0 for day in days)
    numbers = [day["day_sequence"] for day in days]
    assert all((after + 1) % 365 == before for before, after in itertools.pairwise(numbers))
    assert all(0 < day["yield"] < 5 for day in days[1:])
    assert max(day["maximum_pv_voltage"] for day in days) == total["maximum_pv_voltage"]


async def test_a_mode_acts_and_survives_a_restart(tmp_path: Path, talk, emulator) -> None:
    async def once(act: Any) -> Any:
        async with (
            VirtualRadio() as radio,
            VirtualAdapter(radio, pin="000000") as adapter,
            emulator(radio, EmulatedDeviceConfig(family="phoenix"), state=tmp_path, speed=5) as running,
        ):
            device = running.running[0].device
            async with talk(adapter, device.address) as session:
                return await act(session, device)

    async def to_off(session: Any, device: EmulatedDevice) -> Any:
        before = await value(session, device, "device_mode"), await value(session, device, "device_state")
        assert await write(session, device, "device_mode", 1) == 2, "a charger's mode"
        assert await write(session, device, "device_mode", 4) == b"\x04"
        await session.until(lambda: session.values.get((3, number("device_state", device))) == b"\x00")
        await write(session, device, "custom_name", "Galley", 0)
        return before, await value(session, device, "ac_out_voltage")

    async def look(session: Any, device: EmulatedDevice) -> Any:
        await write(session, device, "device_mode", 5)
        return device.name, await value(session, device, "device_mode"), await value(session, device, "custom_name", 0)

    async def eco_and_back(session: Any, device: EmulatedDevice) -> Any:
        assert await value(session, device, "device_mode") == 5
        await write(session, device, "device_mode", 2)
        await session.until(lambda: session.values.get((3, number("device_state", device))) == b"\x09")
        return await value(session, device, "ac_out_voltage")

    (mode, state), dead = await once(to_off)
    assert (mode.key, state.key, dead) == ("inverter_only", "inverting", 0.0)
    assert await once(look) == ("Galley", 5, "Galley")
    assert await once(eco_and_back) == pytest.approx(230, abs=1)


async def test_controls_of_a_solar_charger_act(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="mppt", keep_alive=math.inf), speed=5) as running:
        device = running.running[0].device
        async with talk(adapter, device.address) as session:
            state = (3, number("device_state", device))
            assert (await value(session, device, "device_state")).key == "bulk"
            await write(session, device, "device_mode", 4)
            await session.until(lambda: session.values.get(state) == b"\x00")
            await write(session, device, "device_mode", 1)
            await session.until(lambda: session.values.get(state) != b"\x00")
            load = (3, number("load_state", device))
            await write(session, device, "load_control", 0)
            await session.until(lambda: session.values.get(load) == b"\x00")
            await write(session, device, "load_control", 4)
            await session.until(lambda: session.values.get(load) == b"\x01")
            await write(session, device, "battery_maximum_current", 2.0)
            current = (3, number("charger_current", device))
            await session.until(lambda: int.from_bytes(session.values.get(current, b"\xff"), "little") <= 20)
            await write(session, device, "absorption_voltage", 14.4)
            assert await value(session, device, "absorption_voltage") == 14.4
            await write(session, device, "battery_type", 8)
            assert await write(session, device, "absorption_voltage", 14.0) == 2, "not a user battery"
            assert await session.set(3, number("absorption_voltage", device), b"\x01") == 2, "a byte too few"
            assert await session.set(3, number("pv_power", device), bytes(4)) == 3, "read only"
            assert await session.set(3, 0x0004, b"") == 1, "not there"


async def test_a_battery_monitor_is_synchronised(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="smartshunt")) as running:
        device = running.running[0].device
        async with talk(adapter, device.address) as session:
            await write(session, device, "state_of_charge", 50.0)
            assert await value(session, device, "state_of_charge") == pytest.approx(50, abs=0.5)
            assert await session.set(3, number("synchronize", device), b"") == b""
            assert await value(session, device, "state_of_charge") == pytest.approx(100, abs=0.5)


@pytest.mark.parametrize("mtu", [23, 77, 247])
async def test_every_mtu(radio, adapter, talk, mtu: int, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="mppt", mtu=mtu)) as running:
        device = running.running[0].device
        async with talk(adapter, device.address) as session:
            assert session.mtu == mtu
            assert session.chunk == mtu - 3
            days = await session.get(3, *range(0x1050, 0x106F))
            assert all(isinstance(day, bytes) and len(day) == 34 for day in days)


async def test_an_orion_answers_on_both_copies_of_its_service(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="orion")) as running:
        device = running.running[0].device
        for service in (DATA_SERVICE, SECOND_DATA_SERVICE):
            async with talk(adapter, device.address, service=service, instance=0) as session:
                assert isinstance(await value(session, device, "input_voltage"), float)


async def test_without_instant_readout_the_service_is_advertised(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="smartshunt")) as running:
        device = running.running[0].device
        async with talk(adapter, device.address) as session:
            await write(session, device, "advertisement_mode", 0, 0)
        data = await heard(adapter, device.address)
        assert len(data.manufacturer_data[COMPANY_ID]) == 4
        assert data.service_uuids == ["cd55a389-880b-425b-b167-81ed6a15e913"]
        async with talk(adapter, device.address) as session:
            await write(session, device, "advertisement_mode", 1, 0)
        data = await heard(adapter, device.address)
        assert len(data.manufacturer_data[COMPANY_ID]) > 4
        assert data.service_uuids == []


async def test_a_new_pin_over_the_air_makes_a_new_key(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="mppt")) as running:
        device = running.running[0].device
        before = device.key
        async with talk(adapter, device.address) as session:
            wrong = await write(session, device, "pin_code", {"old_pin": "111111", "new_pin": "222222"}, 0)
            assert wrong == 2
            await write(session, device, "pin_code", {"old_pin": "000000", "new_pin": "012345"}, 0)
            assert (await session.get(0, 0xEC65)) == [bytes(device.key)]
        assert device.key[0] != before[0]
        assert device.pin == "012345"


async def test_two_devices_of_one_site_and_fifty_on_the_air(radio, adapter, emulator) -> None:
    plans = [EmulatedDeviceConfig(family=key) for key in FAMILIES for _ in range(9)]
    names: dict[str, int] = {}
    everybody = asyncio.Event()
    async with emulator(radio, *plans) as running:
        assert len({one.device.address for one in running.running}) == 54

        def hear(device: Any, data: Any) -> None:
            names[device.address] = names.get(device.address, 0) + 1
            if len(names) == len(plans):
                everybody.set()

        async with BleakScanner(hear, backend=adapter.scanner):
            await asyncio.wait_for(everybody.wait(), PATIENCE)
    assert set(names) == {one.device.address for one in running.running}
