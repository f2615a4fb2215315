"""There is one way to write to a device: the commander's. Nobody else holds a writer, and nobody else sends a write."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

WRITERS = {
    "Writer": {"model/ports.py", "services/commander.py"},
    "BleWriter": {"transports/ble/writer.py", "transports/ble/link.py", "app/links.py"},
    "Commander": {"services/commander.py", "app/links.py", "cli/set.py"},
}
"""Who may name what can write: who defines it, who hands it on, who is handed it."""

MODULES = {"bluewatt.transports.ble.writer": {"transports/ble/link.py", "app/links.py"}}
"""Who may import what can write, as a statement or by name."""

SENDS = {
    ("services/commander.py", "self._writer.write"): "the one write",
    ("transports/ble/writer.py", "self.channel.write"): "the writer itself",
    ("safe_write.py", "os.write"): "a file",
    ("wire/victronconnect/device.py", "self.registers.set"): "the emulator, which is written to",
    ("services/emulator/device.py", "plant.write"): "the emulator",
    ("services/emulator/device.py", "self.plant.write"): "the emulator",
    ("services/emulator/registers.py", "self._device.write"): "the emulator",
    ("services/simulator/devices/monitor.py", "super().write"): "a simulated device",
    ("transports/peripheral/connection.py", "self.shunt.write"): "the emulator",
}
"""Calls of a `write` or `set` that take a register and its content, and why each may."""

MESSAGES = {
    "wire/victronconnect/grammar.py", "wire/victronconnect/client.py",  # the message itself, the session's keep-alive
    "transports/ble/victronconnect.py", "services/write_gates.py",  # the channel under the writer, what a plan shows
}  # fmt: skip
"""Who may build a message that sets values."""

CHARACTERISTICS = {
    "transports/ble/victronconnect.py", "transports/ble/smartshunt.py",  # chunks, keep-alive
    "transports/ble/unlock.py",  # nonce
    "transports/ble/traffic_recorder.py",  # the client that records
}  # fmt: skip
"""Who may write a characteristic."""


def sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    package = root / "src" / "bluewatt"
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def faults(file: str, tree: ast.Module) -> list[str]:
    """What a file does that only the path of writes may."""
    return [f"{file}:{node.lineno}: {what}" for node in ast.walk(tree) if (what := fault(file, node))]


def fault(file: str, node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if file not in WRITERS.get(
            name, {file}
        ):
            return f"names {name}"
        case ast.ImportFrom(module=str(module)) if outside(file, MODULES.get(module)):
            return f"imports {module}"
        case ast.Constant(value=str(module)) if outside(file, MODULES.get(module)):
            return f"imports {module} by its name"
        case ast.Call(func=ast.Name(id="SetValues")) if file not in MESSAGES:
            return "builds a message that sets values"
        case ast.Call(func=ast.Attribute(attr="write_gatt_char")) if file not in CHARACTERISTICS:
            return "writes a characteristic"
        case ast.Call(func=ast.Attribute(attr="set" | "write") as called) if takes_a_register(node):
            return "" if (file, ast.unparse(called)) in SENDS else f"calls {ast.unparse(called)}"
    return ""


def outside(file: str, places: set[str] | None) -> bool:
    return places is not None and file not in places


def takes_a_register(call: ast.Call) -> bool:
    """Whether a call has two arguments or more: an event is set without, a file takes one."""
    return len(call.args) + len(call.keywords) >= 2 or any(isinstance(one, ast.Starred) for one in call.args)


def test_only_the_commander_writes_to_devices(root: Path) -> None:
    found = [what for file, tree in sources(root) for what in faults(file, tree)]
    assert not found, found


def test_every_exception_is_used(root: Path) -> None:
    """A list that names more than there is lets somebody write one day without anybody noticing."""
    files = dict(sources(root))
    calls = {
        (file, ast.unparse(node.func)) for file, tree in files.items() for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }  # fmt: skip
    assert set(SENDS) <= calls
    assert {file for file, call in calls if call == "SetValues"} >= MESSAGES - {"wire/victronconnect/grammar.py"}
    named = {(file, name) for file, tree in files.items() for node in ast.walk(tree) for name in names(node)}
    assert {(file, name) for name, places in WRITERS.items() for file in places} <= named


def names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) | ast.ClassDef(name=name):
            yield name


@pytest.mark.parametrize(
    "line",
    [
        "await link.set(0x0200, b'')",
        "await link.set(register=0x0200, raw=b'')",
        "await channel.write(3, 0x0200, b'')",
        "await anything.write(*what)",
        "session.send(SetValues(3, ((0x0200, b''),)), now)",
        "client.write_gatt_char(part, data)",
        "from bluewatt.transports.ble.writer import BleWriter as Harmless",
        "import_module('bluewatt.transports.ble.writer')",
        "from bluewatt.model.ports import Writer",
        "Commander(link, writer, allowed=['charger'], audit=audit)",
    ],
)
def test_a_second_way_would_be_seen(line: str) -> None:
    assert faults("exports/somewhere.py", ast.parse(line))


def test_the_port_of_links_has_no_write() -> None:
    from bluewatt.model.ports import Link, Writer
    from bluewatt.transports.ble.link import BleLink

    def public(port: type) -> set[str]:
        return {name for name in dir(port) if not name.startswith("_")}

    assert public(Writer) == {"write"}
    assert not {"write", "set"} & (public(Link) | public(BleLink))
