"""Extended record type 0xFF01: SolarSense 750, not encrypted (page instant-readout, section 4)."""

from __future__ import annotations

from bluewatt.schema import Proof, Record, coded, flags, piecewise, uint, unspecified
from bluewatt.tables.enums import ChargerError, SolarsenseError


class Solarsense(Record, record_type=0xFF01, title="SolarSense irradiance sensor", proof=Proof.DOCUMENTED):
    """What a SolarSense advertises in the clear: irradiance, cell temperature and what the array should be making."""

    error_code: SolarsenseError | None = flags(32, SolarsenseError)
    charger_error: ChargerError | None = coded(8, ChargerError, na=0xFF)
    installation_power: int | None = uint(20, "W", na=0xFFFFF)
    yield_today: float | None = uint(20, "kWh", step="0.01", na=0xFFFFF)
    irradiance: float | None = uint(14, "W/m²", step="0.1", na=0x3FFF)
    cell_temperature: float | None = uint(11, "°C", step="0.1", bias="-60", na=0x7FF)
    remnant: int | None = unspecified(1)
    sensor_battery_voltage: float | None = uint(8, "V", step="0.01", bias="1.70", na=0xFF)
    tx_power: int | None = uint(1, "dBm", step="6")
    time_since_last_sun: int | None = piecewise(7, "min", pieces=((0, 0, 2), (30, 60, 10), (96, 720, 30)), na=0x7F)
