"""`bluewatt decode --json` hides nothing that devices said: spikes, errors nobody has named, large systems."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bluewatt import build_advertisement
from bluewatt.model.identity import Device
from bluewatt.model.json_objects import json_line
from bluewatt.model.reading import ADVERTISEMENT, Frame, Reading
from bluewatt.schema import Record
from bluewatt.tables.enums import AlarmReason, AuxMode, ChargerError, DeviceState
from bluewatt.tables.records.ac_charger import AcCharger
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.tables.records.gx_device import GxDevice
from bluewatt.tables.records.multi_rs import MultiRs
from bluewatt.tables.records.solarsense import Solarsense
from bluewatt.wire.instant_readout.cipher import Key
from tests.making.recordings import write_recording

COMMAND = str(Path(sys.executable).with_name("bluewatt"))
KEY = Key(bytes.fromhex("00112233445566778899aabbccddeeff"))
ADDRESS = "C0:00:00:00:00:01"
START = 1_795_200_000
SAMPLES = 60


pytestmark = pytest.mark.usefixtures("no_keys_of_this_machine")


def monitor(current: float, voltage: float = 12.7) -> BatteryMonitor:
    return BatteryMonitor(
        time_to_go=600, battery_voltage=voltage, alarm_reason=AlarmReason(0), aux_mode=AuxMode(3),
        battery_current=current, consumed_charge=-20.0, state_of_charge=80.0,
    )  # fmt: skip


def charger(number: int) -> AcCharger:
    return AcCharger(
        device_state=DeviceState(3), charger_error=ChargerError(99), battery_voltage_1=13.4 + number % 3 / 100,
        battery_current_1=5.0 + number % 7 / 10, temperature=25,
    )  # fmt: skip


TOLD: dict[str, tuple[Callable[[int], Record], str, Callable[[int], Any]]] = {
    "load at 1 Hz": (
        lambda n: monitor(-180.0 if n % 2 else -2.0),
        "battery_current",
        lambda n: -180.0 if n % 2 else -2.0,
    ),
    "crank": (
        lambda n: monitor(-650.0, 9.1) if n == 30 else monitor(-5.0),
        "battery_current",
        lambda n: -650.0 if n == 30 else -5.0,
    ),
    "thruster": (
        lambda n: monitor(-5.0 - 60 * max(0, n - 50)),
        "battery_current",
        lambda n: -5.0 - 60 * max(0, n - 50),
    ),
    "error 99": (charger, "charger_error", lambda n: "unknown(99)"),
    "odd state": (
        lambda n: MultiRs(device_state=DeviceState(3 if n < 40 else 113), battery_voltage=52.0, battery_current=5.0),
        "device_state",
        lambda n: "bulk" if n < 40 else "unknown(113)",
    ),
    "45 kW": (
        lambda n: GxDevice(battery_voltage=52.1, pv_power=45_000 + n, state_of_charge=80, battery_power=20_000 - 7 * n),
        "pv_power",
        lambda n: 45_000 + n,
    ),
    "clouds": (
        lambda n: Solarsense(irradiance=1010.0 if n % 2 else 40.0),
        "irradiance",
        lambda n: 1010.0 if n % 2 else 40.0,
    ),
}


def recording(path: Path, make: Callable[[int], Record], *, checked: bool = True) -> str:
    frames = []
    for number in range(SAMPLES):
        payload = build_advertisement(make(number), product_id=0xA389, key=KEY, nonce=number)
        frames.append(Frame(START + number, "ble:hci0", ADVERTISEMENT, ADDRESS, payload, -60, None, checked))
    return str(write_recording(path, frames))


def decoded(path: str, *keys: bytes) -> list[dict[str, Any]]:
    options = [part for key in keys for part in ("--key", f"{ADDRESS}={key.hex()}")]
    command = [COMMAND, "decode", "--json", path, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", TOLD)
def test_every_sample_comes_out(name: str, tmp_path: Path) -> None:
    make, metric, told = TOLD[name]
    lines = decoded(recording(tmp_path / "heard.jsonl", make), KEY)
    assert [line["values"][metric] for line in lines] == [told(number) for number in range(SAMPLES)]
    assert not any("rejected" in line for line in lines)


def test_what_surprises_is_named_beside_the_values(tmp_path: Path) -> None:
    lines = decoded(recording(tmp_path / "heard.jsonl", TOLD["crank"][0]), KEY)
    assert {number: line["doubtful"] for number, line in enumerate(lines) if "doubtful" in line} == {
        30: ["battery_current"]
    }


def test_a_spike_in_lines_that_are_not_checked_waits_for_the_next_and_is_told(tmp_path: Path) -> None:
    path = recording(tmp_path / "heard.jsonl", TOLD["crank"][0], checked=False)
    lines = decoded(path, KEY)
    assert '"checked":false' in Path(path).read_text("utf-8")
    assert [line["reason"] for line in lines if line["kind"] == "undecoded"] == ["Rejected"]
    assert all(line["values"]["battery_current"] == -5.0 for line in lines if "values" in line)
    assert len(lines) == SAMPLES


def test_forty_wrong_keys_with_the_right_first_byte_show_nothing(tmp_path: Path) -> None:
    rng = random.Random(1)
    for name in ("load at 1 Hz", "error 99", "45 kW"):
        path = recording(tmp_path / "heard.jsonl", TOLD[name][0])
        assert shown_with_wrong_keys(path, rng) == 0


def shown_with_wrong_keys(path: str, rng: random.Random) -> int:
    """How many values forty devices that say the same show, each opened with a wrong key of its own."""
    lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    addresses = [f"C0:00:00:00:01:{number:02X}" for number in range(40)]
    copies = [json.dumps(line | {"address": address}) for line in lines for address in addresses]
    many = Path(path).with_name("many.jsonl")
    many.write_text("\n".join(copies) + "\n", "utf-8")
    keys = [part for address in addresses for part in ("--key", f"{address}={(KEY[:1] + rng.randbytes(15)).hex()}")]
    command = [COMMAND, "decode", "--json", str(many), *keys]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    heard = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({line["device"]["address"] for line in heard}) == 40
    return sum("values" in line for line in heard)


def test_one_advertisement_with_an_error_nobody_has_named_is_shown_with_its_doubt(tmp_path: Path) -> None:
    payload = build_advertisement(charger(0), product_id=0xA330, key=KEY, nonce=1).hex()
    command = [COMMAND, "decode", "--json", payload, "--key", KEY.hex()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    line = json.loads(done.stdout)
    assert (line["values"]["charger_error"], line["doubtful"]) == ("unknown(99)", ["charger_error"])
    told = subprocess.run(
        [COMMAND, "decode", payload, "--key", KEY.hex()], stdout=subprocess.PIPE, text=True, check=True
    )
    assert "Key: not certain from one advertisement" in told.stdout


def test_both_kinds_of_remark_fit_in_one_line() -> None:
    frame = Frame(0.0, "test", ADVERTISEMENT, ADDRESS, b"")
    reading = Reading(Device(ADDRESS, ADDRESS), 0.0, frame, replace(monitor(-650.0), battery_voltage=None))
    both = replace(reading, rejected={"battery_voltage": 655.0}, doubtful=("battery_current",))
    line = json.loads(json_line(both))
    assert (line["rejected"], line["doubtful"]) == ({"battery_voltage": 655.0}, ["battery_current"])
    assert "doubtful" not in json.loads(json_line(reading))
