"""`bluewatt decode --format parquet`: the values in the conversations of a capture, in a file of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bluewatt.app.decoding.contents import packet_batches
from bluewatt.app.decoding.output import output_file
from bluewatt.errors import CaptureError
from bluewatt.exports.parquet.register_values import ValueWriter
from bluewatt.exports.terminal.notices import notice
from bluewatt.model.dialogue.conversation import Conversation, Line
from bluewatt.model.display import counted
from bluewatt.transports.capture.files import STANDARD_INPUT
from bluewatt.transports.capture.input import Input
from bluewatt.wire.bluetooth.hci_connections import HciLinks, is_report


def write_values(output: Path, files: Sequence[str], *, reveal: bool) -> int:
    """Write the register values in conversations to a file, if there are any; return how many.

    An existing file is replaced: the caller has asked.
    """
    with output_file(str(output), force=True, private=reveal) as file:
        count = 0
        try:
            with ValueWriter(file.path_to_write(), reveal=reveal) as writer:
                for path in files:
                    if path == STANDARD_INPUT:
                        continue  # read to its end for the advertisements
                    with Input(path) as source:
                        for line in _lines(source):
                            writer.add(line)
            count = writer.count
        except OSError as error:
            raise CaptureError(f"cannot write {output}: {error.strerror or error}", path=str(output)) from error
        if count:
            file.keep()
            notice(f"{counted(count, 'value')} of conversations written to {output}")
    return count


def _lines(source: Input) -> Iterator[Line]:
    """Yield the conversations of a capture; its damage was reported with the advertisements."""
    if source.is_recording:
        return
    links, conversation = HciLinks(), Conversation()
    with suppress(CaptureError):
        for packets in packet_batches(source):
            for packet in packets:
                if not is_report(packet[1], packet[3]) and (event := links.read(packet)):
                    yield from conversation.receive(event)
            links.problems.clear()
