"""Pairing on the device's side: the PIN is the passkey, nothing weaker is accepted, bonds outlive the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bumble.device import Connection, Device
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from bluewatt.transports.virtual.bonds import Bonds, Passkey


class Label(PairingDelegate):
    """A device with its PIN on a label: it "displays" the passkey, the client's user types it."""

    def __init__(self, pin: Callable[[], str]) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)
        self._pin = pin

    async def generate_passkey(self) -> int:
        """The PIN of the moment."""
        return Passkey(self._pin())

    async def display_number(self, number: int, digits: int) -> None:
        """It is on the label already."""

    async def confirm(self, auto: bool = False) -> bool:
        """Asked for when no passkey would be used ("just works"): refused, the link would not be authenticated."""
        return False

    async def compare_numbers(self, number: int, digits: int) -> bool:
        """A label cannot show another number."""
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
    """What a change of PIN does: every client has to pair again."""
    if device.keystore is not None:
        await device.keystore.delete_all()
