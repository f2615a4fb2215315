"""The gates before a write: from a name and a text to a `WritePlan`, each time by what the device holds.

    known control → allowed by the settings → a word, text or number in range → possible now → fits the register

Every gate raises Forbidden with what to do. What is not a row of `tables.controls` cannot pass the first one, whatever
the caller says. An undo is a wish like any other: the value that the device had before passes the same gates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import msgspec

from bluewatt.errors import DeviceRefused, Forbidden, LinkTimeout, Unencodable
from bluewatt.model.ports import Link
from bluewatt.model.register_values import RegisterValue, explain_register
from bluewatt.services.audit import AuditedChange
from bluewatt.tables.controls import CONTROLS, NOMINAL, SYSTEM_VOLTAGES, Control, control, controls_of
from bluewatt.tables.registers import Register, code_type
from bluewatt.wire.registers.values import encode_value
from bluewatt.wire.victronconnect.grammar import build_message
from bluewatt.wire.victronconnect.messages import SetValues

_SYSTEM = ("battery_voltage_setting", "system_voltage", "battery_voltage")

Limits = tuple[float, float]
"""Lowest and highest number, in the unit of the register."""


class WritePlan(msgspec.Struct, frozen=True):
    """One write that passed the gates: what a person is asked to agree to. It is shown, and never taken back in."""

    control: Control
    row: Register
    instance: int
    raw: bytes
    new: Any
    """The value in the unit of the row."""
    before: RegisterValue | None
    """What the device holds now; None for a command."""
    undoes: str = ""
    """The audit id of the change that this one undoes."""
    no_way_back: str = ""
    """Why an undo will not be able to put back what the device holds now; empty if it will."""

    @property
    def message(self) -> bytes:
        """The bytes of the write."""
        return build_message(SetValues(self.instance, ((self.row.id, self.raw),)))

    @property
    def old(self) -> Any:
        """The value now, in the unit of the row."""
        return self.before.value if self.before else None


class Wish(msgspec.Struct, frozen=True):
    """A value to be written: as the register encodes it, and as people write it."""

    content: Any
    shown: Any


class Gates:
    """The gates of one link; `allowed` holds the names of the controls that the settings allow to be written.

    `how_to_allow` returns what to do so that a control may be written.
    """

    def __init__(self, link: Link, *, allowed: Collection[str], how_to_allow: Callable[[str], str]) -> None:
        self._link = link
        self._allowed = allowed
        self._how_to_allow = how_to_allow

    @property
    def name(self) -> str:
        """The name of the device in a sentence."""
        return self._link.device.name or self._link.device.address

    async def derive(self, name: str, text: str, *, dry_run: bool = False) -> WritePlan:
        """Turn a control's name and a person's text into a plan; Forbidden if a gate is shut.

        A dry run passes the gate of permission, since nothing will be written.
        """
        row, before = await self._known(name)
        if not dry_run:
            self._check_allowed(row)
        return await self._plan(row, before, self._read_wish(row, text))

    async def derive_back(self, change: AuditedChange, *, dry_run: bool = False) -> WritePlan:
        """Plan to put back what a change replaced; Forbidden if that could not be written today."""
        intent = change.intent
        row, before = await self._known(intent.control)
        if not dry_run:
            self._check_allowed(row)
        raw = _raw_of(intent.old)
        if raw is None or intent.register != row.row(self._link.family).id_text:
            raise Forbidden(f"the audit row {intent.id} of {row.name} is damaged: nothing can be taken back by it")
        plan = await self._plan(row, before, self._former(row, raw), undoes=intent.id)
        padding = b"\0" if row.longest else b""  # a text may have been padded
        if plan.raw.rstrip(padding) != raw.rstrip(padding):
            raise Forbidden(f"{row.name} of {self.name} is no longer what it was: it cannot be put back")
        return plan

    async def _plan(self, row: Control, before: RegisterValue | None, wish: Wish, undoes: str = "") -> WritePlan:
        limits = await self._limits(row)
        self._check_range(row, wish, limits)
        await self._check_needs(row)
        raw = self._encode(row, wish, before)
        instance = before.instance if before and before.instance is not None else self._link.data_instance
        lost = self._no_way_back(row, before, limits)
        return WritePlan(row, row.row(self._link.family), instance, raw, wish.shown, before, undoes, lost)

    # known and allowed

    async def _known(self, name: str) -> tuple[Control, RegisterValue | None]:
        family = self._link.family
        row = control(name, family)
        if row is None:
            there = ", ".join(one.name for one in controls_of(family)) or "nothing"
            of = "" if all(one.name != name for one in CONTROLS) else f" of the family {family}"
            raise Forbidden(f"{name!r} is not a control{of}: {self.name} has {there}")
        return row, None if row.command else await self._link.get(row.row(family).id)

    def _check_allowed(self, row: Control) -> None:
        if row.name not in self._allowed:
            raise Forbidden(
                f"{row.name} of {self.name} was not changed, since the settings do not allow it:"
                f" {self._how_to_allow(row.name)}"
            )

    # the wish

    def _read_wish(self, row: Control, text: str) -> Wish:
        """Read what a person typed."""
        if row.words:
            word = text.lower()
            if word not in row.words:
                raise Forbidden(f"{row.name} is one of {', '.join(row.words)}, not {text!r}")
            return Wish(row.words[word], word)
        if row.longest:
            return _checked_text(row, text)
        try:
            number = float(text)
        except ValueError:
            raise Forbidden(f"{row.name} is a number, not {text!r}") from None
        return Wish(number, number)

    def _former(self, row: Control, raw: bytes) -> Wish:
        """Read what a device held as a wish; Forbidden for "not available" and for what may never be written."""
        register = row.row(self._link.family)
        found = explain_register(register.id, raw, self._link.family)
        if row.command or found.problem or found.value in (None, ""):
            raise Forbidden(f"{row.name} of {self.name} had no value before: there is nothing to put back")
        if row.words:
            return self._former_word(row, register, int(found.value))
        if row.longest:
            # As it is on the device: `found` shows control characters in a way that can be printed.
            return _checked_text(row, raw.rstrip(b"\0").decode("utf-8", "backslashreplace"))
        return Wish(found.value, found.value)

    def _former_word(self, row: Control, register: Register, number: int) -> Wish:
        word = next((word for word, sent in row.words.items() if sent == number), None)
        if word is not None:
            return Wish(number, word)
        code = code_type(register.enum)(number)
        if row.restores_named and code.known:
            return Wish(number, code.key)
        raise Forbidden(f"{row.name} of {self.name} was {number} before, which Bluewatt does not write")

    # in range and possible now

    async def _limits(self, row: Control) -> Limits:
        low = row.low if row.low is not None else float("-inf")
        high = row.high if row.high is not None else float("inf")
        if row.high_register:
            with suppress(DeviceRefused, LinkTimeout):
                most = (await self._link.get(row.high_register)).value
                high = min(high, most) if most is not None else high
        if row.per_nominal:
            factor = await self._system_voltage() / NOMINAL
            low, high = low * factor, high * factor
        return low, high

    async def _system_voltage(self) -> float:
        for name in _SYSTEM:
            with suppress(DeviceRefused, LinkTimeout, Unencodable):
                measured = (await self._link.get(name)).value
                if isinstance(measured, int | float) and measured >= SYSTEM_VOLTAGES[0] * 0.75:
                    return min(SYSTEM_VOLTAGES, key=lambda volts: abs(volts - measured))
        raise Forbidden(f"{self.name} does not give its system voltage, so no charge voltage is known to be safe")

    def _check_range(self, row: Control, wish: Wish, limits: Limits) -> None:
        low, high = limits
        if row.words or row.longest or low <= wish.content <= high:
            return
        unit = row.row(self._link.family).unit
        raise Forbidden(f"{row.name} of {self.name} may be {low:g} to {high:g} {unit}, not {wish.content:g} {unit}")

    async def _check_needs(self, row: Control) -> None:
        if row.needs is None:
            return
        register, wanted = row.needs
        held = (await self._link.get(register)).value
        if held is None or int(held) != wanted:
            raise Forbidden(
                f"{row.name} counts only while {register} is user-defined (it is {held}): first run"
                f" bluewatt set DEVICE {register}=user"
            )

    def _no_way_back(self, row: Control, before: RegisterValue | None, limits: Limits) -> str:
        """Say why an undo would be refused, as far as that is known now."""
        if before is None:
            return "a command cannot be taken back"
        try:
            self._check_range(row, self._former(row, before.raw), limits)
        except Forbidden as error:
            return str(error)
        return ""

    def _encode(self, row: Control, wish: Wish, before: RegisterValue | None) -> bytes:
        register = row.row(self._link.family)
        if row.command:
            return encode_value(register, None)
        width = len(before.raw) if before and register.size else None  # a device wants the length it uses itself
        try:
            return encode_value(register, wish.content, width=width)
        except Unencodable as error:
            raise Forbidden(str(error)) from error


def _checked_text(row: Control, text: str) -> Wish:
    if not text.strip() or not text.isprintable() or len(text.encode()) > row.longest:
        raise Forbidden(f"{row.name} is a text of 1 to {row.longest} bytes, without control characters")
    return Wish(text, text)


def _raw_of(digits: str | None) -> bytes | None:
    """Return the bytes of hex digits; None for none and for a text that is no hex."""
    try:
        return bytes.fromhex(digits) if digits is not None else None
    except ValueError:
        return None
