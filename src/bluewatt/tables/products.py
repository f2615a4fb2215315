"""The products: products.csv, read when the first product is asked for.

One line per product id: id, name under which it is sold, family (which rows of the register table apply), sources.
The names follow the protocol page instant-readout, sections 7 and 9, where lists disagree. A product id only informs:
nothing is decoded by it, so an id nobody has listed is shown as a number and works as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

CSV_NAME = "products.csv"


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
    """The product with this id, None for an id nobody has listed."""
    line = _lines().get(f"0x{product_id:04X}")
    return _parse(line) if line is not None else None


def _parse(line: str) -> Product:
    number, name, family, sources = next(csv.reader((line,)))
    return Product(int(number, 16), name, family, tuple(sources.split(";")))


def product_name(product_id: int) -> str:
    """The name under which the product is sold, "0xNNNN" for an id nobody has listed."""
    found = product(product_id)
    return found.name if found else f"0x{product_id:04X}"


def products() -> Iterator[Product]:
    """All products, by id."""
    return map(_parse, _lines().values())
