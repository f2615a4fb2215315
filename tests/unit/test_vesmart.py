"""VE.Smart networking: malformed bytes, keys, the counters of a listener, the counters of a sender."""

from __future__ import annotations

import math

import pytest

from bluewatt.errors import KeyMismatch, KeyMissing, KeyProblem, Malformed, Unencodable, UnknownType
from bluewatt.tables.vesmart import OVERFLOW_PERIOD, RESTART_SKIP
from bluewatt.wire.instant_readout.advertisement import is_vesmart
from bluewatt.wire.vesmart.broadcast import (
    BroadcastContent,
    BroadcastValue,
    Network,
    build_broadcast,
    build_content,
    parse_broadcast,
    parse_content,
    seal,
    serial_number,
    serial_text,
    unseal,
)
from bluewatt.wire.vesmart.network import (
    MOST_WAITING,
    REMEMBERED_COUNTERS,
    ContentHeard,
    NetworkReceiver,
    NetworkSender,
    OverflowHeard,
)

KEY = bytes(range(16, 32))
HOME = Network.of("a55a", KEY, "home")
SERIAL = serial_number("HQ2104MAEI4")
VOLTAGE = BroadcastValue(0x2002, (1253).to_bytes(2, "little"))
CONTENT = BroadcastContent((VOLTAGE,))


def overflow(*, sequence: int, high: int, network: Network = HOME, serial: int = SERIAL) -> bytes:
    return build_broadcast(seal(network, serial=serial, sequence=sequence, overflow=high))


def data(*, sequence: int, high: int, network: Network = HOME, serial: int = SERIAL) -> bytes:
    plaintext = build_content(CONTENT)
    return build_broadcast(seal(network, serial=serial, sequence=sequence, overflow=high, plaintext=plaintext))


class TestLayout:
    def test_a_broadcast_is_told_from_instant_readout_by_its_first_byte(self) -> None:
        assert is_vesmart(overflow(sequence=1, high=0))
        assert is_vesmart(data(sequence=1, high=0))
        assert not is_vesmart(bytes.fromhex("100289a302"))
        assert not is_vesmart(b"")

    def test_the_one_broadcast_of_a_real_device_that_is_public(self) -> None:
        """A SmartSolar 150/35 (chrisj7903/Read-Victron-advertised-data, issue 3); its key is not known."""
        told = parse_broadcast(bytes.fromhex("01bc1898a598b9f901040000f884fa25"))
        assert (told.record_type, told.group, told.overflow) == (0x01, 0xBC, 0)
        assert (told.serial, told.sequence) == (0x98A59818, 0x0401F9B9)
        assert told.tag == bytes.fromhex("f884fa25")
        assert serial_text(told.serial) == "HQ????CQVX4"

    def test_every_cut_of_an_overflow_record_is_malformed(self) -> None:
        whole = overflow(sequence=1, high=0)
        for length in range(1, len(whole)):
            with pytest.raises(Malformed):
                parse_broadcast(whole[:length])

    def test_a_data_record_without_content_is_malformed(self) -> None:
        whole = data(sequence=1, high=0)
        for length in range(1, 15):
            with pytest.raises(Malformed):
                parse_broadcast(whole[:length])

    def test_a_data_record_longer_than_any_advertisement_is_malformed(self) -> None:
        longest = b"\x02" + bytes(9 + 240 + 4)
        assert len(parse_broadcast(longest).ciphertext) == 240
        with pytest.raises(Malformed):
            parse_broadcast(longest + b"\0")

    def test_bytes_after_an_overflow_record_are_ignored(self) -> None:
        whole = overflow(sequence=1, high=0)
        assert parse_broadcast(whole + b"tail") == parse_broadcast(whole)

    @pytest.mark.parametrize("payload", [b"", b"\x10\x02\x89\xa3", b"\x03" + bytes(20)])
    def test_another_record_type_is_unknown(self, payload: bytes) -> None:
        with pytest.raises(UnknownType):
            parse_broadcast(payload)

    def test_content_longer_than_a_legacy_advertisement_needs_asking(self) -> None:
        content = BroadcastContent((BroadcastValue(0x2007, bytes(4)), BroadcastValue(0x2027, bytes(4))))
        with pytest.raises(Unencodable, match="15 bytes"):
            build_content(content)
        assert len(build_content(content, longest=240)) == 15

    @pytest.mark.parametrize(
        "content",
        [
            BroadcastContent((BroadcastValue(0x1_0000, b"\0"),)),
            BroadcastContent((BroadcastValue(0x2007, bytes(256)),)),
            BroadcastContent((), kind=256),
        ],
    )
    def test_content_with_a_number_out_of_range_is_unencodable(self, content: BroadcastContent) -> None:
        with pytest.raises(Unencodable):
            build_content(content, longest=1000)

    def test_a_value_that_runs_past_the_end_is_dropped_and_those_before_it_kept(self) -> None:
        plaintext = build_content(CONTENT) + bytes.fromhex("0720040102")
        content = parse_content(plaintext)
        assert content.records == (VOLTAGE,)
        assert content.malformed
        assert content.rest == bytes.fromhex("0720040102")

    def test_an_unknown_kind_is_kept_as_bytes(self) -> None:
        content = parse_content(bytes.fromhex("33010203"))
        assert (content.kind, content.records, content.rest) == (0x33, (), bytes.fromhex("010203"))
        assert not content.understood
        assert not content.malformed

    def test_no_content_is_malformed(self) -> None:
        with pytest.raises(Malformed):
            parse_content(b"")


class TestNetwork:
    def test_the_key_is_never_shown(self) -> None:
        assert KEY.hex() not in repr(HOME)
        assert repr(KEY) not in repr(HOME)

    @pytest.mark.parametrize(
        ("network_id", "key"),
        [
            ("a5", KEY.hex()),
            ("a55a00", KEY.hex()),
            ("a55a", KEY.hex()[:-2]),
            ("a55a", KEY.hex()[:-1]),
            ("zz5a", KEY.hex()),
        ],
    )
    def test_other_lengths_and_letters_are_a_key_problem(self, network_id: str, key: str) -> None:
        with pytest.raises(KeyProblem) as caught:
            Network.of(network_id, key)
        assert key not in str(caught.value)

    def test_another_group_is_a_missing_key(self) -> None:
        with pytest.raises(KeyMissing):
            unseal(parse_broadcast(overflow(sequence=1, high=3)), Network.of(b"\x5a\xa5", KEY), 3)

    @pytest.mark.parametrize("network", [Network.of(b"\xa5\x5a", bytes(16)), Network.of(b"\xa5\x5b", KEY)])
    def test_another_key_or_second_identifier_byte_is_a_mismatch(self, network: Network) -> None:
        with pytest.raises(KeyMismatch):
            unseal(parse_broadcast(data(sequence=1, high=3)), network, 3)

    def test_every_bit_but_the_group_is_authenticated(self) -> None:
        whole = data(sequence=77, high=3)
        for bit in range(16, 8 * len(whole)):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(KeyMismatch):
                unseal(parse_broadcast(bytes(flipped)), HOME, 3)


class TestSerial:
    @pytest.mark.parametrize("text", ["HQ2104MAEI4", "GA0000000000"[:11], "IS9953ZZZZZ"])
    def test_the_number_gives_the_text_back(self, text: str) -> None:
        assert serial_text(serial_number(text), date=text[2:6]) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "HQ",
            "HQ2104MAEI",
            "HQ2104MAEI44",
            "1Q2104MAEI4",
            "HQ2104MAE-4",
            "ZZ2104ZZZZZ",
            "IU210400000",
            "AA210400000",
        ],
    )
    def test_what_has_no_number_is_unencodable(self, text: str) -> None:
        with pytest.raises(Unencodable):
            serial_number(text)

    def test_every_number_has_a_text(self) -> None:
        assert serial_text(0, date="") == "GA00000"
        assert len(serial_text(2**32 - 1)) == 11


class TestReceiver:
    def test_a_late_joiner_waits_for_the_overflow_record_and_then_gets_the_last_content(self) -> None:
        receiver = NetworkReceiver([HOME])
        assert receiver.receive(data(sequence=10, high=3)) == ()
        assert receiver.receive(data(sequence=11, high=3)) == ()
        assert receiver.counts.pending == 2
        first, second = receiver.receive(overflow(sequence=12, high=3))
        assert first == OverflowHeard(HOME.network_id, SERIAL, 12, 3)
        assert second == ContentHeard(HOME.network_id, SERIAL, 11, 3, CONTENT)

    def test_content_that_waited_with_another_counter_is_dropped(self) -> None:
        receiver = NetworkReceiver([HOME])
        receiver.receive(data(sequence=2**32 - 1, high=3))
        assert receiver.receive(overflow(sequence=0, high=4)) == (OverflowHeard(HOME.network_id, SERIAL, 0, 4),)
        assert receiver.counts.authentication_failures == 1
        assert receiver.counts.delivered == 0

    def test_the_counter_wraps_with_its_overflow_record(self) -> None:
        receiver = NetworkReceiver([HOME])
        receiver.receive(overflow(sequence=2**32 - 2, high=3))
        assert receiver.receive(data(sequence=2**32 - 1, high=3))
        assert receiver.receive(overflow(sequence=0, high=4))
        (event,) = receiver.receive(data(sequence=1, high=4))
        assert isinstance(event, ContentHeard)
        assert (event.sequence, event.overflow) == (1, 4)

    def test_a_lost_overflow_record_is_a_mismatch_until_the_next(self) -> None:
        receiver = NetworkReceiver([HOME])
        receiver.receive(overflow(sequence=2**32 - 2, high=3))
        with pytest.raises(KeyMismatch):
            receiver.receive(data(sequence=1, high=4))
        receiver.receive(overflow(sequence=2, high=4))
        assert receiver.receive(data(sequence=3, high=4))
        assert (receiver.counts.authentication_failures, receiver.counts.delivered) == (1, 1)

    def test_a_repetition_is_counted_and_not_delivered(self) -> None:
        receiver = NetworkReceiver([HOME])
        packets = [overflow(sequence=1, high=0), data(sequence=2, high=0)]
        assert [len(receiver.receive(packet)) for packet in packets for _ in range(3)] == [1, 0, 0, 1, 0, 0]
        assert (receiver.counts.duplicates, receiver.counts.delivered) == (4, 1)

    def test_both_types_may_bear_the_same_sequence(self) -> None:
        receiver = NetworkReceiver([HOME])
        assert receiver.receive(overflow(sequence=5, high=0))
        assert receiver.receive(data(sequence=5, high=0))

    def test_two_senders_keep_counters_of_their_own(self) -> None:
        receiver = NetworkReceiver([HOME])
        other = SERIAL + 1
        receiver.receive(overflow(sequence=1, high=3))
        receiver.receive(overflow(sequence=1, high=9, serial=other))
        assert receiver.receive(data(sequence=2, high=3))
        assert receiver.receive(data(sequence=2, high=9, serial=other))

    def test_two_networks_of_one_group_are_told_apart_by_their_keys(self) -> None:
        boat = Network.of(b"\xa5\x01", bytes(16), "boat")
        receiver = NetworkReceiver([HOME, boat])
        for network in (HOME, boat):
            (heard,) = receiver.receive(overflow(sequence=1, high=3, network=network))
            assert heard.network_id == network.network_id
            (heard,) = receiver.receive(data(sequence=2, high=3, network=network))
            assert heard.network_id == network.network_id
        assert receiver.counts.authentication_failures == 0

    def test_a_network_nobody_told_us_of_is_a_missing_key(self) -> None:
        receiver = NetworkReceiver()
        with pytest.raises(KeyMissing):
            receiver.receive(data(sequence=1, high=0))
        receiver.add(HOME)
        assert receiver.receive(overflow(sequence=2, high=0))
        assert receiver.counts.foreign == 1

    def test_a_changed_key_replaces_the_old_one(self) -> None:
        renewed = Network.of(HOME.network_id, bytes(16))
        receiver = NetworkReceiver([HOME])
        receiver.receive(overflow(sequence=1, high=0))
        receiver.add(renewed)
        with pytest.raises(KeyMismatch):
            receiver.receive(overflow(sequence=2, high=0))
        assert receiver.receive(data(sequence=3, high=0, network=renewed)) == ()
        assert len(receiver.receive(overflow(sequence=4, high=0, network=renewed))) == 2

    def test_two_adapters_that_deliver_out_of_step_give_each_content_once(self) -> None:
        receiver = NetworkReceiver([HOME])
        receiver.receive(overflow(sequence=1, high=0))
        heard = [receiver.receive(data(sequence=sequence, high=0)) for sequence in (2, 3, 2, 3, 4, 2, 3, 4)]
        assert [len(one) for one in heard] == [1, 1, 0, 0, 1, 0, 0, 0]
        assert (receiver.counts.delivered, receiver.counts.duplicates) == (3, 5)

    def test_so_many_counters_are_remembered_and_not_one_more(self) -> None:
        receiver = NetworkReceiver([HOME])
        receiver.receive(overflow(sequence=0, high=0))
        for sequence in range(1, REMEMBERED_COUNTERS + 1):
            receiver.receive(data(sequence=sequence, high=0))
        assert receiver.receive(data(sequence=1, high=0)) == ()
        receiver.receive(data(sequence=REMEMBERED_COUNTERS + 1, high=0))
        assert len(receiver.receive(data(sequence=1, high=0))) == 1, "another 64 later the same count is a new one"

    def test_an_old_overflow_record_does_not_set_the_counter_back(self) -> None:
        receiver = NetworkReceiver([HOME])
        receiver.receive(overflow(sequence=9, high=3))
        receiver.receive(overflow(sequence=0, high=4))
        for sequence in range(1, 2 * REMEMBERED_COUNTERS):
            receiver.receive(data(sequence=sequence, high=4))
        assert receiver.receive(overflow(sequence=9, high=3)) == (), "recorded long ago and sent again"
        assert receiver.counts.replayed == 1
        assert len(receiver.receive(data(sequence=500, high=4))) == 1, "the sender is still understood"

    def test_a_forged_overflow_record_changes_nothing(self) -> None:
        receiver = NetworkReceiver([HOME])
        receiver.receive(overflow(sequence=1, high=3))
        with pytest.raises(KeyMismatch):
            receiver.receive(overflow(sequence=2, high=9)[:-1] + b"\0")
        assert receiver.receive(data(sequence=3, high=3))

    def test_other_advertisements_and_cut_ones_are_counted(self) -> None:
        receiver = NetworkReceiver([HOME])
        with pytest.raises(UnknownType):
            receiver.receive(bytes.fromhex("100289a302"))
        with pytest.raises(Malformed):
            receiver.receive(b"\x02")
        assert (receiver.counts.ignored, receiver.counts.malformed) == (1, 1)

    def test_a_noisy_neighbourhood_does_not_fill_the_memory(self) -> None:
        receiver = NetworkReceiver([HOME])
        for serial in range(MOST_WAITING + 1):
            receiver.receive(data(sequence=1, high=0, serial=serial))
        assert len(receiver.receive(overflow(sequence=2, high=0, serial=0))) == 1, "the oldest made room"
        assert len(receiver.receive(overflow(sequence=2, high=0, serial=MOST_WAITING))) == 2


class TestSender:
    def test_it_announces_its_counter_before_any_data(self) -> None:
        sender, receiver = NetworkSender(HOME, SERIAL), NetworkReceiver([HOME])
        sender.update({0x2002: VOLTAGE.raw})
        first, second = sender.due(0.0), sender.due(0.0)
        assert first is not None
        assert second is not None
        assert parse_broadcast(first).overflow == 0
        assert receiver.receive(first)
        (heard,) = receiver.receive(second)
        assert isinstance(heard, ContentHeard)
        assert heard.content == CONTENT
        assert sender.due(0.999) is None
        assert sender.deadline == 1.0

    def test_it_repeats_the_announcement_every_minute(self) -> None:
        sender = NetworkSender(HOME, SERIAL)
        assert sender.deadline == -math.inf
        assert sender.due(100.0) is not None
        assert sender.deadline == 100.0 + OVERFLOW_PERIOD
        assert sender.due(100.0 + OVERFLOW_PERIOD - 0.1) is None
        assert sender.due(100.0 + OVERFLOW_PERIOD) is not None

    def test_it_announces_at_once_when_the_high_part_changes(self) -> None:
        sender, receiver = NetworkSender(HOME, SERIAL, last_counter=2**32 - 3 - RESTART_SKIP), NetworkReceiver([HOME])
        sender.update({0x2002: VOLTAGE.raw})
        counters = []
        for now in (0.0, 0.0, 1.0, 1.0, 2.0):
            payload = sender.due(now)
            assert payload is not None
            (heard,) = receiver.receive(payload)
            counters.append((type(heard), heard.overflow, heard.sequence))
        assert counters == [
            (OverflowHeard, 0, 2**32 - 2),
            (ContentHeard, 0, 2**32 - 1),
            (OverflowHeard, 1, 0),
            (ContentHeard, 1, 1),
            (ContentHeard, 1, 2),
        ]

    def test_it_sends_every_value_in_turn(self) -> None:
        sender, receiver = NetworkSender(HOME, SERIAL), NetworkReceiver([HOME])
        values = {0x2002: b"\x01\x02", 0x200A: b"\x01\x02\x03\x04", 0x2000: b"\x0a", 0x200C: b"\x05"}
        sender.update(values)
        rounds = []
        for now in range(7):
            while (payload := sender.due(float(now))) is not None:
                rounds += [
                    event.content.records for event in receiver.receive(payload) if isinstance(event, ContentHeard)
                ]
        assert [[f"{value.register:04X}" for value in records] for records in rounds] == [
            ["2002"],
            ["200A"],
            ["2000", "200C"],
            ["2002"],
            ["200A"],
            ["2000", "200C"],
            ["2002"],
        ]
        assert {value.register: value.raw for records in rounds for value in records} == values

    def test_a_restart_skips_ahead(self) -> None:
        sender = NetworkSender(HOME, SERIAL, last_counter=5)
        payload = sender.due(0.0)
        assert payload is not None
        assert parse_broadcast(payload).sequence == sender.counter == 5 + RESTART_SKIP + 1

    def test_a_counter_that_is_used_up_ends_the_sending(self) -> None:
        sender = NetworkSender(HOME, SERIAL, last_counter=2**48 - 2 - RESTART_SKIP)
        assert sender.due(0.0) is not None
        with pytest.raises(Unencodable, match="used up"):
            sender.due(OVERFLOW_PERIOD)

    def test_a_value_no_broadcast_can_hold_is_refused(self) -> None:
        sender = NetworkSender(HOME, SERIAL)
        with pytest.raises(Unencodable):
            sender.update({0x2002: VOLTAGE.raw, 0x0140: bytes(7)})
        assert sender.due(0.0) is not None
        assert sender.due(0.0) is None, "nothing of the refused update is sent"
