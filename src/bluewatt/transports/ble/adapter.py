"""One owner per radio: all that this process does with an adapter goes through here.

Scans are counted. Whoever listens in one mode shares one scanner of the library, which runs until the last of them has
left: BlueZ lets a process scan once, and one stop would end the scan of all. One connection is set up at a time.

The library hangs now and then; a stop may never return. So every call into it has a time limit: what does not return
in time is dropped with the object it belongs to, and a new object takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Literal
from weakref import WeakKeyDictionary, WeakValueDictionary

from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs, OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.ble.adapter_errors import AdapterErrors

Mode = Literal["passive", "active"]
"""How a scanner listens: passive only receives, active also asks each device for its scan response (the name)."""

AdvertisementCallback = Callable[[BLEDevice, AdvertisementData], None]
"""What is called with each advertisement."""

START = 15.0
"""Seconds the library may take to begin a scan: BlueZ needs up to ten after a crash of its service."""

STOP = 5.0
"""Seconds the library may take to end a scan."""

_OUR_COMPANY = OrPattern(0, AdvertisementDataType.MANUFACTURER_SPECIFIC_DATA, COMPANY_ID.to_bytes(2, "little"))
_DROPPED: set[asyncio.Task[None]] = set()  # calls nobody waits for any more; a task without a reference may vanish


class Adapter:
    """The owner of one adapter: its scans, and the lock for connecting. `backend` is another scanner than the system's.

    Use `owner_of`, which gives everybody the same one.
    """

    def __init__(self, name: str | None, backend: type[BaseBleakScanner] | None) -> None:
        self.dialling = asyncio.Lock()
        """Held while a connection is set up: two at once abort each other on common controllers."""
        self._name = name
        self._backend = backend
        self._changing = asyncio.Lock()
        self._scanners: dict[Mode, BleakScanner] = {}
        self._listeners: dict[Mode, list[AdvertisementCallback]] = {"passive": [], "active": []}

    async def listen(self, mode: Mode, heard: AdvertisementCallback) -> BleakScanner:
        """Call `heard` with each advertisement until `leave`; raises `AdapterErrors` if no scan can be begun.

        What is returned stands for the scan: give it to `renew` when the scan seems dead.
        """
        async with self._changing:
            scanner = self._scanners.get(mode) or await self._begin(mode)
            if heard not in self._listeners[mode]:
                self._listeners[mode].append(heard)
            return scanner

    async def leave(self, heard: AdvertisementCallback) -> None:
        """End the calls of `heard`; the last who leaves ends the scan."""
        async with self._changing:
            for mode, listeners in self._listeners.items():
                if heard in listeners:
                    listeners.remove(heard)
                    if not listeners:
                        await self._end(mode)

    async def renew(self, dead: BleakScanner) -> None:
        """Drop a scanner, unless somebody did meanwhile; the next `listen` builds another for all listeners."""
        async with self._changing:
            for mode, scanner in list(self._scanners.items()):
                if scanner is dead:
                    await self._end(mode)

    async def _begin(self, mode: Mode) -> BleakScanner:
        bluez = BlueZScannerArgs(or_patterns=[_OUR_COMPANY]) if mode == "passive" else BlueZScannerArgs()
        if self._name:
            bluez["adapter"] = self._name

        def dispatch(device: BLEDevice, data: AdvertisementData) -> None:
            for heard in tuple(self._listeners[mode]):
                heard(device, data)

        scanner = BleakScanner(dispatch, scanning_mode=mode, bluez=bluez, backend=self._backend)
        await within(START, scanner.start(), too_late=scanner.stop)
        self._scanners[mode] = scanner
        return scanner

    async def _end(self, mode: Mode) -> None:
        scanner = self._scanners.pop(mode, None)
        if scanner:
            # Stopping a scan that died raises, or never returns: it is stopped, which is what we wanted.
            with contextlib.suppress(*AdapterErrors):
                await within(STOP, scanner.stop())


_OWNERS: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[tuple[Any, ...], Adapter]] = (
    WeakKeyDictionary()
)


def owner_of(name: str | None, backend: type[BaseBleakScanner] | None = None) -> Adapter:
    """Return the owner of an adapter in the running loop, made for the first who asks and gone with the last."""
    owners = _OWNERS.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    found = owners.get((name, backend))
    if found is None:
        found = owners[name, backend] = Adapter(name, backend)
    return found


async def within(
    seconds: float,
    call: Coroutine[Any, Any, None],
    *,
    too_late: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Await a call of the library; raises TimeoutError if it takes longer, whether or not it can be cancelled.

    `too_late` undoes a call that succeeds after all when nobody waits for it any more.
    """
    task = asyncio.create_task(call)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _drop(task, too_late)
        raise
    if not task.done():
        _drop(task, too_late)
        raise TimeoutError(f"the Bluetooth system did not answer within {seconds:g} s")
    task.result()


def _drop(task: asyncio.Task[None], too_late: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
    task.cancel()
    _keep(_after(task, too_late))


def _keep(call: Coroutine[Any, Any, None]) -> None:
    kept = asyncio.create_task(call)
    _DROPPED.add(kept)
    kept.add_done_callback(_DROPPED.discard)


async def _after(task: asyncio.Task[None], too_late: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
    """Wait for the end of a call that nobody waits for, and undo it if it succeeded."""
    await asyncio.wait({task})
    if not task.cancelled() and task.exception() is None and too_late:
        with contextlib.suppress(*AdapterErrors):
            await too_late()
