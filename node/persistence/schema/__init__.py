"""The tables.

Rules for this folder: every invariant that the program relies on stands here as a constraint, so
that no transaction can break it, whoever writes it.  Times are UTC.  Patient data stands in `study`
and nowhere else.  A change here needs a migration in `migrations/versions`; a test compares the
two.
"""

from node.persistence.schema.base import (
    FREED,
    ON_DISK,
    Base,
    UTCDateTime,
)
from node.persistence.schema.kept import (
    Erasure,
    Removal,
)
from node.persistence.schema.leased import (
    DEAD,
    OPEN,
    RUNNING,
    LeasedWork,
)
from node.persistence.schema.people import Account, AccountChange, Session
from node.persistence.schema.received import (
    EXPIRED,
    FOUND,
    IGNORED,
    NOT_DESCRIBED,
    UNREAD,
    WAITING,
    Contribution,
    Instance,
    Sender,
    Series,
    Study,
)
from node.persistence.schema.requested import RequestedItem
from node.persistence.schema.storage import (
    Storage,
)
from node.persistence.schema.tallies import Tally
from node.persistence.schema.watched import ProcessPulse, StandingSign, ToldSign
from node.persistence.schema.work import (
    IN_FORCE,
    RESULT_NOT_DESCRIBED,
    Artifact,
    Delivered,
    Delivery,
    EventLog,
    Fetching,
    Job,
)

__all__ = [
    "DEAD",
    "EXPIRED",
    "FOUND",
    "FREED",
    "IGNORED",
    "IN_FORCE",
    "NOT_DESCRIBED",
    "ON_DISK",
    "OPEN",
    "RESULT_NOT_DESCRIBED",
    "RUNNING",
    "UNREAD",
    "WAITING",
    "Account",
    "AccountChange",
    "Artifact",
    "Base",
    "Contribution",
    "Delivered",
    "Delivery",
    "Erasure",
    "EventLog",
    "Fetching",
    "Instance",
    "Job",
    "LeasedWork",
    "ProcessPulse",
    "Removal",
    "RequestedItem",
    "Sender",
    "Series",
    "Session",
    "StandingSign",
    "Storage",
    "Study",
    "Tally",
    "ToldSign",
    "UTCDateTime",
]
