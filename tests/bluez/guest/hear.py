"""Print frames of `ble:` as JSON Lines: `hear.py SECONDS [ADAPTER]`; the last line tells the mode and the counters."""

from __future__ import annotations

import asyncio
import json
import sys

import msgspec

from bluewatt.errors import BluewattError
from bluewatt.transports.ble.scan import BleSource


async def hear(seconds: float, adapter: str | None) -> None:
    async with BleSource(adapter) as source:
        try:
            async with asyncio.timeout(seconds):
                async for frame in source:
                    print(json.dumps(msgspec.to_builtins(frame) | {"payload": frame.payload.hex()}))
        except TimeoutError:
            told = {"mode": source.mode, "mode_reason": source.mode_reason}
            print(json.dumps(told | msgspec.to_builtins(source.counters)))


try:
    asyncio.run(hear(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
except BluewattError as error:
    print(json.dumps({"error": type(error).__name__, "reason": getattr(error, "reason", None), "message": str(error)}))
    sys.exit(error.exit_code)
