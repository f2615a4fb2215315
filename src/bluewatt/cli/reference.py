"""`bluewatt reference`: pages of the reference, made from what they describe."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

import click

from bluewatt.errors import EXIT_CODES
from bluewatt.faces import docgen

CLI_PAGE = "cli"
PAGES = (CLI_PAGE, *docgen.PAGES)
"""The pages by name."""


def page(name: str) -> str:
    """The Markdown of a page; KeyError for a name that is not in `PAGES`."""
    return "\n".join(cli_page()) if name == CLI_PAGE else docgen.page(name)


def cli_page() -> Iterator[str]:
    """The page of all commands and options, line by line."""
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
    yield "`--key`; what comes later counts. `BLUEWATT_KEYS_FILE` names another key file, `BLUEWATT_DEBUG=1` shows"
    yield "tracebacks and logs. With `--json`, standard output has JSON Lines and nothing else. Ctrl-C is a good end."
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
    yield from cleandoc(found.help or "").splitlines()
    yield ""
    yield "| option | does |"
    yield "|---|---|"
    for parameter in found.get_params(context):
        record = parameter.get_help_record(context)
        if record and isinstance(parameter, click.Option):
            option, explained = (text.replace("|", "\\|") for text in record)
            yield f"| `{option}` | {explained} |"
    yield ""


@click.command("reference")
@click.argument("name", metavar="PAGE", type=click.Choice(PAGES))
def command(name: str) -> None:
    """Print a page of the reference in Markdown, made from the tables and from the program itself.

    PAGE is cli, devices, records, metrics, registers, enumerations or errors.
    """
    click.echo(page(name), nl=False)
