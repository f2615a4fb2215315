"""Capture containers: btsnoop, pcap, pcapng, hcidump, PacketLogger, recognised by how they begin, read as streams.

    for packets in read_packets(blocks):
        for at, kind, direction, data, offset, adapter in packets: ...

No file is opened here: the bytes come in blocks of any size. A capture that is not one, is empty or is of an unknown
link type raises `CaptureError` (its `path` is filled in by the code that opened the file).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from bluewatt.errors import CaptureError
from bluewatt.wire.bluetooth.packets import FROM_CONTROLLER, TO_CONTROLLER, Packet, PacketKind
from bluewatt.wire.containers.btsnoop import FILE_HEADER as _BTSNOOP_HEADER
from bluewatt.wire.containers.btsnoop import MAGIC as _BTSNOOP_MAGIC
from bluewatt.wire.containers.btsnoop import BtsnoopReader
from bluewatt.wire.containers.framing import LinkType
from bluewatt.wire.containers.hcidump import HcidumpReader, is_hcidump
from bluewatt.wire.containers.packetlogger import PacketLoggerReader, byte_order, is_first_packet_whole
from bluewatt.wire.containers.pcap import FILE_HEADER as _PCAP_HEADER
from bluewatt.wire.containers.pcap import MAGICS as _PCAP_MAGICS
from bluewatt.wire.containers.pcap import PcapReader
from bluewatt.wire.containers.pcapng import SECTION, PcapngReader
from bluewatt.wire.containers.stream import PacketReader

__all__ = [
    "FROM_CONTROLLER",
    "LONGEST_HEADER",
    "TO_CONTROLLER",
    "LinkType",
    "Packet",
    "PacketKind",
    "PacketReader",
    "is_capture",
    "open_container",
    "read_packets",
]

LONGEST_HEADER = _PCAP_HEADER
"""The number of bytes with which `open_container` can always decide."""


def is_capture(head: bytes) -> bool:
    """Return whether `head`, the first bytes of a file, begins a container read here."""
    known = head[:8] == _BTSNOOP_MAGIC or head[:4] in _PCAP_MAGICS or head[:4] == SECTION
    return known or is_hcidump(head) or byte_order(head) is not None


def open_container(head: bytes) -> tuple[PacketReader, bytes]:
    """Return the reader for a capture with these first bytes, and the part of `head` to feed to it first."""
    if head[:8] == _BTSNOOP_MAGIC:
        _whole(head, _BTSNOOP_HEADER)
        return BtsnoopReader(head[:_BTSNOOP_HEADER]), head[_BTSNOOP_HEADER:]
    if head[:4] in _PCAP_MAGICS:
        _whole(head, _PCAP_HEADER)
        return PcapReader(head[:_PCAP_HEADER]), head[_PCAP_HEADER:]
    if head[:4] == SECTION:
        return PcapngReader(), head
    order = byte_order(head)
    if is_hcidump(head) and not (order and is_first_packet_whole(head, order)):
        return HcidumpReader(), head
    if order:
        return PacketLoggerReader(order), head
    known = "btsnoop, pcap, pcapng, PacketLogger or hcidump"
    raise CaptureError("the file is empty" if not head else f"not a capture ({known})")


def _whole(head: bytes, length: int) -> None:
    if len(head) < length:
        raise CaptureError("the capture ends in its file header", offset=len(head))


def read_packets(
    blocks: Iterable[bytes], on_problem: Callable[[CaptureError], None] | None = None
) -> Iterator[list[Packet]]:
    """Yield the packets of a capture, a list per block; raise for a cut end.

    Damage that does not end the capture is given to `on_problem`, before the packets of its block.
    """
    stream = iter(blocks)
    head = b""
    while len(head) < LONGEST_HEADER and (block := next(stream, None)) is not None:
        head += block
    reader, rest = open_container(head)
    for block in chain((rest,), stream):
        packets = reader.feed(block)
        _tell(reader, on_problem)
        yield packets
    last, error = reader.finish()
    _tell(reader, on_problem)
    yield last
    if error:
        raise error


def _tell(reader: PacketReader, on_problem: Callable[[CaptureError], None] | None) -> None:
    if on_problem:
        for problem in reader.problems:
            on_problem(problem)
    reader.problems.clear()
