"""Radios opened by their names."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bluewatt.errors import AdapterUnavailable, ConfigError
from bluewatt.transports.radios import RADIOS, open_radio, virtual_source
from bluewatt.transports.virtual import VirtualRadio
from bluewatt.transports.virtual_hardware import HardwareRadio


async def test_the_virtual_radio_and_its_source() -> None:
    async with open_radio("virtual") as radio:
        assert isinstance(radio, VirtualRadio)
        async with virtual_source(radio) as source:
            radio.advertiser("C2:00:00:00:00:01", name="x").update(b"x")
            frame = await asyncio.wait_for(anext(source), 2)
            assert (frame.origin, frame.payload, source.mode) == ("virtual:", b"x", "active")


async def test_one_process_serves_its_radio_and_another_is_a_device_on_it() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with (
        open_radio(f"tcp-server:127.0.0.1:{port}") as served,
        open_radio(f"tcp-client:127.0.0.1:{port}") as hardware,
    ):
        assert isinstance(served, VirtualRadio)
        assert isinstance(hardware, HardwareRadio)
        async with virtual_source(served) as source:
            hardware.advertiser("C2:00:00:00:00:01", name="x", interval=0.05).update(b"x")
            assert (await asyncio.wait_for(anext(source), 2)).payload == b"x"


async def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="vhci") as caught:
        open_radio("carrier-pigeon:2")
    assert all(kind in caught.value.hint for kind in RADIOS)


@pytest.mark.parametrize("transport", ["vhci:/nowhere", "tcp-client:127.0.0.1:1", "serial:/nowhere"])
async def test_what_cannot_be_opened_says_so(transport: str) -> None:
    with pytest.raises(AdapterUnavailable, match=transport.partition(":")[2]):
        async with open_radio(transport):
            pass
