"""When to try again, and whether at all.

An error's type says how much patience it deserves (`classify`); how long the pauses of each
patience are is a `RetryPolicy` of the configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from m3net.errors import StudyError, WeightsError
from node.core.errors import (
    ConfigError,
    DatabaseBehind,
    DatabaseLost,
    DestinationError,
    DestinationNotReady,
    DestinationRefused,
    LeaseLost,
    NotNow,
    Refused,
)

LONGEST_ASKED_S = 3600.0
"""A destination that asks to be left alone for longer is asked again after so long."""


class FailureKind(StrEnum):
    """What a failure means for the next try."""

    TRANSIENT = "transient"
    """Likely to be over soon."""
    PASSING = "passing"
    """Likely to be over once somebody has seen to it: hours, a weekend."""
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full upper-half jitter.

    base_s : the longest wait after the first failed try
    cap_s  : the longest wait of all
    """

    base_s: float
    cap_s: float

    def delay_s(self, attempt: int, rng: Random) -> float:
        """Seconds to wait after failed try number `attempt` (1, 2, ...).

        Between half and the whole of min(cap, base * 2**(attempt - 1)), so that many that failed
        together do not come back together.
        """
        return self._longest_s(attempt) * rng.uniform(0.5, 1.0)

    def is_at_its_longest(self, attempt: int) -> bool:
        """Whether the pauses grow no more from failed try number `attempt` on."""
        return self._longest_s(attempt) == self.cap_s

    def _longest_s(self, attempt: int) -> float:
        return min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 62))


PERMANENT: tuple[type[BaseException], ...] = (
    StudyError,
    WeightsError,
    ConfigError,
    DestinationRefused,
    Refused,
    LeaseLost,
)
NOT_FOR_EVER: tuple[type[BaseException], ...] = (NotNow, DatabaseBehind, DatabaseLost)
"""Of those, what says nothing of the work."""
PASSING: tuple[type[BaseException], ...] = (DestinationNotReady,)


def classify(error: BaseException) -> FailureKind:
    """The only judge of failures.

    What is not known to be permanent is tried again: tries are bounded, and a study given up too
    early is a study that nobody reads.
    """
    if isinstance(error, PERMANENT) and not isinstance(error, NOT_FOR_EVER):
        return FailureKind.PERMANENT
    return FailureKind.PASSING if isinstance(error, PASSING) else FailureKind.TRANSIENT


def pause_s(
    error: BaseException,
    attempt: int,
    policies: Mapping[FailureKind, RetryPolicy],
    rng: Random,
) -> float | None:
    """Seconds until the next try after failed try number `attempt`; None if there is to be none.

    A destination that asks for a longer pause gets it, up to `LONGEST_ASKED_S`.
    """
    kind = classify(error)
    if kind is FailureKind.PERMANENT:
        return None
    asked = error.retry_after_s if isinstance(error, DestinationError) else None
    return max(policies[kind].delay_s(attempt, rng), min(asked or 0.0, LONGEST_ASKED_S))
