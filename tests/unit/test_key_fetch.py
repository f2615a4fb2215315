"""Keys: read, proved on the air before they are saved, told apart from the one before, imported from elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bluewatt.errors import ConfigError, DeviceRefused, KeyMismatch, KeyProblem, LinkTimeout
from bluewatt.model.identity import Device
from bluewatt.model.reading import Frame
from bluewatt.model.register_values import RegisterValue, explain_register
from bluewatt.services.key_fetch import Fetched, KeyChange, compare_keys, fetch_key, prove_key, save
from bluewatt.services.key_import import read_key_list
from bluewatt.services.keys import load_keys
from bluewatt.tables.advertisement import ProductOnly
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.wire.instant_readout.advertisement import build_advertisement
from bluewatt.wire.instant_readout.cipher import Key
from tests.making.databases import Table, write_database

ADDRESS = "C2:00:00:00:00:07"
KEY = bytes(range(16))
OTHER = bytes([0]) + bytes(range(101, 116))
"""Begins as KEY does, so that only the content of an advertisement tells them apart."""


class Radio:
    """A link that has the registers of the Bluetooth part only."""

    family = "smartshunt"
    data_instance = 3
    device = Device(ADDRESS, ADDRESS, "Shunt", 0xA389)

    def __init__(self, registers: dict[int, bytes | int], *, opens: dict[int, bytes] | None = None) -> None:
        self.registers: dict[int, bytes | int] = registers
        self.opens = opens
        self.pins: list[str] = []

    async def get(self, register: str | int, instance: int | None = None) -> RegisterValue:
        number = {"advertisement_key": 0xEC65, "ble_mac_address": 0xEC66, "advertisement_mode": 0xEC7D}[str(register)]
        held = self.registers.get(number, 1)
        if isinstance(held, int):
            raise DeviceRefused("no", register=number, code=held)
        return explain_register(number, held, self.family, instance=instance)

    async def unlock(self, pin: str) -> bool:
        self.pins.append(pin)
        self.registers |= self.opens or {}
        return self.opens is not None


def link(registers: dict[int, bytes | int], **more: Any) -> Any:
    return Radio(registers, **more)


async def test_key_address_and_mode_are_read() -> None:
    fetched = await fetch_key(link({0xEC65: KEY, 0xEC66: bytes.fromhex("c20000000007"), 0xEC7D: b"\x01"}))
    assert fetched == Fetched(Key.of(KEY), (ADDRESS,), True)
    assert KEY.hex() not in repr(fetched)


async def test_where_the_system_hides_addresses_both_are_filed() -> None:
    radio = link({0xEC65: KEY, 0xEC66: bytes.fromhex("c20000000099")})
    assert (await fetch_key(radio)).addresses == ("C2:00:00:00:00:99", ADDRESS)


async def test_the_nonce_step_is_tried_with_the_pin_only() -> None:
    with pytest.raises(DeviceRefused):
        await fetch_key(link({0xEC65: 2}, opens={0xEC65: KEY}))
    radio = link({0xEC65: 2}, opens={0xEC65: KEY})
    assert (await fetch_key(radio, pin="004711")).key == Key.of(KEY)
    assert radio.pins == ["004711"]
    with pytest.raises(DeviceRefused):
        await fetch_key(link({0xEC65: 2}), pin="004711")


@pytest.mark.parametrize("raw", [b"", bytes(15), bytes(17), bytes(16), b"\xff" * 16])
async def test_what_is_no_key_is_not_taken_for_one(raw: bytes) -> None:
    with pytest.raises(KeyProblem, match="bytes that are no key"):
        await fetch_key(link({0xEC65: raw}))


def frames(key: bytes, count: int = 8, *, address: str = ADDRESS, only_product: bool = False) -> list[Frame]:
    made = []
    for nonce in range(count):
        record = ProductOnly() if only_product else BatteryMonitor(battery_voltage=12.8, state_of_charge=80.0 + nonce)
        payload = build_advertisement(record, product_id=0xA389, key=key, nonce=nonce)
        made.append(Frame(nonce * 1.0, "virtual:", "advertisement", address, payload, -60))
    return made


async def heard(given: Iterable[Frame]) -> AsyncIterator[Frame]:
    for frame in given:
        yield frame
    await asyncio.sleep(30)


def fetched(key: bytes = KEY, readout: bool | None = True) -> Fetched:
    return Fetched(Key.of(key), (ADDRESS,), readout)


async def test_an_advertisement_proves_the_key_and_strangers_do_not() -> None:
    air = [*frames(OTHER, address="C2:00:00:00:00:08"), *frames(KEY)]
    assert (await prove_key(fetched(), heard(air), seconds=1)).record.battery_voltage == 12.8  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("air", "readout", "error", "why"),
    [
        (frames(bytes(range(1, 17))), True, KeyMismatch, "does not open what it advertises: nothing was saved"),
        (frames(KEY, only_product=True), None, KeyProblem, "does not advertise its values"),
        (frames(OTHER), True, KeyProblem, "saved"),
        ([], False, KeyProblem, "switch Instant Readout on"),
        ([], True, KeyProblem, "no advertisement of C2:00:00:00:00:07 was heard"),
    ],
)
async def test_a_key_that_is_not_proved_says_why(
    air: list[Frame], readout: bool | None, error: type[KeyProblem], why: str
) -> None:
    with pytest.raises(error, match=why) as failed:
        await prove_key(fetched(readout=readout), heard(air), seconds=0.1)
    assert failed.value.exit_code == 5


def test_a_changed_key_is_told_from_a_new_and_from_the_same(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    assert compare_keys(fetched(), path) is KeyChange.NEW
    assert save(fetched(), path) == path
    assert path.stat().st_mode & 0o777 == 0o600
    assert compare_keys(fetched(), path) is KeyChange.SAME
    assert compare_keys(fetched(OTHER), path) is KeyChange.CHANGED
    save(fetched(OTHER), path)
    assert dict(load_keys(path)) == {ADDRESS: Key.of(OTHER)}


def test_a_timeout_of_the_key_register_tries_the_nonce_step_too() -> None:
    class Silent(Radio):
        async def get(self, register: str | int, instance: int | None = None) -> RegisterValue:
            if not self.pins:
                raise LinkTimeout("silent")
            return await super().get(register, instance)

    radio: Any = Silent({0xEC65: KEY}, opens={})
    assert asyncio.run(fetch_key(radio, pin="004711")).key == Key.of(KEY)


def database(path: Path, rows: list[tuple[str, str]], names: list[tuple[str, str]] | None = None) -> Path:
    tables: dict[str, Table] = {"advertisementKeys": ("macAddress TEXT, advertisementKey TEXT", rows)}
    if names is not None:
        tables["macAddresses"] = ("macAddress TEXT, address TEXT", names)
    return write_database(path, tables)


def test_import_from_victronconnects_database(tmp_path: Path) -> None:
    uuid = "12345678-1234-1234-1234-1234567890AB"
    path = database(tmp_path / "vc.db", [("c20000000007", KEY.hex())], [("c20000000007", uuid)])
    before = path.read_bytes()
    assert read_key_list(path).keys == [(ADDRESS, Key.of(KEY)), (uuid, Key.of(KEY))]
    assert path.read_bytes() == before
    bare = database(tmp_path / "old.db", [(ADDRESS, KEY.hex().upper())])
    assert read_key_list(bare).keys == [(ADDRESS, Key.of(KEY))]


def test_import_from_a_list(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"# mine\n{ADDRESS}@{KEY.hex()}\n\nc2-00-00-00-00-08={OTHER.hex()}\n")
    assert read_key_list(path).keys == [(ADDRESS, Key.of(KEY)), ("C2:00:00:00:00:08", Key.of(OTHER))]


def test_bad_imports_are_named_without_their_secrets(tmp_path: Path) -> None:
    secret = KEY.hex()[:30]
    path = tmp_path / "list.txt"
    path.write_text(f"{ADDRESS}@{secret}\n")
    with pytest.raises(KeyProblem, match="number 1") as short:
        read_key_list(path)
    assert secret not in str(short.value)
    with pytest.raises(KeyProblem, match="key 1: not an address with a key") as broken:
        read_key_list(database(tmp_path / "vc.db", [(ADDRESS, secret)]))
    assert secret not in str(broken.value)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
        other.commit()
    with pytest.raises(ConfigError, match="is not VictronConnect's database"):
        read_key_list(tmp_path / "other.db")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError, match="neither VictronConnect's database nor a list"):
        read_key_list(tmp_path / "binary")
    with pytest.raises(ConfigError, match="cannot read"):
        read_key_list(tmp_path / "missing")
