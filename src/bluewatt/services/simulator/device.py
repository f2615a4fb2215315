"""What all simulated devices share: how they advertise, what their registers show, how they take part in a tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor
from typing import Any, ClassVar

from bluewatt.schema import Record
from bluewatt.services.chance import chance, child_seed
from bluewatt.services.device_identity import NONCES, AdvertisementSealer, Identity, key_after
from bluewatt.services.network_member import NetworkMember
from bluewatt.services.plant import with_power
from bluewatt.services.simulator.appliances import Moment
from bluewatt.tables.advertisement import ProductOnly
from bluewatt.tables.products import Product, product
from bluewatt.wire.vesmart.broadcast import Network


class SimulatedDevice:
    """One device of a site, and the `Plant` of an emulated one.

    Its attributes are its state: setting one changes what it does from the next tick on. `prepare` comes before the
    bank finds its voltage in a tick, `finish` after it; `measure` makes the record.
    """

    period: ClassVar[float] = 1.0
    """Seconds between two records (measured on real devices: about one a second)."""
    interval: ClassVar[float] = 0.3
    """Seconds between two advertisements; the same bytes go out several times."""
    identifier: ClassVar[int | None] = None
    """The undocumented second byte, if it is another than `build_advertisement` takes by itself."""
    readings: ClassVar[tuple[str, ...]] = ()
    """Attributes that registers show beside the record, named by register key or metric."""
    settings: ClassVar[tuple[str, ...]] = ()
    """Attributes that may be written, named by register key or metric."""

    def __init__(self, identity: Identity) -> None:
        self.seed = identity.seed
        self.address = identity.address
        self.key = identity.key
        """The advertisement key; `change_key` makes another one, as a change of PIN does."""
        self.serial = identity.serial
        self.product_id = identity.product_id
        self.name = identity.local_name
        self.rssi = -45 - round(45 * chance(identity.seed, 1))
        """dBm at a receiver in the middle of the site."""
        self.instant_readout = True
        """Whether it advertises its record, or its product only."""
        self.member: NetworkMember | None = None
        """Its part in its VE.Smart network, if it belongs to one; see `join`."""
        self.sealer = AdvertisementSealer(
            identity.product_id, nonce=int(chance(identity.seed, 2) * NONCES), identifier=self.identifier
        )
        self.advance: Callable[[float], None] = _stand_still
        """Brings the whole site to a time; set by the site."""
        self._phase = chance(identity.seed, 3) * self.period
        self._slot: int | None = None
        self._draws = 0
        self._record: Record = ProductOnly()
        self._measured: tuple[Record | None, dict[str, Any]] = (None, {})

    @property
    def product(self) -> Product | None:
        """The product table's row."""
        return product(self.product_id)

    # the simulation

    def prepare(self, moment: Moment) -> None:
        """Set what the device draws and could give during this tick."""

    def finish(self, moment: Moment) -> None:
        """Follow the voltage and the current that resulted."""

    def measure(self) -> Record:
        """Return the record of the present state, always encodable."""
        return ProductOnly()

    def noise(self, amplitude: float) -> float:
        """Return a measuring error between -amplitude and amplitude, of this device and this second."""
        self._draws += 1
        return (2 * chance(self.seed, 16 * (self._slot or 0) + self._draws) - 1) * amplitude

    def keep_radio_powered(self) -> None:
        """Let what powers the radio never be switched off: an emulated device is always on the air."""

    # what its registers show

    def values(self, at: float) -> Mapping[str, Any]:
        """Return what registers show at a time: the record by metric, readings and settings by register key or metric.

        The same record gives the same values. What takes long to work out, such as a day of the history, is a function
        without arguments.
        """
        record = self.record(at)
        if self._measured[0] is not record:
            self._measured = (record, with_power(record.as_dict() | self.other_readings()))
        return self._measured[1] | {key: getattr(self, key) for key in self.settings}

    def other_readings(self) -> dict[str, Any]:
        """Return what registers show beside the record and the settings."""
        return {key: getattr(self, key) for key in self.readings}

    def write(self, key: str, value: Any) -> bool:
        """Set the attribute of a setting; return False if there is none of this key."""
        if key not in self.settings:
            return False
        setattr(self, key, value)
        self.measure_anew()
        return True

    def measure_anew(self) -> None:
        """Let the next values be those after a write, which readings may follow at once."""
        self._measured = (None, {})

    # on air

    def record(self, at: float) -> Record:
        """Return the record at a time; it is made anew once in a period, and the site moves on to `at` for it."""
        slot = floor((at - self._phase) / self.period)
        if slot != self._slot:
            self.advance(at)
            self._slot, self._draws = slot, 0
            record = self.measure()
            if record != self._record:  # an equal one stays the same object, so that `values` knows it again
                self._record = record
        return self._record

    def next_change(self, at: float) -> float:
        """Return when the record may next be another one, after `at`."""
        return self._phase + (floor((at - self._phase) / self.period) + 1) * self.period

    def advertisement(self, at: float) -> bytes:
        """Return the manufacturer data after the company identifier at a time, sealed."""
        record: Record = self.record(at) if self.instant_readout else ProductOnly()
        return self.sealer.seal(record, self.key)

    def join(self, network: Network) -> None:
        """Make the device a member of a VE.Smart network."""
        self.member = NetworkMember(network, self.serial, (self.product.family if self.product else None) or "")

    def broadcast(self, at: float) -> bytes | None:
        """Return the broadcast to its VE.Smart network that is due at a time, if any.

        The layout is unproven (protocol page vesmart-networking): good enough to test how receivers treat it.
        """
        return self.member.due(at, self.values(at)) if self.member else None

    def change_key(self) -> None:
        """Take a new key, as a change of PIN does."""
        fresh = child_seed(self.seed, "key", self.key.fingerprint)
        self.key = key_after(self.key, fresh.to_bytes(8, "big") + self.key[9:])


def _stand_still(at: float) -> None:
    """Do nothing: a device outside a site has no site to move on."""
