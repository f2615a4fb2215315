"""Who gets into an emulated device: the right PIN, bonds, one client at a time; nobody else reads a thing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.core import BaseBumbleError

from bluewatt.app.emulation import EmulatedDeviceConfig
from bluewatt.tables.gatt import (
    DEVICE_INFORMATION,
    FIRMWARE_CONTROL,
    FIRMWARE_DATA,
    NEVER_WRITTEN,
    PIN_CODE,
    PUK_CODE,
    START_DFU,
    DataCharacteristic,
)
from bluewatt.tables.smartshunt import CHARACTERISTICS
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio
from bluewatt.wire.victronconnect.device_information import parse_device_information
from tests.central import PATIENCE

SHUNT = EmulatedDeviceConfig(family="smartshunt", pin="004711")


async def heard_from(address: str, heard: asyncio.Queue[str]) -> None:
    """Wait for an advertisement of this address."""
    async with asyncio.timeout(PATIENCE):
        while await heard.get() != address:
            pass


@pytest.fixture
async def shunt(radio: VirtualRadio, emulator):
    async with emulator(radio, SHUNT) as running:
        yield running.running[0]


async def test_the_right_pin_opens_a_session(shunt, adapter, talk) -> None:
    adapter.pin = "004711"
    async with talk(adapter, shunt.device.address) as session:
        (voltage,) = await session.get(3, 0xED8D)
    assert isinstance(voltage, bytes)
    assert 12 < int.from_bytes(voltage, "little") / 100 < 15


@pytest.mark.parametrize("pin", ["004712", "471100", None])
async def test_a_wrong_pin_and_no_pin_are_refused(shunt, adapter, pin: str | None) -> None:
    adapter.pin = pin
    async with BleakClient(shunt.device.address, backend=adapter.client, timeout=PATIENCE) as client:
        with pytest.raises(BleakError):
            await client.pair()
        if client.is_connected:
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.read_gatt_char(DataCharacteristic.CONTROL.value)
            assert refused.value.code == 0x05


async def test_without_pairing_nothing_is_read_written_or_subscribed_to(shunt, adapter) -> None:
    async with BleakClient(shunt.device.address, backend=adapter.client, timeout=PATIENCE) as client:
        assert parse_device_information(bytes(await client.read_gatt_char(DEVICE_INFORMATION))).firmware == "2.52"
        for uuid in (DataCharacteristic.CONTROL.value, PUK_CODE, *(row.uuid for row in CHARACTERISTICS)):
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.read_gatt_char(uuid)
            assert refused.value.code == 0x05, uuid
        for uuid in (PIN_CODE, PUK_CODE, START_DFU, FIRMWARE_CONTROL, CHARACTERISTICS[0].uuid):
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(uuid, b"\0\0", response=True)
            assert refused.value.code == 0x05, uuid
        for uuid in (*(role.value for role in DataCharacteristic), PIN_CODE, PUK_CODE, CHARACTERISTICS[1].uuid):
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.start_notify(uuid, lambda sender, data: None)
            assert refused.value.code == 0x05, uuid
        await client.write_gatt_char(DataCharacteristic.LAST.value, bytes.fromhex("0303"), response=False)
        await client.read_gatt_char(DEVICE_INFORMATION)
    assert shunt.peripheral.client is None or not shunt.peripheral.client.encryption


async def test_firmware_updates_are_refused_even_to_a_paired_client(shunt, adapter) -> None:
    adapter.pin = "004711"
    async with BleakClient(shunt.device.address, backend=adapter.client, timeout=PATIENCE, pair=True) as client:
        listed = {characteristic.uuid for service in client.services for characteristic in service.characteristics}
        assert {START_DFU, FIRMWARE_CONTROL, FIRMWARE_DATA} == NEVER_WRITTEN & listed
        for uuid in (START_DFU, FIRMWARE_CONTROL):
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(uuid, b"\1", response=True)
            assert refused.value.code == 0x03


async def test_a_bond_outlives_a_restart_of_both_sides_and_dies_with_the_pin(tmp_path: Path, talk, emulator) -> None:
    bonds, state = tmp_path / "client.json", tmp_path / "state"

    async def read(pin: str | None, *, pair: bool) -> bytes | int:
        async with (
            VirtualRadio() as radio,
            VirtualAdapter(radio, pin=pin, key_store=bonds) as adapter,
            emulator(radio, SHUNT, state=state) as running,
            talk(adapter, running.running[0].device.address, pair=pair) as session,
        ):
            (name,) = await session.get(0, 0x010C)
            return name

    first = await read("004711", pair=True)
    assert isinstance(first, bytes)
    assert first.startswith(b"SmartShunt HQ")
    assert await read(None, pair=False) == first
    assert {path.name for path in state.iterdir()} == {"smartshunt.json", "smartshunt.bonds.json"}
    assert (state / "smartshunt.json").stat().st_mode & 0o077 == 0
    assert (state / "smartshunt.bonds.json").stat().st_mode & 0o077 == 0
    async with (
        VirtualRadio() as radio,
        emulator(radio, EmulatedDeviceConfig(family="smartshunt", pin="123456"), state=state),
    ):
        pass
    with pytest.raises((BaseBumbleError, TimeoutError)):
        await read(None, pair=False)


async def test_a_second_client_is_refused_and_advertising_stops_meanwhile(radio, shunt, adapter, talk) -> None:
    adapter.pin = "004711"
    address = shunt.device.address
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with VirtualAdapter(radio, address="F0:00:00:00:00:02", pin="004711") as other:
        async with BleakScanner(lambda device, data: heard.put_nowait(device.address), backend=other.scanner):
            await heard_from(address, heard)
            async with talk(adapter, address) as session:
                while not heard.empty():
                    heard.get_nowait()
                with pytest.raises(TimeoutError):
                    await BleakClient(address, backend=other.client, timeout=0.8).connect()
                assert heard.empty(), "nobody but the device is there, and it is silent"
                assert isinstance((await session.get(3, 0xED8D))[0], bytes)
            await heard_from(address, heard)
        async with BleakClient(address, backend=other.client, timeout=PATIENCE) as client:
            assert client.is_connected
    assert shunt.peripheral.served == 2


async def test_the_nonce_step_opens_the_key(radio, adapter, talk, emulator) -> None:
    plan = EmulatedDeviceConfig(family="orion", pin="004711", key_behind_puk=True)
    adapter.pin = "004711"
    async with (
        emulator(radio, plan) as running,
        talk(adapter, running.running[0].device.address, instance=0) as session,
    ):
        assert await session.get(0, 0xEC65) == [2]
        assert await session.unlock("004711", crc=False) == (b"\x03", b"\x03"), "the PIN alone opens nothing"
        assert await session.get(0, 0xEC65) == [2]
        assert await session.unlock("004712") == (b"\x00", b"\x03")
        assert await session.get(0, 0xEC65) == [2]
        assert await session.unlock("004711") == (b"\x00", b"\x00")
        assert await session.get(0, 0xEC65) == [bytes(running.running[0].device.key)]


class ByHand:
    """A site's time that a test sets."""

    def __init__(self, start: float, speed: float) -> None:
        self.start, self.speed, self.present = start, speed, start

    def now(self) -> float:
        return self.present


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulators whose time stands still until a test moves it."""
    monkeypatch.setattr("bluewatt.app.emulation.SiteClock", ByHand)


KEEP_ALIVE = 0x93
TEN_SECONDS = b"\x10\x27"


@pytest.mark.parametrize("kept", [False, True])
async def test_the_keep_alive_of_the_session(by_hand, radio, adapter, talk, kept: bool, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="mppt")) as running:
        peripheral = running.running[0].peripheral
        async with talk(adapter, running.running[0].device.address, keep_alive=False) as session:
            for _ in range(5):
                running.clock.present += 9.0
                peripheral._on_deadline()
                assert await session.set(0, KEEP_ALIVE, TEN_SECONDS) == TEN_SECONDS
            running.clock.present += 9.9
            peripheral._on_deadline()
            if kept:
                assert await session.set(0, KEEP_ALIVE, TEN_SECONDS) == TEN_SECONDS
            running.clock.present += 0.2
            peripheral._on_deadline()
            if kept:
                assert isinstance((await session.get(3, 0xED8D))[0], bytes)
            else:
                await session.until_gone()
        assert peripheral.timeouts == (0 if kept else 1)


@pytest.mark.parametrize("key", ["orion", "ip22", "phoenix"])
@pytest.mark.parametrize("written", [False, True])
async def test_a_charger_or_an_inverter_stays_without_a_keep_alive(
    by_hand, radio, adapter, talk, key: str, written: bool, emulator
) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family=key)) as running:
        peripheral = running.running[0].peripheral
        async with talk(adapter, running.running[0].device.address, keep_alive=False, instance=None) as session:
            if written:
                assert await session.set(0, KEEP_ALIVE, TEN_SECONDS) == TEN_SECONDS
            running.clock.present += 3600
            peripheral._on_deadline()
            assert isinstance((await session.get(0, 0x0120))[0], bytes)
        assert peripheral.timeouts == 0


async def test_a_deadline_may_be_asked_for(by_hand, radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="orion", keep_alive=20.0)) as running:
        peripheral = running.running[0].peripheral
        async with talk(adapter, running.running[0].device.address, keep_alive=False, instance=None) as session:
            running.clock.present += 19.9
            peripheral._on_deadline()
            assert isinstance((await session.get(0, 0x0120))[0], bytes)
            running.clock.present += 0.2
            peripheral._on_deadline()
            await session.until_gone()
        assert peripheral.timeouts == 1


FOR_EVER = b"\xff\xff"


@pytest.mark.parametrize("written", [None, b"\x60\xea", FOR_EVER])
async def test_the_minute_of_the_documented_service(by_hand, radio, adapter, written: bytes | None, emulator) -> None:
    """A minute without a word ends the connection; one of 60 s, or a word that it shall be for ever, does not."""
    adapter.pin = "004711"
    keep_alive = CHARACTERISTICS[0].uuid
    gone = asyncio.Event()
    async with emulator(radio, SHUNT) as running:
        peripheral = running.running[0].peripheral
        async with BleakClient(
            running.running[0].device.address, lambda client: gone.set(), backend=adapter.client, timeout=PATIENCE,
            pair=True,
        ) as client:  # fmt: skip
            if written == FOR_EVER:
                await client.write_gatt_char(keep_alive, written, response=True)
            for _ in range(3):
                running.clock.present += 59.0
                if written not in (None, FOR_EVER):
                    await client.write_gatt_char(keep_alive, written, response=True)
                peripheral._on_deadline()
                if written is None:
                    break
                await client.read_gatt_char(CHARACTERISTICS[1].uuid)
            running.clock.present += 1.1
            peripheral._on_deadline()
            if written is None:
                await asyncio.wait_for(gone.wait(), PATIENCE)
            else:
                await client.read_gatt_char(CHARACTERISTICS[1].uuid)
        assert peripheral.timeouts == (written is None)


async def test_the_old_firmware_is_the_captured_one(by_hand, radio, adapter, talk, emulator) -> None:
    plan = EmulatedDeviceConfig(family="smartshunt", generation="old")
    async with emulator(radio, plan) as running:
        peripheral = running.running[0].peripheral
        async with talk(adapter, running.running[0].device.address, keep_alive=False) as session:
            assert session.mtu == 23
            assert await session.set(0, KEEP_ALIVE, TEN_SECONDS) == 1
            assert await session.get(0, 0x010A, 0x010C, 0x0090, 0xEC0E, 0xEC0F) == [1] * 5
            assert isinstance((await session.get(0, 0x0109))[0], bytes)
            assert await session.get(1, 0x0100, 0xEC0E) == [bytes.fromhex("0000fefe"), 1]
            running.clock.present += 3600
            peripheral._on_deadline()
            assert isinstance((await session.get(3, 0xED8D))[0], bytes)
        assert peripheral.timeouts == 0


async def test_a_client_that_never_pairs_is_sent_away(by_hand, radio, adapter, emulator) -> None:
    gone = asyncio.Event()
    async with (
        emulator(radio, EmulatedDeviceConfig(family="phoenix")) as running,
        BleakClient(
            running.running[0].device.address, lambda client: gone.set(), backend=adapter.client, timeout=PATIENCE
        ) as client,
    ):
        running.clock.present += 59.9
        running.running[0].peripheral._on_deadline()
        await client.read_gatt_char(DEVICE_INFORMATION)
        running.clock.present += 0.2
        running.running[0].peripheral._on_deadline()
        await asyncio.wait_for(gone.wait(), PATIENCE)
