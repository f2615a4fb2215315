"""Connections in text logs: every form tells the talk that a capture of it tells, whole and damaged."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench import text_talk
from bluewatt.cli import main

Captured = pytest.CaptureFixture[str]
Object = dict[str, Any]

TEXTS = Path(__file__).with_name("texts")
"""What btmon, hcidump and tshark print of `text_talk`; the others written after what those tools and apps print."""
WHOLE = sorted(path.name for path in TEXTS.iterdir() if ".damaged." not in path.name)
DAMAGED = sorted(path.name for path in TEXTS.iterdir() if ".damaged." in path.name)
ONE_SIDED = {"list.txt": "client"}
"""Forms that hold what one side says only."""

DATED = {
    "nrf_connect.txt", "nrf_logger.txt", "bleak_debug.txt", "program_handles.txt", "btmon.txt", "hcidump.txt",
    "hcidump_raw.txt", "tshark.json", "tshark_fields.txt", "tshark_fields_bare.txt",
}  # fmt: skip
"""Forms that tell day and time."""

LOST = ("serial_number", "state_of_charge")
"""The two values whose lines are damaged: a digit got lost in one, the file was cut in the other."""


def told(path: Path, capfd: Captured, *options: str) -> tuple[list[Object], str]:
    """What `decode --json` tells of a file, and what it says beside."""
    assert main(["decode", "--json", str(path), *options]) == 0
    shown = capfd.readouterr()
    return [json.loads(line) for line in shown.out.splitlines()], shown.err


def said(lines: list[Object]) -> list[Object]:
    """The messages, without what differs by form: when, in which file, the number of a line."""
    other = {"at", "source", "number", "connection", "device"}
    return [
        {name: value for name, value in line.items() if name not in other}
        for line in lines
        if line["kind"] in ("vreg", "control")
    ]


@pytest.fixture
def measure(tmp_path: Path, capfd: Captured) -> list[Object]:
    """The talk as it is told of a capture."""
    path = tmp_path / "talk.btsnoop"
    path.write_bytes(text_talk.capture())
    return told(path, capfd)[0]


def test_the_measure_tells_what_was_captured(measure: list[Object]) -> None:
    values = {line["key"]: line["value"] for line in measure if line.get("message") == "value"}
    assert (values["battery_voltage"], values["state_of_charge"]) == (13.27, 85.56)
    assert not [line for line in measure if line["kind"] == "undecoded"]
    assert len(said(measure)) == 22


@pytest.mark.parametrize("name", WHOLE)
def test_a_text_tells_the_talk_that_its_capture_tells(name: str, measure: list[Object], capfd: Captured) -> None:
    lines, err = told(TEXTS / name, capfd)
    side = ONE_SIDED.get(name)
    expected = [line for line in said(measure) if side in (None, line["direction"])]
    assert said(lines) == expected
    assert "damaged" not in err
    assert not [line for line in lines if line["kind"] == "undecoded"]


@pytest.mark.parametrize("name", sorted(DATED))
def test_the_times_of_a_text_are_those_of_its_lines(name: str, measure: list[Object], capfd: Captured) -> None:
    lines, _ = told(TEXTS / name, capfd)
    when = [line["at"] for line in lines if line["kind"] in ("vreg", "control")]
    expected = [line["at"] for line in measure if line["kind"] in ("vreg", "control")]
    whole_seconds = name == "program_handles.txt"
    assert when == ([f"{at[:19]}.000Z" for at in expected] if whole_seconds else expected)


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"list.txt", "program_handles.txt", "tshark_fields_bare.txt"}))
def test_a_text_that_names_the_device_gives_its_address(name: str, capfd: Captured) -> None:
    lines, _ = told(TEXTS / name, capfd)
    known = {line["device"]["address"] for line in lines}
    assert known == ({"unknown"} if name == "nrf_connect_ios.txt" else {text_talk.ADDRESS})


@pytest.mark.parametrize("name", WHOLE)
def test_what_was_guessed_is_said(name: str, capfd: Captured) -> None:
    _, err = told(TEXTS / name, capfd)
    guessed = [line for line in err.splitlines() if "guessed" in line]
    assert ("the time" in err or "the day" in err) is (name not in SURE_OF_TIME)
    assert ("the layouts known" in err) is (name in NAMELESS)
    assert len(guessed) <= 1


SURE_OF_TIME = {"program_handles.txt", "tshark.json", "tshark_fields.txt", "tshark_fields_bare.txt"}
NAMELESS = {
    "btmon.txt", "hcidump.txt", "list.txt", "program_handles.txt", "tshark.json", "tshark_fields.txt",
    "tshark_fields_bare.txt",
} - {"btmon.txt", "hcidump.txt"}  # fmt: skip
"""Texts in which nothing says which characteristic a handle is, and whose form says handles one by one."""


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_costs_what_is_damaged_and_is_told(name: str, measure: list[Object], capfd: Captured) -> None:
    lines, err = told(TEXTS / name, capfd)
    if name == "list.damaged.txt":
        assert len(said(lines)) == 7
        assert "at byte" in err
        return
    expected = [line for line in said(measure) if line.get("key") not in LOST]
    assert [line for line in said(lines) if line.get("key") not in LOST] == expected
    assert len(said(lines)) == len(expected)
    undecoded = [line for line in lines if line["kind"] == "undecoded"]
    assert "2 damaged places were skipped" in err or len(undecoded) == 2


@pytest.mark.parametrize("name", WHOLE)
def test_a_text_made_safe_to_share_tells_the_same_under_another_address(
    name: str, tmp_path: Path, measure: list[Object], capfd: Captured
) -> None:
    shared = tmp_path / "shared.btsnoop"
    assert main(["decode", str(TEXTS / name), "--redact", str(shared)]) == 0
    capfd.readouterr()
    lines, _ = told(shared, capfd)
    personal = ("unique_id", "network_in_range_list_1")
    side = ONE_SIDED.get(name)
    expected = [line for line in said(measure) if line.get("key") not in personal and side in (None, line["direction"])]
    assert [line for line in said(lines) if line.get("key") not in personal] == expected
    raw = bytes.fromhex(text_talk.ADDRESS.replace(":", ""))[::-1]
    assert raw not in shared.read_bytes()


def test_a_message_of_a_text_is_explained_with_its_place(capfd: Captured) -> None:
    path = TEXTS / "nrf_connect.txt"
    lines, _ = told(path, capfd)
    number = next(line["number"] for line in lines if line.get("key") == "battery_voltage")
    assert main(["decode", str(path), "--explain", str(number)]) == 0
    out = capfd.readouterr().out
    assert "battery_voltage: 13.27 V" in out
    place = int(out.split("at byte ")[1].split()[0])
    assert path.read_bytes()[place:].split(b"\n")[0].endswith(b"08-03-19-ED-8D-42-2F-05")


def test_a_text_has_a_report_and_a_table(tmp_path: Path, capfd: Captured) -> None:
    report = tmp_path / "report.html"
    assert main(["decode", str(TEXTS / "gatttool.txt"), "--report", str(report)]) == 0
    assert "13.27" in report.read_text("utf-8")
    capfd.readouterr()
    assert main(["decode", str(TEXTS / "bluetoothctl.txt")]) == 0
    assert f"Connection 1 · {text_talk.ADDRESS}" in capfd.readouterr().out


def test_two_texts_differ_as_captures_do(tmp_path: Path, capfd: Captured) -> None:
    other = tmp_path / "later.txt"
    other.write_text((TEXTS / "nrf_connect.txt").read_text("utf-8").replace("2F-05", "30-05"), "utf-8")
    assert main(["diff", str(TEXTS / "nrf_connect.txt"), str(other), "--all", "--json"]) == 0
    rows = {line["key"]: line for line in map(json.loads, capfd.readouterr().out.splitlines())}
    assert (rows["battery_voltage"]["before"]["value"], rows["battery_voltage"]["after"]["value"]) == (13.27, 13.28)


@pytest.mark.parametrize("name", WHOLE)
def test_no_damage_ends_in_more_than_an_error_in_one_line(name: str, tmp_path: Path, capfd: Captured) -> None:
    whole, rng = (TEXTS / name).read_bytes(), random.Random(name)
    path = tmp_path / name
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 60)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = bytes(
                rng.choice(b"0123456789abcdef :-[](){}<>'\"\\\n\tx") for _ in range(2)
            )
        path.write_bytes(data[: rng.randrange(200, len(data))])
        assert main(["decode", str(path)]) in (0, 7)
        assert "unexpected" not in capfd.readouterr().err


BARE = """\
the start sequence of a script, chunk by chunk
060082189342
102703010303
05008119010905008119010a05008119ec0f0500
8119ec0e05008119010c
"""


def test_a_script_of_chunks_is_no_unknown_device(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "script.txt"
    path.write_text(BARE, "utf-8")
    lines, err = told(path, capfd)
    assert [line["message"] for line in lines] == ["set_values", "subscribe", "subscribe", *["get_values"] * 5]
    assert not [line for line in lines if line["kind"] in ("undecoded", "reading")]
    assert "guessed" in err


def test_without_a_list_of_attributes_the_layouts_known_are_used(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "short.txt"
    path.write_text(
        "[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0023 Value:\n"
        "  08 03 19 ed 8d 42 2f 05                          .....B/.\n", "utf-8",
    )  # fmt: skip
    lines, err = told(path, capfd)
    assert [line["value"] for line in lines if line.get("key") == "battery_voltage"] == [13.27]
    assert "by the layouts known" in err


def test_after_select_attribute_the_prompt_tells_the_handle(tmp_path: Path, capfd: Captured) -> None:
    """Handles of no known layout."""
    path = tmp_path / "select.txt"
    path.write_text(
        "[SmartSolar]# select-attribute 306b0003-b081-4037-83dc-e59fcc3cdfd0\n"
        "[SmartSolar:/service0050/char0052]# read\n"
        "Attempting to read /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service0050/char0052\n"
        "[SmartSolar:/service0050/char0052]# notify on\n"
        "[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service0050/char0052 Value:\n"
        "  08 03 19 ed 8d 42 2f 05                          .....B/.\n", "utf-8",
    )  # fmt: skip
    lines, _ = told(path, capfd)
    assert [line["value"] for line in lines if line.get("key") == "battery_voltage"] == [13.27]


OLD = """\
Attempting to read /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0020
[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0020 Value: 0x00
[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0020 Value: 0x04
[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0020 Value: 0x00
[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0020 Value: 0x01
[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0020 Value: 0xde
  00 04 00 01 de                                   .....
[CHG] Attribute /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0023 Value:
  08 00 19 ec 31 58 21 01 af 77 d6 97 89 a3 00 04  ....1X!..w......
  04 00 00 7f ff ff ff ff 4e c5 82 99 56 a0 00 54  ........N...V..T
  01 00 00 d6 ff ff ff ff                          ........
[CHG] Device FD:D4:50:0F:6C:1B ManufacturerData Key: 0x02e1
[CHG] Device FD:D4:50:0F:6C:1B ManufacturerData Value:
  01 bc 18 98 a5 98 b9 f9 01 04 00 00 f8 84 fa 25  ...............%
Connection successful
[SmartShunt:/service001f/char0023]# write "03 010"
Attempting to write /org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0023
"""
"""A byte a line, as old versions of BlueZ print; of the data service one characteristic alone can be read."""


def test_an_old_bluetoothctl_prints_a_byte_a_line_and_takes_octal_numbers(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "old.txt"
    path.write_text(OLD, "utf-8")
    lines, _ = told(path, capfd)
    assert [line.get("message", line.get("reason")) for line in lines] == [
        "connected", "header", "value", "VeSmart", "subscribe",
    ]  # fmt: skip
    assert (lines[1]["max_message"], lines[2]["register"], lines[4]["instance"]) == (222, "0xEC31", 8)


def test_a_value_that_was_asked_for_is_printed_twice_and_told_once(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "read.txt"
    attribute = "/org/bluez/hci0/dev_FD_D4_50_0F_6C_1B/service001f/char0020"
    dump = "  00 04 00 01 de 4a 00                             .....J.\n"
    path.write_text(
        f"{attribute}\n\t306b0002-b081-4037-83dc-e59fcc3cdfd0\n"
        f"Attempting to read {attribute}\n[CHG] Attribute {attribute} Value:\n{dump}{dump}", "utf-8",
    )  # fmt: skip
    lines, _ = told(path, capfd)
    assert [line["message"] for line in lines if line["kind"] == "control"] == ["header"]


def test_other_devices_and_other_words_are_no_connection(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "other.txt"
    path.write_text(
        "2026-11-25 11:22:33 Notification received from a lawyer, value: much\n"
        "6e400003-b5a3-f393-e0a9-e50e24dcca9e: bytearray(b'\\x08\\x03\\x19')\n", "utf-8",
    )  # fmt: skip
    assert main(["decode", str(path)]) == 7
    assert "neither a capture nor text" in capfd.readouterr().err


def test_advertisements_and_connections_of_one_text_are_told_in_their_order(tmp_path: Path, capfd: Captured) -> None:
    path, who = tmp_path / "both.txt", f"[{text_talk.ADDRESS}]"
    path.write_text(
        f"2026-11-25 11:22:30 {who} advertises: e1021002 89a3\n"
        f"2026-11-25 11:22:33 {who} 306b0003-b081-4037-83dc-e59fcc3cdfd0 received 080319eeff447bfeffff\n", "utf-8",
    )  # fmt: skip
    lines, _ = told(path, capfd)
    assert [line["kind"] for line in lines] == ["undecoded", "link", "vreg"]
    assert lines[0]["at"] == "2026-11-25T11:22:30.000Z"
    # The product that the advertisement named tells what the register is.
    assert (lines[2]["key"], lines[2]["value"]) == ("consumed_charge", -38.9)


ABRIDGED = {
    "nRF Connect": "I 11:22:33.123 Notification received from 306b0003-…, value: (0x) 08-03-19-ED-8D-42-2F-05\n",
    "bluetoothctl": "[CHG] Attribute …/char0023 Value:\n  08 03 19 ed 8d 42 2f 05                          .....B/.\n",
    "gatttool": "Notification handle = 0x0024 value: 08 03 19 ed 8d 42 2f 05\n",
    "a short UUID": "char 306b0003-b081-4037-83dc-e59fcc3cdfd0 value updated: 080319ed8d422f05\n",
    "tshark, no time": "0x1b\t0x0024\t08:03:19:ed:8d:42:2f:05\n",
    "tshark, commas": "frame.time_relative,btatt.opcode,btatt.handle,btatt.value\n1.5,0x1b,0x0024,080319ed8d422f05\n",
    "a byte order mark": "\ufeffNotification handle = 0x0024 value: 08 03 19 ed 8d 42 2f 05\r\n",
    "marks of the line editor": "\x01\x1b[0;94m\x02[X]\x01\x1b[0m\x02# \rNotification handle = 0x0024 value: "
    "08 03 19 ed 8d 42 2f 05\n",
    "old bleak": "INFO Received 35 (handle 0x24): bytearray(b'\\x08\\x03\\x19\\xed\\x8dB/\\x05')\n",
    "btmon with names": "> ACL Data RX: Handle 64 flags 0x02 dlen 15      #7 [hci0] 1.755775\n"
    "      ATT: Handle Value Notification (0x1b) len 10\n"
    "        Handle: 0x0052 Type: Vendor specific (306b0003-b081-4037-83dc-e59fcc3cdfd0)\n"
    "          Data[8]: 080319ed8d422f05\n",
}


@pytest.mark.parametrize("text", ABRIDGED.values(), ids=ABRIDGED)
def test_other_spellings_and_what_people_leave_out(text: str, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "some.txt"
    path.write_text(text, "utf-8", newline="")
    lines, _ = told(path, capfd)
    assert [line["value"] for line in lines if line.get("key") == "battery_voltage"] == [13.27]


WRITES = [
    '("0024", "0300"),',
    "['0024', '0300']",
    '(0x24, "0300")',
    "(0x0024, b'\\x03\\x00')",
    '(0x24, bytes.fromhex("03 00"))',
    'DATA: str = "306b0003-b081-4037-83dc-e59fcc3cdfd0"\nqueue = [(DATA, "0300")]',
]


@pytest.mark.parametrize("text", WRITES)
def test_lists_of_programs(text: str, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "script.py"
    path.write_text(f"{text}\n", "utf-8")
    lines, _ = told(path, capfd)
    assert [(line["message"], line["instance"]) for line in said(lines)] == [("subscribe", 0)]


def test_numbers_in_some_text_are_no_messages(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("chapters\n01\n02\n0303\nend\n", "utf-8")
    assert main(["decode", str(path)]) == 7
    assert "neither a capture nor text" in capfd.readouterr().err


FIELDS = [
    "frame.time_epoch",
    "bthci_acl.src.bd_addr",
    "bthci_acl.dst.bd_addr",
    "btatt.opcode",
    "btatt.handle",
    "btatt.value",
]
TOOLS = {
    "tshark -T json": "tshark -r {} -T json -j 'frame bthci_acl btatt'",
    "tshark -T fields": "tshark -r {} -Y btatt -T fields " + " ".join(f"-e {field}" for field in FIELDS),
    "btmon": "btmon -T -r {}",
    "hcidump -X": "hcidump -X -t -r {}",
    "hcidump -R": "hcidump -R -t -r {}",
}


@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS)
def test_what_the_tools_print_of_the_real_capture_says_what_it_says(
    command: str, shared: Path, tmp_path: Path, capfd: Captured
) -> None:
    tool = command.split()[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed (Debian: tshark, bluez, bluez-hcidump)")
    [capture] = (shared / "captures").glob("*.btsnoop")
    text = tmp_path / "real.txt"
    with text.open("wb") as out:
        subprocess.run(command.format(capture), shell=True, stdout=out, stderr=subprocess.DEVNULL, check=True)
    lines, _ = told(text, capfd)
    real, _ = told(capture, capfd)
    assert len(said(real)) > 1500
    assert raw(lines) == raw(real)


def raw(lines: list[Object]) -> list[tuple[object, ...]]:
    """The messages by their bytes: what a register is called depends on an advertisement that names the product."""
    names = ("direction", "message", "instance", "register", "raw", "registers", "code", "messages", "request")
    return [tuple(str(line.get(name)) for name in names) for line in said(lines)]
