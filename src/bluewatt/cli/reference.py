"""`bluewatt reference`: pages of the reference in Markdown, JSON, CSV and C, and the look-up of a number or a name."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator
from inspect import cleandoc

import click
import msgspec

from bluewatt import docgen
from bluewatt.cli.option_rules import RuledCommand, excludes
from bluewatt.errors import EXIT_CODES, UnknownType
from bluewatt.exports.csv_values import csv_cell

CLI_PAGE = "cli"
PAGES = (CLI_PAGE, *docgen.PAGES)
"""The pages by name."""


def page(name: str) -> str:
    """Return the Markdown of a page; KeyError for a name that is not in `PAGES`."""
    return "\n".join(cli_page()) if name == CLI_PAGE else docgen.page(name)


def cli_page() -> Iterator[str]:
    """Yield the page of all commands and options, line by line."""
    from bluewatt.cli import COMMANDS, bluewatt

    yield "# The command line"
    yield ""
    yield "<!-- made by: bluewatt reference cli -->"
    yield ""
    yield from _introduction()
    context = click.Context(bluewatt, info_name="bluewatt", **bluewatt.context_settings)
    for name in COMMANDS:
        found = bluewatt.get_command(context, name)
        if found is not None:
            yield from _command(found, click.Context(found, info_name=name, parent=context))


def _introduction() -> Iterator[str]:
    yield "Keys come from the key file (TOML, mode 0600), from the environment variable `BLUEWATT_KEYS`, and from"
    yield "`--key`; what comes later counts. `BLUEWATT_KEYS_FILE` names another key file. With `--json`, standard"
    yield "output has JSON Lines and nothing else. Ctrl-C is a good end."
    yield ""
    yield "Every command takes `-v`, which reports its steps on standard error, and `-vv`, which adds what the"
    yield "Bluetooth libraries log. `BLUEWATT_DEBUG=1` shows tracebacks and these logs."
    yield ""
    yield "| exit code | means |"
    yield "|---|---|"
    for code, meaning in EXIT_CODES.items():
        yield f"| {code:d} | {meaning} |"
    yield ""


def _command(found: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## bluewatt {context.info_name}"
    yield ""
    yield "```console"
    yield f"$ {context.command_path} {' '.join(found.collect_usage_pieces(context))}".replace("[OPTIONS] ", "")
    yield "```"
    yield ""
    yield from _paragraphs(cleandoc(found.help or ""))
    yield ""
    yield from _examples(found)
    yield "| option | does |"
    yield "|---|---|"
    for parameter in found.get_params(context):
        record = parameter.get_help_record(context)
        if record and isinstance(parameter, click.Option):
            option, explained = (text.replace("|", "\\|") for text in record)
            yield f"| `{option}` | {explained} |"
    yield ""


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the lines of a help text; a paragraph that click must not wrap is a block of its own."""
    for index, paragraph in enumerate(text.split("\n\n")):
        if index:
            yield ""
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            yield from ("```text", *lines[1:], "```")
        else:
            yield from lines


def _examples(found: click.Command) -> Iterator[str]:
    examples = getattr(found, "examples", ())
    if examples:
        yield "```console"
        yield from (f"$ bluewatt {line}   # {does}" for line, does in examples)
        yield "```"
        yield ""


@click.command(
    "reference",
    cls=RuledCommand,
    rules=[excludes("--json", "--csv", "--c"), excludes("--csv", "--c")],
    examples=[
        ("reference registers --csv", "the table of registers as data"),
        ("reference records --c", "the layouts of advertised records as a C header"),
        ("reference 0xED8D", "what this register, product or record type is; 41569 is understood as well"),
        ("reference error 38", "what the number of an error, a state or an alarm means"),
    ],
)
@click.argument("words", nargs=-1, required=True, metavar="PAGE|NUMBER|NAME")
@click.option("--json", "as_json", is_flag=True, help="The page's table as a JSON list of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="The page's table as CSV, lists joined by semicolons.")
@click.option("--c", "as_c", is_flag=True, help="The page's table as a C header for firmware.")
def command(words: tuple[str, ...], *, as_json: bool, as_csv: bool, as_c: bool) -> None:
    """Print a page of the reference, or look up what a number or a name means.

    PAGE is cli, devices, records, metrics, registers, enumerations or errors; it is printed in Markdown, made from the
    tables and from the program itself. NUMBER and NAME are looked up in all tables.
    """
    name = " ".join(words)
    form = "json" if as_json else "csv" if as_csv else "c" if as_c else ""
    if name not in PAGES:
        if form:
            raise click.UsageError(f"--{form} is for a page: {', '.join(PAGES)}")
        return _look_up(name)
    if form and name not in _TABLES[form]():
        raise click.UsageError(f"the page {name} has no --{form} form; these have one: {', '.join(_TABLES[form]())}")
    click.echo(_FORMS[form](name), nl=False)


def _look_up(text: str) -> None:
    from bluewatt.docgen.lookup import look_up

    lines = look_up(text)
    if not lines:
        raise UnknownType(
            f"nothing in the tables is called {text!r}: give a page ({', '.join(PAGES)}), a number such as 0xED8D,"
            ' a name such as battery_voltage, or a code such as "error 38"'
        )
    for line in lines:
        click.echo(line)


def _json(name: str) -> str:
    from bluewatt.docgen.data import rows

    return msgspec.json.format(msgspec.json.encode(rows(name)), indent=2).decode() + "\n"


def _csv(name: str) -> str:
    from bluewatt.docgen.data import rows

    text = io.StringIO()
    lines = rows(name)
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: csv_cell(value) for column, value in line.items()} for line in lines)
    return text.getvalue()


def _c_header(name: str) -> str:
    from bluewatt.docgen.c_header import header

    return header(name)


def _data_pages() -> Collection[str]:
    from bluewatt.docgen.data import DATA

    return DATA


def _header_pages() -> Collection[str]:
    from bluewatt.docgen.c_header import HEADERS

    return HEADERS


_FORMS: dict[str, Callable[[str], str]] = {"": page, "json": _json, "csv": _csv, "c": _c_header}
_TABLES: dict[str, Callable[[], Collection[str]]] = {"json": _data_pages, "csv": _data_pages, "c": _header_pages}
