"""What all simulated devices share: who they are, how they advertise, how they take part in a tick."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import floor
from typing import Any, ClassVar

import msgspec

from bluewatt.schema import Record
from bluewatt.services.simulator.appliances import Moment
from bluewatt.services.simulator.chance import chance, child_seed
from bluewatt.tables.advertisement import ProductOnly
from bluewatt.tables.products import Product, product
from bluewatt.tables.vesmart import OVERFLOW_PERIOD, SEQUENCE_BITS
from bluewatt.wire.instant_readout.advertisement import build_advertisement
from bluewatt.wire.instant_readout.cipher import Key
from bluewatt.wire.vesmart.broadcast import (
    BroadcastContent,
    BroadcastValue,
    Network,
    build_broadcast,
    build_content,
    seal,
    serial_number,
)

NONCES = 1 << 16
_OVERFLOW_SECONDS = 2
"""How long at the start of a period broadcasts tell the counter instead of values."""
_SERIAL_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Identity(msgspec.Struct, frozen=True):
    """Who a device is; all of it follows from its seed."""

    seed: int
    name: str
    """The local name; "{serial}" in it stands for the serial number, as devices have it from the factory."""
    product_id: int

    @property
    def address(self) -> str:
        """A random static address: its two top bits are ones."""
        bits = child_seed(self.seed, "address") >> 16 | 0b11 << 46
        return ":".join(f"{byte:02X}" for byte in bits.to_bytes(6, "big"))

    @property
    def key(self) -> Key:
        """The advertisement key of the first days."""
        return Key(b"".join(child_seed(self.seed, "key", half).to_bytes(8, "big") for half in range(2)))

    @property
    def serial(self) -> str:
        """A serial number as they are printed: letters, year and week, five characters."""
        digits = child_seed(self.seed, "serial")
        letters = "".join(_SERIAL_LETTERS[digits >> 5 * place & 31] for place in range(5))
        return f"HQ{22 + (digits >> 32) % 4}{1 + (digits >> 40) % 52:02d}{letters}"


class SimulatedDevice:
    """One device of a site. Its attributes are its state: setting one changes what it does from the next tick on.

    `prepare` and `finish` frame the moment in which the bank finds its voltage; `measure` makes the record.
    """

    period: ClassVar[float] = 1.0
    """Seconds between two records (measured on real devices: about one a second)."""
    interval: ClassVar[float] = 0.3
    """Seconds between two advertisements; the same bytes go out several times."""
    identifier: ClassVar[int | None] = None
    """The undocumented second byte, where it is not what `build_advertisement` takes by itself."""
    readings: ClassVar[tuple[str, ...]] = ()
    """Attributes that registers show beside the record, named by register key or metric."""
    settings: ClassVar[tuple[str, ...]] = ()
    """Attributes that may be written, named by register key or metric."""

    def __init__(self, identity: Identity) -> None:
        self.seed = identity.seed
        self.address = identity.address
        self.key = identity.key
        """Its 16 bytes; a change of PIN makes another one, see `change_key`."""
        self.serial = identity.serial
        self.product_id = identity.product_id
        self.name = identity.name.format(serial=identity.serial)
        self.rssi = -45 - round(45 * chance(identity.seed, 1))
        """dBm at a receiver in the middle of the site."""
        self.instant_readout = True
        """Whether it advertises its record, or its product only."""
        self.network: Network | None = None
        """The VE.Smart network it belongs to, if any."""
        self.nonce = int(chance(identity.seed, 2) * NONCES)
        self.advance: Callable[[float], None] = _stand_still
        """Brings the whole site to a time; set by the site."""
        self._phase = chance(identity.seed, 3) * self.period
        self._slot: int | None = None
        self._draws = 0
        self._record: Record = ProductOnly()
        self._sealed: tuple[Any, ...] = ()
        self._payload = b""

    @property
    def product(self) -> Product | None:
        """The product table's row."""
        return product(self.product_id)

    @cached_property
    def serial_32(self) -> int:
        """The serial number as VE.Smart networking sends it."""
        return serial_number(self.serial)

    # the simulation

    def prepare(self, moment: Moment) -> None:
        """Say what the device draws and could give during this tick."""

    def finish(self, moment: Moment) -> None:
        """Draw the consequences from the voltage and the current that came of it."""

    def measure(self) -> Record:
        """The record of the present state, always encodable."""
        return ProductOnly()

    def noise(self, amplitude: float) -> float:
        """A measuring error between -amplitude and amplitude, of this device and this second."""
        self._draws += 1
        return (2 * chance(self.seed, 16 * (self._slot or 0) + self._draws) - 1) * amplitude

    def values(self) -> dict[str, Any]:
        """What registers show: the record by metric, the other readings and the settings by register key or metric."""
        shown = {key: value for key, value in self.measure().as_dict().items() if value is not None}
        return shown | {key: getattr(self, key) for key in (*self.readings, *self.settings)}

    # on air

    def record(self, at: float) -> Record:
        """The record at a time; it is made anew once in a period, and the site moves on to `at` for it."""
        slot = floor((at - self._phase) / self.period)
        if slot != self._slot:
            self.advance(at)
            self._slot, self._draws = slot, 0
            record = self.measure()
            if record != self._record:
                self._record = record
                self.nonce = (self.nonce + 1) % NONCES
        return self._record

    def next_change(self, at: float) -> float:
        """When the record may next be another one, after `at`."""
        return self._phase + (floor((at - self._phase) / self.period) + 1) * self.period

    def advertisement(self, at: float) -> bytes:
        """The manufacturer data after the company identifier at a time, sealed."""
        record: Record = self.record(at) if self.instant_readout else ProductOnly()
        wanted = (record, self.nonce, self.key)
        if self._sealed != wanted:
            self._payload = build_advertisement(
                record, product_id=self.product_id, key=self.key, nonce=self.nonce, identifier=self.identifier
            )
            self._sealed = wanted
        return self._payload

    def broadcast(self, at: float) -> bytes | None:
        """What the device tells its VE.Smart network at a time, None where it tells nothing.

        The layout is unproven (protocol page vesmart-networking): good enough to test that receivers tell it apart.
        """
        values = self.network_values() if self.network else ()
        if not self.network or not values:
            return None
        overflow, sequence = divmod(floor(at), 1 << SEQUENCE_BITS)
        counts = floor(at) % OVERFLOW_PERIOD < _OVERFLOW_SECONDS
        content = b"" if counts else build_content(BroadcastContent(values))
        return build_broadcast(
            seal(self.network, serial=self.serial_32, sequence=sequence, overflow=overflow + 1, plaintext=content)
        )

    def network_values(self) -> tuple[BroadcastValue, ...]:
        """The registers the device shares with its VE.Smart network."""
        return ()

    def change_key(self) -> None:
        """What a change of PIN does: a new key, whose first byte is the next one, so that receivers notice."""
        fresh = child_seed(self.seed, "key", self.key.fingerprint)
        self.key = Key(bytes([(self.key[0] + 1) % 256]) + fresh.to_bytes(8, "big") + self.key[9:])


def _stand_still(at: float) -> None:
    """A device outside a site has nobody to move on."""
