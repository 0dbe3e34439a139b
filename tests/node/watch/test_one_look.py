"""One look for many: who stops waiting disturbs nobody else."""

import asyncio
import threading

import pytest

from node.watch.one_look import OneLook


def test_who_waits_in_an_event_loop_is_told_in_time_that_nothing_answers() -> None:
    answers = threading.Event()
    look = OneLook(lambda: answers.wait(10), within_s=0.05)
    with pytest.raises(TimeoutError):
        asyncio.run(look.seen_soon())
    answers.set()
    assert look.seen() is True


def test_many_in_an_event_loop_share_one_look_and_get_what_it_raises() -> None:
    looks = []

    def fails() -> int:
        looks.append(1)
        raise LookupError("nothing there")

    async def many(look: OneLook[int]) -> list[int | BaseException]:
        return await asyncio.gather(*(look.seen_soon() for _ in range(50)), return_exceptions=True)

    said = asyncio.run(many(OneLook(fails)))
    assert {type(each) for each in said} == {LookupError}
    assert len(looks) == 1
