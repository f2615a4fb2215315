-- VictronConnect's messages from bytes: CBOR items in a row, without an enclosing array.

local byte = string.byte
local UNSIGNED, NEGATIVE, BYTES, TEXT = T.cbor.UNSIGNED, T.cbor.NEGATIVE, T.cbor.BYTES, T.cbor.TEXT
local ARRAY, MAP, TAG, BREAK = T.cbor.ARRAY, T.cbor.MAP, T.cbor.TAG, T.cbor.BREAK
local DEEPEST = 16

-- Offsets count from 1. `fail` ends the reading of a bad message; `V.messages` catches it.
local function fail(reason) error({ reason = reason }, 0) end

local function byte_at(data, at)
  return byte(data, at) or fail("bytes end inside a message")
end

-- Major type, argument (nil for an indefinite length), offset after the head.
local function head(data, at)
  local first = byte_at(data, at)
  local major, info = math.floor(first / 32), first % 32
  if info < 24 then return major, info, at + 1 end
  if info == 31 and major >= BYTES and major <= MAP then return major, nil, at + 1 end
  if info > 27 then fail(("no CBOR item starts with %02x"):format(first)) end
  local stop = at + 2 ^ (info - 24)
  if stop > #data then fail("bytes end inside a CBOR head") end
  return major, V.big(data, at + 1, stop), math.floor(stop) + 1
end

local function uint(data, at)
  local major, number, stop = head(data, at)
  if major ~= UNSIGNED or not number then fail(("a number was expected where %02x stands"):format(byte(data, at))) end
  return number, stop
end

local function int(data, at)
  local major, number, stop = head(data, at)
  if major > NEGATIVE or not number then fail(("a number was expected where %02x stands"):format(byte(data, at))) end
  return major == NEGATIVE and -1 - number or number, stop
end

local function sized(data, at, wanted)
  local major, length, start = head(data, at)
  if major ~= wanted or not length then fail(("a string was expected where %02x stands"):format(byte(data, at))) end
  if start + length - 1 > #data then fail("a string runs past the end") end
  return data:sub(start, start + length - 1), start + length, start
end

local function bytes(data, at) return sized(data, at, BYTES) end

local function text(data, at)
  local raw, stop, start = sized(data, at, TEXT)
  local letters, good = V.text(raw)
  if not good then fail("a text is not UTF-8") end
  return letters, stop, start
end

local function skip(data, at, depth)
  if depth == 0 then fail("CBOR items are nested too deep") end
  local major, argument, stop = head(data, at)
  if not argument then
    while byte_at(data, stop) ~= BREAK do stop = skip(data, stop, depth - 1) end
    return stop + 1
  end
  if major == BYTES or major == TEXT then
    stop = stop + argument
  elseif major == ARRAY or major == MAP then
    for _ = 1, major == MAP and 2 * argument or argument do stop = skip(data, stop, depth - 1) end
  elseif major == TAG then
    stop = skip(data, stop, depth - 1)
  end
  if stop - 1 > #data then fail("bytes end inside a CBOR string") end
  return stop
end

local function raw(data, at)
  local stop = skip(data, at, DEEPEST)
  return data:sub(at, stop - 1), stop, at
end

-- The items of an array; `readers` take turns. Each item is { value, from, to, content from }.
local function array(data, at, readers)
  local major, count, next_at = head(data, at)
  if major ~= ARRAY then fail("an array was expected") end
  local items = { from = at, indefinite = count == nil }
  while true do
    if count then
      if #items >= count then break end
    elseif byte_at(data, next_at) == BREAK then
      next_at = next_at + 1
      break
    end
    local value, stop, content = readers[#items % #readers + 1](data, next_at)
    items[#items + 1] = { value = value, from = next_at, to = stop - 1, content = content or next_at }
    next_at = stop
  end
  items.to = next_at - 1
  return items, next_at
end

local function arrays(even_reason, ...)
  local readers = { ... }
  return function(data, at)
    local items, stop = array(data, at, readers)
    if even_reason and #items % 2 == 1 then fail(even_reason) end
    return items, stop
  end
end

local READ = {
  uint = uint,
  int = int,
  bytes = bytes,
  text = text,
  raw = raw,
  numbers = arrays(nil, uint),
  pairs = arrays("an instance without its kind", uint),
  writes = arrays("a register without its content", uint, bytes),
  raw_writes = arrays("a register without its content", uint, raw),
}

local function is_array(data, at)
  return at <= #data and math.floor(byte(data, at) / 32) == ARRAY
end

-- One message of a known opcode: its parameters by name, each { value, from, to, content }.
local function known(data, from, at, opcode)
  local message = { opcode = opcode, from = from }
  for _, parameter in ipairs(T.messages[opcode]) do
    local name, how = parameter[1], parameter[2]
    local may_be_absent = how:sub(-1) == "?"
    if may_be_absent then how = how:sub(1, -2) end
    if not may_be_absent or is_array(data, at) then
      local value, stop, content = READ[how](data, at)
      message[name] = { value = value, from = at, to = stop - 1, content = content or at }
      at = stop
    end
  end
  message.to = at - 1
  return message, at
end

-- A message of an opcode nobody has described takes all items up to the end.
local function unknown(data, from)
  local opcode, at = int(data, from)
  if T.messages[opcode] then return known(data, from, at, opcode) end
  while at <= #data do at = skip(data, at, DEEPEST) end
  return { opcode = opcode, from = from, to = #data, unknown = true }, at
end

-- The messages before the first bad one, and what is wrong with that one and where it starts (nil if all are good).
function V.messages(data)
  local found, at = {}, 1
  local function read()
    while at <= #data do
      local first = byte(data, at)
      local message, stop
      if T.messages[first] then
        message, stop = known(data, at, at + 1, first)
      else
        message, stop = unknown(data, at)
      end
      found[#found + 1] = message
      at = stop
    end
  end
  local good, fault = pcall(read)
  if good then return found end
  return found, type(fault) == "table" and fault.reason or tostring(fault), at
end
