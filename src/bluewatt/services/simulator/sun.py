"""Sun and clouds over the site: irradiance and temperatures as functions of the time."""

from __future__ import annotations

from math import asin, cos, exp, floor, pi, radians, sin, tau

from bluewatt.services.chance import child_seed, wander

DAY = 86400.0
_SOLSTICE = 172 * DAY  # 21 June, from the start of 1970
_YEAR = 365.2422 * DAY
_TILT = radians(23.44)


class Sky:
    """The weather of one place; everything depends on the seed and the time alone."""

    def __init__(self, seed: int, *, latitude: float = 43.3, longitude: float = 5.4) -> None:
        self.latitude = radians(latitude)
        self.longitude = longitude
        self._weather = child_seed(seed, "weather")
        self._drift = child_seed(seed, "drift")
        self._gusts = child_seed(seed, "gusts")
        self._warmth = child_seed(seed, "warmth")

    def solar_time(self, at: float) -> float:
        """Return local mean solar time in seconds; its days begin in the middle of the night."""
        return at + self.longitude * DAY / 360

    def day(self, at: float) -> int:
        """Return the number of the local day."""
        return floor(self.solar_time(at) / DAY)

    def hour(self, at: float) -> float:
        """Return the local hour, 0 up to 24."""
        return self.solar_time(at) % DAY / 3600

    def midnight(self, at: float) -> float:
        """Return when the local day of `at` began, in POSIX seconds."""
        return at - self.solar_time(at) % DAY

    def elevation(self, at: float) -> float:
        """Return the height of the sun over the horizon in radians; below 0 at night."""
        declination = _TILT * cos(tau * (at - _SOLSTICE) / _YEAR)
        angle = (self.hour(at) - 12) * pi / 12
        return asin(
            sin(self.latitude) * sin(declination) + cos(self.latitude) * cos(declination) * cos(angle)
        )  # fmt: skip

    def cloud(self, at: float) -> float:
        """Return how much cloud is before the sun, 0 to 1: half-day weather, drifting clouds, and their edges."""
        weather = wander(self._weather, at / 40000)
        drift = 0.65 * wander(self._drift, at / 1500) + 0.25 * wander(self._gusts, at / 240)
        edge = 0.1 * wander(self._gusts, at / 40)
        return min(max(2.2 * (drift + edge) + 1.4 * weather - 1.5, 0.0), 1.0)

    def irradiance(self, at: float) -> float:
        """Return global irradiance on a level surface in W/m²: the clear sky of Haurwitz' formula, less the clouds."""
        height = sin(self.elevation(at))
        if height <= 0.005:
            return 0.0
        return 1098 * height * exp(-0.059 / height) * (1 - 0.8 * self.cloud(at))

    def temperature(self, at: float) -> float:
        """Return the air temperature in °C: lowest before dawn, highest in the afternoon, different every day."""
        season = 8 * cos(tau * (at - _SOLSTICE - 30 * DAY) / _YEAR)
        return 14 + season + 5 * cos(tau * (self.hour(at) - 15) / 24) + 6 * (wander(self._warmth, at / DAY) - 0.5)
