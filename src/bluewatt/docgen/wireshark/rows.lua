-- Compiles the rows of a record to a function that shows them: straight code is several times faster than a loop over
-- the rows, and a capture may hold a hundred thousand advertisements. `V.compile(rows, placed, cut)` makes
-- function(tree, w0, w1, w2, w3, range_of, present) for a record in four little-endian words of 32 bits. With `placed`
-- each field is given its bytes by `range_of` (counted from 0). Without, it gets none: Wireshark's window marks them,
-- but tshark draws nothing and every range costs time. With `cut` only rows within the first `present` bits are shown;
-- later bits read as ones.

local floor, concat = math.floor, table.concat
local POWER = V.POWER
local WORD = 32

-- The expression of bits `from` up to `to` of a word: remainders, since a call of math.floor takes ten times as long.
local function part(word, from, to)
  local kept = to == WORD and "w" .. word or ("w%d%%%d"):format(word, POWER[to])
  if from == 0 then return kept end
  return ("(%s-w%d%%%d)/%d"):format(kept, word, POWER[from], POWER[from])
end

-- The expression of `width` bits from bit `start`.
local function bits(start, width)
  local terms, have = {}, 0
  while have < width do
    local word, from = floor((start + have) / WORD), (start + have) % WORD
    local to = math.min(WORD, from + width - have)
    terms[#terms + 1] = have == 0 and part(word, from, to) or ("(%s)*%d"):format(part(word, from, to), POWER[have])
    have = have + to - from
  end
  return concat(terms, "+")
end

-- The expression of a number by one slope, of the raw number r.
local function scaled(row)
  local value = "r"
  if row.factor ~= 1 then value = ("%s*%d"):format(value, row.factor) end
  if row.shift ~= 0 then value = ("(%s+%d)"):format(value, row.shift) end
  return row.divisor == 1 and value or ("%s/%d"):format(value, row.divisor)
end

-- The statement that shows the raw number r of row number `index`.
local function shown(row, index, range)
  local plain = ("add(tree, F[%d], %s"):format(row.field, range and range .. ", " or "")
  local careful = ("show_raw(tree, %s, rows[%d], r, %d)"):format(range or "whole()", index, row.bits)
  if row.kind == "number" and not (row.pieces and #row.pieces > 0) then
    local sign = row.signed and ("if r >= %d then r = r - %d end "):format(POWER[row.bits - 1], POWER[row.bits]) or ""
    return sign .. plain .. scaled(row) .. ")"
  end
  if row.kind == "code" and not row.signed then return plain .. "r)" end
  if row.kind == "flags" or row.kind == "groups" then -- nearly always none is set
    return ("if r == 0 then %s0) else %s end"):format(plain, careful)
  end
  return careful
end

local function statement(rows, index, placed, cut)
  local row, code = rows[index], {}
  local start, width = row.start, row.bits * (row.count or 1)
  local from = floor(start / 8)
  local range = placed and "range" or nil
  local absent = {}
  for raw in pairs(row.absent or {}) do absent[#absent + 1] = ("r == %d"):format(raw) end
  if placed then
    local size = floor((start + width - 1) / 8) - from + 1
    code[1] = ("local range = range_of(%d, %d)"):format(from, size)
  end
  for number = 0, (row.count or 1) - 1 do
    local show = shown(row, index, range)
    if #absent > 0 then
      local missing = ("show_absent(tree, %s, rows[%d])"):format(range or "whole()", index)
      show = ("if %s then %s else %s end"):format(concat(absent, " or "), missing, show)
    end
    code[#code + 1] = ("do local r = %s %s end"):format(bits(start + row.bits * number, row.bits), show)
  end
  local text, conditions = concat(code, "\n"), {}
  if cut then conditions[1] = ("present >= %d"):format(start + width) end
  local selector = row.selector and rows[row.selector]
  if selector then
    local chosen = bits(selector.start, selector.bits)
    conditions[#conditions + 1] = ("rows[%d].selected[%s]"):format(index, chosen)
  end
  return ("%s %s end"):format(#conditions > 0 and "if " .. concat(conditions, " and ") .. " then" or "do", text)
end

function V.compile(rows, placed, cut)
  local code = { "local rows, F, add, show_raw, show_absent, whole = ...",
    "return function(tree, w0, w1, w2, w3, range_of, present)" }
  for index, row in ipairs(rows) do
    if not row.hidden then code[#code + 1] = statement(rows, index, placed, cut) end
  end
  code[#code + 1] = "end"
  return load(concat(code, "\n"))(rows, V.F, TreeItem.add, V.show_raw, V.show_absent, V.whole_advertisement)
end
