"""The tables as JSON, CSV and C headers, and the look-up of numbers and names."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bluewatt.cli import bluewatt
from bluewatt.docgen.c_header import HEADERS, header
from bluewatt.docgen.data import DATA
from bluewatt.docgen.lookup import look_up
from bluewatt.schema import Record
from bluewatt.tables.records import record_class
from bluewatt.wire.instant_readout.records import decode_record

CC = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(CC is None, reason="no C compiler: apt-get install gcc")
PLAIN = bytes.fromhex("10270205030020fe1f0000a0860164")
"""Bytes of a battery monitor record, made up: every field of it is compared between C and Python."""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(bluewatt, ["reference", *arguments])


@pytest.mark.parametrize("page", DATA)
def test_json_and_csv_hold_the_same_rows(page: str) -> None:
    objects = json.loads(run(page, "--json").output)
    lines = list(csv.DictReader(io.StringIO(run(page, "--csv").output)))
    assert len(objects) == len(lines) > 10
    assert list(objects[0]) == list(lines[0])
    first = next(iter(objects[0]))
    assert [str(one[first]) for one in objects] == [line[first] for line in lines]


def test_registers_as_data_name_scale_and_families() -> None:
    rows = {row["register"]: row for row in json.loads(run("registers", "--json").output)}
    assert rows["0xED8D"]["key"] == "battery_voltage"
    assert (rows["0xED8D"]["factor"], rows["0xED8D"]["divisor"], rows["0xED8D"]["unit"]) == (1, 100, "V")


@needs_compiler
@pytest.mark.parametrize("page", HEADERS)
def test_the_headers_compile_without_a_warning(page: str, tmp_path: Path) -> None:
    (tmp_path / "bluewatt.h").write_text(header(page), "ascii")
    (tmp_path / "main.c").write_text('#include "bluewatt.h"\n#include "bluewatt.h"\nint main(void) { return 0; }\n')
    for tables in ([], ["-DBLUEWATT_TABLES"]):
        flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-unused-const-variable", *tables]
        subprocess.run([str(CC), *flags, "-o", "program", "main.c"], cwd=tmp_path, check=True)


@needs_compiler
def test_c_reads_a_record_as_python_does(tmp_path: Path) -> None:
    record = decode_record(0x02, PLAIN)
    cls = record_class(0x02)
    assert cls is not None
    rows = [row for row in cls.rows if not row.hidden and row.when is None]
    (tmp_path / "records.h").write_text(header("records"), "ascii")
    names = [f"BLUEWATT_BATTERY_MONITOR_{row.name.upper()}" for row in rows]
    calls = [
        f'printf("%ld\\n", (long)bluewatt_{"signed_" if row.signed else ""}bits(data, sizeof data, {name}_START,'
        f" {name}_WIDTH));"
        for row, name in zip(rows, names, strict=True)
    ]
    values = ", ".join(map(str, PLAIN))
    main = f"int main(void) {{ const uint8_t data[] = {{{values}}}; {' '.join(calls)} return 0; }}\n"
    (tmp_path / "main.c").write_text(f'#include <stdio.h>\n#include "records.h"\n{main}')
    subprocess.run([str(CC), "-std=c99", "-Wall", "-Werror", "-o", "program", "main.c"], cwd=tmp_path, check=True)
    printed = subprocess.run(["./program"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert [row.value(int(raw) & row.mask) for row, raw in zip(rows, printed, strict=True)] == values_of(record)


def values_of(record: Record) -> list[object]:
    return [getattr(record, row.name) for row in record.rows if not row.hidden and row.when is None]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0xA261", "product 0xA261: Phoenix Inverter 12V 800VA 230V (family phoenix)"),
        ("41569", "product 0xA261: Phoenix Inverter 12V 800VA 230V (family phoenix)"),
        ("error 38", "error_code 38: Input shut down, battery voltage too high (input_shutdown_voltage)"),
        ("device_state 5", "device_state 5: Float (float)"),
        ("2", "record type 0x02: Battery monitor (battery_monitor)"),
        ("battery_voltage", "metric battery_voltage: Battery voltage, in V"),
        ("SmartShunt 500A", "product 0xA389: SmartShunt 500A/50mV (family smartshunt)"),
    ],
)
def test_look_up_finds(text: str, line: str) -> None:
    assert line in look_up(text)
    assert line in run(*text.split()).output


def test_a_register_is_found_by_its_number() -> None:
    assert any(line.startswith("register 0xED8D battery_voltage") for line in look_up("0xED8D"))


def test_a_long_search_says_how_much_it_left_out() -> None:
    lines = look_up("battery")
    assert lines[-1].startswith("and ")
    assert lines[-1].endswith(" more: a longer name shows fewer")


@pytest.mark.parametrize("text", ["", "   ", "nonsense", "0xZZ", "-1", "99999999999", "error 0x", "error 9999"])
def test_what_nothing_is_called_gives_nothing(text: str) -> None:
    assert look_up(text) == []


@pytest.mark.parametrize("arguments", [("nonsense", "--json"), ("cli", "--c"), ("records", "--json", "--csv")])
def test_forms_that_do_not_exist_are_usage_errors(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
