-- The protocol, its fields and expert information.

local protocol = Proto("victron", "Victron Energy Bluetooth")
V.protocol = protocol

local MAKE = {
  bool = function(row) return ProtoField.bool(row[2], row[3], 32, nil, row[6], row[4]) end,
  bytes = function(row) return ProtoField.bytes(row[2], row[3], base.NONE, row[4]) end,
  string = function(row) return ProtoField.string(row[2], row[3], base.NONE, row[4]) end,
  double = function(row) return ProtoField.double(row[2], row[3], row[4]) end,
  int32 = function(row) return ProtoField.int32(row[2], row[3], base.DEC, row[5] or nil, nil, row[4]) end,
}
for _, width in ipairs({ "8", "16", "32" }) do
  local make = ProtoField["uint" .. width]
  MAKE["uint" .. width] = function(row)
    return make(row[2], row[3], row[8] and base.HEX or base.DEC, row[5] or nil, row[6] or nil, row[4])
  end
end

-- Fields of the tables by number, F; what each can hold; the fields of its bits or groups.
local F, LIMITS, CHILDREN, all = {}, {}, {}, {}
V.F, V.LIMITS, V.CHILDREN = F, LIMITS, CHILDREN

local RANGE = { int32 = { -2147483648, 2147483647 }, uint32 = { 0, 4294967295 } }

for number, row in ipairs(T.fields) do
  if row[4] == "" then row[4] = nil end
  F[number] = MAKE[row[1]](row)
  LIMITS[number] = RANGE[row[1]]
  CHILDREN[number] = row[7]
  all[number] = F[number]
end

-- Fields of the runtime itself.
local N = {
  sealed = ProtoField.bytes("victron.encrypted", "Encrypted record"),
  vesmart_type = ProtoField.uint8("victron.vesmart.record_type", "VE.Smart record type", base.HEX),
  vesmart_group = ProtoField.uint8("victron.vesmart.group", "Network group", base.HEX),
  vesmart_serial = ProtoField.uint32("victron.vesmart.serial", "Serial number, as a number", base.HEX),
  vesmart_sender = ProtoField.string("victron.vesmart.sender", "Sender"),
  vesmart_sequence = ProtoField.uint32("victron.vesmart.sequence", "Sequence"),
  vesmart_overflow = ProtoField.uint16("victron.vesmart.overflow", "Overflow counter"),
  vesmart_content = ProtoField.bytes("victron.vesmart.encrypted", "Encrypted content"),
  vesmart_tag = ProtoField.bytes("victron.vesmart.tag", "Authentication tag"),
  direction = ProtoField.string("victron.direction", "Sent by"),
  characteristic = ProtoField.string("victron.characteristic", "Characteristic"),
  chunk = ProtoField.bytes("victron.chunk", "Chunk"),
  fragment = ProtoField.framenum("victron.fragment", "Earlier chunk in frame", base.NONE),
  completed_in = ProtoField.framenum("victron.completed_in", "Message completed in frame", base.NONE),
  credit_client = ProtoField.int32("victron.credit.client", "Messages the client may still send"),
  credit_device = ProtoField.int32("victron.credit.device", "Messages the device may still send"),
  message = ProtoField.string("victron.message", "Message"),
  opcode = ProtoField.int32("victron.opcode", "Opcode", base.DEC, T.enums.opcodes),
  instance = ProtoField.uint32("victron.instance", "Instance"),
  device_kind = ProtoField.uint32("victron.device_kind", "Kind of the instance"),
  register = ProtoField.uint16("victron.register", "Register", base.HEX, T.enums.registers),
  raw = ProtoField.bytes("victron.raw", "Content"),
  item = ProtoField.uint32("victron.item", "Item concerned"),
  request_opcode = ProtoField.int32("victron.request_opcode", "Request", base.DEC, T.enums.opcodes),
  code = ProtoField.uint32("victron.code", "Code", base.DEC, T.enums.codes),
  index = ProtoField.uint32("victron.path_index", "Path index"),
  path = ProtoField.string("victron.path", "Path"),
  compressed = ProtoField.bytes("victron.path_list", "Path list, compressed"),
  indefinite = ProtoField.bool("victron.indefinite_array", "Array of indefinite length"),
  control = ProtoField.uint8("victron.control", "Control", base.HEX, T.enums.control),
  granted = ProtoField.uint8("victron.control.granted", "Messages granted"),
  slots = ProtoField.uint8("victron.control.slots", "Message slots"),
  longest = ProtoField.uint8("victron.control.longest_message", "Longest message accepted"),
  failure = ProtoField.uint16("victron.control.failure", "Failure"),
  header_flags = ProtoField.uint8("victron.control.flags", "Flags", base.HEX),
  version = ProtoField.uint16("victron.control.protocol_version", "Protocol version"),
  chunk_size = ProtoField.uint16("victron.control.chunk_size", "Chunk size"),
}
V.N = N
for _, field in pairs(N) do all[#all + 1] = field end
protocol.fields = all

local function info(name, text, group, severity)
  return ProtoExpert.new("victron.expert." .. name, text, expert.group[group], expert.severity[severity])
end

local E = {
  malformed = info("malformed", "Malformed", "MALFORMED", "ERROR"),
  key_missing = info("key_missing", "No key for this device", "DECRYPTION", "NOTE"),
  key_mismatch = info("key_mismatch", "The key does not fit", "DECRYPTION", "WARN"),
  undecoded = info("undecoded", "Not decoded", "UNDECODED", "NOTE"),
  short = info("short_record", "Record shorter than its layout", "PROTOCOL", "NOTE"),
  unknown_register = info("unknown_register", "Register nobody has listed", "UNDECODED", "NOTE"),
  refused = info("refused", "Refused", "RESPONSE_CODE", "NOTE"),
  failure = info("failure", "The device could not use what it received", "RESPONSE_CODE", "WARN"),
  unfinished = info("unfinished", "The message of this chunk is never completed", "REASSEMBLE", "WARN"),
  dropped = info("dropped", "A partially received message is dropped", "SEQUENCE", "NOTE"),
  overdrawn = info("overdrawn", "Sent without credit, as far as this capture tells", "SEQUENCE", "NOTE"),
  secret = info("secret", "This opens something: remove it before sharing the capture", "SECURITY", "NOTE"),
}
V.E = E
local experts = {}
for _, item in pairs(E) do experts[#experts + 1] = item end
protocol.experts = experts

protocol.prefs.keys = Pref.string("Keys", "", "Advertisement keys: ADDRESS=KEY, ADDRESS=KEY, or a key alone")
protocol.prefs.key_file = Pref.string("Key file", "", "A key file of Bluewatt; empty: the usual place")
protocol.prefs.handles = Pref.string("Handles", "",
  "Value handles where the capture has no discovery: a known layout by name, or control,last,bulk in hex; empty: guess")
