"""Progress bars of long work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bluewatt.transports.capture.input import Input

WORTH_A_BAR = 4 << 20
"""A file of so many bytes gets a progress bar."""


@contextmanager
def progress(source: Input) -> Iterator[None]:
    """A bar on standard error, where that is a terminal and the file is large."""
    if source.size is None or source.size < WORTH_A_BAR or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(Path(source.path).name, total=source.size)
        source.on_progress = lambda done: bar.update(task, completed=done)
        yield
