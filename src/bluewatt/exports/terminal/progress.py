"""A progress bar for large files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bluewatt.transports.capture.input import Input

WORTH_A_BAR = 4 << 20
"""Bytes from which on a file gets a progress bar."""


@contextmanager
def progress(source: Input) -> Iterator[None]:
    """Show how much of an input is read, if it is large and standard error is a terminal."""
    if source.size is None or source.size < WORTH_A_BAR or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(Path(source.path).name, total=source.size)
        source.on_progress = lambda done: bar.update(task, completed=done)
        yield
