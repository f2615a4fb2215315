"""The source `ble:`: Victron advertisements heard by a Bluetooth adapter, through bleak.

`ble:` takes the system's first powered adapter, `ble:hci1` a chosen one. The scan is passive where the system can do it
(BlueZ 5.56 or newer with its experimental interfaces; it saves the devices' batteries and misses fewer packets), active
otherwise, and `mode` and `mode_reason` say which and why. A passive scan receives no scan responses, so names come late
or never.

A scan may end without an error: the Bluetooth service restarts, the adapter is unplugged, or no reason is known. On
BlueZ a watch on the system bus reports the first two at once; otherwise `silence` seconds without any device count as
the end. Then the scanner is dropped and a new one built, for up to `patience` seconds, before the reader gets an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason

from bluewatt.errors import AdapterUnavailable
from bluewatt.model.ports import ScanCounters
from bluewatt.model.reading import Frame
from bluewatt.model.recent import Recent
from bluewatt.monotonic import monotonic
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.ble.adapter import Adapter, Mode, owner_of
from bluewatt.transports.ble.adapter_errors import AdapterErrors, adapter_unavailable
from bluewatt.transports.ble.bluez.watch import BluezWatch, open_watch
from bluewatt.transports.resource import Resource
from bluewatt.wire.printable import printable

SILENCE = 90.0
"""Seconds without any advertisement after which the scanner is rebuilt."""

PATIENCE = 15.0
"""Seconds a lost adapter may take to come back. A restarted Bluetooth service needs one or two; after a crash the
kernel goes on with the dead service's discovery for up to ten and lets nobody else begin one."""

_RETRY = 0.25  # seconds between two tries

_NO_RSSI = -127  # bleak's value if BlueZ has none


class BleSource(Resource):
    """A stream of frames from one adapter: `async with BleSource() as source: async for frame in source: ...`.

    `mode=None` prefers a passive scan. `backend` is another bleak scanner than the system's, such as that of the
    virtual radio. `capacity` frames wait for a slow reader; then the oldest goes. `clock` stamps the frames.
    Opening raises AdapterUnavailable; so does iterating when the adapter goes away and stays away.
    """

    def __init__(
        self,
        adapter: str | None = None,
        *,
        mode: Mode | None = None,
        backend: type[BaseBleakScanner] | None = None,
        origin: str | None = None,
        silence: float = SILENCE,
        patience: float = PATIENCE,
        capacity: int = 4096,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.adapter = adapter
        self.origin = origin or f"ble:{adapter or ''}"
        self.mode: Mode = mode or "active"
        self.mode_reason = "not started"
        self.counters = ScanCounters()
        self._wanted = mode
        self._backend = backend
        self._silence = silence
        self._patience = patience
        self._capacity = capacity
        self._clock = clock
        self._owner: Adapter | None = None
        self._scanner: BleakScanner | None = None
        self._frames: deque[Frame] = deque()
        self._arrived = asyncio.Event()
        self._names: Recent[str] = Recent()  # a device with a key keeps its name in the receiver
        self._last_heard = 0.0
        self._lost = False
        self._watch: BluezWatch | None = None

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        self._owner = owner_of(self.adapter, self._backend)
        if self._on_bluez():
            self._watch = await open_watch(stack, self.adapter, self._on_lost)
        await self._start()
        stack.push_async_callback(self._owner.leave, self._heard)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        while not self._frames:
            self._arrived.clear()
            if self._lost or monotonic() - self._last_heard >= self._silence:
                await self._rebuild()
            left = self._last_heard + self._silence - monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(left, 0)):
                    await self._arrived.wait()
        return self._frames.popleft()

    def _on_lost(self, reason: str) -> None:
        self._lost = True
        self._arrived.set()

    async def _rebuild(self) -> None:
        self.counters.rebuilds += 1
        if self._owner and self._scanner:
            await self._owner.renew(self._scanner)
        give_up = monotonic() + self._patience
        while True:
            self._lost = False  # a loss reported while starting counts again
            try:
                return await self._start()
            except AdapterUnavailable:
                self._lost = True
                if monotonic() >= give_up:
                    raise
            await asyncio.sleep(_RETRY)

    async def _start(self) -> None:
        if self._wanted == "active" or (self._wanted is None and not self._on_bluez()):
            await self._scan("active", "asked for" if self._wanted else self._why_active())
        elif self._wanted == "passive":
            await self._scan("passive", "asked for")
        else:
            await self._prefer_passive()
        self._last_heard = monotonic()

    def _why_active(self) -> str:
        return "names need scan responses" if self._backend else f"bleak has no filtered passive scan on {sys.platform}"

    def _on_bluez(self) -> bool:
        return self._backend is None and sys.platform == "linux"

    async def _prefer_passive(self) -> None:
        try:
            await self._scan("passive", "the system allows it")
        except AdapterUnavailable as error:
            if error.reason != "unknown":
                raise
            await self._scan("active", f"no passive scan: {error.__cause__}")

    async def _scan(self, mode: Mode, reason: str) -> None:
        assert self._owner
        try:
            if self._watch and await self._watch.switched_off():
                raise BleakBluetoothNotAvailableError("powered off", BleakBluetoothNotAvailableReason.POWERED_OFF)
            self._scanner = await self._owner.listen(mode, self._heard)
        except AdapterErrors as error:
            raise adapter_unavailable(error, self.adapter) from error
        self.mode, self.mode_reason = mode, reason

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        if advertisement.rssi == _NO_RSSI:
            return  # BlueZ forgetting the signal strength when a scan stops, with the bytes of long ago
        self._last_heard = monotonic()
        self.counters.heard += 1
        payload = advertisement.manufacturer_data.get(COMPANY_ID)
        if payload is None:
            self.counters.strangers += 1
            return
        name = printable(advertisement.local_name or "") or self._names.get(device.address)
        if name:
            self._names.remember(device.address, name)
        self._put(
            Frame(
                at=self._clock(),
                origin=self.origin,
                medium="advertisement",
                address=device.address,
                payload=bytes(payload),
                rssi=advertisement.rssi,
                name=name,
            )
        )

    def _put(self, frame: Frame) -> None:
        if len(self._frames) >= self._capacity:
            self._frames.popleft()
            self.counters.dropped += 1
        self._frames.append(frame)
        self._arrived.set()
