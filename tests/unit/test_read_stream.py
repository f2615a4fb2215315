"""What `bluewatt read --stream` prints of what a device tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bluewatt.cli import read
from bluewatt.model.identity import Device
from bluewatt.model.register_values import RegisterReading, explain_register


class Telling:
    async def subscribe(self) -> AsyncIterator[RegisterReading]:
        device = Device("id", "AA:BB:CC:DD:EE:FF", None)
        for register, raw in ((0x0093, "1027"), (0xED8D, "e504")):
            value = explain_register(register, bytes.fromhex(raw), None)
            yield RegisterReading(device, 0.0, "virtual:", "gatt", (value,))


async def test_the_keep_alive_of_the_link_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    link: Any = Telling()
    await read._follow(link, read._Printer(as_json=False, as_csv=False), None)
    assert capsys.readouterr().out == "Battery voltage: 12.53 V\n"
