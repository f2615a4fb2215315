"""Tasks with an owner: an error of one is told at once, as itself, and nothing outlives its owner."""

from __future__ import annotations

import asyncio

import pytest

from bluewatt.errors import LinkLost
from bluewatt.transports.background import Background


async def fail(error: Exception, after: asyncio.Event | None = None) -> None:
    if after:
        await after.wait()
    raise error


async def for_ever(ended: list[str], name: str = "task") -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def test_an_error_interrupts_the_body_and_is_raised_as_itself() -> None:
    lost, ended = LinkLost("gone"), []

    async def body() -> None:
        async with Background() as tasks:
            tasks.start(for_ever(ended, "neighbour"), name="neighbour")
            tasks.start(fail(lost), name="failing")
            await for_ever(ended, "body")

    with pytest.raises(LinkLost) as told:
        await body()
    assert told.value is lost
    assert sorted(ended) == ["body", "neighbour"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the interruption is over with the body"


async def test_an_error_of_the_body_passes_unchanged_and_ends_the_tasks() -> None:
    ended: list[str] = []

    async def body() -> None:
        async with Background() as tasks:
            tasks.start(for_ever(ended), name="task")
            await asyncio.sleep(0)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await body()
    assert ended == ["task"]


async def test_what_failed_first_is_told_before_what_followed_from_it() -> None:
    async def body() -> None:
        async with Background() as tasks:
            tasks.start(fail(LinkLost("cause")), name="failing")
            try:
                await asyncio.Event().wait()
            finally:
                raise KeyError("consequence")

    with pytest.raises(LinkLost, match="cause") as told:
        await body()
    assert told.value.__notes__ == ["and: KeyError('consequence')"]


async def test_leaving_ends_what_still_runs() -> None:
    ended: list[str] = []
    async with Background() as tasks:
        tasks.start(for_ever(ended), name="task")
        await asyncio.sleep(0)
    assert ended == ["task"]
    tasks.start(for_ever(ended), name="too late")
    await asyncio.sleep(0)
    assert ended == ["task"]


async def test_an_inner_owner_tells_the_outer_body() -> None:
    go = asyncio.Event()

    async def body() -> None:
        async with Background() as outer, Background() as inner:
            outer.start(fail(LinkLost("gone"), go), name="outer")
            inner.start(for_ever([]), name="inner")
            go.set()
            await asyncio.Event().wait()

    with pytest.raises(LinkLost):
        await body()


async def test_being_cancelled_is_no_error() -> None:
    ended: list[str] = []

    async def body() -> None:
        async with Background() as tasks:
            tasks.start(for_ever(ended), name="task")
            await asyncio.Event().wait()

    running = asyncio.create_task(body())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["task"]


async def test_tasks_that_must_not_be_cut_off_are_waited_for() -> None:
    stop, done = asyncio.Event(), []

    async def work() -> None:
        await stop.wait()
        done.append(True)

    async with Background() as tasks:
        tasks.start(work(), name="work")
        await asyncio.sleep(0)
        stop.set()
        await tasks.ended()
    assert done == [True]
