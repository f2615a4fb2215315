"""What real devices were seen to do, seen of the emulated ones by a client that shares no code with them.

Sources: protocol page victronconnect-gatt and its amendments; the capture of a SmartShunt of January 2021 (t = 755.65
to 755.92 seconds into it).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
from bluewatt.services.emulator import FAMILIES
from tests import central
from tests.central import GET, GET_ALTERNATE, SET_ALTERNATE, Answer, Central, Refusal, Value, get, put, records

CHARGERS = ("orion", "ip22")
CAPTURED_QUESTION = bytes.fromhex(
    "05008119010905008119010a05008119ec0f05008119ec0e05008119010c050081189005008119ec3f05008119ec12"
)
"""Eight reads in one message, as the captured client sent them."""
KEEP_ALIVE_AND_KEY = bytes.fromhex("060082189342102705008219ec6619ec6503010303")
"""What VictronConnect says in one message after it subscribed to instance 0."""


def test_the_client_shares_no_code_with_what_it_tests() -> None:
    tree = ast.parse(Path(central.__file__).read_text(encoding="utf-8"))
    plain = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {"zlib", "bumble.device"} <= plain | named
    assert not [name for name in plain | named if name.startswith(("bluewatt", "cbor2", "bench"))]


def only(running: Emulator) -> str:
    return running.running[0].device.address


def whole(messages: list[bytes]) -> list[list[central.Record]]:
    return [records(message) for message in messages]


# messages


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_eight_reads_of_one_message_are_answered_in_eight_messages(
    radio, adapter, talk, emulator, generation: str
) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family="smartshunt", generation=generation)) as running,
        talk(adapter, only(running), keep_alive=False, instance=None) as session,
    ):
        answers = whole(await session.answers(CAPTURED_QUESTION, count=8))
        asked = [0x0109, 0x010A, 0xEC0F, 0xEC0E, 0x010C, 0x0090, 0xEC3F, 0xEC12]
        assert [[record.register for record in answer] for answer in answers] == [[number] for number in asked]
        codes = {one.register: one.code for (one,) in answers if isinstance(one, Refusal)}
        refused = {0xEC0F, 0xEC0E} | ({0x010A, 0x010C, 0x0090} if generation == "old" else set())
        assert refused <= codes.keys()
        assert set(codes.values()) == {1}
        assert session.controls.count(b"\xf9\x01") == 2, "one for the first grant, one for the message"


@pytest.mark.parametrize("key", ["smartshunt", "mppt", "bmv712", "phoenix"])
async def test_what_the_app_says_in_one_message(radio, adapter, talk, emulator, key: str) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family=key)) as running,
        talk(adapter, only(running), keep_alive=False, instance=0) as session,
    ):
        device = running.running[0].device
        keep_alive, secret, one, three = whole(await session.answers(KEEP_ALIVE_AND_KEY, count=4))
        assert keep_alive == [Value(0, 0x93, b"\x10\x27")]
        mac = bytes.fromhex(device.address.replace(":", ""))
        assert secret == [Value(0, 0xEC66, mac), Value(0, 0xEC65, bytes(device.key))]
        assert one == three == [Answer(0, 0x03, 0)]


@pytest.mark.parametrize("key", FAMILIES)
@pytest.mark.parametrize("indefinite", [False, True])
async def test_both_array_dialects_are_understood(radio, adapter, talk, emulator, key: str, indefinite: bool) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family=key)) as running,
        talk(adapter, only(running), keep_alive=False, instance=None) as session,
    ):
        digits = FAMILIES[key].firmware.replace(".", "").rjust(4, "0")
        version = b"\0\xff" + bytes.fromhex(digits)[::-1]
        asked = get(0, 0x0102, 0x7777, indefinite=indefinite)
        (answer,) = whole(await session.answers(asked, count=1))
        assert answer == [Value(0, 0x0102, version), Refusal(0, 0x7777, 1)]
        (answer,) = whole(await session.answers(put(0, 0x010C, b"Bow", indefinite=indefinite), count=1))
        assert answer == [Value(0, 0x010C, b"Bow")]


@pytest.mark.parametrize("key", FAMILIES)
async def test_the_alternate_opcodes_are_for_chargers(radio, adapter, talk, emulator, key: str) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family=key)) as running,
        talk(adapter, only(running), keep_alive=False, instance=None) as session,
    ):
        mac = bytes.fromhex(only(running).replace(":", ""))
        for indefinite in (False, True):
            asked = get(0, 0xEC66, indefinite=indefinite, opcode=GET_ALTERNATE)
            written = put(0, 0x010C, b"Bow", indefinite=indefinite, opcode=SET_ALTERNATE)
            if key in CHARGERS:
                assert whole(await session.answers(asked, count=1)) == [[Value(0, 0xEC66, mac)]]
                assert whole(await session.answers(written, count=1)) == [[Value(0, 0x010C, b"Bow")]]
            else:
                session.controls.clear()
                await session.say(asked)
                await session.until(lambda: b"\xf7\x03\x00" in session.controls)
                assert running.running[0].device.name != "Bow"


# the key


@pytest.mark.parametrize("key", CHARGERS)
@pytest.mark.parametrize(("opcode", "said"), [(GET, "0719ec650502"), (GET_ALTERNATE, "0719ec652502")])
@pytest.mark.parametrize("indefinite", [False, True])
async def test_the_key_is_withheld_until_puk_and_pin_were_answered(
    radio, adapter, talk, emulator, key: str, opcode: int, said: str, indefinite: bool
) -> None:
    asked = get(0, 0xEC65, indefinite=indefinite, opcode=opcode)
    async with (
        emulator(radio, EmulatedDeviceConfig(family=key, key_behind_puk=True)) as running,
        talk(adapter, only(running), keep_alive=False, instance=None) as session,
    ):
        secret = bytes(running.running[0].device.key)
        assert await session.answers(asked, count=1) == [bytes.fromhex(said)]
        assert await session.unlock("000000") == (b"\0", b"\0")
        assert whole(await session.answers(asked, count=1)) == [[Value(0, 0xEC65, secret)]]


# history


async def test_a_charger_holds_one_record_more_than_it_says(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="mppt")) as running, talk(adapter, only(running)) as session:
        total, *days = await session.get(3, 0x104F, *range(0x1050, 0x1070))
        assert isinstance(total, bytes)
        assert (len(total), total[18]) == (34, 30)
        held, beyond = days[:31], days[31]
        assert all(isinstance(day, bytes) and len(day) == 34 and day[0] == 0 for day in held)
        assert len(held) == total[18] + 1
        assert beyond in (1, 2)


# registers


async def registers(session: Central, instance: int, wanted: dict[int, int]) -> dict[int, bytes]:
    """Registers of known length, all of which must be answered."""
    found = dict(zip(wanted, await session.get(instance, *wanted), strict=True))
    assert {number: isinstance(content, bytes) and len(content) for number, content in found.items()} == wanted
    return {number: content for number, content in found.items() if isinstance(content, bytes)}


@pytest.mark.parametrize("key", ["smartshunt", "bmv712", "mppt"])
async def test_instance_one_has_no_product(radio, adapter, talk, emulator, key: str) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family=key)) as running,
        talk(adapter, only(running), instance=1) as session,
    ):
        assert await session.devices() == ((0, 0), (1, 0), (3, 1))
        assert await session.get(1, 0x0100, 0xED8D) == [bytes.fromhex("0000fefe"), 1]


async def test_what_a_real_solar_charger_answers(radio, adapter, talk, emulator) -> None:
    async with emulator(radio, EmulatedDeviceConfig(family="mppt")) as running, talk(adapter, only(running)) as session:
        sizes = {0xEDEC: 2, 0x2211: 2, 0x2212: 2, 0xEDAC: 1, 0xEC5A: 4, 0x0202: 4, 0x0200: 1}
        found = await registers(session, 3, sizes)
        assert found[0xEDEC] == b"\xff\xff", "no sensor"
        assert (found[0x2211], found[0x2212]) == ((800).to_bytes(2, "little"), (1740).to_bytes(2, "little"))
        assert await session.set(3, 0x0200, b"\x04") == b"\x04"
        heard = len(session.heard)
        await session.until(lambda: Value(3, 0x0200, b"\x04") in pushed(session, heard))
        await session.until(lambda: any(one[1] == 0xEC5A for one in pushed(session, heard)))


def pushed(session: Central, since: int) -> list[central.Record]:
    """What the device told unasked; each in a message of its own."""
    messages = whole(session.heard[since:])
    assert all(len(message) == 1 for message in messages)
    return [message[0] for message in messages]


async def test_an_orion_tells_its_uptime_each_second(radio, adapter, talk, emulator) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family="orion")) as running,
        talk(adapter, only(running), instance=0) as session,
    ):
        await registers(session, 0, {0x0140: 4, 0x0120: 4})
        heard = len(session.heard)

        def uptimes() -> list[int]:
            told = [one for one in pushed(session, heard) if isinstance(one, Value) and one.register == 0x0120]
            return [int.from_bytes(one.content, "little") for one in told]

        await session.until(lambda: len(uptimes()) >= 3)
        assert uptimes() == sorted(set(uptimes()))


async def test_what_a_real_ip22_answers_and_refuses(radio, adapter, talk, emulator) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family="ip22")) as running,
        talk(adapter, only(running), instance=0) as session,
    ):
        found = await registers(
            session, 0,
            {0x0100: 4, 0x0102: 4, 0x0140: 4, 0x0201: 1, 0x0207: 4, 0xEDF0: 2, 0xEDF1: 1, 0xEDF6: 2, 0xEDF7: 2,
             0xEDFC: 2, 0xEDFE: 1},
        )  # fmt: skip
        assert found[0x0102] == bytes.fromhex("00ff6503")
        assert found[0x0140] == (0x40C100FC).to_bytes(4, "little")
        assert all(isinstance(one, bytes) and one for one in await session.get(0, 0x010A, 0x010B, 0x010C))
        assert await session.get(0, 0x0200, 0x0202) == [1, 1]
        for number, content in ((0x0200, b"\x01"), (0x0202, bytes(4))):
            assert await session.set(0, number, content) == 1
        for number in (0x0201, 0x0207, 0xEDFE):
            assert await session.set(0, number, found[number]) == 3
        for tenths, held in ((30, 75), (75, 75), (120, 120)):
            content = held.to_bytes(2, "little")
            assert await session.set(0, 0xEDF0, tenths.to_bytes(2, "little")) == content
            assert await session.get(0, 0xEDF0) == [content]


# low current mode

CURRENT, MODE, TIME_LEFT = 0xEDD7, 0xE001, 0xE002
QUARTER = 75
"""Tenths of an ampere: a quarter of what the model can."""


async def test_the_low_current_mode_of_an_ip22_lowers_its_current(radio, adapter, talk, emulator) -> None:
    async with (
        emulator(radio, EmulatedDeviceConfig(family="ip22")) as running,
        talk(adapter, only(running), instance=0) as session,
    ):

        def current() -> int:
            content = session.values.get((0, CURRENT), b"")
            return int.from_bytes(content, "little") if isinstance(content, bytes) else 0

        assert await session.get(0, MODE) == [b"\0"]
        await session.until(lambda: current() > 2 * QUARTER)
        for mode, left in ((b"\x01", 0), (b"\x02", 8 * 3600)):
            assert await session.set(0, MODE, mode) == mode
            assert await session.get(0, MODE) == [mode]
            (seconds,) = await session.get(0, TIME_LEFT)
            assert isinstance(seconds, bytes)
            assert max(left - 3600, 0) <= int.from_bytes(seconds, "little") <= left
            await session.until(lambda: 0 < current() <= QUARTER)
            assert await session.set(0, MODE, b"\0") == b"\0"
            await session.until(lambda: current() > 2 * QUARTER)
        assert await session.set(0, MODE, b"\x03") == 2
        assert await session.set(0, MODE, b"\x01\x00") == 2
