"""The content of a file given to `bluewatt decode`: readings and conversations in their order, whatever the file is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from bluewatt.app.decoding.pasted import PastedOpener
from bluewatt.app.decoding.summary import DecodeSummary
from bluewatt.app.decoding.text_contents import TextReader, packets_of_text, text_steps
from bluewatt.errors import CaptureError
from bluewatt.model.dialogue.conversation import DAMAGED, LINK, Line
from bluewatt.model.dialogue.transcript import DecodedPacket, Transcript, TranscriptItem
from bluewatt.model.display import counted
from bluewatt.model.keys import KeyRing
from bluewatt.model.reading import Reading
from bluewatt.model.receiver import Receiver
from bluewatt.model.register_values import RegisterReading
from bluewatt.model.vesmart import VeSmartReceiver
from bluewatt.secret import SecretBytes
from bluewatt.services.keys import NamedKey, ring_of
from bluewatt.services.source_reader import completed_keys
from bluewatt.transports.capture.files import LONGEST_LINE, split_lines
from bluewatt.transports.capture.input import Input, archive_kind, peeked
from bluewatt.wire.containers import Packet, is_capture, read_packets
from bluewatt.wire.containers.btsnooz import BEGIN, find_logs, read_log
from bluewatt.wire.vesmart.broadcast import Network


@dataclass(frozen=True)
class DecodeKeys:
    """The keys that open what is in a capture, and whether keys and PINs found in it are shown."""

    keys: Sequence[NamedKey] = ()
    networks: Sequence[Network] = ()
    reveal: bool = False
    long_term_keys: Sequence[bytes] = ()
    """Long-term keys of encrypted connections that a sniffer heard."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "long_term_keys", tuple(map(SecretBytes, self.long_term_keys)))

    def ring(self) -> KeyRing:
        """Return a new key ring of the keys."""
        return ring_of(self.keys)

    def transcript(self, origin: str) -> Transcript:
        """Return a transcript that knows all the keys."""
        return Transcript(origin, self.ring(), self.networks, self.long_term_keys)


def decode_input(source: Input, secrets: DecodeKeys, summary: DecodeSummary) -> Iterator[DecodedPacket]:
    """Yield everything in an input, in its order, and count it in `summary`."""
    readings = 0
    try:
        for step in _found(source, secrets, summary):
            for entry in step[1]:
                if entry.__class__ is Reading:
                    readings += 1
                else:
                    _count(entry, summary)
            yield step
    finally:
        summary.readings += readings


def _count(entry: TranscriptItem, summary: DecodeSummary) -> None:
    """Count one thing that is no reading of an advertisement."""
    if isinstance(entry, Line):
        if entry.kind == DAMAGED:
            summary.reasons[entry.message] += 1
        elif entry.kind != LINK:
            summary.lines += 1
    elif isinstance(entry, Reading | RegisterReading):
        summary.readings += 1
    else:
        summary.miss(entry.reason, entry.detail)


def _found(source: Input, secrets: DecodeKeys, summary: DecodeSummary) -> Iterator[DecodedPacket]:
    if source.archive:
        return _archive(source, secrets, summary)
    if source.is_text:
        return _text(source, secrets, summary)
    if source.is_recording:
        return _recording(source, secrets, summary)
    transcript = secrets.transcript(source.origin)
    return _capture(source, source.blocks(), transcript, summary)


def _recording(source: Input, secrets: DecodeKeys, summary: DecodeSummary) -> Iterator[DecodedPacket]:
    receiver = VeSmartReceiver(Receiver(secrets.ring()), secrets.networks)
    try:
        for frame in source.frames(summary.problem):
            yield frame, receiver.feed(frame)
    except CaptureError:
        yield None, receiver.flush()
        raise
    yield None, receiver.flush()
    summary.notes += completed_keys(receiver.receiver)


def _capture(
    source: Input, blocks: Iterable[bytes], transcript: Transcript, summary: DecodeSummary
) -> Iterator[DecodedPacket]:
    """Yield the packets of a container, decoded; what stood before an error comes before it is raised."""
    yield from _transcribed(source, read_packets(blocks, transcript.problems.append), transcript, summary)


def _transcribed(
    source: Input, batches: Iterable[list[Packet]], transcript: Transcript, summary: DecodeSummary
) -> Iterator[DecodedPacket]:
    try:
        for packets in batches:
            yield from transcript.feed(packets)
            if transcript.problems:
                _report_problems(source, transcript.problems, summary)
    except CaptureError as error:
        yield None, transcript.finish()
        raise source.placed(error) from None
    yield None, transcript.finish()
    _report_problems(source, transcript.problems, summary)
    summary.notes += _remarks(transcript)


def _report_problems(source: Input, problems: list[CaptureError], summary: DecodeSummary) -> None:
    """Move problems to the summary, each with its place in the file."""
    for problem in problems:
        summary.problem(source.placed(problem))
    problems.clear()


def _remarks(transcript: Transcript) -> Iterator[str]:
    """Yield sentences about a capture that a person should know besides its content."""
    if transcript.backwards:
        times = f"{transcript.backwards} times" if transcript.backwards > 1 else "once"
        where = f"first at byte {transcript.backwards_at}"
        yield f"the time went backwards {times}, {where}: the lines are in the order of the file"
    if transcript.unreadable:
        yield f"{counted(transcript.unreadable, 'packet')} of encrypted connections not read: --ltk KEY opens them"
    if transcript.bad_crc:
        yield f"{counted(transcript.bad_crc, 'packet')} heard with a wrong checksum"
    yield from completed_keys(transcript.receiver.receiver)
    seen = transcript.conversation.keys_seen
    if seen:
        yield f"the key of {', '.join(seen)} is in this capture and was used: --redact it before you share it"


def _archive(source: Input, secrets: DecodeKeys, summary: DecodeSummary) -> Iterator[DecodedPacket]:
    """Yield the Bluetooth logs in an archive; of a bug report without a whole log, the small one in its text."""
    found, nested = False, ""
    for name, blocks in source.files():
        head, blocks = peeked(blocks)
        if kind := archive_kind(head):
            nested = nested or f"{name} is a {kind} inside a {source.archive}: unpack it first"
        elif is_capture(head):
            found = True
            yield from _capture(source, blocks, secrets.transcript(f"{source.origin}/{name}"), summary)
        elif name.endswith(".txt") and not found:
            for log in find_logs(split_lines(blocks)):
                found = True
                yield from _log(source, log, secrets, summary)
    if not found:
        why = nested or f"no Bluetooth log in the {source.archive}: was {_LOGGING[source.archive]} switched on?"
        raise CaptureError(f"{source.path}: {why}", path=source.path)


_LOGGING = {"zip": "the HCI snoop log", "tar": "the logging of Bluetooth (Apple's profile for it)"}
"""Kind of archive that a phone makes → what must have been on so that it holds a log."""


def _log(source: Input, log: str, secrets: DecodeKeys, summary: DecodeSummary) -> Iterator[DecodedPacket]:
    try:
        packets, error = read_log(log)
    except CaptureError as damage:
        raise source.placed(damage) from None
    transcript = secrets.transcript(source.origin)
    if error:
        transcript.problems.append(error)
    yield from _transcribed(source, [packets], transcript, summary)


def _text(source: Input, secrets: DecodeKeys, summary: DecodeSummary) -> Iterator[DecodedPacket]:
    """Yield the advertisements and connections in a text for people, or the log in the text of a bug report."""
    reader, transcript = TextReader(), secrets.transcript(source.origin)
    opener = PastedOpener(secrets.keys, transcript.keys)
    remark = f"{source.path}: lines longer than {LONGEST_LINE} bytes were left out"
    lines, begun = source.lines(partial(_on_long_line, reader, summary, remark)), list[str]()
    found = False
    for step in text_steps(reader, _until_log(lines, begun), transcript, opener):
        found = True
        yield step
        if reader.problems:
            _report_problems(source, reader.problems, summary)
    _report_problems(source, reader.problems, summary)
    _report_problems(source, transcript.problems, summary)
    summary.notes += [*reader.notes(), *_remarks(transcript)]
    for log in find_logs(chain(begun, lines)):
        found = True
        yield from _log(source, log, secrets, summary)
    if not found:
        what = "neither a capture nor text with an advertisement or a connection in it"
        raise CaptureError(f"{source.path}: {what}", path=source.path)


def _on_long_line(reader: TextReader, summary: DecodeSummary, remark: str) -> None:
    """Note that a line was too long; from here on the place of a line in the file is not known."""
    summary.notes.append(remark)
    reader.text.offset = None


def _until_log(lines: Iterator[str], begun: list[str]) -> Iterator[str]:
    """Yield the lines before the log of a bug report; the line that begins the log is put into `begun`."""
    for line in lines:
        if BEGIN in line:
            begun.append(line)
            return
        yield line


def packet_batches(source: Input) -> Iterator[list[Packet]]:
    """Yield the packets of a capture in any container, not decoded; damaged ones are left out."""
    try:
        if source.is_text:
            yield from _text_packets(source)
        else:
            for blocks in source.captures():
                yield from read_packets(blocks)
    except CaptureError as error:
        raise source.placed(error) from None


def _text_packets(source: Input) -> Iterator[list[Packet]]:
    """Yield the packets that a text describes, or those of the log in it."""
    lines, begun = source.lines(), list[str]()
    yield from packets_of_text(_until_log(lines, begun))
    for log in find_logs(chain(begun, lines)):
        yield read_log(log)[0]
