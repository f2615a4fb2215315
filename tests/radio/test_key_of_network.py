"""`bluewatt key` against emulated members of a VE.Smart network: both keys over one link, each proved on the air."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
from bluewatt.app.links import Target
from bluewatt.cli import key as key_command
from bluewatt.services.keys import load_keys, load_networks
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.tables.gatt import ResultCode
from bluewatt.transports.ble.central import Central
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio
from bluewatt.wire.vesmart.broadcast import Network
from tests.radio.conftest import Talking

NETWORK = Network.of("7C04", bytes(range(50, 66)), "Aurora")
PIN = "004711"
Captured = pytest.CaptureFixture[str]


def emulated(radio: VirtualRadio, network: Network | None, **plan: object) -> Emulator:
    """One device whose time runs ten times as fast: it tells the counter of its broadcasts once a second."""
    plans = [EmulatedDeviceConfig(family="smartshunt", pin=PIN, **plan)]  # type: ignore[arg-type]
    return Emulator(plans, radio=radio, seed=5, start=DEFAULT_START, speed=10, network=network)


@pytest.fixture
def on_this_radio(monkeypatch: pytest.MonkeyPatch, adapter: VirtualAdapter) -> None:
    @asynccontextmanager
    async def opened(radio: str) -> AsyncIterator[Central]:
        yield Central(virtual=adapter)

    monkeypatch.setattr(key_command, "open_central", opened)


@pytest.mark.usefixtures("on_this_radio")
async def test_both_keys_are_saved_once_each_opened_something(
    radio: VirtualRadio, tmp_path: Path, capsys: Captured
) -> None:
    keys = tmp_path / "keys.toml"
    async with emulated(radio, NETWORK) as emulator:
        device = emulator.running[0].device
        await key_command._fetch(Target(device.address, "virtual:", PIN), keys)
    told = capsys.readouterr()
    assert load_keys(keys) == [(device.address, device.key)]
    assert load_networks(keys) == [NETWORK]
    assert "the key of the VE.Smart network 7C04 Aurora is new" in told.out
    assert f"proved by a broadcast of {device.serial[:2]}????{device.serial[-5:]}" in told.out
    assert NETWORK.key.hex() not in told.out + told.err


@pytest.mark.usefixtures("on_this_radio")
async def test_a_device_without_a_network_is_asked_and_the_answer_told(
    radio: VirtualRadio, tmp_path: Path, capsys: Captured
) -> None:
    keys = tmp_path / "keys.toml"
    async with emulated(radio, None) as emulator:
        device = emulator.running[0].device
        await key_command._fetch(Target(device.address, "virtual:", PIN), keys)
    told = capsys.readouterr()
    assert "does not say to which VE.Smart network it belongs" in told.err
    assert load_keys(keys) == [(device.address, device.key)]
    assert load_networks(keys) == []


async def test_a_member_answers_its_key_once_it_is_unlocked(
    radio: VirtualRadio, adapter: VirtualAdapter, talk: Talking
) -> None:
    async with emulated(radio, NETWORK, key_behind_puk=True) as emulator:
        device = emulator.running[0].device
        adapter.pin = PIN
        async with talk(adapter, device.address) as open_talk:
            assert await open_talk.get(0, 0xEC12, 0xEC14) == [b"\x7c\x04", b"Aurora"]
            assert await open_talk.get(0, 0xEC13) == [ResultCode.NOT_ACCEPTABLE]
            device.unlock()
            assert await open_talk.get(0, 0xEC13) == [bytes(NETWORK.key)]
