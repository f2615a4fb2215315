-- VE.Smart networking broadcasts: the parts that are not encrypted.

local N, E = V.N, V.E
local floor = math.floor

-- The printed serial number; year and week are not on air.
local function serial_text(number)
  local settings, base = T.vesmart, #T.vesmart.digits
  local rest, suffix = number, ""
  for _ = 1, settings.suffix do
    local digit = rest % base
    suffix = settings.digits:sub(digit + 1, digit + 1) .. suffix
    rest = floor(rest / base)
  end
  local first = string.char(settings.letter:byte() + floor(rest / 26))
  return first .. string.char(65 + rest % 26) .. "????" .. suffix
end

local FIELDS = {
  record_type = N.vesmart_type, group = N.vesmart_group, serial = N.vesmart_serial, sequence = N.vesmart_sequence,
  overflow = N.vesmart_overflow,
}

-- Shows consecutive parts from `at`. Returns the offset after them; nil if the bytes end before.
local function show_parts(tree, tvb, data, parts, at)
  for _, part in ipairs(parts) do
    local name, width = part[1], part[2]
    if at + width > #data then return nil end
    local number = V.little(data, at + 1, at + width)
    tree:add(FIELDS[name], tvb(at, width), number)
    if name == "serial" then tree:add(N.vesmart_sender, tvb(at, width), serial_text(number)) end
    at = at + width
  end
  return at
end

local function show_overflow(tree, tvb, data, at)
  at = show_parts(tree, tvb, data, T.vesmart.overflow, at)
  if not at or at + T.vesmart.tag > #data then
    tree:add_proto_expert_info(E.malformed, ("%d bytes are too few for an overflow record"):format(#data))
    return
  end
  tree:add(N.vesmart_tag, tvb(at, T.vesmart.tag))
end

local function show_content(tree, tvb, data, at)
  local size = #data - at - T.vesmart.tag
  if size < 1 or size > T.vesmart.longest then
    tree:add_proto_expert_info(E.malformed, ("A data record of %d bytes has no content or too much"):format(#data))
    return
  end
  tree:add(N.vesmart_content, tvb(at, size))
  tree:add(N.vesmart_tag, tvb(at + size))
end

function V.show_vesmart(tree, tvb, data)
  local counts = data:byte(1) == T.advert.counter
  tree:append_text(counts and ", counter" or ", encrypted values")
  local at = show_parts(tree, tvb, data, T.vesmart.header, 0)
  if not at then
    tree:add_proto_expert_info(E.malformed, ("%d bytes are too few for a broadcast"):format(#data))
  elseif counts then
    show_overflow(tree, tvb, data, at)
  else
    show_content(tree, tvb, data, at)
  end
end
