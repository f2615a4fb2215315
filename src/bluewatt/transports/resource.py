"""What is opened in steps and closed in the opposite order, whatever step fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self


class Resource(ABC):
    """An object used by `async with`, which opens other things on its way: `_open` puts each of them on a stack.

    If a step fails, what was opened before it is closed, and the error goes on.
    """

    _opened_stack: AsyncExitStack | None = None

    @abstractmethod
    async def _open(self, stack: AsyncExitStack) -> None:
        """Open everything, each thing entered into `stack`."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._opened_stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened_stack:
            await self._opened_stack.__aexit__(kind, error, trace)
