"""What bumble raises, as what bleak raises."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.core import BaseBumbleError, ProtocolError

_T = TypeVar("_T")


async def with_bleak_errors(action: Awaitable[_T]) -> _T:
    """Await an operation of bumble; raises BleakError for its errors, with the code of the device if there is one."""
    try:
        return await action
    except ATT_Error as error:
        raise BleakGATTProtocolError(int(error.error_code)) from error
    except ProtocolError as error:
        raise BleakError(f"{error.error_namespace or 'Bluetooth'} error: {error.error_name or error}") from error
    except BaseBumbleError as error:
        raise BleakError(str(error) or type(error).__name__) from error
