"""A block of work that may last so many seconds: the limit is no error, an error of the block is one."""

from __future__ import annotations

import asyncio

import pytest

from bluewatt.app.capturing import record_air
from bluewatt.model.ports import Source
from bluewatt.time_limit import time_limit


async def test_the_limit_ends_the_block_without_an_error() -> None:
    async with time_limit(0) as limit:
        await asyncio.Event().wait()
        raise AssertionError("the block went on")
    assert limit.expired()


async def test_without_seconds_the_block_ends_by_itself() -> None:
    async with time_limit(None) as limit:
        await asyncio.sleep(0)
    assert not limit.expired()


async def test_a_timeout_of_the_block_itself_is_raised() -> None:
    with pytest.raises(TimeoutError, match="the broker"):
        async with time_limit(3600):
            raise TimeoutError("the broker did not answer")


class Unreachable(Source):
    """A source that cannot be opened in time."""

    async def __aenter__(self) -> Unreachable:
        raise TimeoutError("the adapter did not answer")

    async def __aexit__(self, *_: object) -> None: ...

    def __aiter__(self) -> Unreachable:
        return self

    async def __anext__(self) -> object:
        raise StopAsyncIteration


def test_a_source_that_does_not_open_is_no_end_of_a_recording() -> None:
    with pytest.raises(TimeoutError, match="the adapter"):
        record_air(bytes, Unreachable(), 3600)
