"""VE.Smart networks whose key is known, files that grow, and captures of several links at once."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from pathlib import Path

import dpkt
import pytest

from bench import command_cost, talks
from bluewatt.cli import main
from bluewatt.services.keys import load_networks
from bluewatt.wire.vesmart.broadcast import (
    BroadcastContent,
    BroadcastValue,
    Network,
    build_broadcast,
    build_content,
    seal,
)

COMMAND = Path(sys.executable).with_name("bluewatt")
Captured = pytest.CaptureFixture[str]
NETWORK = Network.of("1a2b", bytes(range(16)), "boat")
SERIAL = 0x99_9A_25_EC


def report(payload: bytes) -> tuple[int, bytes]:
    data = bytes([len(payload) + 3, 0xFF]) + b"\xe1\x02" + payload
    body = b"\x02\x01\x03\x01\x01\x02\x03\x04\x05\xc6" + bytes([len(data)]) + data + b"\xc4"
    return 1, b"\x04\x3e" + bytes([len(body)]) + body


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(f'[networks."1A2B"]\nkey = "{bytes(range(16)).hex()}"\nname = "boat"\n', "utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """One charger that tells its network a voltage and a current, each broadcast heard twice."""
    broadcasts = [seal(NETWORK, serial=SERIAL, sequence=1, overflow=7)]
    for number, value in enumerate((1253, 1254)):
        content = build_content(BroadcastContent((BroadcastValue(0xED8D, value.to_bytes(2, "little")),)))
        broadcasts.append(seal(NETWORK, serial=SERIAL, sequence=2 + number, overflow=7, plaintext=content))
    rows = [report(build_broadcast(one)) for one in broadcasts for _ in range(2)]
    path = tmp_path / "network.btsnoop"
    path.write_bytes(talks.btsnoop(rows))
    return path


def test_the_networks_of_the_key_file(keys: Path) -> None:
    assert [(one.network_id, one.name) for one in load_networks(keys)] == [(b"\x1a\x2b", "boat")]


@pytest.mark.parametrize("verb", [["decode"], ["scan"]])
def test_values_of_a_network_are_read_once(verb: list[str], network: Path, keys: Path, capfd: Captured) -> None:
    source = str(network) if verb == ["decode"] else f"capture:{network}"
    assert main([*verb, source, "--json", "--keys", str(keys)]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    told = [line for line in lines if line["kind"] == "vesmart"]
    assert [(line["register"], line["key"], line["value"], line["unit"]) for line in told] == [
        ("0xED8D", "battery_voltage", 12.53, "V"),
        ("0xED8D", "battery_voltage", 12.54, "V"),
    ]
    assert {line["device"]["id"] for line in told} == {"HQ????MAEI4"}


def test_the_tables_show_a_network_too(network: Path, keys: Path, capfd: Captured) -> None:
    assert main(["decode", str(network), "--keys", str(keys)]) == 0
    assert "battery_voltage = 12.54 V" in capfd.readouterr().out
    assert main(["scan", f"capture:{network}", "--keys", str(keys)]) == 0
    assert "12.54 V" in capfd.readouterr().out


def test_a_wrong_network_key_gives_nothing(network: Path, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f'[networks]\n"1A2B" = "{"ee" * 16}"\n', "utf-8")
    path.chmod(0o600)
    assert main(["decode", str(network), "--json", "--keys", str(path)]) == 5
    assert {json.loads(line)["kind"] for line in capfd.readouterr().out.splitlines()} == {"undecoded"}


@pytest.mark.parametrize("text", ["networks = 3\n", '[networks]\n"1A2B" = 7\n', '[networks]\n"1A" = "00"\n'])
def test_a_bad_network_in_the_key_file_is_said(text: str, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    assert main(["decode", "nowhere", "--keys", str(path)]) in (5, 6)
    assert "network" in capfd.readouterr().err


def test_a_file_that_grows_is_followed(tmp_path: Path) -> None:
    whole = talks.btsnoop(list(talks.packets(mtu=247)))
    path = tmp_path / "live.btsnoop"
    path.write_bytes(whole[:3000])
    with subprocess.Popen([COMMAND, "decode", str(path), "--json", "--follow"], stdout=subprocess.PIPE) as running:
        assert running.stdout
        first = json.loads(running.stdout.readline())
        assert first["message"] == "connected"
        time.sleep(0.2)
        with path.open("ab") as file:
            file.write(whole[3000:])
        for line in running.stdout:
            if json.loads(line)["message"] == "disconnected":
                break
        else:
            pytest.fail("the end of the connection was not read")
        running.terminate()


def pcapng(interfaces: list[int], packets: list[tuple[int, bytes]]) -> bytes:
    """Several interfaces in one file, which dpkt's writer does not do by itself."""
    png = dpkt.pcapng
    file = bytes(png.SectionHeaderBlockLE())
    file += b"".join(bytes(png.InterfaceDescriptionBlockLE(linktype=link, snaplen=65535)) for link in interfaces)
    for number, (interface, data) in enumerate(packets):
        ticks = (talks.START * 100 + number) * 10_000
        block = png.EnhancedPacketBlockLE(
            iface_id=interface, ts_high=ticks >> 32, ts_low=ticks & 0xFFFFFFFF, caplen=len(data), pkt_len=len(data),
            pkt_data=data,
        )  # fmt: skip
        file += bytes(block)
    return file


def test_a_capture_of_mixed_links_is_read_where_it_can_be(tmp_path: Path, capfd: Captured) -> None:
    rows = [(0, struct.pack(">I", way) + packet) for way, packet in talks.packets(mtu=77)]
    air = struct.pack("<I", 0x8E89BED6) + bytes([0x40, 9]) + bytes(6) + b"\x02\x01\x06" + bytes(3)
    mixed = [row for number, row in enumerate(rows) for row in ((1, air), (2, b"ethernet"), row)[2 * (number % 2) :]]
    path = tmp_path / "mixed.pcapng"
    path.write_bytes(pcapng([201, 251, 1], mixed))
    assert main(["decode", str(path), "--json"]) == 0
    shown = capfd.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert sum(line["kind"] == "vreg" for line in lines) > 60
    assert "link type 1 is not" in shown.err
    assert "at byte" in shown.err


def test_a_huge_capture_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.btsnoop"
    whole = talks.btsnoop(list(talks.packets(mtu=77, pushes=200)))
    with path.open("wb") as file:
        file.write(whole)
        for _ in range(600):
            file.write(whole[16:])
    assert path.stat().st_size > 4_000_000
    assert command_cost(str(COMMAND), "decode", "--json", str(path)).megabytes < 100


def shared_values(tmp_path: Path, *, bad: int = 0) -> Path:
    """A charger that shares a set-point, a state and its version of the algorithm, then `bad` broken broadcasts."""
    values = {0x2001: "8b05", 0x2002: "de04", 0x200C: "03"}
    broadcasts = [seal(NETWORK, serial=SERIAL, sequence=1, overflow=7)]
    for number, (register, raw) in enumerate(values.items()):
        content = build_content(BroadcastContent((BroadcastValue(register, bytes.fromhex(raw)),)))
        broadcasts.append(seal(NETWORK, serial=SERIAL, sequence=2 + number, overflow=7, plaintext=content))
    payloads = [build_broadcast(one) for one in broadcasts]
    payloads += [payloads[-1][:6] + bytes([20 + number]) + payloads[-1][7:] for number in range(bad)]
    path = tmp_path / "shared.btsnoop"
    path.write_bytes(talks.btsnoop([report(payload) for payload in payloads]))
    return path


def test_what_a_member_shares_is_on_the_screen(tmp_path: Path, keys: Path, capfd: Captured) -> None:
    source = f"capture:{shared_values(tmp_path)}"
    assert main(["scan", source, "--keys", str(keys)]) == 0
    (line,) = capfd.readouterr().out.splitlines()[1:2]
    assert "14.19 V  12.46 V" in line
    assert main(["watch", source, "--keys", str(keys)]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == [
        "Link charge voltage setpoint 14.19 V", "Link battery voltage sense 12.46 V", "Link device state Bulk",
    ]  # fmt: skip


def test_a_broken_broadcast_does_not_outweigh_the_good_ones(tmp_path: Path, keys: Path, capfd: Captured) -> None:
    assert main(["scan", f"capture:{shared_values(tmp_path, bad=1)}", "--keys", str(keys)]) == 0
    shown = capfd.readouterr().out
    assert "wrong key" not in shown
    assert "14.19 V" in shown
    assert main(["scan", f"capture:{shared_values(tmp_path, bad=5)}", "--keys", str(keys)]) == 0
    assert "wrong key for its VE.Smart network" in capfd.readouterr().out
