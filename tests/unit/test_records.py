"""The traps of the advertised records, each by its own bytes."""

from __future__ import annotations

import pytest

import bluewatt
from bluewatt.errors import KeyMissing, KeyProblem, Malformed, Unencodable, UnknownType
from bluewatt.schema import Flags, Record, Scale, TwoBitFields
from bluewatt.tables.advertisement import ProductOnly
from bluewatt.tables.enums import AlarmReason, AuxMode, DeviceState
from bluewatt.tables.metrics import metric
from bluewatt.tables.records import record_classes
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.dc_energy_meter import DcEnergyMeter
from bluewatt.tables.records.smart_lithium import SmartLithium
from bluewatt.tables.records.solar_charger import SolarCharger
from bluewatt.tables.records.solarsense import Solarsense
from bluewatt.wire.instant_readout.cipher import Key, apply, key_stream

KEY = "0df4d0395b7d1a876c0c33ecb9e70dcd"


def test_two_alarms_at_once() -> None:
    record = BatteryMonitor(alarm_reason=AlarmReason(3), aux_mode=AuxMode(3))
    decoded = bluewatt.decode_record(0x02, bluewatt.encode_record(record))
    assert isinstance(decoded, BatteryMonitor)
    assert decoded.alarm_reason is not None
    assert decoded.alarm_reason.keys == ["low_voltage", "high_voltage"]


@pytest.mark.parametrize("cls", [cls for cls in record_classes() if cls.bits], ids=lambda cls: cls.record_name)
def test_a_mask_nobody_gave_has_no_bit_set(cls: type[bluewatt.Record]) -> None:
    assert cls.record_type is not None
    again = bluewatt.decode_record(cls.record_type, bluewatt.encode_record(cls()))
    for row in cls.rows:
        if row.named is not None and issubclass(row.named, Flags | TwoBitFields) and not row.na and row.when is None:
            assert getattr(again, row.name) == 0, row.name


def test_a_cut_record_is_encoded_without_alarms() -> None:
    whole = bluewatt.encode_record(BatteryMonitor(battery_voltage=12.5, alarm_reason=AlarmReason(3)))
    cut = bluewatt.decode_record(0x02, whole[:4])
    plain = bluewatt.encode_record(cut)
    assert plain[:4] == whole[:4]
    again = bluewatt.decode_record(0x02, plain)
    assert again.as_dict()["alarm_reason"] == 0
    assert bluewatt.encode_record(again) == plain


def test_an_unnamed_alarm_bit_stays() -> None:
    assert AlarmReason(1 << 15 | 1).keys == ["low_voltage", "bit15"]
    assert not AlarmReason(1 << 15).known


def test_an_unnamed_state_stays_a_number() -> None:
    state = DeviceState(99)
    assert (state, state.key, state.known) == (99, "unknown(99)", False)


@pytest.mark.parametrize("cls", [BatteryMonitor, DcEnergyMeter])
@pytest.mark.parametrize(("pattern", "amperes"), [(0x1FFFFF, None), (0x3FFFFF, -0.001), (0x200000, -2097.152)])
def test_a_22_bit_current_has_one_pattern_for_absent(cls: type[Record], pattern: int, amperes: float | None) -> None:
    """The vendor's document prints 0x3FFFFF for absent, its decoder and the captures take 0x1FFFFF alone for it."""
    row = next(row for row in cls.rows if row.name == "battery_current")
    bits = (1 << 8 * cls.length()) - 1 & ~(row.mask << row.start) | pattern << row.start
    assert cls.record_type is not None
    record = bluewatt.decode_record(cls.record_type, bits.to_bytes(cls.length(), "little"))
    assert record.as_dict()["battery_current"] == amperes
    assert bluewatt.encode_record(record) == bits.to_bytes(cls.length(), "little")


def test_a_negative_consumed_charge() -> None:
    plain = bluewatt.encode_record(BatteryMonitor(consumed_charge=-50.0, aux_mode=AuxMode(3)))
    record = bluewatt.decode_record(0x02, plain)
    assert isinstance(record, BatteryMonitor)
    assert record.consumed_charge == -50.0


def test_all_ones_have_no_numbers() -> None:
    """Wherever all ones are the pattern for it; the signed rows have the largest positive number instead."""
    for cls in record_classes():
        assert cls.record_type is not None
        record = bluewatt.decode_record(cls.record_type, b"\xff" * 16)
        for row in cls.rows:
            if row.mask in row.na and row.named is None and row.count == 1:
                assert getattr(record, row.name) is None, f"{cls.record_name}.{row.name}"


def test_the_auxiliary_input_has_one_meaning_at_a_time() -> None:
    for mode, name, value in ((0, "starter_voltage", 12.6), (1, "midpoint_voltage", 6.3), (2, "temperature", 21.5)):
        record = bluewatt.decode_record(
            0x02, bluewatt.encode_record(BatteryMonitor(aux_mode=AuxMode(mode), **{name: value}))
        )
        values = {key: record.as_dict()[key] for key in ("starter_voltage", "midpoint_voltage", "temperature")}
        assert values == {key: value if key == name else None for key in values}


def test_a_temperature_without_a_sensor_is_absent() -> None:
    absent = bluewatt.encode_record(BatteryMonitor(aux_mode=AuxMode(2)))
    assert absent[6:8] == b"\xff\xff"
    assert bluewatt.decode_record(0x02, absent).as_dict()["temperature"] is None


def test_scales_are_exact() -> None:
    scale = Scale.of("0.01")
    assert [scale.value(raw) for raw in (1253, 58, 2999)] == [12.53, 0.58, 29.99]
    assert all(scale.raw(scale.value(raw)) == raw for raw in range(70000))
    assert Scale.of("0.01", "-273.15").value(29465) == 21.5
    assert Scale.of("1", "-40").value(61) == 21


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (BatteryMonitor(battery_voltage=400.0, aux_mode=AuxMode(3)), "battery_voltage cannot hold 400.0 V"),
        (BatteryMonitor(battery_voltage=327.67, aux_mode=AuxMode(3)), "battery_voltage cannot hold 327.67 V"),
        (SolarCharger(pv_power=-1), "pv_power cannot hold -1 W"),
        (SmartLithium(cell_voltages=(3.3, 3.3)), "cell_voltages has 8 elements"),
        (SolarCharger(pv_power="many"), "pv_power takes a number"),  # type: ignore[arg-type]
        (SolarCharger(battery_voltage=float("nan")), "battery_voltage takes a number"),
    ],
)
def test_what_a_row_cannot_hold(record: bluewatt.Record, message: str) -> None:
    with pytest.raises(Unencodable, match=message):
        bluewatt.encode_record(record)


@pytest.mark.parametrize("numbers", [{"nonce": 0x10000}, {"product_id": -1}, {"identifier": 256}])
def test_what_the_header_cannot_hold(numbers: dict[str, int]) -> None:
    given: dict[str, int] = {"product_id": 0xC050} | numbers
    with pytest.raises(Unencodable, match="bits"):
        bluewatt.build_advertisement(Solarsense(), **given)


def test_the_sun_sensor_counts_in_three_slopes() -> None:
    for minutes in (0, 58, 60, 70, 710, 720, 750, 1620):
        plain = bluewatt.encode_record(Solarsense(time_since_last_sun=minutes))
        assert bluewatt.decode_record(0xFF01, plain).as_dict()["time_since_last_sun"] == minutes


def test_an_unsealed_record_needs_no_key() -> None:
    data = bluewatt.build_advertisement(Solarsense(irradiance=850.0), product_id=0xC050, nonce=7)
    assert data[4] == 0xFF
    assert bluewatt.decode_advertisement(data).as_dict()["irradiance"] == 850.0


def test_an_advertisement_of_four_bytes_is_a_product_and_no_error() -> None:
    assert bluewatt.decode_advertisement(bytes.fromhex("100026c0")) == ProductOnly()
    assert bluewatt.parse_advertisement(bytes.fromhex("100026c0")).product_id == 0xC026
    assert bluewatt.build_advertisement(ProductOnly(), product_id=0xC026) == bytes.fromhex("100026c0")


@pytest.mark.parametrize("length", [4, 5, 6, 7, 8])
def test_a_header_without_a_record_has_no_data(length: int) -> None:
    assert bluewatt.decode_advertisement(bytes.fromhex("100289a302b040af")[:length]) == ProductOnly()


@pytest.mark.parametrize("data", [b"", b"\x10", b"\x10\x02\x89"])
def test_too_short_to_name_a_product(data: bytes) -> None:
    with pytest.raises((Malformed, UnknownType)):
        bluewatt.decode_advertisement(data)


@pytest.mark.parametrize("text", ["", "10", "100289a302b0400172f446c055b92159be2a9a6669aaf7"])
def test_hex_text_is_told_from_bytes(text: str) -> None:
    for call in (
        lambda: bluewatt.decode_advertisement(text, KEY),  # type: ignore[arg-type]
        lambda: bluewatt.parse_advertisement(text),  # type: ignore[arg-type]
        lambda: bluewatt.decode_record(2, text),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match="not a text: bytes"):
            call()


def test_vesmart_broadcasts_are_recognised_and_named() -> None:
    with pytest.raises(UnknownType, match=r"VE\.Smart"):
        bluewatt.decode_advertisement(bytes.fromhex("027c0401"))


def test_a_dongle_without_a_device_has_no_record() -> None:
    assert bluewatt.decode_advertisement(bytes.fromhex("1002030200000000") + b"\xaa" * 12) == ProductOnly()


def test_a_nonce_of_zero_is_a_nonce() -> None:
    record = SolarCharger(pv_power=100)
    data = bluewatt.build_advertisement(record, product_id=0xA053, key=KEY, nonce=0)
    assert bluewatt.decode_advertisement(data, KEY) == record


def test_a_sealed_record_without_a_key() -> None:
    data = bluewatt.build_advertisement(SolarCharger(), product_id=0xA053, key=KEY, nonce=1)
    with pytest.raises(KeyMissing, match="solar charger"):
        bluewatt.decode_advertisement(data)


@pytest.mark.parametrize(
    "text",
    [KEY, KEY.upper(), f"0x{KEY}", " ".join(KEY[i : i + 2] for i in range(0, 32, 2)), ":".join([KEY[:16], KEY[16:]])],
)
def test_keys_as_people_paste_them(text: str) -> None:
    assert Key.of(text) == bytes.fromhex(KEY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (KEY[1:], "31.*need not be 0"),
        (KEY[2:], "this one has 30"),
        (KEY[:-1] + "g", "'g' is not one"),
        ("", "this one has 0"),
    ],
)
def test_keys_that_are_none(text: str, message: str) -> None:
    with pytest.raises(KeyProblem, match=message):
        Key.of(text)


def test_a_key_is_never_printed() -> None:
    key = Key.of(KEY)
    shown = f"{key!r} {key!s} {key}"
    assert KEY[:8] not in shown
    assert key.fingerprint in shown


def test_the_second_block_counts_big_endian_at_the_end() -> None:
    """As any counter mode does; no device was seen to need it (protocol page instant-readout, section 2)."""
    key = Key.of(KEY)
    stream = key_stream(key, 0x1234, 32)
    assert stream[:16] == key_stream(key, 0x1234)
    assert apply(key, 0x1234, apply(key, 0x1234, bytes(range(32)))) == bytes(range(32))
    assert stream[16:] != stream[:16]


def test_every_row_is_a_metric_with_the_same_unit() -> None:
    for cls in record_classes():
        for row in cls.rows:
            if row.hidden or row.raw:
                continue
            known = metric(row.name)
            assert known is not None, f"{cls.record_name}.{row.name} has no metric"
            assert known.unit == row.unit, f"{cls.record_name}.{row.name}"


def test_records_have_their_canonical_lengths() -> None:
    """Protocol page instant-readout, section 4."""
    lengths = {cls.record_name: cls.length() for cls in record_classes() if cls.bits}
    assert lengths == {
        "test": 5, "solar_charger": 12, "battery_monitor": 15, "inverter": 11, "dcdc_converter": 10,
        "smart_lithium": 16, "inverter_rs": 12, "gx_device": 11, "ac_charger": 13, "smart_battery_protect": 15,
        "lynx_smart_bms": 16, "multi_rs": 14, "ve_bus": 13, "dc_energy_meter": 11, "orion_xs": 14, "solarsense": 16,
    }  # fmt: skip
