"""One boat or van: two batteries, what is connected to them, and the roster of devices that can be aboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bluewatt.services.chance import chance, child_seed
from bluewatt.services.device_identity import Identity
from bluewatt.services.simulator.appliances import Appliance, Compressor, Habit, Moment, Standing, Use
from bluewatt.services.simulator.battery import Bank
from bluewatt.services.simulator.device import SimulatedDevice
from bluewatt.services.simulator.devices.batteries import BatteryProtector, LithiumBattery, LynxBms, UnknownBms
from bluewatt.services.simulator.devices.charger import DcdcCharger, MainsCharger, OrionXsCharger, StarterBattery
from bluewatt.services.simulator.devices.inverter import InverterRsSolar, MultiPlus, MultiRsSolar, PhoenixInverter
from bluewatt.services.simulator.devices.monitor import BatterySense, GxComputer, LoadMeter, ShuntMonitor
from bluewatt.services.simulator.devices.others import SilentProduct, TestBench
from bluewatt.services.simulator.devices.solar import IrradianceSensor, MpptCharger
from bluewatt.services.simulator.history import PvArray
from bluewatt.services.simulator.sun import Sky
from bluewatt.wire.instant_readout.cipher import Key
from bluewatt.wire.vesmart.broadcast import Network


class DcLoad:
    """Appliances connected directly to a bank."""

    def __init__(self, bank: Bank, appliances: Sequence[Appliance]) -> None:
        self.bank = bank
        self.branch = bank.attach()
        self.appliances = appliances

    def prepare(self, moment: Moment) -> None:
        """Draw from the bank what the appliances take."""
        watts = sum(appliance.power(moment) for appliance in self.appliances)
        self.branch.drawn = watts / self.bank.voltage


class Installation:
    """The first `count` devices of the roster with the batteries and loads they need; all follows from the seed."""

    def __init__(
        self, seed: int, sky: Sky, *, count: int, suffix: str = "", state_of_charge: float | None = None
    ) -> None:
        self.seed = seed
        self.sky = sky
        self.size = 0.8 + 0.4 * chance(seed, 0)
        """Size of this boat relative to a typical one."""
        charge = 0.55 + 0.25 * chance(seed, 1) if state_of_charge is None else state_of_charge
        self.house = Bank(
            cells=4, capacity=round(200 * self.size), resistance=0.008 / self.size, state_of_charge=charge
        )
        self.workshop = Bank(cells=16, capacity=200, resistance=0.03, state_of_charge=charge)
        self._make_habits()
        self.fridge = DcLoad(self.house, (Compressor(self._part("fridge"), 55 * self.size),))
        self.loads = [self.fridge, DcLoad(self.house, (Standing(self._part("electronics"), 12),))]
        self.network = Network.of(
            self._part("network").to_bytes(8, "big")[:2], Key(2 * self._part("network key").to_bytes(8, "big"))
        )
        self.devices: list[SimulatedDevice] = []
        for place in ROSTER[:count]:
            identity = Identity(self._part(place.name), place.name + suffix, place.product_id)
            self.devices.append(place.make(self, identity))
        if not any(isinstance(device, BatteryProtector) for device in self.devices):
            self.loads.append(DcLoad(self.house, self.comfort))

    def _part(self, name: str) -> int:
        return child_seed(self.seed, name)

    def _make_habits(self) -> None:
        part = self._part
        self.engine = Habit(part("engine"), 0, Use(9.5, 70, 0.7), Use(16.5, 40, 0.5))
        self.shore = Habit(part("shore"), 0, Use(19.5, 200, 0.6))
        self.grid = Habit(part("grid"), 0, Use(1.0, 150, 0.8))
        self.starter = StarterBattery(self.engine)
        self.comfort: list[Appliance] = [
            Habit(part("lights"), 28, Use(6.5, 60), Use(19.5, 200)),
            Habit(part("pump"), 65, *(Use(hour, 2, 0.8) for hour in (7, 8, 10, 13, 16, 19, 20, 22))),
        ]
        self.galley: list[Appliance] = [
            Habit(part("kettle"), 1150, Use(7.3, 4), Use(10.5, 4, 0.8), Use(16, 4, 0.8), Use(20, 5, 0.5)),
            Habit(part("laptop"), 45, Use(9.3, 160), Use(14, 200, 0.8)),
        ]
        self.saloon: list[Appliance] = [Habit(part("washing"), 400, Use(11, 45, 0.3)), Standing(part("saloon"), 20)]
        self.bench: list[Appliance] = [Standing(part("bench"), 180), Habit(part("saw"), 1600, Use(10, 25), Use(15, 25))]
        self.freezer: list[Appliance] = [Compressor(part("freezer"), 220), Standing(part("router"), 25)]

    def tick(self, moment: Moment) -> None:
        """Let a tick pass: loads and devices ask for current, the banks settle, the devices follow."""
        self.starter.advance(moment)
        for load in self.loads:
            load.prepare(moment)
        for device in self.devices:
            device.prepare(moment)
        for bank in (self.house, self.workshop):
            bank.settle(moment.dt)
            bank.warm(moment.air, moment.dt)
        for device in self.devices:
            device.finish(moment)


class DeviceTemplate(msgspec.Struct, frozen=True):
    """One row of the roster."""

    name: str
    """The local name; "{serial}" stands for the serial number."""
    product_id: int
    make: Callable[[Installation, Identity], SimulatedDevice]


def _shunt(aboard: Installation, identity: Identity) -> SimulatedDevice:
    device = ShuntMonitor(identity, aboard.house, aboard.starter)
    device.join(aboard.network)
    return device


def _roof(aboard: Installation, identity: Identity) -> SimulatedDevice:
    device = MpptCharger(
        identity, aboard.house, aboard.sky, PvArray(370 * aboard.size, shade_from=17.5), rated_current=30
    )
    device.join(aboard.network)
    return device


def _aft(aboard: Installation, identity: Identity) -> SimulatedDevice:
    anchor_light = Habit(child_seed(identity.seed, "load"), 6, Use(0.5, 330), Use(20.5, 190))
    array = PvArray(180 * aboard.size, voltage=19.0)
    return MpptCharger(identity, aboard.house, aboard.sky, array, rated_current=15, load=anchor_light)


def _multi_plus(aboard: Installation, identity: Identity) -> SimulatedDevice:
    return MultiPlus(
        identity, aboard.house, aboard.sky, mains=aboard.shore, appliances=aboard.saloon, charge_current=50
    )


def _multi_rs(aboard: Installation, identity: Identity) -> SimulatedDevice:
    return MultiRsSolar(
        identity, aboard.workshop, aboard.sky, mains=aboard.grid, appliances=aboard.bench, charge_current=30, peak=2400
    )


def _inverter_rs(aboard: Installation, identity: Identity) -> SimulatedDevice:
    return InverterRsSolar(
        identity, aboard.workshop, aboard.sky, mains=None, appliances=aboard.freezer, charge_current=0, peak=1800
    )


def _gx(aboard: Installation, identity: Identity) -> SimulatedDevice:
    loads = [load.branch for load in aboard.loads]
    return GxComputer(identity, aboard.house, aboard.devices, loads)


ROSTER: tuple[DeviceTemplate, ...] = (
    DeviceTemplate("SmartShunt {serial}", 0xA389, _shunt),
    DeviceTemplate("SmartSolar roof", 0xA056, _roof),
    DeviceTemplate("SmartSolar aft", 0xA053, _aft),
    DeviceTemplate("Orion engine room", 0xA3C8, lambda on, who: DcdcCharger(who, on.house, on.starter)),
    DeviceTemplate("Phoenix galley", 0xA281, lambda on, who: PhoenixInverter(who, on.house, on.galley)),
    DeviceTemplate("Blue Smart IP22 {serial}", 0xA324, lambda on, who: MainsCharger(who, on.house, on.shore)),
    DeviceTemplate("BatteryProtect saloon", 0xA3B0, lambda on, who: BatteryProtector(who, on.house, on.comfort)),
    DeviceTemplate("Lithium {serial}", 0xA0E3, lambda on, who: LithiumBattery(who, on.house)),
    DeviceTemplate("Fridge meter", 0xA389, lambda on, who: LoadMeter(who, on.house, on.fridge.branch)),
    DeviceTemplate("Multi RS workshop", 0xA442, _multi_rs),
    DeviceTemplate("Orion XS {serial}", 0xA3F0, lambda on, who: OrionXsCharger(who, on.house, on.starter)),
    DeviceTemplate("EVCS {serial}", 0xC026, lambda on, who: SilentProduct(who)),
    DeviceTemplate("MultiPlus {serial}", 0x2606, _multi_plus),
    DeviceTemplate("Lynx BMS workshop", 0xA3E5, lambda on, who: LynxBms(who, on.workshop)),
    DeviceTemplate("Inverter RS cold room", 0xA401, _inverter_rs),
    DeviceTemplate("Battery Sense {serial}", 0xA3A4, lambda on, who: BatterySense(who, on.house)),
    DeviceTemplate("SolarSense {serial}", 0xC050, lambda on, who: IrradianceSensor(who, on.sky, 550)),
    DeviceTemplate("Cerbo {serial}", 0xC00A, _gx),
    DeviceTemplate("Smart BMS {serial}", 0xA3E8, lambda on, who: UnknownBms(who, on.house)),
    DeviceTemplate("Test bench", 0xA189, lambda on, who: TestBench(who)),
)
"""The devices that can be aboard, the typical dozen first; together they send every record type that has a layout."""

TYPICAL = 12
"""Number of devices in a typical site."""
COMPLETE = len(ROSTER)
"""Number of devices it takes to have every record type."""
