"""Connect to a device that was heard: dial it, pair or use the bond, and check that it shows its values.

A bond is the user's, and a device out of reach looks much like one that forgot us. So a bond counts as lost on evidence
only: the device or the system refused it expressly (`denies_bond`), or DROPS links in a row were up and then cut by the
other side. A time-out, a busy adapter or services that could not be listed prove nothing; the bond stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from bleak import BleakClient
from bleak.exc import BleakError, BleakGATTProtocolError

from bluewatt.errors import LinkLost, Malformed, PairingFailed
from bluewatt.transports.ble.central import Central, DeviceQuery, NearbyDevice
from bluewatt.transports.ble.channel import FIND, Channel
from bluewatt.transports.ble.link_errors import (
    LinkErrors,
    bond_lost,
    closed_to_bond,
    denies_bond,
    is_unpaired,
    link_lost,
    not_connected,
    pin_needed,
)
from bluewatt.transports.ble.pairing import Pairing

DROPS = 3
"""Links in a row that were up and cut by the device before it let us in, after which its bond is taken for lost."""


_log = logging.getLogger(__name__)


class OpenConnection(msgspec.Struct, frozen=True):
    """The client and the channel of a connection that was set up."""

    client: BleakClient
    channel: Channel


class _Dropped(LinkLost):
    """The link was up, with a bond, and the device cut it before it showed anything."""


class Dialler:
    """The way to a connection with one device; `connect` may be called again.

    `make_channel` chooses the service of a connected client, `lost` is called when a connection ends after it was set
    up.
    """

    def __init__(
        self,
        central: Central,
        pairing: Pairing,
        *,
        pin: str | None,
        find: float,
        make_channel: Callable[[BleakClient], Channel],
        lost: Callable[[BleakClient], None],
    ) -> None:
        self._central = central
        self._pairing = pairing
        self._pin = pin
        self._find = find
        self._make_channel = make_channel
        self._lost = lost
        self._drops = 0  # of the tries before
        self._cuts = 0  # of links that were up in the present try
        self._trying: asyncio.Task[Any] | None = None
        self._limit = asyncio.timeout(None)
        self._client: BleakClient | None = None

    async def connect(self, nearby: NearbyDevice) -> OpenConnection:
        """Return a connection that shows values; raises PairingFailed, LinkLost or LinkTimeout."""
        bonded = await self._pairing.bonded(nearby)
        if not bonded and self._pin is None:
            # Not even dialled: BlueZ would try to pair without an agent and take twenty seconds to give up.
            raise pin_needed(nearby.label)
        try:
            return await (self._with_bond(nearby) if bonded else self._once(nearby, bonded=False))
        except PairingFailed as error:
            if error.reason != "bond" or self._pin is None:
                await self._hang_up()
                raise
            return await self._pair_again(nearby)
        except BaseException:
            await self._hang_up()
            raise

    async def _with_bond(self, nearby: NearbyDevice) -> OpenConnection:
        """Connect, again if the link dropped: the first drop is bad reception, DROPS of them are a lost bond."""
        self._drops = 0
        while True:
            try:
                return await self._once(nearby, bonded=True)
            except _Dropped:
                await self._hang_up()

    async def _pair_again(self, nearby: NearbyDevice) -> OpenConnection:
        """Drop a bond that the device does not accept, look for the device again, and pair."""
        client, self._client = self._client, None
        await self._pairing.forget(client, nearby)
        await disconnect(client)
        heard = await self._central.find(DeviceQuery(address=nearby.address), seconds=self._find)
        return await self._once(heard, bonded=False)

    async def _once(self, nearby: NearbyDevice, *, bonded: bool) -> OpenConnection:
        _log.info("connecting to %s", nearby.label)
        client = self._client = await self._dial(nearby, bonded=bonded)
        if not bonded and self._pin is not None:
            _log.info("pairing with %s", nearby.label)
            await self._pairing.pair(client, nearby, self._pin)
            _log.debug("paired with %s", nearby.label)
        channel = self._make_channel(client)
        await self._check_access(client, channel, nearby.label, bonded=bonded)
        _log.debug("connected to %s%s", nearby.label, ", paired before" if bonded else "")
        self._client = None
        return OpenConnection(client, channel)

    async def _dial(self, nearby: NearbyDevice, *, bonded: bool) -> BleakClient:
        dialling = self._watched(nearby.label, bonded=bonded)
        try:
            return await self._central.dial(nearby, self._on_disconnected, dialling)
        except LinkErrors as error:
            if bonded and denies_bond(error):
                raise bond_lost(nearby.label) from error
            raise not_connected(nearby.label, error) from error

    def _watched(self, name: str, *, bonded: bool) -> type[BleakClient]:
        """Return a class that reports each attempt: the libraries try often and do not say why one failed."""
        base: Any = self._central.client_class
        dialler = self

        class Watched(base):  # type: ignore[misc] # whichever class records what passes
            async def connect(self, *arguments: Any, **options: Any) -> None:
                connecting = super().connect(*arguments, **options)
                await (dialler._try(name, connecting) if bonded else connecting)

        return Watched

    async def _try(self, name: str, connecting: Awaitable[None]) -> None:
        """Await one attempt of the library; raises PairingFailed as soon as the bond is proved to be lost.

        The kernel cuts a link whose encryption failed, and all that BlueZ says of it is "le-connection-abort-by-local",
        as of bad reception. Bleak then dials again within the same try, silently, until the time of the try is over.
        """
        self._cuts, self._trying = 0, asyncio.current_task()
        try:
            async with asyncio.timeout(None) as self._limit:
                await connecting
        except (BleakError, TimeoutError) as error:
            self._judge(name, error)
            raise
        finally:
            self._trying = None
        self._drops += self._cuts  # what follows is the same row, until the device lets us in

    def _judge(self, name: str, error: BleakError | TimeoutError) -> None:
        """Raise PairingFailed if this failed attempt shows, with those before, that the device has lost its bond."""
        self._drops += self._cuts
        hung_up = isinstance(error, BleakGATTProtocolError | TimeoutError) and not self._limit.expired()
        if hung_up and self._cuts:
            self._drops -= 1  # the link was of use or too slow: this side may have cut it at the end
        if denies_bond(error) or self._drops >= DROPS:
            raise bond_lost(name) from error

    def _count_drop(self, name: str) -> None:
        self._drops += 1
        if self._drops >= DROPS:
            raise bond_lost(name)

    async def _check_access(self, client: BleakClient, channel: Channel, name: str, *, bonded: bool) -> None:
        """Read the first protected value, which shows whether the device accepts us."""
        try:
            async with asyncio.timeout(FIND):
                await channel.read_header()
        except (Malformed, *LinkErrors) as error:
            if isinstance(error, TimeoutError):
                raise not_connected(name, error) from error
            if not bonded:
                no_pin = is_unpaired(error) or isinstance(error, Malformed)
                raise (pin_needed if no_pin else link_lost)(name) from error
            if denies_bond(error):
                raise bond_lost(name) from error
            if not client.is_connected:
                self._count_drop(name)
                raise _Dropped(str(link_lost(name))) from error
            raise closed_to_bond(name) from error

    def _on_disconnected(self, client: BleakClient) -> None:
        if self._trying and not self._trying.cancelling():  # a try that is cancelled hangs up itself
            self._cuts += 1
            # After the first cut most tries end, and `_judge` knows why; a second one shows that this one would go on.
            if self._cuts > 1 and self._drops + self._cuts >= DROPS:
                self._limit.reschedule(asyncio.get_running_loop().time())
        self._lost(client)

    async def _hang_up(self) -> None:
        client, self._client = self._client, None
        await disconnect(client)


async def disconnect(client: BleakClient | None) -> None:
    """Hang up, if there is a connection; one that ended meanwhile is no error."""
    with contextlib.suppress(*LinkErrors):
        if client:
            await client.disconnect()
