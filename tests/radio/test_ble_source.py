"""The source `ble:` on its own: errors translated, the watchdog, the bounded queue, whose name is whose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError, BleakError

from bluewatt.errors import AdapterUnavailable
from bluewatt.model.reading import Frame
from bluewatt.model.recent import MOST_DEVICES
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.ble.adapter_errors import adapter_unavailable
from bluewatt.transports.ble.scan import BleSource

Reason = BleakBluetoothNotAvailableReason


class Scripted(BaseBleakScanner):
    """A bleak backend that does what a test wrote down; each test makes its own class of it with `scripted()`."""

    built: ClassVar[list[Scripted]]
    on_start: ClassVar[Callable[[int], Exception | None]]
    on_stop: ClassVar[Exception | None]

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: str, **kwargs: Any) -> None:
        super().__init__(detection_callback, service_uuids)
        self.mode, self.bluez, self.stopped = scanning_mode, kwargs["bluez"], False
        self.built.append(self)

    async def start(self) -> None:
        error = type(self).on_start(len(self.built))
        if error:
            raise error

    async def stop(self) -> None:
        self.stopped = True
        if self.on_stop:
            raise self.on_stop

    def hear(
        self, address: str, payload: bytes, *, company: int = COMPANY_ID, name: str | None = None, rssi: int = -50
    ) -> None:
        data = AdvertisementData(name, {company: payload}, {}, [], None, rssi, ())
        self.call_detection_callbacks(self.create_or_update_device(address, address, name, None, data), data)


def scripted(
    on_start: Callable[[int], Exception | None] = lambda attempt: None, on_stop: Exception | None = None
) -> type[Scripted]:
    return type("Backend", (Scripted,), {"built": [], "on_start": staticmethod(on_start), "on_stop": on_stop})


async def soon(source: BleSource) -> Frame:
    async with asyncio.timeout(2):
        return await anext(source)


DBUS = "org.freedesktop.DBus.Error."


@pytest.mark.parametrize(
    ("raised", "reason", "advice"),
    [
        (BleakBluetoothNotAvailableError("x", Reason.NO_BLUETOOTH), "missing", "plug one in"),
        (BleakBluetoothNotAvailableError("x", Reason.POWERED_OFF), "off", "bluetoothctl power on"),
        (BleakBluetoothNotAvailableError("x", Reason.NO_BLE_CENTRAL_ROLE), "role", "choose another"),
        (BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_SYSTEM), "permission", "group bluetooth"),
        (BleakBluetoothNotAvailableError("x", Reason.DENIED_BY_USER), "permission", "settings"),
        (BleakBluetoothNotAvailableError("x", Reason.UNKNOWN), "unknown", "cannot be used"),
        (BleakDBusError(DBUS + "ServiceUnknown", ["no"]), "service", "systemctl start bluetooth"),
        (BleakDBusError(DBUS + "Spawn.ChildExited", ["no"]), "service", "systemctl start bluetooth"),
        (BleakDBusError(DBUS + "AccessDenied", ["no"]), "permission", "group bluetooth"),
        (BleakDBusError("org.bluez.Error.NotReady", ["no"]), "off", "rfkill unblock"),
        (BleakDBusError("org.bluez.Error.InProgress", ["no"]), "busy", "another program is using"),
        (BleakDBusError("org.bluez.Error.Failed", ["what it said"]), "unknown", "what it said"),
        (BleakError("adapter 'hci3' not found"), "missing", "hci3"),
        (FileNotFoundError(2, "No such file"), "bus", "D-Bus"),
        (ConnectionRefusedError(111, "refused"), "bus", "D-Bus"),
        (PermissionError(13, "denied"), "permission", "group bluetooth"),
    ],
)
async def test_what_bleak_raises_becomes_one_sentence_of_advice(raised: Exception, reason: str, advice: str) -> None:
    with pytest.raises(AdapterUnavailable, match=advice) as caught:
        async with BleSource("hci3", backend=scripted(lambda attempt: raised)):
            pass
    assert caught.value.reason == reason
    assert caught.value.__cause__ is raised
    assert "\n" not in str(caught.value)


async def test_a_bug_is_not_dressed_up_as_the_worlds_fault() -> None:
    with pytest.raises(ZeroDivisionError):
        async with BleSource(backend=scripted(lambda attempt: ZeroDivisionError())):
            pass


def test_the_sentence_names_the_adapter_only_when_one_was_chosen() -> None:
    error = BleakBluetoothNotAvailableError("x", Reason.POWERED_OFF)
    assert "adapter hci1 is switched off" in str(adapter_unavailable(error, "hci1"))
    assert "adapter is switched off" in str(adapter_unavailable(error))


async def test_the_chosen_adapter_and_mode_reach_bleak() -> None:
    backend = scripted()
    async with BleSource("hci1", backend=backend, mode="passive") as source:
        (scanner,) = backend.built
        assert (scanner.mode, scanner.bluez["adapter"]) == ("passive", "hci1")
        assert [tuple(pattern) for pattern in scanner.bluez["or_patterns"]] == [(0, 0xFF, b"\xe1\x02")]
        assert (source.mode, source.mode_reason, source.origin) == ("passive", "asked for", "ble:hci1")


async def test_every_event_is_a_frame_even_with_the_same_bytes() -> None:
    backend = scripted()
    async with BleSource(backend=backend, clock=lambda: 12.5) as source:
        for _ in range(3):
            backend.built[0].hear("AA:BB:CC:DD:EE:FF", b"\x10same")
        frames = [await soon(source) for _ in range(3)]
    expected = Frame(
        at=12.5, origin="ble:", medium="advertisement", address="AA:BB:CC:DD:EE:FF", payload=b"\x10same", rssi=-50
    )
    assert frames == [expected] * 3


async def test_a_name_heard_once_stays_with_its_device() -> None:
    backend = scripted()
    async with BleSource(backend=backend) as source:
        (scanner,) = backend.built
        scanner.hear("AA:00:00:00:00:01", b"1")
        scanner.hear("AA:00:00:00:00:01", b"2", name="Shunt")
        scanner.hear("AA:00:00:00:00:02", b"3")
        scanner.hear("AA:00:00:00:00:01", b"4")
        assert [(await soon(source)).name for _ in range(4)] == [None, "Shunt", None, "Shunt"]


async def test_names_of_forged_devices_cost_a_bounded_memory() -> None:
    backend = scripted()
    async with BleSource(backend=backend) as source:
        (scanner,) = backend.built
        scanner.hear("AA:00:00:00:00:01", b"1", name="Shunt")
        for number in range(200_000):
            scanner.hear(f"forged {number}", b"x", name="forged")
            if number % 10_000 == 0:
                scanner.hear("AA:00:00:00:00:01", b"2")
            scanner.seen_devices.clear()
        assert len(source._names) <= MOST_DEVICES
        assert source._names["AA:00:00:00:00:01"] == "Shunt", "it was heard all the time"


async def test_an_event_without_signal_strength_is_no_advertisement() -> None:
    backend = scripted()
    async with BleSource(backend=backend) as source:
        backend.built[0].hear("AA:00:00:00:00:01", b"old", rssi=-127)
        backend.built[0].hear("AA:00:00:00:00:01", b"new")
        assert (await soon(source)).payload == b"new"
        assert source.counters.heard == 1


async def test_a_full_queue_drops_the_oldest_and_counts() -> None:
    backend = scripted()
    async with BleSource(backend=backend, capacity=3) as source:
        for number in range(5):
            backend.built[0].hear("AA:00:00:00:00:01", bytes([number]))
        assert [(await soon(source)).payload[0] for _ in range(3)] == [2, 3, 4]
        assert source.counters.dropped == 2


async def test_silence_rebuilds_the_scanner_although_stopping_the_dead_one_fails() -> None:
    backend = scripted(on_stop=BleakDBusError("org.bluez.Error.Failed", ["no discovery started"]))
    async with BleSource(backend=backend, silence=0.1) as source:
        waiting = asyncio.create_task(soon(source))
        await asyncio.sleep(0.35)
        assert source.counters.rebuilds == 3, "each scanner gets its time"
        assert all(scanner.stopped for scanner in backend.built[:-1])
        backend.built[-1].hear("AA:00:00:00:00:01", b"back")
        assert (await waiting).payload == b"back"


async def test_strangers_are_no_silence() -> None:
    backend = scripted()
    async with BleSource(backend=backend, silence=0.4) as source:
        waiting = asyncio.create_task(soon(source))
        for _ in range(10):
            await asyncio.sleep(0.05)
            backend.built[0].hear("AA:00:00:00:00:09", b"x", company=COMPANY_ID + 1)
        assert (source.counters.rebuilds, source.counters.strangers) == (0, 10)
        backend.built[0].hear("AA:00:00:00:00:01", b"x")
        await waiting


async def test_an_adapter_that_comes_back_in_time_is_used_again() -> None:
    back = asyncio.Event()

    def on_start(attempt: int) -> Exception | None:
        if attempt == 3:
            back.set()
        return BleakBluetoothNotAvailableError("x", Reason.POWERED_OFF) if attempt == 2 else None

    backend = scripted(on_start)
    async with BleSource(backend=backend, silence=0.1, patience=5) as source:
        waiting = asyncio.create_task(soon(source))
        await back.wait()
        backend.built[-1].hear("AA:00:00:00:00:01", b"back")
        assert (await waiting).payload == b"back"


async def test_an_adapter_that_stays_away_ends_the_wait_and_can_be_tried_again() -> None:
    gone = BleakBluetoothNotAvailableError("x", Reason.NO_BLUETOOTH)
    away = [False]
    backend = scripted(lambda attempt: gone if away[0] else None)
    async with BleSource(backend=backend, silence=0.05, patience=0) as source:
        away[0] = True
        with pytest.raises(AdapterUnavailable) as caught:
            await soon(source)
        assert caught.value.reason == "missing"
        away[0] = False
        waiting = asyncio.create_task(soon(source))
        await asyncio.sleep(0.02)
        backend.built[-1].hear("AA:00:00:00:00:01", b"back")
        assert (await waiting).payload == b"back"


async def test_frames_that_arrived_before_the_loss_are_still_delivered() -> None:
    gone = BleakBluetoothNotAvailableError("x", Reason.NO_BLUETOOTH)
    backend = scripted(lambda attempt: gone if attempt > 1 else None)
    async with BleSource(backend=backend, silence=0.01, patience=0) as source:
        backend.built[0].hear("AA:00:00:00:00:01", b"kept")
        await asyncio.sleep(0.03)
        assert (await soon(source)).payload == b"kept"
        with pytest.raises(AdapterUnavailable):
            await soon(source)


async def test_leaving_stops_the_scanner() -> None:
    backend = scripted()
    async with BleSource(backend=backend):
        assert not backend.built[0].stopped
    assert backend.built[0].stopped
