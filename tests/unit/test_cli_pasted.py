"""Advertisements in the lines of other tools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluewatt.model.pasted_text import Pasted, bare_hex, find_pasted

DATA = bytes.fromhex("100289a302b040af925d09a4d89aa0128bdef48c6298a9")
HEX = DATA.hex()
ADDRESS = "AA:BB:CC:DD:EE:FF"

BARE = {
    "digits": HEX,
    "capitals": HEX.upper(),
    "company in front": "e102" + HEX,
    "0x": f"0x{HEX}",
    "colons": DATA.hex(":"),
    "spaces": DATA.hex(" "),
    "a list in C": ", ".join(f"0x{byte:02X}" for byte in DATA),
    "a whole advertisement": f"020106 {len(DATA) + 3:02x} ff e102 {HEX}",
}

LINES = {
    "btmon": (f"        Data[23]: {HEX}", None),
    "btmon, older": (f"        Company: Victron Energy BV (737)  Data: {HEX}", None),
    "bleak": (f"{ADDRESS}: AdvertisementData(manufacturer_data={{737: {DATA!r}}}, rssi=-60)", ADDRESS),
    "victron-ble": (f"1732014000.12    : {HEX}", None),
    "a time of day in front": (f"2026-11-20 10:02:33,123 INFO raw {DATA.hex(' ')}", None),
    "ESPHome": (f"[10:02:33.456][D][ble:123]: [{ADDRESS}] data {DATA.hex('.').upper()} (23)", ADDRESS),
    "nRF Connect": (f"Company: Victron Energy BV <0x02E1> 0x{HEX.upper()}", None),
    "nRF Connect, raw": (f"Raw data: 0x020106{len(DATA) + 3:02X}FFE102{HEX.upper()}", None),
    "colours": (f"\x1b[0;94m[{ADDRESS}]\x1b[0m {HEX}", ADDRESS),
    "a small address": (f"{ADDRESS.lower()} {HEX}", ADDRESS),
}

BLUETOOTHCTL = f"""\
[CHG] Device {ADDRESS} ManufacturerData.Key: 0x02e1 (737)
[CHG] Device {ADDRESS} ManufacturerData.Value:
  10 02 89 a3 02 b0 40 af 92 5d 09 a4 d8 9a a0 12  ......@..]......
  8b de f4 8c 62 98 a9                             ....b..
[CHG] Device 11:22:33:44:55:66 RSSI: -60
"""

NOTHING = [
    "",
    "hello",
    "10:02:33,1234 nothing here",
    "the face of bad beef 10 02 89 a3",
    "AA:BB:CC:DD:EE:FF",
    "0000fe95-0000-1000-8000-00805f9b34fb",
    "manufacturer_data={76: b'\\x10\\x05'",
    "b'\\x",
    f"Apple: 4c00{HEX[2:]}",
]


@pytest.mark.parametrize("text", BARE.values(), ids=BARE)
def test_bare_hex(text: str) -> None:
    assert bare_hex(text) == DATA
    assert list(find_pasted([text])) == [Pasted(DATA, None)]


@pytest.mark.parametrize(("line", "address"), LINES.values(), ids=LINES)
def test_lines_of_other_tools(line: str, address: str | None) -> None:
    assert list(find_pasted([line])) == [Pasted(DATA, address)]


def test_a_hex_dump_over_several_lines() -> None:
    assert list(find_pasted(BLUETOOTHCTL.splitlines())) == [Pasted(DATA, ADDRESS)]


@pytest.mark.parametrize("line", NOTHING)
def test_other_text_is_no_advertisement(line: str) -> None:
    assert list(find_pasted([line])) == []


@pytest.mark.parametrize("text", ["abc", "0x", "", "xyz", "12 3"])
def test_what_is_no_hex(text: str) -> None:
    assert bare_hex(text) is None


@given(st.lists(st.text(max_size=80), max_size=5))
def test_no_text_raises(lines: list[str]) -> None:
    assert all(found.payload for found in find_pasted(lines))


@given(st.binary(min_size=8, max_size=16), st.sampled_from(["", " ", ":", "-", "."]))
def test_any_record_in_any_spelling_is_found(body: bytes, separator: str) -> None:
    data = b"\x10\x02\x89\xa3" + body
    text = data.hex(separator) if separator else data.hex()
    assert list(find_pasted([f"heard {text} from somewhere"])) == [Pasted(data, None)]
