-- AES-128, encryption of one block, by tables: what Instant Readout needs, and no more.

local byte, char = string.byte, string.char

-- Exclusive or of five words and byte n of a word: operators where Lua has them, else one of the two bit libraries.
local xor5, byte_of
if load("return 1 ~ 1") then
  xor5 = load("return function(a, b, c, d, e) return a ~ b ~ c ~ d ~ e end")()
  byte_of = load("return function(word, shift) return word >> shift & 255 end")()
else
  local library = bit32 or bit
  local extract, band, rshift = library.extract, library.band, library.rshift
  xor5 = library.bxor
  byte_of = extract and function(word, shift) return extract(word, shift, 8) end
    or function(word, shift) return band(rshift(word, shift), 255) end
end

local function xor(a, b) return xor5(a, b, 0, 0, 0) end

-- The substitution box, from its definition: the inverse in GF(2^8), then the affine map.
local function substitution()
  local power, log, value = {}, {}, 1
  for exponent = 0, 254 do
    power[exponent], log[value] = value, exponent
    local doubled = value * 2
    value = xor(doubled > 255 and xor(doubled, 0x11B) or doubled, value) -- times 3
  end
  local box = {}
  for number = 0, 255 do
    local inverse = number == 0 and 0 or power[(255 - log[number]) % 255]
    local mixed = xor(inverse, 0x63)
    for turn = 1, 4 do
      local turned = inverse * 2 ^ turn
      mixed = xor(mixed, math.floor(turned / 256) + turned % 256)
    end
    box[number] = math.floor(mixed)
  end
  return box
end

local BOX = substitution()

local function double(number)
  local doubled = number * 2
  return doubled > 255 and xor(doubled, 0x11B) or doubled
end

-- A column of the state is a word, its first row in the high byte. TABLE[row] substitutes and mixes a byte of that row.
local TABLE = { {}, {}, {}, {} }
for number = 0, 255 do
  local s = BOX[number]
  local two = double(s)
  local three = xor(two, s)
  local column = { two, s, s, three }
  for row = 1, 4 do
    local word = 0
    for place = 1, 4 do word = word * 256 + column[(place - row) % 4 + 1] end
    TABLE[row][number] = word
  end
end
local T0, T1, T2, T3 = TABLE[1], TABLE[2], TABLE[3], TABLE[4]

-- The 44 words of the round keys.
local function schedule(key)
  local words, constant = {}, 1
  for index = 0, 3 do words[index] = V.big(key, 4 * index + 1, 4 * index + 4) end
  for index = 4, 43 do
    local word = words[index - 1]
    if index % 4 == 0 then
      local b0, b1, b2, b3 = byte_of(word, 24), byte_of(word, 16), byte_of(word, 8), byte_of(word, 0)
      word = ((xor(BOX[b1], constant) * 256 + BOX[b2]) * 256 + BOX[b3]) * 256 + BOX[b0]
      constant = double(constant)
    end
    words[index] = xor(words[index - 4], word) % 4294967296
  end
  return words
end

local function column(a, b, c, d, key)
  return xor5(T0[byte_of(a, 24)], T1[byte_of(b, 16)], T2[byte_of(c, 8)], T3[byte_of(d, 0)], key)
end

local function last(a, b, c, d, key)
  return char(xor(BOX[byte_of(a, 24)], byte_of(key, 24)), xor(BOX[byte_of(b, 16)], byte_of(key, 16)),
    xor(BOX[byte_of(c, 8)], byte_of(key, 8)), xor(BOX[byte_of(d, 0)], byte_of(key, 0)))
end

-- The block of four words, encrypted, as 16 bytes.
local function encrypt(words, w0, w1, w2, w3)
  w0, w1 = xor(w0, words[0]), xor(w1, words[1])
  w2, w3 = xor(w2, words[2]), xor(w3, words[3])
  for at = 4, 36, 4 do
    w0, w1, w2, w3 = column(w0, w1, w2, w3, words[at]), column(w1, w2, w3, w0, words[at + 1]),
      column(w2, w3, w0, w1, words[at + 2]), column(w3, w0, w1, w2, words[at + 3])
  end
  return last(w0, w1, w2, w3, words[40]) .. last(w1, w2, w3, w0, words[41])
    .. last(w2, w3, w0, w1, words[42]) .. last(w3, w0, w1, w2, words[43])
end

function V.aes_block(key, block)
  return encrypt(schedule(key), V.big(block, 1, 4), V.big(block, 5, 8), V.big(block, 9, 12), V.big(block, 13, 16))
end

local schedules, streams, kept = {}, {}, 0
local STREAMS_KEPT = 65536

-- The key stream of a nonce (low byte first in the counter block): devices repeat an advertisement, so it is kept.
local function key_stream(key, nonce)
  local of_key = streams[key]
  local stream = of_key and of_key[nonce]
  if stream then return stream end
  local words = schedules[key] or schedule(key)
  schedules[key] = words
  if kept >= STREAMS_KEPT then streams, of_key, kept = {}, nil, 0 end
  of_key = of_key or {}
  streams[key] = of_key
  stream = { byte(encrypt(words, (nonce % 256) * 16777216 + math.floor(nonce / 256) * 65536, 0, 0, 0), 1, 16) }
  of_key[nonce], kept = stream, kept + 1
  return stream
end

-- Write the opened bytes over `bytes` (numbers, counted from 1); at most one block, longer ones were never seen.
function V.open(key, nonce, bytes, length)
  local stream = key_stream(key, nonce)
  for at = 1, length do bytes[at] = xor5(bytes[at], stream[at], 0, 0, 0) end
end
