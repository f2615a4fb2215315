"""A source string, NAME:WHAT?option=value, taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from bluewatt.errors import ConfigError


def split_options(name: str, text: str, known: Mapping[str, Callable[[str], Any]]) -> tuple[str, dict[str, Any]]:
    """Return what is before the question mark, and the options after it, each read by its function in `known`.

    Raises ConfigError for an option that is not known or that its function refuses with ValueError.
    """
    what, _, query = text.partition("?")
    options: dict[str, Any] = {}
    for option, value in parse_qsl(query, keep_blank_values=True):
        read = known.get(option)
        if read is None:
            hint = f"it has {', '.join(known)}"
            raise ConfigError(f"the source {name}: has no option {option!r}", hint=hint)
        try:
            options[option] = read(value)
        except ValueError:
            raise ConfigError(f"the source {name}: {option}={value!r} makes no sense") from None
    return what, options
