"""What goes wrong behind a source, a link or an emulator is told at once: nothing here ends by itself otherwise."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bumble.core import InvalidStateError
from bumble.device import Device
from bumble.hci import HCI_Reset_Command
from bumble.transport.common import ParserSource, Transport, TransportLostError

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
from bluewatt.app.links import connect
from bluewatt.app.sources import make_source, open_source
from bluewatt.app.virtual_site import VirtualSource
from bluewatt.cli import main
from bluewatt.errors import AdapterUnavailable, LinkLost, Unencodable
from bluewatt.services.emulator import EmulatedDevice
from bluewatt.services.simulator import SimulatedDevice
from bluewatt.transports import hci_transport
from bluewatt.transports.ble.central import Central, DeviceQuery
from bluewatt.transports.ble.link import BleLink
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.hardware_radio import HardwareRadio
from bluewatt.transports.virtual.radio import VirtualRadio
from bluewatt.wire.vesmart.broadcast import Network
from tests.radio.conftest import Emulating

GONE = "is gone: it was unplugged, or the program that serves it ended"
PIN = "000000"


class Served:
    """A virtual radio whose adapter another host has, here in this process; `vanish` pulls its plug."""

    def __init__(self, radio: VirtualRadio, transport: str, plug: Transport) -> None:
        self.radio = radio
        self.transport = transport
        self._plug = plug

    async def vanish(self) -> None:
        """What a pulled plug does."""
        await hci_transport.close_hci(self._plug)


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    opened: list[Transport] = []

    async def opening(transport: str) -> Transport:
        opened.append(await open_hci(transport))
        return opened[-1]

    open_hci = hci_transport.open_hci
    monkeypatch.setattr(hci_transport, "open_hci", opening)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    async with VirtualRadio() as radio:
        await radio.attach(f"tcp-server:127.0.0.1:{port}")
        yield Served(radio, f"tcp-client:127.0.0.1:{port}", opened[0])


# a simulator that fails


async def test_an_error_of_the_simulator_ends_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    source = VirtualSource(seed=1)
    device = source.site.devices[0]
    heard: list[object] = []

    def broken(at: float) -> bytes:
        raise Unencodable("the simulator says 400 V")

    async def body() -> None:
        async with source:
            async for frame in source:
                heard.append(frame)
                monkeypatch.setattr(device, "advertisement", broken)

    with pytest.raises(Unencodable, match="400 V"):
        await body()
    assert heard, "it worked before"


def test_an_error_of_the_simulator_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: SimulatedDevice, at: float) -> bytes:
        raise Unencodable("the simulator says 400 V")

    monkeypatch.setattr(SimulatedDevice, "advertisement", broken)
    assert main(["demo", "--json", "--seconds", "86400"]) == Unencodable.exit_code
    assert capsys.readouterr().err == "bluewatt: the simulator says 400 V\n"


# an emulator whose values cannot be encoded


async def test_an_emulator_that_cannot_advertise_ends(radio: VirtualRadio, emulator: Emulating) -> None:
    async def body() -> None:
        async with emulator(radio, EmulatedDeviceConfig(family="smartshunt"), fed=True) as running:
            device = running.running[0].device

            def broken(at: float) -> bytes:
                raise Unencodable("a battery voltage of 900 V")

            device.advertisement = broken  # type: ignore[method-assign]
            running.feed({"battery_voltage": 900})
            await running.run()

    with pytest.raises(Unencodable, match="900 V"):
        await body()


@pytest.mark.parametrize(
    ("family", "key", "value", "good"),
    [
        ("mppt", "device_state", -1, "bulk"), ("mppt", "device_state", 10**30, 3),
        ("mppt", "device_state", "asleep", 5),
        ("smartshunt", "alarm_reason", -1, ["low_voltage"]), ("smartshunt", "alarm_reason", 10**30, 1),
        ("smartshunt", "aux_mode", 9, 0), ("smartshunt", "battery_current", float("nan"), -4.0),
        ("smartshunt", "battery_voltage", "much", 12.5),
        ("smartshunt", "battery_voltage", [1], 12.5),
    ],
)  # fmt: skip
async def test_a_fed_value_that_cannot_be_shown_is_told_and_the_device_lives_on(
    radio: VirtualRadio, emulator: Emulating, family: str, key: str, value: object, good: object
) -> None:
    async def fed() -> AsyncIterator[dict[str, object]]:
        for one in (good, value, value, good):
            yield {key: one}
            shown.append(device.plant.record(0).as_dict()[key])

    told: list[str] = []
    shown: list[object] = []
    async with emulator(radio, EmulatedDeviceConfig(family=family), fed=True) as running:
        device = running.running[0].device
        await running.feed_from(fed(), told.append)
        device.advertisement(0)
    assert len(told) == 1
    assert f"cannot be shown as {key}" in told[0]
    first, *odd, last = shown
    assert (first is not None, odd, last) == (True, [None, None], first)


async def test_an_emulator_whose_broadcasts_fail_ends(radio: VirtualRadio, emulator: Emulating) -> None:
    async def body() -> None:
        network = Network.of("d3a0", "d3" * 16, "demo")
        async with emulator(radio, EmulatedDeviceConfig(family="smartshunt"), network=network) as running:

            def broken(at: float) -> bytes:
                raise Unencodable("too large")

            running.running[0].device.broadcast = broken  # type: ignore[method-assign]
            await running.run()

    with pytest.raises(Unencodable, match="too large"):
        await body()


def test_the_command_tells_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, asked = EmulatedDevice.advertisement, []

    def broken(self: EmulatedDevice, at: float) -> bytes:
        asked.append(at)
        if len(asked) > 1:
            raise Unencodable("a battery voltage of 900 V")
        return whole(self, at)

    monkeypatch.setattr(EmulatedDevice, "advertisement", broken)
    code = main(["emulate", "smartshunt", "--radio", "virtual", "--state", str(tmp_path), "--seconds", "86400"])
    assert code == Unencodable.exit_code
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == "bluewatt: a battery voltage of 900 V"
    assert not [line for line in told if "Traceback" in line]


async def test_an_adapter_that_stops_advertising_is_told(
    radio: VirtualRadio, emulator: Emulating, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*arguments: object, **options: object) -> None:
        raise InvalidStateError("no")

    async def body() -> None:
        async with emulator(radio, EmulatedDeviceConfig(family="smartshunt")) as running:
            monkeypatch.setattr(Device, "start_advertising", refuse)
            running.running[0].peripheral._on_air = None
            await running.run()

    with pytest.raises(AdapterUnavailable, match=r"does not advertise as .* any more: .*no"):
        await body()


# an adapter that vanishes


async def test_a_source_tells_that_its_adapter_is_gone(served: Served) -> None:
    served.radio.advertiser("C2:00:00:00:00:01", name="Shunt", interval=0.05).update(bytes.fromhex("1000"))

    async def body() -> None:
        async with open_source(served.transport, keys={}) as source:
            async for _ in source.outcomes():
                await served.vanish()

    with pytest.raises(AdapterUnavailable, match=GONE) as told:
        await body()
    assert (told.value.reason, told.value.exit_code) == ("missing", 3)


async def test_a_silent_source_tells_it_too(served: Served) -> None:
    async def body() -> None:
        async with make_source(served.transport) as source:
            await served.vanish()
            async for _ in source:
                pass

    with pytest.raises(AdapterUnavailable, match=GONE):
        await body()


async def test_a_link_tells_that_its_adapter_is_gone(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with Emulator([EmulatedDeviceConfig(family="smartshunt", pin=PIN)], radio=served.radio, seed=5) as emulator:
        address = emulator.running[0].device.address

        async def body() -> None:
            async with connect(address, pin=PIN, radio=served.transport) as link:
                assert (await link.get("battery_voltage")).value
                await served.vanish()
                await link.get("battery_voltage")

        with pytest.raises(AdapterUnavailable, match=GONE):
            await body()


async def test_an_emulator_tells_that_its_adapter_is_gone(served: Served) -> None:
    async def body() -> None:
        async with Emulator([EmulatedDeviceConfig(family="smartshunt")], served.transport, seed=5) as emulator:
            await served.vanish()
            await emulator.run()

    with pytest.raises(AdapterUnavailable, match=GONE):
        await body()


async def test_a_site_on_a_real_adapter_tells_that_it_is_gone(served: Served) -> None:
    async def body() -> None:
        async with HardwareRadio(served.transport) as radio:
            radio.advertiser("C2:00:00:00:00:02", name="Shunt").update(b"1")
            await served.vanish()
            await asyncio.Event().wait()

    with pytest.raises(AdapterUnavailable, match=GONE):
        await body()


class HciSocket(ParserSource):
    """bumble's source of an HCI socket, whose class stands within a function: here of any socket."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__()
        self.socket = end

    def recv_until_would_block(self) -> None:
        """Read as bumble does, which lets an error go to the event loop."""
        raise AssertionError("replaced")

    def on_packet(self, packet: bytes) -> None:
        """Send, as its sink does."""
        self.socket.send(packet)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket.fileno())


@pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="needs packets on a pair of sockets")
@pytest.mark.parametrize("first", ["reading", "sending"])
async def test_a_pulled_adapter_of_an_hci_socket_is_told(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    ours, adapter = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    packets: list[bytes] = []
    arrived = asyncio.Event()

    class Heard:
        def on_packet(self, packet: bytes) -> None:
            packets.append(packet)
            arrived.set()

    async def opening(transport: str) -> Transport:
        source = HciSocket(ours)
        source.set_packet_sink(Heard())
        return Transport(source, source)

    async def body() -> None:
        async with hci_transport.Hci("hci-socket:0") as opened:
            adapter.send(bytes.fromhex("040e0401030c00"))
            await arrived.wait()
            host = opened.host() if first == "sending" else None
            adapter.close()
            if host:
                with pytest.raises(TransportLostError, match="gone"):
                    await host.send_sync_command(HCI_Reset_Command())
            await asyncio.Event().wait()

    monkeypatch.setattr(hci_transport, "open_hci", opening)
    with pytest.raises(AdapterUnavailable, match=GONE):
        await body()
    ours.close()
    assert packets == [bytes.fromhex("040e0401030c00")]


# a link that cannot send


async def test_an_error_of_the_writing_task_ends_the_link_at_once(
    radio: VirtualRadio, adapter: VirtualAdapter, emulator: Emulating
) -> None:
    async def refuse(*arguments: object, **options: object) -> None:
        raise ValueError("an error nobody thought of")

    async with emulator(radio, EmulatedDeviceConfig(family="smartshunt", pin=PIN)) as running:
        link = BleLink(Central(virtual=adapter), DeviceQuery.of(running.running[0].device.address), pin=PIN)
        async with link:
            assert (await link.get("battery_voltage")).value
            assert link._client is not None
            link._client.write_gatt_char = refuse  # type: ignore[method-assign,assignment]
            with pytest.raises(LinkLost, match="took no more bytes: an error nobody thought of"):
                await link.get("battery_voltage")
