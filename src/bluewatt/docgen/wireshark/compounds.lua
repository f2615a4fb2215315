-- Compound registers: fields in a little-endian bit stream, by the layouts of the tables.

local F, N, E = V.F, V.N, V.E
local floor, min = math.floor, math.min
local TO_THE_END = -1

local show_parts

-- The range of `width` bits from bit `start` of `range`.
local function cut(range, start, width)
  local first = floor(start / 8)
  return range:range(first, floor((start + width - 1) / 8) - first + 1)
end

local function version_text(raw)
  local high, middle, low = floor(raw / 65536) % 256, floor(raw / 256) % 256, raw % 256
  if high == 0 then return ("%x.%02x"):format(middle, low) end
  return ("%x.%02x"):format(high, middle) .. (low ~= 255 and ("-beta-%02x"):format(low) or "")
end

local function swapped(raw, width)
  local turned = 0
  for _ = 1, width / 8 do
    turned = turned * 256 + raw % 256
    raw = floor(raw / 256)
  end
  return turned
end

local SHOW = {}

function SHOW.group(tree, range, part, data, start, whole)
  show_parts(tree:add(range, part.label), whole, part.parts, data, start, start + part.bits)
end

function SHOW.text(tree, range, part, data, start)
  tree:add(F[part.field], range, V.text_field(data:sub(start / 8 + 1, (start + part.bits) / 8)))
end

function SHOW.version(tree, range, part, data, start)
  tree:add(F[part.field], range, version_text(V.bits(data, start, part.bits)))
end

local function show_number(tree, range, part, data, start)
  local raw = V.bits(data, start, part.bits)
  V.show_raw(tree, range, part, part.swapped and swapped(raw, part.bits) or raw, part.bits)
end
SHOW.number, SHOW.code = show_number, show_number

-- Whether an element says "not available": all ones, or the largest positive number.
local function is_blank(part, data, start)
  if not part.absent then return false end
  if part.signed then
    return V.bits(data, start + part.bits - 1, 1) == 0 and V.all_ones(data, start, part.bits - 1)
  end
  return V.all_ones(data, start, part.bits)
end

local function show_element(tree, whole, part, data, start)
  local range = cut(whole, start, part.bits)
  if part.spare and V.all_ones(data, start, part.bits) then return end
  if is_blank(part, data, start) then
    tree:add(range, part.label .. ": not available")
  else
    SHOW[part.kind](tree, range, part, data, start, whole)
  end
end

-- How many elements of a part are in `bits` bits; nil if the part is absent.
local function elements_left(part, bits)
  if part.bits == TO_THE_END then return bits > 0 and 1 or nil end
  local count = min(part.count or 1, floor(bits / part.bits))
  return count > 0 and (part.upto or count == (part.count or 1)) and count or nil
end

-- Show the parts from bit `start` on, up to bit `stop`. Returns the bit after the last. `whole` is the range of all of
-- `data`.
function show_parts(tree, whole, parts, data, start, stop)
  local at = start
  for _, part in ipairs(parts) do
    local count = elements_left(part, stop - at)
    if not count then return at end
    if part.bits == TO_THE_END then
      tree:add(F[part.field], whole:range(floor(at / 8)))
      return stop
    end
    for _ = 1, count do
      show_element(tree, whole, part, data, at)
      at = at + part.bits
    end
  end
  return at
end

-- The part that is missing in a content of so many bits; nil if every necessary part is there.
local function missing(parts, bits)
  for _, part in ipairs(parts) do
    local count = elements_left(part, bits)
    if not count then return not part.optional and part or nil end
    if part.bits == TO_THE_END then return nil end
    bits = bits - count * part.bits
  end
  return nil
end

function V.show_compound(tree, range, row, data)
  local layout = T.by_length[row.layout .. "_" .. #data] or T.layouts[row.layout]
  local missed = missing(layout, 8 * #data)
  if missed then
    local text = ("%d bytes end before %s"):format(#data, missed.label)
    local item = #data > 0 and tree:add(N.raw, range) or tree
    item:add_proto_expert_info(E.malformed, text)
  else
    local item = tree:add(range, row.label)
    local at = show_parts(item, range, layout, data, 0, 8 * #data)
    if at < 8 * #data then item:add(N.raw, range:range(floor(at / 8))):append_text(" (rest)") end
  end
  return V.hex(data:sub(1, 8)) .. (#data > 8 and "…" or "")
end
