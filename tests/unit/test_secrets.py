"""Keys, PINs and passwords: no repr, no log and no traceback shows one, and their files are their owner's alone."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import stat
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import msgspec
import pytest
from bumble.keys import PairingKeys

import bluewatt
import bluewatt.cli
from bluewatt.app.decoding.contents import DecodeKeys
from bluewatt.app.emulation import EmulatedDeviceConfig
from bluewatt.app.links import Target
from bluewatt.errors import PairingFailed
from bluewatt.model.dialogue.conversation import Line
from bluewatt.model.identity import Device
from bluewatt.model.pins import parse_pin
from bluewatt.model.register_values import RegisterReading, explain_register
from bluewatt.secret import HIDDEN, SecretBytes, SecretNumber, SecretText, hide
from bluewatt.services.emulator.memory import Memory, StoredState
from bluewatt.services.key_fetch import Fetched
from bluewatt.services.keys import save_key
from bluewatt.transports.mqtt_values import Topic
from bluewatt.transports.peripheral.pairing import Label
from bluewatt.transports.virtual.bonds import Bonds, Passkey
from bluewatt.wire.bluetooth.link_encryption import parse_long_term_key
from bluewatt.wire.instant_readout.cipher import Key, ShortKey
from bluewatt.wire.vesmart.broadcast import Network
from bluewatt.wire.victronconnect.events import Role
from bluewatt.wire.victronconnect.messages import SetValues

PIN, PASSWORD = "739154", "s3same-Opens"
KEY, LTK = bytes(range(0x81, 0x91)), bytes(range(0xA1, 0xB1))
ADDRESS = "C0:11:22:33:44:55"
DEVICE = Device(ADDRESS, ADDRESS)
PACKAGE = str(Path(bluewatt.__file__).parent)


def spellings(secret: str | bytes) -> Iterator[str]:
    """The ways in which a secret could show."""
    if isinstance(secret, str):
        yield secret
        yield secret.encode().hex()
    else:
        yield from (secret.hex(), secret.hex(" "), secret.hex(":"), repr(secret)[2:-1], str(list(secret))[1:-1])


SHOWS = tuple(text for secret in (PIN, PASSWORD, KEY, LTK) for text in spellings(secret))


def betrayed(text: str) -> list[str]:
    return [shown for shown in SHOWS if shown.casefold() in text.casefold()]


HOLDERS: dict[str, Any] = {
    "text": SecretText(PIN),
    "bytes": SecretBytes(LTK),
    "number": SecretNumber(PIN),
    "passkey": Passkey(PIN),
    "parsed PIN": parse_pin(f" {PIN} "),
    "parsed LTK": parse_long_term_key(LTK.hex(":")),
    "key": Key.of(KEY.hex()),
    "short key": ShortKey(KEY.hex()[1:]),
    "network": Network.of("1A2B", KEY),
    "fetched": Fetched(Key.of(KEY), (ADDRESS,), None),
    "target": Target(None, "ble:", PIN),
    "plan": EmulatedDeviceConfig(family="mppt", pin=PIN),
    "secrets": DecodeKeys([(ADDRESS, Key.of(KEY)), (None, ShortKey("1" * 31))], [Network.of("1A2B", KEY)], True, [LTK]),
    "topic": Topic.of(f"mqtt://me:{PASSWORD}@broker/boat"),
    "made topic": Topic("broker", 1883, "boat", "me", PASSWORD, False),
    "memory": StoredState(pin=PIN, key=KEY.hex()),
    "label": Label(lambda: PIN),
    "register": explain_register(0xEC65, KEY, "smartshunt"),
    "reading": RegisterReading(DEVICE, 1.0, "ble:", "gatt", (explain_register(0xEC65, KEY, "smartshunt"),)),
    "line": Line(1, 1.0, 1, DEVICE, None, Role.CLIENT, "vreg", "set_values", SetValues(0, ((0xEC65, KEY),)), KEY),
}  # fmt: skip


@pytest.mark.parametrize("name", HOLDERS)
def test_nothing_that_holds_a_secret_shows_it(name: str, caplog: pytest.LogCaptureFixture) -> None:
    holder = HOLDERS[name]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").error("%s %r %s", holder, holder, [holder])
    shown = [repr(holder), str(holder), f"{holder}", f"{holder!r:>40}", repr((holder,)), repr({1: holder}), caplog.text]
    assert betrayed(" ".join(shown)) == []


def test_the_spellings_would_be_found() -> None:
    for shown in (f"pin={PIN!r}", KEY.hex().upper(), repr(KEY), repr(list(LTK)), PASSWORD):
        assert betrayed(shown)


def test_secrets_serve_as_what_they_are() -> None:
    pin, key = SecretText(PIN), SecretBytes(KEY)
    assert (pin, int(pin), pin.encode(), len(pin)) == (PIN, int(PIN), PIN.encode(), 6)
    assert type(pin.reveal()) is str
    assert (key, key.hex(), bytes(key), key[0]) == (KEY, KEY.hex(), KEY, 0x81)
    assert {pin: 1}[PIN] == {key: 1}[KEY] == 1
    assert (f"{pin:>20}", f"{SecretNumber(5):06d}", "%s" % pin) == (HIDDEN,) * 3  # noqa: UP031
    assert (hide(None), hide(PIN), hide(pin), SecretText(pin)) == (None, PIN, PIN, PIN)
    assert (
        Target(None, "ble:", Target(None, "ble:", PIN).pin).pin
        == EmulatedDeviceConfig(family="mppt", pin=pin).pin
        == PIN
    )
    assert (parse_pin(parse_pin(pin)), Passkey(pin) + 0) == (PIN, int(PIN))
    assert SecretBytes(key) == Key.of(Key.of(key)) == KEY
    assert Passkey("000000"), "bumble takes a false passkey for none"
    assert pickle.loads(pickle.dumps(key)) == KEY


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BLUEWATT_PIN", "BLUEWATT_PINS_FILE", "BLUEWATT_CONFIG", "BLUEWATT_KEYS_FILE", "BLUEWATT_KEYS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


NOWHERE = ["--radio", "tcp-client:127.0.0.1:1"]
FAILING = {
    "read": ["read", "x", "--pin", PIN, *NOWHERE],
    "history": ["history", "x", "--pin", PIN, *NOWHERE],
    "key": ["key", "x", "--pin", PIN, *NOWHERE],
    "set": ["set", "x", "charger=off", "--pin", PIN, *NOWHERE],
    "mode": ["mode", "x", "off", "--pin", PIN, *NOWHERE],
    "capture": ["capture", "/tmp/never-made.btsnoop", "--link", "x", "--pin", PIN, *NOWHERE],
    "read, a short PIN": ["read", "x", "--pin", f"{PIN[:5]}", *NOWHERE],
    "scan": ["scan", "tcp-client:127.0.0.1:1", "--key", f"{ADDRESS}={KEY.hex()}"],
    "decode": ["decode", "/nowhere.btsnoop", "--key", f"{ADDRESS}={KEY.hex()}", "--ltk", LTK.hex()],
    "diff": ["diff", "/nowhere", "/nowhere", "--key", KEY.hex()],
    "emulate": ["emulate", "mppt", "--pin", PIN, "--radio", "tcp-server:999.0.0.1:1", "--feed",
                f"mqtt://me:{PASSWORD}@127.0.0.1:1/boat"],
}  # fmt: skip


def ours(error: BaseException) -> Iterator[FrameType]:
    """The frames of a traceback, and of those it came from, that are of this project, below the command."""
    seen: BaseException | None = error
    while seen is not None:
        place: TracebackType | None = seen.__traceback__
        while place is not None:
            if place.tb_frame.f_code.co_filename.startswith(PACKAGE):
                yield place.tb_frame
            place = place.tb_next
        for inner in getattr(seen, "exceptions", ()):
            yield from ours(inner)
        seen = seen.__cause__ or seen.__context__


@pytest.mark.parametrize("name", FAILING)
def test_the_traceback_of_a_failure_shows_no_secret(
    name: str, machine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BLUEWATT_DEBUG", "1")
    assert bluewatt.cli.main(FAILING[name]) in (3, 5, 6, 7)
    told = capfd.readouterr()
    assert "Traceback" in told.err
    assert betrayed(told.out + told.err) == []

    with pytest.raises(Exception) as failure:  # noqa: PT011
        bluewatt.cli.bluewatt.main(FAILING[name], standalone_mode=False)
    error = failure.value
    shown = "".join(traceback.format_exception(error))
    assert betrayed(shown.replace(PIN[:5], "") if name == "read, a short PIN" else shown) == []
    frames = list(ours(error))
    assert any(frame.f_code.co_name in ("command", "with_target") for frame in frames)
    for frame in frames:  # what a tool shows that prints the locals, too
        assert betrayed(repr(frame.f_locals)) == [], frame


def test_a_pin_that_is_none_is_not_repeated() -> None:
    with pytest.raises(PairingFailed) as told:
        parse_pin(SecretText(PIN[:5]))
    assert PIN[:5] not in str(told.value)
    assert PIN[:5] not in repr([frame.f_locals for frame in ours(told.value)])


# files


@pytest.fixture
def only_safe_writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The modes with which files get their names; nothing may be made for others first and be closed to them later."""
    modes: list[int] = []
    replaced = Path.replace

    def noted(self: Path, target: Path) -> Path:
        modes.append(stat.S_IMODE(self.stat().st_mode))
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    monkeypatch.setattr(Path, "chmod", lambda *_: pytest.fail("made for others first"))
    before = os.umask(0)
    yield modes
    os.umask(before)


async def bond_twice(bonds: Bonds) -> None:
    await bonds.update(ADDRESS, PairingKeys(ltk=PairingKeys.Key(LTK)))
    await bonds.update(ADDRESS, PairingKeys(ltk=PairingKeys.Key(KEY)))
    found = await bonds.get(ADDRESS)
    assert found is not None
    assert found.ltk == PairingKeys.Key(KEY)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_files_of_secrets_are_their_owners_alone_from_the_first_byte(
    tmp_path: Path, only_safe_writes: list[int]
) -> None:
    asyncio.run(bond_twice(Bonds(None, str(tmp_path / "state" / "bonds.json"))))
    memory = Memory(tmp_path / "emulate" / "mppt.json")
    memory.content.pin = PIN
    memory.save()
    save_key(ADDRESS, Key.of(KEY), tmp_path / "config" / "keys.toml")
    assert only_safe_writes == [0o600] * 4
    for path in tmp_path.glob("*/*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(list(tmp_path.glob("*/*"))) == 3
    assert msgspec.json.decode((tmp_path / "emulate" / "mppt.json").read_bytes())["pin"] == PIN
