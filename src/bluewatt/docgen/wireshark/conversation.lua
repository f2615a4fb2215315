-- Connections: which handle is which characteristic, and the messages put together from chunks.
--
-- Wireshark goes through a capture once in order and later shows any packet at any time. Everything that depends on
-- what came before is found on the first pass and kept by frame; showing a packet only reads what was kept.

local byte, concat = string.byte, table.concat

local chandle, access_address = Field.new("bthci_acl.chandle"), Field.new("btle.access_address")

local connections, devices, entries = {}, {}, {}

local ASK_MTU, FOUND_INFORMATION, READ_BY_TYPE_RESPONSE = 0x02, 0x05, 0x09
local READ, READ_RESPONSE = 0x0A, 0x0B
local VALUES = {
  -- By ATT opcode: the sender, and the bytes of signature at the end
  [0x12] = { "client", 0 }, [0x52] = { "client", 0 }, [0xD2] = { "client", 12 },
  [0x1B] = { "device", 0 }, [0x1D] = { "device", 0 },
}
local FROM_DEVICE = {}
for _, opcode in ipairs({ 0x01, 0x03, 0x05, 0x07, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x13, 0x17, 0x19, 0x1B, 0x1D, 0x21, 0x23 }) do
  FROM_DEVICE[opcode] = true
end
local OTHER = { client = "device", device = "client" }
local SPACING = 3 -- from control to last to bulk, as on every device seen

function V.forget()
  connections, devices, entries = {}, {}, {}
end

local function first_of(field)
  local found = field()
  return found and tostring(found) or nil
end

-- Which side of the link holds the server: both may be one. Unknown directions share a name.
local function side(pinfo, from_device)
  local direction = pinfo.p2p_dir
  if direction ~= 0 and direction ~= 1 then return "?" end
  return from_device and 1 - direction or direction
end

local function name_of(pinfo, from_device)
  local link = first_of(access_address) or first_of(chandle) or ""
  local device, client = tostring(pinfo.dst), tostring(pinfo.src)
  if from_device then device, client = client, device end
  return concat({ link, device, client, side(pinfo, from_device) }, " ")
end

local function device_of(pinfo, from_device)
  return tostring(from_device and pinfo.src or pinfo.dst):match("^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x")
end

local function peer_of(name)
  devices[name] = devices[name] or { handles = {} }
  return devices[name]
end

-- The product a device has advertised, by its address as people write it: the family decides what its registers
-- mean.
function V.learn_product(address, product)
  local peer = peer_of(address:lower())
  peer.family = peer.family or T.families[product]
end

-- The state of one copy of the data service, in both directions: credits, and messages that are not complete.
local function stream_of(connection, copy)
  connection.streams[copy] = connection.streams[copy] or {
    credit = { client = 0, device = 0 },
    client = { data = "", frames = {} }, device = { data = "", frames = {} },
  }
  return connection.streams[copy]
end

-- The protocols below do not report when a connection begins. Its first request is for the MTU, once; a client
-- that never asks begins with its limits.
local function begins(connection, opcode, data)
  if opcode == ASK_MTU then return true end
  local handle = VALUES[opcode] and #data >= 5 and byte(data, 4) == T.control.LIMITS and V.little(data, 2, 3)
  local place = handle and connection.peer.handles[handle]
  return place and place.role == "control" and connection.limits[place.copy] and not connection.asked_mtu
end

local function connection_of(pinfo, opcode, data)
  local from_device = FROM_DEVICE[opcode]
  local name = name_of(pinfo, from_device)
  local found = connections[name]
  if not found or begins(found, opcode, data) then
    local device = device_of(pinfo, from_device)
    found = { device = device, peer = peer_of(device or name), streams = {}, limits = {} }
    connections[name] = found
  end
  found.asked_mtu = found.asked_mtu or opcode == ASK_MTU
  return found
end

-- handles

local function uuid_text(raw)
  local digits = V.hex(raw:reverse())
  return ("%s-%s-%s-%s-%s"):format(digits:sub(1, 8), digits:sub(9, 12), digits:sub(13, 16), digits:sub(17, 20),
    digits:sub(21))
end

local function learn(connection, handle, raw)
  connection.discovered = true
  connection.peer.handles[handle] = T.characteristics[uuid_text(raw)]
end

-- Characteristic declarations with UUIDs of 128 bits: handle, properties, value handle, UUID.
local function learn_declarations(connection, data)
  if byte(data, 2) ~= 21 then return end
  for at = 3, #data - 20, 21 do learn(connection, V.little(data, at + 3, at + 4), data:sub(at + 5, at + 20)) end
end

local function learn_information(connection, data)
  if byte(data, 2) ~= 2 then return end
  for at = 3, #data - 17, 18 do
    local place = T.characteristics[uuid_text(data:sub(at + 2, at + 17))]
    if place then connection.peer.handles[V.little(data, at, at + 1)] = place end
  end
end

-- The handles named by the user: a layout of the tables, or three numbers.
function V.wanted_handles(text)
  if T.handles[text] then return T.handles[text] end
  local control, last, bulk = text:match("^%s*0?x?(%x+)%s*,%s*0?x?(%x+)%s*,%s*0?x?(%x+)%s*$")
  if not control then return nil end
  return {
    [tonumber(control, 16)] = { role = "control", copy = 0 },
    [tonumber(last, 16)] = { role = "last", copy = 0 },
    [tonumber(bulk, 16)] = { role = "bulk", copy = 0 },
  }
end

-- Handles of a control, a last and a bulk characteristic for a copy of the data service that is not known yet.
local function assume(connection, handles)
  local known = 0
  for _, place in pairs(connection.peer.handles) do
    if place.role == "last" then known = known + 1 end
  end
  for handle, role in pairs(handles) do
    connection.peer.handles[handle] = { role = role, copy = math.min(known, 1) }
  end
end

-- The first thing a client writes is its limits, on the control characteristic; the other two handles follow from it.
-- A device that has advertised as Victron's may have one of the known layouts.
local function guess(connection, sender, handle, value)
  if connection.discovered then return end
  local first = byte(value, 1)
  if sender == "client" and first == T.control.LIMITS and (#value == 2 or #value == 3) then
    assume(connection, { [handle] = "control", [handle + SPACING] = "last", [handle + 2 * SPACING] = "bulk" })
  elseif connection.peer.family and next(connection.peer.handles) == nil and (sender == "device" or #value ~= 2) then
    local like_control = (#value == 2 or #value == 3) and T.enums.control[first] ~= nil
    for _, layout in pairs(T.handles) do
      if layout[handle] and (layout[handle].role == "control") == like_control then
        for known, place in pairs(layout) do connection.peer.handles[known] = place end
        return
      end
    end
  end
end

local function place_of(connection, sender, handle, value)
  local wanted = V.wanted_handles(V.protocol.prefs.handles or "")
  if wanted and wanted[handle] then return wanted[handle] end
  if not connection.peer.handles[handle] then guess(connection, sender, handle, value) end
  return connection.peer.handles[handle]
end

-- messages

local function clear(inbox)
  inbox.data, inbox.frames, inbox.overflown = "", {}, false
end

local function note_value(connection, message)
  local register, content = message.register.value, message.value.value
  if register == T.product_register and #content >= 3 then
    local product = V.little(content, 2, 3)
    if product ~= T.no_product then connection.peer.family = connection.peer.family or T.families[product] end
  elseif register == T.key_register and #content == 16 and connection.device then
    V.learn_key(connection.device, content)
  end
end

local function receive_chunk(connection, stream, entry, value, number)
  local inbox = stream[entry.sender]
  if #inbox.data + #value > T.longest_message and (entry.role == "bulk" or inbox.data ~= "") then
    inbox.overflown = true
  end
  if not inbox.overflown then inbox.data = inbox.data .. value end
  if entry.role == "bulk" then
    inbox.frames[#inbox.frames + 1] = number
    return
  end
  entry.whole, entry.fragments, entry.overflown = inbox.data, inbox.frames, inbox.overflown
  for _, frame in ipairs(inbox.frames) do
    for _, earlier in ipairs(entries[frame]) do earlier.completed_in = number end
  end
  clear(inbox)
  stream.credit[entry.sender] = stream.credit[entry.sender] - 1
  entry.family = connection.peer.family
  if not entry.overflown then
    for _, message in ipairs((V.messages(entry.whole))) do
      if message.register and message.value then note_value(connection, message) end
    end
  end
end

local function receive_control(connection, stream, entry, value)
  local opcode = byte(value, 1)
  if opcode == T.control.GRANT and #value > 1 then
    local other = OTHER[entry.sender]
    stream.credit[other] = stream.credit[other] + byte(value, 2)
  elseif opcode == T.control.LIMITS then
    connection.limits[entry.copy] = true
  elseif opcode == T.control.DROP then
    entry.dropped = #stream[entry.sender].data
    clear(stream[entry.sender])
  end
end

-- The value in an ATT packet: handle, value, who sent it, offset; nil if there is none.
local function value_in(connection, opcode, data)
  local row = VALUES[opcode]
  if row and #data >= 3 + row[2] then
    return V.little(data, 2, 3), data:sub(4, #data - row[2]), row[1], 3
  elseif opcode == READ_RESPONSE and connection.reading then
    return connection.reading, data:sub(2), "device", 1
  end
  return nil
end

-- The content of a packet that is ours: { sender, role, copy, from (offset of the value), … }; nil for any other.
local function read_value(connection, opcode, data, number)
  local handle, value, sender, from = value_in(connection, opcode, data)
  local place = handle and place_of(connection, sender, handle, value)
  if not place then return nil end
  local entry = { sender = sender, role = place.role, copy = place.copy, from = from, size = #value }
  entry.read = opcode == READ_RESPONSE
  if entry.read then return entry end
  local stream = stream_of(connection, place.copy)
  if place.role == "control" then
    receive_control(connection, stream, entry, value)
  elseif place.role == "last" or place.role == "bulk" then
    receive_chunk(connection, stream, entry, value, number)
  end
  entry.credit_client, entry.credit_device = stream.credit.client, stream.credit.device
  return entry
end

local function follow(pinfo, data)
  local opcode = byte(data, 1)
  if not opcode then return nil end
  local connection = connection_of(pinfo, opcode, data)
  local entry = read_value(connection, opcode, data, pinfo.number)
  if opcode == READ_BY_TYPE_RESPONSE then
    learn_declarations(connection, data)
  elseif opcode == FOUND_INFORMATION then
    learn_information(connection, data)
  elseif opcode == READ and #data >= 3 then
    connection.reading = V.little(data, 2, 3)
  end
  return entry
end

-- What was kept of the ATT packet at `offset` of its frame.
function V.entry_of(pinfo, data, offset)
  local kept = entries[pinfo.number]
  if not kept then
    kept = {}
    entries[pinfo.number] = kept
  end
  for _, entry in ipairs(kept) do
    if entry.offset == offset then return not entry.nothing and entry or nil end
  end
  local entry = follow(pinfo, data) or { nothing = true }
  entry.offset = offset
  kept[#kept + 1] = entry
  return not entry.nothing and entry or nil
end
