"""Pair with the PIN of a device on each kind of Bluetooth system, and say what a failed pairing means.

The PIN is the passkey of Bluetooth's passkey entry: the device "displays" it (on its label), this side types it
(protocol page victronconnect-gatt, section 3). On BlueZ an agent of ours types it; the virtual adapter types it itself;
macOS and Windows ask their user in a window of their own, which no program can answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from bleak import BleakClient
from bleak.exc import BleakDBusError

from bluewatt.errors import LinkError, LinkLost, PairingFailed
from bluewatt.transports.ble.central import Central, NearbyDevice
from bluewatt.transports.ble.link_errors import LinkErrors, wrong_pin

if TYPE_CHECKING:  # see central
    from bluewatt.transports.virtual.bleak_backend import VirtualAdapter

PAIRING = 30.0
"""Seconds a pairing may take; the Bluetooth specification ends a silent one after thirty."""

Notice = Callable[[str], None]
"""What is called with a sentence about what the user has to do meanwhile."""

_WRONG_PIN = ("CONFIRM_VALUE_FAILED", "DHKEY_CHECK_FAILED")
_CANCELLED = ("PASSKEY_ENTRY_FAILED", "TIMEOUT")


class Pairing(Protocol):
    """How one Bluetooth system pairs and keeps bonds."""

    async def bonded(self, nearby: NearbyDevice) -> bool:
        """Return whether this computer has a bond with the device."""
        ...

    async def pair(self, client: BleakClient, nearby: NearbyDevice, pin: str) -> None:
        """Pair a connected device; raises PairingFailed with the reason."""
        ...

    async def forget(self, client: BleakClient | None, nearby: NearbyDevice) -> None:
        """Drop this computer's side of the bond."""
        ...


def pairing_of(central: Central, notice: Notice | None = None) -> Pairing:
    """Return the way in which the system of a central pairs."""
    if central.virtual:
        return VirtualPairing(central.virtual)
    return BluezPairing() if sys.platform == "linux" else SystemPairing(notice or _say_nothing)


def _say_nothing(sentence: str) -> None:
    return


class VirtualPairing:
    """Pairing of the virtual adapter, which types the PIN it is given."""

    def __init__(self, adapter: VirtualAdapter) -> None:
        self._adapter = adapter

    async def bonded(self, nearby: NearbyDevice) -> bool:
        """Return whether the adapter's key store has the device."""
        keystore = self._adapter.device.keystore
        return keystore is not None and await keystore.get(self._peer(nearby)) is not None

    async def pair(self, client: BleakClient, nearby: NearbyDevice, pin: str) -> None:
        """Pair; raises PairingFailed with what the stack says of the failure."""
        own, self._adapter.pin = self._adapter.pin, pin
        try:
            with _translated(nearby.label):
                async with asyncio.timeout(PAIRING):
                    await client.pair()
        finally:
            self._adapter.pin = own  # the PIN of one device is not typed for another

    async def forget(self, client: BleakClient | None, nearby: NearbyDevice) -> None:
        """Delete the bond from the key store."""
        if self._adapter.device.keystore:
            with contextlib.suppress(KeyError):
                await self._adapter.device.keystore.delete(self._peer(nearby))

    def _peer(self, nearby: NearbyDevice) -> str:
        return str(nearby.handle.details)  # bumble's address, as its key store spells it


class BluezPairing:
    """Pairing on BlueZ: an agent on the system bus types the PIN, for this device only and only while it pairs."""

    async def bonded(self, nearby: NearbyDevice) -> bool:
        """Return what BlueZ said of the device when it was heard."""
        return bool(_properties(nearby).get("Paired", False))

    async def pair(self, client: BleakClient, nearby: NearbyDevice, pin: str) -> None:
        """Pair while the agent is registered; raises PairingFailed."""
        agents: Any = import_module("bluewatt.transports.ble.bluez.agent")  # D-Bus is Linux's alone
        async with agents.agent_for(nearby.handle.details["path"], pin) as agent:
            with _translated(nearby.label, asked=lambda: bool(agent.asked)):
                async with asyncio.timeout(PAIRING):
                    await client.pair()

    async def forget(self, client: BleakClient | None, nearby: NearbyDevice) -> None:
        """Remove the device from BlueZ, bond and all."""
        with contextlib.suppress(*LinkErrors):
            await (client or BleakClient(nearby.handle)).unpair()


class SystemPairing:
    """Pairing on macOS and Windows, where the system asks for the PIN in a window and does not show its bonds."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice

    async def bonded(self, nearby: NearbyDevice) -> bool:
        """Return True: the system does not say, and asks for the PIN itself if it needs it."""
        return True

    async def pair(self, client: BleakClient, nearby: NearbyDevice, pin: str) -> None:
        """Tell the user about the window, and let the system pair; raises PairingFailed."""
        self._notice(f"the system asks for the PIN of {nearby.label} in a window of its own: type it there")
        with contextlib.suppress(NotImplementedError), _translated(nearby.label):
            async with asyncio.timeout(PAIRING):
                await client.pair()

    async def forget(self, client: BleakClient | None, nearby: NearbyDevice) -> None:
        """Raise PairingFailed: only the user can remove the bond, in the Bluetooth settings."""
        raise PairingFailed(
            f"{nearby.label} no longer knows this computer: remove it in the system's Bluetooth settings and try again",
            reason="bond",
        )


def _properties(nearby: NearbyDevice) -> dict[str, Any]:
    details = nearby.handle.details
    return details.get("props", {}) if isinstance(details, dict) else {}


@contextlib.contextmanager
def _translated(name: str, asked: Callable[[], bool] | None = None) -> Iterator[None]:
    """Raise errors of a pairing as those of our tree; `asked` says whether the device wanted the PIN."""
    try:
        yield
    except TimeoutError as error:
        raise _failed(name, "timeout") from error
    except BleakDBusError as error:
        raise _of_bluez(name, error, asked=asked is not None and asked()) from error
    except LinkErrors as error:
        raise _of_text(name, str(error)) from error


_BLUEZ = {
    "org.bluez.Error.AuthenticationCanceled": "cancelled",
    "org.bluez.Error.AuthenticationRejected": "rejected",
    "org.bluez.Error.AuthenticationTimeout": "timeout",
    "org.bluez.Error.ConnectionAttemptFailed": "timeout",
    "org.freedesktop.DBus.Error.NoReply": "timeout",
}

_SENTENCES = {
    "timeout": "{name} did not finish pairing in time: go nearer, and close other apps that are connected to it",
    "cancelled": "pairing with {name} was broken off: the signal is weak here; go nearer and try again",
    "rejected": "{name} does not pair now: switch it off and on, and check that pairing is enabled on it",
}


def _failed(name: str, reason: str) -> PairingFailed:
    return PairingFailed(_SENTENCES[reason].format(name=name), reason=reason)


def _of_bluez(name: str, error: BleakDBusError, *, asked: bool) -> LinkError:
    if error.dbus_error == "org.bluez.Error.AuthenticationFailed":
        return wrong_pin(name) if asked else _failed(name, "rejected")
    return _failed(name, _BLUEZ.get(error.dbus_error, "rejected"))


def _of_text(name: str, text: str) -> LinkError:
    upper = text.upper()
    if any(word in upper for word in _WRONG_PIN):
        return wrong_pin(name)
    if any(word in upper for word in _CANCELLED):
        return _failed(name, "cancelled")
    if "not connected" in text.lower():
        return LinkLost(f"{name} disconnected while pairing: go nearer and try again")
    return _failed(name, "rejected")
