"""Two processes, as two computers would be: `bluewatt emulate` in one, the commands of the client in others."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bluewatt.services.emulator import FAMILIES

pytestmark = pytest.mark.wall_clock  # the other side is another process

PIN = "004711"
BLUEWATT = (str(Path(sys.executable).with_name("bluewatt")),)


class Client:
    """The command line of one user, with a folder of his own."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.radio = f"tcp-client:127.0.0.1:{port}"
        self.environ = os.environ | {
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
        }

    def allow(self, *controls: str) -> None:
        folder = self.home / "config" / "bluewatt"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(f"allow_writes = {json.dumps(controls)}\n")

    def run(self, *arguments: str, pin: str | None = None) -> subprocess.CompletedProcess[str]:
        environ = self.environ | ({"BLUEWATT_PIN": pin} if pin else {})
        command = [*BLUEWATT, *arguments, "--radio", self.radio]
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )

    def ok(self, *arguments: str, pin: str | None = None) -> str:
        done = self.run(*arguments, pin=pin)
        assert done.returncode == 0, done.stderr
        assert PIN not in done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def client(tmp_path: Path) -> Client:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Client(tmp_path, probe.getsockname()[1])


@contextmanager
def emulating(client: Client, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """An emulator in a process of its own, on the air when this returns."""
    transport = client.radio.replace("tcp-client:", "tcp-server:")
    command = [*BLUEWATT, "emulate", *arguments, "--radio", transport, "--pin", PIN, "--seed", "5", "--forget"]
    with subprocess.Popen(
        command, env=client.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            _until_listening(client, run)
            yield run
        finally:
            run.terminate()
            run.wait()
            assert run.stdout
            run.stdout.close()


def _until_listening(client: Client, run: subprocess.Popen[str]) -> None:
    """Until its first line is printed: the radio is served by then, and nobody may knock just to see."""
    assert run.stdout
    line = run.stdout.readline()
    assert "PIN" in line, line


@pytest.mark.parametrize("family", list(FAMILIES))
def test_pair_be_refused_come_back_and_read_everything(client: Client, family: str) -> None:
    name = FAMILIES[family].name.partition(" {")[0]
    with emulating(client, family):
        wrong = client.run("read", name, pin="004712")
        assert (wrong.returncode, wrong.stdout) == (5, "")
        assert "refused the PIN" in wrong.stderr
        assert "004712" not in wrong.stderr
        client.ok("read", name, "--group", "facts", pin=PIN)
        lines = [json.loads(line) for line in client.ok("read", name, "--all", "--json").splitlines()]
    told = {line["key"]: line for line in lines}
    assert told["firmware_version"]["value"]["version"] == FAMILIES[family].firmware
    assert {line["kind"] for line in lines} == {"vreg"}
    assert lines[0]["device"]["product_id"] == f"0x{FAMILIES[family].product_id:04X}"
    assert len(lines) > 25
    assert not [line for line in lines if "problem" in line]
    assert "advertisement_key" not in told
    bonds = client.home / "state" / "bluewatt" / "bonds.json"
    assert bonds.stat().st_mode & 0o077 == 0


def test_fetch_the_key_and_decode_the_advertisement_with_it(client: Client) -> None:
    with emulating(client, "mppt"):
        said = client.ok("key", "SmartSolar", pin=PIN)
        assert "the key is new" in said
        assert "proved by an advertisement of solar_charger" in said
        assert "the same as the one saved before" in client.ok("key", "SmartSolar")
    keys = client.home / "config" / "bluewatt" / "keys.toml"
    assert keys.stat().st_mode & 0o777 == 0o600
    kept = keys.read_text()
    (told,) = tomllib.loads(kept).values()
    secret = told["key"]
    assert secret not in said
    keys.write_text(kept.replace(secret, "00" * 16))
    keys.chmod(0o600)
    with emulating(client, "mppt"):
        assert "another one than before" in client.ok("key", "SmartSolar", pin=PIN)
    assert tomllib.loads(keys.read_text()) == tomllib.loads(kept)
    assert f'# replaced: key = "{"00" * 16}"' in keys.read_text(), "the key before is kept as a comment"


def test_history_as_table_json_and_csv(client: Client) -> None:
    with emulating(client, "mppt"):
        table = client.ok("history", "SmartSolar", pin=PIN)
        lines = [json.loads(line) for line in client.ok("history", "SmartSolar", "--json").splitlines()]
        rows = list(csv.DictReader(io.StringIO(client.ok("history", "SmartSolar", "--csv"))))
    assert "Days available: 30" in table
    assert [line["kind"] for line in lines] == ["history_total"] + ["history_day"] * 31
    assert lines[0]["values"]["days_available"] == 30, "the days behind today"
    assert len(rows) == 31
    assert rows[1]["date"] == lines[2]["date"]
    assert float(rows[1]["yield"]) == lines[2]["values"]["yield"] > 0


def test_the_inverter_to_eco_and_back(client: Client) -> None:
    with emulating(client, "phoenix"):
        refused = client.run("mode", "Phoenix", "eco", "--yes", pin=PIN)
        assert refused.returncode == 4
        assert 'allow_writes = ["inverter"]' in refused.stderr
        client.allow("inverter")
        assert "inverter: Inverter only → Eco" in client.ok("mode", "Phoenix", "eco", "--yes")
        assert '"value":"eco"' in client.ok("read", "Phoenix", "device_mode", "--json")
        assert "→ Inverter only" in client.ok("set", "Phoenix", "--undo", "--yes")
        assert '"value":"inverter_only"' in client.ok("read", "Phoenix", "device_mode", "--json")
        dry = client.ok("set", "Phoenix", "inverter=off", "--dry-run")
        assert "bytes: 06 03 82 19 02 00 41 04" in dry
        assert "nothing was written" in dry
        assert '"value":"inverter_only"' in client.ok("read", "Phoenix", "device_mode", "--json")
        nobody = client.run("mode", "Phoenix", "off")
        assert nobody.returncode == 4
        assert "run this on a terminal to consent" in nobody.stderr
    audit = client.home / "state" / "bluewatt" / "audit.jsonl"
    assert audit.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["event"] for line in audit.read_text().splitlines()] == ["intent", "result"] * 2


def test_the_low_current_mode_of_a_charger_and_back(client: Client) -> None:
    client.allow("low_current_mode")
    with emulating(client, "ip22"):
        assert "low_current_mode: Off → Night" in client.ok("set", "Blue", "low_current_mode=night", "--yes", pin=PIN)
        told = [json.loads(line) for line in client.ok("read", "Blue", "0xE001", "0xE002", "--json").splitlines()]
        assert told[0]["value"] == "night"
        assert 0 < told[1]["value"] <= 8 * 3600
        assert "→ Off" in client.ok("set", "Blue", "--undo", "--yes")
        wrong = client.run("set", "Blue", "low_current_mode=sleep", "--yes")
        assert wrong.returncode == 4
        assert "one of off, on, night" in wrong.stderr


def test_nothing_is_written_to_one_of_two_devices_of_a_name(client: Client) -> None:
    client.allow("charger")
    with emulating(client, "mppt", "mppt"):
        done = client.run("mode", "SmartSolar", "off", "--yes", pin=PIN)
        assert done.returncode == 3
        assert "SmartSolar is a part of 2 names: SmartSolar HQ" in done.stderr
        first = done.stderr.split("names: ")[1].split(" (")[0]
        assert "→ Charger off" in client.ok("mode", first, "off", "--yes", pin=PIN)
    bonds = client.home / "state" / "bluewatt" / "bonds.json"
    assert bonds.stat().st_mode & 0o777 == 0o600


def _until_asked(keyboard: int) -> None:
    """Until the question stands on the terminal: what is typed before does not count."""
    shown = b""
    while b"change it: " not in shown:
        shown += os.read(keyboard, 1024)


def test_a_question_to_a_person_can_be_broken_off(client: Client) -> None:
    """The loop runs on while a person thinks: else Ctrl-C does nothing, and the device misses its keep-alive."""
    pty = pytest.importorskip("pty")
    client.allow("inverter")
    keyboard, terminal = pty.openpty()
    with emulating(client, "phoenix"):
        command = [*BLUEWATT, "mode", "Phoenix", "eco", "--radio", client.radio]
        environ = client.environ | {"BLUEWATT_PIN": PIN}
        with subprocess.Popen(command, env=environ, stdin=terminal, stderr=terminal) as run:
            _until_asked(keyboard)
            run.send_signal(signal.SIGINT)
            assert run.wait() != 0
        assert not (client.home / "state" / "bluewatt" / "audit.jsonl").exists()
        with subprocess.Popen(
            command, env=environ, stdin=terminal, stderr=terminal, stdout=subprocess.PIPE, text=True
        ) as run:
            _until_asked(keyboard)
            os.write(keyboard, b"yes\n")
            assert "Inverter only → Eco" in run.communicate()[0]
    os.close(keyboard)
    os.close(terminal)


def test_a_stream_ends_well_on_request_and_badly_when_the_device_leaves(client: Client) -> None:
    with emulating(client, "smartshunt") as emulator:
        command = [*BLUEWATT, "read", "Shunt", "--stream", "--json", "--radio", client.radio, "battery_voltage"]
        environ = client.environ | {"BLUEWATT_PIN": PIN}
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as stream:
            assert stream.stdout
            assert json.loads(stream.stdout.readline())["key"] == "battery_voltage"
            assert json.loads(stream.stdout.readline())["key"] == "battery_voltage"
            stream.terminate()
            assert stream.wait() == 0
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as stream:
            assert stream.stdout
            assert stream.stderr
            assert json.loads(stream.stdout.readline())["key"] == "battery_voltage"
            emulator.terminate()
            assert stream.wait() == 3
            assert "disconnected in the middle" in stream.stderr.read()


def test_nobody_there(client: Client) -> None:
    done = client.run("read", "--nearest", "--timeout", "1", pin=PIN)
    assert done.returncode == 3
    assert "cannot open the Bluetooth transport" in done.stderr
    with emulating(client, "orion"):
        done = client.run("read", "AA:BB:CC:DD:EE:FF", "--timeout", "1", pin=PIN)
    assert done.returncode == 3
    assert "AA:BB:CC:DD:EE:FF was not heard within 1 s" in done.stderr
