"""The agent that types a PIN for BlueZ. Linux only: it talks to the system bus.

BlueZ asks the default agent for a passkey when a device "displays" one. Ours is the default agent while one device
pairs, answers for that device alone, refuses to pair without a passkey, and is unregistered afterwards.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol

from bleak.exc import BleakDBusError

from bluewatt.errors import PairingFailed
from bluewatt.transports.ble.adapter_errors import adapter_unavailable
from bluewatt.transports.ble.bluez.bus import call, open_system_bus

_MANAGER = "org.bluez.AgentManager1"
_MANAGER_PLACE = "/org/bluez"
_PLACE = "/bluewatt/agent"
_CAPABILITY = "KeyboardOnly"
_REJECTED = "org.bluez.Error.Rejected"


class Agent(Protocol):
    """An agent, as far as a pairing asks about it."""

    asked: int
    """Number of times the device wanted the PIN."""


def make_agent(device: str, pin: str) -> Any:
    """Return the agent for the device of a D-Bus path. A function, so that only BlueZ needs the library for D-Bus."""
    from dbus_fast import DBusError
    from dbus_fast.service import ServiceInterface, dbus_method

    class PinAgent(ServiceInterface):
        """org.bluez.Agent1; the texts in place of types are D-Bus signatures, as dbus-fast wants them."""

        def __init__(self, device: str, pin: str) -> None:
            super().__init__("org.bluez.Agent1")
            self.asked = 0
            """Number of times the device wanted the PIN."""
            self._device = device
            self._passkey = int(pin)

        @dbus_method()
        def RequestPasskey(self, device: "o") -> "u":  # type: ignore[name-defined] # noqa: F821, N802
            """Return the PIN."""
            self._refuse_others(device)
            self.asked += 1
            return self._passkey

        @dbus_method()
        def DisplayPasskey(self, device: "o", passkey: "u", entered: "q"):  # type: ignore[name-defined,no-untyped-def] # noqa: F821, N802
            """Refuse a device with a keyboard, which no Victron device has."""
            raise DBusError(_REJECTED, "only passkeys are typed here")

        @dbus_method()
        def RequestConfirmation(self, device: "o", passkey: "u"):  # type: ignore[name-defined,no-untyped-def] # noqa: F821, N802
            """Refuse to pair without a passkey, which would not be authenticated."""
            raise DBusError(_REJECTED, "only passkeys are typed here")

        @dbus_method()
        def RequestAuthorization(self, device: "o"):  # type: ignore[name-defined,no-untyped-def] # noqa: F821, N802
            """Refuse to pair without a passkey, too."""
            raise DBusError(_REJECTED, "only passkeys are typed here")

        @dbus_method()
        def Cancel(self):  # type: ignore[no-untyped-def] # noqa: N802
            """Do nothing: the device or BlueZ gave up, and the pairing call reports it."""

        @dbus_method()
        def Release(self):  # type: ignore[no-untyped-def] # noqa: N802
            """Do nothing: BlueZ lets the agent go."""

        def _refuse_others(self, device: str) -> None:
            if device != self._device:
                raise DBusError(_REJECTED, "another device is being paired")

    return PinAgent(device, pin)


@contextlib.asynccontextmanager
async def agent_for(device: str, pin: str) -> AsyncIterator[Agent]:
    """Register an agent for the device of this D-Bus path while the context is open.

    Raises AdapterUnavailable if there is no system bus, PairingFailed if BlueZ takes no agent.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            bus = await stack.enter_async_context(open_system_bus())
        except (OSError, EOFError) as error:
            raise adapter_unavailable(error) from error
        agent = make_agent(device, pin)
        bus.export(_PLACE, agent)
        stack.push_async_callback(_unregister, bus)
        try:
            await call(bus, _MANAGER_PLACE, _MANAGER, "RegisterAgent", "os", [_PLACE, _CAPABILITY])
            await call(bus, _MANAGER_PLACE, _MANAGER, "RequestDefaultAgent", "o", [_PLACE])
        except BleakDBusError as error:
            raise PairingFailed(
                f"the Bluetooth service takes no pairing agent ({error.dbus_error}); restart it", reason="agent"
            ) from error
        yield agent


async def _unregister(bus: Any) -> None:
    with contextlib.suppress(BleakDBusError, OSError, EOFError):
        await call(bus, _MANAGER_PLACE, _MANAGER, "UnregisterAgent", "o", [_PLACE])
