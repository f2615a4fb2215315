"""The one path by which anything is written to a device.

    known control → allowed by the settings → in range → consent → audit row → write → read back → audit row

Every gate raises Forbidden with what to do. What is not a row of `tables.controls` cannot pass the first one, whatever
the caller says; an undo passes the same gates with the value that the device itself told before.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

import msgspec

from bluewatt.errors import DeviceRefused, Forbidden, LinkError, LinkTimeout, Unencodable
from bluewatt.model.ports import Link
from bluewatt.model.registers import RegisterValue, explain_register
from bluewatt.services.audit import Audit, Change, Entry
from bluewatt.tables.controls import CONTROLS, MODES, NOMINAL, SYSTEM_VOLTAGES, Control, control, controls_of
from bluewatt.tables.gatt import ResultCode
from bluewatt.tables.registers import Register
from bluewatt.wire.values import encode_value
from bluewatt.wire.vreg import SetValues, build_message

Consent = Callable[["Plan"], Awaitable[bool]]
"""Asked once, with everything known; True lets the write happen. It is awaited, for the link must be kept alive while a
person thinks."""

_SYSTEM = ("battery_voltage_setting", "system_voltage", "battery_voltage")


class Plan(msgspec.Struct, frozen=True):
    """One write, checked but for permission and consent."""

    control: Control
    row: Register
    instance: int
    raw: bytes
    new: Any
    """The value in the unit of the row."""
    before: RegisterValue | None
    """What the device holds now; None for a command."""
    undoes: str = ""

    @property
    def message(self) -> bytes:
        """The bytes of the write."""
        return build_message(SetValues(self.instance, ((self.row.id, self.raw),)))

    @property
    def old(self) -> Any:
        """The value now, in the unit of the row."""
        return self.before.value if self.before else None


class Commander:
    """Writes to one open link, as far as `allowed` (names of controls) lets it; `clock` stamps the audit rows."""

    def __init__(
        self, link: Link, *, allowed: Collection[str], audit: Audit, clock: Callable[[], float] = time.time
    ) -> None:
        self._link = link
        self._allowed = allowed
        self._audit = audit
        self._clock = clock

    @property
    def _name(self) -> str:
        return self._link.device.name or self._link.device.address

    def mode_control(self) -> str:
        """The control that switches this device on and off; Forbidden where it has none."""
        names = [row.name for row in controls_of(self._link.family) if row.name in MODES]
        if not names:
            raise Forbidden(f"{self._name} has no mode that may be switched: its family is {self._link.family}")
        return names[0]

    async def plan(self, name: str, text: str, *, dry_run: bool = False) -> Plan:
        """Check a wish of a person; Forbidden for what is not listed, not allowed, out of range, or not possible now.

        A dry run asks for no permission, since nothing will be written; `execute` asks again.
        """
        row, before = await self._known(name)
        if not dry_run:
            self._check_allowed(row)
        number, value = await self._read_wish(row, text)
        raw = self._raw(row, number, before)
        instance = before.instance if before and before.instance is not None else self._link.data_instance
        return Plan(row, row.row(self._link.family), instance, raw, value, before)

    async def plan_undo(self, *, dry_run: bool = False) -> Plan:
        """The newest change of this device, the other way round; Forbidden where there is none to take back."""
        change = self._audit.last_change(self._link.device.address)
        if change is None or change.intent.old is None:
            raise Forbidden(f"nothing that was changed on {self._name} can be taken back ({self._audit.path})")
        row, before = await self._known(change.intent.control)
        if not dry_run:
            self._check_allowed(row)
        raw = bytes.fromhex(change.intent.old)
        return self._plan_back(change, row, before, raw)

    def _plan_back(self, change: Change, row: Control, before: RegisterValue | None, raw: bytes) -> Plan:
        if before is None or before.instance is None or (len(raw) != len(before.raw) and not row.longest):
            raise Forbidden(f"{row.name} of {self._name} is no longer what it was: it cannot be put back")
        value = explain_register(before.register, raw, self._link.family).value
        return Plan(row, row.row(self._link.family), before.instance, raw, value, before, change.intent.id)

    async def execute(self, plan: Plan, consent: Consent) -> RegisterValue | None:
        """Write, and prove it by reading back; returns what the device holds now (None after a command).

        Forbidden before anything was sent; DeviceRefused where the device said no or holds another value, LinkError
        where the link ended first: in each case the audit rows say so.
        """
        self._check_allowed(plan.control)
        if not await consent(plan):
            raise Forbidden(f"{plan.control.name} of {self._name} was not changed: no consent")
        intent = self._intent(plan)
        self._audit.append(intent)
        try:
            held = await self._write(plan)
        except (DeviceRefused, LinkError) as error:
            outcome = "refused" if isinstance(error, DeviceRefused) else "unknown"
            self._audit.append(self._result(intent, outcome, None, str(error)))
            raise
        differs = held is not None and not _holds(held, plan)
        self._audit.append(self._result(intent, "differs" if differs else "done", held))
        if differs and held is not None:
            raise DeviceRefused(
                f"{self._name} holds {_shown(held.value, plan.row)} after {_shown(plan.new, plan.row)} was written to"
                f" {plan.control.name}",
                register=plan.row.id, code=ResultCode.NOT_ACCEPTABLE,
            )  # fmt: skip
        return held

    async def _write(self, plan: Plan) -> RegisterValue | None:
        await self._link.set(plan.row.id, plan.raw, plan.instance)
        return None if plan.control.command else await self._link.get(plan.row.id, plan.instance)

    # the gates

    async def _known(self, name: str) -> tuple[Control, RegisterValue | None]:
        family = self._link.family
        row = control(name, family)
        if row is None:
            there = ", ".join(one.name for one in controls_of(family)) or "nothing"
            why = "is no control" if all(one.name != name for one in CONTROLS) else f"is none of a {family}'s"
            raise Forbidden(f"{name!r} {why}: on {self._name} may be written: {there}")
        return row, None if row.command else await self._link.get(row.row(family).id)

    def _check_allowed(self, row: Control) -> None:
        if row.name not in self._allowed:
            raise Forbidden(
                f'the settings allow only reading: to let {row.name} be written, put allow_writes = ["{row.name}"] into'
                " the settings file (config.toml), for all devices or for this one"
            )

    async def _read_wish(self, row: Control, text: str) -> tuple[Any, Any]:
        """What to encode, and the value to show."""
        if row.words:
            if text.lower() not in row.words:
                raise Forbidden(f"{row.name} is one of {', '.join(row.words)}, not {text!r}")
            await self._check_needs(row)
            return row.words[text.lower()], text.lower()
        if row.longest:
            return text, self._checked_text(row, text)
        number = await self._checked_number(row, text)
        await self._check_needs(row)
        return number, number

    def _checked_text(self, row: Control, text: str) -> str:
        if not text.strip() or not text.isprintable() or len(text.encode()) > row.longest:
            raise Forbidden(f"{row.name} is a text of 1 to {row.longest} bytes, without control characters")
        return text

    async def _checked_number(self, row: Control, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise Forbidden(f"{row.name} is a number, not {text!r}") from None
        low, high = await self._limits(row)
        unit = row.row(self._link.family).unit
        if not low <= number <= high:
            raise Forbidden(f"{row.name} of {self._name} may be {low:g} to {high:g} {unit}, not {number:g} {unit}")
        return number

    async def _limits(self, row: Control) -> tuple[float, float]:
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
                told = (await self._link.get(name)).value
                if isinstance(told, int | float) and told >= SYSTEM_VOLTAGES[0] * 0.75:
                    return min(SYSTEM_VOLTAGES, key=lambda volts: abs(volts - told))
        raise Forbidden(f"{self._name} does not tell its system voltage, so no charge voltage is known to be safe")

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

    def _raw(self, row: Control, number: Any, before: RegisterValue | None) -> bytes:
        register = row.row(self._link.family)
        if row.command:
            return encode_value(register, None)
        width = len(before.raw) if before and register.size else None  # a device wants the length it uses itself
        try:
            return encode_value(register, number, width=width)
        except Unencodable as error:
            raise Forbidden(str(error)) from error

    # the rows

    def _intent(self, plan: Plan) -> Entry:
        return Entry(
            at=self._clock(),
            id=secrets.token_hex(8),
            event="intent",
            device=self._link.device.address,
            name=self._link.device.name or "",
            control=plan.control.name,
            register=plan.row.id_text,
            instance=plan.instance,
            old=plan.before.raw.hex() if plan.before else None,
            new=plan.raw.hex(),
            undoes=plan.undoes,
        )

    def _result(self, intent: Entry, outcome: str, held: RegisterValue | None, detail: str = "") -> Entry:
        read_back = held.raw.hex() if held else None
        return msgspec.structs.replace(
            intent, at=self._clock(), event="result", outcome=outcome, read_back=read_back, detail=detail
        )


def _holds(held: RegisterValue, plan: Plan) -> bool:
    return held.raw == plan.raw or (bool(plan.control.longest) and held.value == plan.new)


def _shown(value: Any, row: Register) -> str:
    return f"{value} {row.unit}".rstrip()
