"""How many messages per second go through the session machine, in each role."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from bench import Row, bench
from bluewatt.tables.gatt import DataCharacteristic
from bluewatt.wire.victronconnect.client import ClientSide
from bluewatt.wire.victronconnect.control import Grant, build_control
from bluewatt.wire.victronconnect.device import DeviceSide
from bluewatt.wire.victronconnect.grammar import build_message
from bluewatt.wire.victronconnect.messages import GetValues, ValueMessage
from bluewatt.wire.victronconnect.session import Session

MESSAGES = 20_000
ROUNDS = 3


class _OneRegister:
    """A store of one register."""

    def devices(self) -> Sequence[tuple[int, int]]:
        return ((0, 0),)

    def get(self, instance: int, register: int) -> bytes | int:
        return b"\x2f\x05"

    def set(self, instance: int, register: int, value: bytes) -> bytes | int:
        return value


def _client_seconds() -> float:
    """A client hears values, one per message, and tops up the device's credit."""
    session = Session(ClientSide())
    session.open(0.0)
    message = build_message(ValueMessage(3, 0xED8D, b"\x2f\x05"))
    heard = 0
    start = time.perf_counter()
    for number in range(MESSAGES):
        heard += len(session.receive(DataCharacteristic.LAST, message, number * 0.001))
        session.take_writes()
    seconds = time.perf_counter() - start
    assert heard == MESSAGES
    return seconds


def _device_seconds() -> float:
    """A device is asked for a register, one per message: it gives the slot back and answers. One pair counts as one."""
    session = Session(DeviceSide(_OneRegister()), mtu=77)
    session.open(0.0)
    message = build_message(GetValues(0, (0xED8D,)))
    top_up = build_control(Grant(128))
    written = 0
    start = time.perf_counter()
    for number in range(MESSAGES):
        if number % 128 == 0:
            session.receive(DataCharacteristic.CONTROL, top_up, 0.0)
        session.receive(DataCharacteristic.LAST, message, 0.0)
        written += len(session.take_writes())
    seconds = time.perf_counter() - start
    assert written > 2 * MESSAGES
    return seconds


@bench
def session() -> Iterator[Row]:
    for role, measure in (("client", _client_seconds), ("device, asked and answered", _device_seconds)):
        best = min(measure() for _ in range(ROUNDS))
        yield Row(name=f"session: messages as {role}", ours=MESSAGES / best, unit="/s", goal=50_000)
