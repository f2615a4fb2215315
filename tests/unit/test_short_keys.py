"""Keys of 31 digits: the app hid the first, an advertisement tells it, the content proves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bluewatt import build_advertisement, decode_advertisement
from bluewatt.cli import main
from bluewatt.errors import KeyMismatch, KeyProblem
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading
from bluewatt.model.receiver import Receiver
from bluewatt.model.trust.key_verdict import KeyState
from bluewatt.services.key_fetch import Fetched, KeyChange, compare_keys
from bluewatt.services.keys import load_keys, named_keys, save_key
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.wire.instant_readout.cipher import Key, ShortKey, key_for, parse_key
from tests.making.recordings import write_recording

ADDRESS, OTHER = "C0:00:00:00:00:07", "C0:00:00:00:00:08"
KEY = Key(bytes([0x9E, *range(0x35, 0x44)]))
"""Begins as a published case did: byte 7 of the advertisement was 9E, the app showed 31 digits from E on."""
SHOWN = KEY.hex()[1:]
Captured = pytest.CaptureFixture[str]


pytestmark = pytest.mark.usefixtures("no_keys_of_this_machine")


def payload(number: int, key: Key = KEY) -> bytes:
    record = BatteryMonitor(battery_voltage=13.2 + number / 100, battery_current=-4.2, state_of_charge=87.5)
    return build_advertisement(record, product_id=0xA389, key=key, nonce=100 + number)


def frames(key: Key = KEY, *, address: str = ADDRESS, count: int = 30) -> list[Frame]:
    return [Frame(float(n), "test", ADVERTISEMENT, address, payload(n, key)) for n in range(count)]


@pytest.fixture
def recording(tmp_path: Path) -> str:
    return str(write_recording(tmp_path / "heard.jsonl", frames()))


def test_the_hidden_digit_is_the_high_half_of_the_key_check() -> None:
    short = parse_key(SHOWN.upper())
    assert isinstance(short, ShortKey)
    assert short.complete(0x9E) == KEY
    assert key_for(SHOWN, 0x9E) == KEY
    assert key_for(KEY.hex(), 0x11) == KEY
    assert short.complete(0x9D)[0] != 0x9D, "the low half is the first digit shown: another device's"
    assert len(set(short.possible())) == 16
    assert KEY in short.possible()


def test_it_is_never_printed_and_never_said_to_be_0() -> None:
    short = parse_key(SHOWN)
    assert SHOWN[:8] not in f"{short!r} {short}"
    with pytest.raises(KeyProblem, match="hide the first, which need not be 0") as told:
        Key.of(SHOWN)
    assert SHOWN[:8] not in str(told.value)


def test_one_advertisement_completes_it() -> None:
    assert decode_advertisement(payload(0), SHOWN) == decode_advertisement(payload(0), KEY)
    with pytest.raises(KeyMismatch):
        decode_advertisement(payload(0), "1" + SHOWN[1:])


@pytest.mark.parametrize("ring", [KeyRing({ADDRESS: SHOWN}), KeyRing(loose=[SHOWN])], ids=["addressed", "loose"])
def test_the_receiver_proves_it_like_any_other(ring: KeyRing) -> None:
    receiver = Receiver(ring)
    outcomes = [outcome for frame in frames() for outcome in receiver.feed(frame)]
    assert len(outcomes) == 30
    assert all(isinstance(outcome, Reading) for outcome in outcomes)
    assert receiver.key_state(ADDRESS) is KeyState.RIGHT
    assert ring.completed == {ADDRESS: KEY}


def test_31_digits_of_another_device_show_nothing() -> None:
    """Not where the low half differs, and not where it fits by chance."""
    for wrong in ("1" + SHOWN[1:], SHOWN[:-1] + ("0" if SHOWN[-1] != "0" else "1")):
        receiver = Receiver(KeyRing({ADDRESS: wrong}))
        outcomes = [outcome for frame in frames() for outcome in receiver.feed(frame)]
        assert not any(isinstance(outcome, Reading) for outcome in outcomes)
        assert KeyMismatch.__name__ in receiver.counts


def test_a_key_of_32_digits_replaces_it() -> None:
    ring = KeyRing({ADDRESS: SHOWN})
    ring.add(ADDRESS, KEY)
    assert (ring.of(ADDRESS), len(ring), list(ring)) == (KEY, 1, [ADDRESS])
    ring.add(ADDRESS, SHOWN)
    assert (ring.of(ADDRESS), len(ring), list(ring)) == (None, 1, [ADDRESS])


@pytest.mark.parametrize("given", [SHOWN, f"{ADDRESS}={SHOWN}"])
def test_decode_completes_it_from_the_advertisement_pasted(given: str, capfd: Captured) -> None:
    assert main(["decode", f"{ADDRESS} {payload(0).hex()}", "--key", given]) == 0
    told = capfd.readouterr().out
    assert "13.20 V" in told
    assert "31 digits: its first digit, which the app hid, is 9" in told
    assert SHOWN[:8] not in told
    assert main(["decode", payload(0).hex(), "--key", KEY.hex()]) == 0
    assert "31 digits" not in capfd.readouterr().out


@pytest.mark.parametrize("command", [["decode", "--json"], ["scan"]])
@pytest.mark.parametrize("given", [SHOWN, f"{ADDRESS}={SHOWN}"])
def test_decode_and_scan_complete_it_from_what_they_hear(
    recording: str, command: list[str], given: str, capfd: Captured
) -> None:
    name, *options = command
    source = recording if name == "decode" else f"capture:{recording}"
    assert main([name, source, *options, "--key", given]) == 0
    told = capfd.readouterr()
    assert f"the key given for {ADDRESS} has 31 digits: the first, which the app hid, is 9" in told.err
    assert "battery_voltage" in told.out or "13." in told.out
    assert main([name, source, *options, "--key", f"{OTHER}={SHOWN}"]) in (0, 5)
    assert "31 digits" not in capfd.readouterr().err


@pytest.mark.parametrize("given", [SHOWN, f"{ADDRESS}={SHOWN}"])
def test_parquet_completes_it(recording: str, given: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")
    out = tmp_path / "out.parquet"
    assert main(["decode", recording, "--key", given, "--format", "parquet", "-o", str(out)]) == 0
    voltages = parquet.read_table(out).column("battery_voltage").to_pylist()
    assert voltages == [round(13.2 + n / 100, 2) for n in range(30)]


def test_an_import_keeps_the_31_digits_and_says_what_is_missing(
    recording: str, tmp_path: Path, capfd: Captured
) -> None:
    listed, keys = tmp_path / "list.txt", tmp_path / "keys.toml"
    listed.write_text(f"{ADDRESS}@{SHOWN}\n{OTHER}@{KEY.hex()}\n", "utf-8")
    assert main(["key", "--import", str(listed), "--keys", str(keys)]) == 0
    assert "the first digit of 1 key is missing" in capfd.readouterr().out
    assert load_keys(keys) == [(ADDRESS, parse_key(SHOWN)), (OTHER, KEY)]
    assert main(["decode", "--json", recording, "--keys", str(keys)]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(lines) == 30


def test_a_key_fetched_later_is_the_same_one(tmp_path: Path) -> None:
    path = save_key(ADDRESS, parse_key(SHOWN), tmp_path / "keys.toml")
    assert compare_keys(Fetched(KEY, (ADDRESS,), True), path) is KeyChange.SAME
    assert compare_keys(Fetched(Key(bytes(range(16))), (ADDRESS,), True), path) is KeyChange.CHANGED


def test_it_is_taken_from_the_environment_too() -> None:
    assert named_keys(environ={"BLUEWATT_KEYS": f"{ADDRESS}={SHOWN}"}) == [(ADDRESS, parse_key(SHOWN))]


def test_the_ring_knows_a_device_with_31_digits() -> None:
    assert KeyRing({ADDRESS: SHOWN}).knows(ADDRESS)
    assert not KeyRing({ADDRESS: SHOWN}).knows(OTHER)
