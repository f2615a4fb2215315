"""The page of the registers."""

from __future__ import annotations

from bluewatt.docgen.markdown import GENERATED, table
from bluewatt.tables.registers import Register, registers

_INTRODUCTION = """
A register means the same over VictronConnect's Bluetooth protocol, VE.Smart networking, VE.Direct HEX and VE.Can. The
confidence says what proves a row: *documented* by the vendor, *two_sources*, *single*, or a *guess*.
"""


def page() -> str:
    """Return the Markdown of the page."""
    head = ("register", "key", "metric", "type", "unit", "access", "families", "what", "confidence")
    return "\n".join([GENERATED, "# Registers", _INTRODUCTION, table(head, map(_row, registers()))])


def _row(register: Register) -> tuple[object, ...]:
    metric = f"`{register.metric}`" if register.metric else ""
    kind = register.enum or register.layout or register.type
    families = ", ".join(register.families)
    return (
        register.id_text, f"`{register.key}`", metric, kind, register.unit, register.access, families,
        register.description, register.confidence,
    )  # fmt: skip
