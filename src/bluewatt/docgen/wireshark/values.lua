-- Adds values to the tree: rows of records, registers of any type. Each `show` returns the value as text.

local F, LIMITS, CHILDREN, N, E = V.F, V.LIMITS, V.CHILDREN, V.N, V.E
local concat, floor = table.concat, math.floor

local function absent(tree, range, meaning)
  tree:add(range, meaning.label .. ": not available")
  return "not available"
end
V.show_absent = absent

-- A number as people read it: 13.27, not 13.269999999999999.
local function number_text(number)
  return number == floor(number) and V.whole(number) or ("%.10g"):format(number)
end

local function add_number(tree, range, meaning, number)
  local limits = LIMITS[meaning.field]
  local text = number_text(number) .. (meaning.unit or "")
  if limits and (number < limits[1] or number > limits[2] or number ~= floor(number)) then
    tree:add(range, meaning.label .. ": " .. text)
  else
    tree:add(F[meaning.field], range, number)
  end
  return text
end

local function piece_value(pieces, raw)
  for at = #pieces, 1, -1 do
    local first, value, step = pieces[at][1], pieces[at][2], pieces[at][3]
    if raw >= first then return value + (raw - first) * step end
  end
end

local SHOW = {}

-- `number` has its sign already.
function SHOW.number(tree, range, meaning, number)
  if meaning.pieces and #meaning.pieces > 0 then
    return add_number(tree, range, meaning, piece_value(meaning.pieces, number))
  end
  return add_number(tree, range, meaning, (number * meaning.factor + meaning.shift) / meaning.divisor)
end

function SHOW.code(tree, range, meaning, number)
  local limits = LIMITS[meaning.field]
  local label = meaning.enum and T.enums[meaning.enum][number]
  if number < limits[1] or number > limits[2] then
    tree:add(range, ("%s: %s"):format(meaning.label, number_text(number)))
  else
    tree:add(F[meaning.field], range, number)
  end
  return label or "unknown (" .. number_text(number) .. ")"
end

-- Named bits or groups that are not zero; the others would fill the screen with nothing.
local function show_bits(tree, range, meaning, number, width, word)
  if number > 4294967295 then
    tree:add(range, ("%s: %s"):format(meaning.label, number_text(number)))
    return number_text(number)
  end
  local item = tree:add(F[meaning.field], range, number)
  if number == 0 then return "none" end
  local names = {}
  for _, child in ipairs(CHILDREN[meaning.field]) do
    local row = T.fields[child]
    local value = floor(number / (row[6] / (V.POWER[width] - 1))) % V.POWER[width]
    if value > 0 then
      item:add(F[child], range, number)
      names[#names + 1] = word(row, value)
    end
  end
  if #names == 0 then return ("0x%X"):format(number) end
  item:append_text(" (" .. concat(names, ", ") .. ")")
  return concat(names, ", ")
end

function SHOW.flags(tree, range, meaning, number)
  return show_bits(tree, range, meaning, number, 1, function(row) return row[3] end)
end

function SHOW.groups(tree, range, meaning, number)
  return show_bits(tree, range, meaning, number, 2, function(row, value) return row[3] .. " " .. row[5][value] end)
end

-- Shows a raw pattern of `width` bits that does not mean "not available".
function V.show_raw(tree, range, meaning, raw, width)
  return SHOW[meaning.kind](tree, range, meaning, meaning.signed and V.signed(raw, width) or raw)
end

-- registers

local WIDTHS = { [1] = true, [2] = true, [4] = true, [8] = true }
local BY_TYPE = {}

local function malformed(tree, range, row, size)
  tree:add(N.raw, range):add_proto_expert_info(E.malformed, ("%d bytes are no %s"):format(size, row.type))
  return V.hex(range:raw())
end

-- Integers take their width from the data; an unusual width is a fault of the sender.
local function show_integer(tree, range, row, data)
  local size = #data
  if not WIDTHS[size] then return malformed(tree, range, row, size) end
  if row.none and size == row.size and V.little(data, 1, size) == row.none then return absent(tree, range, row) end
  if row.none and size ~= row.size and size < 8 then
    local blank = row.signed and V.POWER[8 * size - 1] - 1 or V.POWER[8 * size] - 1
    if V.little(data, 1, size) == blank then return absent(tree, range, row) end
  end
  if size == 8 then -- beyond the integers that every Lua has: the low half, if the rest is only sign
    local high, low = V.little(data, 5, 8), V.little(data, 1, 4)
    local sign = row.signed and low >= V.POWER[31] and 4294967295 or 0
    if high ~= sign then
      if row.none and high == (row.signed and 2147483647 or 4294967295) and low == 4294967295 then
        return absent(tree, range, row)
      end
      tree:add(N.raw, range)
      return V.hex(data)
    end
    data = data:sub(1, 4)
    size = 4
  end
  return V.show_raw(tree, range, row, V.little(data, 1, size), 8 * size)
end

BY_TYPE.number, BY_TYPE.code = show_integer, show_integer
BY_TYPE.flags, BY_TYPE.groups = show_integer, show_integer

function BY_TYPE.float(tree, range, row, data)
  if #data ~= row.size then return malformed(tree, range, row, #data) end
  local number = V.float(data)
  if not number then return absent(tree, range, row) end
  tree:add(F[row.field], range, number)
  return ("%.7g"):format(number) .. row.unit
end

function BY_TYPE.text(tree, range, row, data)
  local text = V.text_field(data)
  tree:add(F[row.field], range, text)
  return '"' .. text .. '"'
end

function BY_TYPE.bytes(tree, range, row, data)
  tree:add(F[row.field], range)
  return #data > 8 and V.hex(data:sub(1, 8)) .. "…" or V.hex(data)
end

function BY_TYPE.void(tree, range, row, data)
  return malformed(tree, range, row, #data)
end

function BY_TYPE.record(tree, range, row, data)
  return V.show_compound(tree, range, row, data)
end

-- The content of a register, by its row; nil stands for a register nobody has listed.
function V.show_register(tree, range, row, data)
  if not row then
    tree:add(N.raw, range)
    return V.hex(data)
  end
  if data == "" then
    if row.kind == "void" then return "" end
    if row.kind == "text" then
      tree:add(F[row.field], range, "")
      return '""'
    end
    if row.kind == "bytes" then return "" end
    tree:add_proto_expert_info(E.malformed, "no bytes are no " .. row.type)
    return ""
  end
  local text = BY_TYPE[row.kind](tree, range, row, data)
  if row.secret then
    tree:add_proto_expert_info(E.secret)
    return "…"
  end
  return text
end

-- What a register means on a device of a family (nil: not known).
function V.row_of(register, family)
  local rows = T.registers[register]
  if not rows then return nil end
  return family and rows.of and rows.of[family] or rows.any
end
