"""Bluewatt: Victron Energy Bluetooth, heard, talked to, imitated, explained and remembered.

This module names everything that is public. Each name is imported from its module when it is first used, so importing
`bluewatt` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bluewatt.version import __version__ as __version__

if TYPE_CHECKING:
    from bluewatt.app.links import connect as connect
    from bluewatt.app.sources import open_source as open_source
    from bluewatt.errors import BluewattError as BluewattError
    from bluewatt.model.keys import KeyRing as KeyRing
    from bluewatt.model.reading import Frame as Frame
    from bluewatt.model.reading import Reading as Reading
    from bluewatt.model.reading import Undecoded as Undecoded
    from bluewatt.schema import Record as Record
    from bluewatt.wire.instant_readout.advertisement import Advertisement as Advertisement
    from bluewatt.wire.instant_readout.advertisement import build_advertisement as build_advertisement
    from bluewatt.wire.instant_readout.advertisement import decode_advertisement as decode_advertisement
    from bluewatt.wire.instant_readout.advertisement import parse_advertisement as parse_advertisement
    from bluewatt.wire.instant_readout.cipher import Key as Key
    from bluewatt.wire.instant_readout.records import decode_record as decode_record
    from bluewatt.wire.instant_readout.records import encode_record as encode_record
    from bluewatt.wire.victronconnect.grammar import build_message as build_message
    from bluewatt.wire.victronconnect.grammar import parse_messages as parse_messages
    from bluewatt.wire.victronconnect.messages import Message as Message

_MODULES = {
    "BluewattError": "errors",
    "Frame": "model.reading",
    "KeyRing": "model.keys",
    "Reading": "model.reading",
    "Record": "schema",
    "Undecoded": "model.reading",
    "Advertisement": "wire.instant_readout.advertisement",
    "build_advertisement": "wire.instant_readout.advertisement",
    "decode_advertisement": "wire.instant_readout.advertisement",
    "parse_advertisement": "wire.instant_readout.advertisement",
    "Key": "wire.instant_readout.cipher",
    "Message": "wire.victronconnect.messages",
    "build_message": "wire.victronconnect.grammar",
    "parse_messages": "wire.victronconnect.grammar",
    "connect": "app.links",
    "open_source": "app.sources",
    "decode_record": "wire.instant_readout.records",
    "encode_record": "wire.instant_readout.records",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'bluewatt' has no attribute {name!r}")
    return getattr(import_module(f"bluewatt.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
