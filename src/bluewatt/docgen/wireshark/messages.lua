-- VictronConnect and the SmartShunt service in the tree.

local F, N, E = V.F, V.N, V.E
local byte, concat = string.byte, table.concat

local function add_number(tree, field, range, number, most)
  if number < 0 or number > (most or 4294967295) then
    tree:add(range, V.whole(number))
    return nil
  end
  return tree:add(field, range, number)
end

local function register_name(number)
  return T.enums.registers[number] or number < 65536 and ("0x%04X"):format(number) or V.whole(number)
end

local function add_register(tree, range, number)
  local item = add_number(tree, N.register, range, number, 65535)
  if item and not T.registers[number] then item:add_proto_expert_info(E.unknown_register) end
end

-- How each parameter is shown; `at` gives the range of bytes `from` to `to` of the message. Each returns a text.
local SHOW = {}

local PLAIN = { instance = N.instance, item = N.item, index = N.index }

function SHOW.uint(tree, at, name, found, message)
  local range, number = at(found.from, found.to), found.value
  if name == "register" then
    add_register(tree, range, number)
    return register_name(number)
  elseif name == "code" then
    local item = add_number(tree, N.code, range, number)
    if item and number ~= 0 then item:add_proto_expert_info(E.refused, T.enums.codes[number] or "Code " .. V.whole(number)) end
    return (T.enums.codes[number] or "code " .. V.whole(number)):lower()
  end
  add_number(tree, PLAIN[name], range, number)
  return name == "instance" and "@" .. V.whole(number) or nil
end

-- The opcode of a request, which may be below zero.
function SHOW.int(tree, at, name, found)
  local range, number = at(found.from, found.to), found.value
  if math.abs(number) <= 2147483647 then tree:add(N.request_opcode, range, number) else tree:add(range, V.whole(number)) end
  return "to " .. (T.enums.opcodes[number] or V.whole(number))
end

local function content_range(at, item)
  return item.to >= item.content and at(item.content, item.to) or at(item.from, item.to)
end

function SHOW.bytes(tree, at, name, found, message)
  if name ~= "value" then
    tree:add(N.compressed, content_range(at, found))
    return nil
  end
  local row = V.row_of(message.register.value, message.family)
  return "= " .. V.show_register(tree, content_range(at, found), row, found.value)
end

function SHOW.text(tree, at, name, found)
  tree:add(N.path, at(found.from, found.to), found.value)
  return found.value
end

function SHOW.raw(tree, at, name, found)
  tree:add(N.raw, at(found.from, found.to))
  return nil
end

local function indefinite(tree, at, found)
  tree:add(N.indefinite, at(found.value.from, found.value.from), found.value.indefinite)
end

function SHOW.numbers(tree, at, name, found)
  indefinite(tree, at, found)
  local names = {}
  for _, item in ipairs(found.value) do
    local range = at(item.from, item.to)
    if name == "registers" then
      add_register(tree, range, item.value)
      names[#names + 1] = register_name(item.value)
    else
      add_number(tree, N.index, range, item.value)
      names[#names + 1] = V.whole(item.value)
    end
  end
  return concat(names, " ")
end

SHOW["pairs"] = function(tree, at, name, found)
  indefinite(tree, at, found)
  local names = {}
  for place = 1, #found.value, 2 do
    local instance, kind = found.value[place], found.value[place + 1]
    add_number(tree, N.instance, at(instance.from, instance.to), instance.value)
    add_number(tree, N.device_kind, at(kind.from, kind.to), kind.value)
    names[#names + 1] = "@" .. V.whole(instance.value)
  end
  return concat(names, " ")
end

function SHOW.writes(tree, at, name, found, message)
  indefinite(tree, at, found)
  local texts = {}
  for place = 1, #found.value, 2 do
    local register, content = found.value[place], found.value[place + 1]
    add_register(tree, at(register.from, register.to), register.value)
    local row = V.row_of(register.value, message.family)
    local text = V.show_register(tree, content_range(at, content), row, content.value)
    texts[#texts + 1] = register_name(register.value) .. " = " .. text
  end
  return concat(texts, ", ")
end

function SHOW.raw_writes(tree, at, name, found)
  indefinite(tree, at, found)
  for place = 1, #found.value, 2 do
    local index, content = found.value[place], found.value[place + 1]
    add_number(tree, N.index, at(index.from, index.to), index.value)
    tree:add(N.raw, at(content.from, content.to))
  end
end

-- Shows one message. Returns its line of text.
local function show_message(tree, at, message, family)
  local name = T.enums.opcodes[message.opcode] or "Opcode " .. V.whole(message.opcode)
  message.family = family
  local item = tree:add(N.message, at(message.from, message.to), name)
  if math.abs(message.opcode) <= 2147483647 then
    item:add(N.opcode, at(message.from, message.from), message.opcode)
  end
  local words = { name }
  if message.unknown then
    item:add_proto_expert_info(E.undecoded, "Nobody has described this opcode")
    item:add(N.raw, at(message.from, message.to))
  end
  for _, parameter in ipairs(T.messages[message.opcode] or {}) do
    local found = message[parameter[1]]
    if found then
      local how = parameter[2]:gsub("%?$", "")
      local word = SHOW[how](item, at, parameter[1], found, message)
      if word and word ~= "" then words[#words + 1] = word end
    end
  end
  local text = concat(words, " ")
  item:set_text("Message: " .. text)
  return text
end

local function show_messages(tree, tvb, entry)
  if entry.overflown then
    tree:add_proto_expert_info(E.malformed, ("A message of more than %d bytes"):format(T.longest_message))
    return {}
  end
  local source, base = tvb, entry.from
  if #entry.fragments > 0 then
    source, base = ByteArray.new(entry.whole, true):tvb("Message of several chunks"), 0
  end
  local function at(from, to) return source(base + from - 1, to - from + 1) end
  local found, fault, from = V.messages(entry.whole)
  local texts = {}
  for _, message in ipairs(found) do texts[#texts + 1] = show_message(tree, at, message, entry.family) end
  if fault then
    tree:add(N.raw, at(from, #entry.whole)):add_proto_expert_info(E.malformed, "Message does not parse: " .. fault)
    texts[#texts + 1] = "[malformed]"
  end
  return texts
end

-- the control characteristic

local CONTROL = {}

CONTROL[T.control.GRANT] = function(tree, tvb, from)
  tree:add(N.granted, tvb(from + 1, 1))
  return ("%d more messages"):format(tvb(from + 1, 1):uint())
end

CONTROL[T.control.LIMITS] = function(tree, tvb, from, size)
  tree:add(N.slots, tvb(from + 1, 1))
  if size > 2 then tree:add(N.longest, tvb(from + 2, 1)) end
end

CONTROL[T.control.FAILURE] = function(tree, tvb, from, size)
  local range = tvb(from + 1, math.min(2, size - 1))
  tree:add(N.failure, range, range:le_uint()):add_proto_expert_info(E.failure)
  return ("%d"):format(range:le_uint())
end

local function show_control(tree, tvb, entry)
  local from, size = entry.from, entry.size
  if size == 0 then return "Control, empty" end
  local opcode = tvb(from, 1):uint()
  tree:add(N.control, tvb(from, 1))
  local name = T.enums.control[opcode]
  local word = CONTROL[opcode] and size > 1 and CONTROL[opcode](tree, tvb, from, size)
  if entry.dropped then tree:add_proto_expert_info(E.dropped, ("%d bytes are dropped"):format(entry.dropped)) end
  if not name or (CONTROL[opcode] and size < 2) then
    tree:add(N.raw, tvb(from, size)):add_proto_expert_info(E.undecoded, "No control frame that is known")
  end
  return (name or "Control") .. (word and " " .. word or "")
end

-- What a client reads from the control characteristic.
local function show_header(tree, tvb, entry)
  local from, size = entry.from, entry.size
  if size < 5 then
    tree:add_proto_expert_info(E.malformed, ("A header of %d bytes: is the link paired?"):format(size))
    return "Header"
  end
  tree:add(N.header_flags, tvb(from, 1))
  tree:add_le(N.version, tvb(from + 1, 2))
  tree:add(N.slots, tvb(from + 3, 1))
  tree:add(N.longest, tvb(from + 4, 1))
  if size >= 7 then tree:add_le(N.chunk_size, tvb(from + 5, 2)) end
  return "Header"
end

-- the SmartShunt service

local function show_characteristic(tree, tvb, entry, data)
  local shunt = T.shunt[entry.role]
  local row, value = shunt.row, data:sub(entry.from + 1, entry.from + entry.size)
  if entry.size > 0 then add_number(tree, N.register, tvb(entry.from, entry.size), shunt.register) end
  if entry.size ~= shunt.size then
    if entry.size == 0 then return row.label .. ", empty" end
    tree:add(N.raw, tvb(entry.from, entry.size))
      :add_proto_expert_info(E.malformed, ("%s has %d bytes, not %d"):format(row.label, shunt.size, entry.size))
    return row.label
  end
  local range = tvb(entry.from, entry.size)
  if shunt.forever and value == ("\255"):rep(shunt.size) then
    tree:add(range, row.label .. ": for ever")
    return row.label .. " for ever"
  end
  return row.label .. " " .. V.show_register(tree, range, row, value)
end

-- dissection

local NAMES = { control = "control", last = "last chunk", bulk = "bulk" }

local function show_chunk(tree, tvb, pinfo, entry)
  if entry.role == "last" then
    for _, frame in ipairs(entry.fragments) do tree:add(N.fragment, tvb(0, 0), frame):set_generated(true) end
    return concat(show_messages(tree, tvb, entry), "; ")
  end
  if entry.size > 0 then tree:add(N.chunk, tvb(entry.from, entry.size)) end
  if entry.completed_in then
    tree:add(N.completed_in, tvb(0, 0), entry.completed_in):set_generated(true)
  elseif pinfo.visited then
    tree:add_proto_expert_info(E.unfinished)
  end
  return "Chunk"
end

local function show_credit(tree, tvb, entry)
  if not entry.credit_client then return end
  tree:add(N.credit_client, tvb(0, 0), entry.credit_client):set_generated(true)
  tree:add(N.credit_device, tvb(0, 0), entry.credit_device):set_generated(true)
  local own = entry.sender == "client" and entry.credit_client or entry.credit_device
  if entry.role == "last" and own < 0 then tree:add_proto_expert_info(E.overdrawn) end
end

function V.show_conversation(tvb, pinfo, tree, entry, data)
  local item = tree:add(V.protocol, tvb(), NAMES[entry.role] and "VictronConnect" or "SmartShunt service")
  item:add(N.direction, tvb(0, 0), entry.sender):set_generated(true)
  item:add(N.characteristic, tvb(0, 0), NAMES[entry.role] or entry.role):set_generated(true)
  local text
  if NAMES[entry.role] == nil then
    text = show_characteristic(item, tvb, entry, data)
  elseif entry.role == "control" then
    text = entry.read and show_header(item, tvb, entry) or show_control(item, tvb, entry)
    show_credit(item, tvb, entry)
  elseif entry.read then
    text = "read"
  else
    text = show_chunk(item, tvb, pinfo, entry)
    show_credit(item, tvb, entry)
  end
  item:append_text(", sent by the " .. entry.sender .. ": " .. text)
  pinfo.cols.protocol:set("Victron")
  pinfo.cols.info:set((entry.sender == "client" and "→ " or "← ") .. text)
end
