"""An exchange of unknown size has its end put off while it comes, and not for ever."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from node.calling.guard import Guard

CREDIT_S = 0.3


@contextmanager
def watched() -> Iterator[tuple[Guard, socket.socket]]:
    """A guard, and the far end of the connection that it watches."""
    here, there = socket.socketpair()
    guard = Guard()
    with here, there:
        guard.watch(here)
        yield guard, there
        guard.close()


def ends_within(there: socket.socket, seconds: float) -> bool:
    there.settimeout(seconds)
    try:
        return there.recv(1) == b""
    except TimeoutError:
        return False


def test_what_comes_fast_enough_goes_on() -> None:
    with watched() as (guard, there), guard.within(CREDIT_S, slowest_kb_s=1):
        for _ in range(6):
            assert not ends_within(there, CREDIT_S / 3)
            guard.received(200)
    assert not guard.expired


def test_what_comes_slower_ends_however_long_it_would_go_on() -> None:
    with watched() as (guard, there), guard.within(CREDIT_S, slowest_kb_s=1):
        began = time.monotonic()
        while not ends_within(there, 0.02):
            guard.received(1)
            assert time.monotonic() - began < 10
    assert guard.expired


def test_much_that_came_at_once_earns_no_more_time_than_there_was_at_first() -> None:
    with watched() as (guard, there), guard.within(CREDIT_S, slowest_kb_s=1):
        guard.received(1_000_000)
        assert ends_within(there, 10)
    assert guard.expired


def test_bytes_put_off_no_end_where_the_size_is_known() -> None:
    with watched() as (guard, there), guard.within(CREDIT_S):
        guard.received(1_000_000)
        assert ends_within(there, 10)


def test_something_done_gives_as_long_again_and_a_cut_ends_it_at_once() -> None:
    with watched() as (guard, there), guard.within(CREDIT_S, slowest_kb_s=1):
        for _ in range(3):
            assert not ends_within(there, CREDIT_S / 2)
            guard.renew()
        guard.cut()
        assert ends_within(there, 0)
    assert guard.expired
