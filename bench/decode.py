"""One advertisement after the other, from bytes to a typed record, decryption included, on one core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench import Row, Unmeasurable, bench, rate
from bench.samples import KEY, battery_monitor, solar_charger
from bluewatt import decode_advertisement
from bluewatt.model.json_objects import json_values

COUNT = 2000
RIVAL = "victron-ble"


def their_decoder() -> Callable[[bytes], Any]:
    """victron-ble from bytes to its dictionary of raw values: the least of its readings, without its getters."""
    try:
        from victron_ble.devices import detect_device_type
    except ImportError as missing:
        raise Unmeasurable("victron-ble is not installed") from missing
    devices: dict[type, Any] = {}

    def decode(data: bytes) -> Any:
        kind = detect_device_type(data)
        if kind not in devices:
            devices[kind] = kind(KEY.hex())
        return devices[kind].parse(data)

    return decode


GOAL = 6
KEY_TEXT = KEY.hex()
"""The key as people have it, and as victron-ble takes it."""


def our_record(data: bytes) -> Any:
    return decode_advertisement(data, KEY_TEXT)


def our_dictionary(data: bytes) -> Any:
    return decode_advertisement(data, KEY_TEXT).as_dict()


def our_json(data: bytes) -> Any:
    """What `json.dumps` takes: names in place of the numbers of enumerations."""
    return json_values(decode_advertisement(data, KEY_TEXT))


def per_second(decode: Callable[[bytes], Any], heard: list[bytes]) -> float:
    def run() -> None:
        for data in heard:
            decode(data)

    return rate(run, items=len(heard))


@bench
def decode() -> Iterator[Row]:
    """Records and dictionaries of two kinds of device, beside victron-ble's dictionary."""
    theirs = their_decoder()
    for name, heard, getter in (
        ("battery monitor", battery_monitor(COUNT), "get_voltage"),
        ("solar charger", solar_charger(COUNT), "get_battery_voltage"),
    ):
        if getattr(theirs(heard[0]), getter)() != our_record(heard[0]).battery_voltage:
            raise Unmeasurable(f"{RIVAL} and we read {heard[0].hex()} differently")
        their_rate = per_second(theirs, heard)
        for product, ours in (("record", our_record), ("dictionary", our_dictionary), ("JSON object", our_json)):
            yield Row(
                name=f"decode: {name} to {product}",
                ours=per_second(ours, heard),
                theirs=their_rate,
                unit="/s",
                rival=RIVAL,
                goal=GOAL,
            )
