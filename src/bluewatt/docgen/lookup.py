"""The look-up: what a number or a name means, in every table that has it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluewatt.tables.enums import enumeration, enumeration_names
from bluewatt.tables.metrics import metric
from bluewatt.tables.products import product, products
from bluewatt.tables.records import record_classes
from bluewatt.tables.registers import Register, registers, rows_with_number

_MOST = 40
"""Lines shown for a search by name; nobody reads a longer list."""


def look_up(text: str) -> list[str]:
    """Return a line for each thing a text may mean: a product, a register, a record type, a code; empty for nothing.

    Understood are numbers (0xA261, 41569), an enumeration's name or a part of it with a number ("error 38"), and parts
    of names.
    """
    wanted = text.strip()
    number = _number(wanted)
    if number is not None:
        return list(_by_number(number))
    code = re.fullmatch(r"([A-Za-z_ ]+?)\s+(0[xX][0-9A-Fa-f]+|\d+)", wanted)
    if code is not None:
        return list(_by_code(code[1].strip().replace(" ", "_").lower(), int(code[2], 0)))
    return list(_by_name(wanted.lower())) if wanted else []


def _number(text: str) -> int | None:
    try:
        return int(text, 16) if text[:2].lower() == "0x" else int(text)
    except ValueError:
        return None


def _by_number(number: int) -> Iterator[str]:
    found = product(number)
    if found is not None:
        yield f"product 0x{number:04X}: {found.name} (family {found.family})"
    for cls in record_classes():
        if cls.record_type == number:
            yield f"record type 0x{number:02X}: {cls.title} ({cls.record_name})"
    for row in rows_with_number(number):
        yield _register(row)


def _register(row: Register) -> str:
    name = f"metric {row.metric}, " if row.metric else ""
    unit = f" in {row.unit}" if row.unit else ""
    families = "every family" if row.families == ("all",) else ", ".join(row.families)
    return f"register {row.id_text} {row.key}: {row.description} ({name}{row.type}{unit}, {row.access}; {families})"


def _by_code(name: str, number: int) -> Iterator[str]:
    """Yield what a number means in the enumeration of a name, or in those whose names contain it."""
    names = enumeration_names()
    for enum in [name] if name in names else [one for one in names if name in one]:
        meaning = enumeration(enum).get(number)
        if meaning is not None:
            yield f"{enum} {number}: {meaning.label} ({meaning.key})"


def _by_name(text: str) -> Iterator[str]:
    """Yield everything whose name contains a text: the exact metric first, then registers, products, codes."""
    lines = [*_exact(text), *_registers_named(text), *_products_named(text), *_codes_named(text)]
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"and {len(lines) - _MOST} more: a longer name shows fewer"


def _exact(text: str) -> Iterator[str]:
    known = metric(text)
    if known is not None:
        yield f"metric {known.key}: {known.label}" + (f", in {known.unit}" if known.unit else "")


def _registers_named(text: str) -> Iterator[str]:
    return (_register(row) for row in registers() if text in row.key or text == row.metric)


def _products_named(text: str) -> Iterator[str]:
    return (
        f"product 0x{one.id:04X}: {one.name} (family {one.family})" for one in products() if text in one.name.lower()
    )


def _codes_named(text: str) -> Iterator[str]:
    for enum in enumeration_names():
        for number, meaning in sorted(enumeration(enum).items()):
            if text in meaning.key or text in meaning.label.lower():
                yield f"{enum} {number}: {meaning.label} ({meaning.key})"
