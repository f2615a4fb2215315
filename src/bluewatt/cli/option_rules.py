"""Options that have no meaning together: they are refused before anything is done, so that none is ignored in silence.

A command names its rules where it is declared: `@click.command("capture", cls=RuledCommand, rules=RULES)`. Only what
the user wrote counts, not defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import click
from click.core import ParameterSource


class Excludes(NamedTuple):
    """The rule that with the option `one` none of `others` has a meaning."""

    one: str
    others: tuple[str, ...]


class Needs(NamedTuple):
    """The rule that the options `ones` have a meaning only with one of `others`."""

    ones: tuple[str, ...]
    others: tuple[str, ...]


Rule = Excludes | Needs


def excludes(one: str, *others: str) -> Excludes:
    """Return the rule that an option takes none of the others beside it; names as they are typed, such as "--pin"."""
    return Excludes(one, others)


def needs(*ones: str, any_of: Sequence[str]) -> Needs:
    """Return the rule that options need one of the others beside them."""
    return Needs(ones, tuple(any_of))


class RuledCommand(click.Command):
    """A command that refuses options which would be ignored, has `-v`, and whose help ends with examples."""

    def __init__(
        self,
        *arguments: Any,
        rules: Sequence[Rule] = (),
        examples: Sequence[tuple[str, str]] = (),
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.params.append(verbose_option())
        self.rules = tuple(rules)
        self.examples = tuple(examples)
        """Command lines without "bluewatt", each with what it does."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on a line of its own where it fits, its explanation below it."""
        super().format_epilog(ctx, formatter)
        if not self.examples:
            return
        with formatter.section("Examples"):
            for line, does in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}bluewatt {line}\n")
                with formatter.indentation():
                    formatter.write_text(does)

    def invoke(self, ctx: click.Context) -> Any:
        """Check the rules, then run the command."""
        check_rules(self.rules, given_options(ctx))
        return super().invoke(ctx)


def verbose_option() -> click.Option:
    """Return the option `-v`, which every command has."""
    return click.Option(
        ("-v", "--verbose"), count=True, expose_value=False, callback=_be_verbose,
        help="Report each step on standard error: devices found with their strength, pairing, registers. "
        "-vv: also what the Bluetooth libraries log.",
    )  # fmt: skip


def _be_verbose(ctx: click.Context, param: click.Parameter, count: int) -> None:
    """Report steps until the command ends."""
    if count and not ctx.resilient_parsing:
        from bluewatt.exports.terminal.verbosity import verbose  # here: most starts are quiet

        ctx.with_resource(verbose(libraries=count > 1))


def given_options(ctx: click.Context) -> set[str]:
    """Return the options and arguments that the user wrote: options by their long name, arguments by their metavar."""
    written = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return {
        _typed(parameter)
        for parameter in ctx.command.params
        if parameter.name
        and ctx.get_parameter_source(parameter.name) in written
        and ctx.params.get(parameter.name) not in (None, ())
    }


def _typed(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return (parameter.name or "").upper()
    return max(parameter.opts, key=len)


def check_rules(rules: Sequence[Rule], given: set[str]) -> None:
    """Raise a usage error for the first rule that the given options break."""
    for rule in rules:
        if isinstance(rule, Excludes) and rule.one in given and (other := _first(rule.others, given)):
            raise click.UsageError(f"{rule.one} or {other}: one of the two, together one would be ignored")
        if isinstance(rule, Needs) and (one := _first(rule.ones, given)) and not given.intersection(rule.others):
            raise click.UsageError(f"{one} is for {' or '.join(rule.others)} alone: add it, or leave {one} out")


def _first(names: Sequence[str], given: set[str]) -> str:
    return next((name for name in names if name in given), "")
