"""`bluewatt emulate` as a process of its own, with a client in this one: they meet by HCI over TCP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bleak import BleakScanner

from bluewatt.cli import main
from bluewatt.tables.gatt import COMPANY_ID
from bluewatt.transports.peripheral.radio import AdapterPeripheralRadio
from bluewatt.transports.virtual.bleak_backend import VirtualAdapter
from bluewatt.wire.instant_readout.advertisement import decode_advertisement
from tests.making.ports import free_port

pytestmark = pytest.mark.wall_clock  # the other side is another process

START = None


class Command:
    def __init__(self, process: asyncio.subprocess.Process, transport: str) -> None:
        self.process = process
        self.transport = transport
        self.introduced: list[str] = []

    async def next_line(self) -> str:
        assert self.process.stderr
        return (await asyncio.wait_for(self.process.stderr.readline(), START)).decode().strip()

    async def interrupt(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        _, rest = await asyncio.wait_for(self.process.communicate(), START)
        assert self.process.returncode is not None
        return self.process.returncode, rest.decode()


@asynccontextmanager
async def emulate(state: Path, *arguments: str, devices: int = 1) -> AsyncIterator[Command]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("bluewatt")), "emulate", *arguments, "--state", str(state),
        "--radio", f"tcp-server:127.0.0.1:{port}", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    command = Command(process, f"tcp-client:127.0.0.1:{port}")
    try:
        command.introduced = [await command.next_line() for _ in range(devices)]
        yield command
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def client(command: Command, *, pin: str | None = "000000", bonds: Path | None = None) -> AsyncIterator[Any]:
    async with (
        AdapterPeripheralRadio(command.transport) as air,
        VirtualAdapter(air, pin=pin, key_store=bonds) as adapter,
    ):
        yield adapter


async def hear(adapter: VirtualAdapter) -> tuple[str, bytes]:
    async with BleakScanner(backend=adapter.scanner) as scanner:
        async for device, data in scanner.advertisement_data():
            return device.address, data.manufacturer_data[COMPANY_ID]
    raise AssertionError


async def test_two_processes_pair_read_fetch_the_key_and_reconnect(tmp_path: Path, talk) -> None:
    bonds = tmp_path / "client.json"
    async with emulate(tmp_path / "state", "mppt", "--pin", "012345", "--name", "Roof") as command:
        assert command.introduced[0].startswith("SmartSolar MPPT 75/15: Roof, address ")
        assert command.introduced[0].endswith("PIN 012345")
        async with client(command, pin="012345", bonds=bonds) as adapter:
            address, payload = await hear(adapter)
            async with talk(adapter, address) as session:
                name, key = await session.get(0, 0x010C, 0xEC65)
                days = await session.get(3, *range(0x104F, 0x106F))
            assert name == b"Roof"
            assert decode_advertisement(payload, key).record_name == "solar_charger"
            assert all(isinstance(day, bytes) and len(day) == 34 for day in days)
        await asyncio.sleep(0.3)
        code, rest = await command.interrupt()
        assert code == 0
        assert "Traceback" not in rest
        assert "Roof: a client connected" in rest
    async with emulate(tmp_path / "state", "mppt") as command:
        assert command.introduced[0].endswith("PIN 012345")
        async with client(command, pin=None, bonds=bonds) as adapter, talk(adapter, address, pair=False) as session:
            assert await session.get(0, 0x010C) == [b"Roof"]


async def test_what_is_asked_for_on_the_command_line_is_what_a_client_meets(tmp_path: Path, talk) -> None:
    options = ("--key-behind-puk", "--keep-alive", "0")
    async with (
        emulate(tmp_path, "ip22", *options) as command,
        client(command) as adapter,
        talk(adapter, (await hear(adapter))[0], keep_alive=False, instance=None) as session,
    ):
        assert await session.get(0, 0xEC65) == [2]
        assert await session.unlock("000000") == (b"\0", b"\0")
        (key,) = await session.get(0, 0xEC65)
        assert isinstance(key, bytes)
        assert len(key) == 16


async def test_values_are_fed_line_by_line(tmp_path: Path, talk) -> None:
    async with emulate(tmp_path, "smartshunt", "--feed", "-") as command:
        assert command.process.stdin
        for line in (
            {"battery_voltage": 12.34, "battery_current": -5.5},
            {
                "kind": "advertisement",
                "values": {"state_of_charge": 81.5, "starter_voltage": 13.02, "alarm_reason": []},
            },
        ):
            command.process.stdin.write(json.dumps(line).encode() + b"\n")
        command.process.stdin.write(b"nonsense\n")
        assert "not JSON" in await command.next_line()
        async with client(command) as adapter:
            address, _ = await hear(adapter)
            async with talk(adapter, address) as session:
                answers = await session.get(3, 0xED8D, 0xED8C, 0xED8E, 0x0FFF, 0xED7D, 0x0FFE)
                (key,) = await session.get(0, 0xEC65)
            numbers = [int.from_bytes(answer, "little", signed=True) for answer in answers if isinstance(answer, bytes)]
            assert numbers == [1234, -5500, -68, 8150, 1302, -1]
            await asyncio.sleep(0.5)
            record = decode_advertisement((await hear(adapter))[1], key).as_dict()
        assert record["battery_voltage"] == 12.34
        assert record["starter_voltage"] == 13.02
        assert record["time_to_go"] is None


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmRSS")).split()[1])


async def test_memory_of_one_device(tmp_path: Path) -> None:
    """The budget of the whole process is 80 MB."""
    async with emulate(tmp_path, "smartshunt") as command:
        await asyncio.sleep(1)
        assert command.process.returncode is None
        assert resident_kib(command.process.pid) < 80 * 1024


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["smartshunt", "--pin", "12345"], 6, "a PIN has 6 digits"),
        (["smartshunt", "--radio", "usb:99"], 3, "cannot open the Bluetooth transport"),
        (["smartshunt", "--radio", "nonsense:1"], 3, "no transport string"),
        (["smartshunt", "--feed", "ftp://x"], 6, "no such feed"),
        (["smartshunt", "--feed", "mqtt://127.0.0.1:1/x"], 3, "MQTT broker"),
        (["smartshunt", "--feed", "mqtt://127.0.0.1"], 6, "no MQTT topic"),
        (["smartshunt", "--vesmart", "/nowhere.toml"], 6, "VE.Smart network"),
        (["smartshunt", "--vesmart", "demo", "--radio", "vhci"], 6, "overcharge"),
        (["mppt", "mppt", "--name", "x"], 2, "--name is for one device"),
        (["toaster"], 2, "toaster"),
        ([], 2, "DEVICE"),
    ],
)
def test_what_cannot_be_is_one_line_and_a_code(arguments, code, says, tmp_path: Path, capsys) -> None:
    radio = [] if "--radio" in arguments else ["--radio", "virtual"]
    assert main(["emulate", *arguments, *radio, "--state", str(tmp_path), "--seconds", "3"]) == code
    told = capsys.readouterr().err
    assert says in told
    assert "Traceback" not in told


def test_a_broken_state_file_is_named(tmp_path: Path, capsys) -> None:
    (tmp_path / "smartshunt.json").write_text("{")
    assert main(["emulate", "smartshunt", "--radio", "virtual", "--state", str(tmp_path)]) == 6
    assert "smartshunt.json does not hold an emulated device" in capsys.readouterr().err


def test_another_seed_does_not_overwrite_a_device(tmp_path: Path, capsys) -> None:
    for seed, code in (("1", 0), ("2", 6), ("1", 0)):
        arguments = ["emulate", "orion", "--radio", "virtual", "--state", str(tmp_path), "--seconds", "0.2"]
        assert main([*arguments, "--seed", seed]) == code
    assert os.listdir(tmp_path) == ["orion.json"]
    assert "holds another device" in capsys.readouterr().err


async def test_scan_hears_the_emulator_through_a_radio_it_hosts(tmp_path: Path) -> None:
    async with emulate(tmp_path, "smartshunt") as command:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("bluewatt")), "scan", command.transport, "--seconds", "4", "--json",
            stdout=asyncio.subprocess.PIPE, env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "scanner")},
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), START)
    assert process.returncode == 0
    heard = [json.loads(line) for line in out.splitlines()]
    assert heard
    assert {line["source"] for line in heard} == {command.transport}
