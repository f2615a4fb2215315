"""Databases as other programs write them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

Table = tuple[str, Iterable[tuple[Any, ...]]]
"""The columns of a table as SQL names them, and its rows."""


def write_database(path: Path, tables: Mapping[str, Table]) -> Path:
    """A SQLite file with some tables."""
    with closing(sqlite3.connect(path)) as made:
        for name, (columns, rows) in tables.items():
            made.execute(f"CREATE TABLE {name} ({columns})")
            for row in rows:
                made.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
        made.commit()
    return path
