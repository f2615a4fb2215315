-- Numbers from bytes, by plain arithmetic: the bit libraries differ between the versions of Lua that Wireshark has had.

local byte, char, floor = string.byte, string.char, math.floor

local POWER = { [0] = 1 }
for exponent = 1, 52 do POWER[exponent] = POWER[exponent - 1] * 2 end
V.POWER = POWER

-- The number in `width` bits (at most 40, over 6 bytes) from bit `start` of a little-endian bit stream.
function V.bits(data, start, width)
  local first = floor(start / 8)
  local number = 0
  for at = floor((start + width - 1) / 8), first, -1 do number = number * 256 + byte(data, at + 1) end
  return floor(number / POWER[start - 8 * first]) % POWER[width]
end

-- The little-endian number in bytes `from` to `to` (counted from 1).
function V.little(data, from, to)
  local number = 0
  for at = to, from, -1 do number = number * 256 + byte(data, at) end
  return number
end

-- The big-endian number in bytes `from` to `to`.
function V.big(data, from, to)
  local number = 0
  for at = from, to do number = number * 256 + byte(data, at) end
  return number
end

function V.signed(number, width)
  return number >= POWER[width - 1] and number - POWER[width] or number
end

-- Whether all of `width` bits from bit `start` are ones.
function V.all_ones(data, start, width)
  for at = start, start + width - 1, 32 do
    local part = math.min(32, start + width - at)
    if V.bits(data, at, part) ~= POWER[part] - 1 then return false end
  end
  return true
end

-- A number of 32 bits as IEEE 754 has it; nil if it is not a number.
function V.float(data)
  local raw = V.little(data, 1, 4)
  local fraction, exponent = raw % POWER[23], floor(raw / POWER[23]) % 256
  local sign = raw >= POWER[31] and -1 or 1
  if exponent == 255 then return fraction == 0 and sign * math.huge or nil end
  if exponent == 0 then return sign * fraction * 2.0 ^ -149 end
  return sign * (fraction + POWER[23]) * 2.0 ^ (exponent - 150)
end

-- A whole number as text, of any size, on every Lua.
function V.whole(number)
  return ("%.0f"):format(number)
end

function V.hex(data)
  return (data:gsub(".", function(letter) return ("%02x"):format(byte(letter)) end))
end

-- The bytes of hex digits; nil for other characters, or an odd number of digits.
function V.unhex(text)
  if #text % 2 == 1 or text:find("[^%x]") then return nil end
  return (text:gsub("..", function(pair) return char(tonumber(pair, 16)) end))
end

local STARTS = {
  -- First byte from, to; bytes of the letter; limits of its second byte
  { 0xC2, 0xDF, 2, 0x80, 0xBF }, { 0xE0, 0xE0, 3, 0xA0, 0xBF }, { 0xE1, 0xEC, 3, 0x80, 0xBF },
  { 0xED, 0xED, 3, 0x80, 0x9F }, { 0xEE, 0xEF, 3, 0x80, 0xBF }, { 0xF0, 0xF0, 4, 0x90, 0xBF },
  { 0xF1, 0xF3, 4, 0x80, 0xBF }, { 0xF4, 0xF4, 4, 0x80, 0x8F },
}

-- How many bytes the UTF-8 letter at `at` has; nil and the bytes to skip if there is none.
local function letter_length(data, at)
  local lead = byte(data, at)
  if lead < 0x80 then return 1 end
  for _, row in ipairs(STARTS) do
    if lead >= row[1] and lead <= row[2] then
      for offset = 1, row[3] - 1 do
        local low, high = offset == 1 and row[4] or 0x80, offset == 1 and row[5] or 0xBF
        local next_byte = byte(data, at + offset)
        if not next_byte or next_byte < low or next_byte > high then return nil, offset end
      end
      return row[3]
    end
  end
  return nil, 1
end

-- The text of UTF-8 bytes with invalid ones replaced, and whether all were valid.
function V.text(data)
  local parts, at, good = {}, 1, true
  while at <= #data do
    local length, skip = letter_length(data, at)
    parts[#parts + 1] = length and data:sub(at, at + length - 1) or "\239\191\189"
    good = good and length ~= nil
    at = at + (length or skip)
  end
  return table.concat(parts), good
end

-- The text of a field: up to the first zero, without padding of ones.
function V.text_field(data)
  return (V.text((data:gsub("%z.*", ""):gsub("\255+$", ""))))
end
