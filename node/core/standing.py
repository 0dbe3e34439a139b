"""Where a study stands, in one word: what a list filters by, and what it shows."""

from enum import StrEnum

from node.core.states import State


class Standing(StrEnum):
    """Where a study stands; of each study exactly one is true."""

    RECEIVING = "receiving"
    """Somebody who brought something to it is still sending."""
    WAITING = "waiting"
    EXPIRED = "expired"
    """It waits for an annotation, and for longer than is waited without a word."""
    RECEIVED = "received"
    """It has not been judged yet."""
    IGNORED = "ignored"
    """Nothing in it is for this node."""
    QUEUED = "queued"
    """So does its latest job stand, as with all that follow."""
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


def of_job(state: State) -> Standing:
    """Where a study stands whose latest job stands so, and that waits for nothing else."""
    return Standing(state.value)
