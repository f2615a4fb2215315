"""The adapters of this computer: what BlueZ offers on a real bus, and what only the kernel knows."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property

from bluewatt.transports.ble.adapters import AdapterInfo, list_adapters

pytestmark = pytest.mark.wall_clock  # the bus is another process

DAEMON = shutil.which("dbus-daemon")

BUS_CONFIG = """<busconfig><type>system</type><listen>unix:path={socket}</listen><policy context="default">
<allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>"""


class Adapter(ServiceInterface):
    """An adapter as BlueZ exports it; the bus library answers for the object manager."""

    def __init__(self, address: str, *, powered: bool, scanning: bool = False) -> None:
        super().__init__("org.bluez.Adapter1")
        self._address, self._powered, self._scanning = address, powered, scanning

    @dbus_property(access=PropertyAccess.READ)
    def Address(self) -> "s":  # type: ignore[name-defined] # noqa: F821, N802
        """The public address."""
        return self._address

    @dbus_property(access=PropertyAccess.READ)
    def Alias(self) -> "s":  # type: ignore[name-defined] # noqa: F821, N802
        """The name others see."""
        return "boat"

    @dbus_property(access=PropertyAccess.READ)
    def Powered(self) -> "b":  # type: ignore[name-defined] # noqa: F821, N802
        """Whether it is switched on."""
        return self._powered

    @dbus_property(access=PropertyAccess.READ)
    def Discovering(self) -> "b":  # type: ignore[name-defined] # noqa: F821, N802
        """Whether somebody scans."""
        return self._scanning


@asynccontextmanager
async def bluez(**adapters: Adapter) -> AsyncIterator[None]:
    """A service under BlueZ's name that offers these adapters."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    for name, adapter in adapters.items():
        bus.export(f"/org/bluez/{name}", adapter)
    await bus.request_name("org.bluez")
    try:
        yield
    finally:
        bus.disconnect()


def plug_in(folder: Path, name: str, *, usb: str | None = None) -> None:
    """Make the folder of an adapter as the kernel does: `device` leads to the interface of a USB device."""
    (folder / name).mkdir(parents=True)
    if usb:
        interface = folder.parent / "usb" / usb / f"{usb}:1.0"
        interface.mkdir(parents=True)
        (interface.parent / "idVendor").write_text("0a12\n")
        (folder / name / "device").symlink_to(interface)


@pytest.fixture
def system_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a system bus of our own, empty at first."""
    if DAEMON is None:
        pytest.skip("dbus-daemon is not installed")
    config = tmp_path / "bus.conf"
    config.write_text(BUS_CONFIG.format(socket=tmp_path / "bus"))
    command = [DAEMON, f"--config-file={config}", "--nofork", "--print-address=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout
        address = daemon.stdout.readline().strip()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        try:
            yield address
        finally:
            daemon.terminate()


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return tmp_path / "bluetooth"


async def test_what_bluez_offers_is_listed_with_every_string_that_names_it(system_bus: str, kernel: Path) -> None:
    plug_in(kernel, "hci1", usb="1-1.2")
    plug_in(kernel, "hci0")
    one = Adapter("B8:27:EB:00:00:01", powered=False)
    other = Adapter("00:1A:7D:DA:71:13", powered=True, scanning=True)
    async with bluez(hci1=other, hci0=one):
        found = await list_adapters(platform="linux", folder=kernel)
    assert found == [
        AdapterInfo(
            name="hci0", address="B8:27:EB:00:00:01", alias="boat", powered=False, scanning=False,
            radios=("ble:hci0", "hci-socket:0"),
        ),
        AdapterInfo(
            name="hci1", address="00:1A:7D:DA:71:13", alias="boat", powered=True, scanning=True,
            radios=("ble:hci1", "hci-socket:1", "usb:1-1.2"),
        ),
    ]  # fmt: skip


async def test_an_adapter_bluez_does_not_offer_is_listed_with_the_reason(system_bus: str, kernel: Path) -> None:
    plug_in(kernel, "hci0")
    async with bluez():
        (found,) = await list_adapters(platform="linux", folder=kernel)
    assert (found.name, found.powered, found.radios) == ("hci0", None, ("hci-socket:0",))
    assert found.problem
    assert "another program is driving it" in found.problem


async def test_without_the_bluetooth_service_the_kernel_still_names_its_adapters(system_bus: str, kernel: Path) -> None:
    for name in ("hci10", "hci2", "hci2:64"):  # the last is a connection, no adapter
        plug_in(kernel, name)
    found = await list_adapters(platform="linux", folder=kernel)
    assert [one.name for one in found] == ["hci2", "hci10"]
    assert {one.problem for one in found} == {
        "the Bluetooth service is not running; run: sudo systemctl start bluetooth"
    }


async def test_without_a_system_bus_the_kernel_still_names_its_adapters(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'nothing'}")
    plug_in(kernel, "hci0")
    (found,) = await list_adapters(platform="linux", folder=kernel)
    assert found.problem
    assert found.problem.startswith("the system bus cannot be reached")


async def test_a_computer_without_an_adapter_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'nothing'}")
    assert await list_adapters(platform="linux", folder=tmp_path / "bluetooth") == []


@pytest.mark.parametrize("platform", ["darwin", "win32"])
async def test_elsewhere_there_is_the_one_of_the_system(platform: str) -> None:
    (found,) = await list_adapters(platform=platform)
    assert (found.radios, found.powered, found.problem) == (("ble:",), None, None)
