"""The extras of the installation: which of them brings which library, and the error that names the one to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bluewatt.errors import ConfigError

EXTRAS = {
    "bleak": "ble", "bleak_retry_connector": "ble", "dbus_fast": "ble", "bumble": "emulator", "aiomqtt": "mqtt",
    "numpy": "batch", "pyarrow": "batch",
}  # fmt: skip
"""Library that the core install does not bring → the extra that brings it."""

VIRTUAL_RADIO = ("ble", "emulator")
"""The extras that a virtual radio, and any radio whose Bluetooth host we are, needs together."""


def missing_library(missing: ModuleNotFoundError, what: str, *extras: str) -> ConfigError | None:
    """Return the error that says what to install, or None if a module of Bluewatt itself is missing, which is a bug.

    `what` is the part of Bluewatt that needs the library. `extras` are all the extras it needs; without them, the one
    that brings the missing library is named.
    """
    library = (missing.name or "").partition(".")[0]
    if library in ("", "bluewatt"):
        return None
    wanted = ",".join(extras) or EXTRAS.get(library)
    hint = f"run: pip install 'bluewatt[{wanted}]'" if wanted and library in EXTRAS else "install it with pip"
    return ConfigError(f"{what} needs the library {missing.name}", hint=hint)


@contextmanager
def libraries_for(what: str, *extras: str) -> Iterator[None]:
    """Raise ConfigError, as `missing_library` words it, if the block imports a library that is not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if error := missing_library(missing, what, *extras):
            raise error from missing
        raise
