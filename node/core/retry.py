"""When to try again, and whether at all."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from m3net.errors import StudyError, WeightsError
from node.core.errors import ConfigError, DestinationRefused, LeaseLost, Refused


class FailureKind(StrEnum):
    """What a failure means for the next try."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full upper-half jitter.

    max_attempts : tries before the work is dead
    base_s       : the longest wait after the first failed try
    cap_s        : the longest wait of all
    """

    max_attempts: int
    base_s: float
    cap_s: float

    def delay_s(self, attempt: int, rng: Random) -> float:
        """Seconds to wait after failed try number `attempt` (1, 2, ...).

        Between half and the whole of min(cap, base * 2**(attempt - 1)), so that many that failed
        together do not come back together.
        """
        longest = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 62))
        return longest * rng.uniform(0.5, 1.0)


PERMANENT: tuple[type[BaseException], ...] = (
    StudyError,
    WeightsError,
    ConfigError,
    DestinationRefused,
    Refused,
    LeaseLost,
)


def classify(error: BaseException) -> FailureKind:
    """The only judge of failures.

    What is not known to be permanent is tried again: tries are bounded, and a study given up too
    early is a study that nobody reads.
    """
    return FailureKind.PERMANENT if isinstance(error, PERMANENT) else FailureKind.TRANSIENT
