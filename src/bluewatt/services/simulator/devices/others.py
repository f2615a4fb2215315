"""Two simple devices: a product without Instant Readout, and one that sends the vendor's test record."""

from __future__ import annotations

from bluewatt.schema import Record
from bluewatt.services.device_identity import Identity
from bluewatt.services.simulator.appliances import Moment
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.values import fit
from bluewatt.tables.records.vendor_test import VendorTest


class SilentProduct(SimulatedDevice):
    """A device without Instant Readout: its advertisements name the product and nothing else."""

    interval = 1.0

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self.instant_readout = False


class TestBench(SimulatedDevice):
    """A device that sends the vendor's test record."""

    __test__ = False  # a device, no test case

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self.uptime = 0.0
        self.temperature = 20.0

    def finish(self, moment: Moment) -> None:
        """Count the uptime."""
        self.uptime += moment.dt
        self.temperature = moment.air + 4

    def measure(self) -> Record:
        """Return a record with uptime and temperature."""
        return fit(VendorTest, uptime=int(self.uptime), temperature=self.temperature)
