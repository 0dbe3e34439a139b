"""The one state machine: a job and a delivery are both leased work.

Rules for this file: no imports but the standard library's, no I/O, no clock.  The machine is the
literal `TRANSITIONS`; whatever is not in it cannot happen.  The database holds the same rules as
CHECK constraints (`node.persistence.schema`) and a test compares the two.

::

              claim                    finish
    QUEUED ----------> RUNNING ----------------------> DONE
      ^  ^ retry,       |  ^  |
      |  | release      |  '--' claim (the lease has lapsed)
      |  '--------------'
      |                 | stop
      |                 '--------> CANCELLED
      |                 | bury (permanent, or tries used up)
      | requeue         v
      |<-------------- DEAD -------.
      |                            | cancel
      |<-------------- CANCELLED <-'<--- QUEUED

`done` is final: what is done is never undone, only sent again or superseded by a later job.
"""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a piece of leased work stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    """The machinery failed; kept for a person."""
    CANCELLED = "cancelled"


class Step(StrEnum):
    """What can happen to it."""

    CLAIM = "claim"
    """A process takes the lease; from RUNNING only after the old lease has lapsed."""
    FINISH = "finish"
    RETRY = "retry"
    """A transient failure; not before a time."""
    RELEASE = "release"
    """The lease's holder is dead or its lease has lapsed."""
    BURY = "bury"
    """A permanent failure, or the tries are used up."""
    REQUEUE = "requeue"
    """A person asks for it again."""
    CANCEL = "cancel"
    """A person, or a newer job of the same study, makes it needless."""
    STOP = "stop"
    """A person makes needless what is being done: its holder finds its lease gone."""


TRANSITIONS: Mapping[State, Mapping[Step, State]] = {
    State.QUEUED: {
        Step.CLAIM: State.RUNNING,
        Step.CANCEL: State.CANCELLED,
    },
    State.RUNNING: {
        Step.CLAIM: State.RUNNING,
        Step.FINISH: State.DONE,
        Step.RETRY: State.QUEUED,
        Step.RELEASE: State.QUEUED,
        Step.BURY: State.DEAD,
        Step.STOP: State.CANCELLED,
    },
    State.DONE: {},
    State.DEAD: {
        Step.REQUEUE: State.QUEUED,
        Step.CANCEL: State.CANCELLED,
    },
    State.CANCELLED: {
        Step.REQUEUE: State.QUEUED,
    },
}

FIRST = State.QUEUED
"""Of new work."""
LEASED = frozenset({State.RUNNING})
"""States with an owner and a lease."""
SETTLED = frozenset({State.DONE, State.DEAD, State.CANCELLED})
"""States in which nothing happens by itself any more."""


def after(state: State, step: Step) -> State | None:
    """The state that the step leads to, or None if it cannot happen from here."""
    return TRANSITIONS[state].get(step)


def target(step: Step) -> State:
    """The state that the step leads to from wherever it can happen: there is but one."""
    (state,) = {steps[step] for steps in TRANSITIONS.values() if step in steps}
    return state


def sources(step: Step) -> frozenset[State]:
    """The states from which the step can happen."""
    return frozenset(state for state, steps in TRANSITIONS.items() if step in steps)
