"""Emulated devices: how soon a client has read them, what they notify, how many fit, what one costs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from bench import Row, Unmeasurable, bench

try:
    from bleak import BleakClient, BleakScanner

    from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
    from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
    from bluewatt.transports.virtual.radio import VirtualRadio
    from tests.central import visit
except ModuleNotFoundError as missing:  # the bench says so when it is run
    MISSING: str | None = str(missing)
else:
    MISSING = None

from bluewatt.services.simulator import DEFAULT_START
from bluewatt.wire.smartshunt import BY_METRIC

COMMAND = Path(sys.executable).with_name("bluewatt")
DATA = 3
TEN = (0x0201, 0xED8D, 0xED8C, 0xEDBB, 0xEDBC, 0xEDBD, 0xEDD3, 0xEDD2, 0xEDDC, 0x0200)
HISTORY = tuple(range(0x104F, 0x106F))
NOTIFIED = 2000


async def _read(family: str, registers: Callable[[Emulator], tuple[int, ...]]) -> float:
    """Seconds to connect, pair and read registers of the data instance."""
    async with (
        VirtualRadio() as radio,
        VirtualAdapter(radio, pin="000000") as adapter,
        Emulator([EmulatedDeviceConfig(family=family)], radio=radio, seed=5, start=DEFAULT_START) as emulator,
    ):
        wanted = registers(emulator)
        started = time.perf_counter()
        async with visit(adapter.device, emulator.running[0].device.address, pin="000000") as client:
            await client.subscribe(DATA)
            await client.get(DATA, *wanted)
            return time.perf_counter() - started


async def _notifications() -> float:
    """Notifications of the documented service a second, as fast as they go."""
    async with (
        VirtualRadio() as radio,
        VirtualAdapter(radio, pin="000000") as adapter,
        Emulator(
            [EmulatedDeviceConfig(family="smartshunt")], radio=radio, seed=5, start=DEFAULT_START, fed=True
        ) as emulator,
    ):
        heard, every = 0, asyncio.Event()

        def hear(sender: Any, data: bytearray) -> None:
            nonlocal heard
            heard += 1
            if heard == NOTIFIED:
                every.set()

        address = emulator.running[0].device.address
        async with BleakClient(address, backend=adapter.client, timeout=10, pair=True) as client:
            await client.start_notify(BY_METRIC["battery_voltage"].uuid, hear)
            started = time.perf_counter()
            for count in range(NOTIFIED):
                emulator.feed({"battery_voltage": 12 + count % 200 / 100})
                if count % 50 == 0:
                    await asyncio.sleep(0)
            await asyncio.wait_for(every.wait(), 30)
            return NOTIFIED / (time.perf_counter() - started)


async def _crowd(devices: int) -> float:
    """How many of so many emulated devices one scanner hears within four seconds."""
    heard: set[str] = set()
    plans = [
        EmulatedDeviceConfig(family=family)
        for family in ("mppt", "smartshunt", "phoenix", "orion")
        for _ in range(devices // 4)
    ]
    async with (
        VirtualRadio() as radio,
        VirtualAdapter(radio) as adapter,
        Emulator(plans, radio=radio, seed=5, start=DEFAULT_START),
        BleakScanner(lambda device, data: heard.add(device.address), backend=adapter.scanner),
    ):
        await asyncio.sleep(4)
    return float(len(heard))


def _run(measure: Coroutine[Any, Any, float]) -> float:
    if MISSING:
        measure.close()
        raise Unmeasurable(MISSING)
    return asyncio.run(measure)


@bench
def emulator() -> Iterator[Row]:
    """Client and emulated device on the virtual radio, in one process."""
    ten = sorted(_run(_read("mppt", lambda emulator: TEN)) for _ in range(3))[1]
    yield Row(name="connect, pair, read ten registers", ours=ten, unit="s", goal=0.6)
    everything = _run(_read("mppt", _everything))
    yield Row(name="everything an MPPT has, 31 days too", ours=everything, unit="s", goal=3)
    yield Row(name="SmartShunt notifications", ours=_run(_notifications()), unit="/s", goal=1000)
    yield Row(name="emulated devices heard of 100", ours=_run(_crowd(100)), unit="", goal=None)


def _everything(emulator: Emulator) -> tuple[int, ...]:
    return tuple(number for instance, number in emulator.running[0].device.registers if instance == DATA)


@bench
def emulator_memory() -> Iterator[Row]:
    """`bluewatt emulate smartshunt`, resident after two seconds."""
    with tempfile.TemporaryDirectory() as state:
        line = [str(COMMAND), "emulate", "smartshunt", "--radio", "virtual", "--state", state]
        process = subprocess.Popen(line, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        try:
            time.sleep(2)
            status = Path(f"/proc/{process.pid}/status")
            if process.poll() is not None or not status.exists():
                raise Unmeasurable("the emulator does not run, or there is no /proc")
            resident = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        finally:
            process.terminate()
            process.wait()
    yield Row(name="bluewatt emulate smartshunt", ours=int(resident.split()[1]) / 1024, unit="MB", goal=80)
