-- Registration in Wireshark: manufacturer data by company, and every packet of the Attribute Protocol.

DissectorTable.get("btcommon.eir_ad.manufacturer_company_id"):add(T.company, V.protocol)

-- Wireshark passes values of unknown handles to no dissector, and registering handles would claim other makers'
-- devices. So this runs before Wireshark's own dissector of the Attribute Protocol, calls it, and adds to its tree.
local ATTRIBUTE_PROTOCOL = 4
local channels = DissectorTable.get("btl2cap.cid")
local theirs = channels:get_dissector(ATTRIBUTE_PROTOCOL) or Dissector.get("btatt")
local channel = Proto("victron_att", "Victron Energy, over the Attribute Protocol")

function channel.dissector(tvb, pinfo, tree)
  pcall(theirs.call, theirs, tvb, pinfo, tree) -- of a damaged packet it has told in the tree before it fails here
  local data = tvb:raw()
  local entry = V.entry_of(pinfo, data, tvb:offset())
  if entry then V.show_conversation(tvb, pinfo, tree, entry, data) end
  return #data
end

channels:set(ATTRIBUTE_PROTOCOL, channel)

-- Every packet leaves a few dozen small objects. Collecting them less often costs memory, some tens of megabytes
-- at most, and saves a fifth of the time.
collectgarbage("setpause", 1000)

local function load_keys()
  V.load_keys(V.protocol.prefs.keys or "", V.protocol.prefs.key_file or "")
end

function V.protocol.init()
  V.handle = V.handle or Dissector.get("victron")
  V.forget()
  V.forget_products()
  load_keys()
end

function V.protocol.prefs_changed() load_keys() end
