"""The agent that types a PIN for BlueZ. Linux only: it talks to the system bus.

BlueZ asks the default agent for a passkey when a device "displays" one. Ours is the default agent while one device
pairs, answers for that device alone, refuses whatever would pair it without a passkey, and is gone afterwards.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Protocol

from bluewatt.errors import AdapterUnavailable, PairingFailed

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus

_BLUEZ = "org.bluez"
_MANAGER = "org.bluez.AgentManager1"
_PLACE = "/bluewatt/agent"
_CAPABILITY = "KeyboardOnly"
_REJECTED = "org.bluez.Error.Rejected"


class Agent(Protocol):
    """What a pairing wants to know of the agent."""

    asked: int
    """How often the device wanted the PIN."""


def make_agent(device: str, pin: str) -> Any:
    """The agent of a device of this D-Bus path. A function, so that nothing but BlueZ needs the library for D-Bus."""
    from dbus_fast import DBusError
    from dbus_fast.service import ServiceInterface, dbus_method

    class PinAgent(ServiceInterface):
        """org.bluez.Agent1; the texts in place of types are D-Bus signatures, as dbus-fast wants them."""

        def __init__(self, device: str, pin: str) -> None:
            super().__init__("org.bluez.Agent1")
            self.asked = 0
            """How often the device wanted the PIN."""
            self._device = device
            self._passkey = int(pin)

        @dbus_method()
        def RequestPasskey(self, device: "o") -> "u":  # type: ignore[name-defined] # noqa: F821, N802
            """Type the PIN."""
            self._refuse_others(device)
            self.asked += 1
            return self._passkey

        @dbus_method()
        def DisplayPasskey(self, device: "o", passkey: "u", entered: "q"):  # type: ignore[name-defined,no-untyped-def] # noqa: F821, N802
            """A device with a keyboard: no Victron device."""
            raise DBusError(_REJECTED, "only passkeys are typed here")

        @dbus_method()
        def RequestConfirmation(self, device: "o", passkey: "u"):  # type: ignore[name-defined,no-untyped-def] # noqa: F821, N802
            """Pairing without passkey would not be authenticated."""
            raise DBusError(_REJECTED, "only passkeys are typed here")

        @dbus_method()
        def RequestAuthorization(self, device: "o"):  # type: ignore[name-defined,no-untyped-def] # noqa: F821, N802
            """Likewise."""
            raise DBusError(_REJECTED, "only passkeys are typed here")

        @dbus_method()
        def Cancel(self):  # type: ignore[no-untyped-def] # noqa: N802
            """The device or BlueZ gave up; the pairing call tells."""

        @dbus_method()
        def Release(self):  # type: ignore[no-untyped-def] # noqa: N802
            """BlueZ lets the agent go."""

        def _refuse_others(self, device: str) -> None:
            if device != self._device:
                raise DBusError(_REJECTED, "another device is being paired")

    return PinAgent(device, pin)


@contextlib.asynccontextmanager
async def standing_by(device: str, pin: str) -> AsyncIterator[Agent]:
    """The agent for the device of this D-Bus path, registered while the context is open.

    AdapterUnavailable where there is no system bus, PairingFailed where BlueZ takes no agent.
    """
    from dbus_fast import BusType, DBusError
    from dbus_fast.aio import MessageBus

    try:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    except (OSError, EOFError, DBusError) as error:
        raise AdapterUnavailable("the system bus cannot be reached; start D-Bus", reason="bus") from error
    agent = make_agent(device, pin)
    bus.export(_PLACE, agent)
    try:
        await _call(bus, "RegisterAgent", "os", [_PLACE, _CAPABILITY])
        await _call(bus, "RequestDefaultAgent", "o", [_PLACE])
        yield agent
    finally:
        with contextlib.suppress(PairingFailed, OSError, EOFError):
            await _call(bus, "UnregisterAgent", "o", [_PLACE])
        bus.disconnect()


async def _call(bus: "MessageBus", member: str, signature: str, body: list[str]) -> None:
    from dbus_fast import Message, MessageType

    reply = await bus.call(
        Message(
            destination=_BLUEZ, path="/org/bluez", interface=_MANAGER, member=member, signature=signature, body=body
        )
    )
    if reply.message_type is MessageType.ERROR:
        raise PairingFailed(
            f"the Bluetooth service takes no pairing agent ({reply.error_name}); restart it", reason="agent"
        )
