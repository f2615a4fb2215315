-- Manufacturer data of company 0x02E1: Instant Readout, decrypted if the key is known, and VE.Smart broadcasts.

local F, N, E = V.F, V.N, V.E
local byte, floor, add = string.byte, math.floor, TreeItem.add

local in_event, on_air = Field.new("bthci_evt.bd_addr"), Field.new("btle.advertising_address")

-- The address that the protocols below have added last, with its bytes in the order on air. An event may hold
-- several reports.
local function address()
  local found = { in_event() }
  if #found == 0 then found = { on_air() } end
  return #found > 0 and found[#found].range:raw() or nil
end

-- Senders of each product and key check, looked up once: finding the address of every packet would take too long.
local seen = {}
function V.forget_products() seen = {} end

local function note_product(mark, product)
  seen[mark] = true
  local from = address()
  if from then V.learn_product(V.address_text(from), product) end
end

-- Wireshark's window marks the bytes of a field. tshark draws nothing, and every range costs time.
local marks = gui_enabled and gui_enabled() or false

local HEADER_LENGTH = 0
for _, row in ipairs(T.advert.rows) do HEADER_LENGTH = math.max(HEADER_LENGTH, (row.start + row.bits) / 8) end
HEADER_LENGTH = floor(HEADER_LENGTH)

local whole -- the range of all of the advertisement at hand
function V.whole_advertisement() return whole end

-- Sixteen bytes from `at` as four words, the first byte lowest.
local function words(data, at)
  local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = byte(data, at, at + 15)
  return a + b * 256 + c * 65536 + d * 16777216, e + f * 256 + g * 65536 + h * 16777216,
    i + j * 256 + k * 65536 + l * 16777216, m + n * 256 + o * 65536 + p * 16777216
end

local PADDING = ("\255"):rep(HEADER_LENGTH + T.block)
local function padded(data) return #data < #PADDING and data .. PADDING or data end

-- Word number `number` with ones behind the first `present` bits of the record.
local function filled(word, number, present)
  local here = present - 32 * number
  if here >= 32 then return word end
  if here <= 0 then return 4294967295 end
  return word % V.POWER[here] + 4294967296 - V.POWER[here]
end

local compiled = { [true] = {}, [false] = {} } -- whether the data is cut off → rows → the function that shows them

local function show_rows(tree, rows, cut, w0, w1, w2, w3, range_of, present)
  local show = compiled[cut][rows]
  if not show then
    show = V.compile(rows, marks, cut)
    compiled[cut][rows] = show
  end
  show(tree, w0, w1, w2, w3, range_of, present)
end

-- Shows a decrypted record in four words, as far as it was received. `range_of` gives the range of some of its bytes.
local function show_record(tree, range_of, record, length, w0, w1, w2, w3)
  local present = 8 * length
  if present >= record.bits then return show_rows(tree, record.rows, false, w0, w1, w2, w3, range_of) end
  tree:add_proto_expert_info(E.short, ("%d bits of %d are here"):format(present, record.bits))
  show_rows(tree, record.rows, true, filled(w0, 0, present), filled(w1, 1, present), filled(w2, 2, present),
    filled(w3, 3, present), range_of, present)
end

local function complain(tree, range, from, misfit)
  local who = from and " for " .. V.address_text(from) or ""
  if misfit then
    local text = ("The key%s begins otherwise than the device's: an old key?"):format(who)
    tree:add(N.sealed, range):add_proto_expert_info(E.key_mismatch, text)
    return
  end
  local refused = V.refused_keys()
  local more = refused > 0 and ("; %d of the keys given cannot be read"):format(refused) or ""
  tree:add(N.sealed, range):add_proto_expert_info(E.key_missing, "No key" .. who .. more)
end

-- The bytes of four words.
local function as_bytes(...)
  local made = {}
  for _, word in ipairs({ ... }) do
    for _ = 1, 4 do
      local low = word % 256
      made[#made + 1] = string.char(low)
      word = (word - low) / 256
    end
  end
  return table.concat(made)
end

local function show_opened(tree, record, length, ...)
  if not marks and record.bits > 0 then return show_record(tree, nil, record, length, ...) end
  local opened = ByteArray.new(as_bytes(...):sub(1, length), true):tvb("Opened record")
  if record.bits == 0 then
    tree:add(F[record.rows[1].field], opened(0, length))
  else
    show_record(tree, function(first, size) return opened(first, size) end, record, length, ...)
  end
end

local function show_sealed(tree, tvb, data, record)
  local from = V.have_named_keys() and address() or nil
  local key, misfit = V.find_key(from, byte(data, 8))
  if not key then
    complain(tree, tvb(HEADER_LENGTH), from or address(), misfit)
    return
  end
  local low, high = byte(data, 6, 7)
  local length = math.min(#data - HEADER_LENGTH, T.block)
  show_opened(tree, record, length, V.open(key, low + 256 * high, words(padded(data), HEADER_LENGTH + 1)))
end

local function show_plain(tree, tvb, data, record)
  local length = math.min(#data - HEADER_LENGTH, T.block)
  if record.bits == 0 then
    tree:add(F[record.rows[1].field], tvb(HEADER_LENGTH, length))
  else
    local range_of = function(first, size) return tvb(HEADER_LENGTH + first, size) end
    show_record(tree, range_of, record, length, words(padded(data), HEADER_LENGTH + 1))
  end
end

-- A dongle with an unsupported device sends type, nonce and key check 0 and repeats one byte: that is no record.
local function is_idle(data)
  return data:sub(5, 8) == "\0\0\0\0" and data:sub(9) == data:sub(9, 9):rep(#data - 8)
end

local function show_product(tree, tvb, data, number)
  local w0, w1 = words(padded(data), 1)
  local range_of = marks and function(from, size) return tvb(from, size) end
  show_rows(tree, T.advert.rows, #data < HEADER_LENGTH, w0, w1, nil, nil, range_of, 8 * #data)
  if not number then
    if #data < 4 then tree:add_proto_expert_info(E.malformed, ("%d bytes do not name a product"):format(#data)) end
    return
  end
  local record = T.records[number]
  if not record then
    tree:add(N.sealed, tvb(HEADER_LENGTH)):add_proto_expert_info(E.undecoded, "Nobody has described this record type")
  elseif number >= 256 then
    show_plain(tree, tvb, data, record)
  else
    show_sealed(tree, tvb, data, record)
  end
end

local PRODUCT, EXTENDED = T.advert.product, T.advert.extended

local function is_vesmart(first)
  return first == T.advert.counter or first == T.advert.data
end

local HEAD = "Victron advertisement, "
local LISTED = {} -- record type → what the list shows, kept: making a text for every packet costs time
for number, record in pairs(T.records) do LISTED[number] = HEAD .. record.title end
local WITHOUT_RECORD, UNKNOWN_RECORD = HEAD .. "no record", HEAD .. "record of unknown type"
local VESMART, OTHER = "VE.Smart networking", HEAD .. "of unknown kind"

-- The number of the record type (0xFFnn for the extended ones, nil if there is no record), and the text for the list.
local function kind_of(data, first, kind, check)
  if first ~= PRODUCT then return nil, is_vesmart(first) and VESMART or OTHER end
  if #data <= HEADER_LENGTH or kind == 0 and is_idle(data) then return nil, WITHOUT_RECORD end
  if kind == EXTENDED then kind = kind * 256 + check end
  return kind, LISTED[kind] or UNKNOWN_RECORD
end

local function show(tvb, tree, data, first, number, listed)
  whole = tvb()
  local item = add(tree, V.protocol, whole, listed)
  if first == PRODUCT then
    show_product(item, tvb, data, number)
  elseif is_vesmart(first) then
    V.show_vesmart(item, tvb, data)
  else
    item:add(F[T.advert.rows[1].field], tvb(0, 1), first)
    item:add_proto_expert_info(E.undecoded, "Not a product advertisement")
  end
end

local raw, referenced = Tvb.raw, TreeItem.referenced

-- If nobody looks at the tree and no filter needs it, only the name in the list is made. (A visible tree needs
-- everything.)
function V.protocol.dissector(tvb, pinfo, tree)
  local data = raw(tvb)
  local first, _, low, high, kind, _, _, check = byte(data, 1, 8)
  if not first then return 0 end
  local number, listed = kind_of(data, first, kind, check)
  if high and first == PRODUCT then
    local mark = low + 256 * high + 65536 * (check or 0)
    if not seen[mark] and not pinfo.visited then note_product(mark, mark % 65536) end
  end
  if referenced(tree, V.handle) then show(tvb, tree, data, first, number, listed) end
  pinfo.cols.info = listed
  return #data
end
