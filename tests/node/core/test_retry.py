"""Backoff and the one judge of failures."""

from random import Random

import pytest

from node.core.errors import (
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
    Refused,
)
from node.core.retry import FailureKind, RetryPolicy, classify, pause_s

POLICY = RetryPolicy(base_s=4.0, cap_s=60.0)
SLOW = RetryPolicy(base_s=60.0, cap_s=3600.0)
POLICIES = {FailureKind.TRANSIENT: POLICY, FailureKind.PASSING: SLOW}


class Longest(Random):
    def uniform(self, a: float, b: float) -> float:
        return b


class Shortest(Random):
    def uniform(self, a: float, b: float) -> float:
        return a


def test_the_pause_doubles_up_to_the_cap() -> None:
    assert [POLICY.delay_s(n, Longest()) for n in range(1, 7)] == [4, 8, 16, 32, 60, 60]


def test_it_is_told_from_which_try_on_the_pauses_grow_no_more() -> None:
    assert [n for n in range(1, 9) if POLICY.is_at_its_longest(n)] == [5, 6, 7, 8]
    assert [n for n in range(1, 9) if SLOW.is_at_its_longest(n)] == [7, 8]


def test_jitter_takes_away_half_of_it_at_most() -> None:
    assert [POLICY.delay_s(n, Shortest()) for n in range(1, 7)] == [2, 4, 8, 16, 30, 30]


def test_the_thousandth_try_overflows_nothing() -> None:
    assert POLICY.delay_s(1000, Longest()) == 60


def test_the_same_seed_gives_the_same_pauses() -> None:
    assert POLICY.delay_s(3, Random(7)) == POLICY.delay_s(3, Random(7))


@pytest.mark.parametrize("error", [OSError(28, "full"), MemoryError(), KeyError("bug")])
def test_what_nobody_foresaw_is_tried_again(error: Exception) -> None:
    """Our own errors are judged one by one in tests/node/test_words.py."""
    assert classify(error) is FailureKind.TRANSIENT


def test_each_failure_gets_the_patience_that_its_kind_deserves() -> None:
    def pauses(error: Exception) -> list[float | None]:
        return [pause_s(error, n, POLICIES, Longest()) for n in (1, 2, 9)]

    assert pauses(DestinationUnreachable("down")) == [4, 8, 60]
    assert pauses(DestinationNotReady("401")) == [60, 120, 3600]
    assert pauses(DestinationRefused("A900")) == [None, None, None]


@pytest.mark.parametrize(("asked_s", "pause"), [(None, 4), (1.0, 4), (90.0, 90), (1e9, 3600)])
def test_a_destination_that_asks_for_a_pause_gets_it_within_an_hour(
    asked_s: float | None, pause: float
) -> None:
    error = DestinationUnreachable("503", retry_after_s=asked_s)
    assert pause_s(error, 1, POLICIES, Longest()) == pause


def test_an_error_comment_fits_its_attribute() -> None:
    refused = Refused(0xC000, "Ü" + "x" * 100)
    assert refused.comment == "?" + "x" * 63
    assert refused.status == 0xC000
