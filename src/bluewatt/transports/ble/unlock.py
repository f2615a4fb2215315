"""The second authentication: some firmware shows its key only after a nonce was answered with its CRC and the PIN.

Protocol page victronconnect-gatt, section 10 (single source): a fallback, tried when the plain read is refused.
VictronConnect resets PINs in this way, so it is tried with the owner's PIN only, at most three times; no PIN is
guessed.
"""

from __future__ import annotations

import asyncio

from bleak import BleakClient

from bluewatt.errors import Malformed
from bluewatt.tables.gatt import PIN_CODE, PUK_CODE
from bluewatt.transports.ble.link_errors import LinkErrors, link_lost
from bluewatt.wire.victronconnect.device_information import pin_answer, puk_answer

TRIES = 3
"""Nonces answered at most."""

ANSWER = 2.0
"""Seconds to wait for the result of an answer."""

_ACCEPTED = 0


async def unlock(client: BleakClient, pin: str, name: str) -> bool:
    """Answer the nonce; return False if the device has no such service or refuses. Raises LinkLost."""
    if not all(client.services.get_characteristic(uuid) for uuid in (PUK_CODE, PIN_CODE)):
        return False
    try:
        return await _answer_puk(client) and await _answer_pin(client, pin)
    except Malformed:
        return False
    except LinkErrors as error:
        if not client.is_connected:
            raise link_lost(name) from error
        return False


async def _answer_puk(client: BleakClient) -> bool:
    for _ in range(TRIES):  # a nonce may be overtaken by the next one: read again
        nonce = bytes(await client.read_gatt_char(PUK_CODE))
        if await _result_of(client, PUK_CODE, puk_answer(nonce)) == _ACCEPTED:
            return True
    return False


async def _answer_pin(client: BleakClient, pin: str) -> bool:
    nonce = bytes(await client.read_gatt_char(PUK_CODE))
    # Another answer, or none, was reported not to be fatal: the read of the key decides.
    await _result_of(client, PIN_CODE, pin_answer(nonce, int(pin)))
    return True


async def _result_of(client: BleakClient, uuid: str, answer: bytes) -> int | None:
    """Write an answer; return the first byte that the device notifies then, None for silence."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    await client.start_notify(uuid, lambda sender, data: heard.put_nowait(bytes(data)))
    try:
        await client.write_gatt_char(uuid, answer, response=True)
        async with asyncio.timeout(ANSWER):
            return next(iter(await heard.get()), None)
    except TimeoutError:
        return None
    finally:
        await client.stop_notify(uuid)
