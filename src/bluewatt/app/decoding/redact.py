"""`bluewatt decode FILE --redact OUTPUT`: the capture without what names its owner, to be shared."""

from __future__ import annotations

from collections.abc import Iterator

from bluewatt.app.decoding.contents import DecodeKeys, packet_batches
from bluewatt.app.decoding.output import open_output
from bluewatt.errors import CaptureError
from bluewatt.exports.terminal.notices import notice
from bluewatt.exports.terminal.progress import progress
from bluewatt.model.dialogue.redaction import Redactor, redact_packets
from bluewatt.transports.capture.files import STANDARD_INPUT
from bluewatt.transports.capture.input import Input
from bluewatt.wire.containers import Packet, PacketKind


def redact_file(path: str, secrets: DecodeKeys, output: str, *, force: bool = False) -> None:
    """Write the redacted capture as btsnoop, and say which substitute keys open it and what was left out.

    Raises CaptureError for a sniffer's capture and for standard input, which cannot be read twice.
    """
    if path == STANDARD_INPUT:
        raise CaptureError("standard input cannot be redacted, it is read twice: save it to a file first", path=path)
    redactor = Redactor(secrets.ring())
    with open_output(output, path, force=force) as out, Input(path) as first, Input(path) as second, progress(second):
        for piece in redact_packets(_host_packets(first), _host_packets(second), redactor):
            out.write(piece)
    notice(f"{output} names none of your devices, keys or serial numbers any more")
    for address, key in redactor.substitute_keys.items():
        notice(f"its advertisements open with --key {address}={key.hex()} (no real key)")
    if redactor.dropped:
        parts = [f"{count} {left_out.noun(count)}" for left_out, count in redactor.dropped.most_common()]
        notice(f"left out: {', '.join(parts)}")


def _host_packets(source: Input) -> Iterator[list[Packet]]:
    """Yield the packets of a capture that a host made; of a file that is cut off, those before the cut.

    Raises CaptureError for a recording and for a sniffer's capture.
    """
    if source.is_recording:
        raise CaptureError(f"{source.path}: a recording holds advertisements only, still encrypted", path=source.path)
    try:
        for packets in packet_batches(source):
            if any(packet[1] >= PacketKind.AIR for packet in packets):
                what = f"{source.path}: captures of a sniffer cannot be redacted, only those of a phone or computer"
                raise CaptureError(what, path=source.path)
            yield packets
    except CaptureError as error:
        if "ends in the middle" not in str(error):
            raise
