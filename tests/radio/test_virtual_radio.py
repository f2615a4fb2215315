"""The virtual radio: what is advertised arrives, from the right device, with its name and signal strength."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator

import pytest
from bumble.device import Device
from bumble.hci import HCI_Error, HCI_ErrorCode

from bluewatt.errors import AdapterUnavailable, Unencodable
from bluewatt.model.reading import Frame
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.advertising import LONGEST_MANUFACTURER_DATA
from bluewatt.transports.ble.scan import BleSource
from bluewatt.transports.hci_transport import is_host
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.hardware_radio import HardwareRadio
from bluewatt.transports.virtual.radio import VirtualRadio
from tests.making.ports import free_port

SECONDS = float(os.environ.get("BLUEWATT_RADIO_SECONDS", "3"))
"""How long fifty devices are heard; 60 is the full run."""


def address(number: int) -> str:
    return f"C2:00:00:00:{number >> 8:02X}:{number & 255:02X}"


async def hear(source: BleSource, seconds: float) -> list[Frame]:
    frames: list[Frame] = []
    try:
        async with asyncio.timeout(seconds):
            async for frame in source:
                frames.append(frame)
    except TimeoutError:
        return frames
    raise AssertionError("the source ended by itself")


async def hear_until(source: BleSource, count: int) -> list[Frame]:
    async with asyncio.timeout(5):
        return [await anext(source) for _ in range(count)]


@pytest.fixture
async def radio() -> AsyncIterator[VirtualRadio]:
    async with VirtualRadio(seed=1) as radio:
        yield radio


@pytest.fixture
async def source(radio: VirtualRadio) -> AsyncIterator[BleSource]:
    async with VirtualAdapter(radio) as adapter, BleSource(backend=adapter.scanner, origin="virtual:") as source:
        yield source


async def test_a_frame_is_what_was_advertised(radio: VirtualRadio, source: BleSource) -> None:
    radio.advertiser(address(7), name="SmartShunt HQ7", rssi=-71).update(b"\x10\x02hello")
    (frame,) = await hear_until(source, 1)
    assert frame == Frame(
        at=frame.at,
        origin="virtual:",
        medium="advertisement",
        address=address(7),
        payload=b"\x10\x02hello",
        rssi=-71,
        name="SmartShunt HQ7",
    )


async def test_fifty_devices_none_lost_none_confused(radio: VirtualRadio, source: BleSource) -> None:
    sent: dict[str, list[bytes]] = defaultdict(list)

    async def device(number: int) -> None:
        advertiser = radio.advertiser(address(number), name=f"Device {number}", interval=60, rssi=-40 - number)
        await asyncio.sleep(number / 100)
        for nonce in range(int((SECONDS - 0.5) / 0.2)):
            payload = bytes((number, nonce & 255, nonce >> 8)) * 7
            sent[address(number)].append(payload)
            advertiser.update(payload)
            await asyncio.sleep(0.2)

    heard: dict[str, list[bytes]] = defaultdict(list)

    async def listen() -> None:
        async for frame in source:
            heard[frame.address].append(frame.payload)
            assert (frame.name, frame.rssi) == (f"Device {frame.payload[0]}", -40 - frame.payload[0])

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        async with asyncio.TaskGroup() as devices:
            for number in range(50):
                devices.create_task(device(number))
        await asyncio.sleep(0.2)
        listening.cancel()
    assert len(sent) == 50
    assert heard == sent
    assert source.counters.dropped == 0


async def test_an_advertisement_is_repeated_at_its_interval(radio: VirtualRadio, source: BleSource) -> None:
    radio.advertiser(address(1), name="slow", interval=0.2).update(b"s")
    radio.advertiser(address(2), name="fast", interval=0.05).update(b"f")
    heard = Counter(frame.payload for frame in await hear(source, 1.05))
    assert 3 <= heard[b"s"] <= 6
    assert 9 <= heard[b"f"] <= 21, "a busy machine may be late, never early"


async def test_a_stopped_device_is_silent_until_its_next_update(radio: VirtualRadio, source: BleSource) -> None:
    advertiser = radio.advertiser(address(1), name="x", interval=0.02)
    advertiser.update(b"1")
    await hear_until(source, 3)
    advertiser.stop()
    await hear(source, 0.05)
    assert await hear(source, 0.15) == []
    advertiser.update(b"2")
    assert (await hear_until(source, 1))[0].payload == b"2"


async def test_signal_strength_and_name_follow_the_device(radio: VirtualRadio, source: BleSource) -> None:
    advertiser = radio.advertiser(address(1), name="near", interval=60)
    advertiser.update(b"1")
    advertiser.rssi, advertiser.name = -90, "far"
    advertiser.update(b"2")
    assert [(frame.rssi, frame.name) for frame in await hear_until(source, 2)] == [(-60, "near"), (-90, "far")]


async def test_a_passive_scan_hears_no_names(radio: VirtualRadio) -> None:
    async with VirtualAdapter(radio) as adapter, BleSource(backend=adapter.scanner, mode="passive") as source:
        radio.advertiser(address(1), name="unheard").update(b"1")
        (frame,) = await hear_until(source, 1)
        assert (source.mode, frame.name, frame.payload) == ("passive", None, b"1")


async def test_two_adapters_hear_the_same_device(radio: VirtualRadio, source: BleSource) -> None:
    async with (
        VirtualAdapter(radio, address="F0:00:00:00:00:02") as second,
        BleSource(backend=second.scanner, origin="second") as other,
    ):
        radio.advertiser(address(1), name="x").update(b"1")
        assert (await hear_until(source, 1))[0].payload == (await hear_until(other, 1))[0].payload == b"1"


async def test_loss_is_the_share_asked_for_and_the_same_for_a_seed() -> None:
    async def arrivals() -> list[bytes]:
        async with (
            VirtualRadio(loss=0.3, seed=5) as radio,
            VirtualAdapter(radio) as adapter,
            BleSource(backend=adapter.scanner) as source,
        ):
            advertiser = radio.advertiser(address(1), name="x", interval=60)
            for nonce in range(500):
                advertiser.update(nonce.to_bytes(2, "little"))
                await asyncio.sleep(0)
            return [frame.payload for frame in await hear(source, 0.3)]

    first = await arrivals()
    assert 300 <= len(first) <= 400
    assert await arrivals() == first


async def test_too_many_bytes_are_refused_and_the_old_ones_stay(radio: VirtualRadio, source: BleSource) -> None:
    advertiser = radio.advertiser(address(1), name="x" * 40, interval=0.02)
    advertiser.update(bytes(LONGEST_MANUFACTURER_DATA))
    with pytest.raises(Unencodable):
        advertiser.update(bytes(LONGEST_MANUFACTURER_DATA + 1))
    frame = (await hear_until(source, 3))[-1]
    assert (frame.payload, frame.name) == (bytes(LONGEST_MANUFACTURER_DATA), "x" * 29)


async def test_cost_grows_with_the_devices_not_with_their_square(radio: VirtualRadio, source: BleSource) -> None:
    for number in range(300):
        radio.advertiser(address(number), name=f"D{number}", interval=2).update(number.to_bytes(2, "little"))
    heard = {frame.address for frame in await hear(source, 0.5)}
    assert len(heard) == 300
    assert len(radio.air.listeners) == 1


async def test_a_host_elsewhere_hears_an_attached_radio_and_can_be_a_device_on_it(
    radio: VirtualRadio, source: BleSource
) -> None:
    port = free_port()
    await radio.attach(f"tcp-server:127.0.0.1:{port}")
    async with HardwareRadio(f"tcp-client:127.0.0.1:{port}") as hardware:
        advertiser = hardware.advertiser(address(9), name="From afar", interval=0.05)
        advertiser.update(b"first")
        assert {(f.address, f.payload, f.name) for f in await hear_until(source, 2)} == {
            (address(9), b"first", "From afar")
        }
        advertiser.update(b"second")
        assert b"second" in {frame.payload for frame in await hear(source, 0.3)}
        advertiser.stop()
        await hear(source, 0.1)
        assert await hear(source, 0.2) == []


async def test_an_adapter_is_only_so_many_devices_at_once(radio: VirtualRadio) -> None:
    port = free_port()
    await radio.attach(f"tcp-server:127.0.0.1:{port}")
    async with HardwareRadio(f"tcp-client:127.0.0.1:{port}") as hardware:
        for number in range(hardware.capacity):
            hardware.advertiser(address(number), name="x")
        with pytest.raises(AdapterUnavailable, match="at once") as caught:
            hardware.advertiser(address(99), name="x")
        assert caught.value.reason == "full"


async def test_an_adapter_that_refuses_says_so_at_once(radio: VirtualRadio, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*arguments: object, **options: object) -> None:
        raise HCI_Error(HCI_ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR)

    port = free_port()
    await radio.attach(f"tcp-server:127.0.0.1:{port}")
    monkeypatch.setattr(Device, "create_advertising_set", refuse)

    async def body() -> None:
        async with HardwareRadio(f"tcp-client:127.0.0.1:{port}") as hardware:
            hardware.advertiser(address(1), name="Shunt").update(b"1")
            await asyncio.Event().wait()

    with pytest.raises(AdapterUnavailable, match=r"Shunt.*MEMORY_CAPACITY"):
        await body()


@pytest.mark.parametrize(
    ("transport", "reason"), [("vhci:/nowhere/vhci", "missing"), ("nonsense:1", "missing"), ("usb:99", "missing")]
)
async def test_a_transport_that_is_not_there_is_named(radio: VirtualRadio, transport: str, reason: str) -> None:
    with pytest.raises(AdapterUnavailable, match=transport) as caught:
        await radio.attach(transport)
    assert caught.value.reason == reason


async def test_strangers_are_counted_not_delivered(radio: VirtualRadio, source: BleSource) -> None:
    radio.advertiser(address(1), name="other", company_id=COMPANY_ID + 1, interval=60).update(b"other")
    radio.advertiser(address(2), name="ours", interval=60).update(b"ours")
    assert [frame.payload for frame in await hear(source, 0.3)] == [b"ours"]
    assert (source.counters.heard, source.counters.strangers) == (2, 1)


@pytest.mark.parametrize("transport", ["vhci", "vhci:/dev/vhci", "tcp-server:127.0.0.1:7001", "pty:/tmp/x"])
def test_behind_some_transports_is_a_host_without_an_adapter(transport: str) -> None:
    assert is_host(transport)


@pytest.mark.parametrize("transport", ["usb:0", "hci-socket:0", "serial:/dev/ttyACM0", "tcp-client:127.0.0.1:7001"])
def test_behind_others_is_an_adapter_without_a_host(transport: str) -> None:
    assert not is_host(transport)


@pytest.mark.parametrize("transport", ["tcp-client:127.0.0.1:1", "serial:/nowhere", "hci-socket:99", "nonsense:1"])
async def test_a_real_adapter_that_cannot_be_opened_is_named(transport: str) -> None:
    async def body() -> None:
        async with HardwareRadio(transport):
            pass

    with pytest.raises(AdapterUnavailable, match=transport):
        await body()
