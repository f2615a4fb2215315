"""What is opened in steps is closed in the opposite order, also if a step fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest

from bluewatt.transports.resource import Resource


class Steps(Resource):
    """Three things to open, of which one may fail."""

    def __init__(self, fails: int | None = None) -> None:
        self.log: list[str] = []
        self._fails = fails

    async def _open(self, stack: AsyncExitStack) -> None:
        for number in range(3):
            stack.enter_context(self._thing(number))

    @contextmanager
    def _thing(self, number: int) -> Iterator[None]:
        if number == self._fails:
            raise OSError(f"thing {number} is broken")
        self.log.append(f"open {number}")
        try:
            yield
        finally:
            self.log.append(f"close {number}")


async def test_all_is_open_in_the_body_and_closed_backwards_after_it() -> None:
    async with Steps() as steps:
        assert steps.log == ["open 0", "open 1", "open 2"]
    assert steps.log[3:] == ["close 2", "close 1", "close 0"]


async def test_a_step_that_fails_closes_those_before_it_and_is_raised() -> None:
    steps = Steps(fails=2)
    with pytest.raises(OSError, match="thing 2 is broken"):
        await steps.__aenter__()
    assert steps.log == ["open 0", "open 1", "close 1", "close 0"]
    await steps.__aexit__(None, None, None)
    assert len(steps.log) == 4, "nothing is closed twice"
