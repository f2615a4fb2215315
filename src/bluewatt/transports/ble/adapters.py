"""The Bluetooth adapters of this computer, and the strings that name them as radios.

On Linux the Bluetooth service (BlueZ) says what it offers, and the kernel what else is plugged in: an adapter that
another program drives, or one that nobody offers because the service is not running. Elsewhere the system has one
adapter, shows no address of it, and does not say whether it is switched on.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bluewatt.transports.ble.adapter_errors import AdapterErrors, adapter_unavailable
from bluewatt.transports.ble.bluez.bus import ADAPTER, BUS, call, open_system_bus
from bluewatt.transports.radio_names import DEFAULT_RADIO

KERNEL_FOLDER = Path("/sys/class/bluetooth")
"""Where Linux lists its adapters, each a folder such as hci0."""

ANSWER_TIME = 5.0
"""Seconds the Bluetooth service may take to list its adapters."""

_HCI = re.compile(r"hci(\d+)")
_NOT_OFFERED = "the Bluetooth service does not offer this adapter; another program is driving it, or it is blocked"


class AdapterInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A Bluetooth adapter of this computer, as far as the system tells. None means that it does not say."""

    name: str
    """Its name in this system, such as hci0; "system" where the system has a single adapter without a name."""
    address: str | None = None
    """Its public address, such as 00:1A:7D:DA:71:13."""
    alias: str | None = None
    """The name under which other devices see it; usually the name of the computer."""
    powered: bool | None = None
    """Whether it is switched on."""
    scanning: bool | None = None
    """Whether a program is scanning with it now."""
    radios: tuple[str, ...] = ()
    """What names it as SOURCE or with --radio, best first: "ble:hci0", "hci-socket:0", "usb:1-1.2" (bus and ports)."""
    problem: str | None = None
    """Why the system's Bluetooth cannot use it, and what to do."""


async def list_adapters(*, platform: str = sys.platform, folder: Path = KERNEL_FOLDER) -> list[AdapterInfo]:
    """Return the adapters of this computer by name, none if there are none.

    `platform` (as `sys.platform`) and `folder` (as `KERNEL_FOLDER`) stand for another computer.
    """
    if platform != "linux":
        return [AdapterInfo(name="system", radios=(DEFAULT_RADIO,))]
    from dbus_fast import unpack_variants  # Linux only

    try:
        async with asyncio.timeout(ANSWER_TIME), open_system_bus() as bus:
            (objects,) = await call(bus, "/", f"{BUS}.ObjectManager", "GetManagedObjects")
    except AdapterErrors as error:
        return _sorted({}, folder, str(adapter_unavailable(error)))
    return _sorted(offered_adapters(unpack_variants(objects)), folder, _NOT_OFFERED)


def offered_adapters(objects: Mapping[str, Mapping[str, Any]]) -> dict[str, AdapterInfo]:
    """Return the adapters among BlueZ's objects, by name, without the radios that only the kernel knows."""
    found = {
        path.rpartition("/")[2]: interfaces[ADAPTER] for path, interfaces in objects.items() if ADAPTER in interfaces
    }
    return {
        name: AdapterInfo(
            name=name,
            address=adapter.get("Address"),
            alias=adapter.get("Alias"),
            powered=adapter.get("Powered"),
            scanning=adapter.get("Discovering"),
            radios=(DEFAULT_RADIO + name,),
        )
        for name, adapter in found.items()
    }


def _sorted(offered: dict[str, AdapterInfo], folder: Path, problem: str) -> list[AdapterInfo]:
    """Join what BlueZ offers with what the kernel knows; an adapter that only the kernel knows has `problem`."""
    known = {path.name for path in folder.glob("hci*") if _HCI.fullmatch(path.name)}
    found = [
        _with_radios(offered.get(name) or _unoffered(folder / name, problem), folder / name)
        for name in known | offered.keys()
    ]
    return sorted(found, key=lambda one: (_number(one.name) is None, _number(one.name) or 0, one.name))


def _unoffered(folder: Path, problem: str) -> AdapterInfo:
    return AdapterInfo(name=folder.name, address=_text(folder / "address"), problem=problem)


def _with_radios(adapter: AdapterInfo, folder: Path) -> AdapterInfo:
    radios, number = list(adapter.radios), _number(adapter.name)
    if number is not None:
        radios.append(f"hci-socket:{number}")
    device = (folder / "device").resolve().parent  # of the USB interface; its name is the place it is plugged in
    if (device / "idVendor").exists():
        radios.append(f"usb:{device.name}")
    return msgspec.structs.replace(adapter, radios=tuple(radios))


def _number(name: str) -> int | None:
    found = _HCI.fullmatch(name)
    return int(found[1]) if found else None


def _text(path: Path) -> str | None:
    """Return the text of a file of the kernel, None if there is none."""
    try:
        return path.read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
