"""The tables as C headers for firmware: numbers always, tables of texts if a macro asks for them.

A header needs C99 and nothing but `stdint.h`. Constants cost a program nothing; the tables of texts are compiled in if
`BLUEWATT_TABLES` is defined before the header is included.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from bluewatt.schema import Record, Row
from bluewatt.tables.enums import enumeration, enumeration_names
from bluewatt.tables.metrics import metrics
from bluewatt.tables.products import products
from bluewatt.tables.records import record_classes
from bluewatt.tables.registers import Register, registers

_BITS_FUNCTION = """\
/* Bits of a record: bit n is bit n mod 8 of byte n div 8. Bits after the end of the bytes are ones. */
static inline uint32_t bluewatt_bits(const uint8_t *data, unsigned length, unsigned start, unsigned width)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        unsigned bit = start + i;
        uint32_t one = bit / 8 < length ? (data[bit / 8] >> (bit % 8)) & 1u : 1u;
        value |= one << i;
    }
    return value;
}

/* The same as a signed number in two's complement. */
static inline int32_t bluewatt_signed_bits(const uint8_t *data, unsigned length, unsigned start, unsigned width)
{
    uint32_t value = bluewatt_bits(data, length, start, width);
    if (width < 32 && value >> (width - 1) & 1u)
        value |= ~(uint32_t)0 << width;
    return (int32_t)value;
}
"""


def header(page: str) -> str:
    """Return the C header of a page of the reference; KeyError for a page that is not in `HEADERS`."""
    guard = f"BLUEWATT_{page.upper()}_H"
    lines = [
        f"/* Made by: bluewatt reference {page} --c (Bluewatt, MIT licence). Do not edit. */",
        f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "",
        *HEADERS[page](), "",
        f"#endif /* {guard} */",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _name(*parts: str) -> str:
    return "BLUEWATT_" + re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper()).strip("_")


def _number(number: int) -> str:
    return f"({number})" if number < 0 else str(number)


def _text(text: str) -> str:
    """Return a C string literal in plain ASCII; other letters become octal escapes of their UTF-8 bytes."""
    safe = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}" for byte in text.encode())
    return '"' + "".join(safe) + '"'


def _struct(name: str, fields: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    """Yield a table of structs, which is compiled in if BLUEWATT_TABLES is defined."""
    yield "#ifdef BLUEWATT_TABLES"
    yield "typedef struct {"
    yield from (f"    {field};" for field in fields)
    yield f"}} bluewatt_{name}_t;"
    yield ""
    yield f"static const bluewatt_{name}_t bluewatt_{name}_table[] = {{"
    yield from (f"    {{{row}}}," for row in rows)
    yield "};"
    yield "#endif"


def _registers() -> Iterator[str]:
    rows = list(registers())
    numbers: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        numbers[row.key].add(row.id)
    written: set[str] = set()
    for row in rows:
        parts = ("REG", row.key) if len(numbers[row.key]) == 1 else ("REG", row.key, *row.families)
        name = _name(*parts)
        if name not in written:
            written.add(name)
            yield f"#define {name} {row.id_text}u"
    yield ""
    yield "/* value = (raw * factor + shift) / divisor, in unit; families and sources are separated by semicolons. */"
    fields = (
        "uint16_t id", "const char *key", "const char *type", "int32_t factor", "int32_t shift", "int32_t divisor",
        "uint8_t has_not_available", "uint32_t not_available", "const char *unit", "const char *access",
        "const char *families",
    )  # fmt: skip
    yield from _struct("register", fields, map(_register, rows))


def _register(row: Register) -> str:
    absent = "0, 0" if row.not_available is None else f"1, 0x{row.not_available:X}u"
    scale = f"{row.scale.factor}, {row.scale.shift}, {row.scale.divisor}"
    return ", ".join([
        row.id_text, _text(row.key), _text(row.type), scale, absent, _text(row.unit), _text(row.access),
        _text(";".join(row.families)),
    ])  # fmt: skip


def _records() -> Iterator[str]:
    yield _BITS_FUNCTION
    for cls in record_classes():
        if cls.record_type is None or not cls.bits:
            continue
        yield f"/* {cls.title} */"
        yield f"#define {_name('RECORD', cls.record_name)} 0x{cls.record_type:02X}u"
        yield f"#define {_name('RECORD', cls.record_name, 'BYTES')} {cls.length()}u"
        for row in cls.rows:
            if not row.hidden:
                yield from _field(cls, row)
        yield ""


def _field(cls: type[Record], row: Row) -> Iterator[str]:
    """Yield the constants of one row: the place of its bits, its scale, and what means "not available"."""
    name = _name(cls.record_name, row.name)
    yield f"#define {name}_START {row.start}u"
    yield f"#define {name}_WIDTH {row.bits}u"
    if row.count > 1:
        yield f"#define {name}_COUNT {row.count}u"
    if row.signed:
        yield f"#define {name}_SIGNED 1"
    if row.named is None and not row.pieces:
        yield f"#define {name}_FACTOR {row.scale.factor}"
        yield f"#define {name}_SHIFT {row.scale.shift}"
        yield f"#define {name}_DIVISOR {row.scale.divisor}"
    for index, pattern in enumerate(row.na):
        yield f"#define {name}_NOT_AVAILABLE{'_' + str(index + 1) if index else ''} 0x{pattern:X}u"


def _enumerations() -> Iterator[str]:
    for name in enumeration_names():
        for number, meaning in sorted(enumeration(name).items()):
            yield f"#define {_name(name, meaning.key)} {_number(number)}"
    yield ""
    rows = (
        f"{_text(name)}, {_number(number)}, {_text(meaning.key)}, {_text(meaning.label)}"
        for name in enumeration_names()
        for number, meaning in sorted(enumeration(name).items())
    )
    fields = ("const char *enumeration", "int32_t number", "const char *key", "const char *label")
    yield from _struct("enumeration", fields, rows)


def _devices() -> Iterator[str]:
    rows = (f"0x{product.id:04X}u, {_text(product.name)}, {_text(product.family)}" for product in products())
    yield from _struct("product", ("uint16_t id", "const char *name", "const char *family"), rows)


def _metrics() -> Iterator[str]:
    rows = (f"{_text(metric.key)}, {_text(metric.label)}, {_text(metric.unit)}" for metric in metrics())
    yield from _struct("metric", ("const char *key", "const char *label", "const char *unit"), rows)


HEADERS: dict[str, Callable[[], Iterator[str]]] = {
    "devices": _devices,
    "records": _records,
    "metrics": _metrics,
    "registers": _registers,
    "enumerations": _enumerations,
}
"""The function that yields the body of a page's header, by page."""
