"""What the statuses of a C-STORE response mean to this node as a sender.

PS3.4 table B.2-1 has those of storage, PS3.7 annex C those of every service.  In practice the
failures are used loosely: archives answer 0110 or C001 while their database restarts, and 0124
until somebody has registered us.  So only what is plainly about the object is taken as final.
"""

from enum import Enum, auto


class Meaning(Enum):
    """What follows from a status."""

    STORED = auto()
    CLASS_NOT_SUPPORTED = auto()
    """A poorer form may do."""
    NO_ROOM = auto()
    """Out of resources: over soon."""
    REFUSED = auto()
    """About the object, and will be said of it again."""
    NOT_NOW = auto()
    """A failure that is often passing."""
    NOT_KNOWN = auto()
    """A warning that says nothing of storage."""


STORED = frozenset({0x0000, 0xB000, 0xB006, 0xB007, 0x0111})
"""Success, the three warnings of storage, and "duplicate SOP instance" (PS3.7 annex C): our UIDs
are derived from the content, so what is there already is what was to be sent."""
CLASS_NOT_SUPPORTED = frozenset({0x0118, 0x0122})
"""No such SOP class; refused, SOP class not supported (PS3.7 annex C)."""
NO_ROOM = frozenset({*range(0xA700, 0xA800), 0x0213})
"""Refused, out of resources; resource limitation."""
REFUSED = frozenset(
    {*range(0xA900, 0xAA00), 0xC000, 0x0106, 0x0115, 0x0117, 0x0119, 0x0120, 0x0121}
)
"""Data set does not match SOP class; cannot understand; invalid attribute value, argument value or
object instance; class-instance conflict; missing attribute, missing attribute value."""
_OTHER_WARNINGS = frozenset({0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)}) - STORED


def meaning(status: int) -> Meaning:
    """What follows from the status; of what the Standard does not list, that it may pass."""
    for statuses, means in (
        (STORED, Meaning.STORED),
        (CLASS_NOT_SUPPORTED, Meaning.CLASS_NOT_SUPPORTED),
        (NO_ROOM, Meaning.NO_ROOM),
        (REFUSED, Meaning.REFUSED),
        (_OTHER_WARNINGS, Meaning.NOT_KNOWN),
    ):
        if status in statuses:
            return means
    return Meaning.NOT_NOW
