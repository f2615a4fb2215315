"""The link against the emulated devices on the virtual radio: every family, pairing, bonds, streams, keep-alive."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
from bluewatt.app.links import connect, open_commander
from bluewatt.errors import DeviceNotFound, DeviceRefused, Forbidden, LinkLost, PairingFailed, Unencodable
from bluewatt.services.audit import Audit
from bluewatt.services.emulator import FAMILIES
from bluewatt.services.key_fetch import fetch_key
from bluewatt.services.readout import read_facts, read_group, read_history, read_named
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.tables.gatt import ResultCode
from bluewatt.transports.ble.central import Central, DeviceQuery
from bluewatt.transports.ble.channel import Clock
from bluewatt.transports.ble.link import BleLink
from bluewatt.transports.ble.writer import BleWriter
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio
from bluewatt.wire.victronconnect.client import ClientSide

PIN = "004711"
TODAY = date(2026, 11, 20)


def emulated(
    radio: VirtualRadio, *plans: EmulatedDeviceConfig, speed: float = 1.0, state: Path | None = None
) -> Emulator:
    return Emulator(plans, radio=radio, seed=5, start=DEFAULT_START, speed=speed, state=state)


@pytest.fixture
def central(adapter: VirtualAdapter) -> Central:
    return Central(virtual=adapter)


def link_to(central: Central, emulator: Emulator, **options: object) -> BleLink:
    wanted = DeviceQuery.of(emulator.running[0].device.address)
    return BleLink(central, wanted, **({"pin": PIN} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("family", list(FAMILIES))
async def test_every_register_of_every_family_is_read_by_name(
    radio: VirtualRadio, central: Central, family: str
) -> None:
    async with (
        emulated(radio, EmulatedDeviceConfig(family=family, pin=PIN)) as emulator,
        link_to(central, emulator) as link,
    ):
        device = emulator.running[0].device
        facts = await read_facts(link)
        assert (facts.serial, facts.product_id) == (device.serial, FAMILIES[family].product_id)
        assert facts.firmware == FAMILIES[family].firmware
        assert facts.name == device.name
        own = link.data_instance
        assert own == FAMILIES[family].data_instance
        found = {(value.instance, value.register): value for value in await read_group(link, "all")}
        readable = {place for place in device.registers if device.registers.cell(*place).read is not None}
        expected = {register for instance, register in readable if instance == own} - _not_in_all(device)
        missing = expected - {register for _, register in found}
        assert not missing, [hex(register) for register in missing]
        assert not [value for value in found.values() if value.problem]
        assert await link.devices() == FAMILIES[family].instances


def _not_in_all(device) -> set[int]:  # type: ignore[no-untyped-def]
    """Days of the history have a command of their own; keys are secrets."""
    rows = [device.registers.cell(*place).row for place in device.registers]
    return {row.id for row in rows if row.secret or row.layout == "history_day"}


async def test_a_name_means_the_finest_register_and_unknown_ones_are_refused(
    radio: VirtualRadio, central: Central
) -> None:
    async with (
        emulated(radio, EmulatedDeviceConfig(family="smartshunt", pin=PIN)) as emulator,
        link_to(central, emulator) as link,
    ):
        values = await read_named(link, ["battery_current", "0xED8F", "battery_voltage", "advertisement_mode"])
        assert [value.register for value in values] == [0xED8C, 0xED8F, 0xED8D, 0xEC7D]
        assert [value.instance for value in values] == [3, 3, 3, 0]
        assert 11 < values[2].value < 15
        assert values[2].unit == "V"
        with pytest.raises(DeviceRefused, match=r"0x1050 .*does not have it \(code 1\)") as refused:
            await link.get(0x1050)
        assert (refused.value.register, refused.value.code) == (0x1050, ResultCode.UNKNOWN_REGISTER)
        with pytest.raises(DeviceRefused, match=r"may not be read, or not be written \(code 3\)"):
            await link.get("synchronize")
        with pytest.raises(Unencodable, match=r"'batery_voltage'; did you mean .*battery_voltage"):
            await link.get("batery_voltage")
        one, other = await link.get_many(["battery_voltage", 0x1050])
        assert not isinstance(one, Exception)
        assert isinstance(other, DeviceRefused)


async def test_a_refused_write_says_the_code(radio: VirtualRadio, central: Central) -> None:
    writer = BleWriter()
    with pytest.raises(LinkLost, match="not open"):
        await writer.write(0x0200, b"\x01", 3)
    async with (
        emulated(radio, EmulatedDeviceConfig(family="phoenix", pin=PIN)) as emulator,
        link_to(central, emulator, writer=writer) as link,
    ):
        with pytest.raises(DeviceRefused, match="does not accept that value") as refused:
            await writer.write(0x0200, b"\x01", link.data_instance)
        assert refused.value.code == ResultCode.NOT_ACCEPTABLE
        with pytest.raises(DeviceRefused, match="may not be read, or not be written"):
            await writer.write(0xED8D, b"\x00\x00", link.data_instance)
    with pytest.raises(LinkLost):
        await writer.write(0x0200, b"\x04", 3)


async def test_the_right_pin_once_then_the_bond(radio: VirtualRadio, central: Central) -> None:
    async with emulated(radio, EmulatedDeviceConfig(family="mppt", pin=PIN)) as emulator:
        with pytest.raises(PairingFailed, match="give its PIN with --pin") as needed:
            await link_to(central, emulator, pin=None).__aenter__()
        assert (needed.value.reason, needed.value.exit_code) == ("pin", 5)
        with pytest.raises(PairingFailed, match="refused the PIN") as wrong:
            await link_to(central, emulator, pin="004712").__aenter__()
        assert (wrong.value.reason, wrong.value.exit_code) == ("pin", 5)
        async with link_to(central, emulator) as link:
            assert (await link.get("battery_voltage")).value
        async with link_to(central, emulator, pin=None) as link:
            assert (await link.get("battery_voltage")).value


@pytest.mark.parametrize("pin", ["000000", "000042"])
async def test_leading_zeros_count(radio: VirtualRadio, central: Central, pin: str) -> None:
    async with (
        emulated(radio, EmulatedDeviceConfig(family="bmv712", pin=pin)) as emulator,
        link_to(central, emulator, pin=pin) as link,
    ):
        assert link.family == "bmv"


@pytest.mark.parametrize("own", [None, "654321"])
async def test_a_pin_is_typed_for_its_device_and_the_adapter_keeps_its_own(
    radio: VirtualRadio, adapter: VirtualAdapter, central: Central, own: str | None
) -> None:
    adapter.pin = own
    async with emulated(
        radio, EmulatedDeviceConfig(family="mppt", pin=PIN), EmulatedDeviceConfig(family="orion", pin="123456")
    ) as emulator:
        async with link_to(central, emulator) as link:
            assert (await link.get("battery_voltage")).value
        assert adapter.pin == own
        with pytest.raises(PairingFailed, match="refused the PIN"):
            await BleLink(central, DeviceQuery.of(emulator.running[1].device.address), pin=PIN).__aenter__()
        assert adapter.pin == own


async def test_a_lost_bond_is_named_and_the_new_pin_mends_it(radio: VirtualRadio, central: Central) -> None:
    async with emulated(radio, EmulatedDeviceConfig(family="orion", pin=PIN)) as emulator:
        async with link_to(central, emulator):
            pass
        emulator.running[0].device.change_pin("123456")
        await asyncio.sleep(0.1)
        with pytest.raises(PairingFailed, match="no longer knows this computer") as lost:
            await link_to(central, emulator, pin=None).__aenter__()
        assert (lost.value.reason, lost.value.exit_code) == ("bond", 3)
        async with link_to(central, emulator, pin="123456") as link:
            assert (await link.get("input_voltage")).value
        async with link_to(central, emulator, pin=None) as link:
            assert (await link.get("input_voltage")).value


async def test_history_of_a_solar_charger_and_counters_of_a_monitor(radio: VirtualRadio, central: Central) -> None:
    told: list[tuple[int, int]] = []
    async with (
        emulated(radio, EmulatedDeviceConfig(family="mppt", pin=PIN)) as emulator,
        link_to(central, emulator) as link,
    ):
        history = await read_history(link, today=TODAY, on_day=lambda read, days: told.append((read, days)))
    assert [day.ago for day in history.days] == list(range(31))
    assert history.days[30].on == date(2026, 10, 21)
    assert all(day.values["yield"] > 0 for day in history.days[1:])
    assert history.totals["days_available"] == 30, "the days behind today"
    assert told[-1] == (31, 31)
    assert not history.counters
    async with (
        emulated(radio, EmulatedDeviceConfig(family="bmv712", pin=PIN)) as emulator,
        link_to(central, emulator) as link,
    ):
        counted = {value.key: value for value in (await read_history(link, today=TODAY)).counters}
    assert counted["charge_cycles"].value > 0
    assert counted["discharged_energy"].unit == "kWh"
    assert counted["deepest_discharge"].value < 0


async def test_the_nearest_is_the_strongest(radio: VirtualRadio, central: Central) -> None:
    plans = [EmulatedDeviceConfig(family=family, pin=PIN) for family in ("mppt", "bmv712", "orion")]
    async with emulated(radio, *plans) as emulator:
        for running, rssi in zip(emulator.running, (-70, -41, -80), strict=True):
            radio.air.rssi[running.peripheral.radio.random_address] = rssi
        async with BleLink(central, DeviceQuery(), pin=PIN, nearest=0.8) as link:
            assert link.family == "bmv"


async def test_by_part_of_the_name_through_the_front_door(radio: VirtualRadio, central: Central) -> None:
    async with (
        emulated(radio, EmulatedDeviceConfig(family="mppt", pin=PIN), EmulatedDeviceConfig(family="bmv712", pin=PIN)),
        connect("bmv-712", pin=PIN, central=central) as link,
    ):
        assert link.family == "bmv"
        assert {name for name in dir(link) if not name.startswith("_")} == {
            *("device", "devices", "family", "data_instance", "get", "get_many", "subscribe", "unlock"),
            *("nearby", "know_serial"),
        }, "a link reads: whatever else it can do must not be a write"


async def test_the_path_that_writes_through_the_front_door(
    radio: VirtualRadio, central: Central, tmp_path: Path
) -> None:
    asked: list[str] = []

    def writable(address: str) -> list[str]:
        asked.append(address)
        return ["charger"]

    async def yes(plan: object) -> bool:
        return True

    async with (
        emulated(radio, EmulatedDeviceConfig(family="mppt", pin=PIN)) as emulator,
        open_commander(
            "smartsolar", writable=writable, audit=Audit(tmp_path / "audit.jsonl"), pin=PIN, central=central
        ) as commander,
    ):
        assert asked == [emulator.running[0].device.address]
        done = await commander.change("charger", "off", yes)
        assert done.held is not None
        assert done.held.value == 4
        with pytest.raises(Forbidden, match="the settings do not allow it: add "):
            await commander.change("load", "off", yes)
        assert (await commander.undo(yes)).plan.new == "on"


@pytest.mark.parametrize(("documented", "kept"), [(False, False), (False, True), (True, True)])
async def test_more_than_a_minute_with_and_without_keep_alive(
    radio: VirtualRadio, central: Central, documented: bool, kept: bool
) -> None:
    side = ClientSide(keep_alive=10.0 if kept else None)
    async with (
        emulated(radio, EmulatedDeviceConfig(family="smartshunt", pin=PIN)) as emulator,
        link_to(central, emulator, documented=documented, side=side) as link,
    ):
        await asyncio.sleep(72)
        if kept:
            assert (await link.get("battery_voltage")).value
        else:
            with pytest.raises(LinkLost):
                await link.get("battery_voltage")


async def test_the_stream_tells_what_changes(radio: VirtualRadio, central: Central) -> None:
    async with (
        emulated(radio, EmulatedDeviceConfig(family="smartshunt", pin=PIN), speed=20) as emulator,
        link_to(central, emulator) as link,
    ):
        stream = link.subscribe()
        readings = [await asyncio.wait_for(anext(stream), 3) for _ in range(20)]
        await stream.aclose()
    keys = {reading.values[0].key for reading in readings}
    assert "battery_voltage" in keys
    assert {reading.medium for reading in readings} == {"gatt"}


async def test_out_of_range_and_connected_elsewhere(radio: VirtualRadio, central: Central) -> None:
    async with emulated(radio, EmulatedDeviceConfig(family="smartshunt", pin=PIN)) as emulator:
        with pytest.raises(
            DeviceNotFound, match=r"was not heard within 0.3 s.*out of range.*connected to it"
        ) as missing:
            await BleLink(central, DeviceQuery.of("C2:00:00:00:00:99"), pin=PIN, find=0.3).__aenter__()
        assert missing.value.exit_code == 3
        async with VirtualAdapter(radio, address="F0:00:00:00:00:02") as second, link_to(central, emulator):
            with pytest.raises(DeviceNotFound, match="a phone or another program is connected"):
                await link_to(Central(virtual=second), emulator, find=0.7).__aenter__()


@pytest.mark.parametrize("kept", [False, True])
async def test_ten_seconds_without_keep_alive_end_the_connection(
    radio: VirtualRadio, central: Central, kept: bool
) -> None:
    async with emulated(radio, EmulatedDeviceConfig(family="mppt", pin=PIN), speed=20) as emulator:
        clock = Clock(emulator.clock.now, 20)
        side = ClientSide(keep_alive=10.0 if kept else None)
        async with link_to(central, emulator, side=side, clock=clock) as link:
            await asyncio.sleep(0.9)
            if kept:
                assert (await link.get("battery_voltage")).value
            else:
                with pytest.raises(LinkLost, match="disconnected in the middle"):
                    await link.get("battery_voltage")
        assert emulator.running[0].peripheral.timeouts == (0 if kept else 1)


async def test_the_documented_service_is_kept_alive_over_its_minute(radio: VirtualRadio, central: Central) -> None:
    async with emulated(radio, EmulatedDeviceConfig(family="smartshunt", pin=PIN), speed=100) as emulator:
        clock = Clock(emulator.clock.now, 100)
        writer = BleWriter()
        async with link_to(central, emulator, documented=True, clock=clock, writer=writer) as link:
            began = emulator.clock.now()
            await asyncio.sleep(0.9)
            assert emulator.clock.now() - began > 60
            values = await read_named(link, ["battery_voltage", "state_of_charge", "battery_current"])
            assert [value.register for value in values] == [0xED8D, 0x0FFF, 0xED8C]
            assert 11 < values[0].value < 15
            with pytest.raises(DeviceRefused, match="takes settings over VictronConnect's service only"):
                await writer.write(0x0200, b"\x01", link.data_instance)
            with pytest.raises(DeviceRefused, match="does not have it"):
                await link.get("serial_number")
            stream = link.subscribe()
            assert (await asyncio.wait_for(anext(stream), 3)).values[0].instance == 3
            await stream.aclose()
        assert emulator.running[0].peripheral.timeouts == 0


async def test_the_key_behind_the_nonce_step(radio: VirtualRadio, central: Central) -> None:
    plan = EmulatedDeviceConfig(family="orion", pin=PIN, key_behind_puk=True)
    async with emulated(radio, plan) as emulator, link_to(central, emulator) as link:
        with pytest.raises(DeviceRefused):
            await fetch_key(link)
        assert (await fetch_key(link, pin=PIN)).key == emulator.running[0].device.key


async def test_old_firmware_without_keep_alive_and_with_the_smallest_packets(
    radio: VirtualRadio, central: Central
) -> None:
    async with (
        emulated(radio, EmulatedDeviceConfig(family="smartshunt", pin=PIN, generation="old"), speed=50) as emulator,
        link_to(central, emulator, clock=Clock(emulator.clock.now, 50)) as link,
    ):
        await asyncio.sleep(0.5)
        assert len(await read_group(link, "all")) > 20
