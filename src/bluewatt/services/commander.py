"""The one path by which anything is written to a device.

    gates → consent → the gates again → audit row → write → read back → audit row

The gates (`write_gates`) turn a name and a text into a plan. A plan is shown and never taken back in: what is written
is derived anew from the name and the text after consent, so no caller can bring another register or value, and a device
that changed while a person thought is refused. An undo goes the same way.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

import msgspec

from bluewatt.config import Settings
from bluewatt.errors import BluewattError, ConfigError, DeviceRefused, Forbidden, LinkError
from bluewatt.model.ports import Link, Writer
from bluewatt.model.register_values import RegisterValue
from bluewatt.services.audit import Audit, AuditRecord
from bluewatt.services.write_gates import Gates, WritePlan
from bluewatt.tables.controls import MODES, controls_of
from bluewatt.tables.gatt import ResultCode
from bluewatt.tables.registers import Register

Consent = Callable[[WritePlan], Awaitable[bool]]
"""Asks a person, once, with everything known; True lets the write happen. It is awaited, because the link must be kept
alive while the person thinks."""

Derive = Callable[[], Awaitable[WritePlan]]
"""Turns a wish into a plan, through all gates, by what the device holds at that moment."""

_Error = TypeVar("_Error", bound=BluewattError)


class Done(msgspec.Struct, frozen=True):
    """A write that the device took."""

    plan: WritePlan
    held: RegisterValue | None
    """What the device holds now; None after a command."""


class Commander:
    """Writes one device, as far as `allowed` (names of controls) lets it; `clock` gives the times of the audit rows.

    `writer` is the writing half of `link`. Nobody else is given it.
    """

    def __init__(
        self,
        link: Link,
        writer: Writer,
        *,
        allowed: Collection[str],
        audit: Audit,
        how_to_allow: Callable[[str], str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.link = link
        """The link, to read."""
        self.allowed = frozenset(allowed)
        """Controls that the settings allow to be written on this device."""
        self.audit = audit
        self._writer = writer
        self.how_to_allow = how_to_allow or Settings().how_to_allow
        """Returns what to do so that a control may be written."""
        self._gates = Gates(link, allowed=self.allowed, how_to_allow=self.how_to_allow)
        self._clock = clock

    def mode_control(self) -> str:
        """Return the control that switches this device on and off; Forbidden if it has none."""
        family = self.link.family
        names = [row.name for row in controls_of(family) if row.name in MODES]
        if not names:
            raise Forbidden(f"{self._gates.name} has no mode that may be switched: its family is {family}")
        return names[0]

    async def preview(self, name: str, text: str) -> WritePlan:
        """Check a wish as `change` does, but for permission and consent; nothing is written."""
        return await self._gates.derive(name, text, dry_run=True)

    async def preview_undo(self) -> WritePlan:
        """Check what `undo` would write, but for permission and consent; nothing is written."""
        return await self._derive_undo(dry_run=True)

    async def change(self, name: str, text: str, consent: Consent) -> Done:
        """Write what a person wishes, and prove it by reading back.

        Forbidden before anything was sent: not listed, not allowed, out of range, not possible now, no consent, or the
        device changed meanwhile; ConfigError where the intent cannot be noted. Once it was sent: DeviceRefused where
        the device said no or holds another value, LinkError where the link ended first, ConfigError where all went well
        and the result cannot be noted. The message says which.
        """
        return await self._carry_out(lambda: self._gates.derive(name, text), consent)

    async def undo(self, consent: Consent) -> Done:
        """Take the newest change of this device back, by the same path; Forbidden if there is none, or a gate is
        shut today; errors as `change` has them."""
        return await self._carry_out(self._derive_undo, consent)

    async def _derive_undo(self, *, dry_run: bool = False) -> WritePlan:
        change = self.audit.last_change(self.link.device.address)
        if change is None:
            raise Forbidden(f"nothing that was changed on {self._gates.name} can be taken back ({self.audit.path})")
        return await self._gates.derive_back(change, dry_run=dry_run)

    async def _carry_out(self, derive: Derive, consent: Consent) -> Done:
        agreed = await derive()
        if not await consent(agreed):
            raise Forbidden(f"{agreed.control.name} of {self._gates.name} was not changed: no consent")
        plan = await derive()
        if plan != agreed:
            raise Forbidden(self._moved(agreed, plan))
        intent = self._note_intent(plan)
        held = await self._write(plan, intent)
        self._prove(plan, intent, held)
        return Done(plan, held)

    def _moved(self, agreed: WritePlan, now: WritePlan) -> str:
        """Say in words what is no longer as it was agreed to."""
        what = f"{agreed.control.name} of {self._gates.name}"
        if now.undoes != agreed.undoes:
            return f"another change of {self._gates.name} was made while you were asked: nothing was written"
        if now.old != agreed.old:
            change = f"it was {_text(agreed.old, agreed.row)}, now it is {_text(now.old, now.row)}"
            return f"{what} changed while you were asked: {change}; nothing was written"
        return f"{what} has other limits or another form than when you were asked: nothing was written; look again"

    # write and read back

    async def _write(self, plan: WritePlan, intent: AuditRecord) -> RegisterValue | None:
        """Send it and read it back; what goes wrong is noted with what is known of it, and raised."""
        sent = False
        try:
            await self._writer.write(plan.row.id, plan.raw, plan.instance)
            sent = True
            return None if plan.control.command else await self.link.get(plan.row.id, plan.instance)
        except (DeviceRefused, LinkError) as error:
            if isinstance(error, DeviceRefused) and not sent:
                raise self._noted(intent, "refused", error) from error
            doubt = f"whether {plan.control.name} is {_text(plan.new, plan.row)} now is not known: read it again"
            raise self._noted(intent, "unknown", _saying(error, doubt)) from error

    def _prove(self, plan: WritePlan, intent: AuditRecord, held: RegisterValue | None) -> None:
        """Compare what is held with what was written, and note it; DeviceRefused where they differ."""
        if held is None or _holds(held, plan):
            self._note_done(plan, intent, held)
            return
        error = DeviceRefused(
            f"{self._gates.name} holds {_text(held.value, plan.row)} after {_text(plan.new, plan.row)} was written to"
            f" {plan.control.name}",
            register=plan.row.id, code=ResultCode.NOT_ACCEPTABLE,
        )  # fmt: skip
        raise self._noted(intent, "differs", error, held)

    # the rows

    def _note_intent(self, plan: WritePlan) -> AuditRecord:
        """Put the intent on the disk; ConfigError, with nothing sent, where that is impossible."""
        entry = AuditRecord(
            at=self._clock(),
            id=secrets.token_hex(8),
            event="intent",
            device=self.link.device.address,
            name=self.link.device.name or "",
            control=plan.control.name,
            register=plan.row.id_text,
            instance=plan.instance,
            old=plan.before.raw.hex() if plan.before else None,
            new=plan.raw.hex(),
            undoes=plan.undoes,
        )
        try:
            self.audit.append(entry)
        except ConfigError as error:
            raise ConfigError(f"{error}; nothing was written to {self._gates.name}", path=error.path) from error
        return entry

    def _note_done(self, plan: WritePlan, intent: AuditRecord, held: RegisterValue | None) -> None:
        try:
            self.audit.append(self._result(intent, "done", held))
        except ConfigError as error:
            new = "done" if held is None else f"now {_text(held.value, plan.row)}, before {_text(plan.old, plan.row)}"
            raise ConfigError(
                f"{plan.control.name} of {self._gates.name} was written ({new}), but that could not be noted: {error}",
                path=error.path,
            ) from error

    def _noted(self, intent: AuditRecord, outcome: str, error: _Error, held: RegisterValue | None = None) -> _Error:
        """Note how a write failed and return its error; where noting fails too, the error says so."""
        try:
            self.audit.append(self._result(intent, outcome, held, "" if held else str(error)))
        except ConfigError as full:
            return _saying(error, f"and that could not be noted: {full}")
        return error

    def _result(self, intent: AuditRecord, outcome: str, held: RegisterValue | None, detail: str = "") -> AuditRecord:
        read_back = held.raw.hex() if held else None
        return msgspec.structs.replace(
            intent, at=self._clock(), event="result", outcome=outcome, read_back=read_back, detail=detail
        )


def _saying(error: _Error, more: str) -> _Error:
    """Return the same error with more to say; a link shares one object among all who wait, so it is a copy."""
    longer = type(error).__new__(type(error), f"{error}; {more}")
    vars(longer).update(vars(error))
    return longer


def _holds(held: RegisterValue, plan: WritePlan) -> bool:
    return held.raw == plan.raw or (bool(plan.control.longest) and held.value == plan.new)


def _text(value: Any, row: Register) -> str:
    return f"{value} {row.unit}".rstrip()
