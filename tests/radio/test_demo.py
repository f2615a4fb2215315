"""End to end: simulated, sealed, advertised, received by bleak, opened, decoded; what comes out is what went in."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import bluewatt
from bluewatt.app.virtual_site import advertise
from bluewatt.model.json_objects import json_value
from bluewatt.schema import Record
from bluewatt.services.simulator import DEFAULT_START, SimulatedDevice, Site
from bluewatt.transports.virtual.air import DEFAULT_RSSI
from bluewatt.wire.instant_readout.advertisement import decode_advertisement, parse_advertisement

COMMAND = Path(sys.executable).with_name("bluewatt")
TIMELESS = (sys.executable, "-m", "tests.virtual_time")
"""The command in a process of its own, where time is that of `tests/virtual_time.py`."""
ROOT = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("BLUEWATT_RADIO_SECONDS", "3"))


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TIMELESS, *arguments], capture_output=True, text=True, check=False, cwd=ROOT, **options)


def json_values(record: Record) -> dict[str, Any]:
    """A record's values as the JSON has them, by the schema alone."""
    values = {row.name: json_value(getattr(record, row.name)) for row in record.rows if not row.hidden}
    return json.loads(json.dumps(values))


class Tape:
    """A radio that keeps what is advertised, and a clock that never waits: the site at full speed."""

    start, speed = DEFAULT_START, 1.0

    def __init__(self, until: float) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._now, self._until = self.start, until

    def now(self) -> float:
        return self._now

    async def until(self, at: float) -> None:
        self._now = max(self._now, at)
        if self._now > self._until:
            raise TimeoutError

    def advertiser(
        self, address: str, *, name: str, interval: float = 1, rssi: int = DEFAULT_RSSI, company_id: int = 0
    ) -> Any:
        return Voice(self, address)


class Voice:
    def __init__(self, tape: Tape, address: str) -> None:
        self.address, self._tape = address, tape

    def update(self, manufacturer_data: bytes) -> None:
        self._tape.heard.append((self.address, manufacturer_data))


async def simulated(seed: int, seconds: float, devices: int) -> list[tuple[str, dict[str, Any]]]:
    """(address, values) of every record the site makes in its first seconds."""
    site, tape = Site(seed, devices=devices), Tape(DEFAULT_START + seconds)
    keys = {device.address: device.key for device in site.devices}
    with pytest.raises(TimeoutError):
        await advertise(site, tape, tape)  # type: ignore[arg-type]
    found = [(address, data) for address, data in tape.heard if parse_advertisement(data).has_record]
    return [(address, json_values(decode_advertisement(data, keys[address]))) for address, data in found]


async def test_every_record_arrives_as_it_was_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[tuple[str, int], Record] = {}
    heard: dict[tuple[str, int], Record] = {}
    original = SimulatedDevice.advertisement

    def advertisement(self: SimulatedDevice, at: float) -> bytes:
        payload = original(self, at)
        if self.instant_readout:
            sent[self.address, self.sealer.nonce] = self.record(at)
        return payload

    monkeypatch.setattr(SimulatedDevice, "advertisement", advertisement)
    async with bluewatt.open_source("virtual:?seed=5&devices=20", keys={}) as source:
        try:
            async with asyncio.timeout(SECONDS):
                async for reading in source:
                    nonce = parse_advertisement(reading.frame.payload).nonce
                    heard[reading.device.address, nonce] = reading.record
        except TimeoutError:
            pass
        assert len(source.roster.entries) == 20
        assert all(entry.device.name for entry in source.roster.entries.values())
    # A record of unknown layout proves no key, so what it says may be held back.
    sent = {place: record for place, record in sent.items() if record.rows and not record.rows[0].raw}
    heard = {place: record for place, record in heard.items() if not record.rows[0].raw}
    assert {place: record for place, record in heard.items() if sent.get(place) != record} == {}
    waiting = len({address for address, _ in sent})  # the last record of each device may still be on its way, or waits
    assert len(heard) >= len(sent) - 2 * waiting
    assert {address for address, _ in heard} == {address for address, _ in sent}


async def test_demo_prints_what_the_seed_tells() -> None:
    expected = await simulated(1, SECONDS + 5, 12)
    done = await asyncio.to_thread(run, "demo", "--seconds", str(SECONDS), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    readings = [line for line in lines if line["kind"] == "advertisement"]
    wrong = [line for line in readings if (line["device"]["address"], line["values"]) not in expected]
    assert wrong == []
    assert {line["device"]["address"] for line in readings} == {address for address, _ in expected}
    assert len(readings) >= 2 * len({address for address, _ in expected})
    off = [line for line in lines if line["kind"] == "undecoded"]
    assert {line["reason"] for line in off} <= {"NoRecord", "UnknownType"}


def test_two_runs_of_one_seed_agree_and_another_seed_does_not() -> None:
    first, again, other = (
        {
            json.dumps(json.loads(line)["device"])
            for line in run("demo", "--seconds", "1.5", "--json", "--devices", "3", "--seed", seed).stdout.splitlines()
        }
        for seed in ("1", "1", "2")
    )
    assert len(first) == 3
    assert first == again
    assert not first & other


def test_speed_makes_the_site_run_faster() -> None:
    done = run("demo", "--seconds", "2.5", "--json", "--speed", "600", "--devices", "3")
    times = sorted(json.loads(line)["at"] for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert times[0].startswith("2026-06-21T09:0")
    assert times[-1] > "2026-06-21T09:10"


def test_a_recording_decodes_to_what_was_shown(tmp_path: Path) -> None:
    recording, keys = tmp_path / "demo.jsonl", tmp_path / "keys.toml"
    shown = run("demo", "--seconds", "2", "--json", "--devices", "4", "--record", str(recording))
    keys.write_text("".join(f'"{device.address}" = "{device.key.hex()}"\n' for device in Site(1, devices=4).devices))
    keys.chmod(0o600)
    again = run("decode", str(recording), "--json", "--keys", str(keys))
    assert again.returncode == 0
    assert shown.stdout.splitlines()
    assert again.stdout == shown.stdout


def test_without_a_terminal_a_plain_table_is_printed() -> None:
    done = run("demo", "--seconds", "2", env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "SmartSolar roof" in done.stdout
    assert " V" in done.stdout
    assert "12 devices" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_stopped_is_a_good_end(number: int) -> None:
    with subprocess.Popen([COMMAND, "demo", "--seconds", "30", "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["source"] == "virtual:"
        process.send_signal(number)
        process.stdout.read()
        assert process.wait() == 0


def test_who_closes_the_pipe_is_not_told_of_errors() -> None:
    with subprocess.Popen(
        [COMMAND, "demo", "--seconds", "4", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_the_site_can_be_served_to_another_program() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = f"tcp-server:127.0.0.1:{port}"
    with subprocess.Popen(
        [COMMAND, "demo", "--serve", serve, "--devices", "2", "--seconds", "20"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(3)]
        assert all(
            device.key.hex() in line for device, line in zip(Site(1, devices=2).devices, printed[1:], strict=True)
        )
        assert answered(port, bytes.fromhex("01030c00"))[:3] == b"\x04\x0e\x04"  # HCI reset, command complete
        process.terminate()
        assert process.wait() == 0


def answered(port: int, command: bytes) -> bytes:
    """What the served adapter answers to an HCI command."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as host:
                host.sendall(command)
                return host.recv(64)
        except ConnectionRefusedError:
            time.sleep(0.1)
