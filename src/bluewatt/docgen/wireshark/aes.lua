-- AES-128: encryption of one block with tables, which is all that Instant Readout needs.

local byte, char = string.byte, string.char

-- Exclusive or of two and of five words, and byte n of a word: by operators if Lua has them, else by a bit library.
local xor, xor5, byte_of
if load("return 1 ~ 1") then
  xor = load("return function(a, b) return a ~ b end")()
  xor5 = load("return function(a, b, c, d, e) return a ~ b ~ c ~ d ~ e end")()
  byte_of = load("return function(word, shift) return word >> shift & 255 end")()
else
  local library = bit32 or bit
  local extract, band, rshift = library.extract, library.band, library.rshift
  xor, xor5 = library.bxor, library.bxor
  byte_of = extract and function(word, shift) return extract(word, shift, 8) end
    or function(word, shift) return band(rshift(word, shift), 255) end
end


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

-- The bytes of a word, the highest first. Plain arithmetic: a call into a bit library takes ten times as long.
local function bytes_of(word)
  local d = word % 256
  word = (word - d) / 256
  local c = word % 256
  word = (word - c) / 256
  local b = word % 256
  return (word - b) / 256, b, c, d
end

-- One round: substitute, shift the rows, mix the columns, add the four words of the round key from `at` on.
local function round(words, at, w0, w1, w2, w3)
  local a0, a1, a2, a3 = bytes_of(w0)
  local b0, b1, b2, b3 = bytes_of(w1)
  local c0, c1, c2, c3 = bytes_of(w2)
  local d0, d1, d2, d3 = bytes_of(w3)
  return xor5(T0[a0], T1[b1], T2[c2], T3[d3], words[at]), xor5(T0[b0], T1[c1], T2[d2], T3[a3], words[at + 1]),
    xor5(T0[c0], T1[d1], T2[a2], T3[b3], words[at + 2]), xor5(T0[d0], T1[a1], T2[b2], T3[c3], words[at + 3])
end

-- The same without mixing: the last round.
local function last_round(words, at, w0, w1, w2, w3)
  local a0, a1, a2, a3 = bytes_of(w0)
  local b0, b1, b2, b3 = bytes_of(w1)
  local c0, c1, c2, c3 = bytes_of(w2)
  local d0, d1, d2, d3 = bytes_of(w3)
  local function joined(a, b, c, d, key)
    return xor(((BOX[a] * 256 + BOX[b]) * 256 + BOX[c]) * 256 + BOX[d], key)
  end
  return joined(a0, b1, c2, d3, words[at]), joined(b0, c1, d2, a3, words[at + 1]),
    joined(c0, d1, a2, b3, words[at + 2]), joined(d0, a1, b2, c3, words[at + 3])
end

-- The block of four words, encrypted: four words, the first byte of each highest.
local function encrypt(words, w0, w1, w2, w3)
  w0, w1 = xor(w0, words[0]), xor(w1, words[1])
  w2, w3 = xor(w2, words[2]), xor(w3, words[3])
  for at = 4, 36, 4 do w0, w1, w2, w3 = round(words, at, w0, w1, w2, w3) end
  return last_round(words, 40, w0, w1, w2, w3)
end

function V.aes_block(key, block)
  local words = { encrypt(schedule(key), V.big(block, 1, 4), V.big(block, 5, 8), V.big(block, 9, 12),
    V.big(block, 13, 16)) }
  for number = 1, 4 do words[number] = char(bytes_of(words[number])) end
  return table.concat(words)
end

-- A word with its bytes in reverse order.
local function turned(word)
  local a, b, c, d = bytes_of(word)
  return ((d * 256 + c) * 256 + b) * 256 + a
end

local schedules, streams, kept = {}, {}, 0
local STREAMS_KEPT = 65536

-- The key stream of a nonce (low byte first in the counter block) in four little-endian words. It is kept,
-- because devices repeat advertisements and Wireshark dissects a packet each time somebody looks at it.
local function key_stream(key, nonce)
  local of_key = streams[key]
  local stream = of_key and of_key[nonce]
  if stream then return stream end
  local words = schedules[key] or schedule(key)
  schedules[key] = words
  if kept >= STREAMS_KEPT then streams, of_key, kept = {}, nil, 0 end
  of_key = of_key or {}
  streams[key] = of_key
  local w0, w1, w2, w3 = encrypt(words, (nonce % 256) * 16777216 + math.floor(nonce / 256) * 65536, 0, 0, 0)
  stream = { turned(w0), turned(w1), turned(w2), turned(w3) }
  of_key[nonce], kept = stream, kept + 1
  return stream
end

-- A decrypted record of one block in four little-endian words; longer records were never seen.
function V.open(key, nonce, w0, w1, w2, w3)
  local stream = key_stream(key, nonce)
  return xor(w0, stream[1]), xor(w1, stream[2]), xor(w2, stream[3]), xor(w3, stream[4])
end
