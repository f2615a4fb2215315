"""The Wireshark dissector: a runtime in Lua, and the tables it reads, which are made from Bluewatt's own.

The runtime contains no register, record or offset; it reads the tables. It runs on Lua 5.2 (Wireshark 4.0, Debian
12) as well as on Lua 5.4 (Wireshark 4.4 and newer).
"""

from __future__ import annotations

from importlib import resources

from bluewatt.docgen.wireshark.tables import lua_tables
from bluewatt.version import __version__

FILE_NAME = "bluewatt.lua"
"""The name of the dissector in Wireshark's plug-in folder."""

RUNTIME = (
    "bits", "aes", "cbor", "keys", "fields", "values", "rows", "compounds", "vesmart", "advert", "conversation",
    "messages", "install",
)  # fmt: skip
"""The parts of the runtime, each after those it needs."""

_HEAD = """\
-- Wireshark dissector for Victron Energy's Bluetooth, made by Bluewatt {version} from its tables.
-- Do not edit: write it anew with `bluewatt wireshark --install`.
local V = {{}}
"""


def dissector() -> str:
    """Return the whole dissector as one Lua file."""
    parts = [_HEAD.format(version=__version__), lua_tables(), *map(_part, RUNTIME)]
    return "\n".join(parts)


def _part(name: str) -> str:
    """Return a part of the runtime in a block of its own: a Lua function has two hundred local names at most."""
    text = resources.files(__package__).joinpath(f"{name}.lua").read_text("utf-8")
    return f"do -- {name}\n{text}end\n"
