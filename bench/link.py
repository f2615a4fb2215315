"""A whole visit to a device on the virtual radio: find, connect, pair, read ten registers; read all a charger has."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date

from bench import Row, Unmeasurable, bench

RUNS = 5
OFTEN = 0.1
"""Seconds between two advertisements: finding and dialling wait for one each, whatever we do."""
PIN = "004711"
TEN = (
    "battery_voltage", "battery_current", "battery_power", "state_of_charge", "time_to_go", "consumed_charge",
    "starter_voltage", "charge_cycles", "discharged_energy", "alarm_reason",
)  # fmt: skip


@asynccontextmanager
async def around(family: str, interval: float | None = None) -> AsyncIterator[tuple[object, str]]:
    """A fresh emulated device, advertising as often as told, and an adapter without bonds; the device's address."""
    from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
    from bluewatt.transports.ble.central import Central
    from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
    from bluewatt.transports.virtual.radio import VirtualRadio

    async with VirtualRadio(seed=1) as radio, VirtualAdapter(radio) as adapter, AsyncExitStack() as stack:
        emulator = Emulator([EmulatedDeviceConfig(family=family, pin=PIN)], radio=radio, seed=5)
        emulator.devices[0].interval = interval or emulator.devices[0].interval
        await stack.enter_async_context(emulator)
        yield Central(virtual=adapter), emulator.running[0].device.address


async def visit(interval: float | None = None) -> float:
    """Seconds from nothing to ten values."""
    from bluewatt.app.links import connect
    from bluewatt.services.readout import read_named

    async with around("smartshunt", interval) as (central, address):
        started = time.perf_counter()
        async with connect(address, pin=PIN, central=central) as link:  # type: ignore[arg-type]
            values = await read_named(link, TEN)
            seconds = time.perf_counter() - started
    if len(values) != len(TEN):
        raise AssertionError(f"{len(values)} of {len(TEN)} registers were read")
    return seconds


async def everything() -> tuple[float, int]:
    """Seconds to read every register and every day of a charger on an open link, and how many registers that are."""
    from bluewatt.app.links import connect
    from bluewatt.services.readout import read_group, read_history

    async with around("mppt") as (central, address), connect(address, pin=PIN, central=central) as link:  # type: ignore[arg-type]
        started = time.perf_counter()
        registers = await read_group(link, "all")
        history = await read_history(link, today=date(2026, 11, 20))
        seconds = time.perf_counter() - started
    if len(history.days) != 31:
        raise AssertionError(f"{len(history.days)} of 31 days were read")
    return seconds, len(registers)


@bench
def link() -> Iterator[Row]:
    """Seconds of a visit, and of reading all of a charger with 31 days of history."""
    try:
        asyncio.run(visit())
    except ModuleNotFoundError as missing:
        raise Unmeasurable(f"the library {missing.name} is not installed") from missing
    often = statistics.median(asyncio.run(visit(OFTEN)) for _ in range(RUNS))
    yield Row(name="link: connect, pair, read ten registers", ours=often, unit="s", goal=0.6)
    seldom = statistics.median(asyncio.run(visit()) for _ in range(RUNS))
    yield Row(name="link: the same, advertised every 0.3 s", ours=seldom, unit="s")
    whole = [asyncio.run(everything()) for _ in range(RUNS)]
    name = f"link: {whole[0][1]} registers and 31 days of an MPPT"
    yield Row(name=name, ours=statistics.median(seconds for seconds, _ in whole), unit="s", goal=3.0)
