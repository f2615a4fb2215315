"""Whatever stands in the audit file, an undo writes nothing that the table of controls would not let anybody write."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bluewatt.errors import DeviceRefused, Forbidden
from bluewatt.model.register_values import explain_register
from bluewatt.services.audit import Audit, AuditRecord
from bluewatt.services.commander import Commander
from bluewatt.tables.controls import CONTROLS, Control
from bluewatt.tables.registers import code_type
from tests.unit.test_commander import ADDRESS, EVERYTHING, Device0, solar, yes

CONTROLS_OF_SOLAR = [row for row in CONTROLS if "mppt" in row.families]
OLD = st.one_of(
    st.integers(0, 0xFF).map(lambda number: bytes([number]).hex()),
    st.integers(0, 0xFFFF).map(lambda number: number.to_bytes(2, "little").hex()),
    st.text(max_size=24).map(lambda text: text.encode("utf-8", "surrogatepass").hex()),
    st.binary(max_size=24).map(bytes.hex),
    st.text(max_size=8),
)


@given(row=st.sampled_from(CONTROLS_OF_SOLAR), old=OLD, instance=st.integers(0, 255))
def test_no_audit_row_leads_past_the_table(row: Control, old: str, instance: int) -> None:
    link = solar(load_control="04")
    with tempfile.TemporaryDirectory() as folder:
        audit = Audit(Path(folder) / "audit.jsonl")
        intent = AuditRecord(
            at=1.0, id="1", event="intent", device=ADDRESS, control=row.name, register=row.row("mppt").id_text,
            instance=instance, old=old, new="00",
        )  # fmt: skip
        audit.append(intent)
        audit.append(msgspec.structs.replace(intent, event="result", outcome="done"))
        commander = Commander(link, link, allowed=EVERYTHING, audit=audit, clock=lambda: 1.0)
        try:
            asyncio.run(_undone(commander))
        except (Forbidden, DeviceRefused):
            assert not link.written
            return
    assert len(link.written) == 1
    assert may_be_written(row, link)


async def _undone(commander: Commander) -> None:
    await commander.undo(yes)


def may_be_written(row: Control, link: Device0) -> bool:
    """What the table says, without the code under test: at 12 V, on a model of 15 A."""
    register, raw, place = link.written[0]
    assert (register, place) == (row.row("mppt").id, 3)
    value = explain_register(register, raw, "mppt").value
    if row.words:
        named = row.restores_named and code_type(row.row("mppt").enum)(value).known
        return int(value) in row.words.values() or named
    if row.longest:
        return 0 < len(value.encode()) <= row.longest and value.isprintable() and bool(value.strip())
    high = min(row.high or 0.0, 15.0) if row.high_register else row.high or 0.0
    return bool((row.low or 0.0) <= value <= high)
