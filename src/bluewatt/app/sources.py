"""Opens a source by its string.

A source is opened by a string, NAME:WHAT?option=value: `ble:`, `ble:hci1`, `capture:drive.pcapng?speed=10`,
`virtual:?seed=7`. The names stand in `SOURCES` and in the entry points of the group `bluewatt.sources`; each leads to
a function from the text behind the colon to a `Source` (model/ports.py), imported when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from bluewatt.errors import ConfigError
from bluewatt.extras import VIRTUAL_RADIO, libraries_for
from bluewatt.model.keys import KeyRing
from bluewatt.model.ports import ReadsFile, Source
from bluewatt.model.reading import Frame
from bluewatt.model.register_values import RegisterReading
from bluewatt.services.keys import gather_keys
from bluewatt.services.source_reader import SourceReader
from bluewatt.transports.radio_names import KINDS
from bluewatt.transports.source_options import split_options

if TYPE_CHECKING:
    from bluewatt.wire.vesmart.broadcast import Network


SOURCES: dict[str, str] = {
    "ble": "bluewatt.app.sources:ble_source",
    "capture": "bluewatt.transports.capture.source:CaptureSource.from_text",
    "virtual": "bluewatt.app.virtual_site:VirtualSource.from_text",
    **dict.fromkeys(KINDS, "bluewatt.app.radios:HostedSource"),
}
"""Name of a source → "module:function"; a function that hosts an adapter itself is given the whole string."""

GROUP = "bluewatt.sources"
"""Group of the entry points that add sources."""


def files_of(source: Source) -> list[str]:
    """Return the files a source reads: none of them may be written meanwhile."""
    return [str(source.path)] if isinstance(source, ReadsFile) else []


def open_source(
    spec: str,
    *,
    keys: KeyRing | Mapping[str, bytes | str] | None = None,
    networks: Iterable[Network] = (),
    on_frame: Callable[[Frame], None] | None = None,
    on_registers: Callable[[RegisterReading], None] | None = None,
) -> SourceReader:
    """Return the source named by `spec`, to be entered with `async with`; iterating it gives readings.

    `keys` are by address; if left out, those of the key file and of the environment count. `on_frame` gets every frame
    before it is opened (a recorder). `on_registers` gets what members of the VE.Smart `networks` broadcast. Raises
    ConfigError for a text that names no source, or one whose libraries are not installed.
    """
    ring = gather_keys() if keys is None else keys if isinstance(keys, KeyRing) else KeyRing(keys)
    return SourceReader(make_source(spec), ring, networks=networks, on_frame=on_frame, on_registers=on_registers)


def make_source(spec: str) -> Source:
    """Return the source named by a source string, not open yet; errors as for `open_source`."""
    name, colon, text = spec.partition(":")
    place = SOURCES.get(name) or _plugin(name)
    if not colon or place is None:
        hint = "write " + ", ".join(f"{known}:" for known in SOURCES)
        raise ConfigError(f"{spec!r} names no source", hint=hint)
    with libraries_for(f"the source {name}:", *(VIRTUAL_RADIO if name == "virtual" else ())):
        return _load(place)(spec if name in KINDS else text)


def is_source(text: str) -> bool:
    """Return whether a text begins as a source string does."""
    name, colon, _ = text.partition(":")
    return bool(colon) and (name in SOURCES or _plugin(name) is not None)


def _plugin(name: str) -> str | None:
    return next((found.value for found in entry_points(group=GROUP, name=name)), None)


def _load(place: str) -> Callable[[str], Source]:
    module, _, path = place.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    opener: Callable[[str], Source] = found
    return opener


def ble_source(text: str) -> Source:
    """Return the source `ble:[ADAPTER][?mode=passive|active]`, not open yet."""
    adapter, options = split_options("ble", text, {"mode": _mode})
    from bluewatt.transports.ble.scan import BleSource  # here: it needs the libraries of an extra

    return BleSource(adapter or None, mode=options.get("mode"))


def _mode(text: str) -> str:
    if text not in ("passive", "active"):
        raise ValueError
    return text
