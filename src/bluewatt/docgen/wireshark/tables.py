"""The tables as Lua: records, registers, compound registers, messages and numbers of Bluetooth, for the runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bluewatt.docgen.wireshark.fields import DissectorFields, Shape, label_of
from bluewatt.docgen.wireshark.lua import Raw, literal
from bluewatt.schema import Code, Flags, Name, Record, Row, Scale, TwoBitFields
from bluewatt.tables import advertisement, compounds, gatt, smartshunt, vesmart
from bluewatt.tables.compounds import CompoundLayout
from bluewatt.tables.enums import enumeration, enumeration_names
from bluewatt.tables.products import family_of, product_ranges, products
from bluewatt.tables.records import EXTENDED_TYPE, record_classes
from bluewatt.tables.registers import EVERY_FAMILY, GROUP_STATES, NETWORK, Register, lookup, registers, rows_with_number
from bluewatt.wire.victronconnect import cbor, messages, reassembly

_CAPITAL = str.maketrans("_", " ")


def lua_tables() -> str:
    """Return the Lua source of the table T that the runtime reads."""
    fields = DissectorFields()
    parts = {
        "company": gatt.COMPANY_ID,
        "advert": _advert(fields),
        "records": {_type(cls): _record(fields, cls) for cls in record_classes()},
        "registers": {number: _register(fields, number) for number in _numbers()},
        "layouts": {name: _layout(fields, layout) for name, layout in compounds.LAYOUTS.items()},
        "by_length": {f"{name}_{length}": _layout(fields, layout)
                      for (name, length), layout in compounds.BY_LENGTH.items()},
        "vesmart": _vesmart(),
        "shunt": {_index(row.uuid): _characteristic(fields, row) for row in smartshunt.CHARACTERISTICS},
        "messages": {int(opcode): _message(layout) for opcode, layout in messages.LAYOUTS.items()},
        "characteristics": dict(_characteristics()),
        "handles": {name: _handles(layout) for name, layout in gatt.CHARACTERISTIC_HANDLES.items()},
        "no_product": gatt.NO_PRODUCT,
        "control": {opcode.name: int(opcode) for opcode in gatt.ControlOpcode},
        "cbor": {name: getattr(cbor, name) for name in _CBOR},
        "longest_message": reassembly.LONGEST_MESSAGE,
        "block": advertisement.LONGEST_RECORD,
        "product_register": _register_number("product_id"),
        "key_register": _register_number("advertisement_key"),
        "families": _families(),
    }  # fmt: skip
    return "\n".join(["local T = {}", *_strings(), *(f"T.{name} = {literal(part)}" for name, part in parts.items()),
                      f"T.fields = {literal(fields.rows())}", ""])  # fmt: skip


def _families() -> dict[int, str]:
    """Return the family of every product id; for ids without a product it is that of their range."""
    ids = {number for one in product_ranges() for number in range(one.first, one.last + 1)}
    return {number: family for number in sorted(ids | {row.id for row in products()}) if (family := family_of(number))}


_CBOR = ("UNSIGNED", "NEGATIVE", "BYTES", "TEXT", "ARRAY", "MAP", "TAG", "BREAK")


def _strings() -> Iterator[str]:
    """Yield the value strings: enumerations, products, opcodes, codes, registers, records."""
    yield "T.enums = {}"
    for name in enumeration_names():
        yield f"T.enums.{name} = {literal(_labels(name))}"
    yield f"T.enums.products = {literal({row.id: row.name for row in products()})}"
    yield f"T.enums.opcodes = {literal({int(item): _words(item.name) for item in gatt.Opcode})}"
    yield f"T.enums.control = {literal({int(item): _words(item.name) for item in gatt.ControlOpcode})}"
    yield f"T.enums.codes = {literal({int(item): _words(item.name) for item in gatt.ResultCode})}"
    yield f"T.enums.registers = {literal({number: rows_with_number(number)[0].key for number in _numbers()})}"
    yield f"T.enums.record_types = {literal({_type(cls): cls.title for cls in record_classes()})}"


def _labels(name: str) -> dict[int, str]:
    return {number: item.label for number, item in enumeration(name).items()}


def _words(name: str) -> str:
    return name.translate(_CAPITAL).capitalize()


def _type(cls: type[Record]) -> int:
    assert cls.record_type is not None
    return cls.record_type


def _numbers() -> list[int]:
    return list(dict.fromkeys(row.id for row in registers()))


def _register_number(key: str) -> int | None:
    return next((row.id for row in registers() if row.key == key), None)


# records


def _advert(fields: DissectorFields) -> dict[str, Any]:
    rows = [_header_row(fields, row) for row in advertisement.AdvertHeader.rows]
    return {
        "rows": rows,
        "product": advertisement.PRODUCT_ADVERTISEMENT,
        "counter": advertisement.VESMART_COUNTER,
        "data": advertisement.VESMART_DATA,
        "extended": EXTENDED_TYPE,
    }


def _header_row(fields: DissectorFields, row: Row) -> dict[str, Any]:
    shape = Shape(*_HEADER_SHAPES.get(row.name, ("hex", "")))
    field = fields.number(row.name, shape, bits=row.bits)
    return {"start": row.start, "bits": row.bits} | _number(field, row.name, "", row.scale, signed=False)


_HEADER_SHAPES = {"product_id": ("hex", "products"), "kind": ("hex", "record_types"), "nonce": ("number", "")}


def _record(fields: DissectorFields, cls: type[Record]) -> dict[str, Any]:
    names = [row.name for row in cls.rows]
    rows = [_row(fields, row) | _selector(row, names) for row in cls.rows]
    return {"name": cls.record_name, "title": cls.title, "bits": cls.bits, "rows": rows}


def _selector(row: Row, names: list[str]) -> dict[str, Any]:
    if row.when is None:
        return {}
    return {"selector": names.index(row.when[0]) + 1, "selected": dict.fromkeys(row.when[1], True)}


def _row(fields: DissectorFields, row: Row) -> dict[str, Any]:
    if row.raw:
        field = fields.number(f"record.{row.name}", Shape("bytes"), label="Record of unknown layout")
        return {"kind": "bytes", "field": field}
    place = {"start": row.start, "bits": row.bits, "count": row.count if row.count > 1 else None}
    if row.hidden:
        return place | {"hidden": True}
    absent = dict.fromkeys(row.na, True)
    return place | {"absent": absent} | _meaning(fields, row)


def _meaning(fields: DissectorFields, row: Row) -> dict[str, Any]:
    """Return the meaning of a row's raw bits, as `V.show_raw` of the runtime takes it."""
    if row.named is not None:
        return _named(fields, row.name, row.named, signed=row.signed, bits=row.bits)
    # Every slope of a piecewise scale has whole steps.
    field = fields.number(row.name, Shape("number", row.unit), decimal=row.scale.divisor > 1, signed=_negative(row),
                        bits=row.bits)  # fmt: skip
    return _number(field, row.name, row.unit, row.scale, signed=row.signed) | {"pieces": row.pieces}


def _negative(row: Row) -> bool:
    """Return whether a value can be below zero."""
    return row.signed or row.scale.factor < 0 or row.scale.shift < 0


def _number(field: int, key: str, unit: str, scale: Scale, *, signed: bool) -> dict[str, Any]:
    return {
        "kind": "number", "field": field, "label": label_of(key), "unit": f" {unit}" if unit else "",
        "factor": scale.factor, "shift": scale.shift, "divisor": scale.divisor, "signed": signed,
    }  # fmt: skip


_KINDS = {Code: "code", Flags: "flags", TwoBitFields: "groups"}


def _named(
    fields: DissectorFields, key: str, named: type[Code | Flags | TwoBitFields], *, signed: bool, bits: int
) -> dict[str, Any]:
    kind = next(word for base, word in _KINDS.items() if issubclass(named, base))
    enum = getattr(named.names, "name", "")
    states = named.states if issubclass(named, TwoBitFields) else ()
    return _enumerated(fields, key, kind, enum, named.names, states, signed=signed, bits=bits)


def _enumerated(fields: DissectorFields, key: str, kind: str, enum: str, names: Any, states: tuple[str, ...], *,
                signed: bool, bits: int) -> dict[str, Any]:  # fmt: skip
    field = fields.number(key, Shape(kind, enum), signed=signed, bits=bits, names=names, states=states)
    return {"kind": kind, "field": field, "label": label_of(key), "enum": enum or None, "signed": signed}


# registers


def _register(fields: DissectorFields, number: int) -> dict[str, Any]:
    """Return what a register means if the family is not fields, and by family if that differs."""
    found = lookup(number, None)
    default = _register_row(fields, found) if found else None
    families = {family for row in rows_with_number(number) for family in row.families} - {NETWORK, EVERY_FAMILY}
    special = {family: _register_row(fields, row) for family in sorted(families) if (row := lookup(number, family))}
    return {"any": default, "of": {family: row for family, row in special.items() if row != default}}


def _register_row(fields: DissectorFields, row: Register) -> dict[str, Any]:
    place = {"key": row.key, "type": row.type, "size": row.size, "none": row.not_available,
             "layout": row.layout or None, "secret": row.secret}  # fmt: skip
    return place | _register_meaning(fields, row)


def _register_meaning(fields: DissectorFields, row: Register) -> dict[str, Any]:
    key, bits = row.metric or row.key, 8 * (row.size or 0)
    kind = "".join(letter for letter in row.type if letter.isalpha())
    if kind in ("u", "i", "f"):
        floating = kind == "f"
        field = fields.number(key, Shape("number", row.unit), about=row.description, bits=bits,
                            decimal=row.scale.divisor > 1 or floating,
                            signed=row.signed or row.scale.shift < 0 or row.scale.factor < 0)  # fmt: skip
        number = _number(field, key, row.unit, row.scale, signed=row.signed)
        return number | {"kind": "float" if floating else "number"}
    if kind in _REGISTER_KINDS:
        return _register_enumerated(fields, row, _REGISTER_KINDS[kind], key, bits)
    if kind == "record":
        return {"kind": "record", "label": label_of(key)}
    if kind == "void":
        return {"kind": "void", "label": label_of(key)}
    shape = Shape("text" if kind == "str" else "bytes")
    return {"kind": shape.kind, "label": label_of(key), "field": fields.number(key, shape, about=row.description)}


_REGISTER_KINDS = {"enum": "code", "enumi": "code", "bits": "flags", "groups": "groups"}


def _register_enumerated(fields: DissectorFields, row: Register, kind: str, key: str, bits: int) -> dict[str, Any]:
    enum, _, states = row.enum.partition("/")
    names: dict[int, Name] = dict(enumeration(enum)) if enum else {}
    worded = GROUP_STATES[states] if states else ()
    return _enumerated(fields, key, kind, enum, names, worded, signed=row.signed, bits=bits)


# compound registers


def _layout(fields: DissectorFields, layout: CompoundLayout) -> list[dict[str, Any]]:
    return [_part(fields, layout.name, part) for part in layout.fields]


def _part(fields: DissectorFields, prefix: str, part: compounds.CompoundField) -> dict[str, Any]:
    key = f"{prefix}.{part.name}"
    place = {
        "name": part.name, "bits": part.bits, "count": part.count if part.count > 1 else None, "upto": part.upto,
        "optional": part.optional, "spare": part.spare, "absent": part.absent, "swapped": part.big_endian,
        "signed": part.signed, "label": label_of(part.name),
    }  # fmt: skip
    if part.kind == "group":
        return place | {"kind": "group", "parts": [_part(fields, key, inner) for inner in part.fields]}
    if part.kind != "number":
        shape = Shape({"text": "text", "version": "version"}.get(part.kind, "bytes"))
        return place | {"kind": shape.kind, "field": fields.number(key, shape, label=label_of(part.name))}
    if part.enum:
        names = enumeration(part.enum)
        field = fields.number(key, Shape("code", part.enum), label=label_of(part.name), signed=part.signed, names=names)
        return place | {"kind": "code", "field": field, "enum": part.enum}
    negative = part.signed or part.scale.shift < 0
    field = fields.number(key, Shape("number", part.unit), label=label_of(part.name), bits=part.bits, signed=negative,
                        decimal=part.scale.divisor > 1)  # fmt: skip
    return place | _number(field, part.name, part.unit, part.scale, signed=part.signed)


# VE.Smart, GATT, messages


def _vesmart() -> dict[str, Any]:
    return {
        "header": _parts(vesmart.HEADER), "overflow": _parts(vesmart.OVERFLOW), "tag": vesmart.TAG_SIZE,
        "longest": vesmart.LONGEST_CONTENT, "digits": vesmart.SERIAL_DIGITS, "suffix": vesmart.SERIAL_SUFFIX_LENGTH,
        "letter": vesmart.FIRST_PREFIX_LETTER,
    }  # fmt: skip


_WIDTHS = {"B": 1, "H": 2, "I": 4}


def _parts(parts: tuple[vesmart.Part, ...]) -> list[tuple[str, int]]:
    return [(part.name, _WIDTHS[part.format]) for part in parts]


def _characteristic(fields: DissectorFields, row: smartshunt.SmartShuntCharacteristic) -> dict[str, Any]:
    """Return a characteristic of the SmartShunt: its register under the metric of a battery monitor."""
    layout = msgspec.structs.replace(row.layout, metric=row.metric)
    forever = row is smartshunt.KEEP_ALIVE
    return {"row": _register_row(fields, layout), "size": row.size, "forever": forever, "register": row.register}


def _characteristics() -> Iterator[tuple[Raw, Any]]:
    """Yield each characteristic: its UUID, and its role."""
    for copy, service in enumerate((gatt.DATA_SERVICE, gatt.SECOND_DATA_SERVICE)):
        for role in gatt.DataCharacteristic:
            yield _index(role.uuid_in(service)), _place(role, copy)
    for row in smartshunt.CHARACTERISTICS:
        yield _index(row.uuid), {"role": row.uuid, "copy": 0}


def _place(role: gatt.DataCharacteristic, copy: int) -> dict[str, Any]:
    return {"role": role.name.lower(), "copy": copy}


def _handles(layout: Mapping[int, gatt.DataCharacteristic]) -> dict[int, Any]:
    """Return a known layout: three handles for each copy of the data service."""
    return {handle: _place(role, number // len(gatt.DataCharacteristic))
            for number, (handle, role) in enumerate(sorted(layout.items()))}  # fmt: skip


def _index(uuid: str) -> Raw:
    return Raw(f"[{literal(uuid)}]")


def _message(layout: messages.MessageLayout) -> list[tuple[str, str]]:
    """Return the parameters of a message in order: the name of each and how it is read."""
    kinds = [parameter.kind for parameter in layout.parameters]
    if layout.array is not None:
        kinds.append(layout.array.kind + "?" * layout.array.optional)
    return list(zip(layout.build.__struct_fields__, kinds, strict=False))  # the dialect of the array has no kind
