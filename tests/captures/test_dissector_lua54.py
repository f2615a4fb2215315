"""The dissector on a bare Lua 5.4, as newer Wiresharks have it, with stand-ins for Wireshark's objects."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bluewatt.docgen.wireshark import dissector
from bluewatt.tables.enums import AlarmReason, AuxMode
from bluewatt.tables.records.battery_monitor import BatteryMonitor
from bluewatt.wire.instant_readout.advertisement import build_advertisement
from bluewatt.wire.victronconnect import grammar
from bluewatt.wire.victronconnect import messages as vreg

WORLD = """
local function made(kind) return function(name) return { kind = kind, name = name } end end
local anything = { __index = function() return 0 end }
shown = {}
TreeItem = {}
TreeItem.__index = TreeItem
function TreeItem.add(tree, field, range, value)
  if type(range) == "number" then range, value = nil, range end
  if type(field) == "table" and field.kind then
    local text = math.type(value) == "float" and string.format("%.15g", value) or tostring(value)
    shown[#shown + 1] = field.name .. "=" .. text
  end
  return setmetatable({}, TreeItem)
end
function TreeItem.referenced() return true end
for _, name in ipairs({ "append_text", "set_text", "set_generated", "add_proto_expert_info" }) do
  TreeItem[name] = function(item) return item end
end
Tvb = { raw = function(tvb) return tvb.data end }
setmetatable(Tvb, { __call = function(_, data) return setmetatable({ data = data }, { __call = function() return {} end,
  __index = { raw = Tvb.raw } }) end })
ProtoField = setmetatable({}, { __index = function(_, kind) return made(kind) end })
ProtoExpert = { new = made("expert") }
expert = { group = setmetatable({}, anything), severity = setmetatable({}, anything) }
base = setmetatable({}, anything)
Pref = { string = function(_, default) return default end }
Field = { new = function() return function() end end }
function Proto(name) return { name = name, prefs = {} } end
Dissector = { get = function() return {} end }
local dissector_table = { add = function() end, set = function() end, get_dissector = function() return {} end }
DissectorTable = { get = function() return dissector_table end }
gui_enabled = function() return false end
os.getenv = function() return nil end
"""


def run(tmp_path: Path, tail: str) -> list[str]:
    lua = shutil.which("lua5.4")
    if lua is None:
        pytest.skip("lua5.4 is not installed (apt-get install lua5.4)")
    script = tmp_path / "all.lua"
    script.write_text(WORLD + dissector() + tail, "utf-8")
    done = subprocess.run([lua, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def escaped(data: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def test_the_cipher_is_aes(tmp_path: Path) -> None:
    chance = random.Random(1)
    pairs = [(chance.randbytes(16), chance.randbytes(16)) for _ in range(100)]
    tail = "".join(f"print(V.hex(V.aes_block({escaped(key)}, {escaped(block)})))\n" for key, block in pairs)
    expected = [Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block).hex() for key, block in pairs]
    assert run(tmp_path, tail) == expected


def test_an_advertisement_is_opened(tmp_path: Path) -> None:
    key = bytes(range(16))
    record = BatteryMonitor(battery_voltage=12.53, battery_current=-4.123, alarm_reason=AlarmReason(3),
                            temperature=21.85, aux_mode=AuxMode.TEMPERATURE, state_of_charge=87.5)  # fmt: skip
    payload = build_advertisement(record, product_id=0xA389, key=key, nonce=0x1234)
    tail = f"""
    V.protocol.init()
    V.load_keys("{key.hex()}", "")
    V.protocol.dissector(Tvb({escaped(payload)}), {{ cols = {{}} }}, setmetatable({{}}, TreeItem))
    print(table.concat(shown, "\\n"))
    """
    shown = dict(line.split("=") for line in run(tmp_path, tail))
    expected = {"battery_voltage": 12.53, "battery_current": -4.123, "temperature": 21.85, "state_of_charge": 87.5}
    assert {name: float(shown[f"victron.{name}"]) for name in expected} == pytest.approx(expected, rel=1e-12)
    assert shown["victron.alarm_reason"] == "3"
    assert "victron.consumed_charge" not in shown


def test_messages_are_read(tmp_path: Path) -> None:
    messages = [
        vreg.GetValues(3, (0xED8D, 0x93)),
        vreg.SetValues(0, ((0x93, b"\x10\x27"),), True),
        vreg.ValueMessage(3, 1, b""),
    ]
    data = escaped(b"".join(map(grammar.build_message, messages)) + b"\x08\x03")
    tail = f"""
    local found, fault = V.messages({data})
    for _, message in ipairs(found) do print(message.opcode, message.instance.value, message.from, message.to) end
    print(fault)
    """
    lines = [line.split("\t") for line in run(tmp_path, tail)]
    assert [line[:2] for line in lines[:3]] == [["5", "3"], ["6", "0"], ["8", "3"]]
    assert [line[0] for line in lines[3:]] == ["bytes end inside a message"]
