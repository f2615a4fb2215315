"""`bluewatt emulate`: make this computer a device that other software finds, pairs with and reads."""

from __future__ import annotations

import asyncio
import math
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bluewatt.cli.option_rules import RuledCommand, excludes, needs
from bluewatt.cli.options import POSITIVE, SECRET, FiniteRange
from bluewatt.errors import ConfigError
from bluewatt.extras import libraries_for
from bluewatt.folders import state_folder
from bluewatt.services.simulator.clock import FASTEST
from bluewatt.time_limit import time_limit
from bluewatt.wire.vesmart.broadcast import Network

if TYPE_CHECKING:
    from bluewatt.app.emulation import Emulator, Running

DEVICES = ("smartshunt", "bmv712", "mppt", "phoenix", "orion", "ip22")
SIMULATOR = "simulator"
DEMO = "demo"
DEFAULT_RADIO = "hci-socket:0"

_STATUS_PERIOD = 1.0


RULES = (excludes("--forget", "--state"), needs("--transmit", any_of=("--vesmart",)))


EXAMPLES = (
    ("emulate smartshunt", "a SmartShunt on the first Bluetooth adapter"),
    ("emulate mppt phoenix --radio tcp-server:127.0.0.1:7001", "two devices for programs that attach by HCI over TCP"),
    ("emulate bmv712 --feed mqtt://localhost/van/battery", "a battery monitor that shows your own values"),
)


@click.command("emulate", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("devices", nargs=-1, required=True, type=click.Choice(DEVICES), metavar="DEVICE...")
@click.option(
    "--radio", default=DEFAULT_RADIO, show_default=True, metavar="TRANSPORT",
    help="The radio of the device: hci-socket:0, usb:0 or serial:/dev/tty... (a real adapter, which nothing else may "
    "use meanwhile; one device at a time), vhci (this computer's own Bluetooth receives it; Linux, root), "
    "tcp-server:HOST:PORT (for programs that attach by HCI over TCP), virtual (for this process alone).",
)  # fmt: skip
@click.option(
    "--name", metavar="TEXT", help="The name it advertises. [default: that of the factory, with a serial number]"
)
@click.option(
    "--pin", type=SECRET, metavar="DIGITS",
    help="The PIN of the device: six digits. A new PIN makes a new key. [default: as before, else 000000]",
)  # fmt: skip
@click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Keep PIN, key, name, settings and bonds in this folder. [default: bluewatt/emulate in your state folder]",
)  # fmt: skip
@click.option("--forget", is_flag=True, help="Keep nothing: the next start makes another device.")
@click.option(
    "--feed", type=SECRET, default=SIMULATOR, show_default=True, metavar="SOURCE",
    help="Where the values come from: simulator, - (JSON Lines on standard input) or mqtt://host/topic.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=1), metavar="N", help="Be device number N, the same on every computer.")
@click.option(
    "--speed", type=FiniteRange(0, FASTEST, min_open=True), default=1.0, show_default=True, metavar="FACTOR",
    help="How fast time passes for the device.",
)  # fmt: skip
@click.option(
    "--firmware", type=click.Choice(("new", "old")), default="new", show_default=True,
    help="The age of the firmware; old is that of a SmartShunt of 2021: no keep-alive, small packets only.",
)  # fmt: skip
@click.option(
    "--mtu",
    type=click.IntRange(23, 517),
    metavar="BYTES",
    help="The largest MTU that the device agrees to. [default: that of the real device]",
)
@click.option(
    "--keep-alive", type=FiniteRange(0, 65), metavar="SECONDS",
    help="Disconnect a client that writes no keep-alive for this time; 0: never. "
    "[default: 10 for smartshunt, bmv712 and mppt, else never]",
)  # fmt: skip
@click.option(
    "--key-behind-puk",
    is_flag=True,
    help="Refuse the advertisement key until the client has answered a nonce with the PIN, as some chargers do.",
)
@click.option(
    "--vesmart", metavar="FILE",
    help="Also broadcast to a VE.Smart network: a TOML file with network_id and network_key, or demo (a made-up one).",
)  # fmt: skip
@click.option(
    "--transmit", is_flag=True, help="Send VE.Smart broadcasts on a real radio. Can make chargers overcharge!"
)
@click.option("--seconds", type=POSITIVE, metavar="N", help="End after N seconds. [default: at Ctrl-C]")
def command(
    devices: tuple[str, ...], radio: str, name: str | None, pin: str | None, state: Path | None, forget: bool,
    feed: str, seed: int | None, speed: float, firmware: str, mtu: int | None, keep_alive: float | None,
    key_behind_puk: bool, vesmart: str | None, transmit: bool, seconds: float | None,
) -> None:  # fmt: skip
    """Be one or more devices: smartshunt, bmv712, mppt, phoenix, orion, ip22.

    They advertise, pair by their PIN, and answer reads and writes like real ones; a write changes the simulated device.
    Mode, name, PIN and key survive a restart. Ctrl-C ends the command.
    """
    from bluewatt.app.lifetime import run_until_stopped

    with libraries_for("the emulator"):
        from bluewatt.app.emulation import EmulatedDeviceConfig, Emulator
    if name is not None and len(devices) > 1:
        raise click.UsageError("--name is for one device")
    patience = math.inf if keep_alive == 0 else keep_alive
    plans = [
        EmulatedDeviceConfig(
            family=device, name=name, pin=pin, generation=firmware, mtu=mtu, keep_alive=patience,
            key_behind_puk=key_behind_puk,
        )
        for device in devices
    ]  # fmt: skip
    emulator = Emulator(
        plans, radio, state=None if forget else state or state_folder() / "emulate", seed=seed,
        speed=speed, fed=feed != SIMULATOR, network=_network(vesmart), transmit=transmit,
    )  # fmt: skip
    run_until_stopped(_emulate(emulator, feed, seconds))


def _network(choice: str | None) -> Network | None:
    if choice is None:
        return None
    if choice == DEMO:
        return Network.of("d3a0", "d3" * 16, "demo")
    try:
        known = tomllib.loads(Path(choice).read_text("utf-8"))
        return Network.of(str(known["network_id"]), str(known["network_key"]), str(known.get("name", "")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        hint = "a TOML file with network_id (4 hex digits) and network_key (32)"
        raise ConfigError(f"{choice} does not name a VE.Smart network: {what}", path=choice, hint=hint) from error


async def _emulate(emulator: Emulator, feed: str, seconds: float | None) -> None:
    from bluewatt.app.emulation import feed_values, watch_clients

    async with emulator:
        for running in emulator.running:
            _introduce(running)
        async with time_limit(seconds), asyncio.TaskGroup() as group:
            group.create_task(emulator.run(), name="emulator")
            group.create_task(watch_clients(emulator, _tell), name="clients")
            group.create_task(_status(emulator), name="status")
            if feed != SIMULATOR:
                group.create_task(emulator.feed_from(feed_values(feed, _tell), _tell), name="feed")


def _introduce(running: Running) -> None:
    """Print who the device is, with its PIN, which its user has to know."""
    device = running.device
    _tell(f"{device.family.title}: {device.name}, address {device.address}, PIN {device.pin}")


def _tell(text: str) -> None:
    click.echo(f"\r{text}\x1b[K" if sys.stderr.isatty() else text, err=True)


async def _status(emulator: Emulator) -> None:
    """Show the state of the devices on one line of the terminal."""
    while sys.stderr.isatty():
        click.echo(f"\r{' · '.join(map(_line, emulator.running))}\x1b[K", err=True, nl=False)
        await asyncio.sleep(_STATUS_PERIOD)


def _line(running: Running) -> str:
    shown = running.device.measurements()
    values = " ".join(_figure(shown, key, unit) for key, unit in _FIGURES if shown.get(key) is not None)
    return f"{running.device.name} {'connected' if running.peripheral.client else 'advertising'} {values}".rstrip()


_FIGURES = (("battery_voltage", "V"), ("output_voltage", "V"), ("battery_current", "A"), ("state_of_charge", "%"))


def _figure(shown: Any, key: str, unit: str) -> str:
    value = shown[key]
    return f"{value:.2f} {unit}" if isinstance(value, int | float) else f"{value} {unit}"
