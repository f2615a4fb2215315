"""The explanation of one advertisement: what it is, whether the key is right, and every field with its bits.

It is plain text and imports no terminal library, so that `bluewatt decode HEX` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from bluewatt.model.display import counted, label, value_text, visible_values
from bluewatt.model.reading import Reading
from bluewatt.model.single_advertisement import OpenedAdvertisement
from bluewatt.schema import Record, Row
from bluewatt.tables.products import product_name
from bluewatt.tables.records import record_class
from bluewatt.wire.instant_readout.advertisement import HEADER_LENGTH, Advertisement


def explain(opened: OpenedAdvertisement) -> Iterator[str]:
    """Yield the explanation, line by line. What went wrong is not in it: the outcome's detail says that."""
    frame, advertisement = opened.outcome.frame, opened.advertisement
    if advertisement is None:
        yield f"{counted(len(frame.payload), 'byte')}, no product advertisement: {frame.payload.hex(' ')}"
        return
    yield f"{product_name(advertisement.product_id)}, product id 0x{advertisement.product_id:04X}"
    yield from _container(advertisement, len(frame.payload))
    if opened.evidence is not None:
        likely = (
            "right as far as one advertisement shows" if opened.evidence > 0 else "not certain from one advertisement"
        )
        yield f"Key: {likely} (first byte fits, content {opened.evidence:+.0f} bits)"
        if opened.note:
            yield f"The key given has 31 digits: {opened.note}"
    if isinstance(opened.outcome, Reading):
        yield ""
        yield from _fields(opened.outcome.record, opened.plain, opened.outcome.rejected)
        yield ""
        yield f"Layout: {opened.outcome.record.proof.label}"


def _container(advertisement: Advertisement, length: int) -> Iterator[str]:
    kind = advertisement.record_type
    if not advertisement.connectable:
        yield (
            "It takes no connection now: bit 7 of the identifier is set (known from a single source); it may be"
            " connected to an app"
        )
    if kind is None:
        yield f"{counted(length, 'byte')}, no record"
        return
    cls = record_class(kind)
    sealed = "encrypted" if advertisement.sealed else "not encrypted"
    yield f"{cls.title if cls else 'Unknown record'}, record type 0x{kind:02X}, {sealed}"
    yield (
        f"{length} bytes: header {HEADER_LENGTH}, record {len(advertisement.body)}; identifier"
        f" 0x{advertisement.identifier:02X}, nonce 0x{advertisement.nonce:04X},"
        f" key check 0x{advertisement.key_check:02X}"
    )
    if cls is None:
        yield f"Nobody has described this type. Please report it, with what the app shows: {advertisement.body.hex()}"


def _fields(record: Record, plain: bytes, rejected: dict[str, object]) -> Iterator[str]:
    bits = int.from_bytes(plain, "little")
    lines = [
        (
            label(row),
            f"impossible: {value_text(row, rejected[row.name])}" if row.name in rejected else value_text(row, value),
            *_where(row, bits, 8 * len(plain)),
            row.name,
        )
        for row, value in visible_values(record)
    ]
    heads = ("Field", "Value", "Bits", "Raw", "Name")
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    for line in (heads, *lines):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _where(row: Row, bits: int, present: int) -> tuple[str, str]:
    """Return the numbers of a row's bits and their raw content."""
    if row.raw:
        return f"0-{present - 1}", ""
    if row.end > present:
        return f"{row.start}-{row.end - 1}", "cut off"
    raw = bits >> row.start & (1 << row.width) - 1
    return f"{row.start}-{row.end - 1}", f"0x{raw:0{-(-row.width // 4)}X}"
