"""The products: products.csv, read when the first product is asked for.

One line per product id: id, name under which it is sold, family (which rows of the register table apply), sources.
The names follow the protocol page instant-readout, sections 7 and 9, where lists disagree. A product id only informs:
nothing is decoded by it, so an id nobody has listed is shown as a number and works, too. The vendor gives out ids by
ranges: product_ranges.csv has the family of an id that is not listed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

CSV_NAME = "products.csv"
RANGES_NAME = "product_ranges.csv"


class Product(msgspec.Struct, frozen=True, gc=False):
    """One product: `id` as in register 0x0100 and in advertisements, `family` as in the register table."""

    id: int
    name: str
    family: str
    sources: tuple[str, ...] = ()


@cache
def _lines() -> dict[str, str]:
    text = Path(__file__).with_name(CSV_NAME).read_text("utf-8")
    return {line[:6]: line for line in text.splitlines()[1:]}


@cache
def product(product_id: int) -> Product | None:
    """Return the product with this id, None for an id nobody has listed."""
    line = _lines().get(f"0x{product_id:04X}")
    return _parse(line) if line is not None else None


def _parse(line: str) -> Product:
    number, name, family, sources = next(csv.reader((line,)))
    return Product(int(number, 16), name, family, tuple(sources.split(";")))


def product_name(product_id: int) -> str:
    """Return the name under which the product is sold, "0xNNNN" for an id nobody has listed."""
    found = product(product_id)
    return found.name if found else f"0x{product_id:04X}"


class ProductRange(msgspec.Struct, frozen=True, gc=False):
    """The ids from `first` to `last`, which the vendor gives to products of one family."""

    first: int
    last: int
    family: str
    source: str


@cache
def product_ranges() -> tuple[ProductRange, ...]:
    """Return all ranges, by id."""
    text = Path(__file__).with_name(RANGES_NAME).read_text("utf-8")
    lines = csv.reader(text.splitlines()[1:])
    return tuple(ProductRange(int(first, 16), int(last, 16), family, source) for first, last, family, source in lines)


def family_of(product_id: int | None) -> str | None:
    """Return the family of a product, or that of its range if nobody has listed it; None if neither is known."""
    if product_id is None:
        return None
    found = product(product_id)
    if found is not None:
        return found.family
    return next((one.family for one in product_ranges() if one.first <= product_id <= one.last), None)


def products() -> Iterator[Product]:
    """Return all products, by id."""
    return map(_parse, _lines().values())
