"""A bond is dropped on evidence only: what merely failed is named as what it is, and the bond serves the next time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from bleak import BleakClient
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from bleak_retry_connector import BleakConnectionError, BleakNotFoundError

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator, Running
from bluewatt.errors import LinkError, LinkLost, LinkTimeout, PairingFailed
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.transports.ble.central import Central, DeviceQuery
from bluewatt.transports.ble.dialler import DROPS
from bluewatt.transports.ble.link import BleLink
from bluewatt.transports.ble.link_errors import denies_bond
from bluewatt.transports.ble.pairing import VirtualPairing
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio

PIN = "004711"
BLUEZ = "org.bluez.Error."
NO_SERVICES = BleakError("failed to discover services, device disconnected")
BUSY = BleakDBusError(BLUEZ + "InProgress", ["br-connection-busy"])


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NOT_EVIDENCE: list[tuple[Exception, type[LinkError], str]] = [
    (TimeoutError(), LinkTimeout, "does not take the connection"),
    (BleakNotFoundError("X - timeout: Failed to connect after 3 attempts"), LinkTimeout, "does not take"),
    (BUSY, LinkLost, "is being dialled already"),
    (caused(BleakConnectionError("Failed to connect"), BUSY), LinkLost, "could not be set up"),
    (NO_SERVICES, LinkLost, "failed to discover services"),
    (BleakDBusError(BLUEZ + "Failed", ["le-connection-abort-by-local"]), LinkLost, "could not be set up"),
    (BleakDBusError(BLUEZ + "AuthenticationCanceled", []), LinkLost, "could not be set up"),
    (BleakDBusError(BLUEZ + "NotPermitted", ["Read not permitted"]), LinkLost, "could not be set up"),
    (BleakGATTProtocolError(0x0E), LinkLost, "could not be set up"),
    (EOFError(), LinkLost, "could not be set up"),
    (BrokenPipeError(32, "Broken pipe"), LinkLost, "could not be set up"),
]
EVIDENCE: list[Exception] = [
    BleakGATTProtocolError(0x05),
    BleakGATTProtocolError(0x0C),
    BleakGATTProtocolError(0x0F),
    BleakDBusError(BLUEZ + "AuthenticationFailed", ["Authentication Failed"]),
    BleakDBusError(BLUEZ + "AuthenticationRejected", ["Authentication Rejected"]),
    BleakDBusError(BLUEZ + "NotPermitted", ["Not paired"]),
    BleakDBusError(BLUEZ + "Failed", ["Operation failed with ATT error: 0x0f"]),
    BleakError("HCI error: PIN_OR_KEY_MISSING_ERROR [0x6]"),
    caused(BleakConnectionError("Failed to connect"), BleakDBusError(BLUEZ + "AuthenticationFailed", ["x"])),
]


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices whose bond was dropped."""
    told: list[str] = []
    honest = VirtualPairing.forget

    async def forget(self: VirtualPairing, client: Any, nearby: Any) -> None:
        told.append(nearby.address)
        await honest(self, client, nearby)

    monkeypatch.setattr(VirtualPairing, "forget", forget)
    return told


@pytest.fixture
async def bonded(radio: VirtualRadio, adapter: VirtualAdapter) -> AsyncIterator[Running]:
    """A device that this adapter has a bond with."""
    async with Emulator(
        [EmulatedDeviceConfig(family="mppt", pin=PIN)], radio=radio, seed=5, start=DEFAULT_START
    ) as emulator:
        async with link_to(Central(virtual=adapter), emulator.running[0], pin=PIN):
            pass
        yield emulator.running[0]


def link_to(central: Central, device: Running, pin: str | None = None) -> BleLink:
    return BleLink(central, DeviceQuery.of(device.device.address), pin=pin)


def failing(adapter: VirtualAdapter, fails: Callable[[int], Exception | None], *, drops: bool = False) -> Central:
    """A central whose dials fail as `fails` says of each, by its number; `drops`: the link was up before."""
    central, tries = Central(virtual=adapter), [0]

    class Failing(BleakClient):
        async def connect(self, **options: Any) -> None:
            tries[0] += 1
            error = fails(tries[0])
            if error is None:
                return await super().connect(**options)
            if drops:
                self._backend._disconnected_callback()  # type: ignore[misc]
            raise error

    central.client_class = Failing
    return central


@pytest.mark.parametrize(("error", "kind", "words"), NOT_EVIDENCE, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("pin", [None, PIN])
async def test_a_failed_dial_keeps_the_bond_and_says_what_failed(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str], error: Exception, kind: type[LinkError],
    words: str, pin: str | None,
) -> None:  # fmt: skip
    assert not denies_bond(error)
    with pytest.raises(LinkError, match=words) as raised:
        await link_to(failing(adapter, lambda number: error), bonded, pin).__aenter__()
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    assert forgotten == []
    async with link_to(Central(virtual=adapter), bonded) as link:
        assert (await link.get("battery_voltage")).value, "the bond serves as before"


@pytest.mark.parametrize("error", EVIDENCE, ids=str)
async def test_a_refused_bond_is_lost(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str], error: Exception
) -> None:
    with pytest.raises(PairingFailed, match="no longer knows this computer"):
        await link_to(failing(adapter, lambda number: error), bonded).__aenter__()
    assert forgotten == [], "without its PIN there is nothing to put in the place of the bond"
    once = failing(adapter, lambda number: error if number == 1 else None)
    async with link_to(once, bonded, PIN) as link:
        assert (await link.get("battery_voltage")).value
    assert forgotten == [bonded.device.address]


async def test_three_drops_are_evidence_and_two_are_not(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str]
) -> None:
    unlucky = failing(adapter, lambda number: NO_SERVICES if number < DROPS else None, drops=True)
    async with link_to(unlucky, bonded, PIN) as link:
        assert (await link.get("battery_voltage")).value
    assert forgotten == []
    with pytest.raises(PairingFailed, match="no longer knows this computer"):
        await link_to(failing(adapter, lambda number: NO_SERVICES, drops=True), bonded).__aenter__()
    again = failing(adapter, lambda number: NO_SERVICES if number <= DROPS else None, drops=True)
    async with link_to(again, bonded, PIN) as link:
        assert (await link.get("battery_voltage")).value
    assert forgotten == [bonded.device.address]


async def test_links_that_this_side_cut_after_a_time_out_are_no_drops(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str]
) -> None:
    with pytest.raises(LinkTimeout):
        await link_to(failing(adapter, lambda number: TimeoutError(), drops=True), bonded, PIN).__aenter__()
    assert forgotten == []


def dialling_again(adapter: VirtualAdapter, cuts: Sequence[int | None]) -> tuple[Central, list[int]]:
    """A central that dials again within a try, as bleak does on BlueZ; the cuts seen in each try.

    `cuts`: how often the link is up and cut in each try before it stays or (None) without end; a try with a minus is
    then out of time and hangs up.
    """
    central, seen = Central(virtual=adapter), list[int]()

    class DiallingAgain(BleakClient):
        async def connect(self, **options: Any) -> None:
            wanted = cuts[len(seen)]
            seen.append(0)
            async with asyncio.timeout(None) as limit:
                while wanted is None or seen[-1] < abs(wanted):
                    self.cut()
                    await asyncio.sleep(0)
                if wanted >= 0:
                    return await super().connect(**options)
                limit.reschedule(asyncio.get_running_loop().time())
                try:
                    await asyncio.Event().wait()
                finally:
                    self.cut()
                    await asyncio.sleep(0.01)  # hanging up takes a moment, here as in bleak

        def cut(self) -> None:
            seen[-1] += 1
            self._backend._disconnected_callback()  # type: ignore[misc]

    central.client_class = DiallingAgain
    return central, seen


@pytest.mark.parametrize("before", [[], [1 - DROPS], [-1, -1]])
async def test_drops_within_one_try_are_evidence_as_soon_as_they_are_enough(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str], before: list[int]
) -> None:
    central, seen = dialling_again(adapter, [*before, None])
    with pytest.raises(PairingFailed, match="no longer knows this computer"):
        await link_to(central, bonded).__aenter__()
    assert len(seen) == len(before) + 1
    assert 2 <= seen[-1] <= DROPS + 1, "it is not dialled on and on"
    assert forgotten == []
    central, seen = dialling_again(adapter, [*before, None, 0])
    async with link_to(central, bonded, PIN) as link:
        assert (await link.get("battery_voltage")).value
    assert forgotten == [bonded.device.address]


@pytest.mark.parametrize("cuts", [[DROPS - 1], [1 - DROPS, 1], [-1, -1, 1]])
async def test_fewer_drops_within_a_try_and_hanging_up_after_it_are_none(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str], cuts: list[int]
) -> None:
    central, seen = dialling_again(adapter, cuts)
    async with link_to(central, bonded, PIN) as link:
        assert (await link.get("battery_voltage")).value
    assert len(seen) == len(cuts)
    assert forgotten == []


async def test_drops_within_a_try_and_at_the_first_read_are_one_row(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    central, seen = dialling_again(adapter, [DROPS - 1, 0])

    async def cut(self: BleakClient, *arguments: Any, **options: Any) -> bytearray:
        await self.disconnect()
        raise NO_SERVICES

    with monkeypatch.context() as patch:
        patch.setattr(BleakClient, "read_gatt_char", cut)
        with pytest.raises(PairingFailed, match="no longer knows this computer"):
            await link_to(central, bonded).__aenter__()
    assert len(seen) == 1
    assert forgotten == []


@pytest.mark.parametrize("cuts", range(1, DROPS + 1))
async def test_a_link_cut_at_its_first_protected_read_is_dialled_again(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str], monkeypatch: pytest.MonkeyPatch, cuts: int
) -> None:
    read, left = BleakClient.read_gatt_char, [cuts]

    async def cut(self: BleakClient, *arguments: Any, **options: Any) -> bytearray:
        if left[0]:
            left[0] -= 1
            await self.disconnect()
        return await read(self, *arguments, **options)

    monkeypatch.setattr(BleakClient, "read_gatt_char", cut)
    link = link_to(Central(virtual=adapter), bonded)
    if cuts < DROPS:
        async with link:
            assert (await link.get("battery_voltage")).value
    else:
        with pytest.raises(PairingFailed, match="no longer knows this computer"):
            await link.__aenter__()
    assert forgotten == []


@pytest.mark.parametrize("answer", [b"", BleakGATTProtocolError(0x0E)], ids=str)
async def test_odd_answers_on_a_link_that_stays_up_prove_nothing(
    bonded: Running, adapter: VirtualAdapter, forgotten: list[str], monkeypatch: pytest.MonkeyPatch,
    answer: bytes | Exception,
) -> None:  # fmt: skip
    async def odd(self: BleakClient, *arguments: Any, **options: Any) -> bytearray:
        if isinstance(answer, Exception):
            raise answer
        return bytearray(answer)

    with monkeypatch.context() as patch:
        patch.setattr(BleakClient, "read_gatt_char", odd)
        with pytest.raises(LinkLost, match="though it is paired with this computer"):
            await link_to(Central(virtual=adapter), bonded, PIN).__aenter__()
    assert forgotten == []
    async with link_to(Central(virtual=adapter), bonded) as link:
        assert (await link.get("battery_voltage")).value
