"""Virtual radio, emulated devices on it, and an independent client to talk to them (see `tests/central.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
from bluewatt.services.simulator import DEFAULT_START
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.transports.virtual.radio import VirtualRadio
from tests.central import SERVICES, Central, visit
from tests.virtual_time import JumpingLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of a test: one that does not wait, but for tests of other processes (`wall_clock`)."""
    return {"loop": asyncio.new_event_loop if item.get_closest_marker("wall_clock") else JumpingLoop}


class Emulating(Protocol):
    def __call__(
        self, radio: VirtualRadio, *plans: EmulatedDeviceConfig, state: Path | None = None, **more: Any
    ) -> Emulator: ...


@pytest.fixture
def emulator() -> Emulating:
    """The devices of some plans on a radio; the same ones in every test."""

    def emulating(
        radio: VirtualRadio, *plans: EmulatedDeviceConfig, state: Path | None = None, **more: Any
    ) -> Emulator:
        return Emulator(plans, radio=radio, seed=5, start=DEFAULT_START, state=state, **more)

    return emulating


class Talking(Protocol):
    def __call__(
        self, adapter: VirtualAdapter, address: str, *, service: str = SERVICES[0], pair: bool = True,
        keep_alive: bool = True, instance: int | None = 3,
    ) -> AbstractAsyncContextManager[Central]: ...  # fmt: skip


@pytest.fixture
def talk() -> Talking:
    """Connect, pair, open a session and subscribe to the data instance; an async context manager."""

    @asynccontextmanager
    async def talking(
        adapter: VirtualAdapter, address: str, *, service: str = SERVICES[0], pair: bool = True,
        keep_alive: bool = True, instance: int | None = 3,
    ) -> AsyncIterator[Central]:  # fmt: skip
        async with visit(
            adapter.device, address, pin=adapter.pin, pair=pair, service=service, keep_alive=keep_alive
        ) as central:
            if instance is not None:
                assert await central.subscribe(instance) == 0
            yield central

    return talking


@pytest.fixture
async def radio() -> AsyncIterator[VirtualRadio]:
    async with VirtualRadio() as radio:
        yield radio


@pytest.fixture
async def adapter(radio: VirtualRadio) -> AsyncIterator[VirtualAdapter]:
    async with VirtualAdapter(radio, pin="000000") as adapter:
        yield adapter
