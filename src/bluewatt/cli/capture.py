"""`bluewatt capture`: record advertisements, or a connection of ours, into btsnoop that Wireshark opens."""

from __future__ import annotations

import click

from bluewatt.app.capturing import record_air, record_link
from bluewatt.app.decoding.output import open_output
from bluewatt.app.sources import files_of, make_source
from bluewatt.cli.option_rules import RuledCommand, excludes, needs
from bluewatt.cli.options import SECONDS_OPTION, SECRET, force_option, limit_of
from bluewatt.errors import DeviceNotFound
from bluewatt.exports.btsnoop import Snoop
from bluewatt.exports.terminal.notices import notice
from bluewatt.model.display import counted

WITHOUT_END = 10.0
"""Seconds for which a connection is recorded if none are given."""


RULES = (
    excludes("--link", "--source"),
    needs("--pin", "--radio", any_of=("--link",)),
)


EXAMPLES = (
    ("capture drive.btsnoop", "every advertisement, until Ctrl-C"),
    ("capture reading.btsnoop --link shunt", "a connection in which the device is read"),
    ("capture site.btsnoop --source virtual: --seconds 5", "five seconds of a simulated site"),
)


@click.command("capture", cls=RuledCommand, rules=RULES, examples=EXAMPLES)
@click.argument("output", type=click.Path(dir_okay=False))
@click.option("--source", default="ble:", show_default=True, help="Where to listen: ble:, ble:hci1 or virtual:.")
@SECONDS_OPTION
@click.option(
    "--link", "device", metavar="DEVICE",
    help="Connect to this device (address or part of its name), read it, and record that connection.",
)  # fmt: skip
@click.option("--pin", type=SECRET, metavar="DIGITS", help="The PIN of the device, for --link.")
@click.option("--radio", metavar="RADIO", help="The radio for --link: ble: or virtual:. [default: ble:]")
@force_option
def command(
    output: str,
    source: str,
    seconds: float | None,
    device: str | None,
    pin: str | None,
    radio: str | None,
    force: bool,
) -> None:
    """Record advertisements, or a connection, into OUTPUT, a btsnoop file that Wireshark opens.

    Advertisements are stored as they were received, still encrypted. A recorded connection holds the key of the device
    in the clear: its file is readable by you alone, and `bluewatt decode OUTPUT --redact COPY` makes a copy to share.
    """

    limit = limit_of(seconds)
    opened = make_source(source) if device is None else None
    read = files_of(opened) if opened is not None else ()
    with open_output(output, *read, force=force, private=device is not None, live=True) as file:
        write = Snoop(file).write
        if opened is not None:
            count = record_air(write, opened, limit)
        else:
            count = record_link(write, device, pin, radio or "ble:", seconds or WITHOUT_END)
    if device is not None:
        packets = counted(count, "packet")
        notice(f"recorded {packets} of a connection in {output}; the file may hold the key of the device")
    elif count:
        notice(f"recorded {counted(count, 'advertisement')} in {output}")
    else:
        raise DeviceNotFound("no Victron device was heard: go nearer, or let it run longer with --seconds")
