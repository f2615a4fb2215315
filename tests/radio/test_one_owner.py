"""One owner per radio: scans are counted, a hanging library is dropped, and nobody ends the scan of another."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from bleak import BleakScanner

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
from bluewatt.app.links import connect
from bluewatt.app.radios import frames_of
from bluewatt.errors import AdapterUnavailable, DeviceNotFound
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.transports.ble.adapter import START, STOP, owner_of, within
from bluewatt.transports.ble.central import Central, DeviceQuery
from bluewatt.transports.ble.scan import BleSource
from bluewatt.transports.hosted_adapter import HostedAdapter
from bluewatt.transports.peripheral.radio import AdapterPeripheralRadio
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.hardware_radio import HardwareRadio
from bluewatt.transports.virtual.radio import VirtualRadio
from tests.radio.test_ble_source import Scripted, scripted, soon

PIN = "004711"
ADDRESS = "AA:00:00:00:00:01"


def now() -> float:
    return asyncio.get_running_loop().time()


def hanging(*, start: int = 0, stop: bool = False) -> type[Scripted]:
    """A backend whose `start`-th start, or every stop, never returns."""

    class Hanging(scripted()):  # type: ignore[misc]
        async def start(self) -> None:
            if len(self.built) == start:
                await asyncio.sleep(1e6)
            await super().start()

        async def stop(self) -> None:
            self.stopped = True
            if stop:
                await asyncio.sleep(1e6)

    return Hanging


async def test_a_stop_that_never_returns_is_dropped_and_another_scanner_hears() -> None:
    backend = hanging(stop=True)
    async with BleSource(backend=backend, silence=90) as source:
        waiting = asyncio.create_task(anext(source))
        await asyncio.sleep(90 + STOP + 1)
        assert len(backend.built) == 2
        backend.built[1].hear(ADDRESS, b"back")
        assert (await waiting).payload == b"back"
        begun = now()
    assert now() - begun <= STOP + 1, "leaving waits for it no longer either"


async def test_a_start_that_never_returns_is_an_error_that_says_so() -> None:
    begun = now()
    with pytest.raises(AdapterUnavailable, match="does not answer; restart the Bluetooth service") as stuck:
        await BleSource(backend=hanging(start=1)).__aenter__()
    assert stuck.value.reason == "stuck"
    assert now() - begun <= START + 1


async def test_a_start_that_hangs_while_rebuilding_is_tried_again() -> None:
    backend = hanging(start=2)
    async with BleSource(backend=backend, silence=90, patience=60) as source:
        waiting = asyncio.create_task(anext(source))
        await asyncio.sleep(90 + START + 1)
        assert len(backend.built) == 3
        backend.built[2].hear(ADDRESS, b"back")
        assert (await waiting).payload == b"back"


async def test_a_call_that_succeeds_too_late_is_undone() -> None:
    undone, go_on = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    async def undo() -> None:
        undone.set()

    begun = now()
    with pytest.raises(TimeoutError, match="did not answer within 5 s"):
        await within(5, late(), too_late=undo)
    assert now() - begun <= 6
    assert not undone.is_set()
    go_on.set()
    await undone.wait()


async def test_all_who_listen_share_one_scanner_and_the_last_ends_it() -> None:
    backend = scripted()
    async with BleSource(backend=backend) as first:
        async with BleSource(backend=backend) as second:
            (scanner,) = backend.built
            scanner.hear(ADDRESS, b"both")
            assert [(await soon(source)).payload for source in (first, second)] == [b"both", b"both"]
        assert not scanner.stopped
        scanner.hear(ADDRESS, b"first")
        assert (await soon(first)).payload == b"first"
    assert scanner.stopped


async def test_looking_for_a_device_leaves_the_scan_of_others_alone() -> None:
    backend = scripted()
    central = Central()
    central._owner = owner_of(None, backend)
    async with BleSource(backend=backend) as source:
        with pytest.raises(DeviceNotFound):
            await central.find(DeviceQuery.of(ADDRESS), seconds=3)
        (scanner,) = backend.built
        assert not scanner.stopped
        scanner.hear(ADDRESS, b"still")
        assert (await soon(source)).payload == b"still"


async def test_one_rebuilds_for_all_and_none_does_it_twice() -> None:
    backend = scripted()
    async with BleSource(backend=backend, silence=10) as first, BleSource(backend=backend, silence=10) as second:
        waiting = [asyncio.create_task(anext(source)) for source in (first, second)]
        await asyncio.sleep(15)
        assert len(backend.built) == 2
        assert backend.built[0].stopped
        backend.built[1].hear(ADDRESS, b"back")
        assert [(await one).payload for one in waiting] == [b"back", b"back"]


@pytest.fixture
async def emulated(radio: VirtualRadio) -> AsyncIterator[Emulator]:
    plans = [EmulatedDeviceConfig(family="mppt", pin=PIN), EmulatedDeviceConfig(family="orion", pin=PIN)]
    async with Emulator(plans, radio=radio, seed=5, start=DEFAULT_START) as emulator:
        yield emulator


async def test_connect_on_a_shared_adapter_leaves_the_scan_running(emulated: Emulator, adapter: VirtualAdapter) -> None:
    central = Central(virtual=adapter)
    one, other = (running.device.address for running in emulated.running)
    async with frames_of(central) as frames:
        async with connect(one, pin=PIN, central=central) as link:
            assert (await link.get("battery_voltage")).value
            for _ in range(50):
                async with asyncio.timeout(10):
                    while (await anext(frames)).address != other:
                        pass
        async with asyncio.timeout(10):
            while (await anext(frames)).address != one:
                pass
    assert not adapter.device.scanning


async def test_two_scanners_of_bleak_on_one_virtual_adapter(emulated: Emulator, adapter: VirtualAdapter) -> None:
    heard: list[str] = []
    async with BleakScanner(lambda device, data: heard.append(device.address), backend=adapter.scanner):
        async with BleakScanner(backend=adapter.scanner, scanning_mode="passive"):
            pass
        heard.clear()
        await asyncio.sleep(3)
        assert heard
    assert not adapter.device.scanning


@pytest.mark.wall_clock
async def test_a_second_program_on_one_tcp_server_is_refused_in_words_and_the_first_goes_on() -> None:
    async with VirtualRadio() as radio:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        await radio.attach(f"tcp-server:127.0.0.1:{port}")
        where = f"tcp-client:127.0.0.1:{port}"
        async with (
            HostedAdapter(where) as first,
            VirtualAdapter(first) as adapter,
            BleSource(backend=adapter.scanner) as source,
        ):
            for program in (HostedAdapter, HardwareRadio, AdapterPeripheralRadio):
                with pytest.raises(AdapterUnavailable, match="another is connected") as refused:
                    await program(where).__aenter__()
                assert refused.value.reason == "busy"
            radio.advertiser("C2:00:00:00:00:07", name="x").update(b"\x10\x02still")
            assert (await anext(source)).payload == b"\x10\x02still"
        async with HostedAdapter(where) as second, VirtualAdapter(second):
            pass
