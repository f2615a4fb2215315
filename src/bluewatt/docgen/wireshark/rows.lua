-- Rows of a record to a function that shows them: straight code is several times faster than walking the rows, and an
-- advertisement comes a hundred thousand times. `V.compile(rows)` makes function(tree, bytes, present, range_of), for
-- bytes as numbers (counted from 1) of which `present` bits are there; those behind read as ones. `range_of` gives
-- the range of some bytes, counted from 0.

local floor, concat = math.floor, table.concat
local POWER = V.POWER

-- The expression of `width` bits from bit `start`.
local function bits(start, width)
  local from, to = floor(start / 8), floor((start + width - 1) / 8)
  local terms = {}
  for at = from, to do
    terms[#terms + 1] = at == from and ("b[%d]"):format(at + 1) or ("b[%d]*%d"):format(at + 1, POWER[8 * (at - from)])
  end
  local sum, shift = concat(terms, "+"), start - 8 * from
  if shift > 0 then sum = ("floor((%s)/%d)"):format(sum, POWER[shift]) end
  return shift + width == 8 * #terms and sum or ("(%s)%%%d"):format(sum, POWER[width])
end

-- The expression of a number by one slope, of the raw number r.
local function scaled(row)
  local value = "r"
  if row.factor ~= 1 then value = ("%s*%d"):format(value, row.factor) end
  if row.shift ~= 0 then value = ("(%s+%d)"):format(value, row.shift) end
  return row.divisor == 1 and value or ("%s/%d"):format(value, row.divisor)
end

-- The statement that shows the raw number r of row number `index`.
local function shown(row, index)
  if row.kind ~= "number" or row.pieces and #row.pieces > 0 then
    return ("show_raw(tree, range, rows[%d], r, %d)"):format(index, row.bits)
  end
  local sign = row.signed and ("if r >= %d then r = r - %d end "):format(POWER[row.bits - 1], POWER[row.bits]) or ""
  return sign .. ("add(tree, F[%d], range, %s)"):format(row.field, scaled(row))
end

local function statement(rows, index)
  local row, code = rows[index], {}
  local start, width = row.start, row.bits * (row.count or 1)
  local from = floor(start / 8)
  local absent = {}
  for raw in pairs(row.absent or {}) do absent[#absent + 1] = ("r == %d"):format(raw) end
  code[1] = ("if present >= %d then local range = range_of(%d, %d)"):format(start + width, from,
    floor((start + width - 1) / 8) - from + 1)
  for number = 0, (row.count or 1) - 1 do
    local show = shown(row, index)
    if #absent > 0 then
      show = ("if %s then show_absent(tree, range, rows[%d]) else %s end"):format(concat(absent, " or "), index, show)
    end
    code[#code + 1] = ("do local r = %s %s end"):format(bits(start + row.bits * number, row.bits), show)
  end
  code[#code + 1] = "end"
  local text = concat(code, "\n")
  if not row.selector then return text end
  local selector = rows[row.selector]
  return ("if rows[%d].selected[%s] then %s end"):format(index, bits(selector.start, selector.bits), text)
end

function V.compile(rows)
  local code = { "local rows, F, add, show_raw, show_absent, floor = ...",
    "return function(tree, b, present, range_of)" }
  for index, row in ipairs(rows) do
    if not row.hidden then code[#code + 1] = statement(rows, index) end
  end
  code[#code + 1] = "end"
  return load(concat(code, "\n"))(rows, V.F, TreeItem.add, V.show_raw, V.show_absent, floor)
end
