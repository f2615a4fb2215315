"""The key of a VE.Smart network: asked for, refused in words, proved by a live broadcast, imported, saved."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bluewatt.cli import main
from bluewatt.errors import ConfigError, DeviceRefused, KeyMismatch, KeyProblem, LinkTimeout
from bluewatt.model.identity import Device
from bluewatt.model.reading import Frame
from bluewatt.model.register_values import RegisterValue, explain_register
from bluewatt.services.key_fetch import KeyChange
from bluewatt.services.key_import import read_key_list
from bluewatt.services.keys import load_keys, load_networks, save_key, save_network
from bluewatt.services.network_key import Refused, compare_network, fetch_network, prove_network
from bluewatt.wire.instant_readout.cipher import Key
from bluewatt.wire.vesmart.broadcast import Network, build_broadcast, seal, serial_number, serial_text
from tests.making.databases import Table, write_database

ADDRESS = "C2:00:00:00:00:07"
KEY = Key(bytes(range(16)))
SECRET = Key(bytes(range(50, 66)))
NETWORK = Network.of("7C04", SECRET, "Aurora")
SERIAL = serial_number("HQ2104VESU7")
Captured = pytest.CaptureFixture[str]


class Radio:
    """A link that has the registers of a network only; a number is a refusal, an error is raised."""

    family = "smartshunt"
    data_instance = 3
    device = Device(ADDRESS, ADDRESS, "Shunt", 0xA389)

    def __init__(self, **registers: bytes | int | Exception) -> None:
        self.registers = registers
        self.asked: list[tuple[str, int | None]] = []

    async def get(self, register: str, instance: int | None = None) -> RegisterValue:
        self.asked.append((register, instance))
        number = {"network_id": 0xEC12, "network_key": 0xEC13, "network_name": 0xEC14}[register]
        held = self.registers.get(register, 1)
        if isinstance(held, Exception):
            raise held
        if isinstance(held, int):
            raise DeviceRefused(f"code {held}", register=number, code=held)
        return explain_register(number, held, self.family, instance=instance)


def member(**more: bytes | int | Exception) -> Any:
    return Radio(**{"network_id": b"\x7c\x04", "network_key": bytes(SECRET), "network_name": b"Aurora"} | more)


async def test_identifier_key_and_name_are_asked_of_the_bluetooth_part() -> None:
    radio = member()
    assert await fetch_network(radio) == NETWORK
    assert radio.asked == [("network_id", 0), ("network_key", 0), ("network_name", 0)]


async def test_a_network_without_a_name_is_one() -> None:
    found = await fetch_network(member(network_name=1))
    assert isinstance(found, Network)
    assert (found.key, found.name) == (SECRET, "")


@pytest.mark.parametrize(
    ("registers", "why"),
    [
        ({"network_id": 1}, "does not say to which VE.Smart network it belongs"),
        ({"network_id": LinkTimeout("no answer")}, "does not say to which VE.Smart network it belongs: no answer"),
        ({"network_id": bytes(2)}, "belongs to no VE.Smart network"),
        ({"network_id": b"\xff\xff"}, "belongs to no VE.Smart network"),
        ({"network_id": b""}, "belongs to no VE.Smart network"),
        ({"network_key": 2}, "belongs to the VE.Smart network 7C04, and does not give its key: code 2"),
        ({"network_key": LinkTimeout("no answer")}, "does not give its key: no answer"),
        ({"network_key": bytes(16)}, "gives 16 bytes that are no key"),
        ({"network_key": bytes(range(15))}, "gives 15 bytes that are no key"),
    ],
)
async def test_a_refusal_is_told_in_words(registers: dict[str, Any], why: str) -> None:
    found = await fetch_network(member(**registers))
    assert isinstance(found, Refused)
    assert why in found.why


def broadcast(
    network: Network = NETWORK, *, sequence: int = 7, overflow: int = 0, plaintext: bytes = b"\x0f\x00\x20\x01\x0a"
) -> Frame:
    """A data record; with an empty plaintext one that tells the counter."""
    sealed = seal(network, serial=SERIAL, sequence=sequence, overflow=overflow, plaintext=plaintext)
    return Frame(0.0, "test", "advertisement", ADDRESS, build_broadcast(sealed), -60)


async def on_air(given: Iterable[Frame]) -> AsyncIterator[Frame]:
    for frame in given:
        yield frame
    await asyncio.sleep(3600)


OTHER_KEY = Network.of("7C04", bytes(range(70, 86)))
OTHER_GROUP = Network.of("7D04", SECRET)
OPENING = {
    "the counter": [broadcast(overflow=3, plaintext=b"")],
    "data, the counter being 0": [broadcast()],
    "data after the counter": [broadcast(overflow=3, plaintext=b""), broadcast(overflow=3)],
    "behind strangers": [broadcast(OTHER_KEY), broadcast(OTHER_GROUP), broadcast(plaintext=b"")],
    "behind noise": [
        *(Frame(0.0, "test", "advertisement", ADDRESS, data, -60) for data in (b"", b"\x02", b"\x02\x7c", b"\x10\x02")),
        broadcast(),
    ],
}  # fmt: skip


@pytest.mark.parametrize("frames", OPENING.values(), ids=OPENING)
async def test_a_live_broadcast_proves_the_key(frames: list[Frame]) -> None:
    assert await prove_network(NETWORK, on_air(frames), seconds=3600) == serial_text(SERIAL)


CLOSED = {
    "nothing": ([], KeyProblem, "no broadcast of the VE.Smart network 7C04 was heard"),
    "another key": ([broadcast(OTHER_KEY)] * 3, KeyMismatch, "opened none of 3 broadcasts"),
    "another network": ([broadcast(OTHER_GROUP)], KeyProblem, "no broadcast of the VE.Smart network 7C04 was heard"),
    "a damaged tag": (
        [Frame(0.0, "t", "advertisement", ADDRESS, broadcast().payload[:-1] + b"\0", -60)], KeyMismatch, "of 1 broad",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("frames", "error", "why"), CLOSED.values(), ids=CLOSED)
async def test_without_one_the_key_is_not_believed(frames: list[Frame], error: type[KeyProblem], why: str) -> None:
    with pytest.raises(error, match=why) as told:
        await prove_network(NETWORK, on_air(frames), seconds=0.05)
    assert "not saved" in str(told.value)
    assert SECRET.hex() not in str(told.value)


def test_it_is_saved_beside_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    assert compare_network(NETWORK, path) is KeyChange.NEW
    save_key(ADDRESS, KEY, path)
    save_network(NETWORK, path)
    save_network(Network.of("1A2B", KEY), path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(path) == [(ADDRESS, KEY)]
    assert load_networks(path) == [NETWORK, Network.of("1A2B", KEY)]
    assert compare_network(NETWORK, path) is KeyChange.SAME
    changed = Network.of("7C04", KEY)
    assert compare_network(changed, path) is KeyChange.CHANGED
    save_network(changed, path)
    save_key(ADDRESS, SECRET, path)
    assert {one.network_id: one.key for one in load_networks(path)} == {b"\x7c\x04": KEY, b"\x1a\x2b": KEY}
    assert load_keys(path) == [(ADDRESS, SECRET)]


@pytest.mark.parametrize("written", ['[networks]\n"7c04" = "{}"\n', '[networks."7c04"]\nkey = "{}"\nname = "Aft"\n'])
def test_an_entry_in_any_spelling_is_replaced(written: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(written.format("0" * 32), "utf-8")
    path.chmod(0o600)
    save_network(NETWORK, path)
    named = "Aft" if "Aft" in written else ""  # the name is its owner's
    assert load_networks(path) == [Network(NETWORK.network_id, NETWORK.key, named)]


def database(path: Path, *, devices: bool, networks: str | None, rows: Iterable[tuple[Any, ...]] = ()) -> Path:
    tables: dict[str, Table] = {}
    if devices:
        tables["advertisementKeys"] = ("macAddress TEXT, advertisementKey TEXT", [(ADDRESS, KEY.hex())])
    if networks is not None:
        tables["networks"] = (networks, rows)
    return write_database(path, tables)


SHAPES = {
    "as published": ("a TEXT, b TEXT, c TEXT", ("7c04", SECRET.hex(), "Aurora")),
    "with a number in front": ("id INTEGER, a TEXT, b TEXT, c TEXT", (1, "7C04", SECRET.hex().upper(), "Aurora")),
    "another order": ("c TEXT, b TEXT, a TEXT", ("Aurora", SECRET.hex(), "7c04")),
    "bytes": ("a BLOB, b BLOB, c TEXT", (b"\x7c\x04", bytes(SECRET), "Aurora")),
}


@pytest.mark.parametrize("devices", [True, False])
@pytest.mark.parametrize(("columns", "row"), SHAPES.values(), ids=SHAPES)
def test_networks_are_imported_with_or_without_the_other_table(
    columns: str, row: tuple[Any, ...], devices: bool, tmp_path: Path, capsys: Captured
) -> None:
    path = database(tmp_path / "vc.sqlite", devices=devices, networks=columns, rows=[row])
    before, keys = path.read_bytes(), tmp_path / "keys.toml"
    assert read_key_list(path).networks == [NETWORK]
    assert main(["key", "--import", str(path), "--keys", str(keys)]) == 0
    assert ("1 key and 1 network saved" if devices else "1 network saved") in capsys.readouterr().out
    assert load_networks(keys) == [NETWORK]
    assert load_keys(keys) == ([(ADDRESS, KEY)] if devices else [])
    assert path.read_bytes() == before


def test_the_table_of_devices_alone_is_enough(tmp_path: Path) -> None:
    assert read_key_list(database(tmp_path / "vc", devices=True, networks=None)) == ([(ADDRESS, KEY)], [])
    assert read_key_list(database(tmp_path / "no", devices=True, networks="a, b, c")) == ([(ADDRESS, KEY)], [])


def test_a_database_with_neither_table_or_a_bad_network_is_named(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
        other.commit()
    with pytest.raises(ConfigError, match="it has neither of its tables"):
        read_key_list(tmp_path / "other")
    broken = database(tmp_path / "bad", devices=False, networks="a, b, c", rows=[("7c04", SECRET.hex()[1:], "x")])
    with pytest.raises(KeyProblem, match="network 1: not an identifier") as told:
        read_key_list(broken)
    assert SECRET.hex()[1:9] not in str(told.value)
