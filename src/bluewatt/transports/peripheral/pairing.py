"""Pairing on the device's side: the PIN is the passkey, nothing weaker is accepted, bonds are kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bumble.device import Connection, Device
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from bluewatt.transports.virtual.bonds import Bonds, Passkey


class Label(PairingDelegate):
    """The part of a device with its PIN on a label: it "displays" the passkey, the client's user types it."""

    def __init__(self, pin: Callable[[], str]) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)
        self._pin = pin

    async def generate_passkey(self) -> int:
        """Return the PIN the device has now."""
        return Passkey(self._pin())

    async def display_number(self, number: int, digits: int) -> None:
        """Do nothing: the number is on the label."""

    async def confirm(self, auto: bool = False) -> bool:
        """Refuse to pair without a passkey ("just works"): the link would not be authenticated."""
        return False

    async def compare_numbers(self, number: int, digits: int) -> bool:
        """Refuse: a label cannot show another number."""
        return False


def prepare_pairing(device: Device, pin: Callable[[], str], bonds: Path | None) -> None:
    """Make a powered-on device pair by its PIN and keep bonds in a file, or in memory."""
    if bonds:
        bonds.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    device.keystore = Bonds(None, str(bonds)) if bonds else MemoryKeyStore()

    def config(connection: Connection) -> PairingConfig:
        # The random identity files the bond under the address the client reconnects to.
        return PairingConfig(
            sc=True,
            mitm=True,
            bonding=True,
            identity_address_type=PairingConfig.AddressType.RANDOM,
            delegate=Label(pin),
        )

    device.pairing_config_factory = config


async def forget_bonds(device: Device) -> None:
    """Delete all bonds, as a change of PIN does: every client has to pair again."""
    if device.keystore is not None:
        await device.keystore.delete_all()
