"""PINs as people write them. Pure, so that a PIN is checked before a radio is opened."""

from __future__ import annotations

from bluewatt.errors import PairingFailed
from bluewatt.secret import SecretText

PIN_DIGITS = 6
"""Digits of a PIN."""


def parse_pin(text: str) -> SecretText:
    """Return a PIN, a text of six digits; raises PairingFailed (reason "pin") for any other, without repeating it."""
    pin = SecretText(text.strip())
    if not pin.isascii() or not pin.isdigit():
        raise PairingFailed(f"a PIN is a text of {PIN_DIGITS} digits, such as 014916", reason="pin")
    if len(pin) < PIN_DIGITS:
        zeros = "0" * (PIN_DIGITS - len(pin))
        raise PairingFailed(
            f"a PIN has {PIN_DIGITS} digits and this one has {len(pin)}: if leading zeros were lost on the way"
            f" (PINs are text, write them in quotes), it is {zeros}{'N' * len(pin)}, N being what you gave",
            reason="pin",
        )
    if len(pin) > PIN_DIGITS:
        raise PairingFailed(f"a PIN has {PIN_DIGITS} digits and this one has {len(pin)}", reason="pin")
    return pin
