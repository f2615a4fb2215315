"""The tree of all errors that Bluewatt raises on purpose.

    BluewattError
    ├── WireError (ValueError)      bytes and records that do not fit each other
    │   ├── Malformed               the other side sent bytes that break its own layout
    │   ├── Unencodable             we asked for something the layout cannot hold
    │   └── UnknownType             well-formed, but of a type nobody has described yet
    ├── KeyProblem                  the advertisement key is missing or wrong
    │   ├── KeyMissing
    │   └── KeyMismatch
    ├── LinkError                   the radio or the connection
    │   ├── AdapterUnavailable
    │   ├── DeviceNotFound
    │   ├── PairingFailed
    │   ├── LinkLost
    │   └── LinkTimeout
    ├── DeviceRefused               the device understood and said no
    ├── Forbidden                   Bluewatt itself said no
    ├── StoreError                  the history store
    ├── BrokerError                 the MQTT broker or the fleet transport
    ├── CaptureError                a capture file
    └── ConfigError                 the settings

The class says where the cause lies, and that is all a retry needs: `Malformed` and `DeviceRefused` come from the
device, `Unencodable` and `Forbidden` from our own side, `LinkError` from the radio. The message of every error is the
one line a person sees; facts a program needs are attributes.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

DEBUG = "BLUEWATT_DEBUG"
"""The environment variable that, set to 1, turns on tracebacks and the logs of libraries."""


class ExitCode(enum.IntEnum):
    """The exit code of a command; each error names its own."""

    OK = 0
    BUG = 1
    USAGE = 2
    LINK = 3
    REFUSED = 4
    SECRET = 5
    CONFIG = 6
    FILE = 7
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODES = {
    ExitCode.OK: "it worked, or Ctrl-C ended a command that goes on until then",
    ExitCode.BUG: "a bug of Bluewatt: please report it",
    ExitCode.USAGE: "the command line cannot be used: an option, an argument or a name in it is wrong",
    ExitCode.LINK: "the radio, the connection or the broker failed, or no device was heard",
    ExitCode.REFUSED: "the device refused, or Bluewatt did because it is not allowed or not safe",
    ExitCode.SECRET: "a key or PIN is missing or wrong",
    ExitCode.CONFIG: "the settings, the key file or a library cannot be used",
    ExitCode.FILE: "the input is no capture or advertisement or is damaged, or the output cannot be written",
    ExitCode.INTERRUPTED: "Ctrl-C ended the command before it was done",
    ExitCode.TERMINATED: "SIGTERM ended the command before it was done",
}
"""What each exit code means, for the command line, the errors below and the reference."""


class BluewattError(Exception):
    """The root of the tree: `except BluewattError` catches all that Bluewatt raises on purpose."""

    exit_code: ExitCode = ExitCode.BUG
    """The exit code of the command when this error ends it."""


class WireError(BluewattError, ValueError):
    """A mismatch of bytes and layout. Codecs raise nothing else on bytes."""

    exit_code = ExitCode.FILE


class Malformed(WireError):
    """Bytes from the other side that break their own layout.

    Example: an advertisement of three bytes, a CBOR item that ends before its length says. If bytes hold several
    things in a row, `good` has those that were whole before the damage.
    """

    def __init__(self, message: str, *, good: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.good = tuple(good)


class Unencodable(WireError):
    """A value to write that the layout cannot hold.

    Example: a battery voltage of 400 V in a signed 16-bit field of 10 mV steps.
    """

    exit_code = ExitCode.USAGE


class UnknownType(WireError):
    """Well-formed bytes of a type without a known layout; `type_number` and `raw` are what was seen.

    Example: record type 0x2A from a product of next year.
    """

    def __init__(self, message: str, *, type_number: int | None = None, raw: bytes = b"") -> None:
        super().__init__(message)
        self.type_number = type_number
        self.raw = raw


class KeyProblem(BluewattError):
    """A missing or wrong advertisement key."""

    exit_code = ExitCode.SECRET


class KeyMissing(KeyProblem):
    """An encrypted record of a device whose key is not known.

    Example: the first advertisement of a new solar charger.
    """


class KeyMismatch(KeyProblem):
    """A key that is not the one the device uses now.

    Example: the PIN was changed, so the device made a new key.
    """


class LinkError(BluewattError):
    """A failure of the radio or the connection; trying again may help."""

    exit_code = ExitCode.LINK


class AdapterUnavailable(LinkError):
    """The lack of a usable Bluetooth adapter; `reason` is a short word such as "missing", "off", "permission".

    Example: a Raspberry Pi with Bluetooth disabled in its boot configuration.
    """

    def __init__(self, message: str, *, reason: str = "missing") -> None:
        super().__init__(message)
        self.reason = reason


class DeviceNotFound(LinkError):
    """A device that was not heard in time.

    Example: out of range, or another central is connected and it stopped advertising.
    """


class PairingFailed(LinkError):
    """A pairing that failed; `reason` is a short word such as "pin", "bond", "timeout", "rejected".

    Example: the PIN on the label was changed by the previous owner.
    """

    def __init__(self, message: str, *, reason: str = "rejected") -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_code = ExitCode.SECRET if reason == "pin" else ExitCode.LINK


class LinkLost(LinkError):
    """The loss of a connection before the work was done.

    Example: the boat swung away in the middle of a history read.
    """


class LinkTimeout(LinkError):
    """A connected device that did not answer in time.

    Example: a charger that ignores the array dialect it was asked in.
    """


class DeviceRefused(BluewattError):
    """A refusal by the device, which understood; `register` and `code` are from its answer.

    Example: code 1 (unknown register) for a load output on a model without one.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, *, register: int, code: int) -> None:
        super().__init__(message)
        self.register = register
        self.code = code


class Forbidden(BluewattError):
    """A refusal by Bluewatt itself: read-only, not a listed control, out of range, or no consent.

    Example: `bluewatt set shunt battery_capacity=200` without writing allowed in the configuration.
    """

    exit_code = ExitCode.REFUSED


class StoreError(BluewattError):
    """A history store that cannot be used.

    Example: the SD card is full.
    """

    exit_code = ExitCode.FILE


class BrokerError(BluewattError):
    """A broker that cannot be reached or refuses.

    Example: a wrong MQTT password.
    """

    exit_code = ExitCode.LINK


class CaptureError(BluewattError):
    """A capture that cannot be read further, or a file that cannot be written; `path` and the byte `offset` say where.

    Example: a pcap file cut in the middle of a packet, a disk that is full.
    """

    exit_code = ExitCode.FILE

    def __init__(self, message: str, *, path: str = "", offset: int = 0) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset


class ConfigError(BluewattError):
    """A setting or a key file that cannot be used; `hint` says what to write instead.

    Example: a key file that other users may read.
    """

    exit_code = ExitCode.CONFIG

    def __init__(self, message: str, *, path: str = "", hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.path = path
        self.hint = hint
