"""Consent on the terminal: a person sees what is to be written, then types yes."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from bluewatt.errors import Forbidden
from bluewatt.model.display import plain_text
from bluewatt.model.identity import Device
from bluewatt.services.commander import Consent
from bluewatt.services.write_gates import WritePlan

QUESTION = "Type yes to change it: "
"""The text before the answer."""


def consent_of(device: Device, *, yes: bool) -> Consent:
    """Return the function that asks for consent to a write on a device; with `yes` it agrees without asking."""
    return _agreed if yes else partial(_ask, device)


async def _agreed(plan: WritePlan) -> bool:
    return True


async def _ask(device: Device, plan: WritePlan) -> bool:
    """Show the plan and wait for an answer; raise Forbidden if nobody is at the terminal to give one."""
    if not sys.stdin.isatty():
        raise Forbidden(f"{plan.control.name} was not changed: run this on a terminal to consent, or add --yes")
    print(f"{device.name or device.address}: {plan.control.name}", file=sys.stderr)
    print(f"  {plain_text(plan.old)} → {plain_text(plan.new)} {plan.row.unit}".rstrip(), file=sys.stderr)
    print(f"  {plan.control.risk}", file=sys.stderr)
    if plan.no_way_back:
        print(f"  --undo will not take it back: {plan.no_way_back}", file=sys.stderr)
    _discard_typed()
    print(QUESTION, end="", file=sys.stderr, flush=True)
    return (await _typed_line()).strip().lower() == "yes"


def _discard_typed() -> None:
    """Discard what was typed so far: it cannot answer a question that nobody has seen."""
    try:
        import termios
    except ModuleNotFoundError:  # Windows
        import msvcrt

        while msvcrt.kbhit():  # type: ignore[attr-defined]
            msvcrt.getwch()  # type: ignore[attr-defined]
        return
    termios.tcflush(sys.stdin, termios.TCIFLUSH)


async def _typed_line() -> str:
    """Return a line from the terminal. The loop runs meanwhile: it keeps the link alive, and Ctrl-C ends the wait."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin, typed.set)
    except NotImplementedError:  # Windows
        return await asyncio.to_thread(sys.stdin.readline)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()
