"""Values of registers: types, widths, absence, names, refusals."""

from __future__ import annotations

import math
import struct

import pytest

from bluewatt.errors import Malformed, Unencodable
from bluewatt.schema import Code, Flags, TwoBitFields
from bluewatt.tables.registers import Register, lookup
from bluewatt.wire.registers.compounds import Version, decode_compound, encode_compound
from bluewatt.wire.registers.values import decode_samples, decode_value, encode_value, plain


def row(number: int, family: str | None = None) -> Register:
    found = lookup(number, family)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("number", "family", "data", "value"),
    [
        (0xED8D, None, "e504", 12.53),  # the decimal, not 12.530000000000001
        (0xED8C, None, "6afcffff", -0.918),
        (0xED8F, None, "85ff", -12.3),
        (0x0FFF, None, "4f1b", 69.91),
        (0xEEFF, "smartshunt", "7bfeffff", -38.9),
        (0xEDBC, "mppt", "64000000", 1.0),
        (0xEDEC, None, "546f", 11.85),
        (0xEDDB, "mppt", "5401", 3.4),
        (0xEC8B, "lithium", "a0", 3.3),
        (0x0093, None, "1027", 10.0),
        (0x0120, None, "13070000", 1811),
        (0xEC88, None, "f6", -10),
    ],
)
def test_numbers(number: int, family: str | None, data: str, value: float) -> None:
    register = row(number, family)
    assert decode_value(register, bytes.fromhex(data)) == value
    assert encode_value(register, value).hex() == data


def test_a_number_without_decimals_is_an_int() -> None:
    assert type(decode_value(row(0x0FFE), bytes.fromhex("2010"))) is int


@pytest.mark.parametrize(
    ("number", "family", "data", "value"),
    [
        (0xEDD3, "mppt", "39300000", 123.45),  # u32 in place of u16
        (0x0320, "smartshunt", "f8110000", 46.0),
        (0x200D, None, "03", 3),  # u8 in place of u16
        (0xED8D, None, "fbffffff", -0.05),  # the sign is that of the width on the wire
        (0x2001, None, "ffffffff", None),
        (0xED8D, None, "ffffff7f", None),
    ],
)
def test_the_width_comes_from_the_data(number: int, family: str | None, data: str, value: float | None) -> None:
    register = row(number, family)
    assert decode_value(register, bytes.fromhex(data)) == value
    assert encode_value(register, value, width=len(data) // 2).hex() == data


@pytest.mark.parametrize(
    ("number", "data"),
    [(0xED8D, "ff7f"), (0x0FFF, "ffff"), (0xED8C, "ffffff7f"), (0xEDEC, "ffff"), (0x0201, "ff"), (0xEC88, "7f")],
)
def test_absence_is_decided_on_the_raw_pattern(number: int, data: str) -> None:
    assert decode_value(row(number), bytes.fromhex(data)) is None
    assert encode_value(row(number), None).hex() == data


def test_all_ones_can_be_a_setting() -> None:
    kind = decode_value(row(0xEDF1, "mppt"), b"\xff")
    assert isinstance(kind, Code)
    assert kind == 0xFF
    assert kind.known


def test_named_numbers_keep_what_nobody_has_named() -> None:
    state = decode_value(row(0x0201), b"\x03")
    assert (state, state.key) == (3, "bulk")
    strange = decode_value(row(0x0201), b"\x77")
    assert (strange, strange.key) == (0x77, "unknown(119)")
    assert encode_value(row(0x0201), "bulk") == b"\x03"
    assert encode_value(row(0x0201), strange) == b"\x77"


def test_masks_combine_and_keep_unnamed_bits() -> None:
    reason = decode_value(row(0x0207), bytes.fromhex("11000080"))
    assert isinstance(reason, Flags)
    assert reason.keys == ["no_input_power", "internal", "bit31"]
    assert encode_value(row(0x0207), reason.keys).hex() == "11000080"
    assert encode_value(row(0x0207), []).hex() == "00000000"


def test_groups_of_two_bits() -> None:
    io = decode_value(row(0x2108, "lynx"), bytes.fromhex("5900"))
    assert isinstance(io, TwoBitFields)
    assert io.keys == ["contactor=yes", "allowed_to_charge=no", "allowed_to_discharge=yes", "user_relay=yes"]
    assert encode_value(row(0x2108, "lynx"), io.keys).hex() == "5900"
    fuses = decode_value(row(0x2152, "lynx"), bytes.fromhex("0e00"))
    assert fuses.keys == ["fuse_1=ok", "fuse_2=blown"]


@pytest.mark.parametrize(
    ("data", "text"),
    [("48513231", "HQ21"), ("485132310000ffff", "HQ21"), ("4851ffff", "HQ"), ("", ""), ("c3a9", "é"), ("ff", "")],
)
def test_texts_end_at_zero_or_padding(data: str, text: str) -> None:
    assert decode_value(row(0x010A), bytes.fromhex(data)) == text


def test_texts_are_padded_to_the_width_of_the_device() -> None:
    assert encode_value(row(0x010C), "Boat") == b"Boat"
    assert encode_value(row(0x010C), "Boat", width=8) == b"Boat\0\0\0\0"
    with pytest.raises(Unencodable):
        encode_value(row(0x010C), "Houseboat", width=8)


def test_bytes_stay_bytes() -> None:
    address = decode_value(row(0xEC66), bytes.fromhex("c0ffee112233"))
    assert address == bytes.fromhex("c0ffee112233")
    assert plain(address) == "c0ffee112233"


def test_a_command_has_no_payload() -> None:
    assert decode_value(row(0x1030), b"") is None
    assert encode_value(row(0x1030), None) == b""
    with pytest.raises(Malformed):
        decode_value(row(0x1030), b"\x01")
    with pytest.raises(Unencodable):
        encode_value(row(0x1030), 1)


def test_floats() -> None:
    register = Register(id=0xFFFF, key="example", type="f32")
    assert decode_value(register, struct.pack("<f", 1.5)) == 1.5
    assert decode_value(register, struct.pack("<f", math.nan)) is None
    assert encode_value(register, 1.5) == struct.pack("<f", 1.5)
    assert math.isnan(struct.unpack("<f", encode_value(register, None))[0])
    with pytest.raises(Malformed):
        decode_value(register, b"\0\0")
    with pytest.raises(Unencodable):
        encode_value(register, 1e300)


@pytest.mark.parametrize("data", ["", "0102ff", "010203040506070809"])
@pytest.mark.parametrize("number", [0xED8D, 0x0201, 0x0207, 0x2108])
def test_integers_of_an_impossible_width_are_malformed(number: int, data: str) -> None:
    with pytest.raises(Malformed, match=f"0x{number:04X}"):
        decode_value(row(number, "lynx"), bytes.fromhex(data))


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (0xED8D, 400.0), (0xED8D, -400.0), (0x0FFF, -1), (0xED8D, "12.5"), (0xED8D, math.nan), (0xED8D, math.inf),
        (0xED8D, 327.67), (0x0201, "boiling"), (0x0201, 256), (0x0201, 2.5), (0x0207, "bms"), (0x0207, ["no_such_bit"]),
        (0x0207, ["bit32"]), (0x0207, 1 << 32), (0x0207, 1.5), (0x2108, ["contactor=perhaps"]), (0x2108, ["contactor"]),
        (0x2108, ["no_such=yes"]), (0x010C, 5), (0x010C, "a\0b"), (0xEC66, "text"), (0x0100, 0xA389),
        (0x0120, 0xFFFFFFFF), (0x010E, None), (0xED8D, [12.5]), (0x0100, {"flavour": 1}), (0x2107, ["group32=ok"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(number: int, value: object) -> None:
    with pytest.raises(Unencodable):
        encode_value(row(number, "lynx"), value)


def test_an_integer_cannot_have_three_bytes() -> None:
    with pytest.raises(Unencodable):
        encode_value(row(0xED8D), 12.5, width=3)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ("0056a0ff", {"identifier": 0, "product_id": 0xA056, "updatable": 1}),
        ("0056a0fe", {"identifier": 0, "product_id": 0xA056, "updatable": 0}),
        ("0056a00e", {"identifier": 0, "product_id": 0xA056, "updatable": 0, "flags": 7}),
        ("a056", {"product_id": 0xA056}),
    ],
)
def test_product_ids_long_and_short(data: str, fields: dict[str, int]) -> None:
    assert decode_value(row(0x0100), bytes.fromhex(data)) == fields
    assert encode_value(row(0x0100), fields).hex() == data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("00590100", "1.59"),
        ("00ff2103", "3.21"),
        ("00052103", "3.21-beta-05"),
        ("00ff0310", "10.03"),
        ("00ffffff", None),
    ],
)
def test_firmware_versions(data: str, text: str | None) -> None:
    fields = decode_value(row(0x0102), bytes.fromhex(data))
    assert plain(fields["version"]) == text
    assert encode_value(row(0x0102), fields).hex() == data


def test_versions_from_texts() -> None:
    assert Version.parse("3.21") == 0x0321FF
    assert Version.parse("3.21-beta-05") == 0x032105
    assert Version.parse("3.21-beta-05") < Version.parse("3.21") < Version.parse("3.22")
    assert encode_value(row(0x0102), {"identifier": 0, "version": "3.21"}).hex() == "00ff2103"
    for wrong in ("", "3", "v3.21", "3.21.1", "0.21", "3.2 1", "300.21"):
        with pytest.raises(Unencodable):
            Version.parse(wrong)


def test_a_solar_day_round_trips() -> None:
    data = bytes.fromhex("0086000000ffffffff70052a0500000000004101f000790034010000db004d084b00")
    day = decode_value(row(0x1050, "mppt"), data)
    assert (day["yield"], day["consumed"], day["maximum_pv_power"], day["day_sequence"]) == (1.34, None, 308, 75)
    assert [error.key for error in day["errors"]] == ["none"] * 4
    assert encode_value(row(0x1050, "mppt"), day) == data


def test_solar_totals_old_and_new() -> None:
    new = bytes.fromhex("010012000000f7dc0100f7dc01006b14e80a1e0100") + b"\xff" * 13
    for data in (new, new[:21], new[:19], new[:20]):
        totals = decode_value(row(0x104F, "mppt"), data)
        assert totals["system_yield"] == 1221.03
        assert ("minimum_battery_voltage" in totals) == (len(data) >= 21)
        assert encode_value(row(0x104F, "mppt"), totals) == data
    with pytest.raises(Malformed, match="days_available"):
        decode_value(row(0x104F, "mppt"), new[:18])


def test_what_later_firmware_appends_is_kept() -> None:
    longer = bytes.fromhex("00590100") + b"new"
    fields = decode_compound("firmware_version", longer)
    assert fields["rest"] == b"new"
    assert encode_compound("firmware_version", fields) == longer


def test_lists_hold_what_is_there() -> None:
    data = bytes.fromhex("01af77d69789a300040400007fffffffff4ec5829956a00054010000cfffffffff")
    nodes = decode_value(row(0xEC31), data)["nodes"]
    assert [plain(node["firmware_version"]) for node in nodes] == ["4.04", "1.54"]
    assert [node["rssi"] for node in nodes] == [None, -49]
    assert decode_value(row(0xEC31), data[:17])["nodes"] == nodes[:1]
    blank = decode_value(row(0xEC31), data[:17] + b"\xff" * 16)
    assert blank["nodes"] == [nodes[0], None]
    assert encode_value(row(0xEC31), blank) == data[:17] + b"\xff" * 16
    assert decode_value(row(0xEC5D), bytes.fromhex("87ecffff")) == {"registers": [0xEC87, None]}


def test_missing_fields_are_written_as_not_available() -> None:
    day = encode_value(row(0x1050, "mppt"), {"version": 0, "yield": 1.34})
    assert len(day) == 34
    back = decode_value(row(0x1050, "mppt"), day)
    assert (back["yield"], back["consumed"], back["maximum_pv_voltage"]) == (1.34, None, None)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("history_day", {"errors": [0, 0, 0]}),
        ("history_day", {"errors": 0}),
        ("history_day", {"yield": -1}),
        ("history_day", {"time_in_bulk": 65535}),
        ("history_day", {"errors": [None, 0, 0, 0]}),
        ("history_day", {"errors": ["melted", 0, 0, 0]}),
        ("network_nodes", {"version": 1, "nodes": [{}, {}, {}]}),
        ("network_nodes", {"version": 1, "nodes": [{"colour": 1}]}),
        ("network_nodes", {"version": 1, "nodes": [5]}),
        ("pin_code", {"old_pin": "0000000", "new_pin": "000000"}),
        ("firmware_version", {"identifier": 0, "version": 1.5}),
    ],
)
def test_fields_that_do_not_fit_are_refused(name: str, fields: dict[str, object]) -> None:
    with pytest.raises(Unencodable):
        encode_compound(name, fields)


def test_trend_requests_and_answers() -> None:
    request = decode_value(row(0xEC5B), bytes.fromhex("0024c4ca0138"))
    assert request == {"trend": 0, "time_reference": 0x01CAC424, "wanted": 56}
    answer = decode_value(row(0xEC5B), bytes.fromhex("0200caca0102080701000d00"))
    assert (answer["count"], answer["interval"]) == (2, 1800)
    assert decode_samples(row(0xEC8A, "mppt"), answer["samples"]) == [1, 13]
    with pytest.raises(Malformed):
        decode_samples(row(0xEC8A, "mppt"), b"\1\2\3")


def test_values_for_json() -> None:
    assert plain({"state": decode_value(row(0x0201), b"\5"), "list": [b"\1", None, 1.5]}) == {
        "state": "float",
        "list": ["01", None, 1.5],
    }
