"""The key of a VE.Smart network: asked of a member over a link, believed only once a live broadcast opened with it.

Registers 0xEC12 (identifier), 0xEC13 (key) and 0xEC14 (name) of the Bluetooth part (protocol page vesmart-networking,
section 7: the vendor's list has them as readable, and the app asks for them; no answer is public). So a refusal is
expected, and reported in words.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from contextlib import suppress
from pathlib import Path

import msgspec

from bluewatt.errors import DeviceRefused, KeyMismatch, KeyMissing, KeyProblem, LinkTimeout, WireError
from bluewatt.model.ports import Link
from bluewatt.model.reading import Frame
from bluewatt.services.key_fetch import INSTANCE, KeyChange
from bluewatt.services.keys import default_path, load_networks
from bluewatt.tables.vesmart import NETWORK_ID_SIZE, OVERFLOW_PERIOD
from bluewatt.time_limit import time_limit
from bluewatt.wire.instant_readout.advertisement import is_vesmart
from bluewatt.wire.vesmart.broadcast import Broadcast, Network, parse_broadcast, serial_text, unseal

IDENTIFIER, KEY, NAME = "network_id", "network_key", "network_name"
"""Keys of the registers 0xEC12, 0xEC13 and 0xEC14."""

PROOF = OVERFLOW_PERIOD + 10.0
"""Seconds to wait for a broadcast that proves a key: members send the high part of their counter once a minute."""

_KEY_SIZE = 16
_NO_NETWORK = (b"\0", b"\xff")


class Refused(msgspec.Struct, frozen=True):
    """A sentence about why a device gave no key of a network, without its subject, the device."""

    why: str


async def fetch_network(link: Link) -> Network | Refused:
    """Read identifier, key and name of the network a device belongs to; what it keeps to itself is no error."""
    try:
        identifier = (await link.get(IDENTIFIER, INSTANCE)).raw
    except (DeviceRefused, LinkTimeout) as error:
        return Refused(f"does not say to which VE.Smart network it belongs: {_reason(link, error)}")
    if len(identifier) != NETWORK_ID_SIZE or identifier in (byte * NETWORK_ID_SIZE for byte in _NO_NETWORK):
        return Refused("belongs to no VE.Smart network")
    place = f"belongs to the VE.Smart network {identifier.hex().upper()}"
    try:
        key = (await link.get(KEY, INSTANCE)).raw
    except (DeviceRefused, LinkTimeout) as error:
        return Refused(f"{place}, and does not give its key: {_reason(link, error)}; VictronConnect's database has it")
    if len(key) != _KEY_SIZE or len(set(key)) == 1:
        return Refused(f"{place}, and gives {len(key)} bytes that are no key")
    name = ""
    with suppress(DeviceRefused, LinkTimeout):
        name = str((await link.get(NAME, INSTANCE)).value or "")
    return Network.of(identifier, key, name)


def _reason(link: Link, error: Exception) -> str:
    """Return what an error says without the name of the device, which the sentence has already."""
    return str(error).removeprefix(f"{link.device.name or link.device.address} ")


async def prove_network(network: Network, frames: AsyncIterable[Frame], *, seconds: float = PROOF) -> str:
    """Return the serial number of the first member whose live broadcast the key opens.

    Raises KeyMismatch if broadcasts of the network are heard and none opens, KeyProblem if none is heard.
    """
    proof = _Proof(network)
    async with time_limit(seconds):
        async for frame in frames:
            serial = proof.serial(frame.payload)
            if serial:
                return serial
    which = network.network_id.hex().upper()
    if proof.unopened:
        raise KeyMismatch(
            f"the key of the VE.Smart network {which} opened none of {proof.unopened} broadcasts that seem its own:"
            " it was not saved"
        )
    raise KeyProblem(
        f"no broadcast of the VE.Smart network {which} was heard in {seconds:g} s, so its key could not be proved and"
        " was not saved: go nearer to its members and try again"
    )


class _Proof:
    """The trial of a key on broadcasts: a counter record opens at once, a data record with the counter sent before."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._overflows: dict[int, int] = {}
        self.unopened = 0
        """Number of broadcasts of this group that the key did not open."""

    def serial(self, payload: bytes) -> str | None:
        """Return the sender's serial number if the key opens its broadcast, else None."""
        if not is_vesmart(payload):
            return None
        with suppress(WireError):
            broadcast = parse_broadcast(payload)
            if broadcast.group == self._network.group:
                return self._opened(broadcast)
        return None

    def _opened(self, broadcast: Broadcast) -> str | None:
        if broadcast.overflow is not None:
            self._overflows[broadcast.serial] = broadcast.overflow
        # The counter's high part was 0 in the one real broadcast that is public, and is for 2^32 messages.
        overflow = self._overflows.get(broadcast.serial, 0)
        try:
            unseal(broadcast, self._network, overflow)
        except (KeyMismatch, KeyMissing):
            self.unopened += 1
            return None
        return serial_text(broadcast.serial)


def compare_network(network: Network, path: Path | None = None) -> KeyChange:
    """Compare the key of a network with the one in the key file."""
    path = path or default_path()
    known = {one.network_id: one.key for one in load_networks(path)} if path.exists() else {}
    if network.network_id not in known:
        return KeyChange.NEW
    return KeyChange.SAME if known[network.network_id] == network.key else KeyChange.CHANGED
