"""The grammar's corners: dialects, unknown opcodes, odd lengths, what cannot be written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluewatt.errors import Malformed, Unencodable
from bluewatt.tables.gatt import Opcode
from bluewatt.wire.victronconnect import cbor, control, device_information
from bluewatt.wire.victronconnect.grammar import build_message, parse_messages
from bluewatt.wire.victronconnect.messages import (
    LAYOUTS,
    DeviceList,
    GetDevices,
    GetPathList,
    GetPathValues,
    GetValues,
    GetValuesAlternate,
    KnownMessage,
    Message,
    NewPath,
    PathList,
    PathValue,
    PathValueResponse,
    Response,
    SetPathValues,
    SetValues,
    SetValuesAlternate,
    Subscribe,
    Unknown,
    Unsubscribe,
    ValueMessage,
    ValueResponse,
    message,
    message_classes,
)
from bluewatt.wire.victronconnect.parameters import NUMBERS, TEXT, UINT

BOTH_WAYS = {
    "01": GetDevices(),
    "09031902ff01": ValueResponse(3, 0x02FF, 1),
    "0404": Unsubscribe(4),
    "0300": Subscribe(0),
    "03009f19eddbff": Subscribe(0, (0xEDDB,), indefinite=True),
    "030080": Subscribe(0, ()),
    "05009f19ec6619ec65ff": GetValues(0, (0xEC66, 0xEC65), indefinite=True),
    "0500811818": GetValues(0, (0x18,)),
    "06039f1902004102ff": SetValues(3, ((0x0200, b"\x02"),), indefinite=True),
    "02820301": DeviceList(((3, 1),), indefinite=False),
    "0719ec650502": Response(0xEC65, 5, 2),
    "080319104f5818" + "aa" * 24: ValueMessage(3, 0x104F, b"\xaa" * 24),
    "080319010040": ValueMessage(3, 0x0100, b""),
    "0a03": GetPathList(3),
    "0b03820102": GetPathValues(3, (1, 2)),
    "0c0384012002f6": SetPathValues(3, ((1, b"\x20"), (2, b"\xf6"))),
    "0d0343010203": PathList(3, b"\x01\x02\x03"),
    "0e030163412f42": NewPath(3, 1, "A/B"),
    "0f0301f93c00": PathValue(3, 1, bytes.fromhex("f93c00")),
    "10030102": PathValueResponse(3, 1, 2),
    "25009f19ec65ff": GetValuesAlternate(0, (0xEC65,), indefinite=True),
    "250381190200": GetValuesAlternate(3, (0x0200,)),
    "2600821893421027": SetValuesAlternate(0, ((0x93, b"\x10\x27"),)),
    "0719ec652502": Response(0xEC65, -6, 2),
    "2703": Unknown(-8, bytes.fromhex("2703")),
    "18194101": Unknown(0x19, bytes.fromhex("18194101")),
}


@pytest.mark.parametrize(("raw", "message"), BOTH_WAYS.items())
def test_reads_and_builds_back(raw: str, message: Message) -> None:
    assert parse_messages(bytes.fromhex(raw)) == [message]
    assert build_message(message).hex() == raw


def test_several_messages_in_a_row() -> None:
    found = parse_messages(bytes.fromhex("060082189342102703010303"))
    assert found == [SetValues(0, ((0x93, b"\x10\x27"),)), Subscribe(1), Subscribe(3)]
    assert [message.opcode for message in found] == [6, 3, 3]


@pytest.mark.parametrize(
    "raw",
    [
        "080319ed8d422f05".replace("0803", "081803"),
        "08031a0000ed8d422f05",
        "08031b000000000000ed8d422f05",
        "080319ed8d58022f05",
        "080319ed8d5900022f05",
        "18080319ed8d422f05",
    ],
)
def test_longer_forms_are_accepted_and_built_shortest(raw: str) -> None:
    (message,) = parse_messages(bytes.fromhex(raw))
    assert message == ValueMessage(3, 0xED8D, b"\x2f\x05")
    assert build_message(message).hex() == "080319ed8d422f05"


@pytest.mark.parametrize(
    ("raw", "good"),
    [
        ("080319ed8d422f", 0),
        ("080319ed", 0),
        ("08", 0),
        ("0500821901", 0),
        ("050082190102", 0),  # two announced, one sent
        ("05009f190102", 0),  # no break
        ("05009bffffffffffffffff", 0),
        ("060081190200", 0),  # a register without its content
        ("0600821902001902", 0),
        ("028103", 0),  # an instance without its kind
        ("4101", 0),  # no opcode at all
        ("ff", 0),
        ("2541", 0),  # unknown, and what follows does not stand whole
        ("08035f41014102ff00", 0),
        ("03030803", 1),
        ("030103030803f6", 2),
        ("0e030162c328", 0),  # not UTF-8
        ("0f0301" + "81" * 40, 0),  # nested too deep
        ("0f0301" + "9f" * 40, 0),
        ("0f03011f", 0),
    ],
)
def test_damage_is_malformed_and_the_good_prefix_is_kept(raw: str, good: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_messages(bytes.fromhex(raw))
    assert len(caught.value.good) == good


@pytest.mark.parametrize(
    "message",
    [
        ValueMessage(-1, 0xED8D, b""),
        ValueMessage(3, 1 << 64, b""),
        ValueMessage(3, 0xED8D, "text"),  # type: ignore[arg-type]
        GetValues("3", (1,)),  # type: ignore[arg-type]
        SetValues(3, ((1, None),)),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_written_says_so(message: Message) -> None:
    with pytest.raises(Unencodable):
        build_message(message)


def test_a_path_value_means_something() -> None:
    assert PathValue(0, 0, bytes.fromhex("a1614102")).decoded() == {"A": 2}
    with pytest.raises(Malformed):
        PathValue(0, 0, b"\x61").decoded()
    with pytest.raises(Malformed):
        PathValue(0, 0, bytes.fromhex("d82361" + "28")).decoded()  # a tag whose decoder fails


def test_the_reader_needs_no_more_than_a_buffer() -> None:
    assert parse_messages(memoryview(b"\x01\x03\x03")) == parse_messages(bytearray(b"\x01\x03\x03"))  # type: ignore[arg-type]


def test_raw_items_of_every_kind_are_measured() -> None:
    for item in ("00", "3903e7", "43010203", "5f4101420203ff", "63616263", "820102", "9f018202038100ff", "a10102"):
        raw = bytes.fromhex(item)
        assert cbor.read_raw(raw + b"\x00", 0) == (raw, len(raw))
    for item in ("bf0102ff", "c100", "f4", "f93c00", "fb3ff199999999999a"):
        raw = bytes.fromhex(item)
        assert cbor.read_raw(raw + b"\x00", 0) == (raw, len(raw))


@pytest.mark.parametrize(
    ("raw", "frame"),
    [
        ("fa80ff", control.Limits(128, 255)),
        ("fa14", control.Limits(20)),
        ("f941", control.Grant(65)),
        ("f8", control.Drop()),
        ("f70300", control.Failure(3)),
        ("01", control.UnknownControl(b"\x01")),
        ("f9", control.UnknownControl(b"\xf9")),
        ("", control.UnknownControl(b"")),
    ],
)
def test_control_frames_both_ways(raw: str, frame: control.ControlFrame) -> None:
    assert control.parse_control(bytes.fromhex(raw)) == frame
    assert control.build_control(frame).hex() == raw


def test_a_failure_of_one_byte_is_read_too() -> None:
    assert control.parse_control(b"\xf7\x03") == control.Failure(3)


def test_control_frames_that_do_not_fit() -> None:
    for frame in (control.Grant(256), control.Limits(-1, 3), control.Failure(1 << 16)):
        with pytest.raises(Unencodable):
            control.build_control(frame)
    with pytest.raises(Unencodable):
        control.build_header(control.Header(slots=256))


def test_a_header_without_a_usable_chunk_size_means_twenty() -> None:
    assert control.parse_header(bytes.fromhex("00040001de")).chunk_size == 20
    assert control.parse_header(bytes.fromhex("00040001de0500")) == control.Header(0, 4, 1, 222, 20)
    with pytest.raises(Malformed, match="paired"):
        control.parse_header(b"")


def test_device_information_and_nonces_of_the_wrong_length() -> None:
    with pytest.raises(Malformed):
        device_information.parse_device_information(bytes(17))
    with pytest.raises(Malformed):
        device_information.puk_answer(bytes(7))
    with pytest.raises(Malformed):
        device_information.pin_answer(bytes(9), 0)
    with pytest.raises(Unencodable):
        device_information.pin_answer(bytes(8), 1_000_000)
    assert device_information.pin_answer(bytes(8), 123456).hex() == "000000000000000040e20100"


# ── the declaration of a message ─────────────────────────────────────────────


@pytest.fixture
def new_opcode() -> Iterator[Opcode]:
    """An opcode that no message has yet; forgotten after the test."""
    opcode = int.__new__(Opcode, 0x17)
    opcode._name_, opcode._value_ = "NEW", 0x17
    yield opcode
    LAYOUTS.pop(opcode, None)


def test_every_class_of_message_has_an_example() -> None:
    assert {type(example) for example in BOTH_WAYS.values()} == set(message_classes())


def test_a_declared_message_is_known_everywhere(new_opcode: Opcode) -> None:
    raw = bytes.fromhex("1703614181181c")
    assert parse_messages(raw) == [Unknown(0x17, raw)]

    @message(new_opcode, UINT, TEXT, array=NUMBERS)
    class Renamed(KnownMessage, frozen=True):
        instance: int
        name: str
        registers: tuple[int, ...]
        indefinite: bool = False

    renamed = Renamed(3, "A", (0x1C,))
    assert isinstance(renamed, Message)
    assert Renamed in message_classes()
    assert renamed.opcode == 0x17
    assert parse_messages(raw) == [renamed]
    assert build_message(renamed) == raw


def test_an_opcode_is_declared_once() -> None:
    with pytest.raises(TypeError, match="GetDevices and Again"):

        @message(Opcode.GET_DEVICES)
        class Again(KnownMessage, frozen=True):
            pass


def test_a_layout_has_as_many_parameters_as_its_class_has_fields(new_opcode: Opcode) -> None:
    with pytest.raises(TypeError, match="Short has 1 fields, its layout 2"):

        @message(new_opcode, UINT, UINT)
        class Short(KnownMessage, frozen=True):
            instance: int

    assert new_opcode not in LAYOUTS
