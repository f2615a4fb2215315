-- Keys: from the preference, from a key file (TOML, as Bluewatt writes it), and those seen in the capture itself.

local by_address, loose, learned, refused = {}, {}, {}, 0

-- An address in any usual spelling as its six bytes on air, the last one first; nil for any other text.
local function address_bytes(text)
  local digits = text:gsub("[%s:%-]", "")
  local bytes = #digits == 12 and V.unhex(digits)
  return bytes and bytes:reverse() or nil
end

function V.address_text(bytes)
  return (V.hex(bytes:reverse()):upper():gsub("(..)", "%1:"):sub(1, -2))
end

-- The bytes of a key; of a key of 31 digits, whose first the app hid, the digits: an advertisement completes it.
local function key_bytes(text)
  local digits = text:gsub("[%s:%-]", ""):lower():gsub("^0x", "")
  if #digits == 31 and V.unhex("0" .. digits) then return digits end
  return #digits == 32 and V.unhex(digits) or nil
end

-- The bytes of a key that begins with `check`; nil if it does not. The hidden digit is the check's high half.
local function fitting(key, check)
  local whole = key and #key == 31 and V.unhex(string.format("%x", math.floor(check / 16)) .. key) or key
  return whole and whole:byte(1) == check and whole or nil
end

-- Take one key; a nil address stands for a device that is not known.
local function take(address, text)
  local key = key_bytes(text)
  local bytes = address and address_bytes(address)
  if not key or (address and not bytes) then
    refused = refused + 1
  elseif bytes then
    by_address[bytes] = key
  else
    loose[#loose + 1] = key
  end
end

local function take_list(text)
  for entry in text:gmatch("[^,;]+") do
    local address, key = entry:match("^%s*(.-)%s*=%s*(.-)%s*$")
    if address then take(address, key) elseif entry:find("%S") then take(nil, entry) end
  end
end

-- The file has one table per device with an entry `key`, or the key alone, and `unassigned`, a list. Nothing else of
-- TOML is read.
local function take_toml(text)
  local section, inside = nil, false
  for line in text:gmatch("[^\r\n]+") do
    local bare = line:gsub("^%s+", "")
    local table_name = bare:match('^%[%s*"([^"]*)"%s*%]') or bare:match("^%[%s*'([^']*)'%s*%]")
      or bare:match("^%[%s*([%w%-]+)%s*%]")
    if bare:sub(1, 1) == "#" then
      bare = ""
    elseif inside or bare:match("^unassigned%s*=") then
      local rest = inside and bare or bare:gsub("^unassigned%s*=", "")
      for quoted in rest:gmatch("[\"']([^\"']*)[\"']") do take(nil, quoted) end
      inside = not rest:find("]", 1, true)
    elseif bare:sub(1, 1) == "[" then
      section = table_name ~= "networks" and table_name or nil -- keys of VE.Smart networks open something else
    else
      local name, value = bare:match("^[\"']?([%w:%-]+)[\"']?%s*=%s*(.*)$")
      local key = value and (value:match("^[\"']([^\"']*)[\"']") or value:match("^{.*key%s*=%s*[\"']([^\"']*)[\"']"))
      if name == "key" and section and key then
        take(section, key)
      elseif key and address_bytes(name) then
        take(name, key)
      end
    end
  end
end

local function environment(name)
  return os and os.getenv and os.getenv(name) or nil
end

local function default_file()
  local folder = environment("XDG_CONFIG_HOME") or environment("APPDATA")
  local home = environment("HOME")
  folder = folder or (home and home .. "/.config")
  return environment("BLUEWATT_KEYS_FILE") or (folder and folder .. "/bluewatt/keys.toml")
end

-- Read all keys anew: file, then environment, then preference; of two for one device the later counts.
function V.load_keys(preference, path)
  by_address, loose, learned, refused = {}, {}, {}, 0
  local name = path ~= "" and path or default_file()
  local file = name and io and io.open and io.open(name, "r")
  if file then
    take_toml(file:read("*a") or "")
    file:close()
  elseif path ~= "" then
    refused = refused + 1
  end
  take_list(environment("BLUEWATT_KEYS") or "")
  take_list(preference)
end

-- A key read from a device in this capture, for its advertisements from here on.
function V.learn_key(address, key)
  local bytes = address_bytes(address)
  if bytes then learned[bytes] = key end
end

-- The key for a device (address as it is on air, nil if not known) whose key starts with `check`.
-- Without a fitting one: nil, and whether there is one for the device that does not fit.
function V.find_key(address, check)
  local named = address and (by_address[address] or learned[address])
  local key = fitting(named, check) or fitting(address and learned[address], check)
  if key then return key end
  for _, one in ipairs(loose) do
    key = fitting(one, check)
    if key then return key end
  end
  return nil, named ~= nil
end

-- Whether the address of a device matters at all.
function V.have_named_keys()
  return next(by_address) ~= nil or next(learned) ~= nil
end

function V.refused_keys() return refused end
