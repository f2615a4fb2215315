"""Print the adapters of the guest as JSON Lines."""

from __future__ import annotations

import asyncio
import json

import msgspec

from bluewatt.transports.ble.adapters import list_adapters

for adapter in asyncio.run(list_adapters()):
    print(json.dumps(msgspec.to_builtins(adapter)))
