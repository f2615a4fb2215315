"""Bluewatt: Victron Energy Bluetooth, heard, talked to, imitated, explained and remembered.

The public names are on this screen; each is imported from its room when it is first used, so that importing
`bluewatt` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bluewatt.version import __version__ as __version__

if TYPE_CHECKING:
    from bluewatt.app import open_source as open_source
    from bluewatt.app.connect import connect as connect
    from bluewatt.errors import BluewattError as BluewattError
    from bluewatt.model.keys import KeyRing as KeyRing
    from bluewatt.model.reading import Frame as Frame
    from bluewatt.model.reading import Reading as Reading
    from bluewatt.model.reading import Undecoded as Undecoded
    from bluewatt.schema import Record as Record
    from bluewatt.wire.advert import Advertisement as Advertisement
    from bluewatt.wire.advert import build_advertisement as build_advertisement
    from bluewatt.wire.advert import decode_advertisement as decode_advertisement
    from bluewatt.wire.advert import parse_advertisement as parse_advertisement
    from bluewatt.wire.cipher import Key as Key
    from bluewatt.wire.records import decode_record as decode_record
    from bluewatt.wire.records import encode_record as encode_record
    from bluewatt.wire.vreg import Message as Message
    from bluewatt.wire.vreg import build_message as build_message
    from bluewatt.wire.vreg import parse_messages as parse_messages

_ROOMS = {
    "BluewattError": "errors",
    "Frame": "model.reading",
    "KeyRing": "model.keys",
    "Reading": "model.reading",
    "Record": "schema",
    "Undecoded": "model.reading",
    "Advertisement": "wire.advert",
    "build_advertisement": "wire.advert",
    "decode_advertisement": "wire.advert",
    "parse_advertisement": "wire.advert",
    "Key": "wire.cipher",
    "Message": "wire.vreg",
    "build_message": "wire.vreg",
    "parse_messages": "wire.vreg",
    "connect": "app.connect",
    "open_source": "app",
    "decode_record": "wire.records",
    "encode_record": "wire.records",
}

__all__ = ["__version__", *_ROOMS]


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module 'bluewatt' has no attribute {name!r}")
    return getattr(import_module(f"bluewatt.{room}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
