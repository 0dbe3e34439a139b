"""What a check finds: one thing that was looked at, how it is to be read, and a sentence."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a finding is to be read."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at, and what was found, in a sentence."""

    what: str
    status: Status
    says: str


def ok(what: str, says: str) -> Finding:
    """As it should be."""
    return Finding(what=what, status=Status.OK, says=says)


def warn(what: str, says: str) -> Finding:
    """The node runs, but somebody should know."""
    return Finding(what=what, status=Status.WARN, says=says)


def fail(what: str, says: str) -> Finding:
    """The node does not do its work like this."""
    return Finding(what=what, status=Status.FAIL, says=says)
