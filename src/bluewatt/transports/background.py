"""Background tasks that have an owner: none is lost, and the error of one ends the others at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self


class Background:
    """The tasks behind one object, from entering to leaving: `async with Background() as tasks: tasks.start(...)`.

    A task that fails ends the others and interrupts the body of the `async with` at once; its own error (not a group
    of errors, as of `asyncio.TaskGroup`, which does the work here) is raised where the body ends. Leaving cancels the
    tasks that still run.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._over = False

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        for task in self._running:
            task.cancel()
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            cause, *more = group.exceptions
        else:
            return
        if cause is error:
            return  # the body's own, on its way already
        for other in more:
            cause.add_note(f"and: {other!r}")
        raise cause

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run a coroutine beside the body; does nothing if the body has ended already."""
        if self._over:
            work.close()
            return
        task = self._group.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def ended(self) -> None:
        """Wait until all tasks have ended by themselves; call it if they must not be cancelled."""
        if self._running:
            await asyncio.wait(self._running)
