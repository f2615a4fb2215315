"""The simulated devices agree with each other: currents add up, counters are integrals, states follow the battery."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

import msgspec
import pytest

from bluewatt.services.simulator import COMPLETE, DEFAULT_START, Site
from bluewatt.services.simulator.appliances import Habit, Use
from bluewatt.services.simulator.battery import Bank, rest_voltage
from bluewatt.services.simulator.charging import ABSORPTION, BULK, FLOAT, OFF
from bluewatt.services.simulator.devices.batteries import BatteryProtector, LithiumBattery, LynxBms
from bluewatt.services.simulator.devices.charger import DcdcCharger, MainsCharger
from bluewatt.services.simulator.devices.inverter import (
    INVERTING,
    InverterRsSolar,
    MultiPlus,
    MultiRsSolar,
    PhoenixInverter,
)
from bluewatt.services.simulator.devices.monitor import GxComputer, LoadMeter, ShuntMonitor
from bluewatt.services.simulator.devices.solar import IrradianceSensor, MpptCharger
from bluewatt.services.simulator.sun import DAY, Sky
from bluewatt.tables.compounds import LAYOUTS

HOUR = 3600.0


Found = TypeVar("Found")


def the(site: Site, kind: type[Found]) -> Found:
    """The first device of a kind."""
    return next(device for device in site.devices if type(device) is kind)


def minutes(site: Site, hours: float) -> Iterator[float]:
    """Step a site on minute by minute."""
    start = site.now
    for minute in range(1, round(hours * 60) + 1):
        site.step(start + 60 * minute)
        yield site.now


def test_what_chargers_give_less_what_loads_take_is_the_battery_current() -> None:
    site = Site(11, devices=COMPLETE, tick=20)
    (aboard,) = site.installations
    shunt, roof, aft = (site.device(name) for name in ("SmartShunt", "SmartSolar roof", "SmartSolar aft"))
    seen = set()
    for at in minutes(site, 24):
        given = sum(branch.current for branch in aboard.house.branches)
        taken = sum(branch.drawn for branch in aboard.house.branches)
        assert given - taken == pytest.approx(aboard.house.current, abs=1e-9)
        chargers = [the(site, kind).charger_current for kind in (DcdcCharger, MainsCharger)]
        told = (
            roof.record(at).battery_current + aft.record(at).battery_current + sum(chargers)
            + the(site, MultiPlus).record(at).battery_current - the(site, PhoenixInverter).branch.drawn
            - the(site, BatteryProtector).branch.drawn + site.device("Orion XS").record(at).output_current
            - sum(load.branch.drawn for load in aboard.loads)
        )  # fmt: skip
        assert shunt.record(at).battery_current == pytest.approx(told, abs=0.35)
        seen.add(round(shunt.record(at).battery_current))
    assert min(seen) < -40
    assert max(seen) > 30


def test_the_lynx_bms_measures_what_the_two_rs_bring() -> None:
    site = Site(12, devices=COMPLETE, tick=20)
    for at in minutes(site, 24):
        brought = (
            the(site, MultiRsSolar).record(at).battery_current + the(site, InverterRsSolar).record(at).battery_current
        )
        assert the(site, LynxBms).record(at).battery_current == pytest.approx(brought, abs=0.2)


def test_devices_on_one_battery_see_one_voltage() -> None:
    site = Site(13, devices=COMPLETE)
    for at in minutes(site, 6):
        volts = [
            the(site, kind).record(at).battery_voltage for kind in (ShuntMonitor, LithiumBattery, GxComputer, LoadMeter)
        ]
        assert max(volts) - min(volts) < 0.05
        cells = [cell for cell in the(site, LithiumBattery).record(at).cell_voltages if cell is not None]
        assert sum(cells) == pytest.approx(volts[1], abs=0.25)


def test_a_gx_device_tells_the_sums() -> None:
    site = Site(13, devices=COMPLETE)
    for at in minutes(site, 3):
        record = the(site, GxComputer).record(at)
        pv = sum(device.pv_power for device in site.devices if isinstance(device, MpptCharger))
        bank = site.installations[0].house
        assert record.pv_power == pytest.approx(pv, abs=1)
        assert record.battery_power == pytest.approx(bank.voltage * bank.current, abs=1)


def test_yield_today_is_the_integral_of_the_solar_power() -> None:
    site = Site(14)
    solar = the(site, MpptCharger)
    before, energy = solar.yield_today, 0.0
    for second in range(1, round(2 * HOUR) + 1):
        site.step(DEFAULT_START + second)
        energy += solar.pv_power / 3.6e6
    assert energy > 0.1
    assert solar.yield_today - before == pytest.approx(energy, rel=1e-9)
    assert solar.measure().yield_today == pytest.approx(before + energy, abs=0.006)


def test_consumed_charge_is_the_integral_of_the_current() -> None:
    site = Site(15, state_of_charge=0.5)
    shunt = the(site, ShuntMonitor)
    before, charge = shunt.consumed_charge, 0.0
    for second in range(1, round(HOUR) + 1):
        site.step(DEFAULT_START + second)
        charge += shunt.battery_current / 3600
    assert abs(charge) > 1
    assert shunt.consumed_charge - before == pytest.approx(charge, rel=1e-9)
    assert shunt.measure().state_of_charge == pytest.approx(
        100 + 100 * shunt.consumed_charge / shunt.battery_capacity, abs=0.06
    )


def test_the_monitor_follows_the_battery_for_days() -> None:
    site = Site(16, tick=20)
    shunt, bank = the(site, ShuntMonitor), site.installations[0].house
    for day in range(5):
        for hour in range(24):
            site.step(DEFAULT_START + day * DAY + hour * HOUR)
            assert shunt.state_of_charge == pytest.approx(100 * bank.state_of_charge, abs=3)


def test_yield_starts_anew_every_day_and_yesterday_is_kept() -> None:
    site = Site(17, tick=20)
    solar = the(site, MpptCharger)
    yields = []
    for _ in minutes(site, 30):
        yields.append((solar.yield_today, solar.yield_yesterday))
    resets = [(one[0], two) for one, two in pairwise(yields) if two[0] < one[0]]
    assert len(resets) == 1
    (today, (fresh, yesterday)) = resets[0]
    assert fresh == 0
    assert yesterday == pytest.approx(today)
    assert yesterday > 0.3


def test_total_yield_grows_by_what_the_days_bring() -> None:
    site = Site(17, tick=20)
    solar = the(site, MpptCharger)
    total, today = solar.system_yield, solar.yield_today
    site.step(DEFAULT_START + 3 * HOUR)
    assert solar.system_yield - total == pytest.approx(solar.yield_today - today)
    assert solar.system_yield > total


def test_the_sun_shines_by_day_and_clouds_pass() -> None:
    sky = Sky(1)
    midnight = sky.midnight(DEFAULT_START)
    light = [sky.irradiance(midnight + minute * 60) for minute in range(1440)]
    assert max(light[:240]) == 0 == max(light[1320:])
    assert 500 < max(light) < 1100
    cloudy = [sky.cloud(midnight + hour * HOUR) for hour in range(24 * 60)]
    assert min(cloudy) == 0
    assert max(cloudy) > 0.8
    steps = [abs(two - one) for one, two in pairwise([sky.irradiance(midnight + 43200 + s) for s in range(3600)])]
    assert max(steps) < 40
    winter = sky.midnight(DEFAULT_START + 182 * DAY)
    assert sum(sky.elevation(winter + h * HOUR) > 0 for h in range(24)) < sum(
        sky.elevation(midnight + h * HOUR) > 0 for h in range(24)
    )


def test_a_fuller_cell_has_a_higher_voltage() -> None:
    volts = [rest_voltage(percent / 100) for percent in range(106)]
    assert volts == sorted(volts)
    assert len(set(volts)) == len(volts)
    assert 2.5 <= volts[0] < volts[-1] < 3.8


def test_a_bank_shares_the_current_and_holds_the_setpoint() -> None:
    bank = Bank(cells=4, capacity=100, resistance=0.01, state_of_charge=0.95)
    large, small, load = bank.attach(), bank.attach(), bank.attach()
    large.available, small.available, load.drawn = 60.0, 20.0, 10.0
    large.setpoint = small.setpoint = 13.5
    bank.settle(1.0)
    assert bank.voltage == pytest.approx(13.5)
    assert large.current == pytest.approx(3 * small.current)
    assert 0 < large.current < 60
    large.setpoint = 14.2
    bank.settle(1.0)
    assert small.current == 0 < large.current
    large.setpoint = small.setpoint = 20.0
    bank.settle(1.0)
    assert bank.current == pytest.approx(70)


def test_chargers_go_from_bulk_over_absorption_to_float_and_sleep_at_night() -> None:
    site = Site(7, tick=20)
    solar = the(site, MpptCharger)
    states = []
    for _ in minutes(site, 14):
        if not states or states[-1] != solar.device_state:
            states.append(solar.device_state)
        if solar.device_state == FLOAT and solar.pv_power > 5:
            assert solar.bank.voltage < solar.float_voltage + 0.8
        if solar.device_state == OFF:
            assert solar.pv_power == 0
    assert states[:3] == [BULK, ABSORPTION, FLOAT]
    assert states[-1] == OFF


def test_a_full_battery_synchronises_the_monitor() -> None:
    site = Site(7, state_of_charge=0.6, tick=20)
    shunt = the(site, ShuntMonitor)
    syncs = shunt.history.automatic_syncs
    shunt.consumed_charge -= 10  # the monitor is wrong, and will see it when the battery is full
    highest = max(shunt.state_of_charge for _ in minutes(site, 8))
    assert highest == 100
    assert shunt.history.automatic_syncs == syncs + 1
    assert shunt.history.time_since_full_charge < 8 * HOUR


def test_an_empty_battery_raises_alarms_and_cuts_the_loads() -> None:
    site = Site(18, state_of_charge=0.25, start=DEFAULT_START + 9 * HOUR, devices=COMPLETE, tick=20)
    shunt, phoenix, protect = the(site, ShuntMonitor), the(site, PhoenixInverter), the(site, BatteryProtector)
    lithium = the(site, LithiumBattery)
    for device in site.devices:
        if isinstance(device, MpptCharger | MainsCharger | DcdcCharger):
            device.charger_on = False
    the(site, MultiPlus).mains = None
    shunt.state_of_charge = 100 * shunt.bank.state_of_charge
    alarms, count = set(), shunt.history.low_voltage_alarms
    for at in minutes(site, 30):
        alarms |= set(shunt.record(at).alarm_reason.keys)
    assert alarms == {"low_voltage", "low_soc"}
    assert shunt.history.low_voltage_alarms > count
    assert shunt.bank.state_of_charge < 0.1
    assert phoenix.record(site.now).alarm_reason.keys == ["low_voltage"]
    assert phoenix.device_state == OFF
    record = protect.record(site.now)
    assert record.alarm_reason.keys == ["low_voltage"]
    assert (record.output_state.key, record.output_voltage) == ("off", 0)
    assert "low_battery" in record.off_reason.keys
    assert "warn_under_voltage" in lithium.record(site.now).bms_flags.keys
    assert shunt.bank.state_of_charge >= 0


def test_engine_and_shore_have_their_hours() -> None:
    site = Site(21, tick=20)
    orion, shore = the(site, DcdcCharger), the(site, MainsCharger)
    hours = {"engine": 0, "shore": 0}
    for day in range(4):
        for quarter in range(96):
            site.step(DEFAULT_START + day * DAY + quarter * 900)
            running = orion.starter.running and orion.starter.since >= orion.detection_delay
            assert (orion.device_state != OFF) == running
            record = orion.record(site.now)
            assert (record.output_voltage is None) == (not running)
            assert running or {"engine_shutdown", "analysing_input"} & set(record.off_reason.keys)
            hours["engine"] += running
            hours["shore"] += shore.device_state != OFF
            assert (shore.record(site.now).ac_current == 0) == (shore.charger_current < 0.5)
    assert 2 < hours["engine"] < 40
    assert 5 < hours["shore"] < 80


def test_time_to_go_is_there_only_while_discharging() -> None:
    site = Site(19, state_of_charge=0.6, tick=20)
    shunt = the(site, ShuntMonitor)
    seen = set()
    for at in minutes(site, 18):
        left = shunt.record(at).time_to_go
        seen.add(left is None)
        assert left is None or 0 <= left <= 14400
    assert seen == {True, False}


def test_a_solar_charger_remembers_thirty_days() -> None:
    solar = the(Site(20), MpptCharger)
    days = [solar.history(ago) for ago in range(31)]
    assert [day.number for day in days] == list(range(days[0].number, days[0].number - 31, -1))
    assert solar.history(7) is days[7]
    yields = [day.energy for day in days[1:]]
    assert len(set(yields)) == 30
    assert all(0.02 < energy < 4 for energy in yields)
    for day in days[1:]:
        assert day.minimum_battery_voltage < day.maximum_battery_voltage < 15
        assert 0 < day.maximum_pv_power < 500
        assert 300 < day.time_in_bulk + day.time_in_absorption + day.time_in_float < 960
    assert any(day.time_in_float > 60 for day in days[1:])


def test_a_day_of_history_is_written_by_the_names_of_its_layout() -> None:
    solar = the(Site(20), MpptCharger)
    fields = solar.history(3).as_fields(solar.history(0).number)
    names = {field.name for field in LAYOUTS["history_day"].fields} - {"version", "error_database"}
    assert set(fields) == names
    assert fields["day_sequence"] == 3


def test_the_totals_are_written_by_the_names_of_their_layout() -> None:
    solar = the(Site(20), MpptCharger)
    total = solar.history_total()
    assert set(total) == {field.name for field in LAYOUTS["history_total"].fields} - {"version", "error_database"}
    assert total["days_available"] == 30, "the days behind today"
    assert 11 < total["minimum_battery_voltage"] < total["maximum_battery_voltage"] < 15
    assert total["system_yield"] > sum(solar.history(ago).energy for ago in range(31))


def test_days_that_were_simulated_are_the_days_remembered() -> None:
    site = Site(20, tick=20)
    solar = the(site, MpptCharger)
    assert solar.history(1).energy > 0
    last = 0.0
    for _ in minutes(site, 12):
        last = solar.yield_today
    site.step(DEFAULT_START + DAY)
    assert solar.history(1).energy == pytest.approx(last)
    assert solar.history(1).maximum_battery_voltage > 13.3


def test_a_monitor_counts_its_life() -> None:
    site = Site(22, tick=20)
    shunt = the(site, ShuntMonitor)
    before = msgspec.structs.asdict(shunt.history)
    for _ in minutes(site, 24):
        pass
    after = msgspec.structs.asdict(shunt.history)
    assert after["charged_energy"] > before["charged_energy"]
    assert after["discharged_energy"] > before["discharged_energy"]
    assert after["cumulative_discharge"] < before["cumulative_discharge"]
    assert after["deepest_discharge"] <= before["deepest_discharge"] < 0


def test_the_outcome_does_not_depend_on_how_time_is_cut() -> None:
    one, other = Site(23, devices=COMPLETE), Site(23, devices=COMPLETE)
    one.step(DEFAULT_START + 1800)
    for part in range(1, 1201):
        other.step(DEFAULT_START + part * 1.5)
    assert [device.measure() for device in one.devices] == [device.measure() for device in other.devices]


def test_a_site_does_not_go_back() -> None:
    site = Site(23)
    site.step(DEFAULT_START + 60)
    now = site.now
    site.step(DEFAULT_START)
    assert site.now == now


def test_a_long_leap_is_walked_fast_and_ends_near() -> None:
    leaping, walking = Site(24), Site(24)
    leaping.step(DEFAULT_START + 6 * HOUR)
    for hour in range(1, 7):
        walking.step(DEFAULT_START + hour * HOUR)
    one, other = the(leaping, ShuntMonitor), the(walking, ShuntMonitor)
    assert one.state_of_charge == pytest.approx(other.state_of_charge, abs=3)


def test_a_charger_can_be_switched_off_and_on() -> None:
    site = Site(25, state_of_charge=0.4)
    solar = the(site, MpptCharger)
    site.step(DEFAULT_START + 10)
    assert solar.battery_current > 1
    solar.charger_on = False
    site.step(DEFAULT_START + 12)
    assert (solar.device_state, solar.charger_current, solar.pv_power) == (OFF, 0, 0)
    assert solar.off_reason.keys == ["soft_switch"]
    solar.device_mode = 1
    site.step(DEFAULT_START + 14)
    assert solar.device_state == BULK
    assert solar.charger_current > 1


def test_limits_and_voltages_are_obeyed() -> None:
    site = Site(25, state_of_charge=0.4)
    solar = the(site, MpptCharger)
    solar.battery_maximum_current = 3.0
    site.step(DEFAULT_START + 10)
    assert solar.charger_current == pytest.approx(3.0)
    solar.battery_maximum_current = 30.0
    solar.absorption_voltage = 12.9
    site.step(DEFAULT_START + 30)
    assert solar.device_state == ABSORPTION
    solar.float_voltage = 12.0
    solar.absorption_time_limit = 0.0
    site.step(DEFAULT_START + 40)
    assert solar.device_state == FLOAT
    assert solar.charger_current == 0


def test_a_load_output_can_be_switched() -> None:
    site = Site(26)
    solar = site.device("SmartSolar aft")
    assert isinstance(solar, MpptCharger)
    assert solar.load is not None
    solar.load.watts, solar.load.is_on = 24.0, lambda moment: True
    for control, on in ((0, False), (4, True), (0, False), (1, True)):
        solar.load_control = control
        site.step(site.now + 2)
        assert solar.load_output is on
        assert (solar.load_current > 1) is on


def test_an_inverter_obeys_off_on_and_eco() -> None:
    site = Site(27)
    inverter = the(site, PhoenixInverter)
    inverter.appliances = []
    states = {}
    for name, mode in (("on", 2), ("eco", 5), ("off", 4), ("on again", 3)):
        inverter.device_mode = mode
        site.step(site.now + 3)
        record = inverter.record(site.now)
        states[name] = (record.device_state.key, record.ac_voltage > 200, round(inverter.branch.drawn, 1))
    assert states["on"][:2] == ("inverting", True)
    assert states["eco"][:2] == ("low_power", False)
    assert states["off"] == ("off", False, 0.0)
    assert states["on again"] == states["on"]
    assert states["on"][2] > states["eco"][2] > 0


def test_a_kettle_wakes_an_inverter_in_eco_mode() -> None:
    site = Site(27)
    inverter = the(site, PhoenixInverter)
    inverter.device_mode = 5
    kettle = Habit(1, 1000)
    kettle.is_on = lambda moment: True  # type: ignore[method-assign]
    site.step(site.now + 2)
    before = site.installations[0].house.current
    inverter.appliances = [kettle]
    site.step(site.now + 2)
    assert inverter.device_state == INVERTING
    assert site.installations[0].house.current < before - 60


def test_a_battery_protect_can_be_switched() -> None:
    site = Site(28)
    protect = the(site, BatteryProtector)
    protect.load_output = False
    site.step(site.now + 2)
    record = protect.record(site.now)
    assert (record.device_state, record.output_state.key) == (OFF, "off")
    assert record.off_reason.keys == ["soft_switch"]
    protect.load_output = True
    site.step(site.now + 2)
    assert protect.record(site.now).output_state.key == "on"


def test_a_monitor_can_be_synchronised_and_told_its_charge() -> None:
    site = Site(29)
    shunt = the(site, ShuntMonitor)
    shunt.state_of_charge = 42.0
    assert shunt.measure().state_of_charge == 42.0
    shunt.battery_capacity = 400
    assert shunt.measure().state_of_charge > 42
    shunt.synchronise()
    assert (shunt.measure().state_of_charge, shunt.measure().consumed_charge) == (100, 0)


def test_the_irradiance_sensor_tells_the_dark_apart() -> None:
    site = Site(30, devices=COMPLETE)
    sensor = the(site, IrradianceSensor)
    assert sensor.record(site.now).time_since_last_sun == 0
    site.step(DEFAULT_START + 14 * HOUR)
    record = sensor.record(site.now)
    assert record.irradiance == 0
    assert record.time_since_last_sun > 60


def test_the_low_current_mode_of_a_mains_charger_and_the_end_of_its_night() -> None:
    site = Site(20, devices=6, tick=20)
    charger = the(site, MainsCharger)
    charger.shore = Habit(0, 0.0, Use(0.0, 24 * 60.0, spread=0.0))

    def current(hours: float) -> float:
        """A, with a bank that takes all there is."""
        charger.bank.charge = 0.5 * charger.bank.capacity
        site.step(site.now + hours * HOUR)
        return charger.charger_current

    full = current(0.1)
    assert full == charger.rated_current
    charger.low_current_mode = 1
    assert current(0.1) == full / 4
    assert charger.low_current_mode_time_left == 0
    charger.low_current_mode = 2
    assert current(0.1) == full / 4
    assert charger.low_current_mode_time_left == pytest.approx(8 * 3600 - 360, abs=21)
    site.step(site.now + 8 * HOUR)
    assert (charger.low_current_mode, charger.low_current_mode_time_left) == (0, 0)
    assert current(0.1) == full
    charger.low_current_mode = 1
    charger.battery_maximum_current = 5.0
    assert current(0.1) == 5.0, "the lower of the two limits counts"
